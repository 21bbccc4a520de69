//! Break-glass: which P1 of the log must be told past the store, because the store does not take them.

use super::directory::Person;
use super::incident::Incident;
use super::message::{DeliveryId, Message, Purpose};
use super::words::{ChannelKind, Status};
use model::{AlertEvent, AlertKind, EventId, Priority, Span, Timestamp};
use std::collections::BTreeMap;

/// P1 that wait at most; a flood beyond is told as one.
const MOST: usize = 2_000;
/// How long a P1 may stay out of a store that answers: whoever is to apply it is stuck.
const STUCK: Span = Span::from_secs(60);
/// How much longer one is waited for that another replica has to apply.
const OTHERS: Span = Span::from_secs(60);

/// A P1 of the log of which the store is not known to have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The event.
    pub event: AlertEvent,
    /// The partition of the alert topic that it stands in.
    pub source: u32,
    /// Since when it is known here.
    pub since: Timestamp,
}

/// What is known of the store when a P1 is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreSays {
    /// It has the event.
    HasIt,
    /// It answers, takes what it is given, and has it not.
    HasNot,
    /// It does not answer, or takes nothing.
    Nothing,
}

/// What is to be done with a P1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes its ordinary way.
    Ordinary,
    /// It is looked at again.
    Wait,
    /// The break-glass contacts are told.
    BreakGlass(Because),
}

/// Why the break-glass contacts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The store takes nothing.
    StoreIsGone,
    /// The store answers, and nobody gives the event to it.
    IntakeIsStuck,
}

/// The P1 of the log that are looked after.
#[derive(Debug, Default)]
pub struct Emergencies {
    waiting: BTreeMap<EventId, Waiting>,
    dropped: u64,
}

impl Emergencies {
    /// Takes an event that stands in partition `source` of the alert topic.
    pub fn take(&mut self, event: AlertEvent, source: u32, now: Timestamp) {
        match event.kind {
            AlertKind::Firing | AlertKind::Reopened | AlertKind::Raised
                if event.priority == Some(Priority::P1) =>
            {
                if self.waiting.len() >= MOST {
                    self.dropped += 1;
                    return;
                }
                let id = event.event_id;
                self.waiting.entry(id).or_insert(Waiting {
                    event,
                    source,
                    since: now,
                });
            }
            // It is over before anybody had to be told past the store.
            AlertKind::Resolved | AlertKind::Expired => self
                .waiting
                .retain(|_, waiting| waiting.event.incident_id != event.incident_id),
            _ => {}
        }
    }

    /// Whether none is looked after.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those that have waited so long that the store is to be asked, the oldest first.
    pub fn due(&self, after: Span, now: Timestamp) -> Vec<Waiting> {
        let due = self.waiting.values();
        let due = due.filter(|waiting| now.since(waiting.since) >= after);
        let mut due: Vec<Waiting> = due.cloned().collect();
        due.sort_by_key(|waiting| waiting.since);
        due
    }

    /// One has taken its way.
    pub fn done(&mut self, id: EventId) {
        self.waiting.remove(&id);
    }

    /// How many were too many to be kept, since this was asked last.
    pub fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// What becomes of a P1. `mine`: this replica is the one that has to apply it.
pub fn verdict(
    waiting: &Waiting,
    store: StoreSays,
    mine: bool,
    after: Span,
    now: Timestamp,
) -> Verdict {
    let waited = now.since(waiting.since);
    let more = if mine { Span::ZERO } else { OTHERS };
    match store {
        StoreSays::HasIt => Verdict::Ordinary,
        StoreSays::Nothing if waited >= after.plus(more) => {
            Verdict::BreakGlass(Because::StoreIsGone)
        }
        StoreSays::HasNot if waited >= after.plus(STUCK).plus(more) => {
            Verdict::BreakGlass(Because::IntakeIsStuck)
        }
        StoreSays::Nothing | StoreSays::HasNot => Verdict::Wait,
    }
}

/// The page of a P1 to one contact; none where the contact has no address on that channel. It is marked in its title,
/// which every channel shows.
pub fn page(
    event: &AlertEvent,
    (contact, person): (&str, &Person),
    channel: ChannelKind,
    because: Because,
    url: &str,
) -> Option<Message> {
    let recipient = person.recipient(contact, channel)?;
    let mut incident = Incident::unseen(event);
    (incident.status, incident.firing) = (Status::Open, true);
    incident.opened_at = event.at;
    incident.title = format!("[BREAK-GLASS] {}", incident.title);
    incident.title_ko = incident.title_ko.map(|title| format!("[비상] {title}"));
    incident.why = format!("{}; {}", incident.why, because.as_str());
    let incident_url = format!("{url}/incidents/{}", event.incident_id);
    // Its identity is apart from that of any delivery of the store, which may come after it.
    let revision = u64::MAX - event.sequence;
    let purpose = Purpose::Firing;
    Some(Message {
        delivery: DeliveryId::of(
            event.incident_id,
            revision,
            purpose,
            channel,
            &recipient.address,
        ),
        purpose,
        incident: incident.summary(),
        recipient,
        mentions: Vec::new(),
        thread: None,
        possible_repeat: false,
        note: None,
        ack_url: incident_url.clone(),
        incident_url,
    })
}

impl Because {
    /// A sentence for the message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StoreIsGone => {
                "the store of incidents does not take it: nobody can acknowledge, and it pages again when the store is back"
            }
            Self::IntakeIsStuck => {
                "it stands in the log and is not taken into the store of incidents: nobody can acknowledge"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{START, event};
    use super::*;

    const AFTER: Span = Span::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        START.plus(Span::from_secs(seconds))
    }

    fn fires(sequence: u64, kind: AlertKind, priority: Option<Priority>) -> Emergencies {
        let mut emergencies = Emergencies::default();
        emergencies.take(event(sequence, kind, priority), 0, START);
        emergencies
    }

    #[test]
    fn only_a_p1_that_asks_somebody_to_act_is_looked_after() {
        for (kind, priority, looked_after) in [
            (AlertKind::Firing, Some(Priority::P1), 1),
            (AlertKind::Reopened, Some(Priority::P1), 1),
            (AlertKind::Raised, Some(Priority::P1), 1),
            (AlertKind::Firing, Some(Priority::P2), 0),
            (AlertKind::Lowered, Some(Priority::P1), 0),
            (AlertKind::Resolved, None, 0),
        ] {
            let found = fires(1, kind, priority).due(AFTER, at(10));
            assert_eq!(found.len(), looked_after, "{kind:?} {priority:?}");
        }
    }

    #[test]
    fn what_is_over_meanwhile_is_told_to_nobody() {
        let mut emergencies = fires(1, AlertKind::Firing, Some(Priority::P1));
        assert!(!emergencies.is_empty());
        emergencies.take(event(2, AlertKind::Resolved, None), 0, at(5));
        assert_eq!(emergencies.due(AFTER, at(60)), []);
        assert!(emergencies.is_empty());
    }

    #[test]
    fn a_store_that_is_gone_for_ten_seconds_breaks_the_glass_and_one_that_has_it_never() {
        let waiting = &fires(1, AlertKind::Firing, Some(Priority::P1)).due(AFTER, at(10))[0];
        let says = |store, mine, seconds| super::verdict(waiting, store, mine, AFTER, at(seconds));
        let gone = Verdict::BreakGlass(Because::StoreIsGone);
        let stuck = Verdict::BreakGlass(Because::IntakeIsStuck);
        for (store, mine, seconds, verdict) in [
            (StoreSays::Nothing, true, 9, Verdict::Wait),
            (StoreSays::Nothing, true, 10, gone),
            // The replica that has to apply it tells; it may be gone as well.
            (StoreSays::Nothing, false, 10, Verdict::Wait),
            (StoreSays::Nothing, false, 70, gone),
            (StoreSays::HasIt, true, 900, Verdict::Ordinary),
            (StoreSays::HasNot, true, 69, Verdict::Wait),
            (StoreSays::HasNot, true, 70, stuck),
        ] {
            assert_eq!(
                says(store, mine, seconds),
                verdict,
                "{store:?} {mine} {seconds}"
            );
        }
    }

    #[test]
    fn the_same_event_is_looked_after_once_and_a_flood_is_counted() {
        let mut emergencies = fires(1, AlertKind::Firing, Some(Priority::P1));
        emergencies.take(event(1, AlertKind::Firing, Some(Priority::P1)), 0, at(3));
        assert_eq!(emergencies.due(AFTER, at(10)).len(), 1);
        for sequence in 2..=2_005 {
            let raised = event(sequence, AlertKind::Raised, Some(Priority::P1));
            emergencies.take(raised, 0, at(3));
        }
        assert_eq!((emergencies.dropped(), emergencies.dropped()), (5, 0));
        let first = emergencies.due(AFTER, at(10))[0].event.event_id;
        emergencies.done(first);
        let left = emergencies.due(AFTER, at(13));
        assert!(left.iter().all(|waiting| waiting.event.event_id != first));
        assert_eq!(left.len(), 1_999);
    }

    #[test]
    fn the_page_is_marked_in_the_title_and_says_why() {
        let event = event(1, AlertKind::Firing, Some(Priority::P1));
        let person = &super::super::world::directory().people["kim"];
        let because = Because::StoreIsGone;
        let page = page(
            &event,
            ("kim", person),
            ChannelKind::Sms,
            because,
            "http://b",
        );
        let page = page.expect("kim has a phone");
        assert_eq!(page.incident.title, "[BREAK-GLASS] CPU usage on web-1");
        for (because, words) in [
            (
                Because::StoreIsGone,
                "the store of incidents does not take it",
            ),
            (
                Because::IntakeIsStuck,
                "it stands in the log and is not taken into the store",
            ),
        ] {
            let page = super::page(
                &event,
                ("kim", person),
                ChannelKind::Sms,
                because,
                "http://b",
            );
            let why = page.expect("kim has a phone").incident.why;
            assert!(why.starts_with(&event.why) && why.contains(words), "{why}");
        }
        // Its identity is no delivery's of the store, and another for each event.
        let address = "+821011111111";
        let id = |revision| {
            let (incident, channel) = (event.incident_id, ChannelKind::Sms);
            DeliveryId::of(incident, revision, Purpose::Firing, channel, address)
        };
        assert_eq!(page.delivery, id(u64::MAX - 1));
        assert_eq!(page.incident.status, Status::Open);
        let email = super::page(
            &event,
            ("kim", person),
            ChannelKind::Email,
            because,
            "http://b",
        );
        assert!(email.is_none(), "kim has no e-mail address");
    }
}
