//! A stand-in for PagerDuty: its Events API v2 (`POST /v2/enqueue`), the alerts that come of the events, and the webhooks (v3)
//! that tell what became of them.
//!
//! Written from "Send an event" and "Events API v2 overview" (developer.pagerduty.com): what is required of each
//! action, the lengths, 512 kB, 202 with the `dedup_key`, 400 with `errors`. Where the reference cuts a text that is
//! too long, the stand-in refuses it. Webhooks are written from "Webhooks v3" and "Verifying Signatures".

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::fake::{Journal, Outcome, Server, served_by};

/// The integration key that it knows: 32 characters.
pub const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// What signs its webhooks.
pub const WEBHOOK_SECRET: &str = "bongsu-tests-webhook-secret";

/// An alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    /// `triggered`, `acknowledged` or `resolved`.
    pub state: String,
    /// Its summary.
    pub summary: String,
    /// Its severity.
    pub severity: String,
    /// How often it was opened: a trigger after a resolve is a new alert.
    pub opened: u32,
    /// Events that were written into its log.
    pub events: u32,
}

/// The running stand-in.
#[derive(Debug)]
pub struct Pagerduty {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    alerts: Mutex<BTreeMap<String, Alert>>,
}

impl Pagerduty {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/v2/enqueue", post(enqueue))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// A person does this to an alert: `acknowledged` or `resolved`. What the webhook of it is: signature and body.
    ///
    /// # Panics
    /// When there is no such alert.
    pub fn person(&self, key: &str, deed: &str) -> (String, String) {
        let mut alerts = self.shared.alerts();
        let alert = alerts.get_mut(key).expect("there is such an alert");
        deed.clone_into(&mut alert.state);
        alert.events += 1;
        let body = json!({"event": {
            "id": format!("01{key}{}", alert.events), "event_type": format!("incident.{deed}"),
            "resource_type": "incident", "occurred_at": jiff::Timestamp::now().to_string(),
            "agent": {
                "html_url": "https://acme.pagerduty.com/users/PLH1HKV", "id": "PLH1HKV",
                "self": "https://api.pagerduty.com/users/PLH1HKV", "summary": "Tenex Engineer", "type": "user_reference",
            },
            "client": null,
            "data": {"id": "PGR0VU2", "type": "incident", "status": deed, "incident_key": key, "title": alert.summary},
        }})
        .to_string();
        (signature(WEBHOOK_SECRET, body.as_bytes()), body)
    }

    /// The alerts by their `dedup_key`.
    pub fn alerts(&self) -> BTreeMap<String, Alert> {
        self.shared.alerts().clone()
    }
}

impl Shared {
    fn alerts(&self) -> MutexGuard<'_, BTreeMap<String, Alert>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

served_by!(Pagerduty);

/// The value of `X-PagerDuty-Signature`.
///
/// # Panics
/// Never: HMAC takes keys of any length.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

async fn enqueue(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = match body.len() {
        0..=524_288 => checked(&event),
        _ => Err("Event size exceeds the limit of 512 KB".to_owned()),
    };
    let (outcome, response) = match result {
        Ok(key) => {
            keep(&mut shared.alerts(), &key, &event);
            let said =
                json!({ "status": "success", "message": "Event processed", "dedup_key": key });
            let answer = (StatusCode::ACCEPTED, Json(said)).into_response();
            (Outcome::Accepted, answer)
        }
        Err(reason) => {
            let said = json!({
                "status": "invalid event", "message": "Event object is invalid", "errors": [reason],
            });
            let answer = (StatusCode::BAD_REQUEST, Json(said)).into_response();
            (
                Outcome::Refused {
                    status: 400,
                    reason,
                },
                answer,
            )
        }
    };
    shared.journal.note(&uri.to_string(), event, outcome);
    response
}

/// The `dedup_key` of an event that is as the reference says.
fn checked(event: &Value) -> Result<String, String> {
    let text = |value: &Value, name: &str, most: usize| {
        let text = value.as_str().unwrap_or_default();
        match text.chars().count() {
            0 => Err(format!("'{name}' is missing or blank")),
            length if length > most => Err(format!("'{name}' must be at most {most} characters")),
            _ => Ok(text.to_owned()),
        }
    };
    if event["routing_key"] != ROUTING_KEY {
        return Err("Invalid routing key".to_owned());
    }
    let key = text(&event["dedup_key"], "dedup_key", 255)?;
    match event["event_action"].as_str() {
        Some("acknowledge" | "resolve") => return Ok(key),
        Some("trigger") => {}
        _ => return Err("'event_action' must be trigger, acknowledge or resolve".to_owned()),
    }
    let payload = &event["payload"];
    text(&payload["summary"], "payload.summary", 1_024)?;
    text(&payload["source"], "payload.source", 1_024)?;
    let severity = payload["severity"].as_str().unwrap_or_default();
    if !["critical", "error", "warning", "info"].contains(&severity) {
        return Err("'payload.severity' is invalid".to_owned());
    }
    let at = payload["timestamp"].as_str().unwrap_or_default();
    at.parse::<jiff::Timestamp>()
        .map_err(|_| "'payload.timestamp' is no ISO 8601".to_owned())?;
    for link in event["links"].as_array().into_iter().flatten() {
        text(&link["href"], "links.href", 2_048)?;
    }
    Ok(key)
}

fn keep(alerts: &mut BTreeMap<String, Alert>, key: &str, event: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let open = alerts
        .get(key)
        .is_some_and(|alert| alert.state != "resolved");
    match event["event_action"].as_str() {
        Some("trigger") => {
            let alert = alerts.entry(key.to_owned()).or_default();
            if !open {
                alert.opened += 1;
                alert.state = "triggered".to_owned();
                alert.summary = text(&event["payload"]["summary"]);
                alert.severity = text(&event["payload"]["severity"]);
            }
            alert.events += 1;
        }
        // Without an open alert it is dropped.
        Some(action) if open => {
            let alert = alerts.entry(key.to_owned()).or_default();
            alert.events += 1;
            alert.state = match action {
                "resolve" => "resolved".to_owned(),
                _ => "acknowledged".to_owned(),
            };
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::signature;

    /// Secret, body and signature of the tests of PagerDuty's own client (go-pagerduty, `webhookv3`).
    #[test]
    fn a_signature_is_the_published_one() {
        let body = include_bytes!("../../notifier/tests/fixtures/pagerduty_webhook.json");
        let secret = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK";
        assert_eq!(
            signature(secret, body),
            "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"
        );
    }
}
