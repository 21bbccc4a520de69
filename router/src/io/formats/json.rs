//! `/api/v1/metrics`: JSON, answered as InfluxDB 2 answers a write.

use super::super::answer::{Api, Refusal};
use super::super::http::Shared;
use super::super::parameters::Parameters;
use super::{Outcome, avro};
use crate::core::precision::Precision;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::metrics_json;
use schemas::packing::Packing;

pub(super) async fn write(
    State(shared): State<Shared>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if avro::is_avro(&headers) {
        return avro::take(&shared, (&parameters, &headers, body)).await;
    }
    // Telegraf's serializer writes seconds unless it is told otherwise.
    let precision = match parameters.precision.as_str() {
        "" => "s",
        said => said,
    };
    let nanos = match Precision::parse(precision) {
        Ok(precision) => precision.nanos(),
        Err(error) => {
            let refusal = Refusal::Invalid(error.to_string());
            let refusal = shared.refusal(&parameters, &headers, refusal);
            return refusal.response(Api::V2);
        }
    };
    let decode =
        move |text: &[u8], most, out: &mut Vec<u8>| metrics_json::decode(text, nanos, most, out);
    let request = (&parameters, &headers, body);
    super::answer(&shared, request, Packing::Identity, &decode, respond).await
}

/// 204, or what InfluxDB 2 says of a write that was not taken whole.
pub(super) fn respond(outcome: Result<Outcome, Refusal>) -> Response {
    let partial = outcome.map(|outcome| outcome.partial());
    match partial {
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(partial)) => Refusal::Invalid(partial).response(Api::V2),
        Err(refusal) => refusal.response(Api::V2),
    }
}
