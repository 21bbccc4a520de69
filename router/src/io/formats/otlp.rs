//! `/v1/metrics`: OTLP over HTTP, answered in the encoding in which it came.
//!
//! What cannot be stored is a partial success (200), as the specification wants it: a client must not send it
//! again.

use super::super::answer::Refusal;
use super::super::http::Shared;
use super::super::parameters::Parameters;
use super::Outcome;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemas::otlp::{Encoding, decode_json, decode_protobuf};
use schemas::packing::Packing;

pub(super) async fn write(
    State(shared): State<Shared>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let encoding = match encoding(&headers) {
        Ok(encoding) => encoding,
        Err(refusal) => {
            let refusal = shared.refusal(&parameters, &headers, refusal);
            return refusal.plain_response();
        }
    };
    let decode = move |text: &[u8], most, out: &mut Vec<u8>| match encoding {
        Encoding::Protobuf => decode_protobuf(text, most, out),
        Encoding::Json => decode_json(text, most, out),
    };
    let request = (&parameters, &headers, body);
    let respond = |outcome| respond(encoding, outcome);
    super::answer(&shared, request, Packing::Identity, &decode, respond).await
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let (said, kind) = super::content_type(headers).unwrap_or_default();
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        if kind.eq_ignore_ascii_case(encoding.content_type()) {
            return Ok(encoding);
        }
    }
    let said: String = said.chars().take(100).collect();
    Err(Refusal::Encoding(format!(
        "content type `{said}` is not understood: send application/x-protobuf or application/json"
    )))
}

fn respond(encoding: Encoding, outcome: Result<Outcome, Refusal>) -> Response {
    let mut response = match outcome {
        Ok(outcome) => {
            let why = outcome.partial().unwrap_or_default();
            encoding.response(outcome.rejected, &why).into_response()
        }
        Err(refusal) => {
            let mut response = refusal.plain_response();
            let status = encoding.status(&refusal.parts().2);
            *response.body_mut() = Body::from(status);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response
        }
    };
    let kind = HeaderValue::from_static(encoding.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
