//! Silences and maintenance windows under `/api/v1/silences`.

use super::acting::Acting;
use super::api_types::{Incident, rfc3339};
use super::problem::Problem;
use super::{Site, api};
use crate::commands::{CommandError, Commands};
use crate::core::{Matcher, Silence, SilenceKind, SilenceSpec, SilenceState, Weekly, instant};
use crate::silences::{Hand, SilenceError};
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use model::{Role, Span, TenantId, Timestamp};
use runtime::{Routes, Rule};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which silences to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct SilenceQuery {
    /// One tenant.
    tenant: Option<String>,
    /// States, separated by commas: `pending`, `active`, `expired`. Any when left out.
    state: Option<String>,
}

/// A silence to make, or to preview.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SilenceBody {
    /// Whose incidents; of every tenant when left out.
    tenant: Option<String>,
    /// `silence` or `maintenance`; `silence` when left out.
    kind: Option<String>,
    /// `host=web-1`, `env!=prod`, `host=~"web-.*"`, `host!~db.*`: all must match. Labels are the incident's tags, and `tenant`,
    /// `template`, `priority` and `env`.
    matchers: Vec<String>,
    /// Who makes it.
    author: String,
    /// Why.
    comment: String,
    /// RFC 3339; now when left out.
    starts_at: Option<String>,
    /// RFC 3339. This or `for`.
    ends_at: Option<String>,
    /// How long from its start: `30m`, `2h`.
    r#for: Option<String>,
    /// Only at these hours of every week.
    weekly: Option<WeeklyBody>,
}

/// Hours of every week.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WeeklyBody {
    /// `sat,sun 02:00-06:00`, or `every day 22:00-02:00`.
    hours: String,
    /// IANA name: `Asia/Seoul`.
    zone: String,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SilenceView {
    id: String,
    tenant: Option<String>,
    /// `silence` or `maintenance`.
    kind: &'static str,
    /// `pending` (also between weekly hours), `active` or `expired`.
    state: &'static str,
    matchers: Vec<String>,
    author: String,
    comment: String,
    starts_at: String,
    ends_at: String,
    weekly: Option<WeeklyBody>,
    created_at: String,
    updated_at: String,
}

/// Silences, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SilenceList {
    silences: Vec<SilenceView>,
}

/// What a silence covers now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Covered {
    incidents: Vec<Incident>,
}

/// The routes; their handlers are handed the commands.
pub(super) fn routes() -> Routes<Site> {
    let (sees, acts) = (Rule::Api(Role::Viewer), Rule::Api(Role::Operator));
    Routes::new()
        .get("/api/v1/silences", sees, list)
        .post("/api/v1/silences", acts, create)
        .post("/api/v1/silences/preview", sees, preview)
        .get("/api/v1/silences/{id}", sees, show)
        .delete("/api/v1/silences/{id}", acts, expire)
}

/// Lists silences and maintenance windows, the newest first.
#[utoipa::path(
    get, path = "/api/v1/silences", tag = "silences", params(SilenceQuery),
    responses((status = 200, body = SilenceList), (status = 400, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    query: Result<Query<SilenceQuery>, QueryRejection>,
) -> Result<Json<SilenceList>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let tenant = tenant_of(query.tenant.as_deref())?;
    let states = query.state.unwrap_or_default();
    let states = states
        .split(',')
        .filter(|word| !word.is_empty())
        .map(SilenceState::parse)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    let now = commands.now();
    let mut all = commands.silences(tenant.as_ref()).await?;
    all.retain(|silence| acting.sees(silence.spec.tenant.as_ref()));
    all.retain(|silence| states.is_empty() || states.contains(&silence.spec.state(now)));
    let silences = all
        .into_iter()
        .map(|one| SilenceView::of(one, now))
        .collect();
    Ok(Json(SilenceList { silences }))
}

/// Makes a silence or a maintenance window.
#[utoipa::path(
    post, path = "/api/v1/silences", tag = "silences", request_body = SilenceBody,
    responses((status = 201, body = SilenceView), (status = 400, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn create(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<SilenceView>), Problem> {
    let now = commands.now();
    let spec = api::json::<SilenceBody>(&headers, &body)?.spec(now)?;
    acting.may(Role::Operator, spec.tenant.as_ref())?;
    acting.knows(&spec.tenant)?;
    let via = acting.who().proof.to_string();
    let hand = Hand::free(&acting.who().name, &via);
    let silence = commands.put_silence(None, spec, hand).await?;
    Ok((StatusCode::CREATED, Json(SilenceView::of(silence, now))))
}

/// What a silence would cover now.
#[utoipa::path(
    post, path = "/api/v1/silences/preview", tag = "silences", request_body = SilenceBody,
    responses((status = 200, body = Covered), (status = 400, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn preview(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Covered>, Problem> {
    let now = commands.now();
    let mut body = api::json::<SilenceBody>(&headers, &body)?;
    // Who only looks owes no reason and no end.
    body.r#for = body
        .r#for
        .or_else(|| body.ends_at.is_none().then(|| "1h".to_owned()));
    let spec = body.spec(now)?;
    acting.may(Role::Viewer, spec.tenant.as_ref())?;
    let covered = commands.covered(&spec).await?;
    let incidents = covered.into_iter().map(Incident::from).collect();
    Ok(Json(Covered { incidents }))
}

/// One silence.
#[utoipa::path(
    get, path = "/api/v1/silences/{id}", tag = "silences", params(("id" = String, Path, description = "a UUID")),
    responses((status = 200, body = SilenceView), (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn show(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    Path(id): Path<String>,
) -> Result<Json<SilenceView>, Problem> {
    let silence = seen(&acting, &commands, &id).await?;
    Ok(Json(SilenceView::of(silence, commands.now())))
}

/// Ends a silence now: what it held back and still fires pages.
#[utoipa::path(
    delete, path = "/api/v1/silences/{id}", tag = "silences", params(("id" = String, Path, description = "a UUID")),
    responses((status = 200, body = SilenceView), (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn expire(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    Path(id): Path<String>,
) -> Result<Json<SilenceView>, Problem> {
    let tenant = seen(&acting, &commands, &id).await?.spec.tenant;
    acting.may(Role::Operator, tenant.as_ref())?;
    let via = acting.who().proof.to_string();
    let hand = Hand::free(&acting.who().name, &via);
    let silence = commands.expire_silence(&id, hand).await?;
    Ok(Json(SilenceView::of(silence, commands.now())))
}

/// A silence that whoever asks may see.
async fn seen(acting: &Acting, commands: &Commands, id: &str) -> Result<Silence, Problem> {
    let mut all = commands.silences(None).await?.into_iter();
    let found = all.find(|silence| silence.id == id && acting.sees(silence.spec.tenant.as_ref()));
    let unknown = || SilenceError::NoSilence(id.chars().take(80).collect());
    Ok(found.ok_or_else(unknown)?)
}

fn tenant_of(name: Option<&str>) -> Result<Option<TenantId>, Problem> {
    name.map(TenantId::parse)
        .transpose()
        .map_err(|error| Problem::bad_request(error.to_string()))
}

impl SilenceBody {
    fn spec(self, now: Timestamp) -> Result<SilenceSpec, Problem> {
        let refuse = |reason: &dyn ToString| Problem::bad_request(reason.to_string());
        let matchers = self.matchers.iter().map(|text| Matcher::parse(text));
        let given = self.starts_at.as_deref().map(instant).transpose();
        let starts_at = given.map_err(|error| refuse(&error))?.unwrap_or(now);
        let ends_at = match (self.ends_at.as_deref(), self.r#for.as_deref()) {
            (Some(end), None) => instant(end).map_err(|error| refuse(&error))?,
            (None, Some(span)) => {
                starts_at.plus(Span::parse(span).map_err(|error| refuse(&error))?)
            }
            _ => return Err(Problem::bad_request("give either `ends_at` or `for`")),
        };
        let weekly = self.weekly.as_ref();
        Ok(SilenceSpec {
            tenant: tenant_of(self.tenant.as_deref())?,
            kind: SilenceKind::parse(self.kind.as_deref().unwrap_or("silence"))
                .map_err(|error| refuse(&error))?,
            matchers: matchers
                .collect::<Result<_, _>>()
                .map_err(|error| refuse(&error))?,
            author: self.author,
            comment: self.comment,
            starts_at,
            ends_at,
            weekly: weekly
                .map(|weekly| Weekly::parse(&weekly.hours, &weekly.zone))
                .transpose()
                .map_err(|error| refuse(&error))?,
        })
    }
}

impl SilenceView {
    fn of(silence: Silence, now: Timestamp) -> Self {
        let Silence { id, spec, .. } = silence;
        Self {
            id,
            kind: spec.kind.as_str(),
            state: spec.state(now).as_str(),
            tenant: spec.tenant.map(|tenant| tenant.to_string()),
            matchers: spec.matchers.iter().map(ToString::to_string).collect(),
            author: spec.author,
            comment: spec.comment,
            starts_at: rfc3339(spec.starts_at),
            ends_at: rfc3339(spec.ends_at),
            weekly: spec.weekly.map(|weekly| WeeklyBody {
                hours: weekly.to_string(),
                zone: weekly.zone().to_owned(),
            }),
            created_at: rfc3339(silence.created_at),
            updated_at: rfc3339(silence.updated_at),
        }
    }
}

impl From<SilenceError> for Problem {
    fn from(error: SilenceError) -> Self {
        let status = match error {
            SilenceError::Store(error) => return CommandError::Store(error).into(),
            SilenceError::NoSilence(_) => StatusCode::NOT_FOUND,
            SilenceError::Bad(_) => StatusCode::BAD_REQUEST,
            SilenceError::TooMany => StatusCode::CONFLICT,
            SilenceError::Random(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
