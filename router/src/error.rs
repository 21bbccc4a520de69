//! Why the router could not start.

/// Why the router could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value of the configuration cannot be worked with.
    #[error("configuration key `router.{key}`: {reason}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] runtime::http::ListenError),
}
