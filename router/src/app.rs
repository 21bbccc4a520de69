//! Wires the router: the live tenants, the HTTP side, readiness.

use crate::config::Config;
use crate::error::StartError;
use crate::io::clusters::Known;
use crate::io::http::{Shared, routes};
use crate::io::read::{self, Reader};
use crate::io::strangers;
use crate::io::tenants::Tenants;
use crate::metrics::Metrics;
use catalog::LiveCatalog;
use runtime::{Context, HttpServer, OnEnd, Shutdown};
use std::net::SocketAddr;
use std::sync::Arc;
use stream::Clusters;

/// A running router.
pub struct Running {
    address: SocketAddr,
    tenants: Arc<Tenants>,
    catalog: LiveCatalog,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a router at {}", self.address)
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets tenants write by these rates and limits from now on: those that [`Config::LIVE`] names. The configuration has
    /// been checked.
    pub fn reconfigure(&self, config: &Config) {
        self.tenants.reconfigure(config);
        if self.catalog.is_loaded() {
            self.tenants.follow(&self.catalog.current());
        }
    }
}

/// Starts a router over these clusters with the tenants of the catalogue.
pub async fn start(
    config: Config,
    clusters: impl Into<Clusters>,
    catalog: LiveCatalog,
    ctx: Context,
) -> Result<Running, StartError> {
    config.check()?;
    let metrics = Metrics::register(&ctx.metrics);
    let known = Known::new(&clusters.into());
    let tenants = Tenants::new(
        config.clone(),
        known.clone(),
        metrics.clone(),
        ctx.clock.clone(),
    );
    let tenants = Arc::new(tenants);
    if catalog.is_loaded() {
        tenants.follow(&catalog.current());
    }
    let order = ctx.tasks.shutdown().clone();
    let reader = Reader::new(
        &config,
        catalog.clone(),
        Arc::clone(&tenants),
        metrics.clone(),
        ctx.clock.clone(),
    );
    ctx.tasks.spawn(
        "router-tenants",
        OnEnd::StopsTheProcess,
        follow(catalog.clone(), Arc::clone(&tenants), order.clone()),
    );
    let condition = ctx.health.condition("router-log");
    ctx.tasks.spawn(
        "router-readiness",
        OnEnd::StopsTheProcess,
        known.watch(condition, metrics.clone(), order),
    );
    let server = HttpServer::bind(&ctx, config.listen, config.tls.as_ref()).await?;
    let address = server.address();
    let shared = Shared::start(config, Arc::clone(&tenants), metrics, &ctx);
    let all = routes(shared).and(read::routes(reader));
    let all = all.around(|routes| {
        routes
            .method_not_allowed_fallback(strangers::wrong_method)
            .fallback(strangers::unknown)
    });
    server.serve("router-http", all);
    Ok(Running {
        address,
        tenants,
        catalog,
    })
}

/// Brings tenants, limits and tokens to every new copy of the catalogue.
async fn follow(
    mut catalog: LiveCatalog,
    tenants: Arc<Tenants>,
    order: Shutdown,
) -> Result<(), StartError> {
    loop {
        tokio::select! {
            () = order.begun() => return Ok(()),
            catalogue = catalog.changed() => tenants.follow(&catalogue),
        }
    }
}
