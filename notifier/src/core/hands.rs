//! What people do to an incident beside taking and closing it: give it away, judge it anew.

use super::action::EntryKind;
use super::incident::{Escalation, Target};
use super::message::Purpose;
use super::step::Turn;
use super::words::{Actor, Status, Via};
use model::Priority;

impl Turn<'_> {
    /// Gives the incident to a contact. They are paged, and have the priority's time to acknowledge;
    /// then the escalation goes on where it stood.
    pub(super) fn assign(&mut self, actor: Actor, via: Via, to: &str) {
        let name = match self.route.directory.people.get(to) {
            Some(person) => person.name.clone(),
            None => to.to_owned(),
        };
        let owner = Actor {
            name: name.clone(),
            contact: Some(to.to_owned()),
        };
        let takes_it = actor.contact.as_deref() == Some(to);
        self.incident.hold = None;
        self.incident.assigned = Some(owner.clone());
        let by = actor.name.clone();
        self.record_by(
            EntryKind::Assigned,
            actor,
            via,
            format!("given to {name} by {by}"),
        );
        if takes_it {
            self.acknowledge(owner, via);
            return;
        }
        self.incident.status = Status::Open;
        self.incident.acknowledged = None;
        self.incident.ack_runs_out_at = None;
        self.incident.catches_up_at = None;
        let asked = self.page_person(Purpose::Assigned, to, Some(by));
        if !asked {
            let text = format!("{name} cannot be reached: escalation goes on at once");
            self.record(EntryKind::Skipped, text);
        }
        self.go_on_after(asked);
    }

    /// The escalation goes on where it stood: after the time to acknowledge when somebody was asked.
    pub(super) fn go_on_after(&mut self, asked: bool) {
        let within = self.route.within(self.incident.priority);
        let wait = within.filter(|_| asked).unwrap_or(model::Span::ZERO);
        let stays = asked && within.is_none();
        let escalation = &mut self.incident.escalation;
        let rest = if escalation.paged {
            Target::Everyone
        } else {
            Target::Step(0)
        };
        escalation.target = escalation.target.or(Some(rest));
        escalation.step_revision = None;
        // A P3 does not escalate: who was asked has it.
        escalation.at = (!stays).then(|| self.now.plus(wait));
        if asked {
            // What cannot be delivered to the one who was asked moves the escalation on.
            escalation.step_revision = Some(self.incident.revision);
        }
        self.run_policy();
    }

    /// A person judges the incident anew. Higher asks anew; lower tells nobody.
    pub(super) fn set_priority(&mut self, actor: Actor, via: Via, priority: Priority) {
        let before = self.incident.priority;
        let text = format!("{before} to {priority} by {}", actor.name);
        self.incident.priority = priority;
        self.incident.pinned = true;
        if priority > before {
            self.record_by(EntryKind::Raised, actor, via, text);
            self.open(Purpose::Raised, false);
            return;
        }
        self.record_by(
            EntryKind::Lowered,
            actor,
            via,
            format!("{text}; nobody is told"),
        );
        self.lower_pace();
    }

    /// What a lower priority means to deadlines: a P3 does not escalate, and its acknowledgement
    /// holds.
    pub(super) fn lower_pace(&mut self) {
        if self.incident.priority == Priority::P3 {
            self.incident.ack_runs_out_at = None;
            self.incident.follow_ups.clear();
            // A first page that still waits is not cancelled by going down.
            if self.incident.escalation.paged {
                self.incident.escalation = Escalation {
                    opening: self.incident.escalation.opening,
                    ..Escalation::idle()
                };
            }
        }
    }
}
