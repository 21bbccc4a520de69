//! The bounded queue between the dispatcher and the task of one partition.
//!
//! The dispatcher must never wait for one partition. A queue over its bound therefore takes what
//! still comes and pauses the partition at its source, so that it holds at most the bound and what
//! the client library had ready.

use std::sync::{Arc, Mutex, PoisonError};
use stream::{Batch, GroupHandle, TopicPartition};
use tokio::sync::mpsc;

/// Opens a queue that pauses `source` above `bound` bytes and lets it go on below half of them.
pub(crate) fn open(
    group: GroupHandle,
    source: TopicPartition,
    bound: usize,
) -> (BatchSender, BatchReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let level = Arc::new(Level {
        group,
        source,
        bound,
        held: Mutex::new(Held::default()),
    });
    let sending = BatchSender {
        batches: sender,
        level: Arc::clone(&level),
    };
    let receiving = BatchReceiver {
        batches: receiver,
        level,
    };
    (sending, receiving)
}

struct Level {
    group: GroupHandle,
    source: TopicPartition,
    bound: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    paused: bool,
}

impl Level {
    /// The order to the group is given under the lock, so that the last one given is the one that
    /// holds.
    fn change(&self, by: impl FnOnce(usize) -> usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes = by(held.bytes);
        let pause = match held.paused {
            false => held.bytes > self.bound,
            true => held.bytes > self.bound / 2,
        };
        if pause != held.paused {
            held.paused = pause;
            self.group.pause(&self.source, pause);
        }
    }
}

/// What a batch costs: its bytes, and something for each record without any.
fn cost(batch: &Batch) -> usize {
    batch.byte_len() + 64 * batch.len()
}

/// The dispatcher's end.
pub(crate) struct BatchSender {
    batches: mpsc::UnboundedSender<Batch>,
    level: Arc<Level>,
}

impl BatchSender {
    /// Adds a batch; false when the partition's task has ended.
    pub(crate) fn push(&self, batch: Batch) -> bool {
        // Counted first: the other end may take it before this one goes on.
        let bytes = cost(&batch);
        self.level.change(|held| held + bytes);
        self.batches.send(batch).is_ok()
    }
}

/// The task's end.
pub(crate) struct BatchReceiver {
    batches: mpsc::UnboundedReceiver<Batch>,
    level: Arc<Level>,
}

impl BatchReceiver {
    /// The next batch, or none when the dispatcher has let go of the partition. Cancel-safe.
    pub(crate) async fn pop(&mut self) -> Option<Batch> {
        let batch = self.batches.recv().await?;
        self.level.change(|held| held.saturating_sub(cost(&batch)));
        Some(batch)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use model::{Timestamp, TopicName};
    use stream::{BatchBuilder, Commit, GroupPort, StreamError};

    #[derive(Default)]
    struct Orders(Mutex<Vec<bool>>);

    #[async_trait]
    impl GroupPort for Orders {
        async fn start(&self, _: &TopicPartition, _: i64) -> Result<(), StreamError> {
            Ok(())
        }
        fn hold(&self, _: bool) {}

        fn pause(&self, _: &TopicPartition, paused: bool) {
            self.0.lock().unwrap().push(paused);
        }
        async fn commit(&self, _: Vec<Commit>) -> Result<(), StreamError> {
            Ok(())
        }
        async fn leave(&self) {}
    }

    #[tokio::test]
    async fn a_full_queue_pauses_its_partition_once_and_lets_it_go_on_at_half() {
        let source = TopicPartition::new(TopicName::listed("metrics.acme").unwrap(), 0);
        let batch = || {
            let mut batch = BatchBuilder::new(source.clone(), 1);
            batch.push(0, Timestamp::default(), None, Some(&[0; 936]), Vec::new());
            batch.finish()
        };
        let orders = Arc::new(Orders::default());
        let (sender, mut receiver) = open(orders.clone(), source.clone(), 2_000);
        for _ in 0..4 {
            assert!(sender.push(batch()));
        }
        assert_eq!(*orders.0.lock().unwrap(), [true]);
        for _ in 0..4 {
            assert!(receiver.pop().await.is_some());
        }
        assert_eq!(*orders.0.lock().unwrap(), [true, false]);
        drop(receiver);
        assert!(!sender.push(batch()));
    }
}
