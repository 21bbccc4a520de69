//! Alert and control events of one partition on their way to `bongsu.alerts`, in order.

use super::backoff::Backoff;
use crate::metrics::Metrics;
use bytes::Bytes;
use model::Timestamp;
use std::collections::VecDeque;
use stream::{Appended, Delivery, NewRecord, Stream, StreamError, TopicPartition, Verdict};
use tokio::sync::watch;
use tokio::time::Instant;

/// What waits for its acknowledgement. A failure sends everything behind it again as well: a repeat
/// is dropped by its readers, a step of an incident before its predecessor would confuse them.
pub(crate) struct Outbox {
    stream: Stream,
    target: TopicPartition,
    key: Bytes,
    metrics: Metrics,
    entries: VecDeque<Entry>,
    sent: u64,
    acked: watch::Sender<u64>,
    retry: Option<Instant>,
    backoff: Backoff,
}

struct Entry {
    record: NewRecord,
    /// Arrival of the record that decided it; delay is measured from it.
    arrival: Option<Timestamp>,
    delivery: Delivery,
}

impl Outbox {
    /// An empty one that writes to `target` under `key`.
    pub(crate) fn new(
        stream: Stream,
        target: TopicPartition,
        key: Bytes,
        metrics: Metrics,
    ) -> Self {
        Self {
            stream,
            target,
            key,
            metrics,
            entries: VecDeque::new(),
            sent: 0,
            acked: watch::Sender::new(0),
            retry: None,
            backoff: Backoff::default(),
        }
    }

    /// Sends an event. `arrival` is that of the record which decided an alert event.
    pub(crate) fn push(&mut self, value: Vec<u8>, arrival: Option<Timestamp>) {
        let value = Some(Bytes::from(value));
        let record = NewRecord::keyed(self.target.clone(), self.key.clone(), value);
        self.push_record(record, arrival);
    }

    /// Sends a record of another topic in the same order.
    pub(crate) fn push_record(&mut self, record: NewRecord, arrival: Option<Timestamp>) {
        // Behind a failure it would overtake; it goes out with the others then.
        let delivery = match self.retry {
            None => self.stream.send(record.clone()),
            Some(_) => Delivery::failed(StreamError::QueueFull),
        };
        self.sent += 1;
        self.entries.push_back(Entry {
            record,
            arrival,
            delivery,
        });
    }

    /// How many were pushed so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Follows how many are acknowledged.
    pub(crate) fn acked(&self) -> watch::Receiver<u64> {
        self.acked.subscribe()
    }

    /// Waits for the next acknowledgement, or for ever when nothing waits. Cancel-safe.
    pub(crate) async fn advance(&mut self) -> Result<(), StreamError> {
        loop {
            if let Some(at) = self.retry {
                tokio::time::sleep_until(at).await;
                self.send_again();
            }
            let Some(first) = self.entries.front_mut() else {
                return std::future::pending().await;
            };
            match (&mut first.delivery).await {
                Ok(appended) => {
                    self.delivered(Some(appended));
                    return Ok(());
                }
                Err(StreamError::Closed) => return Err(StreamError::Closed),
                Err(error) if error.verdict() == Verdict::Poison => {
                    tracing::error!(
                        target = %self.target, %error,
                        "an alert event can never be sent"
                    );
                    self.metrics.event_refused();
                    self.delivered(None);
                    return Ok(());
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    fn delivered(&mut self, appended: Option<Appended>) {
        self.backoff.reset();
        if let Some(entry) = self.entries.pop_front()
            && let (Some(arrival), Some(appended)) = (entry.arrival, appended)
        {
            self.metrics.event_appended(arrival, appended.timestamp);
        }
        self.acked.send_modify(|acked| *acked += 1);
    }

    fn failed(&mut self, error: &StreamError) {
        if self.backoff.is_fresh() {
            let (target, waiting) = (&self.target, self.entries.len());
            tracing::warn!(
                %target, waiting, %error,
                "alert events are not acknowledged; trying again"
            );
        }
        self.retry = Some(Instant::now() + self.backoff.next());
    }

    fn send_again(&mut self) {
        self.retry = None;
        let again = |entry: &Entry| self.stream.send(entry.record.clone());
        let deliveries: Vec<_> = self.entries.iter().map(again).collect();
        for (entry, delivery) in self.entries.iter_mut().zip(deliveries) {
            entry.delivery = delivery;
        }
    }
}
