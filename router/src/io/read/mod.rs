//! The read gateway: InfluxQL and Flux to the shards that hold the tenant's points.
//!
//! Grafana and the like point here instead of at a shard. The tenant comes from the credential; what is
//! asked reaches a shard with a token that reads that tenant's bucket and nothing else.

mod answer;
mod ask;
mod flux;
mod influxql;
mod resolve;
mod shards;

use super::answer::{Api, Refusal};
use super::budget::Budget;
use super::tenants::Tenants;
use crate::config::{Config, ReadConfig};
use crate::core::auth::token_of;
use crate::metrics::Metrics;
use answer::ReadError;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use catalog::LiveCatalog;
use model::TenantId;
use runtime::{Clock, Routes, Rule, Served};
use schemas::catalogue::Catalogue;
use schemas::packing::Packing;
use shards::Shards;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What every query shares. A cheap handle.
#[derive(Clone)]
pub(crate) struct Reader(Arc<Inner>);

struct Inner {
    body_bytes: usize,
    body_unpacked_bytes: usize,
    config: ReadConfig,
    catalog: LiveCatalog,
    tenants: Arc<Tenants>,
    metrics: Metrics,
    clock: Clock,
    queries: Semaphore,
    bytes: Budget,
    shards: Shards,
}

impl Reader {
    pub(crate) fn new(
        config: &Config,
        catalog: LiveCatalog,
        tenants: Arc<Tenants>,
        metrics: Metrics,
        clock: Clock,
    ) -> Self {
        let read = config.read.clone();
        Self(Arc::new(Inner {
            body_bytes: read.query_bytes,
            body_unpacked_bytes: read.query_bytes,
            queries: Semaphore::new(read.queries),
            // Nobody gets more than half.
            bytes: Budget::new(read.query_bytes.saturating_mul(read.queries * 2)),
            shards: Shards::new(read.clone(), clock.clone()),
            config: read,
            catalog,
            tenants,
            metrics,
            clock,
        }))
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalog.current()
    }

    fn config(&self) -> &ReadConfig {
        &self.0.config
    }

    fn shards(&self) -> &Shards {
        &self.0.shards
    }

    /// Whose a query is.
    fn tenant(&self, headers: &HeaderMap, password: Option<&str>) -> Result<TenantId, Refusal> {
        let decode = |text: &str| String::from_utf8(STANDARD.decode(text).ok()?).ok();
        let said = headers.get(header::AUTHORIZATION);
        let token = match said.and_then(|value| value.to_str().ok()) {
            Some(said) => token_of(said, decode),
            None => password.map(Into::into),
        };
        let tenant = self.0.tenants.of(token.as_deref())?;
        Ok(tenant.id.clone())
    }

    /// Reads a body within its limits.
    async fn body(
        &self,
        headers: &HeaderMap,
        body: axum::body::Body,
        within: std::time::Duration,
    ) -> Result<axum::body::Bytes, Refusal> {
        let mut share = self.0.bytes.share();
        let arriving = super::body::read(body, self.0.body_bytes, &mut share);
        let sent = tokio::time::timeout(within, arriving)
            .await
            .map_err(|_| Refusal::Slow)??;
        let packing = super::unpack::packing_of(headers, Packing::Identity)?;
        super::unpack::unpack(packing, sent, self.0.body_unpacked_bytes, &mut share)
    }

    /// The answer to a query, counted.
    async fn answer<F>(&self, api: Api, language: &str, query: F) -> Response
    where
        F: Future<Output = Result<Response, ReadError>>,
    {
        let watch = self.0.clock.stopwatch();
        let response = match self.0.queries.try_acquire() {
            Ok(_place) => query.await.unwrap_or_else(|error| error.response(api)),
            Err(_) => ReadError::Busy.response(api),
        };
        let status = response.status().as_u16();
        self.0.metrics.read(language, status, watch.elapsed());
        response
    }
}

/// The routes of readers.
pub(crate) fn routes(reader: Reader) -> Served {
    table().kept_by_handlers().with_state(reader)
}

/// These routes without what their handlers share.
pub(crate) fn table() -> Routes<Reader> {
    Routes::new()
        .get("/query", Rule::TenantToken, influxql::get)
        .post("/query", Rule::TenantToken, influxql::post)
        .post("/api/v2/query", Rule::TenantToken, flux::post)
        .get("/api/v2/buckets", Rule::TenantToken, flux::buckets)
        .get("/api/v2/resolve", Rule::TenantToken, resolve::get)
}

/// How long the body of a query may take to arrive.
const BODY_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// A header as text.
fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    value.to_str().ok().map(str::to_owned)
}
