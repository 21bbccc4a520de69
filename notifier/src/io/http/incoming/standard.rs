//! The standard integration: one JSON object an event.

use super::facts::listed;
use super::{Doors, Sender, not_taken};
use crate::core::{Actor, Facts, Report, Says};
use crate::io::http::silences::instant;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::{Priority, Timestamp};
use schemas::catalogue::IntegrationFormat;
use serde::Deserialize;
use serde_json::{Value, json};

const SUMMARY: usize = 1_024;
const EVENT_ID: usize = 255;
const FIELD: usize = 1_024;
const DETAILS: usize = 2_000;

/// An event; what is not used is read over.
#[derive(Debug, Deserialize)]
struct Event {
    summary: String,
    event_id: Option<String>,
    status: Option<String>,
    urgency: Option<String>,
    event_time: Option<String>,
    metric_name: Option<String>,
    threshold: Option<String>,
    metric_value: Option<String>,
    resource_name: Option<String>,
    event_type: Option<String>,
    #[serde(default)]
    custom_details: Value,
}

fn answered(status: StatusCode, message: &str, event_id: Option<&str>) -> Response {
    let word = if status.is_success() {
        "success"
    } else {
        "error"
    };
    let body = json!({"status": word, "message": message, "event_id": event_id});
    (status, Json(body)).into_response()
}

/// Takes an event.
pub(super) async fn take(
    Extension(doors): Extension<Doors>,
    Path(key): Path<String>,
    body: Bytes,
) -> Response {
    let Some(integration) = doors.opened_by(&key, IntegrationFormat::Standard) else {
        return answered(
            StatusCode::UNAUTHORIZED,
            "no standard integration has this key",
            None,
        );
    };
    let Some(_turn) = doors.turn() else {
        return answered(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests at once",
            None,
        );
    };
    let event = serde_json::from_slice::<Event>(&body).map_err(|error| error.to_string());
    let report = match event.and_then(|event| event.report(doors.commands.now())) {
        Ok(report) => report,
        Err(why) => return answered(StatusCode::BAD_REQUEST, &why, None),
    };
    let (sender, id) = (Sender::from(&*integration), report.key.clone());
    let taken = doors
        .commands
        .report_alerts(&sender.tenant, &sender.source, vec![report])
        .await;
    match taken {
        Ok(_) => answered(StatusCode::OK, "taken", Some(&id)),
        Err(error) => {
            let (status, text) = not_taken(&error);
            answered(status, &text, Some(&id))
        }
    }
}

impl Event {
    fn report(self, now: Timestamp) -> Result<Report, String> {
        let title: String = self.summary.chars().take(SUMMARY).collect();
        if title.trim().is_empty() {
            return Err("`summary` is required".to_owned());
        }
        let status = self.status.as_deref().unwrap_or("open");
        let says = match status {
            "open" => Says::Firing(None),
            "ack" => Says::Acknowledged(Actor {
                name: "standard integration".to_owned(),
                contact: None,
            }),
            "close" => Says::Resolved,
            _ => return Err("`status` is open, ack or close".to_owned()),
        };
        let given = self.event_id.filter(|id| !id.is_empty());
        let key = match given {
            Some(id) if id.chars().count() > EVENT_ID => {
                return Err(format!("`event_id` has up to {EVENT_ID} characters"));
            }
            Some(id) => id,
            None if status == "open" => {
                crate::silences::new_id().map_err(|error| error.to_string())?
            }
            None => return Err(format!("`event_id` is required to {status}")),
        };
        let priority = match self.urgency.as_deref().unwrap_or("high") {
            "highest" | "high" => Priority::P1,
            "medium" => Priority::P2,
            "low" | "lowest" | "none" => Priority::P3,
            _ => return Err("`urgency` is highest, high, medium, low, lowest or none".to_owned()),
        };
        let starts_at = self.event_time.as_deref().map(instant).transpose()?;
        let mut labels: Vec<(String, String)> = [
            ("event_type", self.event_type),
            ("metric_name", self.metric_name),
            ("metric_value", self.metric_value),
            ("resource_name", self.resource_name),
            ("threshold", self.threshold),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            let value: String = value?.chars().take(FIELD).collect();
            (!value.is_empty()).then(|| (name.to_owned(), value))
        })
        .collect();
        labels.sort();
        let why = match &self.custom_details {
            Value::Null if labels.is_empty() => title.clone(),
            Value::Null => listed(&labels),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(Report {
            key,
            says,
            starts_at: starts_at.unwrap_or(now),
            priority,
            reopens: true,
            facts: Facts {
                name: "standard".to_owned(),
                labels,
                annotations: Vec::new(),
                title,
                why: why.chars().take(DETAILS).collect(),
                runbook: None,
                generator: String::new(),
            },
        })
    }
}
