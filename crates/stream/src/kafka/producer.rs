//! Sends records: idempotent, acknowledged by all in-sync replicas, each answered by its delivery
//! report.

use super::client::{log, number, said, send_failure};
use super::config::KafkaConfig;
use super::credentials::{Credentials, keyed};
use super::leaders::Unanswered;
use crate::{Appended, Delivery, NewRecord, StreamError, TopicPartition};
use model::Timestamp;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders, Timestamp as Stamp};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use runtime::Clock;
use runtime::clock::Stopwatch;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// What waits for a delivery report.
pub(super) struct Pending {
    answer: oneshot::Sender<Result<Appended, StreamError>>,
    target: TopicPartition,
    bytes: usize,
}

/// Which partitions are silent, as the sender and the delivery reports know it.
struct Silence {
    since: Stopwatch,
    unanswered: Mutex<Unanswered>,
}

impl Silence {
    fn note<T>(&self, note: impl FnOnce(&mut Unanswered, Duration) -> T) -> T {
        let mut unanswered = self
            .unanswered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        note(&mut unanswered, self.since.elapsed())
    }
}

pub(super) struct Reports(Arc<Silence>);

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
        let given_up = matches!(
            outcome,
            Err(StreamError::NotAcknowledged { .. } | StreamError::Unreachable { .. })
        );
        self.0
            .note(|unanswered, now| unanswered.answered(&pending.target, given_up, now));
        // Who no longer waits for the delivery needs no answer.
        pending.answer.send(outcome).unwrap_or_default();
    }
}

pub(super) type Inner = ThreadedProducer<Reports>;

/// The one producer of the process.
pub(super) struct Sender {
    config: KafkaConfig,
    credentials: Arc<Credentials>,
    silence: Arc<Silence>,
    producer: RwLock<Arc<Inner>>,
}

impl Sender {
    pub(super) fn new(
        config: &KafkaConfig,
        clock: &Clock,
        credentials: &Arc<Credentials>,
    ) -> Result<Self, StreamError> {
        let silence = Arc::new(Silence {
            since: clock.stopwatch(),
            unanswered: Mutex::default(),
        });
        Ok(Self {
            config: config.clone(),
            credentials: Arc::clone(credentials),
            producer: RwLock::new(make(config, credentials, &silence)?),
            silence,
        })
    }

    /// Asks what nobody has answered yet.
    pub(super) fn unanswered<T>(&self, ask: impl FnOnce(&mut Unanswered, Duration) -> T) -> T {
        self.silence.note(ask)
    }

    pub(super) fn send(&self, record: NewRecord) -> Delivery {
        let producer = self.producer();
        match self.enqueue(&producer, &record) {
            Err(error) if is_fatal(&error) => {
                self.replace(&producer, &error);
                match self.enqueue(&self.producer(), &record) {
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

    /// Noted before it is sent: the report may come at once.
    fn enqueue(&self, producer: &Inner, record: &NewRecord) -> Result<Delivery, KafkaError> {
        let target = &record.target;
        self.silence
            .note(|unanswered, now| unanswered.sent(target, now));
        let sent = enqueue(producer, record);
        if sent.is_err() {
            self.silence
                .note(|unanswered, now| unanswered.answered(target, true, now));
        }
        sent
    }

    /// The producer of now.
    pub(super) fn producer(&self) -> Arc<Inner> {
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
        match make(&self.config, &self.credentials, &self.silence) {
            Ok(fresh) => *producer = fresh,
            Err(error) => tracing::error!(%error, "the producer cannot be made anew"),
        }
    }
}

fn make(
    config: &KafkaConfig,
    credentials: &Credentials,
    silence: &Arc<Silence>,
) -> Result<Arc<Inner>, StreamError> {
    let reports = Reports(Arc::clone(silence));
    let made = ThreadedProducer::from_config_and_context(&config.producer()?, reports);
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
