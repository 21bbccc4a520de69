//! Which shard holds a point: by the point's own time, its tenant and its host.

use model::{ShardId, TenantId};
use schemas::catalogue::{Catalogue, Epoch, EpochStart};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The placement in force, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementMap {
    shards_per_tenant: usize,
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
        Ok(Self {
            shards_per_tenant: placement.shards_per_tenant.max(1) as usize,
            epochs: placement.epochs.clone(),
        })
    }

    /// Where a tenant's points go.
    pub fn route(&self, tenant: &TenantId) -> Route {
        let mut route = Route {
            tenant: tenant.clone(),
            shards: Vec::new(),
            spans: Vec::new(),
        };
        for epoch in &self.epochs {
            let candidates = self.candidates(epoch, tenant);
            let choices = candidates.into_iter().map(|(shard, weight)| Choice {
                shard: route.index_of(shard),
                // The tenant is part of the seed, so that equal host names of two tenants spread
                // apart.
                seed: xxh3_64_with_seed(tenant.as_str().as_bytes(), seed_of(shard)),
                weight,
            });
            let choices = choices.collect();
            route.spans.push(TimeSpan {
                from: match epoch.from {
                    EpochStart::Beginning => i64::MIN,
                    EpochStart::At(at) => at.as_nanos(),
                },
                choices,
            });
        }
        route
    }

    /// The shards of a tenant in an epoch: those named for it, or the first of all by weighted
    /// rendezvous.
    fn candidates<'a>(&self, epoch: &'a Epoch, tenant: &TenantId) -> Vec<(&'a ShardId, f64)> {
        if let Some(own) = epoch.tenants.get(tenant) {
            let weight = |shard| epoch.shards.get(shard).copied().filter(|w| *w > 0.0);
            let mut own: Vec<_> = own
                .iter()
                .map(|shard| (shard, weight(shard).unwrap_or(1.0)))
                .collect();
            own.sort_by(|a, b| a.0.cmp(b.0));
            own.dedup_by(|a, b| a.0 == b.0);
            return own;
        }
        let mut all: Vec<_> = epoch
            .shards
            .iter()
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(shard, weight)| (shard, *weight))
            .collect();
        let score = |(shard, weight): &(&ShardId, f64)| {
            score(tenant.as_str().as_bytes(), seed_of(shard), *weight)
        };
        all.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| a.0.cmp(b.0)));
        all.truncate(self.shards_per_tenant);
        all
    }
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

/// Where the points of one tenant go.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    tenant: TenantId,
    shards: Vec<ShardId>,
    spans: Vec<TimeSpan>,
}

#[derive(Debug, Clone, PartialEq)]
struct TimeSpan {
    from: i64,
    choices: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq)]
struct Choice {
    shard: usize,
    seed: u64,
    weight: f64,
}

impl Route {
    /// Whose points.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Every shard that any point of the tenant may go to; [`Route::shard`] counts in this list.
    pub fn shards(&self) -> &[ShardId] {
        &self.shards
    }

    /// The shard of a point at `nanos`. The host is asked for only where it decides.
    pub fn shard<'a>(&self, nanos: i64, host: impl FnOnce() -> Option<Cow<'a, str>>) -> usize {
        let later = self.spans.partition_point(|span| span.from <= nanos);
        let span = &self.spans[later.saturating_sub(1)];
        if let [only] = span.choices.as_slice() {
            return only.shard;
        }
        let host = host().unwrap_or_default();
        let best = span.choices.iter().max_by(|a, b| {
            let score = |choice: &Choice| score(host.as_bytes(), choice.seed, choice.weight);
            score(a).total_cmp(&score(b))
        });
        best.map_or(0, |choice| choice.shard)
    }

    fn index_of(&mut self, shard: &ShardId) -> usize {
        let known = self.shards.iter().position(|known| known == shard);
        known.unwrap_or_else(|| {
            self.shards.push(shard.clone());
            self.shards.len() - 1
        })
    }
}

fn seed_of(shard: &ShardId) -> u64 {
    xxh3_64_with_seed(shard.as_str().as_bytes(), 0)
}

/// The score of weighted rendezvous hashing, `-w / ln(h)` with `h` uniform in (0, 1): the shard
/// with the highest one wins (Schindelhauer and Schomaker, "Weighted distributed hash tables",
/// 2005).
fn score(key: &[u8], seed: u64, weight: f64) -> f64 {
    let hash = xxh3_64_with_seed(key, seed);
    // 53 bits fill a float exactly; the half keeps it off 0 and 1.
    let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -weight / uniform.ln()
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
