//! Takes other systems' reports over: committed in the store before anybody is told that they arrived.

use crate::commands::{CommandError, Commands};
use crate::core::{External, Facts, Input, Report, Says, Taken, Via, take};
use crate::engine::{Effects, Engine};
use crate::io::directory::Integrations;
use crate::io::store::{MOST_EXTERNAL, StoreError, Tx};
use model::{IncidentId, Priority, Span, StreamEvent, TenantId, Timestamp};
use runtime::Shutdown;
use schemas::catalogue::{Integration, IntegrationFormat};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

/// Reports in one transaction.
const BATCH: usize = 64;
/// Alerts looked at a time whose time has passed.
const DUE: i64 = 64;
/// The one alert of a heartbeat.
const HEARTBEAT: &str = "heartbeat";

/// Why reports were not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The tenant has too many alerts that fire.
    #[error("{MOST_EXTERNAL} alerts of this tenant fire at once: no more are taken")]
    TooMany,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Commands {
    /// Takes reports over; they are durable when this returns. The incident of each that has one.
    pub async fn report_alerts(
        &self,
        tenant: &TenantId,
        source: &str,
        reports: Vec<Report>,
    ) -> Result<Vec<Option<IncidentId>>, ReportError> {
        let engine = self.engine();
        let mut incidents = Vec::with_capacity(reports.len());
        for part in reports.chunks(BATCH) {
            let mut tx = engine.store.begin().await?;
            let mut effects = Effects::default();
            tx.lock_source(tenant, source).await?;
            let mut room = MOST_EXTERNAL - tx.external_firing(tenant).await?;
            for report in part {
                let known = tx.external(tenant, source, &report.key).await?;
                let opens = known.as_ref().is_none_or(|known| !known.firing)
                    && matches!(report.says, Says::Firing(_));
                room -= i64::from(opens);
                if room < 0 {
                    return Err(ReportError::TooMany);
                }
                let taken = take(known, tenant, source, report.clone(), engine.now());
                incidents.push(keep(engine, &mut tx, taken, &mut effects).await?);
            }
            tx.commit().await?;
            engine.tell(effects);
        }
        Ok(incidents)
    }

    /// A tenant's alerts that fire, as other systems reported them.
    pub async fn external_alerts(&self, tenant: &TenantId) -> Result<Vec<External>, CommandError> {
        Ok(self.engine().store.external_alerts(tenant).await?)
    }

    /// What other systems may send alerts with, now.
    pub fn integrations(&self) -> Arc<Integrations> {
        self.engine().people.integrations()
    }

    /// A sign of life of a heartbeat.
    pub async fn heartbeat(&self, integration: &Integration) -> Result<(), ReportError> {
        let beat = beat(integration, self.now());
        let name = &integration.integration;
        self.report_alerts(&integration.tenant, name, vec![beat])
            .await
            .map(drop)
    }
}

async fn keep(
    engine: &Engine,
    tx: &mut Tx,
    taken: Taken,
    effects: &mut Effects,
) -> Result<Option<IncidentId>, StoreError> {
    match taken {
        Taken::Ignored => Ok(None),
        Taken::Acknowledged(incident, actor) => {
            let via = Via::Api;
            let input = Input::Acknowledge { actor, via };
            engine.decide_by_id(tx, incident, input, effects).await?;
            Ok(Some(incident))
        }
        Taken::Kept(alert, event) => {
            tx.put_external(&alert).await?;
            if let Some(event) = event {
                let bytes = schemas::alert::encode(&StreamEvent::Alert(event.clone()));
                let now = engine.now();
                engine.take_event(tx, &event, &bytes, now, effects).await?;
                engine.metrics.event(event.kind.as_str());
            }
            Ok(Some(alert.incident))
        }
    }
}

/// A heartbeat's sign of life now.
fn beat(integration: &Integration, now: Timestamp) -> Report {
    let every = integration.every.unwrap_or(Span::from_secs(3_600));
    let name = &integration.integration;
    Report {
        key: HEARTBEAT.to_owned(),
        says: Says::Alive(now.plus(every)),
        starts_at: now,
        priority: Priority::P1,
        reopens: true,
        facts: Facts {
            name: HEARTBEAT.to_owned(),
            labels: vec![("integration".to_owned(), name.clone())],
            annotations: Vec::new(),
            title: format!("{name} gives no sign of life"),
            why: format!("a heartbeat must come every {every}, and none came"),
            runbook: None,
            generator: String::new(),
        },
    }
}

/// Ends what was not reported again and misses what gives no sign of life, until the order to stop.
pub async fn run(engine: Arc<Engine>, order: Shutdown) -> Result<(), Infallible> {
    let mut known = BTreeSet::new();
    loop {
        let commands = Commands::new(Arc::clone(&engine));
        match pass(&commands, &mut known).await {
            Ok(done) if done >= DUE as usize && !order.has_begun() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "reports that ran out cannot be looked at yet"),
        }
        tokio::select! {
            () = tokio::time::sleep(engine.config.poll.to_std()) => {}
            () = order.begun() => return Ok(()),
        }
    }
}

/// One look; how much had passed.
async fn pass(commands: &Commands, known: &mut BTreeSet<String>) -> Result<usize, ReportError> {
    let engine = commands.engine();
    let integrations = commands.integrations();
    let beats = |each: &&Arc<Integration>| each.format == IntegrationFormat::Heartbeat;
    for integration in integrations.all().filter(beats) {
        let name = &integration.integration;
        if known.contains(name) {
            continue;
        }
        // It is waited for from when it was declared, also when it never comes.
        let mut tx = engine.store.begin().await?;
        let first = tx.external(&integration.tenant, name, HEARTBEAT).await?;
        drop(tx);
        if first.is_none() {
            commands.heartbeat(integration).await?;
        }
        known.insert(name.clone());
    }
    let due = engine.store.external_due(engine.now(), DUE).await?;
    for alert in &due {
        let mut tx = engine.store.begin().await?;
        let mut effects = Effects::default();
        tx.lock_source(&alert.tenant, &alert.source).await?;
        let now = engine.now();
        let again = tx
            .external(&alert.tenant, &alert.source, &alert.key)
            .await?;
        let Some(again) = again.filter(|alert| alert.ends_at.is_some_and(|at| at <= now)) else {
            continue;
        };
        let gone = !again.firing && integrations.named(&again.source).is_none();
        if gone {
            known.remove(&again.source);
            tx.drop_external(&again).await?;
        } else {
            keep(engine, &mut tx, again.passed(now), &mut effects).await?;
        }
        tx.forget_external(now).await?;
        tx.commit().await?;
        engine.tell(effects);
    }
    Ok(due.len())
}
