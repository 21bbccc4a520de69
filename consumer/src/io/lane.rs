//! One chunk on its way to one shard: sent until every line is stored or dead-lettered.

use super::deadletter::{DeadLetter, DeadLetters};
use super::event::{Outcome, Report};
use super::shards::{Entry, Shards};
use crate::core::{Backoff, Bisection, Chunk, Refusal};
use crate::metrics::Metrics;
use influx::{Payload, Shard, WriteVerdict};
use model::{ShardId, TenantId};
use runtime::Clock;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use stream::TopicPartition;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What every lane uses. A cheap handle.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) shards: watch::Receiver<Arc<Shards>>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) backoff: Backoff,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
}

/// One chunk and where it goes.
pub(crate) struct Job {
    pub(crate) part: u64,
    pub(crate) lane: usize,
    pub(crate) source: TopicPartition,
    pub(crate) tenant: TenantId,
    pub(crate) shard: ShardId,
    pub(crate) chunk: Chunk,
    pub(crate) stop: CancellationToken,
}

/// Why a write has to be repeated.
#[derive(Clone, Copy)]
enum Why {
    NoBucket,
    Shard(influx::Retry),
}

impl Why {
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
    Gone,
}

/// Reports that the task is gone, unless it has reported itself.
pub(crate) struct Watch {
    reports: mpsc::UnboundedSender<Report>,
    what: Option<String>,
}

impl Watch {
    pub(crate) fn new(reports: mpsc::UnboundedSender<Report>, what: String) -> Self {
        Self {
            reports,
            what: Some(what),
        }
    }

    /// The task has come to an end of its own.
    pub(crate) fn done(mut self) {
        self.what = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(what) = self.what.take() {
            // Without a loop there is nobody to tell.
            drop(self.reports.send(Report::Died(what)));
        }
    }
}

impl Job {
    /// Runs to the end and reports it.
    pub(crate) async fn run(self, tools: Tools) {
        let what = format!("{} to shard `{}`", self.source, self.shard);
        let watch = Watch::new(tools.reports.clone(), what);
        let (part, lane, stop) = (self.part, self.lane, self.stop.clone());
        let outcome = stop.run_until_cancelled(self.deliver(&tools)).await;
        watch.done();
        let outcome = outcome.unwrap_or(Outcome::Stopped);
        drop(tools.reports.send(Report::Lane {
            part,
            lane,
            outcome,
        }));
    }

    async fn deliver(self, tools: &Tools) -> Outcome {
        let mut bisection = Bisection::new(self.chunk.len());
        let (mut dead, mut letters) = (Vec::new(), Vec::new());
        while let Some(lines) = bisection.current() {
            match self.send(lines.clone(), tools).await {
                Answer::Taken => bisection.taken(),
                Answer::Named(bad) => {
                    for bad in bad {
                        let line = lines.start + bad.line;
                        dead.push(line);
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
                        dead.push(line);
                        letters.push(self.letter(line, kind, reason));
                    }
                }
                // What was stored already is stored again elsewhere, where its readers will look
                // for it.
                Answer::Gone => return Outcome::Homeless(self.chunk),
            }
        }
        tools.dead_letters.write(letters).await;
        let fates = self.chunk.fates(&dead, self.chunk.len());
        let stored = self.chunk.len() - dead.len();
        tools.metrics.stored(&self.tenant, stored as u64);
        Outcome::Done(fates)
    }

    fn letter(&self, line: usize, kind: &'static str, reason: String) -> DeadLetter {
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
        let payload = Payload::new(self.chunk.slice(lines.clone()), lines.len());
        let mut shards = tools.shards.clone();
        let mut attempt = 0;
        // Dropped with the first answer that no person is needed for, or with the lane.
        let mut paused = None;
        loop {
            let Some(entry) = shards.borrow_and_update().get(&self.shard).cloned() else {
                return Answer::Gone;
            };
            let (why, after, reason) = match self.write(&entry, &payload, tools).await {
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
            let wait = tools.backoff.delay(attempt, after, random());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
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

    /// One request. Where the bucket is missing it is made, and the request repeated at once.
    async fn write(&self, entry: &Entry, payload: &Payload, tools: &Tools) -> WriteVerdict {
        let shard = match &entry.shard {
            Ok(shard) => shard,
            Err(reason) => return misconfigured(reason.clone()),
        };
        let spread = tools
            .backoff
            .first
            .mul_f64((random() % 1024) as f64 / 256.0);
        let Ok(pass) = entry.gate.enter(spread).await else {
            return misconfigured("the shard is closed".to_owned());
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
        verdict
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
        let why = match why {
            Why::NoBucket => "no_bucket",
            Why::Shard(why) => why.label(),
        };
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
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
