//! What keeps an incident from paging though it is open: a person, another incident, its group.

use super::action::EntryKind;
use super::around::Reason;
use super::message::Purpose;
use super::step::Turn;
use super::words::{Actor, Status, Via, not_a, word};
use model::{IncidentId, InvalidName, Priority, Span, Timestamp};
use std::fmt;

/// How often a held P1 is looked at again.
const LOOK_P1: Span = Span::from_secs(60);
/// How often others are.
const LOOK: Span = Span::from_secs(5 * 60);

word! {
    /// What holds an incident back.
    HoldKind, "kind of hold" {
        /// A person put it off.
        Snoozed = "snoozed",
        /// A person said that it is the same as another.
        Merged = "merged",
        /// Another incident explains it.
        Inhibited = "inhibited",
        /// Another of its group tells of it.
        Grouped = "grouped",
        /// It waits a moment for what may explain it, or for its group.
        Waits = "waits",
    }
}

/// Something that holds an incident back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What.
    pub kind: HoldKind,
    /// The incident that explains or tells it.
    pub by: Option<IncidentId>,
    /// One sentence for people.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is looked at again, or ends. There is always one: nothing is held for ever.
    pub until: Timestamp,
}

impl Turn<'_> {
    /// Holds the incident back; its deadlines stop.
    pub(super) fn hold(
        &mut self,
        kind: HoldKind,
        by: Option<IncidentId>,
        until: Timestamp,
        why: &str,
    ) {
        let incident = &mut *self.incident;
        incident.escalation.at = None;
        incident.escalation.held = false;
        incident.ack_runs_out_at = None;
        incident.catches_up_at = None;
        incident.digest_at = None;
        incident.follow_ups.clear();
        incident.hold = Some(Hold {
            kind,
            by,
            why: why.to_owned(),
            since: self.now,
            until,
        });
    }

    /// Whether something explains the incident, or tells of it, so that it does not page itself.
    /// Then it is held, and its timeline says why.
    pub(super) fn is_held_back(&mut self) -> bool {
        let Some(reason) = self
            .route
            .around
            .reason(self.incident, self.route.directory)
        else {
            return false;
        };
        let again = self.now.plus(self.look_again());
        let (kind, entry) = match reason {
            Reason::Explained { .. } => (HoldKind::Inhibited, EntryKind::Inhibited),
            Reason::Grouped { .. } => (HoldKind::Grouped, EntryKind::Grouped),
        };
        let (by, why) = (reason.by(), reason.to_string());
        let known = self
            .incident
            .hold
            .as_ref()
            .is_some_and(|hold| hold.kind == kind && hold.by == Some(by));
        if known {
            if let Some(hold) = &mut self.incident.hold {
                hold.until = again;
            }
            self.keep();
        } else {
            self.hold(kind, Some(by), again, &why);
            self.record(entry, format!("does not page: {why}"));
        }
        true
    }

    fn look_again(&self) -> Span {
        if self.incident.priority == Priority::P1 {
            LOOK_P1
        } else {
            LOOK
        }
    }

    /// The time of a hold has come: it goes on, or the incident pages.
    pub(super) fn hold_due(&mut self) {
        let Some(hold) = self.incident.hold.clone() else {
            return;
        };
        match hold.kind {
            HoldKind::Snoozed => {
                self.incident.hold = None;
                self.record(
                    EntryKind::Released,
                    "the time that it was put off for is over",
                );
                self.incident.status = Status::Open;
                self.incident.acknowledged = None;
                self.begin_policy(Purpose::SnoozeOver);
            }
            HoldKind::Merged if self.route.around.is_open(hold.by) => {
                let again = self.now.plus(self.look_again());
                if let Some(hold) = &mut self.incident.hold {
                    hold.until = again;
                }
                self.keep();
            }
            HoldKind::Merged => {
                let text =
                    "the incident that it was merged into is over, and this one is not: it pages";
                self.release(text, Purpose::Reopened);
            }
            HoldKind::Waits => {
                let opening = self.incident.escalation.opening;
                if !self.is_held_back() {
                    self.incident.hold = None;
                    self.page_now(opening);
                }
            }
            HoldKind::Inhibited | HoldKind::Grouped => {
                if self.is_held_back() {
                    return;
                }
                let opening = self.incident.escalation.opening;
                let text = match hold.kind {
                    HoldKind::Grouped => "nobody tells of its group any more: it pages itself",
                    _ => "what explained it is over, and this is not: it pages",
                };
                self.release(text, opening);
            }
        }
    }

    fn release(&mut self, text: &str, opening: Purpose) {
        self.incident.hold = None;
        self.record(EntryKind::Released, text);
        self.page_now(opening);
    }

    pub(super) fn snooze(&mut self, actor: Actor, via: Via, until: Timestamp) {
        let text = format!(
            "put off by {} for {}: it pages again then",
            actor.name,
            whole_seconds(until.since(self.now))
        );
        let note = Some(actor.name.clone());
        self.hold(
            HoldKind::Snoozed,
            None,
            until,
            &format!("put off by {}", actor.name),
        );
        self.incident.acknowledged = Some((actor.clone(), self.now));
        self.incident.status = Status::Acknowledged;
        self.record_by(EntryKind::Snoozed, actor, via, text);
        self.tell_rooms(Purpose::Acknowledged, note);
    }

    pub(super) fn merge(&mut self, actor: Actor, via: Via, into: IncidentId, title: &str) {
        let again = self.now.plus(self.look_again());
        let why = format!("merged into {into} ({title}) by {}", actor.name);
        self.hold(HoldKind::Merged, Some(into), again, &why);
        let text = format!("{why}: it pages no more while that one is open");
        let note = Some(format!("{}: = {title}", actor.name));
        self.record_by(EntryKind::Merged, actor, via, text);
        self.tell_rooms(Purpose::Comment, note);
    }
}

/// A length of time for people: between the question and its decision some of it has passed.
pub(super) fn whole_seconds(span: Span) -> Span {
    Span::from_secs((span.as_millis() + 999).div_euclid(1_000))
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_between_a_question_and_its_decision_is_no_part_of_a_length() {
        let span = |millis: i64| whole_seconds(Span::from_millis(millis)).to_string();
        assert_eq!(span(599_999), "10m");
        assert_eq!(span(600_000), "10m");
        assert_eq!(span(90_000), "1m30s");
    }
}
