//! How to reach Kafka.

use super::security::Security;
use crate::StreamError;
use model::Span;
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

/// Where the brokers are, and how records are sent.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Some of the brokers, as `host:port`; the others are found through them.
    pub brokers: Vec<String>,
    /// After this a record that no broker acknowledged counts as not sent.
    #[serde(with = "runtime::config::span")]
    pub delivery_timeout: Span,
    /// How long a record waits for others of its partition, to share a request.
    #[serde(with = "runtime::config::span")]
    pub linger: Span,
    /// Compression of what is sent.
    pub compression: Compression,
    /// Bytes that may wait for the brokers; beyond them a record is refused.
    pub queue_bytes: u32,
    /// How connections are protected, and who this process is.
    pub security: Security,
}

/// Compression of records on their way to the brokers and at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// Fast, about half the size.
    Lz4,
    /// Slower, smaller.
    Zstd,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: vec!["localhost:9092".to_owned()],
            delivery_timeout: Span::from_secs(30),
            linger: Span::from_millis(5),
            compression: Compression::None,
            queue_bytes: 64 << 20,
            security: Security::default(),
        }
    }
}

/// New topics and partitions are known after this.
const METADATA_MAX_AGE_MS: &str = "5000";

/// Bytes of one answer of a broker as they travel, compressed. The first batch of a partition comes whole, however large.
const FETCH_BYTES: usize = 256 << 10;
/// Bytes of one partition in it.
const PARTITION_FETCH_BYTES: usize = 128 << 10;

impl KafkaConfig {
    /// A configuration with everything else at its default.
    pub fn new(brokers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            brokers: brokers.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// What every client of ours has in common.
    pub(super) fn client(&self) -> Result<ClientConfig, StreamError> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", "bongsu")
            .set("topic.metadata.refresh.interval.ms", METADATA_MAX_AGE_MS)
            .set("reconnect.backoff.max.ms", "2000")
            // What librdkafka would tell the brokers about itself takes ten histograms for each broker that a client knows,
            // some 300 KB, and nobody asks for it.
            .set("enable.metrics.push", "false");
        self.security.apply(&mut client)?;
        Ok(client)
    }

    pub(super) fn producer(&self) -> Result<ClientConfig, StreamError> {
        let mut client = self.client()?;
        let compression = match self.compression {
            Compression::None => "none",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        };
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set(
                "message.timeout.ms",
                self.delivery_timeout.as_millis().max(1).to_string(),
            )
            .set("linger.ms", self.linger.as_millis().max(0).to_string())
            .set("compression.type", compression)
            .set(
                "queue.buffering.max.kbytes",
                (self.queue_bytes / 1024).max(1).to_string(),
            )
            .set("queue.buffering.max.messages", "1000000")
            // A topic that is not there is said soon; one that was just made is known by then.
            .set("topic.metadata.propagation.max.ms", METADATA_MAX_AGE_MS);
        Ok(client)
    }

    /// A consumer that keeps no offsets by itself and says when one is not in the log.
    pub(super) fn consumer(
        &self,
        group: &str,
        prefetch_bytes: usize,
    ) -> Result<ClientConfig, StreamError> {
        let mut client = self.client()?;
        let kbytes = (prefetch_bytes / 1024).clamp(64, 1 << 20);
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("queued.max.messages.kbytes", kbytes.to_string())
            .set("queued.min.messages", "10000")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "250")
            // An answer is unpacked whole, however much waits already: a large one is many times its size.
            .set("fetch.max.bytes", FETCH_BYTES.to_string())
            // librdkafka wants an answer to be no smaller than this, which bounds only what is sent.
            .set("message.max.bytes", FETCH_BYTES.to_string())
            .set("fetch.message.max.bytes", PARTITION_FETCH_BYTES.to_string())
            .set("fetch.error.backoff.ms", "100");
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_repeat_nothing_and_consumers_keep_no_offsets_by_themselves() {
        let config = KafkaConfig::default();
        let producer = config.producer().unwrap();
        for (key, value) in [("enable.idempotence", "true"), ("acks", "all")] {
            assert_eq!(producer.get(key), Some(value), "{key}");
        }
        let consumer = config.consumer("group", 16 << 20).unwrap();
        for (key, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("queued.min.messages", "10000"),
            ("queued.max.messages.kbytes", "16384"),
            ("fetch.queue.backoff.ms", "10"),
        ] {
            assert_eq!(consumer.get(key), Some(value), "{key}");
        }
    }
}
