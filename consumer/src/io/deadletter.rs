//! Lines that can never be stored, on their way to `bongsu.deadletter`.

use crate::core::Backoff;
use crate::metrics::Metrics;
use bytes::Bytes;
use model::{TopicName, host_partition};
use stream::{NewRecord, Stream, StreamError, TopicPartition, Verdict};

/// Longest line that is kept whole when the log refuses the record as too large.
const CUT_LINE: usize = 64 * 1024;

/// One line that can never be stored.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    /// Where it was read.
    pub(crate) source: TopicPartition,
    /// Offset of its record.
    pub(crate) offset: i64,
    /// Its line in the record, from 1.
    pub(crate) number: u32,
    /// The shard that refused it; none when it is no line protocol.
    pub(crate) shard: Option<String>,
    /// The line: as it was read, or as it was sent to the store, with a timestamp.
    pub(crate) line: Bytes,
    /// The kind of reason, a label of few values.
    pub(crate) kind: &'static str,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// Writes dead letters. A cheap handle.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    stream: Stream,
    partitions: u32,
    backoff: Backoff,
    metrics: Metrics,
}

impl DeadLetters {
    pub(crate) fn new(stream: Stream, partitions: u32, backoff: Backoff, metrics: Metrics) -> Self {
        Self {
            stream,
            partitions,
            backoff,
            metrics,
        }
    }

    /// Returns when the log has acknowledged all of them, however long that takes. Dropping the
    /// future may leave some written: their keys tell that a later one is a repeat.
    pub(crate) async fn write(&self, letters: Vec<DeadLetter>) {
        let (mut letters, mut attempt) = (letters, 0_u32);
        while !letters.is_empty() {
            if attempt > 0 {
                tokio::time::sleep(self.backoff.delay(attempt, None, u64::from(attempt))).await;
            }
            attempt = attempt.saturating_add(1);
            letters = self.try_write(letters).await;
        }
    }

    /// Sends all at once, and hands back those that were not acknowledged.
    async fn try_write(&self, letters: Vec<DeadLetter>) -> Vec<DeadLetter> {
        let sent: Vec<_> = letters
            .into_iter()
            .map(|letter| (self.stream.send(self.record(&letter)), letter))
            .collect();
        let mut left = Vec::new();
        let mut failed = None;
        for (delivery, mut letter) in sent {
            match delivery.await {
                Ok(_) => self.metrics.dead_letter(letter.kind),
                Err(error) => {
                    if error.verdict() == Verdict::Poison && letter.line.len() > CUT_LINE {
                        letter.reason.push_str(" (the line is cut)");
                        letter.line.truncate(CUT_LINE);
                    }
                    failed = Some(error);
                    left.push(letter);
                }
            }
        }
        if let Some(error) = failed {
            self.complain(&error, left.len());
        }
        left
    }

    fn complain(&self, error: &StreamError, lines: usize) {
        self.metrics.log_error("dead letter");
        tracing::error!(%error, lines, "dead letters were not acknowledged, trying again");
    }

    fn record(&self, letter: &DeadLetter) -> NewRecord {
        let DeadLetter {
            source,
            offset,
            number,
            ..
        } = letter;
        let tenant = source.topic.tenant();
        let tenant = tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let lane = format!("{tenant}/{}", source.partition);
        let target = TopicPartition::new(
            TopicName::deadletter(),
            host_partition(lane.as_bytes(), self.partitions),
        );
        let header = |name: &str, value: String| (name.to_owned(), Bytes::from(value));
        NewRecord {
            target,
            key: Some(format!("{lane}/{offset}/{number}").into()),
            value: Some(letter.line.clone()),
            headers: vec![
                header("tenant", tenant.to_owned()),
                header("topic", source.topic.to_string()),
                header("partition", source.partition.to_string()),
                header("offset", offset.to_string()),
                header("line", number.to_string()),
                header("shard", letter.shard.clone().unwrap_or_default()),
                header("reason", letter.reason.clone()),
            ],
        }
    }
}
