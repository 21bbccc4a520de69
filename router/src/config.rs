//! Configuration of the router.

use crate::core::limits::Limits;
use crate::error::StartError;
use model::Span;
use runtime::tls::TlsConfig;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use stream::KafkaConfig;

/// Of the time for an acknowledgement, what stays for the answer.
const ANSWER_MS: i64 = 200;
/// The shortest time in which a broker can acknowledge at all.
const SHORTEST_MS: i64 = 500;

/// Configuration of the router.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where agents write, and where health and metrics are.
    pub listen: SocketAddr,
    /// Certificate and key with which `listen` is encrypted; none: it speaks in the clear.
    pub tls: Option<TlsConfig>,
    /// The largest body as it is sent, in bytes.
    pub body_bytes: usize,
    /// The largest body after decompression, in bytes.
    pub body_unpacked_bytes: usize,
    /// The longest line, in bytes. A longer one is refused and the others are taken.
    pub line_bytes: usize,
    /// The most tags of a line.
    pub line_tags: usize,
    /// Bytes of line protocol that a tenant may send in a second; none for any number.
    pub bytes_per_s: Option<u64>,
    /// Lines that a tenant may send in a second; none for any number.
    pub points_per_s: Option<u64>,
    /// Different series that a tenant may send within `series_window`; lines of more are refused.
    pub series: usize,
    /// How long a series counts after its last line.
    #[serde(with = "runtime::config::span")]
    pub series_window: Span,
    /// For how long a tenant may run ahead of its rates.
    #[serde(with = "runtime::config::span")]
    pub burst: Span,
    /// Routers behind the load balancer; each lets its part of a tenant's rates through.
    pub routers: u32,
    /// How long a line may wait for others of its partition, to share a record.
    #[serde(with = "runtime::config::span")]
    pub pack_within: Span,
    /// Bytes that the process may hold at once: bodies, open records, and what waits for the log. Over it requests
    /// are answered 429. A tenant alone gets half of them, and a body may be an eighth of them.
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
            tls: None,
            body_bytes: 10 << 20,
            body_unpacked_bytes: 32 << 20,
            line_bytes: 64 << 10,
            line_tags: 64,
            bytes_per_s: None,
            points_per_s: None,
            series: 1_000_000,
            series_window: Span::from_secs(3600),
            burst: Span::from_secs(10),
            routers: 1,
            pack_within: Span::from_millis(50),
            in_flight_bytes: 256 << 20,
            in_flight_requests: 1024,
            // Below the two seconds within which an agent shall know that the broker is gone.
            acknowledge_within: Span::from_millis(1800),
            body_within: Span::from_secs(10),
            read: ReadConfig::default(),
        }
    }
}

impl Config {
    /// Keys that a reload changes while the router runs; the others need a restart.
    pub const LIVE: [&str; 9] = [
        "body_bytes",
        "body_unpacked_bytes",
        "line_bytes",
        "line_tags",
        "bytes_per_s",
        "points_per_s",
        "series",
        "burst",
        "routers",
    ];

    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), StartError> {
        let refuse = |key, reason: &str| {
            Err(StartError::Config {
                key,
                reason: reason.to_owned(),
            })
        };
        if self.body_unpacked_bytes < self.body_bytes {
            return refuse("body_unpacked_bytes", "must not be less than body_bytes");
        }
        if self.largest_body() < self.body_unpacked_bytes {
            return refuse(
                "in_flight_bytes",
                "must be at least eight times body_unpacked_bytes",
            );
        }
        if self.line_bytes == 0 || self.line_bytes > crate::core::message::RECORD_BYTES {
            return refuse("line_bytes", "must be 1 to 524288, the size of a record");
        }
        if self.read.queries == 0 {
            return refuse("read.queries", "must be at least 1");
        }
        if self.in_flight_requests < 2 {
            return refuse(
                "in_flight_requests",
                "must be at least 2: a tenant gets half",
            );
        }
        if self.routers == 0 {
            return refuse("routers", "must be at least 1");
        }
        Ok(())
    }

    /// What a tenant may write whose declaration says nothing.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            bytes_per_s: self.bytes_per_s,
            points_per_s: self.points_per_s,
            series: self.series,
            line_bytes: self.line_bytes,
            line_tags: self.line_tags,
            body_bytes: self.body_bytes,
            body_unpacked_bytes: self.body_unpacked_bytes,
        }
    }

    /// The settings of a Kafka client that appends for the router: a record that is not acknowledged when its requests
    /// are answered 503 is given up, so that it comes late by little or not at all, and the client's queue holds as
    /// much as the router may.
    #[must_use]
    pub fn producer(&self, kafka: &KafkaConfig) -> KafkaConfig {
        let left = self.acknowledge_within.as_millis() - self.pack_within.as_millis();
        let left = Span::from_millis((left - ANSWER_MS).max(SHORTEST_MS));
        KafkaConfig {
            delivery_timeout: kafka.delivery_timeout.min(left),
            queue_bytes: u32::try_from(self.in_flight_bytes).unwrap_or(u32::MAX),
            ..kafka.clone()
        }
    }

    /// The largest body that the process can take from one tenant: beside it stand its packed form and its lines in
    /// nanoseconds, and all of that must fit into the half that a tenant alone gets.
    pub(crate) fn largest_body(&self) -> usize {
        self.in_flight_bytes / 8
    }
}
