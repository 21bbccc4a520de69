//! Signs of life: a URL that must be called every so often.

use super::{Doors, answered, not_taken};
use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use schemas::catalogue::IntegrationFormat;

/// A sign of life of the integration with that key.
pub(super) async fn beat(Extension(doors): Extension<Doors>, Path(key): Path<String>) -> Response {
    let Some(integration) = doors.opened_by(&key, IntegrationFormat::Heartbeat) else {
        return answered(StatusCode::UNAUTHORIZED, "no heartbeat has this key");
    };
    let Some(_turn) = doors.turn() else {
        return answered(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    };
    match doors.commands.heartbeat(&integration).await {
        Ok(()) => answered(StatusCode::OK, "heard"),
        Err(error) => {
            let (status, text) = not_taken(&error);
            answered(status, &text)
        }
    }
}
