//! The standard integration: one JSON object an event.

use super::{Doors, Sender, not_taken, read};
use crate::core::StandardEvent;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemas::catalogue::IntegrationFormat;
use serde_json::json;

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
    let event = read::<StandardEvent>(&body);
    let fresh = crate::silences::new_id().map_err(|error| error.to_string());
    let report = event.and_then(|event| event.report("standard", doors.commands.now(), &fresh?));
    let report = match report {
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
