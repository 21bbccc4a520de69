//! What the group's loop is told.

use crate::core::{Chunk, Fates, Position};
use stream::{GroupEvent, StreamError};

/// Everything that the loop reacts to.
#[derive(Debug)]
pub(crate) enum Event {
    /// The group.
    Group(GroupEvent),
    /// The membership has ended.
    Left,
    /// A task of the loop.
    Report(Report),
    /// Chunks that waited long enough for company.
    Linger,
    /// Time to commit.
    Commit,
    /// Time to measure the lag and to look at token files.
    Refresh,
    /// Time for the budget to look whose lines move.
    BudgetTurn,
    /// A drain has taken as long as it may.
    DrainDeadline,
    /// Another catalogue is in force.
    Catalogue,
    /// The process stops.
    Stop,
}

/// What a task of the loop has to say.
#[derive(Debug)]
pub(crate) enum Report {
    /// A chunk is done.
    Lane {
        /// Which reading of a partition.
        part: u64,
        /// Which lane of it.
        lane: usize,
        /// What became of the chunk.
        outcome: Outcome,
    },
    /// Lines that are none are in the dead-letter topic: batch and lines.
    DeadLettered {
        /// Which reading of a partition.
        part: u64,
        /// Batch, and how many of its lines.
        lines: Vec<(u64, u64)>,
    },
    /// A commit was tried.
    Committed {
        /// Readings and the positions that are committed now; empty when it failed.
        done: Vec<(u64, Position)>,
    },
    /// Reading of a partition could not begin.
    NotStarted {
        /// Which reading.
        part: u64,
        /// Why.
        error: StreamError,
    },
    /// A task ended without a report.
    Died(String),
}

/// What became of a chunk.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Every line has its fate, by batch.
    Done(Vec<(u64, Fates)>),
    /// Its shard is not in the catalogue any more.
    Homeless(Chunk),
    /// The work was stopped; the lines are read again by whoever gets the partition.
    Stopped,
}
