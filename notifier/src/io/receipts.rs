//! Looks for the receipts of messages that a provider accepted: what did not arrive escalates at
//! once.

use crate::core::{Asked, ChannelKind, ProviderRef, Receipt, after_receipt};
use crate::engine::Engine;
use crate::io::store::{Claimed, StoreError};
use futures_util::future::join_all;
use runtime::Shutdown;
use std::convert::Infallible;
use std::sync::Arc;

/// Receipts looked for at a time.
const BATCH: usize = 16;

/// Looks for the receipts of one channel until the order to stop.
pub async fn run(
    engine: Arc<Engine>,
    channel: ChannelKind,
    order: Shutdown,
) -> Result<(), Infallible> {
    loop {
        match look(&engine, channel).await {
            Ok(found) if found == BATCH && !order.has_begun() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, %channel, "receipts cannot be looked for"),
        }
        tokio::select! {
            () = tokio::time::sleep(engine.config.poll.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
    }
}

/// One batch; how large it was.
async fn look(engine: &Engine, channel: ChannelKind) -> Result<usize, StoreError> {
    let now = engine.now();
    let again_at = now.plus(engine.config.lease);
    let claimed = engine
        .store
        .claim_accepted(channel, BATCH, now, again_at)
        .await?;
    let looks = claimed
        .iter()
        .map(|(claimed, reference)| one(engine, claimed, reference));
    for done in join_all(looks).await {
        done?;
    }
    Ok(claimed.len())
}

async fn one(
    engine: &Engine,
    claimed: &Claimed,
    reference: &ProviderRef,
) -> Result<(), StoreError> {
    let asked = match super::sender::provider(engine, claimed) {
        None => Asked::CannotTell {
            reason: "its provider is not configured any more".to_owned(),
        },
        Some(channel) => {
            let within = engine.config.send_timeout;
            tokio::time::timeout(within.to_std(), channel.receipt(reference))
                .await
                .unwrap_or_else(|_| Asked::Retry {
                    reason: format!("no answer within {within}"),
                })
        }
    };
    match after_receipt(&claimed.attempt, asked, engine.now()) {
        Receipt::Known { fate, reason } => engine.report(claimed.id, fate, reason).await,
        Receipt::Look { at } => engine.store.look_again(claimed.id, Some(at)).await,
        Receipt::Never => engine.store.look_again(claimed.id, None).await,
    }
}
