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

/// Lines at a steady rate, spread evenly over the topics and their partitions.
///
/// # Errors
/// When a line is not acknowledged.
pub(crate) async fn produce(
    kafka: &Kafka,
    topics: &[String],
    rate: u64,
    seconds: u64,
    made: &Made,
) -> Result<()> {
    let mut config = kafka.config();
    config.set("acks", "all").set("linger.ms", "5");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    let partitions = lines::partitions(HOSTS, PARTITIONS);
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / BURSTS));
    let (mut line, mut text) = (0, Vec::new());
    for _ in 0..seconds * BURSTS {
        ticks.tick().await;
        let mut burst = Tally::default();
        for _ in 0..rate / BURSTS {
            text.clear();
            let now = u64::try_from(Clock::system().now_nanos())?;
            lines::write_at(line, HOSTS, now, &mut text);
            burst.add(&text);
            let topic = &topics[(line / HOSTS) as usize % topics.len()];
            topic::send(
                &producer,
                topic,
                partitions[lines::host(line, HOSTS)],
                &text,
            )?;
            line += 1;
        }
        made.add(burst);
    }
    block_in_place(|| producer.flush(FLUSH)).context("the last lines were not acknowledged")
}
