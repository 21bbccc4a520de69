//! Configuration of the router.

use model::Span;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Configuration of the router.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where agents write, and where health and metrics are.
    pub listen: SocketAddr,
    /// The largest body as it is sent, in bytes.
    pub body_bytes: usize,
    /// The largest body after decompression, in bytes.
    pub body_unpacked_bytes: usize,
    /// The longest line, in bytes. A longer one is refused and the others are taken.
    pub line_bytes: usize,
    /// The most tags of a line.
    pub line_tags: usize,
    /// Bytes of unpacked bodies that may be under way at once; over it requests are answered 429.
    pub in_flight_bytes: usize,
    /// Requests that may be under way at once; over it they are answered 429.
    pub in_flight_requests: usize,
    /// How long the log may take to acknowledge before the request is answered 503.
    #[serde(with = "runtime::config::span")]
    pub acknowledge_within: Span,
    /// How long a request may take to arrive; a slower one is answered 408.
    #[serde(with = "runtime::config::span")]
    pub body_within: Span,
    /// The way of readers: InfluxQL and Flux to the shards.
    pub read: ReadConfig,
}

/// The way of readers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadConfig {
    /// Queries that may be under way at once; over it they are answered 429.
    pub queries: usize,
    /// How long a shard may take for a query.
    #[serde(with = "runtime::config::span")]
    pub within: Span,
    /// The longest query, in bytes.
    pub query_bytes: usize,
    /// Bytes of the answers of several shards that are put together; an answer of one shard is passed on as it
    /// comes, of any length.
    pub answer_bytes: usize,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            queries: 64,
            within: Span::from_secs(60),
            query_bytes: 1 << 20,
            answer_bytes: 32 << 20,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8186)),
            body_bytes: 10 << 20,
            body_unpacked_bytes: 32 << 20,
            line_bytes: 64 << 10,
            line_tags: 64,
            in_flight_bytes: 128 << 20,
            in_flight_requests: 1024,
            // Below the two seconds within which an agent shall know that the broker is gone.
            acknowledge_within: Span::from_millis(1800),
            body_within: Span::from_secs(10),
            read: ReadConfig::default(),
        }
    }
}
