//! Channels: how a message reaches somebody. One implementation per provider, found by kind.

mod inbox;
mod sens;
mod slack;
mod web;

pub use inbox::Inbox;
pub use sens::Sens;
pub use slack::Slack;
pub use web::ChannelError;

use crate::Config;
use crate::core::{Asked, ChannelKind, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::Timestamp;
use runtime::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// The channels that are configured. A cheap handle.
#[derive(Clone, Default)]
pub struct Channels(Arc<BTreeMap<ChannelKind, Arc<dyn Channel>>>);

impl Channels {
    /// The channels that the configuration names; the inbox takes the kinds without a provider, when it is on.
    pub fn configured(config: &Config, clock: &Clock) -> Result<Self, ChannelError> {
        let mut channels = BTreeMap::<ChannelKind, Arc<dyn Channel>>::new();
        if config.inbox {
            for kind in ChannelKind::ALL {
                channels.insert(*kind, Arc::new(Inbox));
            }
        }
        if let Some(slack) = &config.slack {
            channels.insert(ChannelKind::Chat, Arc::new(Slack::new(slack)?));
        }
        if let Some(sens) = &config.sens {
            channels.insert(ChannelKind::Sms, Arc::new(Sens::new(sens, clock.clone())?));
        }
        Ok(Self(Arc::new(channels)))
    }

    /// From one implementation per kind; a later one of the same kind replaces the earlier.
    pub fn new(channels: impl IntoIterator<Item = (ChannelKind, Arc<dyn Channel>)>) -> Self {
        Self(Arc::new(channels.into_iter().collect()))
    }

    /// The channel of that kind.
    pub fn get(&self, kind: ChannelKind) -> Option<&Arc<dyn Channel>> {
        self.0.get(&kind)
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> impl Iterator<Item = ChannelKind> + '_ {
        self.0.keys().copied()
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.0
                    .iter()
                    .map(|(kind, channel)| (kind, channel.provider())),
            )
            .finish()
    }
}
