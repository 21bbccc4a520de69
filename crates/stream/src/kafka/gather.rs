//! Messages, one by one from librdkafka, into batches of their partitions.

use super::client::partition_of;
use crate::{Batch, BatchBuilder, TopicPartition};
use model::Timestamp;
use rdkafka::message::{BorrowedMessage, Headers, Message};

/// A batch is cut here.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_RECORDS: usize = 10_000;
/// All batches under way together.
const ALL_BYTES: usize = 4 << 20;
const ALL_LANES: usize = 256;

struct Lane {
    source: TopicPartition,
    partition: i32,
    batch: BatchBuilder,
}

/// Batches under way, one a partition.
#[derive(Default)]
pub(super) struct Gather {
    lanes: Vec<Lane>,
    /// Messages of a partition come in runs: the lane of the last one.
    last: usize,
    bytes: usize,
    full: bool,
}

impl Gather {
    /// Adds a message. `admit` says under which generation a partition is read, or none when it is
    /// not.
    pub(super) fn add(
        &mut self,
        message: &BorrowedMessage<'_>,
        admit: impl FnOnce(&TopicPartition) -> Option<u64>,
    ) {
        let (topic, partition) = (message.topic(), message.partition());
        let fits = |lane: &Lane| lane.partition == partition && lane.source.topic.as_str() == topic;
        if !self.lanes.get(self.last).is_some_and(fits) {
            match self.lanes.iter().position(fits) {
                Some(at) => self.last = at,
                None => {
                    let Some(source) = partition_of(topic, partition) else {
                        return;
                    };
                    let Some(generation) = admit(&source) else {
                        return;
                    };
                    self.last = self.lanes.len();
                    self.lanes.push(Lane {
                        batch: BatchBuilder::new(source.clone(), generation),
                        source,
                        partition,
                    });
                }
            }
        }
        let lane = &mut self.lanes[self.last];
        let (key, value) = (message.key(), message.payload());
        self.bytes += key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        let stamp = message.timestamp().to_millis().unwrap_or_default();
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            let one = |header: rdkafka::message::Header<'_, &[u8]>| {
                (
                    header.key.to_owned(),
                    header.value.unwrap_or_default().to_vec(),
                )
            };
            headers.iter().map(one).collect()
        });
        lane.batch.push(
            message.offset(),
            Timestamp::from_millis(stamp),
            key,
            value,
            headers,
        );
        self.full |= lane.batch.byte_len() >= BATCH_BYTES || lane.batch.len() >= BATCH_RECORDS;
    }

    /// Whether a batch, or all together, are at their limit.
    pub(super) fn is_full(&self) -> bool {
        self.full || self.bytes >= ALL_BYTES || self.lanes.len() >= ALL_LANES
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
