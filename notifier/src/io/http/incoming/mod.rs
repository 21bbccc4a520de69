//! What other systems send: Alertmanager's API and webhook, PagerDuty's events, the standard integration, heartbeats, webhooks that are mapped.
//!
//! The tenant comes from the credential alone. What is answered with a 2xx stands in the store.

mod alertmanager;
mod alertmanager_types;
mod facts;
mod heartbeat;
mod mapped;
mod pagerduty;
mod silences;
mod standard;
mod webhook;

use super::access::Refused;
use super::{Site, proof};
use crate::commands::Commands;
use crate::reports::ReportError;
use crate::silences::Hand;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::TenantId;
use runtime::routes::Guarded;
use runtime::{Declared, Guard, Routes, Rule};
use schemas::catalogue::{Integration, IntegrationFormat};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Prometheus sends up to 256 alerts at once.
const BODY_BYTES: usize = 8 << 20;
/// PagerDuty's own limit.
const PAGERDUTY_BYTES: usize = 512 << 10;
/// Requests that write at once; more are asked to come again.
const AT_ONCE: usize = 64;
/// Whose alerts come without a credential, where that is let in.
const DEFAULT_TENANT: &str = "default";

/// What these routes share. A cheap handle.
#[derive(Clone)]
struct Doors {
    commands: Commands,
    turns: Arc<Semaphore>,
}

/// Who sends.
#[derive(Debug, Clone)]
struct Sender {
    tenant: TenantId,
    /// Name of the integration.
    source: String,
}

impl Sender {
    /// Its hand on silences.
    fn hand(&self) -> Hand<'_> {
        Hand {
            name: &self.source,
            via: "integration",
            tenant: Some(&self.tenant),
        }
    }
}

impl From<&Integration> for Sender {
    fn from(integration: &Integration) -> Self {
        Self {
            tenant: integration.tenant.clone(),
            source: integration.integration.clone(),
        }
    }
}

impl Doors {
    /// A turn to write; none when too many write.
    fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// The integration of that format that a key opens.
    fn opened_by(&self, key: &str, format: IntegrationFormat) -> Option<Arc<Integration>> {
        let integrations = self.commands.integrations();
        let found = integrations
            .opened_by(key)
            .filter(|each| each.format == format);
        found.map(Arc::clone)
    }
}

/// All routes of this kind.
pub(super) fn routes(site: &Site, commands: Commands) -> Guarded<Site> {
    let doors = Doors {
        commands,
        turns: Arc::new(Semaphore::new(AT_ONCE)),
    };
    let guard = Gate {
        site: site.clone(),
        doors: doors.clone(),
    };
    table()
        .layer(Extension(doors))
        .layer(super::patience())
        .guarded(&guard)
}

/// These routes without what their handlers share.
pub(super) fn table() -> Routes<Site> {
    let events = Routes::new()
        .post("/v2/enqueue", Rule::KeyInside, pagerduty::take)
        .layer(DefaultBodyLimit::max(PAGERDUTY_BYTES));
    alertmanager_routes()
        .and(keyed_routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .and(events)
}

fn alertmanager_routes() -> Routes<Site> {
    let keyed = Rule::IntegrationKey;
    Routes::new()
        .get("/alertmanager/api/v2/alerts", keyed, alertmanager::list)
        .post("/alertmanager/api/v2/alerts", keyed, alertmanager::take)
        .get(
            "/alertmanager/api/v2/alerts/groups",
            keyed,
            alertmanager::groups,
        )
        .get("/alertmanager/api/v2/silences", keyed, silences::list)
        .post("/alertmanager/api/v2/silences", keyed, silences::put)
        .get("/alertmanager/api/v2/silence/{id}", keyed, silences::show)
        .delete("/alertmanager/api/v2/silence/{id}", keyed, silences::expire)
        .get("/alertmanager/api/v2/status", keyed, alertmanager::status)
        .get(
            "/alertmanager/api/v2/receivers",
            keyed,
            alertmanager::receivers,
        )
        .get("/alertmanager/-/ready", Rule::Anybody, async || "OK")
        .get("/alertmanager/-/healthy", Rule::Anybody, async || "OK")
}

fn keyed_routes() -> Routes<Site> {
    let inside = Rule::KeyInside;
    Routes::new()
        .post("/integration/alertmanager/v1/{key}", inside, webhook::take)
        .post("/integration/standard/v1/{key}", inside, standard::take)
        .post("/integration/webhook/v1/{key}", inside, mapped::take)
        .get("/integration/heartbeat/v1/{key}", inside, heartbeat::beat)
        .post("/integration/heartbeat/v1/{key}", inside, heartbeat::beat)
}

/// Lets in who has the key of an integration of Alertmanager. Without a token of the API, which only a listener on a loopback
/// address can be without, whoever sends no credential is the tenant `default`.
#[derive(Clone)]
struct Gate {
    site: Site,
    doors: Doors,
}

impl Guard for Gate {
    async fn admit(&self, route: Declared, mut request: Request) -> Result<Request, Response> {
        if route.rule != Rule::IntegrationKey {
            return Ok(request);
        }
        let (method, headers) = (request.method(), request.headers());
        match sender(&self.site, &self.doors, method, headers) {
            Ok(sender) => {
                request.extensions_mut().insert(sender);
                Ok(request)
            }
            Err(Refused::Credential) => Err(said(
                StatusCode::UNAUTHORIZED,
                "send the key of an `alertmanager` integration as a bearer token, or as the password of basic authorization \
                 (`bongsu integration add` makes one)",
            )),
            Err(Refused::Host | Refused::Origin) => Err(said(
                StatusCode::FORBIDDEN,
                "this name, or a page of this origin, is not served here",
            )),
        }
    }
}

fn sender(
    site: &Site,
    doors: &Doors,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Sender, Refused> {
    site.access().site(method, headers)?;
    let Some(given) = headers.get(AUTHORIZATION) else {
        let tenant = TenantId::parse(DEFAULT_TENANT).map_err(|_| Refused::Credential)?;
        return if !site.access().is_open() {
            Err(Refused::Credential)
        } else {
            Ok(Sender {
                tenant,
                source: "alertmanager".to_owned(),
            })
        };
    };
    let key = given.to_str().ok().and_then(key_of);
    let key = key.ok_or(Refused::Credential)?;
    let format = IntegrationFormat::Alertmanager;
    let found = doors.opened_by(&key, format).ok_or(Refused::Credential)?;
    Ok(Sender::from(&*found))
}

/// The key in `Bearer <key>` or `Basic <base64 of anything:key>`.
fn key_of(authorization: &str) -> Option<String> {
    if let Some(token) = proof::bearer(authorization) {
        return Some(token.to_owned());
    }
    let (scheme, given) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(given.trim()).ok()?).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}

/// An answer of Alertmanager's API: a JSON text.
fn said(status: StatusCode, text: &str) -> Response {
    (status, Json(text)).into_response()
}

/// An answer of the keyed routes.
fn answered(status: StatusCode, message: &str) -> Response {
    let word = if status.is_success() {
        "success"
    } else {
        "error"
    };
    (status, Json(json!({"status": word, "message": message}))).into_response()
}

/// What a body of JSON holds; the sentence says why it cannot be read.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("the body is no JSON: {error}"),
    })
}

/// What the sender hears when reports could not be taken over: come again.
fn not_taken(error: &ReportError) -> (StatusCode, String) {
    match error {
        ReportError::TooMany => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        ReportError::Store(error) => {
            tracing::error!(%error, "the store did not take reports of another system");
            let text = "the store did not answer; send it again".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}
