//! The events on `bongsu.alerts` against those that a fresh evaluator finds in the same log.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use model::{AlertEvent, EventId, StreamEvent, TopicName};
use runtime::Clock;
use stream::{Batch, KafkaConfig, Stream, TopicPartition};
use tests::{Kafka, wait};

/// A distinct event: its id and its bytes.
type Said = (EventId, Vec<u8>);
/// The distinct events by tenant and partition of its topic, in their order.
type Events = BTreeMap<(String, u32), Vec<Said>>;

/// Reads a log as somebody who has no part in it.
pub(crate) struct Judge {
    log: Stream,
}

impl Judge {
    /// Of a running Kafka.
    pub(crate) fn of_kafka(kafka: &Kafka) -> Self {
        let config = KafkaConfig::new([kafka.brokers()]);
        let log = stream::Kafka::connect(&config, Clock::system()).expect("clients can be made");
        Self {
            log: log.into_stream(),
        }
    }

    /// Of an embedded log that nobody has open.
    pub(crate) async fn of_file(path: &Path) -> Self {
        let log = stream::Embedded::open(path, Clock::system()).await;
        Self {
            log: log
                .expect("an embedded log that is closed can be opened")
                .into_stream(),
        }
    }

    /// The kinds and priorities of the events about a host, repeats left out, such as `firing P1`.
    pub(crate) async fn about(&self, host: &str) -> Vec<String> {
        self.of_group(("host", host)).await
    }

    /// The same of groups with that tag.
    pub(crate) async fn of_group(&self, tag: (&str, &str)) -> Vec<String> {
        let distinct = self.distinct().await.expect("the alerts can be read");
        let mut words = Vec::new();
        for (_, bytes) in distinct.values().flatten() {
            let event = decoded(bytes).expect("control events are no part of it");
            if event
                .group
                .iter()
                .any(|(key, value)| (key.as_str(), value.as_str()) == tag)
            {
                let priority = event.priority.map_or("-", |priority| priority.as_str());
                words.push(format!("{} {priority}", event.kind.as_str()));
            }
        }
        words
    }

    /// Waits until the set of distinct events on `bongsu.alerts` is, byte for byte and in each partition's order,
    /// what a fresh evaluator finds in the same log; returns how many there are.
    ///
    /// The log grows meanwhile, if only by ticks. So what a fresh evaluator finds at first must come to be on the
    /// topic, and what is on the topic then must be found by a fresh evaluator afterwards.
    ///
    /// # Panics
    /// When they differ, or when a repeat has other bytes.
    pub(crate) async fn agrees(&self, deadline: Duration) -> usize {
        let first = self
            .fresh()
            .await
            .expect("a fresh evaluator can read the log");
        let mut said = Events::new();
        let complete = wait::until(deadline, async || {
            said = self.distinct().await?;
            for (source, events) in &first {
                let said = said.get(source).map_or(0, Vec::len);
                let found = events.len();
                ensure!(
                    said >= found,
                    "{source:?}: {said} of {found} events were said"
                );
            }
            Ok(Some(()))
        })
        .await;
        complete.unwrap_or_else(|error| panic!("events are missing: {error:#}"));
        let then = self
            .fresh()
            .await
            .expect("a fresh evaluator can read the log");
        for (source, events) in &said {
            let found = then.get(source).map(Vec::as_slice).unwrap_or_default();
            let found = &found[..events.len().min(found.len())];
            let in_words = || (words(events), words(found));
            assert!(
                events == found,
                "{source:?}: what was said, and found: {:#?}",
                in_words()
            );
        }
        said.values().map(Vec::len).sum()
    }

    /// What is on the topic, each event once. A repeat must have the same bytes.
    async fn distinct(&self) -> Result<Events> {
        let topic = TopicName::alerts();
        let mut events = Events::new();
        for bytes in self.values(&topic).await? {
            let Some(event) = decoded(&bytes) else {
                continue;
            };
            let of_source = events
                .entry((event.tenant.to_string(), event.partition))
                .or_default();
            match of_source.iter().find(|(id, _)| *id == event.event_id) {
                Some((id, first)) => assert!(
                    *first == bytes,
                    "event {id} was said with two contents: {:#?}",
                    words(&[(*id, first.clone()), (*id, bytes)])
                ),
                None => of_source.push((event.event_id, bytes)),
            }
        }
        Ok(events)
    }

    /// Every value that a topic holds at this moment, by partition.
    async fn values(&self, topic: &TopicName) -> Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        let partitions = self
            .log
            .partitions(topic)
            .await?
            .context("there is no such topic")?;
        for partition in 0..partitions {
            let source = TopicPartition::new(topic.clone(), partition);
            let range = self.log.offsets(&source).await?;
            if range.earliest >= range.end {
                continue;
            }
            let mut reader = self.log.read(&source, range.earliest).await?;
            let mut last = None;
            while last < Some(range.end - 1) {
                let batch: Batch = reader.next().await.context("the log was closed")??;
                last = batch.last_offset().or(last);
                values.extend(
                    batch
                        .records()
                        .filter_map(|record| record.value.map(<[u8]>::to_vec)),
                );
            }
        }
        Ok(values)
    }

    /// What a fresh evaluator finds, by tenant and partition.
    async fn fresh(&self) -> Result<Events> {
        let catalogue = catalog::snapshot(&self.log).await?;
        let mut events = Events::new();
        for tenant in catalogue.tenants.keys() {
            let topic = TopicName::metrics(tenant, 1);
            let partitions = self
                .log
                .partitions(&topic)
                .await?
                .context("a tenant has a topic")?;
            for partition in 0..partitions {
                let source = TopicPartition::new(topic.clone(), partition);
                let found = evaluator::fresh::events(&self.log, &source, &catalogue).await?;
                events.insert((tenant.to_string(), partition), found);
            }
        }
        Ok(events)
    }
}

/// An alert event; none where it is a control event.
fn decoded(bytes: &[u8]) -> Option<AlertEvent> {
    match schemas::alert::decode(bytes).expect("what is on the topic can be decoded") {
        StreamEvent::Alert(event) => Some(*event),
        StreamEvent::CaughtUp(_) => None,
    }
}

fn words(events: &[Said]) -> Vec<String> {
    events
        .iter()
        .map(|(_, bytes)| format!("{:?}", decoded(bytes)))
        .collect()
}
