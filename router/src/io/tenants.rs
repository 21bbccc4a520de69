//! All tenants by id and by token, as the live catalogue has them.

use super::answer::Refusal;
use super::budget::Budget;
use super::clusters::Known;
use super::tenant::{Tenant, Terms};
use crate::config::Config;
use crate::core::auth::{Unauthorized, hash_of};
use crate::metrics::Metrics;
use dashmap::DashMap;
use model::TenantId;
use runtime::Clock;
use schemas::catalogue::{self, Catalogue};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The tenants. Requests only ever hold a tenant's own handle, never a place in a table.
pub(crate) struct Tenants {
    by_token: DashMap<[u8; 32], Arc<Tenant>>,
    by_id: DashMap<TenantId, Arc<Tenant>>,
    config: RwLock<Config>,
    clusters: Known,
    bytes: Budget,
    places: Budget,
    metrics: Metrics,
    clock: Clock,
    /// Whether the catalogue was read: before that no token is known, and none is unknown.
    loaded: AtomicBool,
}

impl Tenants {
    pub(crate) fn new(config: Config, clusters: Known, metrics: Metrics, clock: Clock) -> Self {
        Self {
            by_token: DashMap::new(),
            by_id: DashMap::new(),
            bytes: Budget::new(config.in_flight_bytes),
            places: Budget::new(config.in_flight_requests),
            config: RwLock::new(config),
            clusters,
            metrics,
            clock,
            loaded: AtomicBool::new(false),
        }
    }

    /// The tenant that holds the token. The table is searched by the token's hash, so that how long it takes says
    /// nothing of the tokens in it.
    pub(super) fn of(&self, token: Option<&str>) -> Result<Arc<Tenant>, Refusal> {
        let refuse = |error: Unauthorized| Refusal::Unauthorized(error.to_string());
        let hash = hash_of(token).map_err(refuse)?;
        match self.by_token.get(&hash) {
            Some(found) if found.is_suspended() => Err(refuse(Unauthorized::Suspended)),
            Some(found) => Ok(Arc::clone(&found)),
            None if self.loaded.load(Ordering::Acquire) => Err(refuse(Unauthorized::Unknown)),
            None => Err(Refusal::Unavailable(
                "the catalogue was not read yet, so no token is known; send it again".to_owned(),
            )),
        }
    }

    /// Bytes that the process holds now.
    pub(super) fn held(&self) -> usize {
        self.bytes.held()
    }

    /// Brings tenants, terms and tokens to what the catalogue says. Tokens that are gone go first.
    pub(crate) fn follow(&self, catalogue: &Catalogue) {
        let holds = |hash: &[u8; 32], tenant: &Tenant| {
            let declared = catalogue.tenants.get(&tenant.id);
            declared
                .is_some_and(|declared| declared.tokens.iter().any(|token| token.sha256.0 == *hash))
        };
        self.by_token.retain(|hash, tenant| holds(hash, tenant));
        self.by_id.retain(|id, _| {
            let stays = catalogue.tenants.contains_key(id);
            if !stays {
                self.metrics.forget(id);
            }
            stays
        });
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        for declared in catalogue.tenants.values() {
            let tenant = self.known(declared, &config);
            for token in &declared.tokens {
                self.by_token.insert(token.sha256.0, Arc::clone(&tenant));
            }
        }
        self.loaded.store(true, Ordering::Release);
    }

    /// Takes over the rates and limits; they hold from the next [`Tenants::follow`] on.
    pub(crate) fn reconfigure(&self, new: &Config) {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *config = Config {
            in_flight_bytes: config.in_flight_bytes,
            ..new.clone()
        };
    }

    fn known(&self, declared: &catalogue::Tenant, config: &Config) -> Arc<Tenant> {
        let (id, now) = (&declared.tenant, self.clock.now_nanos());
        let terms = self.terms(declared, config);
        let fresh = || {
            let budgets = (self.bytes.another(), self.places.another());
            let metrics = self.metrics.of(id);
            Arc::new(Tenant::new(
                id,
                terms.clone(),
                budgets,
                metrics,
                (config.burst, now),
            ))
        };
        let tenant = Arc::clone(&self.by_id.entry(id.clone()).or_insert_with(fresh));
        tenant.change(terms, config.burst, now);
        tenant
    }

    fn terms(&self, declared: &catalogue::Tenant, config: &Config) -> Terms {
        let cluster = self.clusters.get(&declared.cluster).cloned();
        if cluster.is_none() {
            tracing::error!(
                tenant = %declared.tenant, cluster = declared.cluster,
                "the tenant's home cluster is not in the configuration; its writes are answered 503"
            );
        }
        Terms {
            limits: config
                .limits()
                .with(&declared.limits, config.routers, config.largest_body()),
            cluster,
            cluster_name: Arc::from(declared.cluster.as_str()),
            suspended: declared.suspended,
        }
    }
}
