//! PagerDuty's Events API v2: `trigger`, `acknowledge`, `resolve`.

use super::facts::link;
use super::{Doors, Sender, not_taken, read};
use crate::core::{Actor, Facts, Report, Says, listed};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::{Priority, Timestamp};
use schemas::catalogue::IntegrationFormat;
use serde::Deserialize;
use serde_json::{Value, json};

const DEDUP_KEY: usize = 255;
const SUMMARY: usize = 1_024;
/// Characters of the other fields.
const FIELD: usize = 1_024;
const DETAILS: usize = 2_000;

/// An event; what is not used (`images`, `client`) is read over.
#[derive(Debug, Deserialize)]
struct Event {
    routing_key: String,
    event_action: String,
    dedup_key: Option<String>,
    payload: Option<Payload>,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(default)]
    client_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Payload {
    summary: String,
    source: String,
    severity: String,
    component: Option<String>,
    group: Option<String>,
    class: Option<String>,
    #[serde(default)]
    custom_details: Value,
}

#[derive(Debug, Deserialize)]
struct Link {
    #[serde(default)]
    href: String,
}

fn invalid(errors: &[&str]) -> Response {
    let body =
        json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// Takes an event.
pub(super) async fn take(
    Extension(doors): Extension<Doors>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(body) = body else {
        return invalid(&["the event is larger than 512 kB, or did not come whole"]);
    };
    let event = match read::<Event>(&body) {
        Ok(event) => event,
        Err(why) => return invalid(&[&why]),
    };
    let Some(integration) = doors.opened_by(&event.routing_key, IntegrationFormat::Pagerduty)
    else {
        return invalid(&["'routing_key' is not that of a `pagerduty` integration"]);
    };
    // As PagerDuty does: 429, and the client sends again.
    let busy = |text: &str| {
        let body = json!({"status": "throttle exceeded", "message": text, "errors": []});
        (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
    };
    let Some(_turn) = doors.turn() else {
        return busy("too many requests at once");
    };
    let report = match event.report(doors.commands.now()) {
        Ok(report) => report,
        Err(why) => return invalid(&[&why]),
    };
    let (sender, key) = (Sender::from(&*integration), report.key.clone());
    let taken = doors
        .commands
        .report_alerts(&sender.tenant, &sender.source, vec![report])
        .await;
    match taken {
        Ok(_) => {
            let body = json!({"status": "success", "message": "Event processed", "dedup_key": key});
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        Err(crate::reports::ReportError::TooMany) => busy("too many alerts fire"),
        Err(error) => {
            let (status, text) = not_taken(&error);
            (
                status,
                Json(json!({"status": "error", "message": text, "errors": []})),
            )
                .into_response()
        }
    }
}

impl Event {
    fn report(self, now: Timestamp) -> Result<Report, String> {
        let action = self.event_action.as_str();
        let given = self.dedup_key.filter(|key| !key.is_empty());
        if given
            .as_ref()
            .is_some_and(|key| key.chars().count() > DEDUP_KEY)
        {
            return Err(format!("'dedup_key' is longer than {DEDUP_KEY} characters"));
        }
        let says = match action {
            "trigger" => Says::Firing(None),
            "acknowledge" => Says::Acknowledged(Actor {
                name: "PagerDuty event".to_owned(),
                contact: None,
            }),
            "resolve" => Says::Resolved,
            _ => return Err("'event_action' is trigger, acknowledge or resolve".to_owned()),
        };
        let key = match (given, action) {
            (Some(key), _) => key,
            (None, "trigger") => crate::silences::new_id().map_err(|error| error.to_string())?,
            (None, _) => return Err(format!("'dedup_key' is required to {action}")),
        };
        let href = self.links.first().map(|link| link.href.clone());
        let href = self.client_url.or(href).unwrap_or_default();
        let (priority, facts) = match self.payload {
            Some(payload) => payload.facts(&href)?,
            None if action == "trigger" => return Err("'payload' is missing".to_owned()),
            None => (Priority::P2, Facts::unknown()),
        };
        Ok(Report {
            key,
            says,
            starts_at: now,
            priority,
            // A trigger after a resolve is a new alert.
            reopens: false,
            facts,
        })
    }
}

impl Payload {
    fn facts(self, href: &str) -> Result<(Priority, Facts), String> {
        let summary: String = self.summary.chars().take(SUMMARY).collect();
        if summary.trim().is_empty() || self.source.trim().is_empty() {
            return Err("'payload.summary' and 'payload.source' are required".to_owned());
        }
        let priority = match self.severity.as_str() {
            "critical" => Priority::P1,
            "error" | "warning" => Priority::P2,
            "info" => Priority::P3,
            _ => return Err("'payload.severity' is critical, error, warning or info".to_owned()),
        };
        let mut labels: Vec<(String, String)> = [
            ("class", self.class),
            ("component", self.component),
            ("group", self.group),
            ("severity", Some(self.severity)),
            ("source", Some(self.source)),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            let value: String = value?.chars().take(FIELD).collect();
            (!value.is_empty()).then(|| (name.to_owned(), value))
        })
        .collect();
        labels.sort();
        let why = match &self.custom_details {
            Value::Null => listed(&labels),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let facts = Facts {
            name: "pagerduty".to_owned(),
            labels,
            annotations: Vec::new(),
            title: summary,
            why: why.chars().take(DETAILS).collect(),
            runbook: None,
            generator: link(href).unwrap_or_default(),
        };
        Ok((priority, facts))
    }
}
