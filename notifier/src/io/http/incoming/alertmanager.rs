//! Alertmanager's API v2: alerts.

use super::alertmanager_types::{Name, PostedAlert, RECEIVER, ShownAlert};
use super::{Doors, Sender, not_taken, said};
use crate::core::{Matcher, Report};
use crate::io::http::api_types::rfc3339;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Alerts in one request at most.
const MOST: usize = 5_000;

/// Takes alerts: the valid ones are kept even when others are not; then the answer is 400.
pub(super) async fn take(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    body: Bytes,
) -> Response {
    let Some(_turn) = doors.turn() else {
        return said(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    };
    let posted: Vec<Value> = match serde_json::from_slice(&body) {
        Ok(posted) => posted,
        Err(error) => {
            return said(
                StatusCode::BAD_REQUEST,
                &format!("no list of alerts: {error}"),
            );
        }
    };
    if posted.len() > MOST {
        return said(
            StatusCode::BAD_REQUEST,
            &format!("up to {MOST} alerts at once"),
        );
    }
    let now = doors.commands.now();
    let (mut good, mut bad) = (Vec::<Report>::new(), Vec::<String>::new());
    for (n, alert) in posted.into_iter().enumerate() {
        let alert = serde_json::from_value::<PostedAlert>(alert);
        match alert
            .map_err(|error| error.to_string())
            .and_then(|alert| alert.report(now))
        {
            Ok(report) => good.push(report),
            Err(why) => bad.push(format!("alert {n}: {why}")),
        }
    }
    let taken = doors
        .commands
        .report_alerts(&sender.tenant, &sender.source, good)
        .await;
    if let Err(error) = taken {
        let (status, text) = not_taken(&error);
        return said(status, &text);
    }
    if bad.is_empty() {
        return StatusCode::OK.into_response();
    }
    bad.truncate(20);
    said(StatusCode::BAD_REQUEST, &bad.join("; "))
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    let wrong = |_| format!("`{name}` is true or false");
    value.parse().map_err(wrong)
}

/// What a list is asked for.
struct Wanted {
    matchers: Vec<Matcher>,
    active: bool,
    silenced: bool,
}

impl Wanted {
    fn of(query: Vec<(String, String)>) -> Result<Self, String> {
        let mut wanted = Self {
            matchers: Vec::new(),
            active: true,
            silenced: true,
        };
        for (name, value) in query {
            match name.as_str() {
                "filter" => wanted
                    .matchers
                    .push(Matcher::parse(&value).map_err(|error| error.to_string())?),
                "active" => wanted.active = truth(&name, &value)?,
                "silenced" => wanted.silenced = truth(&name, &value)?,
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn shows(&self, alert: &ShownAlert) -> bool {
        let value = |name: &str| alert.labels.get(name).map_or("", String::as_str);
        let all = self
            .matchers
            .iter()
            .all(|matcher| matcher.matches(value(matcher.name())));
        let silenced = !alert.status.silenced_by.is_empty();
        all && (if silenced { self.silenced } else { self.active })
    }
}

async fn shown(
    doors: &Doors,
    sender: &Sender,
    query: Vec<(String, String)>,
) -> Result<Vec<ShownAlert>, Response> {
    let wanted = Wanted::of(query).map_err(|why| said(StatusCode::BAD_REQUEST, &why))?;
    let unavailable = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "the store did not answer a request of Alertmanager's API");
        said(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store did not answer; try again",
        )
    };
    let (commands, now) = (&doors.commands, doors.commands.now());
    let silences = commands
        .silences(None)
        .await
        .map_err(|error| unavailable(&error))?;
    let alerts = commands
        .external_alerts(&sender.tenant)
        .await
        .map_err(|error| unavailable(&error))?;
    let alerts = alerts
        .into_iter()
        .map(|alert| ShownAlert::of(alert, &silences, now));
    Ok(alerts.filter(|alert| wanted.shows(alert)).collect())
}

/// Lists the tenant's alerts that fire.
pub(super) async fn list(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    match shown(&doors, &sender, query).await {
        Ok(alerts) => Json(alerts).into_response(),
        Err(refused) => refused,
    }
}

/// The same by `alertname`.
pub(super) async fn groups(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let alerts = match shown(&doors, &sender, query).await {
        Ok(alerts) => alerts,
        Err(refused) => return refused,
    };
    let mut groups = BTreeMap::<String, Vec<ShownAlert>>::new();
    for alert in alerts {
        let name = alert.labels.get("alertname").cloned().unwrap_or_default();
        groups.entry(name).or_default().push(alert);
    }
    let groups = groups.into_iter().map(|(name, alerts)| {
        json!({"labels": {"alertname": name}, "receiver": {"name": RECEIVER}, "alerts": alerts})
    });
    Json(groups.collect::<Vec<_>>()).into_response()
}

/// Who receives.
pub(super) async fn receivers() -> Response {
    Json(vec![Name { name: RECEIVER }]).into_response()
}

/// What `amtool` asks for first.
pub(super) async fn status(Extension(doors): Extension<Doors>) -> Response {
    let config = "route:\n  receiver: bongsu\nreceivers:\n- name: bongsu\n";
    Json(json!({
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": config},
        "uptime": rfc3339(doors.commands.now()),
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"), "branch": "", "revision": "", "buildUser": "", "buildDate": "",
            "goVersion": "",
        },
    }))
    .into_response()
}
