//! What evaluators say on `bongsu.alerts`, with the times of it.

use anyhow::{Context, Result};
use model::StreamEvent;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, Timestamp};
use rdkafka::{Offset, TopicPartitionList};
use runtime::Clock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tests::Kafka;

const TOPIC: &str = "bongsu.alerts";
const ANSWER: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// A record of the topic.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) event: StreamEvent,
    /// When the broker appended it, by the broker's clock, in milliseconds since 1970.
    pub(super) appended_ms: i64,
    /// When it was read here, in nanoseconds since 1970.
    pub(super) read_nanos: i64,
}

/// A thread that reads the topic from its beginning.
pub(super) struct Listener {
    told: Arc<Mutex<Result<Vec<Told>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts to read.
    ///
    /// # Errors
    /// When the topic is not there.
    pub(super) fn start(kafka: &Kafka) -> Result<Self> {
        let mut config = kafka.config();
        config
            .set("group.id", "bongsu-bench-alerts")
            .set("enable.auto.commit", "false");
        let client: BaseConsumer = config.create()?;
        let known = client.fetch_metadata(Some(TOPIC), ANSWER)?;
        let mut places = TopicPartitionList::new();
        for partition in known.topics().iter().flat_map(|topic| topic.partitions()) {
            places.add_partition_offset(TOPIC, partition.id(), Offset::Beginning)?;
        }
        client.assign(&places)?;
        let told = Arc::new(Mutex::new(Ok(Vec::new())));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&told), Arc::clone(&stop));
        let thread = std::thread::spawn(move || listen(&client, &shared, &stopped));
        Ok(Self {
            told,
            stop,
            thread: Some(thread),
        })
    }

    /// What was read so far.
    ///
    /// # Errors
    /// When a record could not be read.
    pub(super) fn told(&self) -> Result<Vec<Told>> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.as_ref() {
            Ok(told) => Ok(told.clone()),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it read is worth nothing any more, a panic of its own is printed.
            thread.join().ok();
        }
    }
}

fn listen(client: &BaseConsumer, told: &Mutex<Result<Vec<Told>>>, stop: &AtomicBool) {
    let clock = Clock::system();
    while !stop.load(Ordering::Relaxed) {
        let Some(polled) = client.poll(POLL) else {
            continue;
        };
        let read_nanos = clock.now_nanos();
        let one = polled.map_err(anyhow::Error::from).and_then(|message| {
            let value = message.payload().context("an event has a value")?;
            let Timestamp::LogAppendTime(appended_ms) = message.timestamp() else {
                anyhow::bail!("{TOPIC} does not say when a record was appended");
            };
            Ok(Told {
                event: schemas::alert::decode(value)?,
                appended_ms,
                read_nanos,
            })
        });
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        match (told.as_mut(), one) {
            (Ok(told), Ok(one)) => told.push(one),
            (Ok(_), Err(error)) => *told = Err(error),
            (Err(_), _) => return,
        }
    }
}
