//! What can go wrong between a service and its log, and what to do about it.

use model::TopicName;

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass by itself: try again with back-off.
    Transient,
    /// It stays until a person acts: say so, and stop this work.
    Permanent,
    /// This one record can never be taken; the next may.
    Poison,
}

/// An error of the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamError {
    /// No broker answers, or the log's file cannot be written at the moment.
    #[error("the log is unreachable: {reason}")]
    Unreachable {
        /// What the client library or the file system said.
        reason: String,
    },
    /// The record was not acknowledged in time; it may or may not be stored.
    #[error("no acknowledgement within the time allowed: {reason}")]
    NotAcknowledged {
        /// What the client library said.
        reason: String,
    },
    /// The queue to the log is full; nothing was taken.
    #[error("the queue to the log is full")]
    QueueFull,
    /// The topic does not exist.
    #[error("topic `{topic}` does not exist")]
    UnknownTopic {
        /// Its name.
        topic: TopicName,
    },
    /// The partition does not exist.
    #[error("topic `{topic}` has no partition {partition}")]
    UnknownPartition {
        /// Name of the topic.
        topic: TopicName,
        /// The partition asked for.
        partition: u32,
    },
    /// The record is larger than the topic takes.
    #[error("a record of {bytes} bytes is larger than `{topic}` takes")]
    TooLarge {
        /// Name of the topic.
        topic: TopicName,
        /// Size of the record's value.
        bytes: usize,
    },
    /// The record can never be taken, such as one without a key for a compacted topic.
    #[error("`{topic}` refuses the record: {reason}")]
    Refused {
        /// Name of the topic.
        topic: TopicName,
        /// What is wrong with the record.
        reason: String,
    },
    /// Credentials or rights are missing.
    #[error("not authorized: {reason}")]
    Unauthorized {
        /// What the broker said, with the principal and resource where known.
        reason: String,
    },
    /// The offset asked for is no longer, or not yet, in the log.
    #[error(
        "offset {wanted} of {topic}[{partition}] is not in the log, which holds {earliest}..{end}"
    )]
    OffsetOutOfRange {
        /// Name of the topic.
        topic: TopicName,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        wanted: i64,
        /// First offset there is.
        earliest: i64,
        /// Offset that the next record will get.
        end: i64,
    },
    /// The member no longer owns what it tried to commit.
    #[error("the member was fenced: {reason}")]
    Fenced {
        /// What the coordinator said.
        reason: String,
    },
    /// The log itself is damaged or was made by a newer version.
    #[error("the log cannot be used: {reason}")]
    Unusable {
        /// What is wrong and where.
        reason: String,
    },
    /// The handle was closed because the process is stopping.
    #[error("the log is closed")]
    Closed,
}

impl StreamError {
    /// What to do about it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable { .. }
            | Self::NotAcknowledged { .. }
            | Self::QueueFull
            | Self::Fenced { .. } => Verdict::Transient,
            Self::TooLarge { .. } | Self::Refused { .. } => Verdict::Poison,
            Self::UnknownTopic { .. }
            | Self::UnknownPartition { .. }
            | Self::Unauthorized { .. }
            | Self::OffsetOutOfRange { .. }
            | Self::Unusable { .. }
            | Self::Closed => Verdict::Permanent,
        }
    }
}
