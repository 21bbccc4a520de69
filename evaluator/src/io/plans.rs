//! The compiled bundles of every tenant, kept up with the live catalogue.

use super::backoff::Backoff;
use crate::core::{Plan, Plans};
use crate::metrics::Metrics;
use catalog::{CatalogError, LiveCatalog};
use model::TenantId;
use runtime::{OnEnd, Tasks};
use schemas::catalogue::{Bundle, Catalogue};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;

/// What the catalogue's bundles have been compiled to. A cheap handle; each clone notices changes
/// for itself.
#[derive(Clone)]
pub(crate) struct PlanBook {
    shared: Arc<Shared>,
    seen: watch::Receiver<Library>,
}

struct Shared {
    catalog: LiveCatalog,
    library: watch::Sender<Library>,
    metrics: Metrics,
}

/// Compiled bundles by tenant.
#[derive(Debug, Default)]
struct Library {
    /// Revision of the catalogue that was taken in last.
    revision: u64,
    tenants: HashMap<TenantId, Plans>,
    /// Bundles that were looked at, by tenant and revision, with their hash; those that do not
    /// compile as well.
    known: BTreeMap<(TenantId, u64), Looked>,
}

#[derive(Debug)]
struct Looked {
    hash: String,
    compiles: bool,
}

impl PlanBook {
    /// Compiles what the catalogue holds and follows it until the shutdown.
    pub(crate) fn follow(catalog: LiveCatalog, tasks: &Tasks, metrics: Metrics) -> Self {
        let library = watch::Sender::new(Library::default());
        let seen = library.subscribe();
        let shared = Arc::new(Shared {
            catalog: catalog.clone(),
            library,
            metrics,
        });
        let book = Self {
            shared: Arc::clone(&shared),
            seen,
        };
        shared.take_in(&catalog.current());
        let order = tasks.shutdown().clone();
        tasks.spawn("evaluator-plans", OnEnd::StopsTheProcess, async move {
            let mut catalog = catalog;
            loop {
                let catalogue = tokio::select! {
                    () = order.begun() => return Ok::<(), Infallible>(()),
                    catalogue = catalog.changed() => catalogue,
                };
                shared.take_in(&catalogue);
            }
        });
        book
    }

    /// The plans of a tenant; none when it has no bundle.
    pub(crate) fn of(&self, tenant: &TenantId) -> Plans {
        let library = self.shared.library.borrow();
        library.tenants.get(tenant).cloned().unwrap_or_default()
    }

    /// Waits until bundles were added or taken out. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if self.seen.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until everything that the catalogue's topic holds now is compiled. Never returns once
    /// the process is stopping: who waits for it must not go on with half the truth. Cancel-safe.
    pub(crate) async fn settled(&self) {
        let mut backoff = Backoff::default();
        loop {
            match self.shared.catalog.caught_up().await {
                Ok(catalogue) => return self.shared.take_in(&catalogue),
                Err(CatalogError::Stopped) => return std::future::pending().await,
                Err(error) => {
                    if backoff.is_fresh() {
                        tracing::warn!(
                            %error,
                            "the catalogue's end cannot be read yet; trying again"
                        );
                    }
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }
}

impl Shared {
    /// Compiles the bundles that are new. An older copy than the one before adds, but takes nothing
    /// out.
    fn take_in(&self, catalogue: &Catalogue) {
        let bundles = || catalogue.bundles.values().flat_map(BTreeMap::values);
        let fresh: Vec<&Bundle> = {
            let library = self.library.borrow();
            let unseen = |bundle: &&Bundle| {
                let looked = library.known.get(&(bundle.tenant.clone(), bundle.revision));
                looked.is_none_or(|looked| looked.hash != bundle.hash)
            };
            bundles().map(Arc::as_ref).filter(unseen).collect()
        };
        let compiled: Vec<(&Bundle, Option<Plan>)> = fresh
            .into_iter()
            .map(|bundle| (bundle, compile(bundle)))
            .collect();
        self.library.send_if_modified(|library| {
            let mut modified = !compiled.is_empty();
            for (bundle, plan) in compiled {
                library.add(bundle, plan);
            }
            if catalogue.revision >= library.revision {
                library.revision = catalogue.revision;
                modified |= library.keep(catalogue);
            }
            modified
        });
        let library = self.library.borrow();
        let refused = library.known.values().filter(|looked| !looked.compiles);
        self.metrics.refused_bundles(refused.count());
    }
}

/// Says what is wrong with a bundle that does not compile. What runs is left as it is.
fn compile(bundle: &Bundle) -> Option<Plan> {
    let (tenant, revision) = (&bundle.tenant, bundle.revision);
    match Plan::compile(bundle) {
        Ok(plan) => Some(plan),
        Err(errors) => {
            for error in errors {
                tracing::error!(
                    %tenant, revision, %error,
                    "the bundle is not taken; the one before stays in force"
                );
            }
            None
        }
    }
}

impl Library {
    fn add(&mut self, bundle: &Bundle, plan: Option<Plan>) {
        let looked = Looked {
            hash: bundle.hash.clone(),
            compiles: plan.is_some(),
        };
        self.known
            .insert((bundle.tenant.clone(), bundle.revision), looked);
        if let Some(plan) = plan {
            let plans = self.tenants.entry(bundle.tenant.clone()).or_default();
            plans.insert(plan);
        }
    }

    /// Forgets what the catalogue does not hold any more; says whether there was such.
    fn keep(&mut self, catalogue: &Catalogue) -> bool {
        let holds = |tenant: &TenantId, revision: u64| {
            let bundles = catalogue.bundles.get(tenant);
            bundles.is_some_and(|bundles| bundles.contains_key(&revision))
        };
        let before = self.known.len();
        let tenants = &mut self.tenants;
        self.known.retain(|(tenant, revision), _| {
            let kept = holds(tenant, *revision);
            if !kept && let Some(plans) = tenants.get_mut(tenant) {
                plans.remove(*revision);
            }
            kept
        });
        tenants.retain(|tenant, _| catalogue.bundles.contains_key(tenant));
        self.known.len() != before
    }
}
