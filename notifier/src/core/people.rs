//! Whom a step of a policy reaches, and whom it cannot reach and why.

use super::directory::{Route, Step};
use super::duty::Moment;
use super::incident::Told;
use super::message::Recipient;
use super::own_rules::ways;
use super::words::{ChannelKind, Language};
use model::{Priority, Span};
use std::collections::BTreeSet;

/// What a person's own rules send after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Promised {
    /// The contact.
    pub(super) contact: String,
    /// What people call them.
    name: String,
    /// How, and so long after it.
    pub(super) later: Vec<(ChannelKind, Span)>,
}

/// Whom a step reaches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Messages of their own.
    pub(super) personal: Vec<Told>,
    /// The room, when the priority goes to chat.
    pub(super) room: Option<Recipient>,
    /// Who is called by name in the room.
    pub(super) mentions: Vec<Recipient>,
    /// What their own rules send later.
    pub(super) later: Vec<Promised>,
    /// How those were found whom the step does not name.
    pub(super) because: Vec<String>,
    /// Everybody who was told before is meant too.
    pub(super) all_before: bool,
    /// Why somebody is not reached.
    pub(super) missing: Vec<String>,
    /// The priority's only channel is the room.
    pub(super) room_suffices: bool,
}

impl Reach {
    /// Whether it reaches a person, and not only a room that may be empty at night.
    pub(super) fn reaches_somebody(&self) -> bool {
        !self.personal.is_empty()
            || (self.room.is_some() && (self.room_suffices || !self.mentions.is_empty()))
    }

    /// What own rules send later, for the timeline: `KIM by voice after 5m`.
    pub(super) fn promises(&self) -> impl Iterator<Item = String> {
        self.later.iter().flat_map(|promised| {
            let name = &promised.name;
            let later = promised.later.iter();
            later.map(move |(channel, after)| format!("{name} by {channel} after {after}"))
        })
    }
}

/// Whom `steps` reach for an incident of that priority. Each destination once.
pub(super) fn reach<'s>(
    route: Route<'_>,
    steps: impl IntoIterator<Item = &'s Step>,
    priority: Priority,
    moment: Moment<'_>,
) -> Reach {
    let Some(policy) = route.policy else {
        return Reach::default();
    };
    let mut found = Reach::default();
    let mut seen = BTreeSet::new();
    let mut all_channels = BTreeSet::new();
    for step in steps {
        let wanted = match step.channels.as_slice() {
            [] => policy.channels(priority),
            own => own,
        };
        let channels = configured(&mut found, route, wanted);
        if channels.contains(&ChannelKind::Chat) {
            found.room = policy.room.as_deref().map(room);
        }
        all_channels.extend(channels.iter().copied());
        found.room_suffices = found.room.is_some() && all_channels.len() == 1;
        let meant = route.directory.roster.meant(&step.notify, moment);
        found.all_before |= meant.all_before;
        found.because.extend(meant.because);
        found.missing.extend(meant.missing);
        for contact in meant.contacts {
            if seen.insert(contact.clone()) {
                let own = step.channels.is_empty().then_some(priority);
                person(&mut found, route, &contact, &channels, own);
            }
        }
    }
    found
}

/// Those of the channels that have a provider.
fn configured(
    found: &mut Reach,
    route: Route<'_>,
    wanted: &[ChannelKind],
) -> BTreeSet<ChannelKind> {
    let mut channels = BTreeSet::new();
    for channel in wanted {
        if route.directory.channels.contains(channel) {
            channels.insert(*channel);
        } else {
            let reason = format!("no provider of {channel} is configured");
            if !found.missing.contains(&reason) {
                found.missing.push(reason);
            }
        }
    }
    channels
}

/// `own` is the priority by which their own rules hold; none where the step itself names the channels.
fn person(
    found: &mut Reach,
    route: Route<'_>,
    contact: &str,
    channels: &BTreeSet<ChannelKind>,
    own: Option<Priority>,
) {
    let Some(person) = route.directory.people.get(contact) else {
        let reason = format!("contact `{contact}` is not in the catalogue");
        found.missing.push(reason);
        return;
    };
    let mut own_channels = channels.clone();
    if let Some(priority) = own {
        let ways = ways(route.directory, person, priority, channels);
        found.missing.extend(ways.missing);
        if !ways.later.is_empty() {
            found.later.push(Promised {
                contact: contact.to_owned(),
                name: person.name.clone(),
                later: ways.later,
            });
        }
        own_channels = ways.now;
        // Being called by name in the room is no message of its own.
        if found.room.is_some() && channels.contains(&ChannelKind::Chat) {
            own_channels.insert(ChannelKind::Chat);
        }
    }
    for channel in &own_channels {
        let recipient = person.recipient(contact, *channel);
        match (channel, recipient) {
            (ChannelKind::Chat, Some(recipient)) if found.room.is_some() => {
                found.mentions.push(recipient);
            }
            // The room is told in any case; who has no member id cannot be called there.
            (ChannelKind::Chat, None) if found.room.is_some() => {}
            (channel, Some(recipient)) => {
                let told = Told {
                    channel: *channel,
                    recipient,
                };
                let again = |have: &Told| {
                    have.channel == told.channel && have.recipient.address == told.recipient.address
                };
                if !found.personal.iter().any(again) {
                    found.personal.push(told);
                }
            }
            (channel, None) => {
                found
                    .missing
                    .push(format!("{} has no {}", person.name, address_of(*channel)))
            }
        }
    }
}

/// What a channel needs to know of a person.
const fn address_of(channel: ChannelKind) -> &'static str {
    match channel {
        ChannelKind::Chat => "member id in the chat",
        ChannelKind::Sms | ChannelKind::Voice | ChannelKind::Alimtalk => "phone number",
        ChannelKind::Email => "e-mail address",
        ChannelKind::Telegram => "chat with the bot of Telegram",
        ChannelKind::Webhook
        | ChannelKind::Teams
        | ChannelKind::Pagerduty
        | ChannelKind::Opsgenie => "room: `rooms` of the policy names those",
    }
}

/// A room as a recipient.
pub(super) fn room(id: &str) -> Recipient {
    Recipient {
        contact: None,
        name: id.to_owned(),
        language: Language::En,
        address: id.to_owned(),
    }
}
