//! Reading as a member of a group.

use crate::{Batch, StreamError, TopicPartition};
use async_trait::async_trait;
use model::TopicName;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Which topics a member reads.
#[derive(Debug, Clone)]
pub enum Topics {
    /// Every topic whose name starts so, those made later included (found within 5 s).
    Prefix(&'static str),
    /// These.
    Named(Vec<TopicName>),
}

/// How to join a group.
#[derive(Debug, Clone)]
pub struct JoinSpec {
    /// Name of the group.
    pub group: String,
    /// What to read.
    pub topics: Topics,
    /// Static member name (`group.instance.id`), for members that come back; none for members that scale.
    pub instance: Option<String>,
    /// How long a member may be silent before its partitions go to others.
    pub session_timeout: std::time::Duration,
    /// Bytes that may wait inside the client library, all partitions together.
    pub prefetch_bytes: usize,
    /// Whether headers are read. To look for them costs as much again as a record that has none; the
    /// embedded log has them at hand and always tells them.
    pub headers: bool,
}

/// What a member is told. The member reads these in order from [`Membership::next`].
#[derive(Debug)]
pub enum GroupEvent {
    /// Partitions are gained. Nothing is read from them before [`GroupHandle::start`].
    Assigned(Assigned),
    /// Partitions must be given back: finish, commit, then drop or [`Revoked::done`] the event. The
    /// stream waits for that for at most the session time-out less a margin.
    Revoked(Revoked),
    /// Partitions were taken away already (the member was thought dead). Nothing of them may be committed.
    Lost(Vec<TopicPartition>),
    /// Records of a started partition.
    Batch(Batch),
    /// Something is wrong; reading goes on by itself when it passes. An
    /// [`StreamError::OffsetOutOfRange`] leaves its partition unread until the member starts it again.
    Failed(StreamError),
}

/// Partitions gained.
#[derive(Debug)]
pub struct Assigned {
    /// Counts the assignments of this member; batches carry it.
    pub generation: u64,
    /// Each partition with the offset that the group would go on from and the metadata of its last
    /// commit; none where the group never committed.
    pub partitions: Vec<(TopicPartition, Option<Commit>)>,
}

/// Partitions to give back.
#[derive(Debug)]
pub struct Revoked {
    /// Which.
    pub partitions: Vec<TopicPartition>,
    /// Answered, or dropped, when the member is done with them.
    pub ack: oneshot::Sender<()>,
}

impl Revoked {
    /// Everything of these partitions is committed or given up.
    pub fn done(self) {
        // The stream may have stopped waiting; then there is nobody left to tell.
        self.ack.send(()).unwrap_or_default();
    }
}

/// A position to commit, or one that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The partition.
    pub source: TopicPartition,
    /// The **next** offset to read.
    pub next_offset: i64,
    /// Up to 4 KiB of text that is kept with the offset.
    pub metadata: String,
}

/// The other direction of a membership, implemented by each side.
#[async_trait]
pub trait GroupPort: Send + Sync {
    /// Reads `source` from `offset` on. Also moves a partition that is being read.
    async fn start(&self, source: &TopicPartition, offset: i64) -> Result<(), StreamError>;
    /// Stops and goes on reading; records in flight may still come after a pause.
    fn pause(&self, source: &TopicPartition, paused: bool);
    /// Delivers no more batches, or goes on. What was fetched is kept, the group stays served, and a
    /// partition that is paused stays so. Batches on their way still come.
    fn hold(&self, held: bool);
    /// Commits durably, all or an error.
    async fn commit(&self, commits: Vec<Commit>) -> Result<(), StreamError>;
    /// Looks now whether there are topics for it that it does not know, instead of within 5 s.
    async fn look(&self) -> Result<(), StreamError> {
        Ok(())
    }
    /// Leaves the group: revokes what is held, then ends the events.
    async fn leave(&self);
}

/// A cheap handle on [`GroupPort`].
pub type GroupHandle = Arc<dyn GroupPort>;

/// A place in a group.
pub struct Membership {
    events: mpsc::Receiver<GroupEvent>,
    handle: GroupHandle,
}

impl Membership {
    /// For the implementations.
    pub fn new(events: mpsc::Receiver<GroupEvent>, handle: GroupHandle) -> Self {
        Self { events, handle }
    }

    /// The next event, or none when the member has left. Cancel-safe.
    pub async fn next(&mut self) -> Option<GroupEvent> {
        self.events.recv().await
    }

    /// The other direction.
    pub fn handle(&self) -> GroupHandle {
        Arc::clone(&self.handle)
    }
}
