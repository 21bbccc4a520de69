//! Alert events as the evaluator writes them, each the first of an incident of its own.

use super::provider::title;
use anyhow::Result;
use model::{AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, Span, StreamEvent};
use model::{TenantId, Timestamp};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use runtime::Clock;
use std::time::Duration;
use tests::Kafka;

const TOPIC: &str = "bongsu.alerts";
const FLUSH: Duration = Duration::from_secs(30);

/// Writes events to the alert topic.
pub(super) struct Events {
    producer: ThreadedProducer<DefaultProducerContext>,
    clock: Clock,
}

impl Events {
    /// A producer of its own, which waits for nothing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(kafka: &Kafka) -> Result<Self> {
        let mut config = kafka.config();
        config.set("linger.ms", "0").set("acks", "all");
        Ok(Self {
            producer: config.create()?,
            clock: Clock::system(),
        })
    }

    /// Says that an incident of the tenant begins. Returns when that was handed to Kafka's client, in nanoseconds since
    /// 1970.
    ///
    /// # Errors
    /// When the client does not take it.
    pub(super) fn fire(&self, tenant: &str, event: u64, priority: Priority) -> Result<i64> {
        let now = self.clock.now_nanos();
        let tenant = TenantId::parse(tenant)?;
        let bytes = encoded(&tenant, event, priority, Timestamp::from_nanos(now));
        let key = format!("{tenant}/0");
        let record = BaseRecord::to(TOPIC).key(&key).payload(&bytes);
        self.producer.send(record).map_err(|(error, _)| error)?;
        Ok(now)
    }

    /// Waits until Kafka has all of them.
    ///
    /// # Errors
    /// When it does not take them in time.
    pub(super) fn flush(&self) -> Result<()> {
        Ok(self.producer.flush(FLUSH)?)
    }
}

fn encoded(tenant: &TenantId, event: u64, priority: Priority, now: Timestamp) -> Vec<u8> {
    let group = vec![("host".to_owned(), format!("web-{event:08}"))];
    let fingerprint = Fingerprint::of(tenant, "cpu-usage", &group);
    let id = IncidentId::of(fingerprint, 0, now);
    let event = AlertEvent {
        event_id: id.event(1),
        incident_id: id,
        sequence: 1,
        tenant: tenant.clone(),
        partition: 0,
        template: "cpu-usage".to_owned(),
        group,
        kind: AlertKind::Firing,
        priority: Some(priority),
        value: Some(97.0),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        at: now,
        started_at: now.minus(Span::from_secs(60)),
        arrival: now,
        env: Some("prod".to_owned()),
        title: title(event),
        title_ko: None,
        why: "average of 5m is 97, above 90 for 5m".to_owned(),
        runbook: None,
    };
    schemas::alert::encode(&StreamEvent::Alert(Box::new(event)))
}
