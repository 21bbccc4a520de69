//! A member of a Kafka group: what it asks for, and what its events need to know.

use super::admin::{ANSWER, committed};
use super::client::{blocking, failure, number};
use super::consumer::Command;
use super::watch::Watch;
use crate::pump::{Backstage, check_metadata};
use crate::{Commit, GroupPort, StreamError, TopicPartition};
use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// While a group rebalances its coordinator takes no commits; so often they are tried again.
const COMMIT_TRIES: u32 = 20;
const COMMIT_AGAIN: Duration = Duration::from_millis(150);

/// What the member's port, its events and its thread share.
pub(super) struct Shared {
    pub(super) group: String,
    /// Taken away when the member has left.
    consumer: Mutex<Option<Arc<BaseConsumer<Watch>>>>,
    /// What the member may commit: what it holds, being given back included.
    owned: Mutex<HashSet<TopicPartition>>,
    commands: mpsc::Sender<Command>,
}

impl Shared {
    pub(super) fn new(
        group: String,
        consumer: Arc<BaseConsumer<Watch>>,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            group,
            consumer: Mutex::new(Some(consumer)),
            owned: Mutex::default(),
            commands,
        }
    }

    pub(super) fn own(&self, sources: &[TopicPartition]) {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        owned.extend(sources.iter().cloned());
    }

    pub(super) fn disown(&self, sources: &[TopicPartition]) {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        sources.iter().for_each(|source| {
            owned.remove(source);
        });
    }

    /// Nothing can be asked of the consumer from here on.
    pub(super) fn close(&self) {
        self.consumer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.owned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn consumer(&self) -> Result<Arc<BaseConsumer<Watch>>, StreamError> {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        consumer.clone().ok_or(StreamError::Closed)
    }

    fn check_owned(&self, commits: &[Commit]) -> Result<(), StreamError> {
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        match commits
            .iter()
            .find(|commit| !owned.contains(&commit.source))
        {
            None => Ok(()),
            Some(commit) => Err(StreamError::Fenced {
                reason: format!(
                    "{} is not the member's own in `{}`",
                    commit.source, self.group
                ),
            }),
        }
    }

    fn tell(&self, command: Command) -> Result<(), StreamError> {
        self.commands.send(command).map_err(|_| StreamError::Closed)
    }
}

/// Members of this process by their groups: who is asked what a group committed need not make another client for it.
#[derive(Default)]
pub(super) struct Members(Mutex<HashMap<String, Weak<Shared>>>);

impl Members {
    /// The newest member of its group.
    pub(super) fn keep(&self, shared: &Arc<Shared>) {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|_, member| member.strong_count() > 0);
        members.insert(shared.group.clone(), Arc::downgrade(shared));
    }

    /// The client of a member that has not left.
    pub(super) fn of(&self, group: &str) -> Option<Arc<BaseConsumer<Watch>>> {
        let members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.get(group)?.upgrade()?.consumer().ok()
    }
}

/// The group as the member's events see it.
pub(super) struct Behind(pub(super) Arc<Shared>);

#[async_trait]
impl Backstage for Behind {
    async fn committed(&self, sources: &[TopicPartition]) -> Result<Vec<Commit>, StreamError> {
        let (consumer, sources) = (self.0.consumer()?, sources.to_vec());
        blocking(move || committed(&consumer, &sources)).await
    }

    fn released(&self, sources: Vec<TopicPartition>) {
        self.0.disown(&sources);
        // A thread that has ended holds nothing.
        self.0.tell(Command::Released(sources)).unwrap_or_default();
    }

    fn gone(&self) {
        self.0.tell(Command::Gone).unwrap_or_default();
    }
}

/// What the member asks for.
pub(super) struct Port(pub(super) Arc<Shared>);

#[async_trait]
impl GroupPort for Port {
    async fn start(&self, source: &TopicPartition, offset: i64) -> Result<(), StreamError> {
        let (answer, started) = oneshot::channel();
        self.0
            .tell(Command::Start(source.clone(), offset, answer))?;
        started.await.unwrap_or(Err(StreamError::Closed))
    }

    fn pause(&self, source: &TopicPartition, paused: bool) {
        self.0
            .tell(Command::Pause(source.clone(), paused))
            .unwrap_or_default();
    }

    fn hold(&self, held: bool) {
        self.0.tell(Command::Hold(held)).unwrap_or_default();
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<(), StreamError> {
        check_metadata(&commits)?;
        if commits.is_empty() {
            return Ok(());
        }
        let mut tries = 1;
        loop {
            self.0.check_owned(&commits)?;
            let (consumer, positions) = (self.0.consumer()?, list(&commits)?);
            let committed = blocking(move || {
                consumer
                    .commit(&positions, CommitMode::Sync)
                    .map_err(|e| failure(&e))
            })
            .await;
            match committed {
                Err(StreamError::Fenced { reason }) if tries < COMMIT_TRIES => {
                    tracing::debug!(reason, tries, "a commit waits for its group");
                    tries += 1;
                    tokio::time::sleep(COMMIT_AGAIN).await;
                }
                other => return other,
            }
        }
    }

    async fn look(&self) -> Result<(), StreamError> {
        let consumer = self.0.consumer()?;
        // An answer about all topics is compared with what the member reads.
        let looked = move || {
            consumer
                .fetch_metadata(None, ANSWER)
                .map_err(|e| failure(&e))
        };
        blocking(looked).await.map(drop)
    }

    async fn leave(&self) {
        let (done, left) = oneshot::channel();
        if self.0.tell(Command::Leave(done)).is_ok() {
            // An error means that the thread has ended, and left.
            left.await.unwrap_or_default();
        }
    }
}

fn list(commits: &[Commit]) -> Result<TopicPartitionList, StreamError> {
    let mut list = TopicPartitionList::with_capacity(commits.len());
    for commit in commits {
        let mut element = list.add_partition(
            commit.source.topic.as_str(),
            number(commit.source.partition),
        );
        element
            .set_offset(Offset::Offset(commit.next_offset))
            .map_err(|e| failure(&e))?;
        element.set_metadata(commit.metadata.as_str());
    }
    Ok(list)
}
