//! Tells a member of a group its gains and losses, one after the other, and waits for it where it
//! must.

use crate::{Assigned, Commit, GroupEvent, Revoked, StreamError, TopicPartition};
use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Wait before committed offsets that could not be read are asked for again.
const RETRY: Duration = Duration::from_millis(250);

/// The longest metadata of a commit, as Kafka's default of `offset.metadata.max.bytes`.
pub(crate) const METADATA_BYTES: usize = 4096;

/// What a member is to be told.
#[derive(Debug)]
pub(crate) enum Control {
    /// It gains these, as its assignment of that number.
    Assign(u64, Vec<TopicPartition>),
    /// It must give these back.
    Revoke(Vec<TopicPartition>),
    /// These are gone already.
    Lost(Vec<TopicPartition>),
    /// Something is wrong.
    Failed(StreamError),
    /// No event follows.
    End,
}

/// The group behind a member.
#[async_trait]
pub(crate) trait Backstage: Send + Sync {
    /// What the group committed, the commits of who owned the partitions before included.
    async fn committed(&self, sources: &[TopicPartition]) -> Result<Vec<Commit>, StreamError>;
    /// The member gave these back, or its time for that is over.
    fn released(&self, sources: Vec<TopicPartition>);
    /// Nobody reads the member's events any more.
    fn gone(&self);
}

/// The telling of one member.
pub(crate) struct Pump<B> {
    pub(crate) backstage: B,
    /// How long the member may take to give partitions back.
    pub(crate) patience: Duration,
    pub(crate) controls: mpsc::UnboundedReceiver<Control>,
    pub(crate) events: mpsc::Sender<GroupEvent>,
}

impl<B: Backstage> Pump<B> {
    /// Ends with [`Control::End`], or when nobody listens.
    pub(crate) async fn run(mut self) {
        loop {
            let control = tokio::select! {
                control = self.controls.recv() => control,
                () = self.events.closed() => break,
            };
            let told = match control {
                Some(Control::Assign(generation, sources)) => {
                    self.assign(generation, sources).await
                }
                Some(Control::Revoke(sources)) => self.revoke(sources).await,
                Some(Control::Lost(sources)) => self.tell(GroupEvent::Lost(sources)).await,
                Some(Control::Failed(error)) => self.tell(GroupEvent::Failed(error)).await,
                Some(Control::End) | None => return,
            };
            if told.is_err() {
                break;
            }
        }
        self.backstage.gone();
    }

    async fn tell(&self, event: GroupEvent) -> Result<(), StreamError> {
        let told = self.events.send(event).await;
        told.map_err(|_| StreamError::Closed)
    }

    async fn assign(
        &self,
        generation: u64,
        sources: Vec<TopicPartition>,
    ) -> Result<(), StreamError> {
        let committed = loop {
            match self.backstage.committed(&sources).await {
                Ok(committed) => break committed,
                Err(StreamError::Closed) => return Err(StreamError::Closed),
                Err(error) => self.tell(GroupEvent::Failed(error)).await?,
            }
            tokio::time::sleep(RETRY).await;
        };
        let mut committed: std::collections::HashMap<_, _> = committed
            .into_iter()
            .map(|commit| (commit.source.clone(), commit))
            .collect();
        let partitions = sources.into_iter().map(|source| {
            let commit = committed.remove(&source);
            (source, commit)
        });
        let assigned = Assigned {
            generation,
            partitions: partitions.collect(),
        };
        self.tell(GroupEvent::Assigned(assigned)).await
    }

    async fn revoke(&self, sources: Vec<TopicPartition>) -> Result<(), StreamError> {
        let (ack, acked) = oneshot::channel();
        let event = GroupEvent::Revoked(Revoked {
            partitions: sources.clone(),
            ack,
        });
        let given_back = async {
            self.tell(event).await?;
            // Dropping the event says the same as answering it.
            acked.await.unwrap_or_default();
            Ok(())
        };
        let in_time = tokio::select! {
            given = tokio::time::timeout(self.patience, given_back) => given,
            () = self.events.closed() => return Err(StreamError::Closed),
        };
        // From here on the partitions may belong to others.
        self.backstage.released(sources.clone());
        match in_time {
            Ok(given) => given,
            Err(_) => {
                tracing::warn!(
                    ?sources,
                    "a member did not give its partitions back in time"
                );
                self.tell(GroupEvent::Lost(sources)).await
            }
        }
    }
}

/// Refuses metadata that a broker would refuse.
pub(crate) fn check_metadata(commits: &[Commit]) -> Result<(), StreamError> {
    let long = commits
        .iter()
        .find(|commit| commit.metadata.len() > METADATA_BYTES);
    long.map_or(Ok(()), |commit| {
        Err(StreamError::Refused {
            topic: commit.source.topic.clone(),
            reason: format!("metadata of a commit is longer than {METADATA_BYTES} bytes"),
        })
    })
}
