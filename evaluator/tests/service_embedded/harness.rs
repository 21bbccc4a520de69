//! A log with a catalogue and tenants, and evaluators that can be stopped or killed.

use catalog::{LiveCatalog, Request, publish, snapshot};
use evaluator::core::Plan;
use evaluator::{Config, fresh};
use model::{EventId, Span, StreamEvent, TenantId, Timestamp, TopicName, host_partition};
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Bundle, parse_yaml};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stream::{Embedded, NewRecord, PartitionReader, Stream, TopicPartition};

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// CPU above 90 for three grid points is P1, above 70 P2; no host is down within a test.
pub(crate) const CATALOGUE: &str = concat!(
    "
contact: kim
name: Kim
phone: '+821012345678'
---
escalation_policy: default
steps: [{notify: [kim]}]
---
tenant: acme
partitions: 2
evaluation: {tick: 1s, lateness: 2s}
---
",
    include_str!("../../../tests/data/cpu-usage.yaml"),
    "---
template: host-down
title: '{host} does not report'
applies_to: {measurement: any}
one_alert_per: [host]
check: time_since_last_point
unit: seconds
every: 1s
interval: 1s
levels:
  P1: {above: 7d}
expire_after: 8d
",
);

/// A log in a folder of its own.
pub(crate) struct World {
    pub(crate) stream: Stream,
    pub(crate) clock: Clock,
    _folder: tempfile::TempDir,
}

pub(crate) fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// A partition of the topic of `acme`.
pub(crate) fn input(partition: u32) -> TopicPartition {
    TopicPartition::new(TopicName::metrics(&acme(), 1), partition)
}

pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

impl World {
    pub(crate) async fn open(catalogue: &str) -> Self {
        Self::open_by(Clock::system(), catalogue).await
    }

    /// The same, where the log stamps its records by that clock.
    pub(crate) async fn open_by(clock: Clock, catalogue: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Embedded::open(&folder.path().join("log"), clock.clone()).await;
        let world = Self {
            stream: log.unwrap().into_stream(),
            clock,
            _folder: folder,
        };
        world.apply(catalogue).await;
        world
    }

    /// Publishes declarations; answers the revision.
    pub(crate) async fn apply(&self, yaml: &str) -> u64 {
        let located = parse_yaml("test.yaml", yaml).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let request = Request {
            set: located.into_iter().map(|located| located.value).collect(),
            ..Request::default()
        };
        let validate = |bundle: &Bundle| {
            let texts = |errors: Vec<_>| errors.iter().map(ToString::to_string).collect();
            Plan::compile(bundle).map(drop).map_err(texts)
        };
        let published = publish(&self.stream, &request, &validate, &self.clock).await;
        published.unwrap().revision
    }

    pub(crate) async fn append(&self, record: NewRecord) -> i64 {
        let appended = within("an append", self.stream.send(record)).await;
        appended.unwrap().offset
    }

    pub(crate) async fn produce(&self, partition: u32, lines: &str) -> i64 {
        let record = NewRecord::value(input(partition), lines.as_bytes().to_vec());
        self.append(record).await
    }

    /// Follows the alert events of a partition of `acme` from the first one on.
    pub(crate) async fn alerts(&self, partition: u32) -> Alerts {
        let key = format!("acme/{partition}");
        let topic = TopicName::alerts();
        let partitions = self.stream.partitions(&topic).await.unwrap().unwrap();
        let source = TopicPartition::new(topic, host_partition(key.as_bytes(), partitions));
        Alerts {
            reader: self.stream.read(&source, 0).await.unwrap(),
            key,
            seen: Vec::new(),
        }
    }

    /// The partition of the state topic that holds an input's records.
    pub(crate) async fn home(&self, partition: u32) -> TopicPartition {
        let topic = TopicName::evaluator_state();
        let partitions = self.stream.partitions(&topic).await.unwrap().unwrap();
        let key = format!("acme/{partition}");
        TopicPartition::new(topic, host_partition(key.as_bytes(), partitions))
    }

    /// The keys of a partition's state that are not deleted.
    pub(crate) async fn state(&self, partition: u32) -> BTreeSet<String> {
        let home = self.home(partition).await;
        let prefix = format!("acme/1/{partition}/");
        let log = self.stream.offsets(&home).await.unwrap();
        let mut reader = self.stream.read(&home, log.earliest).await.unwrap();
        let (mut keys, mut next) = (BTreeSet::new(), log.earliest);
        while next < log.end {
            let batch = within("the state", reader.next()).await.unwrap().unwrap();
            next = batch.last_offset().unwrap() + 1;
            for record in batch.records() {
                let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                match record.value {
                    Some(_) if key.starts_with(&prefix) => drop(keys.insert(key)),
                    _ => drop(keys.remove(&key)),
                }
            }
        }
        keys
    }

    /// The events of a fresh evaluation of a partition.
    pub(crate) async fn fresh(&self, partition: u32) -> BTreeMap<EventId, Vec<u8>> {
        let catalogue = snapshot(&self.stream).await.unwrap();
        let events = fresh::events(&self.stream, &input(partition), &catalogue).await;
        events.unwrap().into_iter().collect()
    }

    /// What `seen` holds is what a fresh evaluation finds, byte for byte, up to where the partition
    /// was last said to be evaluated.
    pub(crate) async fn assert_as_fresh(&self, partition: u32, alerts: &Alerts) -> usize {
        let said = alerts.distinct();
        let fresh = self.fresh(partition).await;
        for (id, bytes) in &said {
            assert_eq!(fresh.get(id), Some(bytes), "{id} was said and is not found");
        }
        let until = alerts.caught_up().expect("caught up").1;
        for (id, bytes) in &fresh {
            let StreamEvent::Alert(event) = schemas::alert::decode(bytes).unwrap() else {
                panic!("{id} is no alert");
            };
            assert!(
                said.contains_key(id) || event.arrival > until,
                "{id} is found and was not said: {event:?}"
            );
        }
        said.len()
    }
}

/// Alert and control events of one partition.
pub(crate) struct Alerts {
    reader: PartitionReader,
    key: String,
    pub(crate) seen: Vec<(Vec<u8>, StreamEvent)>,
}

impl Alerts {
    /// Reads on until `found` says so of what was read so far.
    pub(crate) async fn until(&mut self, what: &str, mut found: impl FnMut(&Self) -> bool) {
        within(what, async {
            while !found(self) {
                let batch = self.reader.next().await.unwrap().unwrap();
                for record in batch.records() {
                    if record.key == Some(self.key.as_bytes()) {
                        let value = record.value.unwrap();
                        let event = schemas::alert::decode(value).unwrap();
                        self.seen.push((value.to_vec(), event));
                    }
                }
            }
        })
        .await;
    }

    /// Reads on until the partition is said to be evaluated up to `offset`.
    pub(crate) async fn until_caught_up(&mut self, offset: i64) {
        self.until("catching up", |alerts| {
            alerts.caught_up().is_some_and(|(at, _)| at >= offset)
        })
        .await;
    }

    /// How far the partition was last said to be evaluated.
    pub(crate) fn caught_up(&self) -> Option<(i64, Timestamp)> {
        self.seen.iter().rev().find_map(|(_, event)| match event {
            StreamEvent::CaughtUp(said) => Some((said.offset, said.arrival)),
            StreamEvent::Alert(_) => None,
        })
    }

    /// `template host kind priority` of every event, repeats included.
    pub(crate) fn told(&self) -> Vec<String> {
        let alert = |event: &StreamEvent| match event {
            StreamEvent::Alert(event) => {
                let host = &event.group.iter().find(|(key, _)| key == "host")?.1;
                let priority = event.priority.map_or("-", |priority| priority.as_str());
                let kind = event.kind.as_str();
                Some(format!("{} {host} {kind} {priority}", event.template))
            }
            StreamEvent::CaughtUp(_) => None,
        };
        self.seen
            .iter()
            .filter_map(|(_, event)| alert(event))
            .collect()
    }

    pub(crate) fn tells(&self, text: &str) -> bool {
        self.told().iter().any(|told| told == text)
    }

    /// The distinct events; a repeat must have the same bytes.
    pub(crate) fn distinct(&self) -> BTreeMap<EventId, Vec<u8>> {
        let mut distinct = BTreeMap::new();
        for (bytes, event) in &self.seen {
            if let StreamEvent::Alert(event) = event {
                let first = distinct
                    .entry(event.event_id)
                    .or_insert_with(|| bytes.clone());
                assert_eq!(first, bytes, "{} was said in two ways", event.event_id);
            }
        }
        distinct
    }
}

/// An evaluator on threads of its own.
pub(crate) struct Member {
    runtime: tokio::runtime::Runtime,
    pub(crate) ctx: Context,
}

/// State is written and "caught up" said often, so that a restart finds some and a test hears of
/// it.
pub(crate) fn config() -> Config {
    Config {
        listen: None,
        state_interval: Span::from_millis(100),
        caught_up_every: Span::from_millis(500),
        session_timeout: Span::from_secs(10),
        drain: Span::from_secs(5),
        ..Config::default()
    }
}

impl Member {
    pub(crate) async fn start(stream: &Stream, config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let ctx = Context::new(Shutdown::new());
        let (stream, inside) = (stream.clone(), ctx.clone());
        let starting = runtime.spawn(async move {
            let catalog = LiveCatalog::follow(stream.clone(), &inside).await.unwrap();
            evaluator::start(config, stream, catalog, inside)
                .await
                .unwrap();
        });
        within("the start", starting).await.unwrap();
        Self { runtime, ctx }
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        self.ctx.tasks.shutdown().begin();
        assert!(self.ctx.tasks.drain(PATIENCE).await, "it drains in order");
        self.runtime.shutdown_background();
    }

    /// Ends it wherever it is.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }

    /// Waits until a metric's line has that value.
    pub(crate) async fn until(&self, line: &str, value: f64) {
        within(line, async {
            while self.metric(line) != value {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// The value of a metric's line, 0 where there is none.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let text = self.ctx.metrics.render();
        let value = text
            .lines()
            .find_map(|each| each.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }
}

/// Lines of `host` every 10 s in [from, to), in seconds before now rounded to a minute.
pub(crate) fn cpu(host: &str, start: Timestamp, (from, to): (i64, i64), usage: f64) -> String {
    (from..to)
        .step_by(10)
        .map(|at| {
            let at = start.plus(Span::from_secs(at)).as_nanos();
            format!("cpu,host={host} usage={usage} {at}\n")
        })
        .collect()
}

/// A minute's begin, so long ago that there is room for points before now.
pub(crate) fn long_ago(world: &World) -> Timestamp {
    Timestamp::from_nanos(world.clock.now_nanos())
        .minus(Span::from_secs(6 * 3600))
        .floor_to(Span::from_secs(60))
}
