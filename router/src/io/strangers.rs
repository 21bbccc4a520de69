//! What is told to who asks for an address that is not there, or asks it the wrong way: in the form of InfluxDB 2.

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The addresses that agents and dashboards look for.
const PLACES: &str = "writes go to /api/v2/write (InfluxDB 2), /write (InfluxDB 1), /api/v1/write (Prometheus), \
                      /v1/metrics (OTLP), /api/v1/metrics (JSON) and /api/v1/metrics/avro, queries to /query and /api/v2/query";

/// Where no route is.
pub(crate) async fn unknown(address: Uri) -> Response {
    let path = shown(&address);
    let message = format!("`{path}` is not here: {PLACES}");
    answer(StatusCode::NOT_FOUND, "not found", &message)
}

/// Where there is one for another method.
pub(crate) async fn wrong_method(method: Method, address: Uri) -> Response {
    let path = shown(&address);
    let message = format!("`{path}` does not take {method}; the header `allow` says what it takes");
    answer(
        StatusCode::METHOD_NOT_ALLOWED,
        "method not allowed",
        &message,
    )
}

fn shown(address: &Uri) -> String {
    address.path().chars().take(100).collect()
}

fn answer(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"code": code, "message": message});
    (status, axum::Json(body)).into_response()
}
