//! The HTTP skeleton of every service: health, metrics, a bound on requests, and a drain.

use crate::http_head::HeadListener;
use crate::{Declared, Health, Metrics, OnEnd, Routes, Rule, Served, Tasks};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

/// A listener that is bound already, so that its port is known before it serves.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// Why a service cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

impl HttpServer {
    /// Binds; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let fail = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `routes` beside `/livez`, `/readyz` and `/metrics` until the shutdown, then lets requests
    /// in flight finish.
    pub fn serve(
        self,
        name: &'static str,
        tasks: &Tasks,
        routes: Served,
        health: Health,
        metrics: Metrics,
    ) {
        let app = routes
            .and(skeleton(health, metrics))
            .into_router()
            .layer(CatchPanicLayer::new());
        let order = tasks.shutdown().clone();
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn(name, OnEnd::StopsTheProcess, async move {
            // What a tap is for is the address of the other side, which only taps hand on.
            axum::serve(HeadListener(self.listener).tap_io(|_| ()), service)
                .with_graceful_shutdown(async move { order.begun().await })
                .await
        });
    }
}

#[derive(Clone)]
struct Skeleton {
    health: Health,
    metrics: Metrics,
}

/// The routes that every service has.
pub fn skeleton(health: Health, metrics: Metrics) -> Served {
    skeleton_routes()
        .kept_by_handlers()
        .with_state(Skeleton { health, metrics })
}

/// The table of the routes that every service has.
pub fn skeleton_table() -> Vec<Declared> {
    skeleton_routes().table()
}

fn skeleton_routes() -> Routes<Skeleton> {
    Routes::new()
        .get("/livez", Rule::Anybody, async || "ok\n")
        .get("/-/healthy", Rule::Anybody, async || "ok\n")
        .get("/readyz", Rule::Watchers, readyz)
        .get("/-/ready", Rule::Watchers, readyz)
        .get("/metrics", Rule::Watchers, metrics_page)
}

async fn readyz(
    State(skeleton): State<Skeleton>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let ready = skeleton.health.is_ready();
    let mut text = String::new();
    for (name, state) in skeleton.health.report() {
        let (sign, detail) = match &state {
            Ok(detail) => ("+", detail),
            Err(why) => ("-", why),
        };
        if state.is_err() || query.contains_key("verbose") {
            // Writing to a String cannot fail.
            writeln!(text, "[{sign}] {name}: {detail}").unwrap_or_default();
        }
    }
    text.push_str(if ready { "ready\n" } else { "not ready\n" });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, text).into_response()
}

async fn metrics_page(State(skeleton): State<Skeleton>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        skeleton.metrics.render(),
    )
        .into_response()
}
