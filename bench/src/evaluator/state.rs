//! How much an evaluator of a million live series writes to the compacted topic of its state.
//!
//! Every series has a point each 10 s, 100,000 points/s. The topic itself is read: what it holds of the time that is
//! measured must be what the evaluator says that it has written.

use super::feed::{Feed, Pace};
use super::load::{Fleet, SERIES, Which};
use super::site::Site;
use super::{Cell, EvaluatorOptions, Figure};
use crate::usage;
use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use runtime::Clock;
use std::time::{Duration, Instant};
use tests::Kafka;
use tokio::task::block_in_place;

const TOPIC: &str = "bongsu.evaluator.state";
const PARTITIONS: u32 = 12;
const HOSTS: u64 = 50_000;
/// Seconds between two gathers of a host.
const EVERY: u64 = 10;
/// Rounds that are evaluated before it is measured.
const FILLED: u64 = 6;
/// What is measured.
const MEASURED: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(180);
const ANSWER: Duration = Duration::from_secs(10);
/// By how much the topic and the metric may differ: by what is on its way while both are asked.
const ON_ITS_WAY: f64 = 0.1;

/// Runs it.
///
/// # Errors
/// When a system fails, or the evaluator says something else than the topic holds.
pub(super) async fn run(options: &EvaluatorOptions) -> Result<Cell> {
    let load = usage::load_average()?;
    let hosts = if options.short { HOSTS / 20 } else { HOSTS };
    let site = Site::start(options, PARTITIONS).await?;
    let mut evaluator = site.evaluator("{}").await?;
    site.judged().await?;
    let feed = Feed::new(&site.kafka, hosts, PARTITIONS)?;
    let now = u64::try_from(Clock::system().now_nanos())? / 1_000_000_000;
    let start = now - FILLED * EVERY;
    let fleet = Fleet {
        hosts,
        every: EVERY,
        which: Which::All,
    };
    let write = fleet.since(start);
    let filling = Pace {
        rounds: 0..FILLED,
        round: Duration::ZERO,
    };
    block_in_place(|| feed.send(&filling, write, |_, _, _| {}))?;
    let filled = hosts * SERIES * FILLED;
    evaluator.has_evaluated(filled, SOON).await?;
    let pace = Pace {
        rounds: FILLED..u64::MAX,
        round: Duration::from_secs(EVERY),
    };
    let live = feed.live(pace, write);
    let topic = StateTopic::new(&site.kafka)?;
    let begun = Instant::now();
    let from = block_in_place(|| topic.ends())?;
    let before = written(&evaluator).await?;
    let lines = evaluator.lines().await?;
    tokio::time::sleep(MEASURED).await;
    let to = block_in_place(|| topic.ends())?;
    let said = written(&evaluator).await? - before;
    let lines = evaluator.lines().await? - lines;
    let seconds = begun.elapsed().as_secs_f64();
    evaluator.process.look()?;
    let memory = usage::peak_rss(evaluator.process.id())?;
    block_in_place(|| live.stop())?;
    let held = block_in_place(|| topic.bytes(&from, &to))? as f64;
    ensure!(
        (held - said).abs() <= ON_ITS_WAY * held,
        "the evaluator says {said} bytes, the topic holds {held}"
    );
    Ok(Cell {
        name: "state",
        figures: vec![
            Figure::new("series", (hosts * SERIES) as f64, ""),
            Figure::new("points a second", lines as f64 / seconds, "/s"),
            Figure::new("state", held / 1e6 / seconds, "MB/s"),
            Figure::new("the same, as it says", said / 1e6 / seconds, "MB/s"),
            Figure::new("peak memory", memory as f64 / 1e6, "MB"),
            Figure::new("load before", load, ""),
        ],
    })
}

/// Bytes of keys and values that the evaluator says were acknowledged.
async fn written(evaluator: &super::site::Evaluator) -> Result<f64> {
    evaluator.metric("bongsu_eval_state_bytes_total", "").await
}

/// The topic, as a reader of it sees it.
struct StateTopic {
    client: BaseConsumer,
    partitions: Vec<i32>,
}

impl StateTopic {
    fn new(kafka: &Kafka) -> Result<Self> {
        let mut config = kafka.config();
        config
            .set("group.id", "bongsu-bench-state")
            .set("enable.auto.commit", "false");
        let client: BaseConsumer = config.create()?;
        let known = client.fetch_metadata(Some(TOPIC), ANSWER)?;
        let partitions = known.topics().iter().flat_map(|topic| topic.partitions());
        let partitions = partitions.map(|partition| partition.id()).collect();
        Ok(Self { client, partitions })
    }

    /// Where each partition ends.
    fn ends(&self) -> Result<Vec<i64>> {
        let end = |partition: &i32| {
            let marks = self.client.fetch_watermarks(TOPIC, *partition, ANSWER)?;
            Ok(marks.1)
        };
        self.partitions.iter().map(end).collect()
    }

    /// Bytes of keys and values between two places.
    fn bytes(&self, from: &[i64], to: &[i64]) -> Result<u64> {
        let mut places = TopicPartitionList::new();
        let mut left = 0;
        for ((partition, from), to) in self.partitions.iter().zip(from).zip(to) {
            if from < to {
                places.add_partition_offset(TOPIC, *partition, Offset::Offset(*from))?;
                left += 1;
            }
        }
        self.client.assign(&places)?;
        let mut bytes = 0;
        while left > 0 {
            let message = self.client.poll(ANSWER);
            let message = message.context("the topic of state is not read to its end")??;
            let place = self
                .partitions
                .iter()
                .position(|n| *n == message.partition());
            let end = to[place.context("a partition that was asked for")?];
            if message.offset() < end {
                let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len) as u64;
                bytes += length(message.key()) + length(message.payload());
            }
            if message.offset() + 1 == end {
                left -= 1;
            }
        }
        Ok(bytes)
    }
}
