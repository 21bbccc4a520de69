//! What concerns a template as a whole: its titles, its times, and what does not go together.

use super::compile::{Draft, SILENCE};
use super::title::Title;
use super::{Against, Gather, PlanError, place, spans};
use crate::core::derived::EVERY;
use model::{Priority, Span};
use schemas::catalogue::{Over, Template};

const SAME_WEEKDAY: &str = "same weekday";
const HOUR_OF_WEEK: &str = "same hour of the week";

impl Draft<'_> {
    /// The titles; errors are added.
    pub(super) fn titles(&mut self) -> (Title, Option<Title>) {
        let tags = self.template.group_tags();
        let mut read = |key: &str, text: &str| {
            Title::parse(text, &tags).unwrap_or_else(|what| {
                self.errors
                    .push(PlanError::new(place(&self.template.template, key), what));
                Title::empty()
            })
        };
        let title = read("title", self.template.title());
        let title_ko = self
            .template
            .title_ko
            .as_deref()
            .map(|text| read("title_ko", text));
        (title, title_ko)
    }

    /// What the values are held against; errors are added.
    pub(super) fn against(&mut self) -> Against {
        let template = self.template;
        let Some(text) = template.compared_to.as_deref() else {
            return Against::Nothing;
        };
        let windows = template
            .levels
            .iter()
            .map(|(_, level)| level.over.or(template.over));
        let mut refuse = |what: String| {
            let place = place(&template.template, "compared_to");
            self.errors.push(PlanError::new(place, what));
        };
        if windows
            .into_iter()
            .any(|over| !matches!(over, Some(Over::Window { .. })))
        {
            refuse("what is compared is a window: `over: sum of 1h`".to_owned());
        }
        match text.trim() {
            SAME_WEEKDAY => Against::Weekday,
            HOUR_OF_WEEK => {
                if template.levels.iter().any(|(p, _)| p != Priority::P3) {
                    refuse("what is only unusual is at most P3".to_owned());
                }
                Against::Hour
            }
            other => {
                refuse(format!(
                    "`{other}` is not one of `{SAME_WEEKDAY}` (percent more than an hour of a \
                     week ago) and `{HOUR_OF_WEEK}` (deviations from earlier weeks)"
                ));
                Against::Nothing
            }
        }
    }

    /// A group has one past: levels of a trend or a comparison share check and window.
    pub(super) fn one_past(&mut self, against: Against) {
        let signals = &self.signals;
        let trend = signals.iter().any(|s| s.gather == Gather::UntilZero);
        if (trend || against != Against::Nothing) && signals.len() > 1 {
            let what = "levels that look at the past have one check and one window";
            let place = place(&self.template.template, "levels");
            self.errors.push(PlanError::new(place, what));
        }
    }

    /// What concerns the whole template.
    pub(super) fn check_rest(&mut self) {
        let mut refuse = |wrong: bool, key: &str, what: &str| {
            if wrong {
                self.errors
                    .push(PlanError::new(place(&self.template.template, key), what));
            }
        };
        let template = self.template;
        let any = template
            .applies_to
            .as_ref()
            .is_some_and(|to| to.measurement == "any");
        let silence = template
            .check
            .as_deref()
            .is_some_and(|check| check.trim() == SILENCE);
        let mut overs = template
            .levels
            .iter()
            .map(|(_, level)| level.over.or(template.over));
        let windows_only =
            overs.all(|over| !matches!(over, Some(Over::EachPoint | Over::TimeUntilZero)));
        let spans = spans(template);
        refuse(
            spans && !windows_only,
            "over",
            "a group that spans hosts has a window, such as `average of 5m`; what is judged point by \
             point, or by its trend, has a host",
        );
        refuse(
            spans && template.every().as_nanos() % EVERY.as_nanos() != 0,
            "every",
            "a group that spans hosts is judged at full minutes: 60s, 2m, 5m",
        );
        refuse(
            template.extends.is_some(),
            "extends",
            "the base is not merged in",
        );
        refuse(
            template.every() <= Span::ZERO,
            "every",
            "the grid must be longer than 0",
        );
        refuse(
            template.interval() <= Span::ZERO,
            "interval",
            "it must be longer than 0",
        );
        refuse(
            silence && !any,
            "applies_to",
            "`time_since_last_point` is of a host: it goes with `measurement: any`. \
             For data that is missing write `when_missing`",
        );
        refuse(
            silence && template.group_tags() != ["host"],
            "one_alert_per",
            "`time_since_last_point` is of a host: it goes with `one_alert_per: [host]`",
        );
        refuse(
            silence && template.close_after.is_some(),
            "close_after",
            "a host that is down stays down until it is heard",
        );
    }
}

/// The unit of the values; times are counted in seconds.
pub(super) fn unit(template: &Template, silence: bool, against: Against) -> String {
    let levels = template.levels.iter();
    let mut overs = levels.map(|(_, level)| level.over).chain([template.over]);
    let silence = silence || overs.any(|over| over == Some(Over::TimeUntilZero));
    match &template.unit {
        _ if against == Against::Weekday => "percent".to_owned(),
        _ if against == Against::Hour => "deviations".to_owned(),
        Some(_) if silence => "seconds".to_owned(),
        Some(unit) => unit.clone(),
        None if silence => "seconds".to_owned(),
        None => String::new(),
    }
}
