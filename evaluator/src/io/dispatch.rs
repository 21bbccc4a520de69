//! The member of the group: gains and gives back partitions, and hands each batch to its
//! partition's task.

use super::partition::{Gained, Order, PartitionHandle, Services};
use super::state::{Candidate, InputId};
use catalog::TopicJudge;
use runtime::{Condition, OnEnd};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use stream::{Assigned, GroupEvent, Membership, Revoked, StreamError, TopicPartition};

/// Routes the events of a membership until it ends.
pub(crate) struct Dispatcher {
    judge: TopicJudge,
    services: Services,
    condition: Condition,
    partitions: HashMap<TopicPartition, PartitionHandle>,
    leaving: bool,
}

impl Dispatcher {
    /// One that owns nothing yet.
    pub(crate) fn new(services: Services, condition: Condition) -> Self {
        Self {
            judge: TopicJudge::new(services.stream.clone()),
            services,
            condition,
            partitions: HashMap::new(),
            leaving: false,
        }
    }

    /// Serves the membership until the shutdown has ended it. It must never wait for one partition.
    pub(crate) async fn run(mut self, mut membership: Membership) -> Result<(), StreamError> {
        let order = self.services.tasks.shutdown().clone();
        self.ready();
        loop {
            tokio::select! {
                () = order.begun(), if !self.leaving => self.leave(),
                event = membership.next() => match event {
                    Some(event) => self.handle(event),
                    None if self.leaving => return Ok(()),
                    None => return Err(StreamError::Closed),
                },
            }
        }
    }

    /// The group then takes back what is held, which is written on the way.
    fn leave(&mut self) {
        self.leaving = true;
        self.condition.not_ready("stopping");
        let group = Arc::clone(&self.services.group);
        let tasks = &self.services.tasks;
        tasks.spawn("evaluator-leave", OnEnd::Fine, async move {
            group.leave().await;
            Ok::<(), Infallible>(())
        });
    }

    fn handle(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Batch(batch) => {
                if let Some(partition) = self.partitions.get(batch.source()) {
                    partition.push(batch);
                }
            }
            GroupEvent::Assigned(assigned) => self.assigned(assigned),
            GroupEvent::Revoked(revoked) => self.revoked(revoked),
            GroupEvent::Lost(sources) => {
                tracing::warn!(
                    ?sources,
                    "partitions were taken away; what they hold is dropped"
                );
                for source in sources {
                    self.partitions.remove(&source);
                }
                self.ready();
            }
            GroupEvent::Failed(error) => self.failed(error),
        }
    }

    fn assigned(&mut self, assigned: Assigned) {
        self.judge(&assigned);
        let mut homes: BTreeMap<TopicPartition, Vec<Candidate>> = BTreeMap::new();
        for (source, committed) in assigned.partitions {
            let Some(input) = InputId::of(&source) else {
                tracing::warn!(%source, "the topic's name is no tenant's; it is not evaluated");
                continue;
            };
            let home = self.services.state.home(&input);
            let gained = Gained {
                source: source.clone(),
                input,
                committed,
                generation: assigned.generation,
            };
            let (handle, candidate) = PartitionHandle::spawn(&self.services, gained);
            homes.entry(home).or_default().push(candidate);
            self.partitions.insert(source, handle);
        }
        for (home, candidates) in homes {
            let taking_over = self.services.state.clone().take_over(home, candidates);
            let tasks = &self.services.tasks;
            tasks.spawn("evaluator-take-over", OnEnd::Fine, taking_over);
        }
        self.ready();
    }

    /// Looks whether the tenants' topics are set as evaluation needs it, and says what is not; nothing waits for that.
    fn judge(&self, assigned: &Assigned) {
        let sources = assigned.partitions.iter();
        let topics = sources
            .filter(|(source, _)| source.topic.tenant().is_some())
            .map(|(source, _)| source.topic.clone());
        let topics: BTreeSet<_> = topics.collect();
        let judge = self.judge.clone();
        let tasks = &self.services.tasks;
        tasks.spawn("evaluator-judges-topics", OnEnd::Fine, async move {
            let specs = topics
                .into_iter()
                .map(|topic| catalog::points_topic(topic, 1));
            judge.look(specs).await;
            Ok::<(), Infallible>(())
        });
    }

    fn revoked(&mut self, revoked: Revoked) {
        let held: Vec<_> = revoked
            .partitions
            .iter()
            .filter_map(|source| self.partitions.remove(source))
            .collect();
        let tasks = &self.services.tasks;
        tasks.spawn("evaluator-give-back", OnEnd::Fine, async move {
            futures_util::future::join_all(held.into_iter().map(PartitionHandle::give_back)).await;
            revoked.done();
            Ok::<(), Infallible>(())
        });
        self.ready();
    }

    fn failed(&mut self, error: StreamError) {
        if let StreamError::OffsetOutOfRange {
            topic,
            partition,
            wanted,
            earliest,
            end,
        } = &error
        {
            let source = TopicPartition::new(topic.clone(), *partition);
            if let Some(partition) = self.partitions.get(&source) {
                partition.order(Order::OutOfRange {
                    wanted: *wanted,
                    earliest: *earliest,
                    end: *end,
                });
                return;
            }
        }
        tracing::warn!(%error, "reading is disturbed; it goes on by itself when that passes");
    }

    fn ready(&self) {
        if !self.leaving {
            let owned = self.partitions.len();
            self.condition.ready(format!("{owned} partitions owned"));
        }
    }
}
