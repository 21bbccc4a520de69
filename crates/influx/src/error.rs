//! What can go wrong with a shard apart from writes, whose outcome is a verdict.

use std::path::PathBuf;

/// An error of a shard.
#[derive(Debug, thiserror::Error)]
pub enum InfluxError {
    /// The address is no base URL of an InfluxDB.
    #[error("`{url}` is not the address of an InfluxDB: {reason}")]
    Address {
        /// The address as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be built, for example because the machine has no root certificates.
    #[error("cannot build an HTTP client: {0}")]
    Client(String),
    /// Nobody answers, or not in time.
    #[error("{shard} does not answer: {reason}")]
    Unreachable {
        /// The shard.
        shard: String,
        /// What the client said.
        reason: String,
    },
    /// The server refused what was asked.
    #[error("{shard} refused to {what}: {reason}")]
    Refused {
        /// The shard.
        shard: String,
        /// What was asked of it.
        what: String,
        /// What it said.
        reason: String,
    },
    /// The bucket is missing, and this shard's buckets are made by somebody else.
    #[error(
        "bucket `{bucket}` does not exist on {shard}, and `create_buckets` is off: create it there"
    )]
    NoBucket {
        /// The shard.
        shard: String,
        /// The bucket.
        bucket: String,
    },
    /// An answer could not be read.
    #[error("the answer of {shard} cannot be read: {reason}")]
    Unreadable {
        /// The shard.
        shard: String,
        /// What is wrong.
        reason: String,
    },
    /// The file of the embedded store cannot be used.
    #[error("the embedded metrics store at {} cannot be used: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}
