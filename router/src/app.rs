//! Wires the router: the live tokens, the HTTP side, readiness.

use crate::config::Config;
use crate::core::auth::Tokens;
use crate::error::StartError;
use crate::io::http::{Shared, routes};
use crate::io::read::{self, Reader};
use crate::metrics::Metrics;
use catalog::LiveCatalog;
use runtime::{Clock, Condition, Context, HttpServer, OnEnd, Shutdown};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;
use tokio::sync::watch;

/// How often the log is looked at for readiness.
const LOOK: Duration = Duration::from_secs(2);

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

/// Starts a router over the log with the tokens of the catalogue.
pub async fn start(
    config: Config,
    stream: Stream,
    catalog: LiveCatalog,
    ctx: Context,
) -> Result<Running, StartError> {
    check(&config)?;
    let metrics = Metrics::register(&ctx.metrics);
    let (tokens, live) = watch::channel(Arc::new(Tokens::of(&catalog.current())));
    let order = ctx.tasks.shutdown().clone();
    let reader = Reader::new(
        &config,
        catalog.clone(),
        live.clone(),
        metrics.clone(),
        Clock::clone(&ctx.clock),
    );
    ctx.tasks.spawn(
        "router-tokens",
        OnEnd::StopsTheProcess,
        follow(catalog, tokens, order.clone()),
    );
    let condition = ctx.health.condition("router-log");
    ctx.tasks.spawn(
        "router-readiness",
        OnEnd::StopsTheProcess,
        watch_log(Arc::clone(&stream), condition, order),
    );
    let server = HttpServer::bind(config.listen).await?;
    let address = server.address();
    let shared = Shared::new(config, stream, live, metrics, Clock::clone(&ctx.clock));
    server.serve(
        "router-http",
        &ctx.tasks,
        routes(shared).merge(read::routes(reader)),
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
    if config.in_flight_bytes < config.body_unpacked_bytes {
        return refuse(
            "in_flight_bytes",
            "must not be less than body_unpacked_bytes",
        );
    }
    if config.line_bytes == 0 || config.line_bytes > crate::core::pack::RECORD_BYTES {
        return refuse("line_bytes", "must be 1 to 524288, the size of a record");
    }
    if config.read.queries == 0 {
        return refuse("read.queries", "must be at least 1");
    }
    if config.in_flight_requests == 0 {
        return refuse("in_flight_requests", "must be at least 1");
    }
    Ok(())
}

/// Swaps the tokens whenever the catalogue changes.
async fn follow(
    mut catalog: LiveCatalog,
    tokens: watch::Sender<Arc<Tokens>>,
    order: Shutdown,
) -> Result<(), StartError> {
    loop {
        tokio::select! {
            () = order.begun() => return Ok(()),
            catalogue = catalog.changed() => {
                tokens.send_replace(Arc::new(Tokens::of(&catalogue)));
            }
        }
    }
}

/// Ready while the log answers.
async fn watch_log(
    stream: Stream,
    condition: Condition,
    order: Shutdown,
) -> Result<(), StartError> {
    loop {
        match stream.topics().await {
            Ok(topics) => {
                condition.ready(format!("{}: {} topics", stream.describe(), topics.len()))
            }
            Err(error) => condition.not_ready(error.to_string()),
        }
        tokio::select! {
            () = order.begun() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
