//! Does what is due, looks for what would be forgotten, and tells subscribers what other replicas
//! changed.

use crate::commands::Changed;
use crate::core::{AlarmKind, Finding, Input, Turns, audit};
use crate::engine::{Effects, Engine};
use crate::io::store::StoreError;
use model::{IncidentId, Span, TenantId, Timestamp};
use runtime::Shutdown;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// Incidents handled in one transaction.
const BATCH: usize = 32;
/// Batches until it is looked again whose time has come meanwhile.
const BATCHES_A_LOOK: usize = 4;
/// Incidents that the auditor reads at a time.
const AUDIT_PAGE: u32 = 500;
/// Replicas' clocks and long transactions may put a change this far into the past.
const CHANGES_WINDOW: Span = Span::from_secs(5);
/// How often entries of the audit log are linked.
const LINKS_EVERY: Span = Span::from_secs(1);
/// How often other replicas' changes are looked for.
const CHANGES_EVERY: Span = Span::from_secs(1);
/// How often the store is tended.
const TENDS_EVERY: Span = Span::from_secs(3_600);
/// The auditor's name where the parts say how they are.
pub const AUDITOR: &str = "auditor";
/// Changes read at a time.
const CHANGES_PAGE: u32 = 2_000;

/// Does what is due, until the order to stop.
pub async fn run(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    let mut timers = Timers::default();
    loop {
        match timers.batch(&engine).await {
            Ok(_) if timers.has_more() && !order.has_begun() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what is due cannot be done yet"),
        }
        tokio::select! {
            () = engine.timers_woken() => {}
            () = order.begun() => return Ok(()),
        }
    }
}

/// Does what is due, a batch at a time, tenants in turn.
#[derive(Debug, Default)]
pub struct Timers {
    turns: Turns,
    /// Batches that may be done before it is looked again.
    looked_for: usize,
}

impl Timers {
    /// Whether more waits behind the last batch, as far as it was looked.
    pub fn has_more(&self) -> bool {
        !self.turns.is_empty()
    }

    /// One batch; how much there was. None when nothing is due, or other replicas have it.
    pub async fn batch(&mut self, engine: &Engine) -> Result<usize, StoreError> {
        if self.looked_for == 0 || self.turns.is_empty() {
            let due = match engine.store.has_due(engine.now()).await? {
                true => engine.store.due_lanes(engine.now()).await?,
                false => Vec::new(),
            };
            self.turns.see(&due);
            self.looked_for = BATCHES_A_LOOK;
        }
        if self.turns.is_empty() {
            return Ok(0);
        }
        self.looked_for -= 1;
        let mut tx = engine.store.begin().await?;
        let (mut effects, mut done) = (Effects::default(), 0);
        for (lane, count) in self.turns.next(BATCH) {
            let ids = tx.claim_due(&lane, engine.now(), count).await?;
            if ids.len() < count {
                self.turns.ran_out(&lane);
            }
            for id in &ids {
                engine
                    .decide_by_id(&mut tx, *id, Input::Due, &mut effects)
                    .await?;
            }
            done += ids.len();
        }
        tx.commit().await?;
        engine.tell(effects);
        Ok(done)
    }
}

/// Audits and counts, until the order to stop.
pub async fn run_auditor(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    loop {
        let well = match look(&engine).await {
            Ok(0) => Ok(()),
            Ok(found) => Err(format!("{found} P1 were without a future, or late")),
            Err(error) => {
                tracing::warn!(%error, "the auditor cannot look");
                Err(error.to_string())
            }
        };
        engine.pulse.says(AUDITOR, engine.now(), well);
        tokio::select! {
            () = tokio::time::sleep(engine.config.audit_every.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
    }
}

/// Tends the store, until the order to stop.
pub async fn run_keeper(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TENDS_EVERY.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
        if let Err(error) = engine.store.tend().await {
            tracing::warn!(%error, "the store cannot be tended");
        }
    }
}

/// One look at every P1 that is not closed; with how many something is wrong.
async fn look(engine: &Engine) -> Result<usize, StoreError> {
    engine.metrics.set_incidents(&engine.store.counts().await?);
    let oldest = engine.store.oldest_waiting().await?;
    let now = engine.now();
    engine
        .metrics
        .set_oldest_waiting(oldest.map(|at| now.since(at)));
    let (mut last, mut found) = (None, 0);
    loop {
        let part = engine.store.live_p1(last, AUDIT_PAGE).await?;
        for incident in &part {
            if let Some(finding) = audit(incident, now) {
                found += 1;
                act_on(engine, (&incident.tenant, incident.id), finding).await?;
            }
        }
        match part.last() {
            Some(incident) if part.len() == AUDIT_PAGE as usize => last = Some(incident.id),
            _ => return Ok(found),
        }
    }
}

/// A P1 without a future pages everyone; one whose time has passed is done here and now.
async fn act_on(
    engine: &Engine,
    (tenant, id): (&TenantId, IncidentId),
    finding: Finding,
) -> Result<(), StoreError> {
    let input = match finding {
        Finding::Orphaned => Input::Orphaned,
        Finding::Overdue(by) => {
            let text = format!("a P1 is overdue by {by}: the engine's timers are stuck");
            engine.alarm(Some((tenant, id)), AlarmKind::Overdue, text);
            Input::Due
        }
    };
    let mut tx = engine.store.begin().await?;
    let mut effects = Effects::default();
    engine
        .decide_by_id(&mut tx, id, input, &mut effects)
        .await?;
    tx.commit().await?;
    engine.tell(effects);
    Ok(())
}

/// Links entries of the audit log, until the order to stop; then those that are left.
pub async fn run_linker(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    loop {
        let ends = tokio::select! {
            () = tokio::time::sleep(LINKS_EVERY.to_std()) => false,
            () = order.begun() => true,
        };
        loop {
            match engine.store.link_audit().await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "entries of the audit log cannot be linked yet");
                    break;
                }
            }
        }
        if ends {
            return Ok(());
        }
    }
}

/// Tells subscribers what other replicas changed, until the order to stop.
pub async fn run_watcher(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    let mut known = BTreeMap::<IncidentId, (u64, Timestamp)>::new();
    let mut since = engine.now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHANGES_EVERY.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
        match engine.store.changed_since(since, CHANGES_PAGE).await {
            Ok(changes) => {
                let newest = changes.last().map(|(_, at)| *at);
                for (changed, at) in changes {
                    pass_on(&engine, &mut known, changed, at);
                }
                if let Some(newest) = newest {
                    since = since.max(newest.minus(CHANGES_WINDOW));
                }
                known.retain(|_, (_, at)| *at >= since);
            }
            Err(error) => tracing::warn!(%error, "other replicas' changes cannot be read"),
        }
    }
}

fn pass_on(
    engine: &Engine,
    known: &mut BTreeMap<IncidentId, (u64, Timestamp)>,
    changed: Changed,
    at: Timestamp,
) {
    let before = known.insert(changed.incident, (changed.revision, at));
    if before.is_none_or(|(revision, _)| revision < changed.revision) {
        // Nobody may be listening.
        drop(engine.changes.send(changed));
    }
}
