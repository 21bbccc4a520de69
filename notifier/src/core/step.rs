//! The one entrance: what an input does to an incident.

use super::action::{Action, Alarm, AlarmKind, Delivery, Entry, EntryKind};
use super::directory::Route;
use super::hold::{HoldKind, whole_seconds};
use super::incident::{Incident, Told};
use super::message::{DeliveryId, Purpose, Recipient};
use super::words::{Actor, ChannelKind, Status, Via};
use model::{AlertEvent, IncidentId, Priority, Span, Timestamp};

/// Times of the incidents' life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Closed by hand while it still fires, an incident reopens after this.
    pub reopen_after: Span,
    /// How long an acknowledgement of a P1 holds.
    pub ack_holds_p1: Span,
    /// How long an acknowledgement of a P2 holds.
    pub ack_holds_p2: Span,
    /// A P1 whose policy ran out is told to everyone again after this.
    pub ran_out_again: Span,
    /// After this delay of an event the evaluator was catching up, and it pages only when it has.
    pub backfilled_after: Span,
    /// A late event pages at the latest after this.
    pub backfill_waits: Span,
    /// A page that reached nobody is tried again after this.
    pub nobody_again: Span,
    /// A host's silence waits so long for the word that its whole tenant is silent.
    pub host_down_waits: Span,
}

/// Whether the store has the event already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No.
    Never,
    /// Yes, byte for byte, and so many times now.
    Times(u64),
    /// Its id, with another content.
    Otherwise,
}

/// What can happen to an incident.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// An event of the evaluator.
    Alert {
        /// The event.
        event: &'a AlertEvent,
        /// When the log took it.
        appended_at: Timestamp,
        /// Whether it was seen before.
        seen: Seen,
    },
    /// Its partition is evaluated up to the present.
    CaughtUp,
    /// The time has come to look at the incident.
    Due,
    /// A person takes it.
    Acknowledge {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
    },
    /// A person closes it.
    Close {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
        /// It does not reopen before its condition was over.
        until_resolved: bool,
    },
    /// A person says something.
    Comment {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
        /// What.
        text: String,
    },
    /// A person gives it to somebody.
    Assign {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
        /// The contact who has it from now on.
        to: String,
    },
    /// A person puts it off.
    Snooze {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
        /// Until then; it pages again.
        until: Timestamp,
    },
    /// A person says that it is the same as another of its tenant.
    Merge {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
        /// Into which; it is among those around.
        into: IncidentId,
    },
    /// A person judges it anew.
    SetPriority {
        /// Who.
        actor: Actor,
        /// How.
        via: Via,
        /// As what.
        priority: Priority,
    },
    /// A delivery will not be made.
    Undelivered {
        /// The revision that decided it.
        revision: u64,
        /// Why it was sent.
        purpose: Purpose,
        /// How.
        channel: ChannelKind,
        /// To whom.
        recipient: Recipient,
        /// Why it failed.
        reason: String,
        /// Another delivery of the same step may still reach, or has reached, a person.
        others_alive: bool,
        /// The same destination heard of the incident by another page.
        heard_before: bool,
    },
    /// The auditor found it open without a future.
    Orphaned,
}

/// The longest that an incident is put off.
pub const LONGEST_SNOOZE: Span = Span::from_secs(7 * 24 * 3600);
/// The shortest.
pub const SHORTEST_SNOOZE: Span = Span::from_secs(60);

/// Why a person's action changes nothing; none when it does.
pub fn refusal(
    incident: &Incident,
    input: &Input<'_>,
    route: Route<'_>,
    now: Timestamp,
) -> Option<String> {
    let merged = incident
        .hold
        .as_ref()
        .filter(|hold| hold.kind == HoldKind::Merged);
    match (input, incident.status) {
        (
            Input::Assign { .. }
            | Input::Snooze { .. }
            | Input::Merge { .. }
            | Input::SetPriority { .. },
            Status::Closed,
        ) => Some("it is closed".to_owned()),
        (Input::Acknowledge { .. } | Input::Snooze { .. } | Input::Merge { .. }, _)
            if let Some(hold) = merged =>
        {
            Some(format!("it is {hold}: act on that one"))
        }
        (Input::Assign { to, .. }, _) if !route.directory.people.contains_key(to) => {
            Some(format!("contact `{to}` is not in the catalogue"))
        }
        (Input::Snooze { until, .. }, _) => {
            let span = whole_seconds(until.since(now));
            (span < SHORTEST_SNOOZE || span > LONGEST_SNOOZE)
                .then(|| "an incident is put off for 1 minute up to 7 days".to_owned())
        }
        (Input::SetPriority { priority, .. }, _) if *priority == incident.priority => {
            Some(format!("it is a {priority} already"))
        }
        (Input::Merge { into, .. }, _) => merge_refusal(incident, *into, route),
        (Input::Acknowledge { .. }, Status::Acknowledged) => Some(format!(
            "{} has it already",
            incident
                .acknowledged
                .as_ref()
                .map_or("somebody", |(actor, _)| &actor.name)
        )),
        (Input::Acknowledge { .. }, Status::Closed) => Some("it is closed".to_owned()),
        (Input::Close { until_resolved, .. }, Status::Closed) => {
            let stays = *until_resolved && incident.firing && !incident.until_resolved;
            (!stays).then(|| "it is closed already".to_owned())
        }
        _ => None,
    }
}

fn merge_refusal(incident: &Incident, into: IncidentId, route: Route<'_>) -> Option<String> {
    if into == incident.id {
        return Some("it cannot be merged into itself".to_owned());
    }
    let mut others = route.around.others.iter();
    let Some(other) = others.find(|other| other.id == into) else {
        return Some(format!(
            "{into} is no incident of this tenant that is not closed"
        ));
    };
    if !other.speaks {
        return Some(format!(
            "{into} is held back itself: merge into one that pages"
        ));
    }
    let (mine, theirs) = (incident.priority, other.priority);
    (mine > theirs).then(|| {
        format!("a {mine} would be hidden behind a {theirs}: change the priority of {into} first")
    })
}

/// Applies `input` to the incident and says what is to be done. No action means that nothing
/// changed.
pub fn step(
    incident: &mut Incident,
    input: Input<'_>,
    route: Route<'_>,
    life: &Life,
    now: Timestamp,
) -> Vec<Action> {
    if refusal(incident, &input, route, now).is_some() {
        return Vec::new();
    }
    incident.revision += 1;
    let mut turn = Turn {
        incident,
        route,
        life,
        now,
        actions: Vec::new(),
    };
    match input {
        Input::Alert {
            event,
            appended_at,
            seen,
        } => turn.alert(event, appended_at, seen),
        Input::CaughtUp => turn.caught_up("the evaluator caught up"),
        Input::Due => turn.due(),
        Input::Acknowledge { actor, via } => turn.acknowledge(actor, via),
        Input::Close {
            actor,
            via,
            until_resolved,
        } => turn.close(actor, via, until_resolved),
        Input::Comment { actor, via, text } => turn.comment(actor, via, text),
        Input::Assign { actor, via, to } => turn.assign(actor, via, &to),
        Input::Snooze { actor, via, until } => turn.snooze(actor, via, until),
        Input::Merge { actor, via, into } => {
            let mut others = route.around.others.iter();
            let title = others.find(|other| other.id == into);
            let title = title.map(|other| other.title.clone()).unwrap_or_default();
            turn.merge(actor, via, into, &title);
        }
        Input::SetPriority {
            actor,
            via,
            priority,
        } => turn.set_priority(actor, via, priority),
        Input::Undelivered {
            revision,
            purpose,
            channel,
            recipient,
            reason,
            others_alive,
            heard_before,
        } => {
            let contact = recipient.contact.clone();
            let told = Told { channel, recipient };
            turn.undelivered(purpose, &told, &reason, heard_before);
            let goes_on = purpose.is_page() && turn.follow_up_at_once(contact.as_deref());
            if !others_alive {
                turn.nobody_of_step_reached(revision, goes_on);
            }
        }
        Input::Orphaned => turn.orphaned(),
    }
    let actions = turn.actions;
    if actions.is_empty() {
        incident.revision -= 1;
    }
    actions
}

/// One step under way.
pub(super) struct Turn<'a> {
    pub(super) incident: &'a mut Incident,
    pub(super) route: Route<'a>,
    pub(super) life: &'a Life,
    pub(super) now: Timestamp,
    pub(super) actions: Vec<Action>,
}

impl Turn<'_> {
    pub(super) fn record(&mut self, kind: EntryKind, text: impl Into<String>) {
        self.actions.push(Action::Record(Entry {
            kind,
            actor: None,
            text: text.into(),
        }));
    }

    /// Something of the state changed of which there is nothing to say.
    pub(super) fn keep(&mut self) {
        self.actions.push(Action::Keep);
    }

    pub(super) fn record_by(
        &mut self,
        kind: EntryKind,
        actor: Actor,
        via: Via,
        text: impl Into<String>,
    ) {
        self.actions.push(Action::Record(Entry {
            kind,
            actor: Some((actor, via)),
            text: text.into(),
        }));
    }

    pub(super) fn alarm(&mut self, kind: AlarmKind, text: impl Into<String>) {
        let text = text.into();
        self.actions.push(Action::Alarm(Alarm { kind, text }));
    }

    /// Puts one delivery into the outbox. The caller has recorded why.
    pub(super) fn send(
        &mut self,
        purpose: Purpose,
        to: Told,
        mentions: Vec<Recipient>,
        note: Option<String>,
    ) {
        let incident = &mut *self.incident;
        incident.deliveries += 1;
        self.actions.push(Action::Send(Box::new(Delivery {
            id: DeliveryId::of(
                incident.id,
                incident.revision,
                purpose,
                to.channel,
                &to.recipient.address,
            ),
            ordinal: incident.deliveries,
            revision: incident.revision,
            purpose,
            channel: to.channel,
            recipient: to.recipient.clone(),
            mentions,
            note,
            priority: incident.priority,
        })));
        if purpose.is_page() && !incident.is_told(to.channel, &to.recipient.address) {
            incident.told.push(to);
            incident.told.sort();
        }
    }

    /// How long an acknowledgement holds now; none for ever.
    pub(super) fn ack_holds(&self) -> Option<Span> {
        match self.incident.priority {
            Priority::P1 => Some(self.life.ack_holds_p1),
            Priority::P2 => Some(self.life.ack_holds_p2),
            Priority::P3 => None,
        }
    }
}

impl Default for Life {
    fn default() -> Self {
        Self {
            reopen_after: Span::from_secs(10 * 60),
            ack_holds_p1: Span::from_secs(60 * 60),
            ack_holds_p2: Span::from_secs(8 * 60 * 60),
            ran_out_again: Span::from_secs(60 * 60),
            backfilled_after: Span::from_secs(15 * 60),
            backfill_waits: Span::from_secs(5 * 60),
            nobody_again: Span::from_secs(60),
            host_down_waits: Span::from_secs(30),
        }
    }
}
