//! Configuration of the consumer.

use crate::core::{Backoff, Limits};
use model::Span;
use runtime::config::span;
use runtime::tls::TlsConfig;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How the consumer reads and stores.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
    /// Certificate and key with which `listen` is encrypted; none: it speaks in the clear.
    pub tls: Option<TlsConfig>,
    /// The consumer group.
    pub group: String,
    /// Bytes that may be read and not yet stored, all partitions together.
    pub buffer_bytes: usize,
    /// Bytes that may wait inside the Kafka client beside that.
    pub prefetch_bytes: usize,
    /// Most lines of one write.
    pub batch_lines: usize,
    /// Most bytes of one write, before compression.
    pub batch_bytes: usize,
    /// How long lines may wait for others to share a write.
    #[serde(with = "span")]
    pub linger: Span,
    /// Whether writes are sent in gzip.
    pub gzip: bool,
    /// Most writes in flight to one shard.
    pub writes_per_shard: usize,
    /// Time to connect to a shard.
    #[serde(with = "span")]
    pub connect_timeout: Span,
    /// Time for a whole write.
    #[serde(with = "span")]
    pub write_timeout: Span,
    /// The first wait before a write is repeated; it doubles.
    #[serde(with = "span")]
    pub retry_first: Span,
    /// The longest wait before a write is repeated, unless the shard asks for more.
    #[serde(with = "span")]
    pub retry_most: Span,
    /// Whether lines of a shard that is down wait in `bongsu.handoff.<shard>`, so that they hold no
    /// other shard's.
    pub handoff: bool,
    /// How long a shard may fail before its lines go there.
    #[serde(with = "span")]
    pub handoff_after: Span,
    /// How often offsets are committed, where they have moved.
    #[serde(with = "span")]
    pub commit_every: Span,
    /// How long partitions that go to another member, or a process that stops, may take to finish.
    #[serde(with = "span")]
    pub drain: Span,
    /// How long the group waits for a silent member.
    #[serde(with = "span")]
    pub session_timeout: Span,
    /// How often the lag is measured, and token files are looked at.
    #[serde(with = "span")]
    pub refresh_every: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8187)),
            tls: None,
            group: "bongsu-consumer".to_owned(),
            buffer_bytes: 16 << 20,
            prefetch_bytes: 4 << 20,
            batch_lines: 5_000,
            batch_bytes: 1_000_000,
            linger: Span::from_millis(50),
            gzip: true,
            writes_per_shard: 16,
            connect_timeout: Span::from_secs(5),
            write_timeout: Span::from_secs(30),
            retry_first: Span::from_millis(100),
            retry_most: Span::from_secs(30),
            handoff: true,
            handoff_after: Span::from_secs(30),
            commit_every: Span::from_secs(1),
            drain: Span::from_secs(15),
            session_timeout: Span::from_secs(45),
            refresh_every: Span::from_secs(10),
        }
    }
}

impl Config {
    /// What is wrong with the values, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("linger", self.linger),
            ("connect_timeout", self.connect_timeout),
            ("write_timeout", self.write_timeout),
            ("retry_first", self.retry_first),
            ("retry_most", self.retry_most),
            ("handoff_after", self.handoff_after),
            ("commit_every", self.commit_every),
            ("drain", self.drain),
            ("session_timeout", self.session_timeout),
            ("refresh_every", self.refresh_every),
        ];
        if let Some((key, _)) = positive
            .iter()
            .find(|(_, span)| span.to_std() == Duration::ZERO)
        {
            return Err(format!("`{key}` must be longer than 0"));
        }
        let numbers = [
            ("buffer_bytes", self.buffer_bytes, self.batch_bytes),
            ("prefetch_bytes", self.prefetch_bytes, 1),
            ("batch_lines", self.batch_lines, 1),
            ("batch_bytes", self.batch_bytes, 1_000),
            ("writes_per_shard", self.writes_per_shard, 1),
        ];
        if let Some((key, _, least)) = numbers.iter().find(|(_, number, least)| number < least) {
            return Err(format!("`{key}` must be at least {least}"));
        }
        if self.batch_bytes > 64 << 20 {
            return Err("`batch_bytes` must be at most 64 MiB".to_owned());
        }
        if self.drain >= self.session_timeout {
            return Err("`drain` must be shorter than `session_timeout`".to_owned());
        }
        Ok(())
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            lines: self.batch_lines,
            bytes: self.batch_bytes,
        }
    }

    /// The group of those that drain what waits.
    pub fn handoff_group(&self) -> String {
        format!("{}-handoff", self.group)
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff {
            first: self.retry_first.to_std(),
            most: self.retry_most.to_std(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_fine_and_odd_values_are_named() {
        assert_eq!(Config::default().check(), Ok(()));
        let odd = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err()
        };
        for (error, part) in [
            (odd(|c| c.linger = Span::ZERO), "`linger`"),
            (odd(|c| c.batch_lines = 0), "`batch_lines`"),
            (odd(|c| c.buffer_bytes = 10), "`buffer_bytes`"),
            (odd(|c| c.drain = Span::from_secs(60)), "`drain`"),
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
