//! What concerns a template as a whole: its titles, its times, and what does not go together.

use super::compile::{Draft, SILENCE};
use super::title::Title;
use super::{PlanError, place};
use model::Span;
use schemas::catalogue::Template;

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
            template.compared_to.is_some(),
            "compared_to",
            "comparison with earlier times is not evaluated by this version",
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

/// The unit of the values; silence is counted in seconds.
pub(super) fn unit(template: &Template, silence: bool) -> String {
    match &template.unit {
        Some(unit) => unit.clone(),
        None if silence => "seconds".to_owned(),
        None => String::new(),
    }
}
