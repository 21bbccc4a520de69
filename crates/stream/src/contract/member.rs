//! A member of a group that reads, notes what it read, and commits behind it.

use super::{Topic, within};
use crate::{
    Assigned, Commit, GroupEvent, GroupHandle, JoinSpec, Membership, Stream, StreamError,
    TopicPartition, Topics,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What all members of a case read: how often each offset came.
#[derive(Default)]
pub(super) struct Seen(Mutex<BTreeMap<(TopicPartition, i64), u32>>);

impl Seen {
    fn add(&self, source: &TopicPartition, offset: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.entry((source.clone(), offset)).or_default() += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn repeated(&self) -> Vec<(TopicPartition, i64)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .filter(|(_, n)| **n > 1)
            .map(|(at, _)| at.clone())
            .collect()
    }
}

/// A member with the partitions that it holds, and where each goes on.
pub(super) struct Member {
    membership: Membership,
    pub(super) handle: GroupHandle,
    pub(super) held: BTreeMap<TopicPartition, i64>,
    pub(super) given_back: Vec<TopicPartition>,
}

/// How the members of the cases join.
pub(super) fn spec(group: &str, topics: Topics) -> JoinSpec {
    JoinSpec {
        group: group.to_owned(),
        topics,
        instance: None,
        session_timeout: Duration::from_secs(10),
        prefetch_bytes: 1 << 20,
        headers: true,
    }
}

impl Member {
    pub(super) async fn join(topic: &Topic, group: &str) -> Self {
        Self::join_as(
            &topic.stream,
            spec(group, Topics::Named(vec![topic.name.clone()])),
        )
        .await
    }

    pub(super) async fn join_as(stream: &Stream, spec: JoinSpec) -> Self {
        let membership = within("joining", stream.join(spec))
            .await
            .expect("the group takes it");
        let handle = membership.handle();
        Self {
            membership,
            handle,
            held: BTreeMap::new(),
            given_back: Vec::new(),
        }
    }

    pub(super) async fn next(&mut self) -> GroupEvent {
        within("an event", self.membership.next())
            .await
            .expect("the member is in its group")
    }

    /// The first partitions that it gains, nothing of which may come before they are started.
    pub(super) async fn assigned(&mut self) -> Assigned {
        loop {
            match self.next().await {
                GroupEvent::Assigned(assigned) if !assigned.partitions.is_empty() => {
                    return assigned;
                }
                GroupEvent::Batch(batch) => panic!("{} came before its start", batch.source()),
                _ => {}
            }
        }
    }

    /// Reads, notes and commits until the case is done.
    pub(super) async fn work(&mut self, seen: &Seen, done: impl Fn(&Self) -> bool) {
        within("the work of a member", async {
            while !done(self) {
                let event = tokio::time::timeout(LOOK_AGAIN, self.membership.next()).await;
                if let Ok(event) = event {
                    self.take(event.expect("the member is in its group"), seen)
                        .await;
                }
            }
        })
        .await;
    }

    async fn take(&mut self, event: GroupEvent, seen: &Seen) {
        match event {
            GroupEvent::Assigned(assigned) => {
                for (source, commit) in assigned.partitions {
                    let from = commit.map_or(0, |commit| commit.next_offset);
                    self.handle
                        .start(&source, from)
                        .await
                        .expect("it is assigned");
                    self.held.insert(source, from);
                }
            }
            GroupEvent::Revoked(revoked) => {
                for source in &revoked.partitions {
                    self.held.remove(source);
                    self.given_back.push(source.clone());
                }
                revoked.done();
            }
            GroupEvent::Lost(sources) => panic!("{sources:?} were lost"),
            GroupEvent::Failed(error @ StreamError::Unreachable { .. }) => {
                tracing::info!(%error, "passes by itself");
            }
            GroupEvent::Failed(error) => panic!("{error}"),
            GroupEvent::Batch(batch) => {
                let source = batch.source();
                let next = self
                    .held
                    .get_mut(source)
                    .expect("only what is held is read");
                for record in batch.records() {
                    assert_eq!(record.offset, *next, "{source} skips or repeats");
                    *next += 1;
                    seen.add(source, record.offset);
                }
                let commit = Commit {
                    source: source.clone(),
                    next_offset: *next,
                    metadata: format!("at {next}"),
                };
                self.handle
                    .commit(vec![commit])
                    .await
                    .expect("the partition is its own");
            }
        }
    }

    /// Leaves, giving back what it holds.
    pub(super) async fn leave(mut self, seen: &Seen) {
        let handle = self.handle.clone();
        let drain = async {
            while let Some(event) = self.membership.next().await {
                match event {
                    GroupEvent::Batch(_) => {}
                    other => self.take(other, seen).await,
                }
            }
        };
        within("leaving", async { tokio::join!(handle.leave(), drain) }).await;
    }
}
