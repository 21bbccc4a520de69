//! Sends records: idempotent, acknowledged by all in-sync replicas, each answered by its delivery
//! report.

use super::client::{log, number, said, send_failure};
use super::config::KafkaConfig;
use super::credentials::{Credentials, keyed};
use crate::{Appended, Delivery, NewRecord, StreamError, TopicPartition};
use model::Timestamp;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders, Timestamp as Stamp};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// What waits for a delivery report.
pub(super) struct Pending {
    answer: oneshot::Sender<Result<Appended, StreamError>>,
    target: TopicPartition,
    bytes: usize,
}

struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        said(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, result: &DeliveryResult<'_>, pending: Box<Pending>) {
        let outcome = match result {
            Ok(message) => Ok(Appended {
                offset: message.offset(),
                timestamp: match message.timestamp() {
                    Stamp::LogAppendTime(ms) => Some(Timestamp::from_millis(ms)),
                    Stamp::NotAvailable | Stamp::CreateTime(_) => None,
                },
            }),
            Err((error, _)) => Err(send_failure(error, &pending.target, pending.bytes)),
        };
        // Who no longer waits for the delivery needs no answer.
        pending.answer.send(outcome).unwrap_or_default();
    }
}

type Inner = ThreadedProducer<Reports>;

/// The one producer of the process.
pub(super) struct Sender {
    config: KafkaConfig,
    credentials: Arc<Credentials>,
    producer: RwLock<Arc<Inner>>,
}

impl Sender {
    pub(super) fn new(
        config: &KafkaConfig,
        credentials: &Arc<Credentials>,
    ) -> Result<Self, StreamError> {
        Ok(Self {
            config: config.clone(),
            credentials: Arc::clone(credentials),
            producer: RwLock::new(make(config, credentials)?),
        })
    }

    pub(super) fn send(&self, record: NewRecord) -> Delivery {
        let producer = self.producer();
        match enqueue(&producer, &record) {
            Err(error) if is_fatal(&error) => {
                self.replace(&producer, &error);
                match enqueue(&self.producer(), &record) {
                    Ok(delivery) => delivery,
                    Err(error) => refused(&error, &record),
                }
            }
            Ok(delivery) => delivery,
            Err(error) => refused(&error, &record),
        }
    }

    /// Waits until everything sent has resolved. Blocks.
    pub(super) fn flush(&self, within: Duration) -> Result<(), StreamError> {
        let flushed = self.producer().flush(within);
        flushed.map_err(|error| StreamError::NotAcknowledged {
            reason: error.to_string(),
        })
    }

    fn producer(&self) -> Arc<Inner> {
        let producer = self.producer.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&producer)
    }

    /// An idempotent producer that lost its sequence refuses all further work; a new one starts
    /// afresh.
    fn replace(&self, broken: &Arc<Inner>, error: &KafkaError) {
        let mut producer = self
            .producer
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&producer, broken) {
            return;
        }
        tracing::error!(%error, "the producer is made anew");
        match make(&self.config, &self.credentials) {
            Ok(fresh) => *producer = fresh,
            Err(error) => tracing::error!(%error, "the producer cannot be made anew"),
        }
    }
}

fn make(config: &KafkaConfig, credentials: &Credentials) -> Result<Arc<Inner>, StreamError> {
    let made = ThreadedProducer::from_config_and_context(&config.producer()?, Reports);
    let made = made.map_err(|error| StreamError::Unusable {
        reason: format!("the Kafka client refuses its configuration: {error}"),
    })?;
    let made = Arc::new(made);
    credentials.keep(keyed(&made));
    Ok(made)
}

fn enqueue(producer: &Inner, record: &NewRecord) -> Result<Delivery, KafkaError> {
    let (answer, delivery) = Delivery::pending();
    let pending = Pending {
        answer,
        target: record.target.clone(),
        bytes: record.value.as_ref().map_or(0, |value| value.len()),
    };
    let mut sent = BaseRecord::<[u8], [u8], _>::with_opaque_to(
        record.target.topic.as_str(),
        Box::new(pending),
    )
    .partition(number(record.target.partition));
    if let Some(key) = &record.key {
        sent = sent.key(key);
    }
    if let Some(value) = &record.value {
        sent = sent.payload(value);
    }
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            let value = Some(value.as_ref());
            headers = headers.insert(Header { key, value });
        }
        sent = sent.headers(headers);
    }
    producer.send(sent).map_err(|(error, _)| error)?;
    Ok(delivery)
}

fn refused(error: &KafkaError, record: &NewRecord) -> Delivery {
    let bytes = record.value.as_ref().map_or(0, |value| value.len());
    Delivery::failed(send_failure(error, &record.target, bytes))
}

fn is_fatal(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal)
}
