//! What the time, a person or a failed delivery does to an incident.

use super::action::{AlarmKind, EntryKind};
use super::directory::Ends;
use super::incident::{Target, Told};
use super::message::Purpose;
use super::step::Turn;
use super::words::{Actor, Status, Via};
use model::Priority;

impl Turn<'_> {
    /// Does what is due.
    pub(super) fn due(&mut self) {
        let now = self.now;
        let passed = |at: Option<model::Timestamp>| at.is_some_and(|at| at <= now);
        if passed(self.incident.ack_runs_out_at) {
            self.acknowledgement_ran_out();
        }
        if passed(self.incident.hold.as_ref().map(|hold| hold.until)) {
            self.hold_due();
        }
        if passed(self.incident.digest_at) {
            self.digest();
        }
        if passed(self.incident.reopens_at) {
            let by = match &self.incident.closed {
                Some((Some(actor), at)) => {
                    format!("closed by {} {} ago", actor.name, now.since(*at))
                }
                _ => "closed".to_owned(),
            };
            let text = format!("{by}, and the condition still holds: reopened");
            self.record(EntryKind::Reopened, text);
            self.open(Purpose::Reopened, false);
        }
        if passed(self.incident.catches_up_at) {
            let waited = self.life.backfill_waits;
            self.caught_up(&format!("it waited {waited} for the evaluator to catch up"));
        }
        self.run_policy();
        self.follow_up();
    }

    fn acknowledgement_ran_out(&mut self) {
        self.incident.ack_runs_out_at = None;
        self.incident.status = Status::Open;
        let owner = self.incident.acknowledged.take().map(|(actor, _)| actor);
        let name = owner.as_ref().map_or("somebody", |actor| &actor.name);
        let text = format!("the acknowledgement by {name} ran out");
        self.record(EntryKind::AckRanOut, text);
        let asked = self.ask_owner(owner.and_then(|actor| actor.contact).as_deref());
        if !asked {
            let text = "its owner cannot be asked: escalation goes on at once";
            self.record(EntryKind::Skipped, text);
        }
        self.go_on_after(asked);
    }

    pub(super) fn acknowledge(&mut self, actor: Actor, via: Via) {
        self.incident.status = Status::Acknowledged;
        self.incident.acknowledged = Some((actor.clone(), self.now));
        if self
            .route
            .policy
            .is_none_or(|policy| policy.ends == Ends::Acknowledged)
        {
            self.incident.escalation.at = None;
            self.incident.escalation.held = false;
        }
        self.incident.catches_up_at = None;
        self.incident.hold = None;
        self.incident.follow_ups.clear();
        let holds = self.ack_holds();
        self.incident.ack_runs_out_at = holds.map(|holds| self.now.plus(holds));
        let text = match holds {
            Some(holds) => format!("acknowledged by {} for {holds}", actor.name),
            None => format!("acknowledged by {}", actor.name),
        };
        let note = Some(actor.name.clone());
        self.record_by(EntryKind::Acknowledged, actor, via, text);
        self.tell_rooms(Purpose::Acknowledged, note);
    }

    pub(super) fn close(&mut self, actor: Actor, via: Via, until_resolved: bool) {
        let was_closed = self.incident.status == Status::Closed;
        self.settle();
        self.incident.status = Status::Closed;
        self.incident.until_resolved = until_resolved && self.incident.firing;
        if !was_closed {
            self.incident.closed = Some((Some(actor.clone()), self.now));
        }
        let text = if !self.incident.firing {
            format!("closed by {}", actor.name)
        } else if until_resolved {
            format!(
                "closed by {} until it is resolved: it does not reopen before",
                actor.name
            )
        } else {
            let after = self.life.reopen_after;
            self.incident.reopens_at = Some(self.now.plus(after));
            format!(
                "closed by {} while it fires: reopens in {after} if it still does",
                actor.name
            )
        };
        let note = Some(actor.name.clone());
        self.record_by(EntryKind::Closed, actor, via, text);
        self.tell_rooms(Purpose::Closed, note);
    }

    pub(super) fn comment(&mut self, actor: Actor, via: Via, text: String) {
        let note = Some(format!("{}: {text}", actor.name));
        self.record_by(EntryKind::Comment, actor, via, text);
        self.tell_rooms(Purpose::Comment, note);
    }

    /// A delivery will not be made: it is recorded, and its recipient has not heard of the
    /// incident.
    pub(super) fn undelivered(
        &mut self,
        purpose: Purpose,
        to: &Told,
        reason: &str,
        heard_before: bool,
    ) {
        let text = format!(
            "{} by {} to {} was not delivered: {reason}",
            purpose.as_str(),
            to.channel,
            to.recipient.name
        );
        self.record(EntryKind::Undelivered, text.clone());
        if purpose.is_page() {
            if self.incident.priority > Priority::P3 {
                self.alarm(AlarmKind::Undelivered, text);
            }
            if !heard_before {
                let address = &to.recipient.address;
                self.incident.told.retain(|told| {
                    told.channel != to.channel || told.recipient.address != *address
                });
            }
        }
    }

    /// The auditor found an open incident that nobody would ever hear of again.
    pub(super) fn orphaned(&mut self) {
        let incident = &mut *self.incident;
        if incident.status == Status::Closed || incident.due_at().is_some() {
            return;
        }
        let text = format!(
            "the auditor found this {} {} without a future action",
            incident.status, incident.priority
        );
        if incident.status == Status::Acknowledged {
            incident.ack_runs_out_at = Some(self.now);
        } else {
            incident.escalation.target = Some(Target::Everyone);
            incident.escalation.at = Some(self.now);
        }
        self.record(EntryKind::Audited, text.clone());
        self.alarm(AlarmKind::Orphaned, text);
        self.due();
    }
}
