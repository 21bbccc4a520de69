//! A member of a group: what its events need to know, and what it asks for.

use super::Shared;
use super::cursor::Cursor;
use super::groups::Call;
use super::writer::{GroupCommit, Op};
use crate::pump::{Backstage, check_metadata};
use crate::{Commit, GroupPort, StreamError, TopicPartition};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// The cursors of the partitions that a member holds.
pub(super) type Cursors = Arc<Mutex<BTreeMap<TopicPartition, Cursor>>>;

/// The groups as a member's events see them.
pub(super) struct Behind {
    pub(super) shared: Arc<Shared>,
    pub(super) group: Arc<str>,
    pub(super) member: u64,
    pub(super) calls: mpsc::UnboundedSender<Call>,
}

#[async_trait]
impl Backstage for Behind {
    async fn committed(&self, sources: &[TopicPartition]) -> Result<Vec<Commit>, StreamError> {
        // Behind what the owner of before has in the writer's queue.
        self.shared.ask(Op::Barrier).await?;
        self.shared.committed(&self.group, sources).await
    }

    fn released(&self, sources: Vec<TopicPartition>) {
        // The groups are gone only when the log is closed.
        let call = Call::Released(self.member, sources);
        self.calls.send(call).unwrap_or_default();
    }

    fn gone(&self) {
        self.calls.send(Call::Gone(self.member)).unwrap_or_default();
    }
}

/// What a member asks for.
pub(super) struct Port {
    pub(super) shared: Arc<Shared>,
    pub(super) group: Arc<str>,
    pub(super) member: u64,
    pub(super) cursors: Cursors,
    pub(super) calls: mpsc::UnboundedSender<Call>,
}

impl Port {
    fn cursor(&self, source: &TopicPartition) -> Option<Cursor> {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.get(source).cloned()
    }
}

#[async_trait]
impl GroupPort for Port {
    async fn start(&self, source: &TopicPartition, offset: i64) -> Result<(), StreamError> {
        let cursor = self.cursor(source).ok_or_else(|| StreamError::Fenced {
            reason: format!(
                "{source} is not assigned to this member of `{}`",
                self.group
            ),
        })?;
        cursor.start(offset);
        Ok(())
    }

    fn pause(&self, source: &TopicPartition, paused: bool) {
        if let Some(cursor) = self.cursor(source) {
            cursor.pause(paused);
        }
    }

    fn hold(&self, held: bool) {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.values().for_each(|cursor| cursor.hold(held));
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<(), StreamError> {
        check_metadata(&commits)?;
        let mut placed = Vec::with_capacity(commits.len());
        for commit in commits {
            placed.push((self.shared.catalogue.place(&commit.source)?.key, commit));
        }
        let commit = GroupCommit {
            group: Arc::clone(&self.group),
            member: self.member,
            commits: placed,
        };
        self.shared.ask(|answer| Op::Commit(commit, answer)).await
    }

    async fn leave(&self) {
        let (done, left) = oneshot::channel();
        if self.calls.send(Call::Leave(self.member, done)).is_ok() {
            // An error means that the log was closed, and the member with it.
            left.await.unwrap_or_default();
        }
    }
}
