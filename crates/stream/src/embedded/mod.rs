//! The embedded log: topics, partitions and groups in one file of one process, for one machine.
//!
//! One thread writes ([`writer`]); readers use snapshots and are woken when a partition grows; one
//! task keeps the groups ([`groups`]). A handle that is dropped lets go of the file behind what was
//! queued.

mod assign;
mod catalogue;
mod codec;
mod cursor;
mod groups;
mod member;
mod store;
mod transaction;
mod upkeep;
mod writer;

use crate::{
    Commit, Delivery, Ensured, JoinSpec, Log, Membership, NewRecord, OffsetRange, PartitionReader,
    Stream, StreamError, TopicInfo, TopicPartition, TopicSettings, TopicSpec,
};
use async_trait::async_trait;
use catalogue::{Catalogue, Place};
use groups::{Groups, Owners};
use model::TopicName;
use runtime::{Clock, OnEnd, Shutdown, Tasks};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Loaded, Store};
use tokio::sync::{mpsc, oneshot};
use writer::{Op, Writer};

/// The largest record, as Kafka's default of `message.max.bytes`.
const RECORD_BYTES: usize = 1_000_000;
/// What may wait for the writer.
const QUEUE_BYTES: usize = 32 << 20;
/// Batches that may wait for a reader without a group.
const READER_BATCHES: usize = 2;
const MOST_PARTITIONS: u32 = 1_000;

/// A durable log in one file. Dropping it writes what is queued and lets go of the file.
pub struct Embedded {
    shared: Arc<Shared>,
    groups: Groups,
}

/// What the writer, the readers and the groups share.
pub(in crate::embedded) struct Shared {
    store: Store,
    catalogue: Catalogue,
    owners: Owners,
    queue: std::sync::mpsc::Sender<Op>,
    queued: AtomicUsize,
    clock: Clock,
    tasks: Tasks,
}

impl Embedded {
    /// Opens the file, or makes it. Refuses one that is damaged, of a newer format, of another
    /// program, or in use by another process.
    pub async fn open(path: &Path, clock: Clock) -> Result<Self, StreamError> {
        let file = path.to_owned();
        let (store, loaded) = blocking(path, move || Store::open(&file)).await??;
        let (queue, ops) = std::sync::mpsc::channel();
        let shared = Arc::new(Shared {
            store,
            catalogue: Catalogue::new(),
            owners: Owners::default(),
            queue,
            queued: AtomicUsize::new(0),
            clock,
            // Tasks of its own: the log must outlive the services that drain into it.
            tasks: Tasks::new(Shutdown::new()),
        });
        shared.start_writer(ops, loaded)?;
        let groups = Groups::start(&shared);
        Ok(Self { shared, groups })
    }

    /// As the handle that services take.
    pub fn into_stream(self) -> Stream {
        Arc::new(self)
    }

    async fn ask<T>(
        &self,
        op: impl FnOnce(oneshot::Sender<Result<T, StreamError>>) -> Op,
    ) -> Result<T, StreamError> {
        self.shared.ask(op).await
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.tasks.shutdown().begin();
        // A writer that is gone has closed the file already.
        self.shared.queue.send(Op::Close).unwrap_or_default();
    }
}

impl Shared {
    fn start_writer(
        self: &Arc<Self>,
        ops: std::sync::mpsc::Receiver<Op>,
        loaded: Loaded,
    ) -> Result<(), StreamError> {
        let writer = Writer::new(Arc::clone(self), ops, loaded);
        self.tasks
            .spawn_thread("embedded-log", move || writer.run())
            .map_err(|error| StreamError::Unusable {
                reason: format!("cannot start the writing thread: {error}"),
            })
    }

    async fn ask<T>(
        &self,
        op: impl FnOnce(oneshot::Sender<Result<T, StreamError>>) -> Op,
    ) -> Result<T, StreamError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(op(answer))
            .map_err(|_| StreamError::Closed)?;
        answered.await.unwrap_or(Err(StreamError::Closed))
    }

    /// Runs a short read of the file where it may block.
    async fn reading<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Store) -> Result<T, StreamError> + Send + 'static,
    ) -> Result<T, StreamError> {
        let shared = Arc::clone(self);
        blocking(self.store.path(), move || work(&shared.store)).await?
    }

    async fn committed(
        self: &Arc<Self>,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        let mut places = Vec::new();
        for source in sources {
            places.push((source.clone(), self.catalogue.place(source)?.key));
        }
        let group = group.to_owned();
        self.reading(move |store| store.committed(&group, &places))
            .await
    }

    fn enqueue(&self, record: NewRecord) -> Result<Delivery, StreamError> {
        self.catalogue.place(&record.target)?;
        let bytes = codec::size(&record);
        if bytes > RECORD_BYTES {
            return Err(StreamError::TooLarge {
                topic: record.target.topic,
                bytes,
            });
        }
        let weight = Op::weight(&record);
        if self.queued.fetch_add(weight, Ordering::Relaxed) + weight > QUEUE_BYTES {
            self.queued.fetch_sub(weight, Ordering::Relaxed);
            return Err(StreamError::QueueFull);
        }
        let (answer, delivery) = Delivery::pending();
        self.queue
            .send(Op::Append(record, answer))
            .map_err(|_| StreamError::Closed)?;
        Ok(delivery)
    }

    /// Follows a partition for a reader without a group, until the reader is gone.
    async fn follow(
        self: Arc<Self>,
        source: TopicPartition,
        place: Place,
        mut next: u64,
        batches: mpsc::Sender<Result<crate::Batch, StreamError>>,
    ) {
        let mut range = place.watch();
        loop {
            let grown = tokio::select! {
                grown = range.wait_for(|range| range.end as u64 > next) => {
                    grown.map(|range| *range)
                }
                () = batches.closed() => return,
            };
            let (Ok(range), Ok(permit)) = (grown, batches.reserve().await) else {
                return;
            };
            if (next as i64) < range.earliest {
                permit.send(Err(out_of_range(&source, next as i64, range)));
                return;
            }
            let (from, key, at) = (next, place.key, source.clone());
            let read = self
                .reading(move |store| store.read(&at, key, 0, from, range.end as u64))
                .await;
            match read {
                Ok((batch, after)) => {
                    next = after;
                    if !batch.is_empty() {
                        permit.send(Ok(batch));
                    }
                }
                Err(error) => {
                    permit.send(Err(error));
                    return;
                }
            }
        }
    }
}

#[async_trait]
impl Log for Embedded {
    fn send(&self, record: NewRecord) -> Delivery {
        self.shared.enqueue(record).unwrap_or_else(Delivery::failed)
    }

    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured, StreamError> {
        if !(1..=MOST_PARTITIONS).contains(&spec.partitions) {
            return Err(StreamError::Refused {
                topic: spec.name.clone(),
                reason: format!("a topic has 1 to {MOST_PARTITIONS} partitions"),
            });
        }
        let spec = spec.clone();
        self.ask(|answer| Op::Create(spec, answer)).await
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError> {
        Ok(self.shared.catalogue.list())
    }

    async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError> {
        Ok(self
            .shared
            .catalogue
            .get(topic)
            .map(|topic| topic.partitions()))
    }

    async fn settings(&self, topic: &TopicName) -> Result<Option<TopicSettings>, StreamError> {
        let topic = self.shared.catalogue.get(topic);
        Ok(topic.map(|topic| TopicSettings {
            brokers: 1,
            replicas: 1,
            min_in_sync: 1,
            log_append_time: true,
            compacted: topic.compacted,
            deletes: !topic.compacted,
            retention: topic.retention,
            retention_bytes: None,
            unclean_election: false,
        }))
    }

    async fn offsets(&self, source: &TopicPartition) -> Result<OffsetRange, StreamError> {
        let range = *self.shared.catalogue.place(source)?.watch().borrow();
        Ok(range)
    }

    async fn committed(
        &self,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        self.shared.committed(group, sources).await
    }

    async fn read(
        &self,
        source: &TopicPartition,
        from: i64,
    ) -> Result<PartitionReader, StreamError> {
        let place = self.shared.catalogue.place(source)?;
        let range = *place.watch().borrow();
        if !(range.earliest..=range.end).contains(&from) {
            return Err(out_of_range(source, from, range));
        }
        let (batches, receiver) = mpsc::channel(READER_BATCHES);
        let shared = Arc::clone(&self.shared);
        let reading = shared.follow(source.clone(), place, from as u64, batches);
        self.shared.spawn("embedded-reader", reading);
        Ok(PartitionReader::new(receiver))
    }

    async fn join(&self, spec: JoinSpec) -> Result<Membership, StreamError> {
        self.groups.join(spec).await
    }

    async fn flush(&self, within: Duration) -> Result<(), StreamError> {
        tokio::time::timeout(within, self.ask(Op::Barrier))
            .await
            .unwrap_or_else(|_| {
                Err(StreamError::NotAcknowledged {
                    reason: format!("the disk took longer than {within:?}"),
                })
            })
    }

    fn describe(&self) -> String {
        format!("embedded log at {}", self.shared.store.path().display())
    }
}

impl Shared {
    /// Spawns a task that ends with the log.
    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let closing = self.tasks.shutdown().clone();
        self.tasks.spawn(name, OnEnd::Fine, async move {
            tokio::select! {
                () = closing.begun() => {}
                () = work => {}
            }
            Ok::<(), StreamError>(())
        });
    }
}

fn out_of_range(source: &TopicPartition, wanted: i64, range: OffsetRange) -> StreamError {
    StreamError::OffsetOutOfRange {
        topic: source.topic.clone(),
        partition: source.partition,
        wanted,
        earliest: range.earliest,
        end: range.end,
    }
}

/// Runs what blocks; a panic of the storage library on a damaged file is an error like others.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StreamError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| StreamError::Unusable {
        reason: format!("{} cannot be read: {error}", path.display()),
    })
}
