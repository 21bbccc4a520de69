//! Actions of people that the API takes beside acknowledging and closing.

use super::acting::Acting;
use super::api::{incident, json};
use super::api_types::ActionResult;
use super::problem::Problem;
use crate::core::{Input, LONGEST_SNOOZE, SHORTEST_SNOOZE};
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;
use model::{IncidentId, Priority, Span};
use serde::Deserialize;
use utoipa::ToSchema;

/// The longest comment, in characters.
const COMMENT: usize = 4_000;

/// To whom it is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AssignBody {
    /// The name that the timeline shows; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// Name of the contact in the catalogue.
    to: String,
}

/// What is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CommentBody {
    /// The name that the timeline shows; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// Up to 4,000 characters.
    text: String,
}

/// How long it is put off.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SnoozeBody {
    /// The name that the timeline shows; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// `30m`, `4h`; 1 minute up to 7 days.
    #[serde(rename = "for")]
    span: String,
}

/// With what it is the same.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MergeBody {
    /// The name that the timeline shows; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// Id of the incident that stays: of the same tenant, open, as urgent.
    into: String,
}

/// How urgent it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PriorityBody {
    /// The name that the timeline shows; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// `P1`, `P2` or `P3`.
    priority: String,
}

/// Gives an incident to a contact, who is paged and has the time to acknowledge; then escalation goes on.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/assign", tag = "incidents", request_body = AssignBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn assign(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let (id, body): (_, AssignBody) = (incident(&id)?, json(&headers, &body)?);
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    let to = body.to;
    if to.is_empty() {
        return Err(Problem::bad_request(
            "`to` names a contact of the catalogue",
        ));
    }
    let acted = site
        .desk()
        .act(id, Input::Assign { actor, via, to })
        .await?;
    Ok(Json(acted.into()))
}

/// Writes a comment into the timeline, and tells the rooms that follow the incident.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/comment", tag = "incidents", request_body = CommentBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn comment(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let (id, body): (_, CommentBody) = (incident(&id)?, json(&headers, &body)?);
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    let text = body.text.trim().to_owned();
    if text.is_empty() || text.chars().count() > COMMENT {
        return Err(Problem::bad_request(format!(
            "`text` has 1 to {COMMENT} characters"
        )));
    }
    let acted = site
        .desk()
        .act(id, Input::Comment { actor, via, text })
        .await?;
    Ok(Json(acted.into()))
}

/// Puts an incident off: it pages again when the time is over.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/snooze", tag = "incidents", request_body = SnoozeBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn snooze(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let (id, body): (_, SnoozeBody) = (incident(&id)?, json(&headers, &body)?);
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    let span = Span::parse(&body.span)
        .map_err(|_| Problem::bad_request("`for` is a length of time, such as 30m or 4h"))?;
    if span < SHORTEST_SNOOZE || span > LONGEST_SNOOZE {
        return Err(Problem::bad_request("`for` is 1 minute up to 7 days"));
    }
    let until = model::Timestamp::from_millis(site.now_millis()).plus(span);
    let acted = site
        .desk()
        .act(id, Input::Snooze { actor, via, until })
        .await?;
    Ok(Json(acted.into()))
}

/// Says that an incident is the same as another: it pages no more while that one is open.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/merge", tag = "incidents", request_body = MergeBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn merge(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let (id, body): (_, MergeBody) = (incident(&id)?, json(&headers, &body)?);
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    let into = IncidentId::parse(&body.into)
        .map_err(|error| Problem::bad_request(format!("`into`: {error}")))?;
    let acted = site
        .desk()
        .act(id, Input::Merge { actor, via, into })
        .await?;
    Ok(Json(acted.into()))
}

/// Judges an incident anew: higher asks everybody anew, lower tells nobody.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/priority", tag = "incidents", request_body = PriorityBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn priority(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let (id, body): (_, PriorityBody) = (incident(&id)?, json(&headers, &body)?);
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    let priority = Priority::parse(&body.priority)
        .map_err(|error| Problem::bad_request(format!("`priority`: {error}")))?;
    let input = Input::SetPriority {
        actor,
        via,
        priority,
    };
    Ok(Json(site.desk().act(id, input).await?.into()))
}
