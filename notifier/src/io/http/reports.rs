//! Incidents as CSV, and how fast they are taken and ended.

use super::acting::Acting;
use super::api::listed;
use super::api_types::ListQuery;
use super::problem::Problem;
use crate::commands::Page;
use crate::core::{Actor, IncidentSummary, Times};
use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The most lines of one answer; the next part begins at the header `x-next-cursor`.
const CSV_LINES: usize = 50_000;
/// Incidents read at a time.
const PART: u32 = 500;
const HEADINGS: [&str; 19] = [
    "id",
    "tenant",
    "priority",
    "state",
    "firing",
    "template",
    "host",
    "env",
    "title",
    "why",
    "value",
    "threshold",
    "unit",
    "started_at",
    "opened_at",
    "acknowledged_by",
    "acknowledged_at",
    "closed_by",
    "closed_at",
];

/// Incidents as CSV (RFC 4180), newest opened first.
#[utoipa::path(
    get, path = "/api/v1/incidents.csv", tag = "incidents", params(ListQuery),
    responses(
        (status = 200, body = String, content_type = "text/csv"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn csv(
    site: Acting,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let most = query.limit.map_or(CSV_LINES, |limit| limit as usize);
    if !(1..=CSV_LINES).contains(&most) {
        return Err(Problem::bad_request(format!(
            "`limit` must be 1 to {CSV_LINES}"
        )));
    }
    let (filter, mut after) = listed(query)?;
    let mut text = HEADINGS.join(",") + "\r\n";
    let mut lines = 0;
    loop {
        let left = u32::try_from(most - lines).unwrap_or(PART);
        let limit = left.min(PART);
        let part = site.desk().list(&filter, &Page { limit, after }).await?;
        lines += part.incidents.len();
        for incident in &part.incidents {
            line(&mut text, incident);
        }
        after = part.next;
        if after.is_none() || lines >= most {
            break;
        }
    }
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response();
    if let Some(next) = after.and_then(|next| next.parse().ok()) {
        response.headers_mut().insert("x-next-cursor", next);
    }
    Ok(response)
}

fn line(text: &mut String, incident: &IncidentSummary) {
    let at = |at: Timestamp| super::api_types::rfc3339(at);
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let (taken_by, taken_at) = incident.acknowledged.clone().unzip();
    let (closed_by, closed_at) = incident.closed.clone().unzip();
    let name = |actor: Option<Actor>| actor.map(|actor| actor.name).unwrap_or_default();
    let cells = [
        incident.id.to_string(),
        incident.tenant.to_string(),
        incident.priority.as_str().to_owned(),
        incident.status.as_str().to_owned(),
        incident.firing.to_string(),
        incident.template.clone(),
        incident.host().to_owned(),
        incident.env.clone().unwrap_or_default(),
        incident.title.clone(),
        incident.why.clone(),
        number(incident.value),
        number(incident.threshold),
        incident.unit.clone(),
        at(incident.started_at),
        at(incident.opened_at),
        name(taken_by),
        taken_at.map(at).unwrap_or_default(),
        name(closed_by.flatten()),
        closed_at.map(at).unwrap_or_default(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula is text.
fn quoted(cell: &str) -> String {
    let number = cell.parse::<f64>().is_ok();
    let formula = !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    if formula || cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{mark}{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// Of which tenant and time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct TimesQuery {
    /// One tenant; all when left out.
    tenant: Option<String>,
    /// RFC 3339; 30 days ago when left out.
    since: Option<String>,
    /// RFC 3339; now when left out.
    until: Option<String>,
}

/// How fast incidents of one tenant and priority were taken and ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResponseTimes {
    tenant: String,
    /// The highest priority that they had.
    priority: &'static str,
    /// How often one was opened.
    opened: u64,
    /// How often one was acknowledged.
    acknowledged: usize,
    /// Mean seconds from opening to the first acknowledgement.
    mtta_seconds: Option<f64>,
    /// Nine of ten were acknowledged within so many seconds.
    tta_p90_seconds: Option<f64>,
    /// How often one was resolved, expired or closed by hand.
    resolved: usize,
    /// Mean seconds from opening to the end.
    mttr_seconds: Option<f64>,
    /// Nine of ten were over within so many seconds.
    ttr_p90_seconds: Option<f64>,
}

/// MTTA and MTTR by tenant and priority, out of the timelines.
#[utoipa::path(
    get, path = "/api/v1/response-times", tag = "incidents", params(TimesQuery),
    responses(
        (status = 200, body = Vec<ResponseTimes>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn response_times(
    site: Acting,
    query: Result<Query<TimesQuery>, QueryRejection>,
) -> Result<Json<Vec<ResponseTimes>>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let now = Timestamp::from_millis(site.now_millis());
    let month = model::Span::from_secs(30 * 86_400);
    let since = instant(query.since.as_deref(), "since", now.minus(month))?;
    let until = instant(query.until.as_deref(), "until", now)?;
    let tenant = query.tenant.as_deref().map(TenantId::parse).transpose();
    let tenant = tenant.map_err(|error| Problem::bad_request(error.to_string()))?;
    if until <= since {
        return Err(Problem::bad_request("`until` must be after `since`"));
    }
    let all = site.desk().times(tenant.as_ref(), since, until).await?;
    let times = all
        .into_iter()
        .map(|((tenant, priority), times)| ResponseTimes {
            tenant,
            priority: priority.as_str(),
            opened: times.opened,
            acknowledged: times.to_acknowledge.len(),
            mtta_seconds: Times::mean(&times.to_acknowledge),
            tta_p90_seconds: Times::p90(&times.to_acknowledge),
            resolved: times.to_resolve.len(),
            mttr_seconds: Times::mean(&times.to_resolve),
            ttr_p90_seconds: Times::p90(&times.to_resolve),
        });
    Ok(Json(times.collect()))
}

fn instant(text: Option<&str>, name: &str, otherwise: Timestamp) -> Result<Timestamp, Problem> {
    let Some(text) = text else {
        return Ok(otherwise);
    };
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| Problem::bad_request(format!("`{name}` is no RFC 3339 time: {text:.40}")))?;
    i64::try_from(at.as_nanosecond())
        .map(Timestamp::from_nanos)
        .map_err(|_| Problem::bad_request(format!("`{name}` is too far from now")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_needed_and_never_a_formula() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=cmd()", "\"'=cmd()\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("-3.5", "-3.5"),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
