//! The placement in force, compiled from the catalogue.

use crate::resolve::Why;
use crate::route::{Choice, Route, TimeSpan, score, seed_of, tenant_seed};
use model::{ShardId, TenantId};
use schemas::catalogue::{Catalogue, Epoch, EpochStart};
use std::collections::{BTreeMap, BTreeSet};

/// The placement in force, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementMap {
    shards_per_tenant: usize,
    replicas: usize,
    zones: BTreeMap<ShardId, String>,
    epochs: Vec<Epoch>,
}

/// Why a placement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Nobody declared one.
    #[error("the catalogue holds no placement `default`: apply one")]
    Missing,
    /// There is a time without shards.
    #[error("the first epoch of the placement must start at `beginning`, it starts at {0}")]
    NoBeginning(String),
    /// Two epochs start together, or not in order.
    #[error("the epochs of the placement must rise: {0} does not come after the one before")]
    Order(String),
    /// Points would have no place.
    #[error("the epoch from {from} of the placement has no shard with a weight above 0{whose}")]
    NoShards {
        /// The epoch's start.
        from: String,
        /// For which tenant, where it is for one.
        whose: String,
    },
    /// It names a shard that is not declared.
    #[error("the epoch from {from} of the placement names shard `{shard}`, which does not exist")]
    UnknownShard {
        /// The epoch's start.
        from: String,
        /// The shard.
        shard: ShardId,
    },
}

/// The shards of a tenant in an epoch, in the order in which they are chosen.
struct Order<'a> {
    all: Vec<(&'a ShardId, f64)>,
    /// So many of the first are primaries; the rest serve as replicas only.
    primaries: usize,
}

impl PlacementMap {
    /// Checks the placement of a catalogue: every point of every tenant has a place.
    pub fn compile(catalogue: &Catalogue) -> Result<Self, PlacementError> {
        let placement = catalogue.placement().ok_or(PlacementError::Missing)?;
        match placement.epochs.first() {
            Some(first) if first.from != EpochStart::Beginning => {
                return Err(PlacementError::NoBeginning(first.from.to_string()));
            }
            Some(_) => {}
            None => return Err(PlacementError::Missing),
        }
        if let Some(pair) = placement
            .epochs
            .windows(2)
            .find(|pair| pair[0].from >= pair[1].from)
        {
            return Err(PlacementError::Order(pair[1].from.to_string()));
        }
        for epoch in &placement.epochs {
            check(epoch, catalogue)?;
        }
        let zone = |(id, shard): (&ShardId, &std::sync::Arc<schemas::catalogue::Shard>)| {
            shard.zone.clone().map(|zone| (id.clone(), zone))
        };
        Ok(Self {
            shards_per_tenant: placement.shards_per_tenant.max(1) as usize,
            replicas: placement.replicas.max(1) as usize,
            zones: catalogue.shards.iter().filter_map(zone).collect(),
            epochs: placement.epochs.clone(),
        })
    }

    fn shards_per_tenant(&self, epoch: &Epoch) -> usize {
        let own = epoch.shards_per_tenant.map(|n| n.max(1) as usize);
        own.unwrap_or(self.shards_per_tenant)
    }

    fn replicas(&self, epoch: &Epoch) -> usize {
        let own = epoch.replicas.map(|n| n.max(1) as usize);
        own.unwrap_or(self.replicas)
    }

    /// Where a tenant's points go.
    pub fn route(&self, tenant: &TenantId) -> Route {
        let mut route = Route::empty(tenant.clone());
        for epoch in &self.epochs {
            let order = order(epoch, tenant, self.shards_per_tenant(epoch));
            let groups = self.groups(&order, self.replicas(epoch));
            let choices = order.all.iter().zip(groups);
            let choices = choices.map(|((shard, weight), group)| Choice {
                replicas: group.into_iter().map(|s| route.index_of(s)).collect(),
                // The tenant is part of the seed, so that equal host names of two tenants spread
                // apart.
                seed: tenant_seed(tenant, shard),
                weight: *weight,
            });
            let choices = choices.collect();
            route.push(TimeSpan {
                from: start_nanos(epoch),
                choices,
            });
        }
        route
    }

    /// The replicas of each primary: the next choices of the rendezvous behind the primaries, one
    /// failure domain each as far as there are domains. A shard serves a second group only when no
    /// other is left, so that the groups of a tenant stay apart and a read need not count twice.
    fn groups<'a>(&self, order: &Order<'a>, replicas: usize) -> Vec<Vec<&'a ShardId>> {
        let mut used: BTreeSet<&ShardId> = BTreeSet::new();
        let (primaries, rest) = order.all.split_at(order.primaries);
        used.extend(primaries.iter().map(|(shard, _)| *shard));
        let mut groups: Vec<_> = primaries.iter().map(|(shard, _)| vec![*shard]).collect();
        for _ in 1..replicas {
            for group in &mut groups {
                let candidates = || rest.iter().chain(primaries).map(|(shard, _)| *shard);
                let foreign = |shard: &&ShardId| !group.contains(shard);
                let apart = |shard: &&ShardId| {
                    let zone = self.zones.get(*shard);
                    zone.is_none() || !group.iter().any(|other| self.zones.get(*other) == zone)
                };
                let unused = |shard: &&ShardId| !used.contains(shard);
                let next = candidates()
                    .find(|s| foreign(s) && apart(s) && unused(s))
                    .or_else(|| candidates().find(|s| foreign(s) && apart(s)))
                    .or_else(|| candidates().find(|s| foreign(s) && unused(s)))
                    .or_else(|| candidates().find(foreign));
                if let Some(next) = next {
                    used.insert(next);
                    group.push(next);
                }
            }
        }
        groups
    }

    /// Why a tenant has its shards, for each epoch.
    pub(crate) fn reasons(&self, tenant: &TenantId) -> Vec<Why> {
        let reason = |epoch: &Epoch| match epoch.tenants.get(tenant) {
            Some(own) => Why::Own { shards: own.len() },
            None => {
                let of = epoch.shards.values().filter(|weight| **weight > 0.0);
                let of = of.count();
                Why::Rendezvous {
                    shards: self.shards_per_tenant(epoch).min(of),
                    of,
                }
            }
        };
        self.epochs.iter().map(reason).collect()
    }
}

pub(crate) fn start_nanos(epoch: &Epoch) -> i64 {
    match epoch.from {
        EpochStart::Beginning => i64::MIN,
        EpochStart::At(at) => at.as_nanos(),
    }
}

/// The shards of a tenant in an epoch: those named for it, or all by weighted rendezvous.
fn order<'a>(epoch: &'a Epoch, tenant: &TenantId, per_tenant: usize) -> Order<'a> {
    let rank = |all: &mut Vec<(&ShardId, f64)>| {
        let score = |(shard, weight): &(&ShardId, f64)| {
            score(tenant.as_str().as_bytes(), seed_of(shard), *weight)
        };
        all.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| a.0.cmp(b.0)));
    };
    if let Some(own) = epoch.tenants.get(tenant) {
        let weight = |shard| epoch.shards.get(shard).copied().filter(|w| *w > 0.0);
        let own: BTreeSet<&ShardId> = own.iter().collect();
        let mut all: Vec<_> = own
            .into_iter()
            .map(|shard| (shard, weight(shard).unwrap_or(1.0)))
            .collect();
        rank(&mut all);
        // Who has shards of its own is to be on no other, with replicas too.
        let primaries = all.len();
        return Order { all, primaries };
    }
    let mut all: Vec<_> = epoch
        .shards
        .iter()
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(shard, weight)| (shard, *weight))
        .collect();
    rank(&mut all);
    let primaries = per_tenant.min(all.len());
    Order { all, primaries }
}

fn check(epoch: &Epoch, catalogue: &Catalogue) -> Result<(), PlacementError> {
    let from = || epoch.from.to_string();
    let named = epoch.shards.keys().chain(epoch.tenants.values().flatten());
    for shard in named {
        if !catalogue.shards.contains_key(shard) {
            return Err(PlacementError::UnknownShard {
                from: from(),
                shard: shard.clone(),
            });
        }
    }
    let usable = |weight: &f64| weight.is_finite() && *weight > 0.0;
    let none = |whose: String| PlacementError::NoShards {
        from: from(),
        whose,
    };
    if !epoch.shards.values().any(usable) {
        return Err(none(String::new()));
    }
    match epoch.tenants.iter().find(|(_, shards)| shards.is_empty()) {
        Some((tenant, _)) => Err(none(format!(" for tenant `{tenant}`"))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
