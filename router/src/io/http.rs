//! `/api/v2/write` and `/write`, and the questions that InfluxDB's clients ask before they write.

use super::answer::{Api, Refusal};
use super::budget::Budget;
use super::{body, produce};
use crate::config::Config;
use crate::core::auth::{Tokens, token_of};
use crate::core::pack::{Limits, pack};
use crate::core::precision::Precision;
use crate::metrics::{Metrics, PointResult};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{TenantId, TopicName};
use runtime::Clock;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stream::Stream;
use tokio::sync::{Semaphore, watch};

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
struct Parameters {
    precision: String,
    p: Option<String>,
    org: Option<String>,
    bucket: Option<String>,
    db: Option<String>,
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
        let inner = &*self.0;
        let _place = inner.requests.try_acquire().map_err(|_| Refusal::Busy)?;
        let tenant = self.tenant(parameters, headers)?;
        let precision = Precision::parse(&parameters.precision)
            .map_err(|error| Refusal::Invalid(error.to_string()))?;
        self.say_that_targets_are_ignored(parameters);
        let mut share = inner.bytes.share();
        let arriving = body::read(body, inner.config.body_bytes, &mut share);
        let sent = tokio::time::timeout(inner.config.body_within.to_std(), arriving)
            .await
            .map_err(|_| Refusal::Slow)??;
        let text = body::unpack(headers, sent, inner.config.body_unpacked_bytes, &mut share)?;
        self.take(&tenant, &text, precision).await
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

    /// Scans, packs, appends, and waits for the log.
    async fn take(
        &self,
        tenant: &TenantId,
        text: &[u8],
        precision: Precision,
    ) -> Result<(), Refusal> {
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
        if packed.refused_lines > 0 {
            Err(Refusal::partial(&packed))
        } else {
            Ok(())
        }
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
