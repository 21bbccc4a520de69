//! What a member's thread knows: the partitions it holds, and the batches under way.

use super::gather::Gather;
use crate::{Batch, StreamError, TopicPartition};
use runtime::clock::Stopwatch;
use std::collections::{HashMap, VecDeque};
use tokio::sync::oneshot;

/// Answers a start.
pub(super) type Answer = oneshot::Sender<Result<(), StreamError>>;

/// A partition that the member holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) generation: u64,
    /// What is read next; none before the start, and after an offset that was out of range.
    pub(super) next: Option<i64>,
    /// Whether it is in the client's assignment.
    pub(super) assigned: bool,
    /// Whether anything has come of it since it was assigned.
    pub(super) flows: bool,
    pub(super) paused: bool,
    pub(super) revoking: bool,
}

/// What changes while the thread works.
pub(super) struct State {
    pub(super) generation: u64,
    pub(super) held: HashMap<TopicPartition, Held>,
    pub(super) gather: Gather,
    pub(super) ready: VecDeque<Batch>,
    /// Whether the member wants no batches for the moment.
    pub(super) held_up: bool,
    /// Since when the member takes nothing.
    pub(super) full: Option<Stopwatch>,
    pub(super) choked: bool,
    /// Since when silent partitions were not attached again.
    pub(super) attached: Option<Stopwatch>,
    /// Starts that must wait for the end of a revocation.
    pub(super) later: Vec<(TopicPartition, i64, Answer)>,
    pub(super) leaving: Option<Vec<oneshot::Sender<()>>>,
    pub(super) gone: bool,
}

impl State {
    /// At the start of a member that reads so many bytes ahead.
    pub(super) fn of(prefetch_bytes: usize) -> Self {
        Self {
            generation: 0,
            held: HashMap::new(),
            gather: Gather::of(prefetch_bytes),
            ready: VecDeque::new(),
            held_up: false,
            full: None,
            choked: false,
            attached: None,
            later: Vec::new(),
            leaving: None,
            gone: false,
        }
    }
}
