//! Where the points of one tenant go: what a writer asks for each line.

use model::{ShardId, TenantId};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Where the points of one tenant go.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    tenant: TenantId,
    shards: Vec<ShardId>,
    spans: Vec<TimeSpan>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimeSpan {
    /// First nanosecond.
    pub(crate) from: i64,
    pub(crate) choices: Vec<Choice>,
}

/// A group of hosts and the shards that hold it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    /// Places in `Route::shards`, the primary first; never empty.
    pub(crate) replicas: Box<[usize]>,
    pub(crate) seed: u64,
    pub(crate) weight: f64,
}

impl Route {
    pub(crate) fn empty(tenant: TenantId) -> Self {
        Self {
            tenant,
            shards: Vec::new(),
            spans: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, span: TimeSpan) {
        self.spans.push(span);
    }

    /// Whose points.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Every shard that any point of the tenant may go to; [`Route::shard`] and
    /// [`Route::replicas`] count in this list.
    pub fn shards(&self) -> &[ShardId] {
        &self.shards
    }

    /// The primary shard of a point at `nanos`. The host is asked for only where it decides.
    pub fn shard<'a>(&self, nanos: i64, host: impl FnOnce() -> Option<Cow<'a, str>>) -> usize {
        self.replicas(nanos, host).first().copied().unwrap_or(0)
    }

    /// The shards of a point at `nanos`, the primary first, each once. The host is asked for only
    /// where it decides.
    pub fn replicas<'a>(
        &self,
        nanos: i64,
        host: impl FnOnce() -> Option<Cow<'a, str>>,
    ) -> &[usize] {
        let choices = self.spans[self.span_at(nanos)].choices.as_slice();
        if let [only] = choices {
            return &only.replicas;
        }
        let host = host().unwrap_or_default();
        &choices[best(choices, &host)].replicas
    }

    /// The most replicas that any point of the tenant has.
    pub fn most_replicas(&self) -> usize {
        let choices = self.spans.iter().flat_map(|span| &span.choices);
        choices
            .map(|choice| choice.replicas.len())
            .max()
            .unwrap_or(1)
    }

    /// The last span that begins at or before `nanos`; the first begins before all time.
    pub(crate) fn span_at(&self, nanos: i64) -> usize {
        let later = self.spans.partition_point(|span| span.from <= nanos);
        later.saturating_sub(1)
    }

    pub(crate) fn spans(&self) -> &[TimeSpan] {
        &self.spans
    }

    pub(crate) fn index_of(&mut self, shard: &ShardId) -> usize {
        let known = self.shards.iter().position(|known| known == shard);
        known.unwrap_or_else(|| {
            self.shards.push(shard.clone());
            self.shards.len() - 1
        })
    }
}

/// The choice of a host: the highest score.
pub(crate) fn best(choices: &[Choice], host: &str) -> usize {
    let score = |choice: &Choice| score(host.as_bytes(), choice.seed, choice.weight);
    let best = choices
        .iter()
        .enumerate()
        .max_by(|a, b| score(a.1).total_cmp(&score(b.1)));
    best.map_or(0, |(at, _)| at)
}

pub(crate) fn seed_of(shard: &ShardId) -> u64 {
    xxh3_64_with_seed(shard.as_str().as_bytes(), 0)
}

/// The seed of a shard among the hosts of a tenant.
pub(crate) fn tenant_seed(tenant: &TenantId, shard: &ShardId) -> u64 {
    xxh3_64_with_seed(tenant.as_str().as_bytes(), seed_of(shard))
}

/// The score of weighted rendezvous hashing, `-w / ln(h)` with `h` uniform in (0, 1): the shard
/// with the highest one wins (Schindelhauer and Schomaker, "Weighted distributed hash tables",
/// 2005).
pub(crate) fn score(key: &[u8], seed: u64, weight: f64) -> f64 {
    let hash = xxh3_64_with_seed(key, seed);
    // 53 bits fill a float exactly; the half keeps it off 0 and 1.
    let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -weight / uniform.ln()
}
