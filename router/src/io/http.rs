//! `/api/v2/write` and `/write`, and the questions that InfluxDB's clients ask before they write.

use super::answer::{Api, Refusal};
use super::budget::{Budget, Share};
use super::unpack::{packing_of, unpack};
use super::{body, formats, produce};
use crate::config::Config;
use crate::core::auth::{Tokens, token_of};
use crate::core::pack::{Limits, Packed, pack};
use crate::core::precision::Precision;
use crate::metrics::{Metrics, PointResult};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{TenantId, TopicName};
use runtime::Clock;
use schemas::packing::Packing;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stream::Stream;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// What every request shares. A cheap handle.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    config: Config,
    stream: Stream,
    tokens: watch::Receiver<Arc<Tokens>>,
    metrics: Metrics,
    clock: Clock,
    requests: Semaphore,
    bytes: Budget,
    said_that_targets_are_ignored: AtomicBool,
}

/// The parameters of a write. What names a place (`org`, `bucket`, `db`, `rp`) decides nothing: the token does.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    pub(super) precision: String,
    /// How a metric's name becomes a line, for remote write: 1 or 2, as Telegraf counts.
    pub(super) metric_version: String,
    p: Option<String>,
    org: Option<String>,
    bucket: Option<String>,
    db: Option<String>,
}

/// A request that arrived whole and belongs to somebody.
pub(super) struct Received<'a> {
    pub(super) tenant: TenantId,
    /// The body, unpacked.
    pub(super) text: Bytes,
    /// What the request holds of the process's memory.
    pub(super) share: Share<'a>,
    pub(super) _place: SemaphorePermit<'a>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        stream: Stream,
        tokens: watch::Receiver<Arc<Tokens>>,
        metrics: Metrics,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Inner {
            requests: Semaphore::new(config.in_flight_requests),
            bytes: Budget::new(config.in_flight_bytes),
            config,
            stream,
            tokens,
            metrics,
            clock,
            said_that_targets_are_ignored: AtomicBool::new(false),
        }))
    }
}

/// The router's routes.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/api/v2/write", post(write_v2))
        .route("/write", post(write_v1))
        .merge(formats::routes())
        .route("/ping", get(ping).head(ping))
        .route("/health", get(health))
        .with_state(shared)
}

/// What InfluxDB 1 and 2 answer to `/ping`: 204, and a version that clients look at.
async fn ping() -> Response {
    (
        StatusCode::NO_CONTENT,
        [
            ("x-influxdb-build", "Bongsu"),
            ("x-influxdb-version", "v2.7.12"),
        ],
    )
        .into_response()
}

/// What InfluxDB 2 answers to `/health`.
async fn health() -> Response {
    axum::Json(
        serde_json::json!({"name": "bongsu", "status": "pass", "message": "ready for writes"}),
    )
    .into_response()
}

async fn write_v2(
    State(shared): State<Shared>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    shared.answer(Api::V2, parameters, headers, body).await
}

async fn write_v1(
    State(shared): State<Shared>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    shared.answer(Api::V1, parameters, headers, body).await
}

impl Shared {
    async fn answer(
        &self,
        api: Api,
        parameters: Parameters,
        headers: HeaderMap,
        body: Body,
    ) -> Response {
        let watch = self.0.clock.stopwatch();
        let response = match self.write(&parameters, &headers, body).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(refusal) => refusal.response(api),
        };
        self.0
            .metrics
            .answered(response.status().as_u16(), watch.elapsed());
        response
    }

    async fn write(
        &self,
        parameters: &Parameters,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(), Refusal> {
        let precision = Precision::parse(&parameters.precision)
            .map_err(|error| Refusal::Invalid(error.to_string()))?;
        let received = self
            .receive(parameters, headers, body, Packing::Identity)
            .await?;
        let packed = self
            .take(&received.tenant, &received.text, precision)
            .await?;
        if packed.refused_lines > 0 {
            Err(Refusal::partial(&packed))
        } else {
            Ok(())
        }
    }

    /// Finds out whose it is, and reads and unpacks the body within the limits. `unsaid` is how a body is packed
    /// that does not say it.
    pub(super) async fn receive(
        &self,
        parameters: &Parameters,
        headers: &HeaderMap,
        body: Body,
        unsaid: Packing,
    ) -> Result<Received<'_>, Refusal> {
        let inner = &*self.0;
        let place = inner.requests.try_acquire().map_err(|_| Refusal::Busy)?;
        let tenant = self.tenant(parameters, headers)?;
        let packing = packing_of(headers, unsaid)?;
        self.say_that_targets_are_ignored(parameters);
        let mut share = inner.bytes.share();
        let arriving = body::read(body, inner.config.body_bytes, &mut share);
        let sent = tokio::time::timeout(inner.config.body_within.to_std(), arriving)
            .await
            .map_err(|_| Refusal::Slow)??;
        let text = unpack(packing, sent, self.body_unpacked_bytes(), &mut share)?;
        Ok(Received {
            tenant,
            text,
            share,
            _place: place,
        })
    }

    /// The largest body after decompression, in bytes.
    pub(super) fn body_unpacked_bytes(&self) -> usize {
        self.0.config.body_unpacked_bytes
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn tenant(&self, parameters: &Parameters, headers: &HeaderMap) -> Result<TenantId, Refusal> {
        let decode = |text: &str| String::from_utf8(STANDARD.decode(text).ok()?).ok();
        let said = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = match said {
            Some(said) => token_of(said, decode),
            None => parameters.p.as_deref().map(Into::into),
        };
        let tokens = Arc::clone(&self.0.tokens.borrow());
        tokens
            .tenant(token.as_deref())
            .cloned()
            .map_err(|error| Refusal::Unauthorized(error.to_string()))
    }

    /// Scans, packs, appends, and waits for the log. What comes back has no packets any more.
    pub(super) async fn take(
        &self,
        tenant: &TenantId,
        text: &[u8],
        precision: Precision,
    ) -> Result<Packed, Refusal> {
        let inner = &*self.0;
        let topic = TopicName::metrics(tenant, 1);
        // The question and the append share one deadline: an agent knows within two seconds.
        let watch = inner.clock.stopwatch();
        let within = inner.config.acknowledge_within.to_std();
        let partitions = tokio::time::timeout(within, self.partitions(tenant, &topic))
            .await
            .map_err(|_| Refusal::Unavailable("the log does not answer in time".to_owned()))??;
        let limits = Limits {
            line_bytes: inner.config.line_bytes,
            line_tags: inner.config.line_tags,
        };
        let mut packed = pack(text, precision, partitions, limits);
        inner
            .metrics
            .points(tenant, PointResult::Rejected, packed.refused_lines);
        let packets = std::mem::take(&mut packed.packets);
        let (records, bytes) = (
            packets.len(),
            packets.iter().map(|packet| packet.bytes.len()).sum(),
        );
        let left = within.saturating_sub(watch.elapsed());
        if let Err(refusal) = produce::append(&inner.stream, &topic, packets, left).await {
            inner
                .metrics
                .points(tenant, PointResult::Unacknowledged, packed.lines);
            return Err(refusal);
        }
        inner
            .metrics
            .points(tenant, PointResult::Accepted, packed.lines);
        inner.metrics.appended(tenant, records, bytes);
        Ok(packed)
    }

    async fn partitions(&self, tenant: &TenantId, topic: &TopicName) -> Result<u32, Refusal> {
        let known =
            self.0.stream.partitions(topic).await.map_err(|error| {
                Refusal::Unavailable(format!("the log does not answer: {error}"))
            })?;
        known.ok_or_else(|| {
            Refusal::Unavailable(format!(
                "topic `{topic}` is missing; `bongsu tenant add {tenant}` makes it"
            ))
        })
    }

    fn say_that_targets_are_ignored(&self, parameters: &Parameters) {
        let named =
            parameters.org.is_some() || parameters.bucket.is_some() || parameters.db.is_some();
        if named
            && !self
                .0
                .said_that_targets_are_ignored
                .swap(true, Ordering::Relaxed)
        {
            tracing::info!(
                "`org`, `bucket` and `db` of writes are ignored: the token says whose they are"
            );
        }
    }
}
