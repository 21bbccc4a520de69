//! What a request waits on: every message that holds one of its lines.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use stream::StreamError;
use tokio::sync::Notify;

/// A request's claim on messages. It is held by each of them, and settled by each once.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    open: AtomicUsize,
    failed: OnceLock<StreamError>,
    settled: Notify,
}

impl Ticket {
    /// A ticket that its request keeps open until it waits.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(1),
            ..Self::default()
        })
    }

    /// One message more holds lines of the request.
    pub(super) fn claim(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// A message is in the log, or the log did not take it.
    pub(super) fn settle(&self, outcome: Result<(), StreamError>) {
        if let Err(error) = outcome {
            // The first failure is the one that is told; one is enough.
            drop(self.failed.set(error));
            self.settled.notify_one();
        }
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_one();
        }
    }

    /// Waits until the log has every message, or one failed. For the request alone, once.
    pub(super) async fn wait(&self) -> Result<(), StreamError> {
        self.settle(Ok(()));
        loop {
            if let Some(error) = self.failed.get() {
                return Err(error.clone());
            }
            if self.open.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            self.settled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_request_is_answered_when_the_last_of_its_messages_is_settled() {
        let ticket = Ticket::new();
        ticket.claim();
        ticket.claim();
        let mut waiting = Box::pin(ticket.wait());
        assert!(waiting.as_mut().now_or_never().is_none());
        ticket.settle(Ok(()));
        assert!(waiting.as_mut().now_or_never().is_none());
        ticket.settle(Ok(()));
        assert!(waiting.now_or_never().unwrap().is_ok());
    }

    #[test]
    fn a_request_without_messages_is_answered_at_once() {
        assert!(Ticket::new().wait().now_or_never().unwrap().is_ok());
    }

    #[test]
    fn one_failure_is_enough_and_a_later_success_changes_nothing() {
        let ticket = Ticket::new();
        ticket.claim();
        ticket.claim();
        ticket.settle(Err(StreamError::QueueFull));
        assert!(ticket.wait().now_or_never().unwrap().is_err());
        ticket.settle(Ok(()));
    }
}
