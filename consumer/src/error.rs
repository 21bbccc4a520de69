//! Why the consumer cannot start or go on.

use runtime::http::ListenError;

/// Why the consumer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value of the configuration makes no sense.
    #[error("configuration of the consumer: {0}")]
    Config(String),
    /// The port is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Why the consumer stopped before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log ended the membership.
    #[error("the log ended the membership of the group")]
    MembershipEnded,
    /// A task that held lines is gone. They are not committed and are read again after a restart.
    #[error("the task that writes {0} died")]
    LaneDied(String),
}
