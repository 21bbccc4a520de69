//! `/api/v1/metrics/avro`: Avro, answered as InfluxDB 2 answers a write.

use super::super::http::Shared;
use super::super::parameters::Parameters;
use super::json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemas::metrics_avro;
use schemas::packing::Packing;

pub(super) async fn write(
    State(shared): State<Shared>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    take(&shared, (&parameters, &headers, body)).await
}

pub(super) async fn take(shared: &Shared, request: (&Parameters, &HeaderMap, Body)) -> Response {
    let decode = metrics_avro::decode;
    super::answer(shared, request, Packing::Identity, &decode, json::respond).await
}

/// Whether a request says that it is Avro.
pub(super) fn is_avro(headers: &HeaderMap) -> bool {
    let (_, kind) = super::content_type(headers).unwrap_or_default();
    let known = [
        "avro/binary",
        "application/avro",
        "application/vnd.apache.avro",
    ];
    known.iter().any(|known| kind.eq_ignore_ascii_case(known))
}
