//! Answers of the gateway in the form of the API that was asked.

use super::super::answer::{Api, Refusal};
use crate::core::read::Refused;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use influx::ReadAnswer;
use serde_json::json;

/// Why a query is not answered.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The credential or the body is not in order.
    Request(Refusal),
    /// The query asks for what it may not have, or cannot be understood.
    Refused(Refused),
    /// Several shards hold it, and what is asked cannot be put together.
    Spread(String),
    /// As many queries are under way as may be.
    Busy,
    /// The answer is longer than can be put together here.
    TooLong(String),
    /// The shard cannot be read through the gateway.
    Cannot(String),
    /// No shard that holds it answers.
    Unavailable(String),
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Request(refusal)
    }
}

impl From<Refused> for ReadError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl ReadError {
    /// The answer.
    pub(super) fn response(&self, api: Api) -> Response {
        let (status, code, why) = match self {
            Self::Request(refusal) => return refusal.response(api),
            Self::Refused(Refused::Forbidden(why)) => {
                (StatusCode::FORBIDDEN, "forbidden", why.clone())
            }
            Self::Refused(Refused::Invalid(why)) | Self::Spread(why) => {
                (StatusCode::BAD_REQUEST, "invalid", why.clone())
            }
            Self::Busy => {
                let why = "as many queries are under way as this router takes; ask again";
                (
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many requests",
                    why.to_owned(),
                )
            }
            Self::TooLong(why) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "request too large",
                why.clone(),
            ),
            Self::Cannot(why) => (StatusCode::NOT_IMPLEMENTED, "not implemented", why.clone()),
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", why.clone()),
        };
        let body = match api {
            Api::V2 => json!({"code": code, "message": why}),
            Api::V1 => json!({"error": why}),
        };
        let mut response = (status, axum::Json(body)).into_response();
        if matches!(self, Self::Busy | Self::Unavailable(_)) {
            let wait = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}

/// Passes the answer of a shard on as it comes.
pub(super) fn pass(answer: ReadAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = (status, Body::from_stream(answer.body)).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, answer.content_type),
        (header::CONTENT_ENCODING, answer.content_encoding),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// CSV as InfluxDB sends it.
pub(super) fn csv(text: String) -> Response {
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
