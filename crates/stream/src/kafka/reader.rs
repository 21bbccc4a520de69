//! Follows one partition without a group, on a thread of its own.

use super::client::{Quiet, failure, number};
use super::config::KafkaConfig;
use super::credentials::{Keyed, keyed};
use super::gather::{Admitted, Gather};
use super::ranges::watermarks;
use crate::{Batch, OffsetRange, StreamError, TopicPartition};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;

/// A name that never joins: the library wants one of every consumer.
const GROUP: &str = "bongsu-reader";
const PREFETCH_BYTES: usize = 4 << 20;
/// How soon a reader that was dropped ends.
const LOOK: Duration = Duration::from_millis(100);

/// One reader.
pub(super) struct Reader {
    consumer: Arc<BaseConsumer<Quiet>>,
    source: TopicPartition,
    next: i64,
    batches: mpsc::Sender<Result<Batch, StreamError>>,
}

impl Reader {
    pub(super) fn new(
        config: &KafkaConfig,
        source: TopicPartition,
        from: i64,
        batches: mpsc::Sender<Result<Batch, StreamError>>,
    ) -> Result<Self, StreamError> {
        let client = config.consumer(GROUP, PREFETCH_BYTES)?;
        let consumer = BaseConsumer::from_config_and_context(&client, Quiet);
        let consumer = consumer.map_err(|e| failure(&e))?;
        let mut place = TopicPartitionList::with_capacity(1);
        let (topic, partition) = (source.topic.as_str(), number(source.partition));
        place
            .add_partition_offset(topic, partition, Offset::Offset(from))
            .and_then(|()| consumer.assign(&place))
            .map_err(|e| failure(&e))?;
        Ok(Self {
            consumer: Arc::new(consumer),
            source,
            next: from,
            batches,
        })
    }

    /// Its client, to be told of a new password.
    pub(super) fn client(&self) -> Weak<dyn Keyed> {
        keyed(&self.consumer)
    }

    /// Reads until nobody listens, or the log does not hold what is next.
    pub(super) fn run(mut self) {
        let mut gather = Gather::of(PREFETCH_BYTES);
        while !self.batches.is_closed() {
            let mut wait = LOOK;
            while let Some(polled) = self.consumer.poll(wait) {
                wait = Duration::ZERO;
                match polled {
                    Ok(message) if message.offset() >= self.next => {
                        let (generation, next) = (0, self.next);
                        gather.add(&message, |_| Some(Admitted { generation, next }));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        if !self.failed(&error) {
                            return;
                        }
                    }
                }
                if gather.is_full() {
                    break;
                }
            }
            for batch in gather.take() {
                self.next = batch.last_offset().map_or(self.next, |last| last + 1);
                if self.batches.blocking_send(Ok(batch)).is_err() {
                    return;
                }
            }
        }
    }

    /// Says an error that does not pass by itself. Whether reading goes on.
    fn failed(&self, error: &KafkaError) -> bool {
        let said = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => {
                match watermarks(self.consumer.client(), &self.source) {
                    Ok(range) => out_of_range(&self.source, self.next, range),
                    Err(error) => error,
                }
            }
            // Who reads may wait for the right, and says so; a reader that waits would say nothing.
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => StreamError::Unauthorized {
                reason: format!("reading `{}`: {error}", self.source),
            },
            _ => {
                tracing::debug!(%error, source = %self.source, "a reader waits");
                return true;
            }
        };
        // A reader that is gone needs no answer.
        self.batches.blocking_send(Err(said)).unwrap_or_default();
        false
    }
}

pub(super) fn out_of_range(
    source: &TopicPartition,
    wanted: i64,
    range: OffsetRange,
) -> StreamError {
    StreamError::OffsetOutOfRange {
        topic: source.topic.clone(),
        partition: source.partition,
        wanted,
        earliest: range.earliest,
        end: range.end,
    }
}
