//! Reads one partition for one member of a group, from where the member says and only while it may.

use super::catalogue::Place;
use super::{Shared, out_of_range};
use crate::{GroupEvent, OffsetRange, StreamError, TopicPartition};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Wait before a read that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Where a member stands in a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    /// Changes with every start, so that a read of before is not delivered.
    epoch: u64,
    /// None before the start, and after the offset was out of range.
    next: Option<i64>,
    paused: bool,
    held: bool,
    stopped: bool,
}

impl Position {
    fn is_read(&self) -> bool {
        !self.paused && !self.held
    }
}

/// The steering of a reading task. A cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Cursor(Arc<watch::Sender<Position>>);

impl Cursor {
    /// Starts the task; it reads nothing before [`Cursor::start`].
    pub(super) fn spawn(
        shared: &Arc<Shared>,
        source: TopicPartition,
        place: Place,
        generation: u64,
        events: mpsc::Sender<GroupEvent>,
    ) -> Self {
        let cursor = Self(Arc::new(watch::Sender::new(Position::default())));
        let task = Reading {
            shared: Arc::clone(shared),
            steps: cursor.0.subscribe(),
            cursor: cursor.clone(),
            range: place.watch(),
            place,
            source,
            generation,
            events,
        };
        shared.spawn("embedded-cursor", task.run());
        cursor
    }

    pub(super) fn start(&self, offset: i64) {
        self.0.send_modify(|position| {
            position.epoch += 1;
            position.next = Some(offset);
        });
    }

    pub(super) fn pause(&self, paused: bool) {
        self.0.send_modify(|position| position.paused = paused);
    }

    pub(super) fn hold(&self, held: bool) {
        self.0.send_modify(|position| position.held = held);
    }

    /// Nothing is delivered once this returns.
    pub(super) fn stop(&self) {
        self.0.send_modify(|position| position.stopped = true);
    }

    /// Does `deliver` and moves on, if the member did not steer elsewhere since `seen`.
    fn advance(&self, seen: Position, next: Option<i64>, deliver: impl FnOnce()) {
        self.0.send_if_modified(|position| {
            if position.stopped || position.epoch != seen.epoch {
                return false;
            }
            position.next = next;
            deliver();
            true
        });
    }
}

struct Reading {
    shared: Arc<Shared>,
    cursor: Cursor,
    steps: watch::Receiver<Position>,
    range: watch::Receiver<OffsetRange>,
    place: Place,
    source: TopicPartition,
    generation: u64,
    events: mpsc::Sender<GroupEvent>,
}

impl Reading {
    async fn run(mut self) {
        loop {
            let position = *self.steps.borrow_and_update();
            if position.stopped || self.events.is_closed() {
                return;
            }
            let range = *self.range.borrow_and_update();
            match position.next {
                Some(next)
                    if position.is_read() && !(range.earliest..=range.end).contains(&next) =>
                {
                    let error = out_of_range(&self.source, next, range);
                    self.deliver(position, None, GroupEvent::Failed(error))
                        .await;
                }
                Some(next) if position.is_read() && next < range.end => {
                    self.read(position, next, range.end).await;
                }
                _ => {
                    tokio::select! {
                        steered = self.steps.changed() => if steered.is_err() { return },
                        grown = self.range.changed() => if grown.is_err() { return },
                        () = self.events.closed() => return,
                    }
                }
            }
        }
    }

    /// Waits for room before it reads, so that a slow member holds no more than its channel.
    async fn read(&mut self, position: Position, next: i64, end: i64) {
        let Some(permit) = self.room().await else {
            return;
        };
        let (source, key, generation) = (self.source.clone(), self.place.key, self.generation);
        let read = self
            .shared
            .reading(move |store| store.read(&source, key, generation, next as u64, end as u64))
            .await;
        match read {
            Ok((batch, after)) => self.cursor.advance(position, Some(after as i64), || {
                if !batch.is_empty() {
                    permit.send(GroupEvent::Batch(batch));
                }
            }),
            Err(error) => {
                let again = match error {
                    StreamError::Unusable { .. } => None,
                    _ => Some(next),
                };
                self.cursor
                    .advance(position, again, || permit.send(GroupEvent::Failed(error)));
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    async fn deliver(&mut self, position: Position, next: Option<i64>, event: GroupEvent) {
        if let Some(permit) = self.room().await {
            self.cursor.advance(position, next, || permit.send(event));
        }
    }

    /// A place in the member's channel; none when the member steered meanwhile or is gone.
    async fn room(&self) -> Option<mpsc::Permit<'_, GroupEvent>> {
        let mut steps = self.steps.clone();
        tokio::select! {
            permit = self.events.reserve() => permit.ok(),
            _ = steps.changed() => None,
        }
    }
}
