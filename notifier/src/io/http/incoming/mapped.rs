//! Webhooks of anybody's form, read by the mapping of their integration.

use super::{Doors, Sender, answered, not_taken};
use crate::core::{Mapping, unreadable};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use schemas::catalogue::IntegrationFormat;
use serde_json::Value;

/// Takes a request.
pub(super) async fn take(
    Extension(doors): Extension<Doors>,
    Path(key): Path<String>,
    body: Bytes,
) -> Response {
    let Some(integration) = doors.opened_by(&key, IntegrationFormat::Webhook) else {
        return answered(
            StatusCode::UNAUTHORIZED,
            "no webhook integration has this key",
        );
    };
    let Some(_turn) = doors.turn() else {
        return answered(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    };
    let Ok(fresh) = crate::silences::new_id() else {
        return answered(StatusCode::SERVICE_UNAVAILABLE, "no random numbers");
    };
    let now = doors.commands.now();
    let read = || {
        let body: Value =
            serde_json::from_slice(&body).map_err(|error| format!("the body: {error}"))?;
        let source = integration.mapping.as_deref().unwrap_or_default();
        let mapping = Mapping::parse(source).map_err(|error| format!("the mapping: {error}"))?;
        mapping
            .reports(&body, now, &fresh)
            .map_err(|error| error.to_string())
    };
    let (reports, wrong) = match read() {
        Ok(reports) => (reports, None),
        // Whoever sends may not look at the answer; people must hear that something could not be read.
        Err(why) => {
            let report = unreadable(&integration.integration, &why, now);
            (vec![report], Some(why))
        }
    };
    let count = reports.len();
    let sender = Sender::from(&*integration);
    let taken = doors
        .commands
        .report_alerts(&sender.tenant, &sender.source, reports)
        .await;
    match (taken, wrong) {
        (Ok(_), None) => answered(StatusCode::OK, &format!("{count} taken")),
        (Ok(_), Some(why)) => answered(StatusCode::UNPROCESSABLE_ENTITY, &why),
        (Err(error), _) => {
            let (status, text) = not_taken(&error);
            answered(status, &text)
        }
    }
}
