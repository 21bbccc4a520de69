//! Lines on their way to one shard: sent until each is stored or dead-lettered, or the shard is dead.

use super::deadletter::DeadLetter;
use super::gate::{Gate, strain};
use super::lane::Tools;
use super::shards::Entry;
use crate::core::{Bisection, Chunk, Refusal};
use influx::{Payload, Shard, WriteVerdict};
use model::{ShardId, TenantId};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Range;
use std::time::Duration;
use stream::TopicPartition;
use tokio::time::Instant;

/// How often a shard that fails is looked at while a write waits for it.
const LOOK: Duration = Duration::from_secs(1);

/// A chunk and where it goes.
pub(crate) struct Delivery {
    pub(crate) source: TopicPartition,
    pub(crate) tenant: TenantId,
    pub(crate) shard: ShardId,
    pub(crate) chunk: Chunk,
    /// How long the shard may fail before its lines are handed off; none to wait for it.
    pub(crate) patience: Option<Duration>,
}

/// How far a delivery came.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// Lines that can never be stored, and are in the dead-letter topic now. Rising.
    pub(crate) dead: Vec<usize>,
    /// The first line that has no fate, and why.
    pub(crate) left: Option<(usize, Left)>,
}

/// Why lines were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The shard is dead.
    Dead,
    /// The shard is not in the catalogue any more.
    Gone,
}

/// Why a write has to be repeated.
#[derive(Clone, Copy)]
enum Why {
    NoBucket,
    Shard(influx::Retry),
}

impl Why {
    fn label(self) -> &'static str {
        match self {
            Self::NoBucket => "no_bucket",
            Self::Shard(why) => why.label(),
        }
    }

    fn needs_a_person(self) -> bool {
        match self {
            Self::NoBucket => true,
            Self::Shard(why) => why.needs_a_person(),
        }
    }
}

/// What the store finally said to a range of lines.
enum Answer {
    Taken,
    /// Taken but for these lines of the range.
    Named(Vec<influx::BadLine>),
    Refused {
        refusal: Refusal,
        kind: &'static str,
        reason: String,
    },
    Left(Left),
}

impl Delivery {
    /// Writes to the shard itself.
    pub(crate) async fn write(&self, tools: &Tools) -> Delivered {
        let mut bisection = Bisection::new(self.chunk.len());
        let (mut delivered, mut letters) = (Delivered::default(), Vec::new());
        while let Some(lines) = bisection.current() {
            match self.send(lines.clone(), tools).await {
                Answer::Taken => bisection.taken(),
                Answer::Named(bad) => {
                    for bad in bad {
                        let line = lines.start + bad.line;
                        delivered.dead.push(line);
                        letters.push(self.letter(line, "refused", bad.reason));
                    }
                    bisection.named();
                }
                Answer::Refused {
                    refusal,
                    kind,
                    reason,
                } => {
                    if let Some(line) = bisection.refused(refusal) {
                        delivered.dead.push(line);
                        letters.push(self.letter(line, kind, reason));
                    }
                }
                // The ranges come in the order of the lines: all before this one have their fate.
                Answer::Left(left) => {
                    delivered.left = Some((lines.start, left));
                    break;
                }
            }
        }
        tools.dead_letters.write(letters).await;
        let done = delivered.left.map_or(self.chunk.len(), |(line, _)| line);
        let stored = done - delivered.dead.len();
        tools.metrics.stored(&self.tenant, stored as u64);
        delivered
    }

    pub(crate) fn letter(&self, line: usize, kind: &'static str, reason: String) -> DeadLetter {
        let (origin, line) = self.chunk.line(line);
        DeadLetter {
            source: self.source.clone(),
            offset: origin.offset,
            number: origin.number,
            shard: Some(self.shard.to_string()),
            line,
            kind,
            reason,
        }
    }

    /// Sends a range of lines until the store has a final word on it.
    async fn send(&self, lines: Range<usize>, tools: &Tools) -> Answer {
        let payload = Payload::of(self.chunk.pieces(lines.clone()), lines.len());
        let mut shards = tools.shards.clone();
        let (mut attempt, began) = (0, Instant::now());
        // Dropped with the first answer that no person is needed for, or with the lane.
        let mut paused = None;
        loop {
            let Some(entry) = shards.borrow_and_update().get(&self.shard).cloned() else {
                return Answer::Left(Left::Gone);
            };
            let Some(verdict) = self.write_to(&entry, &payload, tools).await else {
                return Answer::Left(Left::Dead);
            };
            let (why, after, reason) = match verdict {
                WriteVerdict::Stored => return Answer::Taken,
                WriteVerdict::Named { bad } => return Answer::Named(bad),
                WriteVerdict::Partial { reason } => {
                    return Answer::refused(Refusal::Lines, "refused", reason);
                }
                WriteVerdict::Rejected { reason } => {
                    return Answer::refused(Refusal::Lines, "unparseable", reason);
                }
                WriteVerdict::TooLarge { reason } => {
                    return Answer::refused(Refusal::Size, "too_large", reason);
                }
                WriteVerdict::NoBucket { reason } => (Why::NoBucket, None, reason),
                WriteVerdict::Later { why, after, reason } => (Why::Shard(why), after, reason),
            };
            attempt += 1;
            self.complain(attempt, why, &reason, tools);
            if !why.needs_a_person() {
                paused = None;
            } else if paused.is_none() {
                paused = Some(tools.metrics.paused_lane());
            }
            // A token or a setting is for a person: the lane waits for that one.
            let strained = matches!(why, Why::Shard(why) if strain(why).is_some());
            let lasts = |patience: Duration| began.elapsed() >= patience;
            if strained && self.patience.is_some_and(lasts) {
                return Answer::Left(Left::Dead);
            }
            let wait = tools.backoff.delay(attempt, after, random());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.until_dead(&entry.gate) => return Answer::Left(Left::Dead),
                // Another address or token may be what it takes; the first wait is kept all the
                // same.
                changed = shards.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    tokio::time::sleep(tools.backoff.first).await;
                }
            }
        }
    }

    /// Waits until the shard has failed for longer than this delivery waits for it.
    async fn until_dead(&self, gate: &Gate) {
        let Some(patience) = self.patience else {
            return std::future::pending().await;
        };
        while gate.failing_for().is_none_or(|lasts| lasts < patience) {
            let left = patience.saturating_sub(gate.failing_for().unwrap_or_default());
            tokio::time::sleep(left.clamp(Duration::from_millis(10), LOOK)).await;
        }
    }

    /// One request. Where the bucket is missing it is made, and the request repeated at once.
    /// None when the shard was found dead before its turn came.
    async fn write_to(
        &self,
        entry: &Entry,
        payload: &Payload,
        tools: &Tools,
    ) -> Option<WriteVerdict> {
        let shard = match &entry.shard {
            Ok(shard) => shard,
            Err(reason) => return Some(misconfigured(reason.clone())),
        };
        let spread = tools
            .backoff
            .first
            .mul_f64((random() % 1024) as f64 / 256.0);
        let pass = tokio::select! {
            biased;
            pass = entry.gate.enter(spread) => pass,
            () = self.until_dead(&entry.gate) => return None,
        };
        let Ok(pass) = pass else {
            return Some(misconfigured("the shard is closed".to_owned()));
        };
        let verdict = match self.write_once(shard, payload, tools).await {
            WriteVerdict::NoBucket { .. } => {
                let retention = tools.shards.borrow().retention(&self.tenant);
                match shard.ensure_bucket(self.tenant.as_str(), retention).await {
                    Ok(()) => self.write_once(shard, payload, tools).await,
                    Err(error) => WriteVerdict::NoBucket {
                        reason: error.to_string(),
                    },
                }
            }
            other => other,
        };
        pass.answered(&verdict);
        Some(verdict)
    }

    async fn write_once(&self, shard: &Shard, payload: &Payload, tools: &Tools) -> WriteVerdict {
        let took = tools.clock.stopwatch();
        let verdict = shard.write_payload(self.tenant.as_str(), payload).await;
        tools
            .metrics
            .write_seconds
            .observe(took.elapsed().as_secs_f64());
        verdict
    }

    fn complain(&self, attempt: u32, why: Why, reason: &str, tools: &Tools) {
        let needs_a_person = why.needs_a_person();
        let why = why.label();
        tools.metrics.retry(self.shard.as_str(), why);
        // The first time, and then ever more seldom, so that an outage does not fill the log.
        if !attempt.is_power_of_two() {
            return;
        }
        let (shard, source) = (&self.shard, &self.source);
        if needs_a_person {
            tracing::error!(%shard, %source, attempt, why, reason, "a person must act");
        } else {
            tracing::warn!(%shard, %source, attempt, why, reason, "write failed and is repeated");
        }
    }
}

impl Answer {
    fn refused(refusal: Refusal, kind: &'static str, reason: String) -> Self {
        Self::Refused {
            refusal,
            kind,
            reason,
        }
    }
}

fn misconfigured(reason: String) -> WriteVerdict {
    WriteVerdict::Later {
        why: influx::Retry::Misconfigured,
        after: None::<Duration>,
        reason,
    }
}

/// A number that differs between lanes and processes; nothing secret hangs on it.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
