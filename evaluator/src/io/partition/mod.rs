//! One partition of a tenant's topic: one task with a state of its own, from its claim to its end.

mod begin;
mod duties;
mod evaluation;
mod intake;
mod owner;

use super::plans::PlanBook;
use super::questions::Desk;
use super::queue::{self, BatchSender};
use super::state::{Budget, Candidate, InputId, StateTopic};
use crate::config::Config;
use crate::metrics::Metrics;
use runtime::{Clock, OnEnd, Tasks};
use std::sync::Arc;
use stream::{Commit, GroupHandle, Stream, TopicPartition};
use tokio::sync::{mpsc, oneshot};

/// What every partition's task has of the service. A cheap handle.
#[derive(Clone)]
pub(crate) struct Services {
    /// Configuration.
    pub(crate) config: Arc<Config>,
    /// The log.
    pub(crate) stream: Stream,
    /// The group that partitions are read in.
    pub(crate) group: GroupHandle,
    /// The state topic.
    pub(crate) state: StateTopic,
    /// How fast it is written to.
    pub(crate) state_budget: Arc<Budget>,
    /// Partitions of `bongsu.alerts`.
    pub(crate) alerts_partitions: u32,
    /// Compiled bundles.
    pub(crate) plans: PlanBook,
    /// Where partitions are asked for the state of groups.
    pub(crate) desk: Desk,
    /// Counters.
    pub(crate) metrics: Metrics,
    /// The machine's time.
    pub(crate) clock: Clock,
    /// Where tasks are spawned.
    pub(crate) tasks: Tasks,
}

/// What the dispatcher tells a partition's task. Letting go of the sender means: stop at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// Write everything, then end.
    GiveBack,
    /// The log refused to go on at an offset.
    OutOfRange {
        /// The offset asked for.
        wanted: i64,
        /// First offset there is.
        earliest: i64,
        /// Offset of the next record.
        end: i64,
    },
}

/// The dispatcher's end of a partition's task.
pub(crate) struct PartitionHandle {
    generation: u64,
    batches: BatchSender,
    orders: mpsc::UnboundedSender<Order>,
    /// Closed when the task has ended.
    ended: oneshot::Receiver<()>,
}

/// A partition that was gained.
pub(crate) struct Gained {
    /// The partition.
    pub(crate) source: TopicPartition,
    /// Its input.
    pub(crate) input: InputId,
    /// What the group committed last.
    pub(crate) committed: Option<Commit>,
    /// The assignment.
    pub(crate) generation: u64,
}

impl PartitionHandle {
    /// Starts the task. It waits for the answer to the candidate, which is to be claimed.
    pub(crate) fn spawn(services: &Services, gained: Gained) -> (Self, Candidate) {
        let (source, generation) = (&gained.source, gained.generation);
        tracing::info!(%source, generation, "partition assigned");
        let (answer, claimed) = oneshot::channel();
        let candidate = Candidate {
            input: gained.input.clone(),
            answer,
        };
        let group = Arc::clone(&services.group);
        let bound = services.config.queue_bytes;
        let (batches, queue) = queue::open(group, gained.source.clone(), bound);
        let (orders, inbox) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel::<()>();
        let task = owner::own(services.clone(), gained, claimed, queue, inbox);
        services
            .tasks
            .spawn("evaluator-partition", OnEnd::Fine, async move {
                let done = Box::pin(task).await;
                drop(end);
                done
            });
        let handle = Self {
            generation,
            batches,
            orders,
            ended,
        };
        (handle, candidate)
    }

    /// Hands on records, unless they are of an assignment before this one.
    pub(crate) fn push(&self, batch: stream::Batch) {
        if batch.generation() >= self.generation {
            // When the task has ended, its end was told; what still comes is of no use.
            self.batches.push(batch);
        }
    }

    /// Gives an order; a task that has ended needs none.
    pub(crate) fn order(&self, order: Order) {
        self.orders.send(order).unwrap_or_default();
    }

    /// Orders the partition to be written and given back, and waits until it is.
    pub(crate) async fn give_back(self) {
        self.order(Order::GiveBack);
        // An error is the task's end, whichever it was.
        drop(self.ended.await);
    }
}
