//! The built-in inbox, for channels without a provider: whatever is sent is there at once.
//!
//! It keeps nothing itself. What it shows at `/inbox` are the deliveries in the store, so that it
//! survives a restart and every replica shows the same.

use super::Channel;
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::Timestamp;

/// The inbox.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inbox;

#[async_trait]
impl Channel for Inbox {
    fn provider(&self) -> &'static str {
        "inbox"
    }

    async fn send(&self, message: &Message) -> Outcome {
        tracing::info!(
            incident_id = %message.incident.id,
            tenant = %message.incident.tenant,
            purpose = message.purpose.as_str(),
            to = message.recipient.name,
            "message shown in the built-in inbox"
        );
        Outcome::Delivered {
            reference: reference(&message.delivery),
        }
    }

    /// A delivery that was to go into the inbox is in it: it is the delivery that is shown.
    async fn ask(&self, delivery: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::Delivered {
            reference: reference(delivery),
        }
    }
}

fn reference(delivery: &DeliveryId) -> ProviderRef {
    ProviderRef(format!("inbox:{delivery}"))
}
