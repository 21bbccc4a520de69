//! Commits, one after the other, so that the loop never waits for the coordinator.

use super::event::Report;
use crate::core::Position;
use crate::metrics::Metrics;
use std::time::Duration;
use stream::{Commit, GroupHandle, Revoked, StreamError, TopicPartition, Verdict};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often a last commit is tried before the partitions are given back without it.
const LAST_TRIES: u32 = 5;
const LAST_PAUSE: Duration = Duration::from_millis(300);

/// A position of one reading.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) part: u64,
    pub(crate) source: TopicPartition,
    pub(crate) position: Position,
    /// The account up to there, and who commits it.
    pub(crate) metadata: String,
    /// Cancelled when the partition was lost: then nothing of it may be committed.
    pub(crate) lost: CancellationToken,
}

/// What to commit, and what to give back behind it.
#[derive(Debug)]
pub(crate) struct CommitJob {
    pub(crate) marks: Vec<Mark>,
    pub(crate) then: Option<Revoked>,
}

/// Commits jobs in order until their sender is gone.
pub(crate) async fn run(
    handle: GroupHandle,
    mut jobs: mpsc::UnboundedReceiver<CommitJob>,
    reports: mpsc::UnboundedSender<Report>,
    metrics: Metrics,
) {
    while let Some(job) = jobs.recv().await {
        let last = job.then.is_some();
        let done = commit(&handle, job.marks, last, &metrics).await;
        if let Some(revoked) = job.then {
            revoked.done();
        }
        // Without a loop there is nobody to tell.
        drop(reports.send(Report::Committed { done }));
    }
}

async fn commit(
    handle: &GroupHandle,
    marks: Vec<Mark>,
    last: bool,
    metrics: &Metrics,
) -> Vec<(u64, Position)> {
    let tries = if last { LAST_TRIES } else { 1 };
    for attempt in 1..=tries {
        let live: Vec<_> = marks
            .iter()
            .filter(|mark| !mark.lost.is_cancelled())
            .collect();
        if live.is_empty() {
            return Vec::new();
        }
        let commits = live.iter().map(|mark| Commit {
            source: mark.source.clone(),
            next_offset: mark.position.next_offset,
            metadata: mark.metadata.clone(),
        });
        match handle.commit(commits.collect()).await {
            Ok(()) => {
                return live.iter().map(|mark| (mark.part, mark.position)).collect();
            }
            Err(error) => {
                metrics.log_error("commit");
                complain(&error, attempt, live.len());
                if error.verdict() != Verdict::Transient {
                    return Vec::new();
                }
            }
        }
        if attempt < tries {
            tokio::time::sleep(LAST_PAUSE).await;
        }
    }
    Vec::new()
}

/// A commit that fails loses nothing: the lines are stored again by whoever reads them again.
fn complain(error: &StreamError, attempt: u32, partitions: usize) {
    tracing::warn!(%error, attempt, partitions, "offsets were not committed");
}
