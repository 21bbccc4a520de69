//! Break-glass: pages to the contacts of a local file, past the store, while the store does not take a P1.

use super::channel::{ChannelError, Channels};
use crate::config;
use crate::core::{Alarm, AlarmKind, Because, ChannelKind, Message, Outcome, Person, page};
use crate::metrics::Metrics;
use futures_util::future::join_all;
use model::AlertEvent;
use runtime::{OnEnd, Shutdown, Tasks};
use schemas::catalogue::{Entry, parse_yaml};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How people are reached; rooms may be empty at night.
const PERSONAL: [ChannelKind; 6] = [
    ChannelKind::Voice,
    ChannelKind::Sms,
    ChannelKind::Alimtalk,
    ChannelKind::Chat,
    ChannelKind::Telegram,
    ChannelKind::Email,
];
/// Messages on their way at once.
const AT_ONCE: usize = 8;
/// Attempts of one message.
const ATTEMPTS: u32 = 8;
const WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Who is told, and how. A cheap handle.
#[derive(Clone)]
pub struct BreakGlass {
    people: Arc<Vec<(String, Person)>>,
    channels: Channels,
    metrics: Metrics,
    url: Arc<str>,
    turns: Arc<Semaphore>,
    tasks: Tasks,
}

impl BreakGlass {
    /// Reads the contacts where there is a file of them.
    pub fn new(
        config: &config::Config,
        channels: Channels,
        metrics: Metrics,
        tasks: Tasks,
    ) -> Result<Self, ChannelError> {
        let people = match &config.break_glass {
            Some(glass) => contacts(&glass.contacts_file, &channels)?,
            None => Vec::new(),
        };
        Ok(Self {
            people: Arc::new(people),
            channels,
            metrics,
            url: config.public_url.trim_end_matches('/').into(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            tasks,
        })
    }

    /// Tells all contacts of a P1 by all their channels, beside whatever else goes on.
    pub fn tell(&self, event: &AlertEvent, because: Because) {
        let text = match self.people.is_empty() {
            true => "and no `break_glass.contacts_file` names anybody to tell past the store",
            false => "the break-glass contacts are told",
        };
        let why = because.as_str();
        let text = format!("{} of {}: {why}; {text}", event.title, event.tenant);
        self.alarm(event, text);
        let mut pages = Vec::new();
        for (contact, person) in self.people.iter() {
            for channel in usable(person, &self.channels) {
                let of = (contact.as_str(), person);
                let page = page(event, of, channel, because, &self.url);
                pages.extend(page.map(|page| (channel, page)));
            }
        }
        let (glass, event) = (self.clone(), event.clone());
        let order = self.tasks.shutdown().clone();
        let told = async move {
            let sends = pages
                .into_iter()
                .map(|(channel, page)| glass.send(channel, page, &order));
            let reached = join_all(sends)
                .await
                .into_iter()
                .filter(|sent| *sent)
                .count();
            if reached == 0 && !glass.people.is_empty() {
                let text = format!("{}: no break-glass contact could be told", event.title);
                glass.alarm(&event, text);
            }
            Ok::<(), Infallible>(())
        };
        self.tasks.spawn("notifier break-glass", OnEnd::Fine, told);
    }

    fn alarm(&self, event: &AlertEvent, text: String) {
        let kind = AlarmKind::BreakGlass;
        let of = Some((&event.tenant, event.incident_id));
        self.metrics.alarm(of, &Alarm { kind, text });
    }

    /// Sends one page, by one provider after the other. Whether one took it.
    async fn send(&self, channel: ChannelKind, mut page: Message, order: &Shutdown) -> bool {
        let (mut provider, mut pause) = (None, FIRST_PAUSE);
        for attempt in 1..=ATTEMPTS {
            let Some(choice) = self.channels.choose(channel, provider) else {
                return false;
            };
            let outcome = {
                let _turn = self.turns.acquire().await;
                let sent = tokio::time::timeout(WITHIN, choice.channel.send(&page)).await;
                sent.unwrap_or_else(|_| Outcome::Unknown {
                    reason: format!("no answer within {} s", WITHIN.as_secs()),
                })
            };
            let to = &page.recipient.name;
            let reason = match outcome {
                Outcome::Accepted { .. } | Outcome::Delivered { .. } => {
                    self.metrics.notified(channel, "break_glass");
                    tracing::warn!(%channel, to, provider = choice.channel.provider(), "break-glass page sent");
                    return true;
                }
                Outcome::Refused { reason } | Outcome::Retry { reason, .. } => reason,
                Outcome::Unknown { reason } => {
                    page.possible_repeat = true;
                    reason
                }
            };
            self.metrics.notified(channel, "break_glass_failed");
            tracing::error!(%channel, to, attempt, reason, "break-glass page not sent");
            provider = Some(choice.next(0));
            if attempt % choice.providers == 0 {
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                    () = order.begun() => return false,
                }
            }
        }
        false
    }
}

/// The channels by which a person can be reached here.
fn usable<'a>(
    person: &'a Person,
    channels: &'a Channels,
) -> impl Iterator<Item = ChannelKind> + 'a {
    PERSONAL
        .into_iter()
        .filter(|kind| person.address(*kind).is_some() && channels.choose(*kind, None).is_some())
}

/// The contacts of a file; each must be reachable.
fn contacts(path: &Path, channels: &Channels) -> Result<Vec<(String, Person)>, ChannelError> {
    let refuse = |reason: String| ChannelError::Config {
        channel: "break_glass",
        reason: format!("{}: {reason}", path.display()),
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let name = path.display().to_string();
    let entries = parse_yaml(&name, &text).map_err(|errors| {
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        refuse(said.join("; "))
    })?;
    let mut people = Vec::new();
    for entry in entries {
        let Entry::Contact(contact) = &entry.value else {
            return Err(refuse(format!(
                "line {}: only contacts stand here",
                entry.line
            )));
        };
        let person = Person::from(&**contact);
        if usable(&person, channels).next().is_none() {
            let reason = "has no address on any channel that has a provider";
            return Err(refuse(format!("contact `{}` {reason}", contact.contact)));
        }
        people.push((contact.contact.clone(), person));
    }
    if people.is_empty() {
        return Err(refuse("no contact stands in it".to_owned()));
    }
    Ok(people)
}
