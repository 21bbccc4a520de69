//! Where the points of a time range are: what a reader and an operator ask.

use crate::map::PlacementMap;
use crate::route::best;
use model::{ShardId, TenantId};
use std::collections::BTreeSet;
use std::fmt;

/// Where a tenant's points of a time range are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Whose points.
    pub tenant: TenantId,
    /// The epochs that the range touches, each with its part of the range, in order.
    pub spans: Vec<Span>,
}

/// The part of a range that lies in one epoch. Times are nanoseconds since 1970; both ends belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where the epoch begins; `i64::MIN` for the first.
    pub epoch: i64,
    /// First nanosecond.
    pub from: i64,
    /// Last nanosecond.
    pub to: i64,
    /// Why the tenant has these shards.
    pub why: Why,
    /// Groups of hosts; where the host was given, the one that it is in.
    pub groups: Vec<Group>,
}

/// Hosts of a tenant that are together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The shards of which each holds all of it, the primary first.
    pub shards: Vec<ShardId>,
}

/// Why a tenant has its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The epoch names them for it.
    Own {
        /// How many.
        shards: usize,
    },
    /// The first choices of the weighted rendezvous.
    Rendezvous {
        /// How many hold primaries.
        shards: usize,
        /// Of how many with a weight.
        of: usize,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { shards } => write!(f, "the epoch names {shards} for the tenant"),
            Self::Rendezvous { shards, of } => {
                write!(
                    f,
                    "{shards} of {of} by weighted rendezvous of the tenant's id"
                )
            }
        }
    }
}

/// Why a range cannot be read whole and once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCover {
    /// All shards of a group are out of use.
    #[error("none of the shards that hold it answers: {}", names(.0))]
    Unreachable(Vec<ShardId>),
    /// Each choice of shards would give some points twice.
    #[error(
        "no choice of shards holds every point of the range once: {}; ask for a shorter range",
        names(.0)
    )]
    Overlap(Vec<ShardId>),
}

fn names(shards: &[ShardId]) -> String {
    let names: Vec<_> = shards.iter().map(ShardId::as_str).collect();
    names.join(", ")
}

impl PlacementMap {
    /// The shards that hold the points of `tenant` from `from` to `to` (nanoseconds, both included),
    /// those of one host where it is given. A range that ends before it begins is its beginning.
    pub fn resolve(&self, tenant: &TenantId, from: i64, to: i64, host: Option<&str>) -> Resolved {
        let (route, to) = (self.route(tenant), to.max(from));
        let (first, last) = (route.span_at(from), route.span_at(to));
        let spans = route.spans().iter().zip(self.reasons(tenant)).enumerate();
        let touched = spans.skip(first).take(last - first + 1);
        let group = |at: usize, choice: usize| Group {
            shards: route.spans()[at].choices[choice]
                .replicas
                .iter()
                .map(|shard| route.shards()[*shard].clone())
                .collect(),
        };
        let spans = touched.map(|(at, (span, why))| {
            let next = route.spans().get(at + 1).map(|next| next.from - 1);
            let groups = match host {
                Some(host) => vec![group(at, best(&span.choices, host))],
                None => (0..span.choices.len()).map(|n| group(at, n)).collect(),
            };
            Span {
                epoch: span.from,
                from: from.max(span.from),
                to: next.map_or(to, |next| next.min(to)),
                why,
                groups,
            }
        });
        Resolved {
            tenant: tenant.clone(),
            spans: spans.collect(),
        }
    }
}

/// Steps of the search for a cover; a placement that needs more is none that a person made.
const MOST_STEPS: usize = 10_000;

impl Resolved {
    /// Every shard that holds some of it, each once, primaries before further replicas.
    pub fn shards(&self) -> Vec<ShardId> {
        let groups = || self.spans.iter().flat_map(|span| &span.groups);
        let primaries = groups().filter_map(|group| group.shards.first());
        let mut shards: Vec<ShardId> = Vec::new();
        for shard in primaries.chain(groups().flat_map(|group| &group.shards)) {
            if !shards.contains(shard) {
                shards.push(shard.clone());
            }
        }
        shards
    }

    /// The fewest shards that together hold every point of the range exactly once, of those that
    /// `usable` allows; primaries before replicas.
    pub fn cover(&self, usable: impl Fn(&ShardId) -> bool) -> Result<Vec<ShardId>, NoCover> {
        let groups: Vec<&Group> = self.spans.iter().flat_map(|span| &span.groups).collect();
        let lost = groups
            .iter()
            .find(|group| !group.shards.iter().any(&usable));
        if let Some(lost) = lost {
            return Err(NoCover::Unreachable(lost.shards.clone()));
        }
        let mut steps = 0;
        for most in 1..=groups.len() {
            let mut chosen = Vec::new();
            let search = Search {
                groups: &groups,
                usable: &usable,
                most,
            };
            if search.fill(&mut chosen, &BTreeSet::new(), &mut steps) {
                return Ok(chosen.into_iter().cloned().collect());
            }
        }
        Err(NoCover::Overlap(self.shards()))
    }
}

struct Search<'a, F> {
    groups: &'a [&'a Group],
    usable: &'a F,
    most: usize,
}

impl<'a, F: Fn(&ShardId) -> bool> Search<'a, F> {
    /// Extends `chosen` until every group is held once; `held` are the groups that are.
    fn fill(
        &self,
        chosen: &mut Vec<&'a ShardId>,
        held: &BTreeSet<usize>,
        steps: &mut usize,
    ) -> bool {
        let Some(next) = (0..self.groups.len()).find(|at| !held.contains(at)) else {
            return true;
        };
        if chosen.len() == self.most {
            return false;
        }
        for shard in self.groups[next].shards.iter().filter(|s| (self.usable)(s)) {
            *steps += 1;
            if *steps > MOST_STEPS {
                return false;
            }
            let holds = |at: &usize| self.groups[*at].shards.contains(shard);
            let more: BTreeSet<usize> = (0..self.groups.len()).filter(holds).collect();
            if !more.is_disjoint(held) {
                continue;
            }
            chosen.push(shard);
            if self.fill(chosen, &more.union(held).copied().collect(), steps) {
                return true;
            }
            chosen.pop();
        }
        false
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
