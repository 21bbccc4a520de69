//! Looks for the receipts of messages that a provider accepted: what did not arrive escalates at
//! once.

use crate::core::{Asked, ChannelKind, Fate, ProviderRef, Receipt, after_receipt};
use crate::engine::{Effects, Engine};
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

/// Takes a page for lost: whoever is next hears of the incident. Its receipt may still come.
async fn overdue(engine: &Engine, claimed: &Claimed, reason: String) -> Result<(), StoreError> {
    let look_at = engine.now().plus(engine.config.lease);
    let mut effects = Effects::default();
    let mut tx = engine.store.begin().await?;
    // First the incident, then the delivery: the order of all transactions.
    if tx.lock(claimed.incident).await?.is_none() {
        return Ok(());
    }
    if tx.mark_overdue(claimed.id, look_at).await? {
        engine
            .undelivered(&mut tx, claimed, Fate::Unknown, reason, &mut effects)
            .await?;
    }
    tx.commit().await?;
    engine.tell(effects);
    Ok(())
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
        Receipt::Overdue { reason } => overdue(engine, claimed, reason).await,
        Receipt::Never => engine.store.look_again(claimed.id, None).await,
    }
}
