//! Wires the router: the live tenants, the HTTP side, readiness.

use crate::config::Config;
use crate::error::StartError;
use crate::io::clusters::Known;
use crate::io::http::{Shared, routes};
use crate::io::read::{self, Reader};
use crate::io::tenants::Tenants;
use crate::metrics::Metrics;
use catalog::LiveCatalog;
use runtime::{Context, HttpServer, OnEnd, Shutdown};
use std::net::SocketAddr;
use std::sync::Arc;
use stream::Clusters;

/// A running router.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Starts a router over these clusters with the tenants of the catalogue.
pub async fn start(
    config: Config,
    clusters: impl Into<Clusters>,
    catalog: LiveCatalog,
    ctx: Context,
) -> Result<Running, StartError> {
    check(&config)?;
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
        follow(catalog, Arc::clone(&tenants), order.clone()),
    );
    let condition = ctx.health.condition("router-log");
    ctx.tasks.spawn(
        "router-readiness",
        OnEnd::StopsTheProcess,
        known.watch(condition, metrics.clone(), order),
    );
    let server = HttpServer::bind(config.listen).await?;
    let address = server.address();
    let shared = Shared::start(config, tenants, metrics, &ctx);
    server.serve(
        "router-http",
        &ctx.tasks,
        routes(shared).and(read::routes(reader)),
        ctx.health.clone(),
        ctx.metrics.clone(),
    );
    Ok(Running { address })
}

fn check(config: &Config) -> Result<(), StartError> {
    let refuse = |key, reason: &str| {
        Err(StartError::Config {
            key,
            reason: reason.to_owned(),
        })
    };
    if config.body_unpacked_bytes < config.body_bytes {
        return refuse("body_unpacked_bytes", "must not be less than body_bytes");
    }
    if config.largest_body() < config.body_unpacked_bytes {
        return refuse(
            "in_flight_bytes",
            "must be at least eight times body_unpacked_bytes",
        );
    }
    if config.line_bytes == 0 || config.line_bytes > crate::core::message::RECORD_BYTES {
        return refuse("line_bytes", "must be 1 to 524288, the size of a record");
    }
    if config.read.queries == 0 {
        return refuse("read.queries", "must be at least 1");
    }
    if config.in_flight_requests < 2 {
        return refuse(
            "in_flight_requests",
            "must be at least 2: a tenant gets half",
        );
    }
    if config.routers == 0 {
        return refuse("routers", "must be at least 1");
    }
    Ok(())
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
