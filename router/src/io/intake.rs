//! From a body of line protocol to the log's word on it.

use super::answer::Refusal;
use super::budget::Share;
use super::packing::Packer;
use super::tenant::{Tenant, Terms};
use super::ticket::Ticket;
use crate::config::Config;
use crate::core::precision::Precision;
use crate::core::sort::{LineLimits, Refused, Sorted, most_bytes};
use crate::metrics::PointResult;
use axum::body::Bytes;
use runtime::{Clock, Tasks};
use std::sync::Arc;
use std::time::Duration;
use stream::StreamError;

/// Takes lines for tenants.
pub(super) struct Intake {
    packer: Packer,
    acknowledge_within: Duration,
    series_window: model::Span,
    clock: Clock,
}

/// What became of the lines of a body.
pub(super) struct Taken {
    /// How many the log has.
    pub(super) lines: usize,
    /// How many can never be stored.
    pub(super) refused_lines: usize,
    /// The first of those.
    pub(super) refused: Vec<Refused>,
}

impl Intake {
    pub(super) fn start(config: &Config, clock: &Clock, tasks: &Tasks) -> Self {
        Self {
            packer: Packer::start(config.pack_within.to_std(), clock, tasks),
            acknowledge_within: config.acknowledge_within.to_std(),
            series_window: config.series_window,
            clock: clock.clone(),
        }
    }

    /// Whether the tenant may send a body now. To be asked before it is read.
    pub(super) fn admit(&self, tenant: &Tenant) -> Result<(), Refusal> {
        tenant.admit(self.clock.now_nanos())
    }

    /// Takes all lines of the body that can be taken; `Ok` says that the log has every one of them. `share` is what
    /// the body holds of the process's bytes; both go as soon as the lines are packed.
    pub(super) async fn take(
        &self,
        tenant: &Arc<Tenant>,
        text: Bytes,
        precision: Precision,
        share: Share,
    ) -> Result<Taken, Refusal> {
        // The question and the records share one deadline: an agent knows within two seconds.
        let watch = self.clock.stopwatch();
        let terms = tenant.terms();
        tenant.charge_bytes(text.len(), self.clock.now_nanos())?;
        let ticket = Ticket::new();
        let packed = self.pack(tenant, &terms, &text, precision, &ticket);
        let taken = packed.await?;
        drop((text, share));
        let left = self.acknowledge_within.saturating_sub(watch.elapsed());
        let outcome = match tokio::time::timeout(left, ticket.wait()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(refusal_of(&error)),
            Err(_) => Err(Refusal::Unavailable(
                "the log did not acknowledge it in time; send it again, a repeat does no harm"
                    .to_owned(),
            )),
        };
        let result = match &outcome {
            Ok(()) if taken.refused_lines == 0 => PointResult::Accepted,
            Ok(()) => PointResult::Partial,
            Err(_) => PointResult::Unacknowledged,
        };
        tenant.metrics.points(result, taken.lines);
        tenant
            .metrics
            .points(PointResult::Rejected, taken.refused_lines);
        outcome.map(|()| taken)
    }

    async fn pack(
        &self,
        tenant: &Arc<Tenant>,
        terms: &Terms,
        text: &[u8],
        precision: Precision,
        ticket: &Arc<Ticket>,
    ) -> Result<Taken, Refusal> {
        let Some(cluster) = &terms.cluster else {
            let name = &terms.cluster_name;
            return Err(Refusal::Unavailable(format!(
                "this router does not know the tenant's home cluster `{name}`"
            )));
        };
        let partitions = cluster.partitions(&tenant.topic, self.acknowledge_within);
        let partitions = partitions.await?;
        if cluster.is_stalled() {
            return Err(Refusal::Unavailable(format!(
                "cluster `{}` takes no records now; nothing was taken, send it again",
                cluster.name()
            )));
        }
        let mut room = tenant.bytes.share();
        room.grow(most_bytes(text, precision))?;
        let limits = LineLimits {
            line_bytes: terms.limits.line_bytes,
            line_tags: terms.limits.line_tags,
        };
        let mut sorted = Sorted::new(text, precision, partitions, limits);
        let now = self.clock.now_nanos();
        while sorted.advance() {
            tenant.count_series(&mut sorted, now, self.series_window);
            self.packer.add(tenant, cluster, &sorted, &mut room, ticket);
        }
        tenant.charge_points(sorted.lines);
        Ok(Taken {
            lines: sorted.lines,
            refused_lines: sorted.refused_lines,
            refused: sorted.refused,
        })
    }
}

/// What to say when the log did not take a record: it may have it, and the agent shall send it again.
fn refusal_of(error: &StreamError) -> Refusal {
    Refusal::Unavailable(format!("the log did not take it: {error}; send it again"))
}
