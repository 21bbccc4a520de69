//! Messages from librdkafka into batches of their partitions.

use super::client::partition_of;
use crate::{Batch, BatchBuilder, TopicPartition};
use kafka_batch::Run;
use model::Timestamp;
use rdkafka::message::{BorrowedMessage, Headers, Message};

/// A batch is cut here, or earlier where little is read ahead.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_RECORDS: usize = 10_000;
/// All batches under way together come to so many at their largest.
const BATCHES: usize = 4;
/// Of what is read ahead, a batch is at most this part: what is ready and what waits for the member are four batches each, and
/// come on top of what a member that has enough holds.
const PART: usize = 8;
const ALL_LANES: usize = 256;

/// How a partition is read.
#[derive(Clone, Copy)]
pub(super) struct Admitted {
    /// As which assignment.
    pub(super) generation: u64,
    /// From where on; what comes from before it was left over.
    pub(super) next: i64,
}

struct Lane {
    source: TopicPartition,
    partition: i32,
    next: i64,
    batch: BatchBuilder,
}

/// Batches under way, one a partition.
pub(super) struct Gather {
    /// A batch is cut here.
    batch_bytes: usize,
    lanes: Vec<Lane>,
    /// Messages of a partition come in runs: the lane of the last one.
    last: usize,
    bytes: usize,
    full: bool,
}

impl Gather {
    /// For a client that reads so many bytes ahead.
    pub(super) fn of(prefetch_bytes: usize) -> Self {
        Self {
            batch_bytes: (prefetch_bytes / PART).min(BATCH_BYTES),
            lanes: Vec::new(),
            last: 0,
            bytes: 0,
            full: false,
        }
    }

    /// Adds a message. `admit` says how a partition is read, or none when it is not.
    pub(super) fn add(
        &mut self,
        message: &BorrowedMessage<'_>,
        admit: impl FnOnce(&TopicPartition) -> Option<Admitted>,
    ) {
        let Some(lane) = self.lane(message.topic(), message.partition(), admit) else {
            return;
        };
        if message.offset() < lane.next {
            return;
        }
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            let one = |header: rdkafka::message::Header<'_, &[u8]>| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            };
            headers.iter().map(one).collect()
        });
        let before = lane.batch.byte_len();
        lane.batch.push(
            message.offset(),
            Timestamp::from_millis(message.timestamp().to_millis().unwrap_or_default()),
            message.key(),
            message.payload(),
            headers,
        );
        self.count(before);
    }

    /// Adds messages of one partition, with their headers or without.
    pub(super) fn add_run(
        &mut self,
        run: &Run<'_>,
        headers: bool,
        admit: impl FnOnce(&TopicPartition) -> Option<Admitted>,
    ) {
        let Some(lane) = self.lane(run.topic, run.partition, admit) else {
            return;
        };
        let before = lane.batch.byte_len();
        let next = lane.next;
        let sizes = run.messages().map(|message| message.value_len());
        lane.batch.reserve(run.messages().len(), sizes.sum());
        for message in run.messages().filter(|message| message.offset() >= next) {
            lane.batch.push(
                message.offset(),
                Timestamp::from_millis(message.timestamp_millis().unwrap_or_default()),
                message.key(),
                message.value(),
                if headers {
                    message.headers()
                } else {
                    Vec::new()
                },
            );
        }
        self.count(before);
    }

    /// The lane of a partition, which is the last one from now on.
    fn lane(
        &mut self,
        topic: &str,
        partition: i32,
        admit: impl FnOnce(&TopicPartition) -> Option<Admitted>,
    ) -> Option<&mut Lane> {
        let fits = |lane: &Lane| lane.partition == partition && lane.source.topic.as_str() == topic;
        if !self.lanes.get(self.last).is_some_and(fits) {
            match self.lanes.iter().position(fits) {
                Some(at) => self.last = at,
                None => {
                    let source = partition_of(topic, partition)?;
                    let Admitted { generation, next } = admit(&source)?;
                    self.last = self.lanes.len();
                    self.lanes.push(Lane {
                        batch: BatchBuilder::new(source.clone(), generation),
                        source,
                        partition,
                        next,
                    });
                }
            }
        }
        self.lanes.get_mut(self.last)
    }

    /// Notes what the last lane has gained since it had `before` bytes.
    fn count(&mut self, before: usize) {
        let batch = &self.lanes[self.last].batch;
        self.bytes += batch.byte_len() - before;
        self.full |= batch.byte_len() >= self.batch_bytes || batch.len() >= BATCH_RECORDS;
    }

    /// Whether a batch, or all together, are at their limit.
    pub(super) fn is_full(&self) -> bool {
        self.full || self.bytes >= self.batch_bytes * BATCHES || self.lanes.len() >= ALL_LANES
    }

    /// Forgets what was gathered of a partition.
    pub(super) fn forget(&mut self, source: &TopicPartition) {
        self.lanes.retain(|lane| lane.source != *source);
        self.last = 0;
    }

    /// The batches, in the order in which their partitions came.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Batch> {
        (self.last, self.bytes, self.full) = (0, 0, false);
        let lanes = std::mem::take(&mut self.lanes).into_iter();
        lanes
            .filter(|lane| !lane.batch.is_empty())
            .map(|lane| lane.batch.finish())
    }
}
