//! What librdkafka says, as ours: its log lines and its error codes.

use crate::{StreamError, TopicPartition};
use model::TopicName;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Passes librdkafka's log lines on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        said(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Quiet {}

/// A log line of librdkafka. What it calls an error is mostly a broker that comes back.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "librdkafka");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(facility, message, "librdkafka");
        }
        _ => tracing::debug!(facility, message, "librdkafka"),
    }
}

/// An error event of a client. Those that matter to a call are answered there.
pub(super) fn said(error: &KafkaError, reason: &str) {
    tracing::debug!(%error, reason, "kafka client");
}

/// The error as callers see it, where no topic is concerned.
pub(super) fn failure(error: &KafkaError) -> StreamError {
    match error.rdkafka_error_code() {
        Some(code) => code_failure(code, &error.to_string()),
        None => StreamError::Unreachable {
            reason: error.to_string(),
        },
    }
}

pub(super) fn code_failure(code: Code, reason: &str) -> StreamError {
    let reason = reason.to_owned();
    match code {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => StreamError::Unauthorized { reason },
        Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::FencedInstanceId
        | Code::RebalanceInProgress
        | Code::StaleMemberEpoch
        | Code::AssignmentLost => StreamError::Fenced { reason },
        Code::MessageTimedOut | Code::PurgeQueue | Code::PurgeInflight => {
            StreamError::NotAcknowledged { reason }
        }
        Code::QueueFull => StreamError::QueueFull,
        _ => StreamError::Unreachable { reason },
    }
}

/// The error as the sender of a record sees it.
pub(super) fn send_failure(
    error: &KafkaError,
    target: &TopicPartition,
    bytes: usize,
) -> StreamError {
    let topic = target.topic.clone();
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => {
            StreamError::TooLarge { topic, bytes }
        }
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
            StreamError::UnknownTopic { topic }
        }
        Some(Code::UnknownPartition) => StreamError::UnknownPartition {
            topic,
            partition: target.partition,
        },
        Some(code @ (Code::InvalidRecord | Code::InvalidTimestamp | Code::InvalidMessage)) => {
            StreamError::Refused {
                topic,
                reason: code.to_string(),
            }
        }
        Some(code) => match code_failure(code, &error.to_string()) {
            // A record that was queued may be stored, whatever the error.
            StreamError::Unreachable { reason } => StreamError::NotAcknowledged { reason },
            other => other,
        },
        None => StreamError::NotAcknowledged {
            reason: error.to_string(),
        },
    }
}

/// Runs a call of librdkafka that blocks.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StreamError> + Send + 'static,
) -> Result<T, StreamError> {
    let ended = tokio::task::spawn_blocking(call).await;
    ended.unwrap_or_else(|error| {
        Err(StreamError::Unreachable {
            reason: format!("a call of the client ended: {error}"),
        })
    })
}

/// A partition as librdkafka names it; none for a topic whose name is not legal.
pub(super) fn partition_of(topic: &str, partition: i32) -> Option<TopicPartition> {
    let topic = TopicName::listed(topic).ok()?;
    Some(TopicPartition::new(topic, u32::try_from(partition).ok()?))
}

/// A partition's number as librdkafka counts. Kafka has none beyond.
pub(super) fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
