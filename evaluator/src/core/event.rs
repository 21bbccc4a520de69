//! The alert event of a change, and the sentence that says why.

use super::group::Group;
use super::judge::Scene;
use super::plan::{Condition, Facts, Gather, Rule};
use super::tags::Tags;
use super::text::{number, quantity};
use super::window::{Reading, read};
use model::{AlertEvent, AlertKind, Priority, Span, Timestamp};

/// What led to an event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// A rung is latched.
    Fires { rung: usize, reading: Reading },
    /// A rung recovered.
    Recovers { rung: usize, reading: Reading },
    /// Missing data is an alert.
    Missing,
    /// Missing data is over, and nothing else holds.
    DataBack,
    /// Missing data is the end of the incident.
    DataMissing,
    /// Not true again for `close_after`.
    ClosedByItself,
    /// Nothing was heard for `expire_after`.
    Expired,
    /// The template is gone.
    Retired,
    /// It flaps no more.
    Calm,
    /// What is shown changed without the value: an edit, or another environment.
    Edited,
}

/// An event in the making.
pub(crate) struct EventOf<'a> {
    pub(crate) group: &'a Group,
    pub(crate) tags: &'a Tags,
    pub(crate) rule: &'a Rule,
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) at: Timestamp,
    /// What the least urgent rung reads now: the value of an event that none of them led to.
    pub(crate) now: Reading,
}

impl EventOf<'_> {
    /// The event; the group's incident stands already as it is after it.
    pub(crate) fn event(
        &self,
        kind: AlertKind,
        shown: Option<Priority>,
        cause: Cause,
    ) -> Option<Box<AlertEvent>> {
        let (rule, group) = (self.rule, self.group);
        let incident = group.incident()?;
        let (value, threshold) = self.numbers(cause);
        let value_text = value.map(|value| quantity(value, &rule.unit));
        let threshold_text = threshold.map(|value| quantity(value, &rule.unit));
        let tags = self.tags.to_vec();
        let facts = Facts {
            group: &tags,
            value: value_text.as_deref(),
            threshold: threshold_text.as_deref(),
            priority: shown,
            env: group.env.get(),
        };
        Some(Box::new(AlertEvent {
            event_id: incident.id.event(incident.sequence),
            incident_id: incident.id,
            sequence: incident.sequence,
            tenant: self.scene.tenant.clone(),
            partition: self.scene.partition,
            template: rule.template.as_ref().to_owned(),
            kind,
            priority: shown,
            value,
            threshold,
            unit: rule.unit.clone(),
            at: self.at,
            started_at: incident.started_at,
            arrival: self.scene.arrival,
            env: group.env.get().map(str::to_owned),
            title: rule.title.fill(&facts),
            title_ko: rule.title_ko.as_ref().map(|title| title.fill(&facts)),
            group: tags,
            why: self.why(cause, shown) + &self.held(kind) + &self.note(),
            runbook: rule.runbook.clone(),
        }))
    }

    /// Why nobody is paged, where that is so.
    fn held(&self, kind: AlertKind) -> String {
        match kind {
            AlertKind::Flapping => format!(
                "; held back: it flaps ({} % of its last 20 evaluations)",
                self.group.flaps.score()
            ),
            AlertKind::Held => "; held back: it only watches in its first 3 weeks".to_owned(),
            _ => String::new(),
        }
    }

    /// What the sum over partitions says besides numbers.
    fn note(&self) -> String {
        let note = self.group.note();
        note.map_or_else(String::new, |note| format!(": {}", note.0))
    }

    fn numbers(&self, cause: Cause) -> (Option<f64>, Option<f64>) {
        let value = Reading::value;
        match cause {
            Cause::Fires { rung, reading } => {
                (value(reading), self.rule.rungs[rung].fires.threshold())
            }
            Cause::Recovers { rung, reading } => {
                (value(reading), self.rule.rungs[rung].recovers.threshold())
            }
            _ => (value(self.now), None),
        }
    }

    /// One sentence: function, window, value, threshold, `for`.
    fn why(&self, cause: Cause, shown: Option<Priority>) -> String {
        let rule = self.rule;
        let missing_for = self.at.since(self.group.newest);
        let mut text = match cause {
            Cause::Fires { rung, reading } => {
                let of = &rule.rungs[rung];
                let what = self.compared(rung, reading, of.fires, of.for_);
                format!("{what}: {}", of.priority)
            }
            Cause::Recovers { rung, reading } => self.recovered(rung, reading),
            Cause::Missing => {
                let priority = self.group.missing.map_or("", Priority::as_str);
                format!(
                    "no data for {missing_for} while the host reports: {priority}, \
                     as when_missing says"
                )
            }
            Cause::DataBack => "data is back, and no threshold is passed: over".to_owned(),
            Cause::DataMissing => {
                format!("no data for {missing_for}: over, as when_missing says")
            }
            Cause::ClosedByItself => format!(
                "not true again for {}: closes by itself",
                rule.close_after.unwrap_or(Span::ZERO)
            ),
            Cause::Expired => format!(
                "nothing was heard for {}: closed without a recovery",
                rule.expire_after
            ),
            Cause::Retired => {
                "its template is not in the catalogue any more: closed without a recovery"
                    .to_owned()
            }
            Cause::Calm => format!(
                "it does not flap any more ({} % of its last 20 evaluations)",
                self.group.flaps.score()
            ),
            Cause::Edited => match shown {
                Some(priority) => format!("now {priority}, by an edit of the rule or another env"),
                None => "the rule has no such level any more: over".to_owned(),
            },
        };
        if let Some(beside) = self.beside(cause) {
            text.push_str(&beside);
        }
        if let (Some(shown), Some(top), Some(env)) = (shown, self.group.top(), self.group.env.get())
            && shown < top
        {
            text.push_str(&format!("; shown as {shown}, the most for env {env}"));
        }
        text
    }

    /// `; load15 - load1 is -2.5`: what the rule shows beside a value that it tells.
    fn beside(&self, cause: Cause) -> Option<String> {
        let shown = self.rule.shown.as_ref()?;
        let (Cause::Fires { .. } | Cause::Recovers { .. }) = cause else {
            return None;
        };
        let (group, clock) = (self.group, &self.scene.clock);
        let value = read(shown, self.rule, &group.samples, clock, self.at).value()?;
        Some(format!("; {} is {}", shown.text, number(value)))
    }

    fn recovered(&self, rung: usize, reading: Reading) -> String {
        let of = &self.rule.rungs[rung];
        let what = self.compared(rung, reading, of.recovers, of.recover_for);
        match self.group.top() {
            Some(top) => format!("{what}: {} is over, {top} still holds", of.priority),
            None => format!("{what}: over"),
        }
    }

    /// `average of 5m (100 - usage_idle) is 95 percent, above 90 percent for 5m`.
    fn compared(&self, rung: usize, reading: Reading, than: Condition, for_: Span) -> String {
        let rule = self.rule;
        let signal = &rule.signals[rule.rungs[rung].signal];
        let mut text = match signal.gather {
            Gather::Silence => signal.gather.to_string(),
            _ => format!("{} ({})", signal.gather, signal.text),
        };
        match (reading, than) {
            (Reading::Value(value) | Reading::Counted { value, .. }, Condition::Is(_)) => {
                text.push_str(if value == 0.0 {
                    " is false"
                } else {
                    " is true"
                });
            }
            (Reading::Value(value) | Reading::Counted { value, .. }, _) => {
                text.push_str(&format!(" is {}", quantity(value, &rule.unit)));
            }
            (Reading::Never, _) => return format!("{text}: it does not fall"),
            (Reading::Excluded, _) => return format!("{text} does not apply any more"),
            (Reading::Nothing, _) => return format!("{text} has no sample, which is fine"),
            (Reading::Unknown, _) => text.push_str(" was"),
        }
        match than {
            Condition::Above(t) => text.push_str(&format!(", above {}", quantity(t, &rule.unit))),
            Condition::Below(t) => text.push_str(&format!(", below {}", quantity(t, &rule.unit))),
            Condition::AtMost(t) => {
                text.push_str(&format!(", at most {}", quantity(t, &rule.unit)));
            }
            Condition::Is(_) => {}
        }
        let trend = self.group.rare().and_then(|rare| rare.trend.as_ref());
        if let Some(slope) = trend.and_then(|trend| trend.slope) {
            text.push_str(&format!(
                ", changing by {} an hour",
                number(slope * 3_600.0)
            ));
        }
        if for_ > Span::ZERO {
            text.push_str(&format!(" for {for_}"));
        }
        text
    }
}
