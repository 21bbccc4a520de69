//! Why the notifier does not start.

use crate::io::channel::ChannelError;
use crate::io::http::SettingsError;
use crate::io::store::StoreError;
use runtime::http::ListenError;

/// Why the notifier does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration contradicts itself.
    #[error("notifier configuration: {0}")]
    Config(String),
    /// Where incidents are kept cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A channel cannot be set up.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The routes cannot be served like this.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The order to stop came first.
    #[error("stopped before it had started")]
    Stopped,
}
