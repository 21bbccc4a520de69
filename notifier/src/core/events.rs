//! What an event of the evaluator does to an incident.

use super::action::{AlarmKind, EntryKind};
use super::incident::Incident;
use super::message::Purpose;
use super::step::{Seen, Turn};
use super::words::Status;
use model::{AlertEvent, AlertKind, Priority, Timestamp};

impl Turn<'_> {
    pub(super) fn alert(&mut self, event: &AlertEvent, appended_at: Timestamp, seen: Seen) {
        if !self.is_next(event, seen) {
            return;
        }
        let delay = appended_at.since(event.arrival);
        let late = delay > self.life.backfilled_after;
        if late {
            let text = format!("the event was decided {delay} after its point arrived: backfilled");
            self.record(EntryKind::Backfilled, text);
        }
        self.incident.last_sequence = event.sequence;
        match event.kind {
            AlertKind::Firing => self.fires(event, EntryKind::Firing, Purpose::Firing, late),
            AlertKind::Reopened => self.fires(event, EntryKind::Reopened, Purpose::Reopened, late),
            AlertKind::Raised => self.raised(event, late),
            // Lower than what is missing, and yet higher than what was told.
            AlertKind::Lowered if event.priority > Some(self.incident.priority) => {
                self.raised(event, late);
            }
            AlertKind::Lowered if self.incident.pinned => self.lowered_by_itself(event),
            AlertKind::Lowered => self.lowered(event, late),
            AlertKind::Resolved => self.over(event, EntryKind::Resolved, Purpose::Resolved),
            AlertKind::Expired => self.over(event, EntryKind::Expired, Purpose::Expired),
            AlertKind::Flapping | AlertKind::Held | AlertKind::Inhibited => {
                let text = format!(
                    "held back by the evaluator ({}): {}",
                    word(event),
                    event.why
                );
                self.record(EntryKind::Held, text);
            }
        }
    }

    /// Whether the event is to be applied. One that is not is recorded.
    fn is_next(&mut self, event: &AlertEvent, seen: Seen) -> bool {
        let (sequence, last) = (event.sequence, self.incident.last_sequence);
        match seen {
            Seen::Never => {}
            // Restarts of the evaluator repeat events in numbers; the first repeat tells it all.
            Seen::Times(2) => {
                let text = format!("event {sequence} ({}) came again: no-op", word(event));
                self.record(EntryKind::Duplicate, text);
                return false;
            }
            Seen::Times(_) => return false,
            Seen::Otherwise => {
                let text = format!("event {sequence} came again with another content: ignored");
                self.record(EntryKind::Duplicate, text.clone());
                self.alarm(AlarmKind::EventDiffers, text);
                return false;
            }
        }
        if sequence <= last {
            let text = format!(
                "event {sequence} ({}) came after event {last}: recorded, changes nothing",
                word(event)
            );
            self.record(EntryKind::OutOfOrder, text);
            return false;
        }
        if sequence > last + 1 {
            let text = format!("events {} to {} are missing", last + 1, sequence - 1);
            self.record(EntryKind::Gap, text.clone());
            self.alarm(AlarmKind::SequenceGap, text);
        }
        true
    }

    fn fires(&mut self, event: &AlertEvent, kind: EntryKind, purpose: Purpose, late: bool) {
        let before = self.incident.priority;
        self.take_facts(event);
        self.record(kind, said(event));
        // Open already when its recovery is among missing events: then only news is told.
        let already_open = self.incident.status == Status::Open
            && self.has_future()
            && self.incident.priority <= before;
        self.incident.firing = true;
        self.incident.until_resolved = false;
        if !already_open {
            self.open(purpose, late);
        }
    }

    fn raised(&mut self, event: &AlertEvent, late: bool) {
        let before = self.incident.priority;
        let unseen = self.is_unseen();
        self.take_facts(event);
        self.record(EntryKind::Raised, format!("{before} to {}", said(event)));
        self.incident.firing = true;
        match self.incident.status {
            Status::Acknowledged => {
                let text = format!("the acknowledgement was of a {before}: asked again");
                self.record(EntryKind::AckRanOut, text);
            }
            Status::Closed if !unseen => {
                let text = "reopened: it was closed at a lower priority";
                self.record(EntryKind::Reopened, text);
            }
            Status::Open | Status::Closed => {}
        }
        let purpose = if unseen {
            Purpose::Firing
        } else {
            Purpose::Raised
        };
        self.open(purpose, late);
    }

    fn lowered(&mut self, event: &AlertEvent, late: bool) {
        let before = self.incident.priority;
        let over = self.incident.status == Status::Closed && !self.incident.firing;
        let purpose = if self.is_unseen() {
            Purpose::Firing
        } else {
            Purpose::Reopened
        };
        self.take_facts(event);
        self.record(
            EntryKind::Lowered,
            format!("{before} to {}; nobody is told", said(event)),
        );
        self.incident.firing = true;
        if over {
            // Its firing is among the missing events: better told late than never.
            self.open(purpose, late);
        } else {
            self.lower_pace();
        }
    }

    /// A person set the priority: it does not go down by itself.
    fn lowered_by_itself(&mut self, event: &AlertEvent) {
        let set = self.incident.priority;
        self.take_facts(event);
        self.incident.priority = set;
        let text = format!("{}; it stays a {set}, as a person set it", said(event));
        self.record(EntryKind::Lowered, text);
        self.incident.firing = true;
    }

    /// The condition is over: the incident closes by itself, and who was told hears of it.
    fn over(&mut self, event: &AlertEvent, kind: EntryKind, purpose: Purpose) {
        self.incident.value = event.value;
        let was_closed = self.incident.status == Status::Closed;
        self.incident.firing = false;
        self.incident.until_resolved = false;
        self.settle();
        if !was_closed {
            // Who was called for a P1 hears of the end of a P1, though it fell to P2 on its way.
            self.incident.priority = self.incident.peak;
        }
        if !was_closed || self.incident.closed.is_none() {
            self.incident.status = Status::Closed;
            self.incident.closed = Some((None, self.now));
        }
        let text = match (kind, was_closed) {
            (EntryKind::Expired, _) => "nothing was heard for too long: closed without a recovery",
            (_, true) => "the condition is over; it was closed already",
            (_, false) => "the condition is over: closed by itself",
        };
        self.record(kind, text);
        self.tell_the_end(purpose);
    }

    /// Opens the incident, or asks anew, and pages: at once, or when the evaluator caught up.
    pub(super) fn open(&mut self, purpose: Purpose, late: bool) {
        let incident = &mut *self.incident;
        // Who put it off, or away, did so before it was as it is now.
        incident.hold = None;
        incident.digest_at = None;
        if incident.status == Status::Closed {
            incident.assigned = None;
            incident.pinned = false;
        }
        incident.peak = match incident.status {
            Status::Closed => incident.priority,
            Status::Open | Status::Acknowledged => incident.peak.max(incident.priority),
        };
        if incident.status != Status::Open {
            incident.opened_at = self.now;
        }
        incident.status = Status::Open;
        incident.acknowledged = None;
        incident.closed = None;
        incident.until_resolved = false;
        incident.ack_runs_out_at = None;
        incident.reopens_at = None;
        if late {
            incident.escalation.opening = purpose;
            let latest = self.now.plus(self.life.backfill_waits);
            incident.catches_up_at = incident.catches_up_at.or(Some(latest));
        } else {
            incident.catches_up_at = None;
            self.begin_policy(purpose);
        }
    }

    pub(super) fn caught_up(&mut self, why: &str) {
        if self.incident.catches_up_at.take().is_none() {
            return;
        }
        let text = format!("{why} and it is still open: paged, with its true start");
        self.record(EntryKind::Backfilled, text);
        self.begin_policy(self.incident.escalation.opening);
    }

    /// No deadline is left.
    pub(super) fn settle(&mut self) {
        self.stop_escalation();
        self.incident.ack_runs_out_at = None;
        self.incident.reopens_at = None;
        self.incident.catches_up_at = None;
        self.incident.hold = None;
        self.incident.digest_at = None;
        self.incident.follow_ups.clear();
    }

    fn has_future(&self) -> bool {
        self.incident.due_at().is_some() || self.incident.escalation.paged
    }

    /// Nothing has opened it yet: its first events were held back, or are missing.
    fn is_unseen(&self) -> bool {
        self.incident.status == Status::Closed && self.incident.closed.is_none()
    }

    fn take_facts(&mut self, event: &AlertEvent) {
        self.incident.take_facts(event);
    }
}

impl Incident {
    /// Takes over what an event says of it.
    pub fn take_facts(&mut self, event: &AlertEvent) {
        let incident = self;
        incident.priority = event.priority.unwrap_or(incident.priority);
        incident.value = event.value;
        incident.threshold = event.threshold;
        incident.unit.clone_from(&event.unit);
        incident.env.clone_from(&event.env);
        incident.title.clone_from(&event.title);
        incident.title_ko.clone_from(&event.title_ko);
        incident.why.clone_from(&event.why);
        incident.runbook.clone_from(&event.runbook);
    }
}

fn word(event: &AlertEvent) -> &'static str {
    event.kind.as_str()
}

fn said(event: &AlertEvent) -> String {
    let priority = event.priority.map_or("-", Priority::as_str);
    format!("{priority}: {}. {}", event.title, event.why)
}
