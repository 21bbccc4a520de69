//! Channels: how a message reaches somebody. One implementation per provider, found by kind.

mod aligo;
mod guard;
mod hook;
mod inbox;
mod ncloud;
mod nhn;
mod opsgenie;
mod pagerduty;
mod phone;
mod sens;
mod sens_alimtalk;
mod slack;
mod smtp;
mod telegram;
pub(crate) mod twilio;
pub(crate) mod web;

pub use aligo::Aligo;
pub use guard::{Guard, Inside};
pub use hook::Hooks;
pub use inbox::Inbox;
pub use nhn::{NhnAlimtalk, NhnSms};
pub use opsgenie::Opsgenie;
pub use pagerduty::Pagerduty;
pub use sens::Sens;
pub use sens_alimtalk::SensAlimtalk;
pub use slack::Slack;
pub use smtp::Smtp;
pub use telegram::Telegram;
pub use twilio::{TwilioSms, TwilioVoice};
pub use web::ChannelError;

use crate::Config;
use crate::core::{Asked, ChannelKind, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::Timestamp;
use runtime::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// One way to reach people. Implementations hold no state that a restart may not lose.
#[async_trait]
pub trait Channel: Send + Sync {
    /// The provider's name for logs and the timeline: `slack`, `sens`, `inbox`.
    fn provider(&self) -> &'static str;

    /// Sends once. Cancelled when it takes longer than the sender allows; that counts as unknown, so an
    /// implementation with a shorter time-out of its own can say more.
    async fn send(&self, message: &Message) -> Outcome;

    /// Whether the provider has the delivery that may have been sent at or after `sent_after` to `address`.
    async fn ask(&self, delivery: &DeliveryId, address: &str, sent_after: Timestamp) -> Asked;

    /// What became of a message that the provider accepted as `reference`.
    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        Asked::CannotTell {
            reason: format!("{} gives no receipts for {}", self.provider(), reference.0),
        }
    }
}

/// The providers of one channel, the first choice first.
type Providers = Arc<[Arc<dyn Channel>]>;

/// The channels that are configured, each with its providers. A cheap handle; all clones see what
/// [`Channels::replace`] puts in force.
#[derive(Clone, Default)]
pub struct Channels(Arc<RwLock<BTreeMap<ChannelKind, Providers>>>);

/// The provider that has a delivery, among those of its channel.
#[derive(Clone)]
pub struct Choice {
    /// The provider.
    pub channel: Arc<dyn Channel>,
    /// Its place among them, from 0.
    pub index: u32,
    /// How many there are.
    pub providers: u32,
    all: Providers,
}

impl Choice {
    /// Whose turn is next when it fails, but for those with a bit in `refusals`; itself when there is
    /// no other.
    pub fn next(&self, refusals: u32) -> &'static str {
        let others = (1..self.providers).map(|step| (self.index + step) % self.providers);
        let open = |index: &u32| refusals & 1_u32.checked_shl(*index).unwrap_or(0) == 0;
        let next = others
            .filter(open)
            .find_map(|index| self.all.get(index as usize));
        next.unwrap_or(&self.channel).provider()
    }
}

impl Channels {
    /// The channels that the configuration names; the inbox takes the kinds without a provider, when it is on.
    pub fn configured(config: &Config, clock: &Clock) -> Result<Self, ChannelError> {
        let mut found = Vec::<(ChannelKind, Arc<dyn Channel>)>::new();
        if let Some(slack) = &config.slack {
            found.push((ChannelKind::Chat, Arc::new(Slack::new(slack)?)));
        }
        if let Some(sens) = &config.sens {
            found.push((ChannelKind::Sms, Arc::new(Sens::new(sens, clock.clone())?)));
        }
        if let Some(nhn) = &config.nhn_sms {
            found.push((ChannelKind::Sms, Arc::new(NhnSms::new(nhn)?)));
        }
        if let Some(sens) = &config.sens_alimtalk {
            let talk = SensAlimtalk::new(sens, clock.clone())?;
            found.push((ChannelKind::Alimtalk, Arc::new(talk)));
        }
        if let Some(nhn) = &config.nhn_alimtalk {
            found.push((ChannelKind::Alimtalk, Arc::new(NhnAlimtalk::new(nhn)?)));
        }
        if let Some(aligo) = &config.aligo {
            found.push((ChannelKind::Sms, Arc::new(Aligo::new(aligo)?)));
        }
        if let Some(twilio) = &config.twilio {
            let (sms, voice) = twilio::configured(twilio)?;
            if let Some(sms) = sms {
                found.push((ChannelKind::Sms, Arc::new(sms)));
            }
            if let Some(voice) = voice {
                found.push((ChannelKind::Voice, Arc::new(voice)));
            }
        }
        if let Some(smtp) = &config.smtp {
            found.push((ChannelKind::Email, Arc::new(Smtp::new(smtp)?)));
        }
        if let Some(telegram) = &config.telegram {
            found.push((ChannelKind::Telegram, Arc::new(Telegram::new(telegram)?)));
        }
        if !config.pagerduty.is_empty() {
            let services = Pagerduty::new(&config.pagerduty)?;
            found.push((ChannelKind::Pagerduty, Arc::new(services)));
        }
        if !config.opsgenie.is_empty() {
            let integrations = Opsgenie::new(&config.opsgenie)?;
            found.push((ChannelKind::Opsgenie, Arc::new(integrations)));
        }
        let guard = Guard::new(&config.outgoing_allow)?;
        if !config.webhooks.is_empty() {
            let hooks = Hooks::webhooks(&config.webhooks, guard.clone())?;
            found.push((ChannelKind::Webhook, Arc::new(hooks)));
        }
        if !config.teams.is_empty() {
            let hooks = Hooks::teams(&config.teams, guard)?;
            found.push((ChannelKind::Teams, Arc::new(hooks)));
        }
        let preferred = |channel: &Arc<dyn Channel>| {
            let mut names = config.prefer.iter();
            names
                .position(|name| name == channel.provider())
                .unwrap_or(usize::MAX)
        };
        // Stable: those that are not preferred keep their order.
        found.sort_by_key(|(_, channel)| preferred(channel));
        for name in &config.prefer {
            if !found.iter().any(|(_, channel)| channel.provider() == name) {
                return Err(ChannelError::Config {
                    channel: "prefer",
                    reason: format!("`{name}` is no provider that is configured"),
                });
            }
        }
        if config.inbox {
            for kind in ChannelKind::ALL {
                if !found.iter().any(|(have, _)| have == kind) {
                    found.push((*kind, Arc::new(Inbox)));
                }
            }
        }
        Ok(Self::new(found))
    }

    /// From providers; of the same kind, an earlier one is asked before a later one.
    pub fn new(channels: impl IntoIterator<Item = (ChannelKind, Arc<dyn Channel>)>) -> Self {
        let mut kinds = BTreeMap::<ChannelKind, Vec<Arc<dyn Channel>>>::new();
        for (kind, channel) in channels {
            kinds.entry(kind).or_default().push(channel);
        }
        let kinds = kinds.into_iter();
        let kinds = kinds.map(|(kind, providers)| (kind, providers.into()));
        Self(Arc::new(RwLock::new(kinds.collect())))
    }

    /// Puts the channels of `new` in force. What is under way is sent by the provider that it was given to; later
    /// questions about it go to the new one of the same name.
    pub fn replace(&self, new: &Self) {
        let new = new.kinds_now().clone();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn kinds_now(&self) -> RwLockReadGuard<'_, BTreeMap<ChannelKind, Providers>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider of that kind and name; the first one when none is named, or none has that name
    /// any more. None when the kind has no provider.
    pub fn choose(&self, kind: ChannelKind, name: Option<&str>) -> Option<Choice> {
        let providers = Arc::clone(self.kinds_now().get(&kind)?);
        let at = name
            .and_then(|name| providers.iter().position(|one| one.provider() == name))
            .unwrap_or(0);
        Some(Choice {
            channel: Arc::clone(providers.get(at)?),
            index: u32::try_from(at).unwrap_or(u32::MAX),
            providers: u32::try_from(providers.len()).unwrap_or(u32::MAX),
            all: providers,
        })
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> BTreeSet<ChannelKind> {
        self.kinds_now().keys().copied().collect()
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.kinds_now().iter().map(|(kind, providers)| {
                let names = providers.iter().map(|channel| channel.provider());
                (kind, names.collect::<Vec<_>>())
            }))
            .finish()
    }
}
