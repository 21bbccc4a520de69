//! How many writes a shard takes at once, when it is to be left alone, and since when it fails.

use crate::core::{Aimd, Change, Reason};
use crate::metrics::Metrics;
use influx::{Retry, WriteVerdict};
use model::ShardId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A shard may ask for more patience than this; it is asked again after this time all the same.
const MOST_ASKED: Duration = Duration::from_secs(300);

/// The gate of one shard. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shard: ShardId,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Debug)]
struct State {
    aimd: Aimd,
    in_flight: usize,
    /// Permits that are to vanish when writes come back.
    debt: usize,
    /// When the shard wants to be asked again.
    resume_at: Option<Instant>,
    /// When it was first found not to answer, and has not answered since.
    failing_since: Option<Instant>,
}

/// The right to one write. Dropping it says nothing about the shard.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Gate,
    round: u64,
    began: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    pub(crate) fn new(shard: ShardId, most: usize, metrics: Metrics) -> Self {
        let aimd = Aimd::new(most);
        metrics.concurrency(shard.as_str(), aimd.limit());
        Self(Arc::new(Inner {
            shard,
            permits: Arc::new(Semaphore::new(aimd.limit())),
            state: Mutex::new(State {
                aimd,
                in_flight: 0,
                debt: 0,
                resume_at: None,
                failing_since: None,
            }),
            metrics,
        }))
    }

    /// Waits until the shard may be written to. `spread` is added to a wait that the shard asked for,
    /// so that its lanes do not come back in step.
    pub(crate) async fn enter(&self, spread: Duration) -> Result<Pass, AcquireError> {
        loop {
            let permit = Arc::clone(&self.0.permits).acquire_owned().await?;
            match self.admit() {
                Ok(round) => {
                    return Ok(Pass {
                        gate: self.clone(),
                        round,
                        began: Instant::now(),
                        permit: Some(permit),
                    });
                }
                Err(until) => {
                    drop(permit);
                    tokio::time::sleep_until(until + spread).await;
                }
            }
        }
    }

    /// Counts a write in, or says when to ask again.
    fn admit(&self) -> Result<u64, Instant> {
        let mut state = self.state();
        match state.resume_at.filter(|at| *at > Instant::now()) {
            Some(until) => Err(until),
            None => {
                state.in_flight += 1;
                Ok(state.aimd.round())
            }
        }
    }

    /// For how long the shard has not answered at all.
    pub(crate) fn failing_for(&self) -> Option<Duration> {
        self.state().failing_since.map(|since| since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        let shard = &self.0.shard;
        tracing::info!(%shard, %change, "writes at once");
        self.0.metrics.concurrency(shard.as_str(), change.to);
        self.0
            .metrics
            .concurrency_changed(shard.as_str(), change.reason.label());
    }
}

impl Pass {
    /// What the shard answered.
    pub(crate) fn answered(self, verdict: &WriteVerdict) {
        let mut state = self.gate.state();
        let change = match verdict {
            WriteVerdict::Later { why, after, .. } => match strain(*why) {
                Some(reason) => {
                    if let Some(after) = after {
                        let at = Instant::now() + (*after).min(MOST_ASKED);
                        state.resume_at = Some(state.resume_at.map_or(at, |old| old.max(at)));
                    }
                    state.failing_since.get_or_insert(self.began);
                    state.aimd.strained(self.round, reason)
                }
                // It answers, if not as wanted.
                None => {
                    state.failing_since = None;
                    None
                }
            },
            // A missing bucket is the tenant's matter, not the shard's.
            WriteVerdict::NoBucket { .. } => {
                state.failing_since = None;
                None
            }
            _ => {
                state.failing_since = None;
                let in_flight = state.in_flight;
                state.aimd.coped(in_flight)
            }
        };
        if let Some(change) = change {
            if change.to > change.from {
                let grown = change.to - change.from;
                let paid = grown.min(state.debt);
                state.debt -= paid;
                self.gate.0.permits.add_permits(grown - paid);
            } else {
                let gone = change.from - change.to;
                state.debt += gone - self.gate.0.permits.forget_permits(gone);
            }
        }
        drop(state);
        self.gate.changed(change);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.in_flight -= 1;
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

/// Whether an answer says that the shard has too much to do or is not there; others are about a token
/// or a setting.
pub(crate) fn strain(why: Retry) -> Option<Reason> {
    match why {
        Retry::Unreachable => Some(Reason::Unreachable),
        Retry::Busy => Some(Reason::Busy),
        Retry::Failed => Some(Reason::Failed),
        Retry::Unauthorized | Retry::Misconfigured => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let metrics = Metrics::register(&runtime::Metrics::new());
        Gate::new(ShardId::parse("s1").unwrap(), 8, metrics)
    }

    fn busy(after: Option<Duration>) -> WriteVerdict {
        WriteVerdict::Later {
            why: Retry::Busy,
            after,
            reason: String::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_writes_pass_while_the_shard_is_busy_and_more_when_it_copes() {
        let gate = gate();
        let mut passes = Vec::new();
        for _ in 0..8 {
            passes.push(gate.enter(Duration::ZERO).await.unwrap());
        }
        for pass in passes.drain(..) {
            pass.answered(&busy(None));
        }
        for _ in 0..4 {
            passes.push(gate.enter(Duration::ZERO).await.unwrap());
        }
        let fifth = tokio::time::timeout(Duration::from_secs(1), gate.enter(Duration::ZERO)).await;
        assert!(fifth.is_err(), "all 8 were of one round");
        assert!(gate.failing_for().is_some());
        for pass in passes.drain(..) {
            pass.answered(&WriteVerdict::Stored);
        }
        assert_eq!(gate.failing_for(), None);
        // One good round of four at the limit, though the later ones of it were fewer in flight.
        for _ in 0..12 {
            let mut four = Vec::new();
            for _ in 0..4 {
                four.push(gate.enter(Duration::ZERO).await.unwrap());
            }
            for pass in four {
                pass.answered(&WriteVerdict::Stored);
            }
        }
        assert!(gate.state().aimd.limit() > 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_that_asks_to_be_left_alone_is() {
        let gate = gate();
        let pass = gate.enter(Duration::ZERO).await.unwrap();
        pass.answered(&busy(Some(Duration::from_secs(7))));
        let before = Instant::now();
        gate.enter(Duration::from_secs(1)).await.unwrap();
        assert_eq!(before.elapsed(), Duration::from_secs(8));
    }
}
