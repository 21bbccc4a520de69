//! The API under `/api/v1`, described by its own OpenAPI document.

use super::acting::Acting;
use super::api_types::{
    AcknowledgeBody, ActionResult, CloseBody, IncidentList, IncidentWithAccount, ListQuery,
};
use super::problem::Problem;
use crate::commands::{Filter, Page};
use crate::core::{Actor, Status, Via};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use model::{IncidentId, InvalidName, Priority, TenantId};
use serde::de::DeserializeOwned;

/// How many incidents a page has when nothing else is asked for, and at most.
const PAGE: u32 = 50;
const PAGE_LIMIT: u32 = 500;

/// Lists incidents, newest opened first.
#[utoipa::path(
    get, path = "/api/v1/incidents", tag = "incidents", params(ListQuery),
    responses(
        (status = 200, body = IncidentList),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    site: Acting,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<IncidentList>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "`limit` must be 1 to {PAGE_LIMIT}"
        )));
    }
    let (filter, after) = listed(query)?;
    let page = Page { limit, after };
    Ok(Json(site.desk().list(&filter, &page).await?.into()))
}

/// Which incidents a query wants, and behind which cursor.
pub(super) fn listed(query: ListQuery) -> Result<(Filter, Option<String>), Problem> {
    let refuse = |error: InvalidName| Problem::bad_request(error.to_string());
    let filter = Filter {
        tenant: query
            .tenant
            .as_deref()
            .map(TenantId::parse)
            .transpose()
            .map_err(refuse)?,
        status: words(query.state.as_deref(), Status::parse).map_err(refuse)?,
        priority: words(query.priority.as_deref(), Priority::parse).map_err(refuse)?,
        text: query.q.filter(|text| !text.trim().is_empty()),
        ..Filter::default()
    };
    if filter
        .text
        .as_ref()
        .is_some_and(|text| text.chars().count() > 200)
    {
        return Err(Problem::bad_request("`q` may have up to 200 characters"));
    }
    Ok((filter, query.cursor))
}

/// Words separated by commas.
fn words<T>(
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, InvalidName>,
) -> Result<Vec<T>, InvalidName> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(parse).collect()
}

/// One incident with its timeline and deliveries.
#[utoipa::path(
    get, path = "/api/v1/incidents/{id}", tag = "incidents",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = IncidentWithAccount),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    site: Acting,
    Path(id): Path<String>,
) -> Result<Json<IncidentWithAccount>, Problem> {
    Ok(Json(site.desk().get(incident(&id)?).await?.into()))
}

/// Acknowledges an incident: escalation stops until the acknowledgement runs out.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/ack", tag = "incidents", request_body = AcknowledgeBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult, description = "also when somebody has it already"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn acknowledge(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let id = incident(&id)?;
    let body: AcknowledgeBody = json(&headers, &body)?;
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    Ok(Json(site.desk().acknowledge(id, actor, via).await?.into()))
}

/// Closes an incident by hand.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/close", tag = "incidents", request_body = CloseBody,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, body = ActionResult, description = "also when it is closed already"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn close(
    site: Acting,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ActionResult>, Problem> {
    let id = incident(&id)?;
    let body: CloseBody = json(&headers, &body)?;
    let (actor, via) = site.actor(body.by, body.via.as_deref())?;
    Ok(Json(
        site.desk()
            .close(id, actor, via, body.until_resolved)
            .await?
            .into(),
    ))
}

pub(super) fn incident(id: &str) -> Result<IncidentId, Problem> {
    IncidentId::parse(id).map_err(|error| Problem::new(StatusCode::NOT_FOUND, error.to_string()))
}

/// The body, or the default when there is none. A body must say that it is JSON, which no form of a
/// foreign page can do.
pub(super) fn json<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let said = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !said.is_some_and(|said| said.to_ascii_lowercase().starts_with("application/json")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be `application/json`",
        ));
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(error.to_string()))
}

pub(super) fn actor(by: Option<String>, via: Option<&str>) -> Result<(Actor, Via), Problem> {
    let via = match via {
        None | Some("api") => Via::Api,
        Some("cli") => Via::Cli,
        Some(_) => return Err(Problem::bad_request("`via` must be api or cli")),
    };
    let name = by
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| via.as_str().to_owned());
    if name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::bad_request(
            "`by` may have up to 100 printable characters",
        ));
    }
    Ok((
        Actor {
            name,
            contact: None,
        },
        via,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_within_bounds() {
        assert_eq!(actor(None, None).unwrap().0.name, "api");
        assert_eq!(
            actor(Some(" kim ".into()), Some("cli")).unwrap().0.name,
            "kim"
        );
        assert!(actor(Some("a\nb".into()), None).is_err());
        assert!(actor(Some("a".repeat(101)), None).is_err());
        assert!(actor(None, Some("chat")).is_err());
    }
}
