//! One chunk of a lane: written to its shard, or behind what waits for that.

use super::deadletter::DeadLetters;
use super::deliver::{Delivered, Delivery, Left};
use super::event::{Outcome, Report};
use super::handoff::{Hand, Handoff};
use super::retention::Retentions;
use super::shards::Shards;
use crate::core::Backoff;
use crate::core::handoff::Next;
use crate::metrics::Metrics;
use runtime::Clock;
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What every lane uses. A cheap handle.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) shards: watch::Receiver<Arc<Shards>>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) backoff: Backoff,
    pub(crate) metrics: Metrics,
    pub(crate) retentions: Retentions,
    pub(crate) clock: Clock,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
    /// Readers beside the groups: each is a Kafka client with threads of its own, so that few live at a time.
    pub(crate) readers: Arc<Semaphore>,
}

/// How many of them.
pub(crate) const READERS: usize = 2;

/// One chunk, where it goes, and how its lane stands.
pub(crate) struct Job {
    pub(crate) part: u64,
    pub(crate) lane: usize,
    pub(crate) delivery: Delivery,
    /// The lane's side of the handoff; none where that is switched off.
    pub(crate) handoff: Option<(Handoff, Arc<Mutex<Hand>>)>,
    pub(crate) stop: CancellationToken,
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
        let what = format!(
            "{} to shard `{}`",
            self.delivery.source, self.delivery.shard
        );
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
        let Self {
            delivery, handoff, ..
        } = self;
        let Some((handoff, hand)) = handoff else {
            let delivered = delivery.write(tools).await;
            return outcome(delivery, &delivered);
        };
        // One chunk of a lane is under way at a time: nobody else holds it.
        let mut hand = hand.lock().await;
        loop {
            if tools.shards.borrow().get(&delivery.shard).is_none() {
                return Outcome::Homeless(delivery.chunk);
            }
            match hand.mode.next() {
                Next::Open => handoff.open(&mut hand).await,
                Next::Write => {
                    let mut delivered = delivery.write(tools).await;
                    if let Some((from, Left::Dead)) = delivered.left {
                        let refused = handoff.append(&mut hand, &delivery, from, tools).await;
                        delivered.dead.extend(refused);
                    }
                    return outcome(delivery, &delivered);
                }
                Next::Append => {
                    if handoff.look(&mut hand).await {
                        continue;
                    }
                    let dead = handoff.append(&mut hand, &delivery, 0, tools).await;
                    let left = Some((0, Left::Dead));
                    return outcome(delivery, &Delivered { dead, left });
                }
            }
        }
    }
}

fn outcome(delivery: Delivery, delivered: &Delivered) -> Outcome {
    let chunk = delivery.chunk;
    match delivered.left {
        // What was stored already is stored again elsewhere, where its readers will look for it.
        Some((_, Left::Gone)) => Outcome::Homeless(chunk),
        Some((from, Left::Dead)) => Outcome::Done(chunk.fates(&delivered.dead, from)),
        None => Outcome::Done(chunk.fates(&delivered.dead, chunk.len())),
    }
}
