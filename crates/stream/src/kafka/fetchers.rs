//! The clients that fetch for a member, each for a slice of its topics.
//!
//! librdkafka names every partition that it reads in each request, gets each of them named in the answer, looks through
//! all topics of the client for each name (librdkafka issue 3099), and looks at each partition whenever a piece of an
//! answer arrives. For a thousand topics in one client that is several times the work of reading the lines. So the
//! client that is the member of the group fetches the first topics, and further clients, which belong to no group, the
//! others.

use super::client::{failure, number};
use super::config::KafkaConfig;
use super::credentials::{Credentials, keyed};
use super::steer::steer;
use super::watch::{Watch, give_back};
use crate::{StreamError, TopicPartition};
use kafka_batch::{BatchQueue, Polled};
use model::TopicName;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Topics of one client.
const SLICE_TOPICS: usize = 64;
/// Messages of one call.
const TAKE: usize = 4096;

/// What further clients are made from.
pub(super) struct Plan {
    pub(super) config: KafkaConfig,
    pub(super) credentials: Arc<Credentials>,
    pub(super) group: String,
    /// For all clients together.
    pub(super) prefetch_bytes: usize,
    /// So many topics were there when the group was joined.
    pub(super) topics: usize,
}

impl Plan {
    /// So many clients are expected.
    fn clients(&self) -> usize {
        self.topics.div_ceil(SLICE_TOPICS).max(1)
    }

    /// What the first, or one more beside so many others, may fetch ahead.
    pub(super) fn prefetch_of_one(&self, others: usize) -> usize {
        self.prefetch_bytes / self.clients().max(others + 1)
    }
}

/// One client and its messages.
struct Slice {
    consumer: Arc<BaseConsumer<Watch>>,
    queue: BatchQueue<Watch>,
    topics: usize,
}

impl Slice {
    fn new(consumer: Arc<BaseConsumer<Watch>>) -> Result<Self, StreamError> {
        let queue = BatchQueue::new(Arc::clone(&consumer), TAKE);
        Ok(Self {
            consumer,
            queue: queue.ok_or_else(|| StreamError::Unusable {
                reason: "the Kafka client makes no queue".to_owned(),
            })?,
            topics: 0,
        })
    }
}

/// Where a topic is read, and how many of its partitions.
struct Place {
    slice: usize,
    partitions: usize,
}

/// All of them. The first is the member's own.
pub(super) struct Fetchers {
    plan: Plan,
    slices: Vec<Slice>,
    places: HashMap<TopicName, Place>,
    /// The one that is asked first.
    turn: usize,
    /// Whether the last round brought nothing.
    idle: bool,
}

impl Fetchers {
    /// The member's own client.
    pub(super) fn new(plan: Plan, member: Arc<BaseConsumer<Watch>>) -> Result<Self, StreamError> {
        Ok(Self {
            plan,
            slices: vec![Slice::new(member)?],
            places: HashMap::new(),
            turn: 0,
            idle: true,
        })
    }

    /// The client that reads the partition, whose messages come through the queue from now on; told by its number. A
    /// topic that has none yet gets the first that has room.
    pub(super) fn attach(&mut self, source: &TopicPartition) -> Result<usize, StreamError> {
        let slice = match self.places.get_mut(&source.topic) {
            Some(place) => {
                place.partitions += 1;
                place.slice
            }
            None => self.give_place(&source.topic)?,
        };
        self.attach_to(slice, source);
        Ok(slice)
    }

    /// The same once more, for a partition that may have lost its way into the queue.
    pub(super) fn attach_again(&self, source: &TopicPartition) {
        if let Some(place) = self.places.get(&source.topic) {
            self.attach_to(place.slice, source);
        }
    }

    fn attach_to(&self, slice: usize, source: &TopicPartition) {
        let queue = &self.slices[slice].queue;
        if !queue.attach(source.topic.as_str(), number(source.partition)) {
            tracing::warn!(%source, "partition has no queue in the client");
        }
    }

    fn give_place(&mut self, topic: &TopicName) -> Result<usize, StreamError> {
        let room = |slice: &Slice| slice.topics < SLICE_TOPICS;
        let slice = match self.slices.iter().position(room) {
            Some(slice) => slice,
            None => self.grow()?,
        };
        self.slices[slice].topics += 1;
        let place = Place {
            slice,
            partitions: 1,
        };
        self.places.insert(topic.clone(), place);
        Ok(slice)
    }

    fn grow(&mut self) -> Result<usize, StreamError> {
        let (plan, others) = (&self.plan, self.slices.len());
        let client = plan
            .config
            .consumer(&plan.group, plan.prefetch_of_one(others))?;
        let consumer = BaseConsumer::from_config_and_context(&client, Watch::default());
        let consumer = Arc::new(consumer.map_err(|e| failure(&e))?);
        plan.credentials.keep(keyed(&consumer));
        self.slices.push(Slice::new(consumer)?);
        tracing::debug!(clients = others + 1, "one more client fetches");
        Ok(others)
    }

    /// Begins to read partitions that were attached to this client, each from its offset.
    pub(super) fn assign(
        &self,
        slice: usize,
        fresh: &TopicPartitionList,
    ) -> Result<(), StreamError> {
        let consumer = &self.slices[slice].consumer;
        consumer.incremental_assign(fresh).map_err(|e| failure(&e))
    }

    /// Ends the reading of partitions that were assigned.
    pub(super) fn unassign(&mut self, sources: &[TopicPartition]) {
        for (slice, sources) in self.by_slice(sources) {
            give_back(&self.slices[slice].consumer, &sources);
        }
        self.detach(sources);
    }

    /// Gives partitions back to the group, of which these were assigned. The group waits for a word of the member's own
    /// client, also where that has read none of them.
    pub(super) fn give_back(&mut self, sources: &[TopicPartition], assigned: &[TopicPartition]) {
        for (slice, sources) in self.by_slice(assigned) {
            if slice > 0 {
                give_back(&self.slices[slice].consumer, &sources);
            }
        }
        give_back(&self.slices[0].consumer, sources);
        self.detach(assigned);
    }

    /// Partitions that were attached, and are not read, have no place any more.
    pub(super) fn detach(&mut self, sources: &[TopicPartition]) {
        for source in sources {
            let Some(place) = self.places.get_mut(&source.topic) else {
                continue;
            };
            place.partitions -= 1;
            if place.partitions == 0 {
                self.slices[place.slice].topics -= 1;
                self.places.remove(&source.topic);
            }
        }
    }

    /// The client of a partition that was attached.
    pub(super) fn consumer(&self, source: &TopicPartition) -> Option<&BaseConsumer<Watch>> {
        let place = self.places.get(&source.topic)?;
        Some(&self.slices[place.slice].consumer)
    }

    /// Pauses or resumes partitions.
    pub(super) fn steer<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a TopicPartition>,
        paused: bool,
    ) {
        for (slice, sources) in self.by_slice(sources) {
            steer(&self.slices[slice].consumer, &sources, paused);
        }
    }

    fn by_slice<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a TopicPartition>,
    ) -> HashMap<usize, Vec<TopicPartition>> {
        let mut by_slice = HashMap::<_, Vec<_>>::new();
        for source in sources {
            if let Some(place) = self.places.get(&source.topic) {
                by_slice
                    .entry(place.slice)
                    .or_default()
                    .push(source.clone());
            }
        }
        by_slice
    }

    /// Errors of the clients, and messages that came before their partition was attached.
    pub(super) fn serve(
        &self,
        mut each: impl FnMut(Result<rdkafka::message::BorrowedMessage<'_>, rdkafka::error::KafkaError>),
    ) {
        for slice in &self.slices {
            while let Some(polled) = slice.consumer.poll(Duration::ZERO) {
                each(polled);
            }
        }
    }

    /// Takes what is there from each client in turn, until one call wants no more; where nothing came the last time,
    /// waits so long. `each` is told of messages, and `more` is asked after each call.
    pub(super) fn take(
        &mut self,
        wait: Duration,
        mut each: impl FnMut(Polled<'_>),
        mut more: impl FnMut() -> bool,
    ) {
        let alone = self.slices.len() == 1;
        let mut wait = if alone || self.idle {
            wait
        } else {
            Duration::ZERO
        };
        self.idle = true;
        for _ in 0..self.slices.len() {
            self.turn = (self.turn + 1) % self.slices.len();
            let queue = &mut self.slices[self.turn].queue;
            loop {
                let count = queue.take(wait, &mut each);
                wait = Duration::ZERO;
                self.idle &= count == 0;
                if !more() {
                    return;
                }
                if count < TAKE {
                    break;
                }
            }
        }
    }
}
