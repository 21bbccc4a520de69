//! Writes a share of a partition's state in the one order that survives a crash at any point.
//!
//! Events acknowledged, then parts, then the checkpoint, then the group's offset, then deletions.

use super::follow::Watched;
use super::key::{InputId, StateKey};
use crate::io::backoff::Backoff;
use crate::metrics::Metrics;
use bytes::Bytes;
use stream::{Commit, GroupHandle, NewRecord, Stream, StreamError, TopicPartition, Verdict};
use tokio::sync::watch;

/// Deletions that are in flight together.
const DELETIONS: usize = 1_000;

/// Writes for one owner of one input. A cheap handle.
#[derive(Clone)]
pub(crate) struct Saver {
    /// The log.
    pub(crate) stream: Stream,
    /// The group that the input is read in.
    pub(crate) group: GroupHandle,
    /// The input's own partition, whose offset is committed.
    pub(crate) source: TopicPartition,
    /// The input.
    pub(crate) input: InputId,
    /// The partition of the state topic that holds it.
    pub(crate) home: TopicPartition,
    /// The owner's epoch.
    pub(crate) epoch: i64,
    /// Shows higher claims.
    pub(crate) watched: Watched,
    /// How many alert events are acknowledged.
    pub(crate) events: watch::Receiver<u64>,
    /// Where bytes are counted.
    pub(crate) metrics: Metrics,
}

/// A share of the state, taken from the core at one position of the log.
#[derive(Debug)]
pub(crate) struct Job {
    /// So many alert events must be acknowledged first.
    pub(crate) events: u64,
    /// Parts to write, by id.
    pub(crate) parts: Vec<(Bytes, Bytes)>,
    /// Where this owner has written up to in the state topic, its claim included.
    pub(crate) written: i64,
    /// The checkpoint, when the share is the last of its round.
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// A checkpoint to write when the parts before it are durable.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// The record's value.
    pub(crate) value: Bytes,
    /// The next offset that a reader of the input needs.
    pub(crate) next_offset: i64,
    /// Keys that are of no use behind it.
    pub(crate) delete: Vec<StateKey>,
}

/// Why an owner must not write on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// Somebody else has claimed the input.
    #[error("a higher claim, {claim}, is in the state topic")]
    Fenced {
        /// Its offset.
        claim: i64,
    },
    /// The log will never take a record, or is closed.
    #[error("the state cannot be written: {0}")]
    Refused(#[from] StreamError),
}

impl Saver {
    /// Does a job; tries for as long as the log may yet take it. Answers up to where the owner has
    /// written.
    pub(crate) async fn save(mut self, job: Job) -> Result<i64, SaveError> {
        // The sender lives as long as the partition's task; without it nobody needs the state.
        if self
            .events
            .wait_for(|acked| *acked >= job.events)
            .await
            .is_err()
        {
            return Err(StreamError::Closed.into());
        }
        let parts = job.parts.into_iter().map(|(id, value)| {
            let epoch = self.epoch;
            self.record(&StateKey::Part { epoch, id }, Some(value))
        });
        let written = self.write(parts.collect()).await?.max(job.written);
        let Some(checkpoint) = job.checkpoint else {
            return Ok(written);
        };
        self.watched
            .read_past(written, self.epoch)
            .await
            .map_err(|claim| SaveError::Fenced { claim })?;
        let key = StateKey::Checkpoint { epoch: self.epoch };
        let record = self.record(&key, Some(checkpoint.value));
        let mut written = self.write(vec![record]).await?.max(written);
        self.commit(checkpoint.next_offset).await;
        for keys in checkpoint.delete.chunks(DELETIONS) {
            let tombstones = keys.iter().map(|key| self.record(key, None));
            written = self.write(tombstones.collect()).await?.max(written);
        }
        Ok(written)
    }

    fn record(&self, key: &StateKey, value: Option<Bytes>) -> NewRecord {
        NewRecord::keyed(self.home.clone(), self.input.key(key), value)
    }

    /// Writes all, whatever the order, and answers the highest offset.
    async fn write(&self, records: Vec<NewRecord>) -> Result<i64, StreamError> {
        let (mut highest, mut left, mut backoff) = (-1, records, Backoff::default());
        loop {
            let sent: Vec<_> = left
                .into_iter()
                .map(|record| (self.stream.send(record.clone()), record))
                .collect();
            let (mut failed, mut cause) = (Vec::new(), None);
            for (delivery, record) in sent {
                match delivery.await {
                    Ok(appended) => {
                        self.metrics.state_written(&record);
                        highest = highest.max(appended.offset);
                    }
                    Err(error) => {
                        if error.verdict() == Verdict::Poison
                            || matches!(error, StreamError::Closed)
                        {
                            return Err(error);
                        }
                        failed.push(record);
                        cause = Some(error);
                    }
                }
            }
            let Some(error) = cause else {
                return Ok(highest);
            };
            if backoff.is_fresh() {
                let (input, records) = (&self.input, failed.len());
                tracing::warn!(%input, records, %error, "state is not acknowledged; trying again");
            }
            left = failed;
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// The group's offset only shows lag and is checked against the log's end; the checkpoint is
    /// what counts.
    async fn commit(&self, next_offset: i64) {
        let commit = Commit {
            source: self.source.clone(),
            next_offset,
            metadata: String::new(),
        };
        if let Err(error) = self.group.commit(vec![commit]).await {
            let input = &self.input;
            tracing::warn!(%input, %error, "the offset of a checkpoint could not be committed");
        }
    }
}
