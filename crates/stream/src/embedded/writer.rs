//! The one thread that writes: it takes what is queued into one durable transaction and answers
//! only behind its commit.
//!
//! An error of the disk fails what was in the transaction; then the file is opened again, because
//! the storage library refuses all work after an error, and the log goes on.

use super::Shared;
use super::store::{Loaded, PartKey, PartRow};
use super::transaction::{Staged, Transaction};
use super::upkeep;
use crate::{Appended, Commit, Ensured, NewRecord, StreamError, TopicSpec};
use runtime::clock::Stopwatch;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Commits begin at most this often, so that a stream of single records shares its fsyncs.
const PACE: Duration = Duration::from_millis(5);
/// A transaction takes at most about this much.
const TRANSACTION_BYTES: usize = 4 << 20;
const TRANSACTION_OPS: usize = 10_000;

type Answer<T> = oneshot::Sender<Result<T, StreamError>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Op {
    Append(NewRecord, Answer<Appended>),
    Create(TopicSpec, Answer<Ensured>),
    Commit(GroupCommit, Answer<()>),
    /// Answered when everything before it is durable.
    Barrier(Answer<()>),
    /// Writes what is queued, lets go of the file, and ends.
    Close,
}

/// Offsets of a group, by the member that commits them.
#[derive(Debug)]
pub(super) struct GroupCommit {
    pub(super) group: Arc<str>,
    pub(super) member: u64,
    pub(super) commits: Vec<(PartKey, Commit)>,
}

impl Op {
    /// What it weighs in the queue.
    pub(super) fn weight(record: &NewRecord) -> usize {
        super::codec::size(record) + 128
    }

    fn fail(self, error: &StreamError) {
        // Who no longer waits for the answer needs none.
        match self {
            Self::Append(_, answer) => answer.send(Err(error.clone())).unwrap_or_default(),
            Self::Create(_, answer) => answer.send(Err(error.clone())).unwrap_or_default(),
            Self::Commit(_, answer) | Self::Barrier(answer) => {
                answer.send(Err(error.clone())).unwrap_or_default();
            }
            Self::Close => {}
        }
    }
}

/// State of the writing thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Op>,
    rows: HashMap<PartKey, PartRow>,
    next_topic: u32,
    broken: Option<StreamError>,
    closing: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, queue: Receiver<Op>, loaded: Loaded) -> Self {
        let mut writer = Self {
            shared,
            queue,
            rows: HashMap::new(),
            next_topic: 0,
            broken: None,
            closing: false,
        };
        writer.adopt(loaded);
        writer
    }

    fn adopt(&mut self, loaded: Loaded) {
        self.shared.catalogue.load(&loaded);
        let newest = loaded.topics.iter().map(|(_, row)| row.0).max();
        self.next_topic = newest.map_or(0, |number| number + 1);
        self.rows = loaded.partitions;
    }

    /// Works until it is told to close.
    pub(super) fn run(mut self) {
        let mut since_commit: Option<Stopwatch> = None;
        let mut since_upkeep = self.shared.clock.stopwatch();
        while !self.closing {
            let interval = upkeep::interval(&self.shared.catalogue);
            let ops = self.next_ops(
                interval.saturating_sub(since_upkeep.elapsed()),
                since_commit,
            );
            if !ops.is_empty() {
                since_commit = Some(self.shared.clock.stopwatch());
                self.write(ops);
            }
            if since_upkeep.elapsed() >= interval {
                since_upkeep = self.shared.clock.stopwatch();
                self.upkeep();
            }
        }
        self.shared.store.close();
    }

    /// Waits for work, lets it gather for the rest of the pace, and takes what fits a transaction.
    fn next_ops(&mut self, idle: Duration, since_commit: Option<Stopwatch>) -> Vec<Op> {
        let first = match self.queue.recv_timeout(idle) {
            Ok(op) => op,
            Err(RecvTimeoutError::Timeout) => return Vec::new(),
            Err(RecvTimeoutError::Disconnected) => {
                self.closing = true;
                return Vec::new();
            }
        };
        if let Some(since) = since_commit {
            std::thread::sleep(PACE.saturating_sub(since.elapsed()));
        }
        let (mut ops, mut bytes) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(op) = next {
            match &op {
                Op::Close => {
                    self.closing = true;
                    break;
                }
                Op::Append(record, _) => bytes += Op::weight(record),
                Op::Create(..) | Op::Commit(..) | Op::Barrier(_) => {}
            }
            ops.push(op);
            if bytes >= TRANSACTION_BYTES || ops.len() >= TRANSACTION_OPS {
                break;
            }
            next = self.queue.try_recv().ok();
        }
        ops
    }

    fn write(&mut self, ops: Vec<Op>) {
        let bytes: usize = ops
            .iter()
            .map(|op| match op {
                Op::Append(record, _) => Op::weight(record),
                Op::Create(..) | Op::Commit(..) | Op::Barrier(_) | Op::Close => 0,
            })
            .sum();
        match self.commit(&ops) {
            Ok(staged) => self.publish(ops, staged),
            Err(error) => {
                ops.into_iter().for_each(|op| op.fail(&error));
                self.break_off(error);
            }
        }
        self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn commit(&mut self, ops: &[Op]) -> Result<Staged, StreamError> {
        self.mend()?;
        let now_ms = self.shared.clock.now_millis();
        let mut transaction =
            Transaction::begin(&self.shared, &self.rows, self.next_topic, now_ms)?;
        for op in ops {
            match op {
                Op::Append(record, _) => transaction.append(record)?,
                Op::Create(spec, _) => transaction.create(spec)?,
                Op::Commit(commit, _) => transaction.commit_offsets(commit)?,
                Op::Barrier(_) | Op::Close => {}
            }
        }
        transaction.commit()
    }

    /// Tells what was committed: first the ranges, so that who is answered can read it.
    fn publish(&mut self, ops: Vec<Op>, staged: Staged) {
        for (name, row) in &staged.topics {
            self.shared.catalogue.add(name, *row, |_| (0, 0, 0));
        }
        self.next_topic = staged.next_topic;
        for (range, row) in staged.ranges {
            range.send_replace(super::catalogue::range_of(row));
        }
        self.rows.extend(staged.rows);
        let (mut appended, mut ensured) = (staged.appended.into_iter(), staged.ensured.into_iter());
        let mut committed = staged.committed.into_iter();
        for op in ops {
            match op {
                Op::Append(_, answer) => {
                    let outcome = appended.next().unwrap_or_else(unstaged);
                    answer.send(outcome).unwrap_or_default();
                }
                Op::Create(_, answer) => {
                    let outcome = ensured.next().unwrap_or_else(unstaged);
                    answer.send(outcome).unwrap_or_default();
                }
                Op::Commit(_, answer) => {
                    let outcome = committed.next().unwrap_or_else(unstaged);
                    answer.send(outcome).unwrap_or_default();
                }
                Op::Barrier(answer) => answer.send(Ok(())).unwrap_or_default(),
                Op::Close => {}
            }
        }
    }

    /// Opens the file again if the last work on it failed.
    fn mend(&mut self) -> Result<(), StreamError> {
        if self.broken.is_none() {
            return Ok(());
        }
        let loaded = self.shared.store.reopen()?;
        self.adopt(loaded);
        self.broken = None;
        let file = self.shared.store.path().display();
        tracing::info!(%file, "the log takes records again");
        Ok(())
    }

    fn break_off(&mut self, error: StreamError) {
        if self.broken.is_none() {
            tracing::error!(%error, "the log cannot be written; every record is refused meanwhile");
        }
        self.broken = Some(error);
    }

    fn upkeep(&mut self) {
        let done = self.mend().and_then(|()| {
            let now_ms = self.shared.clock.now_millis();
            upkeep::run(&self.shared, &mut self.rows, now_ms)
        });
        if let Err(error) = done {
            self.break_off(error);
        }
    }
}

/// Every operation stages its outcome; this answers one that did not.
fn unstaged<T>() -> Result<T, StreamError> {
    Err(StreamError::Closed)
}
