//! Asks providers what became of the messages that they accepted, so that what never reached a
//! phone advances the escalation at once.

use crate::commands::DeliveryRecord;
use crate::core::{Asked, Fate};
use crate::engine::Engine;
use crate::io::store::StoreError;
use model::Span;
use runtime::Shutdown;
use std::convert::Infallible;
use std::sync::Arc;

/// How often the store is read.
const EVERY: Span = Span::from_secs(5);
/// A message is asked for so long after it was accepted, then after twice that, and so on.
const FIRST: Span = Span::from_secs(5);
/// For so long after it was decided.
const WINDOW: Span = Span::from_secs(3_600);
/// Messages asked for at a time.
const BATCH: u32 = 200;

/// Asks until the order to stop. Replicas may ask twice; a fate never goes back.
pub async fn run(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
        if let Err(error) = look(&engine, &order).await {
            tracing::warn!(%error, "receipts cannot be asked for");
        }
    }
}

async fn look(engine: &Engine, order: &Shutdown) -> Result<(), StoreError> {
    let now = engine.now();
    let accepted = engine
        .store
        .accepted_since(now.minus(WINDOW), BATCH)
        .await?;
    let due = accepted
        .iter()
        .filter(|delivery| is_time(now.since(delivery.updated_at)));
    for delivery in due {
        if order.has_begun() {
            break;
        }
        ask(engine, delivery).await?;
    }
    Ok(())
}

async fn ask(engine: &Engine, delivery: &DeliveryRecord) -> Result<(), StoreError> {
    let channel = engine.channels.get(delivery.channel);
    let (Some(channel), Some(reference)) = (channel, &delivery.reference) else {
        return Ok(());
    };
    let (fate, reason) = match channel.receipt(reference).await {
        Asked::Delivered { .. } => (Fate::Delivered, None),
        Asked::Refused { reason } => (Fate::Failed, Some(reason)),
        Asked::Accepted { .. } | Asked::NeverSent | Asked::CannotTell { .. } => return Ok(()),
        Asked::Retry { reason } => {
            tracing::debug!(delivery = %delivery.id, reason, "the provider gave no receipt");
            return Ok(());
        }
    };
    engine.report(delivery.id, fate, reason).await
}

/// Whether one of the times to ask came up since the last look.
fn is_time(age: Span) -> bool {
    let mut at = FIRST;
    while at <= age {
        if age.as_nanos() < at.plus(EVERY).as_nanos() {
            return true;
        }
        at = at.times(2);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_are_asked_for_often_at_first_and_then_rarely() {
        let asked: Vec<i64> = (0..=720)
            .map(|look| look * 5)
            .filter(|seconds| is_time(Span::from_secs(*seconds)))
            .collect();
        assert_eq!(asked, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560]);
        assert!(is_time(Span::from_millis(9_999)), "between two looks, too");
        assert!(!is_time(Span::from_secs(-60)), "clocks of replicas differ");
    }
}
