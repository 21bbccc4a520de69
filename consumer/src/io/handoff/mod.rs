//! The owner's side of the handoff: lines that go behind those that wait for a shard.

mod drainer;
mod lanes;
mod topic;
mod waiting;

pub(crate) use drainer::Drainer;

use super::deliver::{Delivery, random};
use super::lane::Tools;
use crate::Config;
use crate::core::Backoff;
use crate::core::handoff::{Envelope, LaneId, LaneMode, Origin, RECORD_BYTES, Segments};
use crate::metrics::Metrics;
use bytes::Bytes;
use model::{ShardId, TopicName, host_partition};
use std::sync::Arc;
use std::time::Duration;
use stream::{NewRecord, Stream, StreamError, TopicPartition, Verdict};
use tokio::sync::Notify;
use tokio::time::Instant;
use topic::Topics;
use waiting::Waiting;

/// Records behind which an owner waits for the drainer instead of appending more.
const NEAR: i64 = 64;
/// How long it waits so, and how often it looks.
const NEAR_WAIT: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);
/// A drainer that commits nothing for so long is not near its end.
const STILL: Duration = Duration::from_secs(1);

/// Appends to the handoff. A cheap handle.
#[derive(Clone)]
pub(crate) struct Handoff(Arc<Inner>);

struct Inner {
    stream: Stream,
    topics: Topics,
    waiting: Waiting,
    backoff: Backoff,
    metrics: Metrics,
    patience: Duration,
}

/// How a lane stands with its owner.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) lane: LaneId,
    pub(crate) shard: ShardId,
    pub(crate) generation: u64,
    pub(crate) mode: LaneMode,
    segments: Segments,
    /// Where its records lie, once that is known.
    target: Option<TopicPartition>,
    /// What the drainer had committed when it was looked at last.
    seen: i64,
}

impl Hand {
    pub(crate) fn new(lane: LaneId, shard: ShardId, generation: u64) -> Self {
        Self {
            lane,
            shard,
            generation,
            mode: LaneMode::default(),
            segments: Segments::default(),
            target: None,
            seen: 0,
        }
    }

    fn record(
        &self,
        target: TopicPartition,
        lines: &[Origin],
        segment: u64,
        value: Bytes,
    ) -> NewRecord {
        let envelope = Envelope {
            lane: self.lane.clone(),
            generation: self.generation,
            segment,
            origins: lines.to_vec(),
        };
        let headers = envelope.headers().into_iter();
        NewRecord {
            target,
            key: Some(self.lane.to_string().into()),
            value: Some(value),
            headers: headers
                .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
                .collect(),
        }
    }
}

impl Handoff {
    /// `made` is told of each topic that was made.
    pub(crate) fn new(stream: Stream, config: &Config, tools: &Tools, made: Arc<Notify>) -> Self {
        let readers = Arc::clone(&tools.readers);
        Self(Arc::new(Inner {
            topics: Topics::new(stream.clone(), made),
            waiting: Waiting::new(stream.clone(), config.handoff_group(), readers),
            stream,
            backoff: config.backoff(),
            metrics: tools.metrics.clone(),
            patience: config.handoff_after.to_std(),
        }))
    }

    /// How long a shard may fail before its lines are handed off.
    pub(crate) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Says in the lane that a generation begins, and looks whether lines wait before that.
    pub(crate) async fn open(&self, hand: &mut Hand) {
        let target = self.target(hand).await;
        let record = hand.record(target.clone(), &[], 0, Bytes::new());
        // A record without lines is never too large; a log that refuses it all the same is asked again.
        let at = loop {
            match self.send(record.clone()).await {
                Some(at) => break at,
                None => tokio::time::sleep(self.0.backoff.most).await,
            }
        };
        self.0.waiting.note(&target, at, None).await;
        let waiting = loop {
            match self.0.waiting.before(&target, &hand.lane, at).await {
                Ok(waiting) => break waiting,
                Err(error) => self.complain(&error, "looking for lines that wait").await,
            }
        };
        if waiting {
            tracing::info!(lane = %hand.lane, shard = %hand.shard, "lines wait in the handoff: more go behind them");
        }
        hand.mode.opened(at, waiting);
    }

    /// Whether everything of the lane is drained. It waits a little when that is near.
    pub(crate) async fn look(&self, hand: &mut Hand) -> bool {
        let target = self.target(hand).await;
        let began = Instant::now();
        let mut moved = None;
        loop {
            let LaneMode::Behind { last } = hand.mode else {
                let (lane, shard) = (&hand.lane, &hand.shard);
                tracing::info!(%lane, %shard, "the lane is drained: lines go to the shard again");
                return true;
            };
            let Ok(drained) = self.0.waiting.drained(&target).await else {
                return false;
            };
            if std::mem::replace(&mut hand.seen, drained) < drained {
                moved = Some(Instant::now());
            }
            hand.mode.drained(drained);
            if hand.mode == (LaneMode::Behind { last }) {
                // Under a steady load the end is never reached by appending ever more behind it.
                let moves = moved.is_some_and(|moved: Instant| moved.elapsed() < STILL);
                if !moves || last - drained > NEAR || began.elapsed() > NEAR_WAIT {
                    return false;
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Appends the lines from `from` on, and returns when the log has them all. Lines that the log does
    /// not take are dead-lettered; those are returned.
    pub(crate) async fn append(
        &self,
        hand: &mut Hand,
        delivery: &Delivery,
        from: usize,
        tools: &Tools,
    ) -> Vec<usize> {
        let chunk = &delivery.chunk;
        let target = self.target(hand).await;
        let origins: Vec<_> = (from..chunk.len()).map(|line| chunk.origin(line)).collect();
        let (mut dead, mut letters) = (Vec::new(), Vec::new());
        for (piece, segment) in hand.segments.cut(&origins) {
            for lines in chunk.parts(from + piece.start..from + piece.end, RECORD_BYTES) {
                let own = &origins[lines.start - from..lines.end - from];
                let record = hand.record(target.clone(), own, segment, chunk.slice(lines.clone()));
                match self.send(record).await {
                    Some(at) => {
                        hand.mode.appended(at);
                        let lane = Some(&hand.lane);
                        self.0.waiting.note(&target, at, lane).await;
                        let count = lines.len() as u64;
                        self.0.metrics.handed_off(hand.shard.as_str(), count);
                    }
                    None => {
                        for line in lines {
                            let reason = "too large to wait in the handoff for its shard";
                            dead.push(line);
                            letters.push(delivery.letter(line, "too_large", reason.to_owned()));
                        }
                    }
                }
            }
        }
        tools.dead_letters.write(letters).await;
        dead
    }

    /// Appends until the log has it; none when it never will.
    async fn send(&self, record: NewRecord) -> Option<i64> {
        let mut attempt = 0;
        loop {
            match self.0.stream.send(record.clone()).await {
                Ok(appended) => return Some(appended.offset),
                Err(error) if error.verdict() == Verdict::Poison => {
                    tracing::error!(%error, target = %record.target, "the handoff refuses a record");
                    return None;
                }
                Err(error) => {
                    attempt += 1;
                    self.0.metrics.log_error("handoff");
                    tracing::warn!(%error, target = %record.target, attempt, "the handoff was not acknowledged, trying again");
                    tokio::time::sleep(self.0.backoff.delay(attempt, None, random())).await;
                }
            }
        }
    }

    async fn target(&self, hand: &mut Hand) -> TopicPartition {
        loop {
            if let Some(target) = &hand.target {
                return target.clone();
            }
            match self.0.topics.partitions(&hand.shard).await {
                Ok(partitions) => {
                    let place = host_partition(hand.lane.to_string().as_bytes(), partitions);
                    let topic = TopicName::handoff(&hand.shard);
                    hand.target = Some(TopicPartition::new(topic, place));
                }
                Err(error) => self.complain(&error, "making the handoff topic").await,
            }
        }
    }

    async fn complain(&self, error: &StreamError, what: &str) {
        self.0.metrics.log_error("handoff");
        tracing::warn!(%error, what, "the handoff does not answer, trying again");
        tokio::time::sleep(self.0.backoff.delay(4, None, random())).await;
    }
}
