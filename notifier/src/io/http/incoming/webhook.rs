//! The webhook of an Alertmanager, version 4. An alert is known by its fingerprint, never by its text.

use super::facts::of_prometheus;
use super::{Doors, Sender, answered, not_taken, read};
use crate::core::instant;
use crate::core::{Report, Says, priority_of};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use model::Timestamp;
use schemas::catalogue::IntegrationFormat;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Alerts that cannot be read and are named in an answer.
const SAID: usize = 20;

/// What an Alertmanager sends; what is not used is read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    version: String,
    /// Each is read by itself: one that cannot be read takes no other with it.
    alerts: Vec<Value>,
    /// Alerts that the Alertmanager has left out (`max_alerts`).
    #[serde(default)]
    truncated_alerts: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Option<String>,
    #[serde(rename = "generatorURL", default)]
    generator_url: String,
    fingerprint: String,
}

impl Alert {
    fn report(self, now: Timestamp) -> Result<Report, String> {
        let fits = (1..=64).contains(&self.fingerprint.len());
        if !fits || !self.fingerprint.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("an alert has a fingerprint of hexadecimal digits".to_owned());
        }
        let says = match self.status.as_str() {
            // It says itself when it is over; nothing is known of how often it is repeated.
            "firing" => Says::Firing(None),
            "resolved" => Says::Resolved,
            other => return Err(format!("status `{other}` is neither firing nor resolved")),
        };
        let starts_at = self.starts_at.as_deref().map(instant).transpose()?;
        let facts = of_prometheus(self.labels, self.annotations, self.generator_url)
            .map_err(|error| error.to_string())?;
        let label = |name: &str| {
            let found = facts.labels.iter().find(|(label, _)| label == name);
            found.map(|(_, value)| value.as_str())
        };
        Ok(Report {
            key: self.fingerprint.to_ascii_lowercase(),
            says,
            starts_at: starts_at.unwrap_or(now),
            priority: priority_of(label),
            reopens: true,
            facts,
        })
    }
}

/// Takes a notification. Overload answers 503: Alertmanager sends again after it, but not after 429.
pub(super) async fn take(
    Extension(doors): Extension<Doors>,
    Path(key): Path<String>,
    body: Bytes,
) -> Response {
    let Some(integration) = doors.opened_by(&key, IntegrationFormat::AlertmanagerWebhook) else {
        return answered(
            StatusCode::UNAUTHORIZED,
            "no alertmanager-webhook has this key",
        );
    };
    let Some(_turn) = doors.turn() else {
        return answered(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    };
    let webhook = match read::<Webhook>(&body) {
        Ok(webhook) if webhook.version == "4" => webhook,
        Ok(webhook) => {
            let text = format!("version `{}` of the webhook is not 4", webhook.version);
            return answered(StatusCode::BAD_REQUEST, &text);
        }
        Err(why) => return answered(StatusCode::BAD_REQUEST, &why),
    };
    let now = doors.commands.now();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (n, alert) in webhook.alerts.into_iter().enumerate() {
        let alert = serde_json::from_value::<Alert>(alert).map_err(|error| error.to_string());
        match alert.and_then(|alert| alert.report(now)) {
            Ok(report) => good.push(report),
            Err(why) => bad.push(format!("alert {n}: {why}")),
        }
    }
    let sender = Sender::from(&*integration);
    if webhook.truncated_alerts > 0 {
        tracing::warn!(
            tenant = %sender.tenant, integration = sender.source, left_out = webhook.truncated_alerts,
            "an Alertmanager has left alerts out of its webhook: take `max_alerts` out of its configuration"
        );
    }
    let taken = doors
        .commands
        .report_alerts(&sender.tenant, &sender.source, good)
        .await;
    if let Err(error) = taken {
        let (status, text) = not_taken(&error);
        return answered(status, &text);
    }
    if bad.is_empty() {
        return answered(StatusCode::OK, "taken");
    }
    bad.truncate(SAID);
    answered(StatusCode::BAD_REQUEST, &bad.join("; "))
}
