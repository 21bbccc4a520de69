//! Handles on the shards of the catalogue.

use crate::Config;
use influx::{Embedded, HttpShard, Shard};
use model::ShardId;
use runtime::Secret;
use schemas::catalogue::{Catalogue, Shard as Spec};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

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
    pub(crate) fn open(&self, catalogue: &Catalogue, before: &Shards, config: &Config) -> Shards {
        let open = |(id, spec): (&ShardId, &Arc<Spec>)| {
            let token = self.token(spec);
            let known = before.0.get(id);
            match known.filter(|known| known.spec == *spec && known.token == token) {
                Some(known) => (id.clone(), known.clone()),
                None => (id.clone(), self.entry(id, spec, token, known, config)),
            }
        };
        Shards(catalogue.shards.iter().map(open).collect())
    }

    fn entry(
        &self,
        id: &ShardId,
        spec: &Arc<Spec>,
        token: Result<Option<Secret>, String>,
        known: Option<&Entry>,
        config: &Config,
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
            permits: known.map_or_else(
                || Arc::new(Semaphore::new(config.writes_per_shard)),
                |known| Arc::clone(&known.permits),
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
        let token = token.ok_or("the shard has no `token_file`")?;
        let http = HttpShard {
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
pub(crate) struct Shards(BTreeMap<ShardId, Entry>);

/// One shard, or why it cannot be used at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    spec: Arc<Spec>,
    token: Result<Option<Secret>, String>,
    /// The handle.
    pub(crate) shard: Result<Shard, String>,
    /// Writes that may be in flight.
    pub(crate) permits: Arc<Semaphore>,
}

impl Shards {
    /// A shard of the catalogue.
    pub(crate) fn get(&self, id: &ShardId) -> Option<&Entry> {
        self.0.get(id)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ShardId, &Entry)> {
        self.0.iter()
    }

    /// Whether these are the same handles.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|((id, entry), (other_id, other))| {
                    id == other_id && entry.spec == other.spec && entry.token == other.token
                })
    }
}
