//! What hosts gather, sent to the tenant's topic: a record a host and round, at a steady pace.

use crate::product::TOPIC;
use crate::topic;
use anyhow::{Context, Result};
use rdkafka::producer::{DefaultProducerContext, Producer as _, ThreadedProducer};
use runtime::Clock;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tests::Kafka;

const FLUSH: Duration = Duration::from_secs(60);
/// Who is ahead by less than this does not wait.
const AHEAD: Duration = Duration::from_millis(2);

/// Rounds of all hosts, one after the other.
pub(super) struct Feed {
    producer: ThreadedProducer<DefaultProducerContext>,
    clock: Clock,
    /// The partition of each host.
    partitions: Vec<u32>,
}

/// When rounds are sent.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) rounds: Range<u64>,
    /// How long a round of all hosts takes; zero: as fast as Kafka takes it.
    pub(super) round: Duration,
}

/// Rounds that are sent on a thread of their own, until it is stopped.
pub(super) struct Live {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Feed {
    /// A producer of its own, as an agent's: acknowledged by all, records wait 5 ms for others.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(kafka: &Kafka, hosts: u64, partitions: u32) -> Result<Self> {
        let mut config = kafka.config();
        config
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "262144");
        let host = |host| super::load::Fleet::host(host);
        let partition = |n| model::host_partition(host(n).as_bytes(), partitions);
        Ok(Self {
            producer: config.create()?,
            clock: Clock::system(),
            partitions: (0..hosts).map(partition).collect(),
        })
    }

    /// Sends them. `write` makes the lines of a round and host; `made` is told when that was, in nanoseconds since 1970.
    /// Returns when all are acknowledged. Blocks.
    ///
    /// # Errors
    /// When Kafka does not take them.
    pub(super) fn send(
        &self,
        pace: &Pace,
        write: impl Fn(u64, u64, &mut Vec<u8>),
        made: impl FnMut(u64, u64, i64),
    ) -> Result<()> {
        self.send_until(&AtomicBool::new(false), pace, write, made)
    }

    /// The same on a thread of its own.
    pub(super) fn live(
        self,
        pace: Pace,
        write: impl Fn(u64, u64, &mut Vec<u8>) + Send + 'static,
    ) -> Live {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sending = move || self.send_until(&stopped, &pace, write, |_, _, _| {});
        Live {
            stop,
            thread: Some(std::thread::spawn(sending)),
        }
    }

    fn send_until(
        &self,
        stop: &AtomicBool,
        pace: &Pace,
        write: impl Fn(u64, u64, &mut Vec<u8>),
        mut made: impl FnMut(u64, u64, i64),
    ) -> Result<()> {
        let begun = Instant::now();
        let hosts = self.partitions.len() as u64;
        let mut body = Vec::new();
        'rounds: for round in pace.rounds.clone() {
            for (host, partition) in (0..).zip(&self.partitions) {
                if stop.load(Ordering::Relaxed) {
                    break 'rounds;
                }
                let before = (round - pace.rounds.start) * hosts + host;
                let due = pace.round.mul_f64(before as f64 / hosts as f64);
                let ahead = due.saturating_sub(begun.elapsed());
                if ahead > AHEAD {
                    std::thread::sleep(ahead);
                }
                body.clear();
                made(round, host, self.clock.now_nanos());
                write(round, host, &mut body);
                topic::send(&self.producer, TOPIC, *partition, &body)?;
            }
        }
        let flushed = self.producer.flush(FLUSH);
        flushed.context("the last points were not acknowledged")
    }
}

impl Live {
    /// Ends it, and waits until what was sent is acknowledged. Blocks.
    ///
    /// # Errors
    /// When something was not.
    pub(super) fn stop(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        let ended = ended.context("it was stopped before")?;
        ended.map_err(|_| anyhow::anyhow!("the thread that sends points has panicked"))?
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
