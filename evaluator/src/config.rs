//! What an operator can set of the evaluator.

use crate::error::StartError;
use model::Span;
use runtime::tls::TlsConfig;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Configuration of the evaluator. Every key has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where `/livez`, `/readyz` and `/metrics` are served; none where another service of the
    /// process does.
    pub listen: Option<SocketAddr>,
    /// Certificate and key with which `listen` is encrypted; none: it speaks in the clear.
    pub tls: Option<TlsConfig>,
    /// File with the token that `bongsu template explain` shows; left out, only callers of the same
    /// machine are answered.
    pub operator_token_file: Option<PathBuf>,
    /// Name of a member that comes back under the same name, such as the pod's; none for members
    /// that scale.
    pub instance: Option<String>,
    /// How long a member may be silent before its partitions go to others.
    #[serde(with = "runtime::config::span")]
    pub session_timeout: Span,
    /// How long partitions that are given back may take to write what they hold; less than the
    /// session time-out.
    #[serde(with = "runtime::config::span")]
    pub drain: Span,
    /// A changed part is written at the latest after this time; at most 5 minutes. Less is a
    /// quicker restart, more is fewer bytes of state.
    #[serde(with = "runtime::config::span")]
    pub state_interval: Span,
    /// Bytes of state that this process writes a second, all its partitions together: where there is more, a changed part
    /// waits longer than `state_interval`, up to 5 minutes.
    pub state_bytes_per_second: usize,
    /// Bytes of state that a partition has in flight.
    pub state_chunk_bytes: usize,
    /// Bytes of points that may wait for one partition before its reading is paused.
    pub queue_bytes: usize,
    /// Alert events of one partition that may wait for their acknowledgement before its evaluation
    /// pauses.
    pub events_in_flight: usize,
    /// Bytes of points that may wait inside the client library, all partitions together.
    pub prefetch_bytes: usize,
    /// How often a partition says that it has caught up: the notifier's `watch.blind_after` is at least twice as long.
    #[serde(with = "runtime::config::span")]
    pub caught_up_every: Span,
    /// How often a bundle mark is written again, so that one is always within the log's retention.
    #[serde(with = "runtime::config::span")]
    pub mark_every: Span,
    /// Evaluation that is so far behind the log is a backlog; its end is announced.
    #[serde(with = "runtime::config::span")]
    pub backlog: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 8188))),
            tls: None,
            operator_token_file: None,
            instance: None,
            session_timeout: Span::from_secs(30),
            drain: Span::from_secs(10),
            state_interval: Span::from_secs(5),
            state_bytes_per_second: 4 << 20,
            state_chunk_bytes: 1 << 20,
            queue_bytes: 4 << 20,
            events_in_flight: 1_000,
            prefetch_bytes: 16 << 20,
            caught_up_every: Span::from_secs(45),
            mark_every: Span::from_secs(3_600),
            backlog: Span::from_secs(60),
        }
    }
}

/// The longest that a changed part may wait to be written.
pub(crate) const LONGEST_STATE_INTERVAL: Span = Span::from_secs(300);

impl Config {
    /// Checks what the types do not.
    pub fn check(&self) -> Result<(), StartError> {
        let refuse = |key, reason: String| Err(StartError::Config { key, reason });
        let positive = [
            ("session_timeout", self.session_timeout),
            ("drain", self.drain),
            ("state_interval", self.state_interval),
            ("caught_up_every", self.caught_up_every),
            ("mark_every", self.mark_every),
            ("backlog", self.backlog),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, span)| *span <= Span::ZERO) {
            return refuse(key, "must be longer than 0".to_owned());
        }
        if self.state_interval > LONGEST_STATE_INTERVAL {
            return refuse(
                "state_interval",
                format!("must be at most {LONGEST_STATE_INTERVAL}"),
            );
        }
        if self.drain >= self.session_timeout {
            return refuse(
                "drain",
                format!(
                    "must be shorter than session_timeout, {}",
                    self.session_timeout
                ),
            );
        }
        let counts = [
            ("state_bytes_per_second", self.state_bytes_per_second),
            ("state_chunk_bytes", self.state_chunk_bytes),
            ("queue_bytes", self.queue_bytes),
            ("events_in_flight", self.events_in_flight),
            ("prefetch_bytes", self.prefetch_bytes),
        ];
        match counts.iter().find(|(_, count)| *count == 0) {
            Some((key, _)) => refuse(key, "must be at least 1".to_owned()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_together_is_refused_by_its_key() {
        let with = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().map_err(|error| error.to_string())
        };
        assert!(with(|_| ()).is_ok());
        for (change, key) in [
            (
                (|c| c.state_interval = Span::from_secs(301)) as fn(&mut Config),
                "state_interval",
            ),
            (|c| c.drain = Span::from_secs(30), "drain"),
            (|c| c.mark_every = Span::ZERO, "mark_every"),
            (|c| c.events_in_flight = 0, "events_in_flight"),
            (|c| c.state_bytes_per_second = 0, "state_bytes_per_second"),
        ] {
            let error = with(change).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }
}
