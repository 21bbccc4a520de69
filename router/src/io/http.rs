//! `/api/v2/write` and `/write`, and the questions that InfluxDB's clients ask before they write.

use super::answer::{Api, Refusal};
use super::budget::Share;
use super::intake::{Intake, Taken};
use super::parameters::Parameters;
use super::tenant::Tenant;
use super::tenants::Tenants;
use super::unpack::{packing_of, unpack};
use super::{body, formats, openapi};
use crate::config::Config;
use crate::core::auth::token_of;
use crate::core::precision::Precision;
use crate::metrics::Metrics;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use runtime::{Clock, Context, Routes, Rule, Served};
use schemas::packing::Packing;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What every request shares. A cheap handle.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    config: Config,
    tenants: Arc<Tenants>,
    intake: Intake,
    metrics: Metrics,
    clock: Clock,
    said_that_targets_are_ignored: AtomicBool,
}

/// A request that arrived whole and belongs to somebody.
pub(super) struct Received {
    pub(super) tenant: Arc<Tenant>,
    /// The body, unpacked.
    pub(super) text: Bytes,
    /// What the request holds of the process's memory.
    pub(super) share: Share,
    pub(super) _place: Share,
}

impl Shared {
    /// Starts what stands behind the routes; it ends when the last request is answered.
    pub(crate) fn start(
        config: Config,
        tenants: Arc<Tenants>,
        metrics: Metrics,
        ctx: &Context,
    ) -> Self {
        Self(Arc::new(Inner {
            intake: Intake::start(&config, &ctx.clock, &ctx.tasks),
            config,
            tenants,
            metrics,
            clock: Clock::clone(&ctx.clock),
            said_that_targets_are_ignored: AtomicBool::new(false),
        }))
    }
}

/// The router's routes.
pub(crate) fn routes(shared: Shared) -> Served {
    table().kept_by_handlers().with_state(shared)
}

/// These routes without what their handlers share.
pub(crate) fn table() -> Routes<Shared> {
    Routes::new()
        .post("/api/v2/write", Rule::TenantToken, write_v2)
        .post("/write", Rule::TenantToken, write_v1)
        .and(formats::routes())
        .get("/ping", Rule::Anybody, ping)
        .get("/health", Rule::Anybody, health)
        .get("/api/v1/openapi.json", Rule::Anybody, openapi::serve)
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
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    shared.answer(Api::V2, parameters, headers, body).await
}

async fn write_v1(
    State(shared): State<Shared>,
    parameters: Parameters,
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
        self.0.metrics.in_flight(self.0.tenants.held());
        let response = match self.write(&parameters, &headers, body).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(refusal) => refusal.response(api),
        };
        self.0.metrics.in_flight(self.0.tenants.held());
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
        let precision = Precision::parse(&parameters.precision).map_err(|error| {
            let refusal = Refusal::Invalid(error.to_string());
            self.refusal(parameters, headers, refusal)
        })?;
        let received = self.receive(parameters, headers, body, Packing::Identity);
        let Received {
            tenant,
            text,
            share,
            _place,
        } = received.await?;
        let taken = self.take(&tenant, text, precision, share).await?;
        if taken.refused_lines > 0 {
            Err(Refusal::partial(&taken))
        } else {
            Ok(())
        }
    }

    /// Finds out whose it is, and reads and unpacks the body within the tenant's limits. `unsaid` is how a body is
    /// packed that does not say it.
    pub(super) async fn receive(
        &self,
        parameters: &Parameters,
        headers: &HeaderMap,
        body: Body,
        unsaid: Packing,
    ) -> Result<Received, Refusal> {
        let tenant = self.tenant(parameters, headers)?;
        let packing = packing_of(headers, unsaid)?;
        self.say_that_targets_are_ignored(parameters);
        let read = self.read(&tenant, packing, body).await;
        let (text, share, _place) = self.counted(&tenant, read)?;
        Ok(Received {
            tenant,
            text,
            share,
            _place,
        })
    }

    async fn read(
        &self,
        tenant: &Tenant,
        packing: Packing,
        body: Body,
    ) -> Result<(Bytes, Share, Share), Refusal> {
        let inner = &*self.0;
        let mut place = tenant.places.share();
        place.grow(1)?;
        inner.intake.admit(tenant)?;
        let limits = tenant.terms().limits;
        let mut share = tenant.bytes.share();
        let arriving = body::read(body, limits.body_bytes, &mut share);
        let sent = tokio::time::timeout(inner.config.body_within.to_std(), arriving)
            .await
            .map_err(|_| Refusal::Slow)??;
        let text = unpack(packing, sent, limits.body_unpacked_bytes, &mut share)?;
        Ok((text, share, place))
    }

    /// Takes the lines and waits for the log.
    pub(super) async fn take(
        &self,
        tenant: &Arc<Tenant>,
        text: Bytes,
        precision: Precision,
        share: Share,
    ) -> Result<Taken, Refusal> {
        let taken = self.0.intake.take(tenant, text, precision, share).await;
        self.counted(tenant, taken)
    }

    /// Counts what was refused for a limit.
    fn counted<T>(&self, tenant: &Tenant, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Some(limit) = outcome.as_ref().err().and_then(Refusal::limit) {
            self.0.metrics.limited(&tenant.id, limit);
        }
        outcome
    }

    /// Why a request is refused that cannot be understood: who has no token is told that first, and learns nothing
    /// of what is understood here.
    pub(super) fn refusal(
        &self,
        parameters: &Parameters,
        headers: &HeaderMap,
        otherwise: Refusal,
    ) -> Refusal {
        let tenant = self.tenant(parameters, headers);
        tenant.err().unwrap_or(otherwise)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn tenant(&self, parameters: &Parameters, headers: &HeaderMap) -> Result<Arc<Tenant>, Refusal> {
        let decode = |text: &str| String::from_utf8(STANDARD.decode(text).ok()?).ok();
        let said = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = match said {
            Some(said) => token_of(said, decode),
            None => parameters.password.as_deref().map(Into::into),
        };
        self.0.tenants.of(token.as_deref())
    }

    fn say_that_targets_are_ignored(&self, parameters: &Parameters) {
        if parameters.names_a_place
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
