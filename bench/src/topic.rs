//! The topic of the load: filling it, following it, and what a group has committed of it.

use crate::cli::Compression;
use crate::lines::{self, PARTITIONS};
use crate::load::Load;
use crate::tally::{Tally, hashes, is_refused};
use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use runtime::Clock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tests::Kafka;

const ANSWER: Duration = Duration::from_secs(10);
const FLUSH: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// While the producer's queue is full.
const BREATHE: Duration = Duration::from_millis(2);
const STABLE: &str = "Stable";
const DEAD_LETTERS: &str = "bongsu.deadletter";

/// What topics were filled with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filled {
    /// Lines that every sink takes.
    pub(crate) taken: Tally,
    /// Lines that a sink with that fault refuses.
    pub(crate) refused: Tally,
}

impl Filled {
    fn add(&mut self, message: &[u8]) {
        for hash in hashes(message) {
            let side = if is_refused(hash) {
                &mut self.refused
            } else {
                &mut self.taken
            };
            side.add_line(hash);
        }
    }

    /// All lines.
    pub(crate) fn all(self) -> Tally {
        let mut all = self.taken;
        all.merge(self.refused);
        all
    }
}

/// Fills the topics of a load, every host in its partition. Returns what they hold.
///
/// # Errors
/// When a record is not acknowledged.
pub(crate) fn fill(kafka: &Kafka, load: &Load) -> Result<Filled> {
    let mut config = kafka.config();
    let compression = match load.compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    };
    config
        .set("compression.type", compression)
        .set("linger.ms", "20")
        .set("acks", "all");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    let partitions = lines::partitions(load.hosts, load.partitions);
    let (mut filled, mut sent, mut line) = (Filled::default(), 0, 0);
    for ((topic, _), share) in load.topics().iter().zip(load.shares()) {
        let mut messages = vec![(Vec::new(), 0_u64); load.partitions as usize];
        for _ in 0..share {
            let partition = partitions[lines::host(line, load.hosts)];
            let (message, held) = &mut messages[partition as usize];
            lines::write(line, load.hosts, message);
            line += 1;
            *held += 1;
            if *held == load.lines_per_message {
                filled.add(message);
                send(&producer, topic, partition, message)?;
                sent += 1;
                message.clear();
                *held = 0;
            }
        }
        for (partition, (message, held)) in (0..).zip(&messages) {
            if *held > 0 {
                filled.add(message);
                send(&producer, topic, partition, message)?;
                sent += 1;
            }
        }
    }
    producer.flush(FLUSH)?;
    let stored: i64 = Follow::new(kafka, load.topics(), "bongsu-bench")?
        .ends()?
        .iter()
        .sum();
    ensure!(
        stored == sent,
        "the topics hold {stored} of {sent} messages"
    );
    Ok(filled)
}

/// How many records the dead-letter topic has had.
///
/// # Errors
/// When the broker does not answer.
pub(crate) fn dead_letters(kafka: &Kafka) -> Result<i64> {
    let client: BaseConsumer = kafka.config().create()?;
    let known = client.fetch_metadata(Some(DEAD_LETTERS), ANSWER)?;
    let partitions = known.topics().iter().flat_map(|topic| topic.partitions());
    let end = |partition: &rdkafka::metadata::MetadataPartition| {
        Ok(client
            .fetch_watermarks(DEAD_LETTERS, partition.id(), ANSWER)?
            .1)
    };
    partitions.map(end).sum()
}

pub(crate) fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: u32,
    message: &[u8],
) -> Result<()> {
    let partition = i32::try_from(partition)?;
    let mut record = BaseRecord::<(), [u8]>::to(topic)
        .partition(partition)
        .payload(message);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(BREATHE);
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Looks at a topic and at what a group has of it, without being its member.
pub(crate) struct Follow {
    client: BaseConsumer,
    topics: Vec<(String, u32)>,
    group: String,
}

impl Follow {
    /// A client of its own.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new(kafka: &Kafka, topics: Vec<(String, u32)>, group: &str) -> Result<Self> {
        let mut config = kafka.config();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        let client = config.create()?;
        Ok(Self {
            client,
            topics,
            group: group.to_owned(),
        })
    }

    /// Where each partition ends.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub(crate) fn ends(&self) -> Result<Vec<i64>> {
        let end =
            |(topic, partition)| Ok(self.client.fetch_watermarks(topic, partition, ANSWER)?.1);
        self.partitions().map(end).collect()
    }

    /// All partitions, in the order of the answers.
    fn partitions(&self) -> impl Iterator<Item = (&str, i32)> {
        self.topics
            .iter()
            .flat_map(|(topic, count)| (0..*count).map(|n| (topic.as_str(), n.cast_signed())))
    }

    /// Whether the group has given its members their partitions.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub(crate) fn is_stable(&self) -> Result<bool> {
        let groups = self.client.fetch_group_list(Some(&self.group), ANSWER)?;
        Ok(groups.groups().iter().any(|group| group.state() == STABLE))
    }

    /// What the group has committed, 0 where nothing.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub(crate) fn committed(&self) -> Result<Vec<i64>> {
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in self.partitions() {
            asked.add_partition(topic, partition);
        }
        let committed = self.client.committed_offsets(asked, ANSWER)?;
        let offset = |(topic, partition)| {
            let element = committed.find_partition(topic, partition);
            let element = element.context("the broker left a partition out")?;
            Ok(element.offset().to_raw().unwrap_or(0).max(0))
        };
        self.partitions().map(offset).collect()
    }
}

fn numbers() -> impl Iterator<Item = i32> {
    (0..).take(PARTITIONS as usize)
}

/// A thread that reads a topic from its beginning and counts its lines.
pub(crate) struct Counter {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`Counter`] has seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// The lines.
    pub(crate) tally: Tally,
    /// When the last of them came, in nanoseconds since 1970.
    pub(crate) last_nanos: i64,
}

impl Counter {
    /// Starts to read.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub(crate) fn start(kafka: &Kafka, topic: &str) -> Result<Self> {
        let mut config = kafka.config();
        config
            .set("group.id", "bongsu-bench-counter")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "20");
        let client: BaseConsumer = config.create()?;
        let mut places = TopicPartitionList::new();
        for partition in numbers() {
            places.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        client.assign(&places)?;
        let (seen, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (shared, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || count(&client, &shared, &stopped));
        Ok(Self {
            seen,
            stop,
            thread: Some(thread),
        })
    }

    /// What was read so far.
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it counted is worth nothing any more, a panic of its own is printed.
            thread.join().ok();
        }
    }
}

fn count(client: &BaseConsumer, seen: &Mutex<Seen>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match client.poll(POLL) {
            Some(Ok(message)) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.tally.add(message.payload().unwrap_or_default());
                seen.last_nanos = Clock::system().now_nanos();
            }
            Some(Err(error)) => eprintln!("the counting reader: {error}"),
            None => {}
        }
    }
}
