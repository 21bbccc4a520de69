//! Why the evaluator does not start, and why it stops one partition.

use crate::core::RestoreError;
use model::Timestamp;
use runtime::http::ListenError;
use stream::{StreamError, TopicPartition};

/// Why the evaluator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration does not fit together.
    #[error("evaluator configuration `{key}` {reason}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// Its address is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The token of operators cannot be read.
    #[error(transparent)]
    Token(#[from] runtime::secret::SecretError),
}

/// Why a partition is not evaluated any more. Others go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartitionError {
    /// The log was recreated or cut.
    #[error(
        "{source_partition} ends at {end}, below offset {known} that was evaluated: the topic was \
         recreated or has lost records; a recreated topic needs a new incarnation"
    )]
    LogEndsBelow {
        /// The partition.
        source_partition: TopicPartition,
        /// The next offset that it would give.
        end: i64,
        /// The next offset that evaluation needs.
        known: i64,
    },
    /// The saved state cannot be taken up.
    #[error("the saved state cannot be taken up: {0}")]
    Restore(#[from] RestoreError),
    /// The log refuses for good.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl PartitionError {
    /// The word in a metric's label.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::LogEndsBelow { .. } => "log_ends_below_checkpoint",
            Self::Restore(_) => "restore",
            Self::Stream(_) => "log",
        }
    }
}

/// Why a log cannot be evaluated afresh.
#[derive(Debug, thiserror::Error)]
pub enum FreshError {
    /// It cannot be read.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The topic is no tenant's.
    #[error("{0} is no partition of a tenant's topic")]
    NoInput(TopicPartition),
    /// Two events of one id have different bytes: evaluation is not a function of its log.
    #[error("event {id} was found twice with different bytes, last at {at:?}")]
    Differs {
        /// The event's id.
        id: model::EventId,
        /// The grid point that decided the second.
        at: Timestamp,
    },
}
