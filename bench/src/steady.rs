//! A steady rate of lines, each of the time at which it was made.

use crate::contender::Contender;
use crate::lines::{self, HOSTS, PARTITIONS};
use crate::tally::Tally;
use crate::topic;
use anyhow::{Context, Result};
use rdkafka::producer::{DefaultProducerContext, Producer as _, ThreadedProducer};
use runtime::Clock;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tests::Kafka;
use tokio::task::block_in_place;

/// Lines are made in bursts, so many a second.
const BURSTS: u64 = 50;
const FLUSH: Duration = Duration::from_secs(30);
/// What the consumer's log says of a rebalance that takes something away.
const REVOKED: [&str; 2] = ["partitions revoked", "partitions lost"];

/// What was made so far.
#[derive(Debug, Default)]
pub(crate) struct Made(Mutex<Tally>);

impl Made {
    /// The lines so far.
    pub(crate) fn tally(&self) -> Tally {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, burst: Tally) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.merge(burst);
    }
}

/// How often something was taken away from a consumer.
///
/// # Errors
/// When its log cannot be read.
pub(crate) fn taken_away(consumer: &Contender) -> Result<usize> {
    let counts = REVOKED.map(|text| consumer.logged(text));
    counts.into_iter().sum()
}

/// So many lines a second, in messages of at most so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Lines a second.
    pub(crate) rate: u64,
    /// Lines of a message; a message holds lines of one burst, a fiftieth of a second.
    pub(crate) lines_per_message: u64,
}

impl Pace {
    /// A message a line.
    pub(crate) fn single(rate: u64) -> Self {
        Self {
            rate,
            lines_per_message: 1,
        }
    }
}

/// Lines at a steady rate, spread evenly over the topics and their partitions.
///
/// # Errors
/// When a line is not acknowledged.
pub(crate) async fn produce(
    kafka: &Kafka,
    topics: &[String],
    pace: Pace,
    seconds: u64,
    made: &Made,
) -> Result<()> {
    let mut config = kafka.config();
    config.set("acks", "all").set("linger.ms", "5");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    let partitions = lines::partitions(HOSTS, PARTITIONS);
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / BURSTS));
    let mut line = 0;
    // What waits for its message to be full, by topic and partition.
    let mut messages = vec![(Vec::new(), 0_u64); topics.len() * PARTITIONS as usize];
    let send = |place: usize, message: &mut (Vec<u8>, u64), burst: &mut Tally| -> Result<()> {
        let (topic, partition) = (place / PARTITIONS as usize, place % PARTITIONS as usize);
        burst.add(&message.0);
        topic::send(
            &producer,
            &topics[topic],
            u32::try_from(partition)?,
            &message.0,
        )?;
        message.0.clear();
        message.1 = 0;
        Ok(())
    };
    for _ in 0..seconds * BURSTS {
        ticks.tick().await;
        let mut burst = Tally::default();
        for _ in 0..pace.rate / BURSTS {
            let now = u64::try_from(Clock::system().now_nanos())?;
            let topic = (line / HOSTS) as usize % topics.len();
            let partition = partitions[lines::host(line, HOSTS)] as usize;
            let place = topic * PARTITIONS as usize + partition;
            let message = &mut messages[place];
            lines::write_at(line, HOSTS, now, &mut message.0);
            message.1 += 1;
            if message.1 == pace.lines_per_message {
                send(place, message, &mut burst)?;
            }
            line += 1;
        }
        for (place, message) in messages.iter_mut().enumerate() {
            if message.1 > 0 {
                send(place, message, &mut burst)?;
            }
        }
        made.add(burst);
    }
    block_in_place(|| producer.flush(FLUSH)).context("the last lines were not acknowledged")
}
