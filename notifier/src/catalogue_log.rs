//! Takes over into the audit log who changed the catalogue, as its accounts tell it.
//!
//! Every replica does so; an entry has an id of its own, and is written once. A notifier that was away takes over what the catalogue still
//! holds, which is 30 days.

use crate::core::catalogue_log::{CatalogueEntry, entries, first_id, unaccounted};
use crate::engine::Engine;
use crate::io::store::{Note, StoreError};
use model::{Span, TenantId, Timestamp};
use runtime::Shutdown;
use schemas::catalogue::Catalogue;
use std::convert::Infallible;
use std::sync::Arc;

/// How often the catalogue is looked at.
const LOOKS_EVERY: Span = Span::from_secs(1);

/// Follows the catalogue, until the order to stop.
pub(crate) async fn run(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    let mut seen = 0;
    loop {
        if let Some(catalogue) = engine.people.catalogue()
            && catalogue.revision > seen
        {
            match take_over(&engine, &catalogue, seen).await {
                Ok(()) => seen = catalogue.revision,
                Err(error) => {
                    tracing::warn!(%error, "changes of the catalogue cannot be written to the audit log yet");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOKS_EVERY.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
    }
}

/// Writes what stands behind a revision and is not in the log.
async fn take_over(engine: &Engine, catalogue: &Catalogue, behind: u64) -> Result<(), StoreError> {
    let newer = catalogue.accounts.range((behind + 1, 0)..);
    for (_, account) in newer {
        let at = Timestamp::from_millis(account.at);
        if !engine.store.has_audit(&first_id(account)).await? {
            write(engine, &entries(account), at).await?;
        }
    }
    let told = (catalogue.revision, 0)..=(catalogue.revision, u32::MAX);
    if catalogue.accounts.range(told).next().is_none() {
        let entry = unaccounted(catalogue.revision);
        if !engine.store.has_audit(&entry.id).await? {
            tracing::warn!(
                revision = catalogue.revision,
                "the catalogue was changed without an account of who did it"
            );
            write(engine, &[entry], engine.now()).await?;
        }
    }
    Ok(())
}

/// All of them or none.
async fn write(
    engine: &Engine,
    entries: &[CatalogueEntry],
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = engine.store.begin().await?;
    for entry in entries {
        let tenant = entry.tenant.as_deref().map(TenantId::parse);
        let tenant = tenant.and_then(Result::ok);
        let note = Note {
            kind: entry.kind,
            actor: &entry.actor,
            via: &entry.via,
            tenant: tenant.as_ref(),
            subject: &entry.subject,
            detail: &entry.detail,
        };
        tx.audit_once(&entry.id, &note, at).await?;
    }
    tx.commit().await
}
