//! The drainers' group: each partition of the handoff topics has one drainer.

use super::super::lane::Tools;
use super::lanes::{Lanes, Order};
use super::topic::ensure;
use crate::core::Backoff;
use crate::{Config, RunError};
use model::TopicName;
use runtime::Context;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use stream::{
    Assigned, GroupEvent, GroupHandle, JoinSpec, Membership, Stream, StreamError, TopicPartition,
    Topics,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Bytes of records that may wait inside the Kafka client.
const PREFETCH_BYTES: usize = 2 << 20;
/// A shard that was down is asked at least so often, so that its lanes are drained soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(1);

/// Drains what waits for shards.
pub(crate) struct Drainer {
    pub(crate) stream: Stream,
    pub(crate) config: Config,
    pub(crate) tools: Tools,
    pub(crate) ctx: Context,
    /// Told when this process has made a topic, whose lanes wait until it is drained.
    pub(crate) made: Arc<Notify>,
}

/// A partition that is drained.
struct Draining {
    generation: u64,
    orders: mpsc::UnboundedSender<Order>,
    stop: CancellationToken,
}

/// The group would find a new topic by itself, but seconds later.
async fn look(handle: &GroupHandle) {
    if let Err(error) = handle.look().await {
        tracing::debug!(%error, "the new topic of the handoff is found later");
    }
}

impl Drainer {
    /// Runs until the group is left at the shutdown.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        let most = self.tools.backoff.most.min(LONGEST_PAUSE);
        self.tools.backoff = Backoff {
            most,
            ..self.tools.backoff
        };
        let order = self.ctx.tasks.shutdown().clone();
        let joined = tokio::select! {
            () = order.begun() => return Ok(()),
            joined = self.join() => joined,
        };
        let (mut membership, states) = joined;
        let handle = membership.handle();
        let mut partitions: HashMap<TopicPartition, Draining> = HashMap::new();
        let mut leaving = false;
        loop {
            let event = tokio::select! {
                event = membership.next() => event,
                () = self.made.notified() => {
                    let handle = handle.clone();
                    self.spawn("handoff looks for topics", async move { look(&handle).await });
                    continue;
                }
                () = order.begun(), if !leaving => {
                    leaving = true;
                    let handle = handle.clone();
                    self.spawn("handoff leaves its group", async move { handle.leave().await });
                    continue;
                }
            };
            match event {
                None if leaving => return Ok(()),
                None => return Err(RunError::MembershipEnded),
                Some(GroupEvent::Assigned(assigned)) => {
                    self.assigned(assigned, &handle, states, &mut partitions);
                }
                Some(GroupEvent::Batch(batch)) => {
                    let draining = partitions.get(batch.source());
                    if let Some(draining) = draining.filter(|d| d.generation == batch.generation())
                    {
                        // Its task ends only after it was told to.
                        drop(draining.orders.send(Order::Batch(batch)));
                    }
                }
                Some(GroupEvent::Revoked(revoked)) => {
                    let mut done = Vec::new();
                    for source in &revoked.partitions {
                        if let Some(draining) = partitions.remove(source) {
                            let (said, heard) = oneshot::channel();
                            drop(draining.orders.send(Order::GiveBack(said)));
                            done.push(heard);
                        }
                    }
                    self.spawn("handoff gives partitions back", async move {
                        for heard in done {
                            // A task that is gone has nothing to commit.
                            drop(heard.await);
                        }
                        revoked.done();
                    });
                }
                Some(GroupEvent::Lost(sources)) => {
                    for source in &sources {
                        if let Some(draining) = partitions.remove(source) {
                            draining.stop.cancel();
                        }
                    }
                }
                Some(GroupEvent::Failed(error)) => self.failed(error, &partitions),
            }
        }
    }

    fn assigned(
        &self,
        assigned: Assigned,
        handle: &GroupHandle,
        states: u32,
        partitions: &mut HashMap<TopicPartition, Draining>,
    ) {
        for (source, commit) in assigned.partitions {
            // The state shares the beginning of its name with the lanes' topics.
            let Some(shard) = source.topic.handoff_shard() else {
                continue;
            };
            let (orders, ordered) = mpsc::unbounded_channel();
            let stop = CancellationToken::new();
            let state = TopicPartition::new(TopicName::handoff_state(), source.partition % states);
            let lanes = Lanes::new(
                (source.clone(), shard, state),
                self.stream.clone(),
                handle.clone(),
                self.tools.clone(),
                self.ctx.clone(),
                stop.clone(),
            );
            let own = stop.clone();
            self.spawn("drain the handoff", async move {
                own.run_until_cancelled(lanes.run(commit, ordered)).await;
            });
            let draining = Draining {
                generation: assigned.generation,
                orders,
                stop,
            };
            if let Some(before) = partitions.insert(source, draining) {
                before.stop.cancel();
            }
        }
    }

    fn failed(&self, error: StreamError, partitions: &HashMap<TopicPartition, Draining>) {
        self.tools.metrics.log_error("handoff");
        let StreamError::OffsetOutOfRange {
            ref topic,
            partition,
            wanted,
            earliest,
            ..
        } = error
        else {
            tracing::warn!(%error, "reading the handoff fails at the moment");
            return;
        };
        let source = TopicPartition::new(topic.clone(), partition);
        if let Some(draining) = partitions.get(&source) {
            drop(draining.orders.send(Order::OutOfRange { wanted, earliest }));
        }
    }

    async fn join(&self) -> (Membership, u32) {
        loop {
            match self.try_join().await {
                Ok(joined) => return joined,
                Err(error) => {
                    self.tools.metrics.log_error("handoff");
                    tracing::warn!(%error, "the group of the handoff cannot be joined yet");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn try_join(&self) -> Result<(Membership, u32), StreamError> {
        let states = self.states().await?;
        let spec = JoinSpec {
            group: self.config.handoff_group(),
            topics: Topics::Prefix(TopicName::HANDOFF_PREFIX),
            instance: None,
            session_timeout: self.config.session_timeout.to_std(),
            prefetch_bytes: PREFETCH_BYTES,
            headers: true,
        };
        Ok((self.stream.join(spec).await?, states))
    }

    /// How many partitions the state has; its topic is there then.
    async fn states(&self) -> Result<u32, StreamError> {
        let topics = catalog::internal_topics().into_iter();
        let mut state = topics.filter(|topic| topic.name == TopicName::handoff_state());
        match state.next() {
            Some(spec) => Ok(ensure(&self.stream, &spec).await?.0),
            None => Err(StreamError::UnknownTopic {
                topic: TopicName::handoff_state(),
            }),
        }
    }

    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.ctx
            .tasks
            .spawn(name, runtime::OnEnd::Fine, async move {
                work.await;
                Ok::<(), Infallible>(())
            });
    }
}
