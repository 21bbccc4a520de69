//! Handles on the shards of the catalogue.

use super::gate::Gate;
use crate::Config;
use crate::metrics::Metrics;
use influx::{Dialect, Embedded, HttpShard, Shard};
use model::{ShardId, Span, TenantId};
use runtime::Secret;
use schemas::catalogue::{Catalogue, Shard as Spec, ShardProduct, Tenant};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the catalogue calls the store inside of the process.
const EMBEDDED: &str = "embedded";

/// Makes handles on shards. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct ShardSource {
    embedded: Option<Embedded>,
}

impl ShardSource {
    /// Servers only, as the catalogue names them.
    pub fn servers() -> Self {
        Self::default()
    }

    /// Also the embedded store, for shards whose address is `embedded`.
    pub fn with_embedded(store: Embedded) -> Self {
        Self {
            embedded: Some(store),
        }
    }

    /// Opens every shard of the catalogue; what has not changed since `before` is kept.
    pub(crate) fn open(
        &self,
        catalogue: &Catalogue,
        before: &Shards,
        config: &Config,
        metrics: &Metrics,
    ) -> Shards {
        let open = |(id, spec): (&ShardId, &Arc<Spec>)| {
            let token = self.token(spec);
            let known = before.entries.get(id);
            match known.filter(|known| known.spec == *spec && known.token == token) {
                Some(known) => (id.clone(), known.clone()),
                None => (
                    id.clone(),
                    self.entry(id, (spec, token), known, config, metrics),
                ),
            }
        };
        let retention =
            |(id, tenant): (&TenantId, &Arc<Tenant>)| Some((id.clone(), tenant.retention?));
        Shards {
            entries: catalogue.shards.iter().map(open).collect(),
            retentions: catalogue.tenants.iter().filter_map(retention).collect(),
        }
    }

    fn entry(
        &self,
        id: &ShardId,
        (spec, token): (&Arc<Spec>, Result<Option<Secret>, String>),
        known: Option<&Entry>,
        config: &Config,
        metrics: &Metrics,
    ) -> Entry {
        let shard = token
            .clone()
            .and_then(|token| self.connect(spec, token, config));
        match &shard {
            Ok(shard) => tracing::info!(shard = %id, address = shard.describe(), "shard in use"),
            Err(error) => tracing::error!(shard = %id, error, "shard cannot be used"),
        }
        Entry {
            spec: Arc::clone(spec),
            token,
            shard,
            gate: known.map_or_else(
                || Gate::new(id.clone(), config.writes_per_shard, metrics.clone()),
                |known| known.gate.clone(),
            ),
        }
    }

    fn token(&self, spec: &Spec) -> Result<Option<Secret>, String> {
        let read = |path| Secret::from_file(path).map_err(|error| error.to_string());
        spec.token_file.as_deref().map(read).transpose()
    }

    fn connect(
        &self,
        spec: &Spec,
        token: Option<Secret>,
        config: &Config,
    ) -> Result<Shard, String> {
        if spec.url == EMBEDDED {
            let store = self.embedded.as_ref();
            let store = store.ok_or("only `bongsu up` has an embedded store: give a URL")?;
            return Ok(Shard::embedded(store));
        }
        let dialect = match spec.product {
            ShardProduct::Auto => None,
            ShardProduct::V1 => Some(Dialect::V1),
            ShardProduct::V2 => Some(Dialect::V2),
            ShardProduct::V3 => Some(Dialect::V3),
        };
        // The others may be run without any.
        let optional = matches!(dialect, Some(Dialect::V1 | Dialect::V3));
        let token = token
            .or_else(|| optional.then(|| Secret::new("")))
            .ok_or("the shard has no `token_file`")?;
        let http = HttpShard {
            database: spec.database.clone(),
            dialect,
            create_buckets: spec.create_buckets,
            gzip: config.gzip,
            connect_timeout: config.connect_timeout.to_std(),
            request_timeout: config.write_timeout.to_std(),
            ..HttpShard::new(&spec.url, &spec.org, token)
        };
        Shard::http(&http).map_err(|error| error.to_string())
    }
}

/// The shards of one revision of the catalogue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shards {
    entries: BTreeMap<ShardId, Entry>,
    /// How long the points of tenants are kept, where that has an end.
    retentions: BTreeMap<TenantId, Span>,
}

/// One shard, or why it cannot be used at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    spec: Arc<Spec>,
    token: Result<Option<Secret>, String>,
    /// The handle.
    pub(crate) shard: Result<Shard, String>,
    /// Lets writes through.
    pub(crate) gate: Gate,
}

impl Shards {
    /// A shard of the catalogue.
    pub(crate) fn get(&self, id: &ShardId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// How long a tenant's points are to be kept; none for ever.
    pub(crate) fn retention(&self, tenant: &TenantId) -> Option<Span> {
        self.retentions.get(tenant).copied()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ShardId, &Entry)> {
        self.entries.iter()
    }

    /// Whether these are the same handles.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.retentions == other.retentions
            && self.entries.len() == other.entries.len()
            && self
                .entries
                .iter()
                .zip(&other.entries)
                .all(|((id, entry), (other_id, other))| {
                    id == other_id && entry.spec == other.spec && entry.token == other.token
                })
    }
}
