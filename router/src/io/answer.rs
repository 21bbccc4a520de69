//! Answers in the form in which InfluxDB gives them, so that agents understand them.
//!
//! v2: `{"code": "...", "message": "..."}` (InfluxDB v2 API, schema `Error`); v1: `{"error": "..."}`.

use crate::core::pack::Packed;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Which API a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// `/write`
    V1,
    /// `/api/v2/write`
    V2,
}

/// Why a write was not taken, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No or an unknown token.
    Unauthorized(String),
    /// The request cannot be understood, or some of its lines.
    Invalid(String),
    /// The body did not arrive in time.
    Slow,
    /// The body is too large, packed or unpacked.
    TooLarge(String),
    /// The body's encoding is none that is understood.
    Encoding(String),
    /// This process has as much under way as it may.
    Busy,
    /// The log does not take it now.
    Unavailable(String),
}

impl Refusal {
    pub(super) fn parts(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Unauthorized(why) => (StatusCode::UNAUTHORIZED, "unauthorized", why),
            Self::Invalid(why) => (StatusCode::BAD_REQUEST, "invalid", why),
            Self::Slow => (
                StatusCode::REQUEST_TIMEOUT,
                "invalid",
                "the body did not arrive within the time allowed",
            ),
            Self::TooLarge(why) => (StatusCode::PAYLOAD_TOO_LARGE, "request too large", why),
            Self::Encoding(why) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid", why),
            Self::Busy => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
                "as much is under way as this router may hold; nothing was taken, send it again",
            ),
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", why),
        }
    }

    /// The answer.
    pub(super) fn response(&self, api: Api) -> Response {
        let (status, code, why) = self.parts();
        let body = match api {
            Api::V2 => json!({"code": code, "message": why}),
            Api::V1 => json!({"error": why}),
        };
        self.with_retry_after((status, axum::Json(body)).into_response())
    }

    /// The answer to those who read no JSON.
    pub(super) fn plain_response(&self) -> Response {
        let (status, _, why) = self.parts();
        self.with_retry_after((status, why.to_owned()).into_response())
    }

    fn with_retry_after(&self, mut response: Response) -> Response {
        if matches!(self, Self::Busy | Self::Unavailable(_)) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// What to say of lines that were not taken while the others were.
    pub(super) fn partial(packed: &Packed) -> Self {
        let named: Vec<String> = packed
            .refused
            .iter()
            .map(|refused| {
                format!(
                    "line {}: {} in `{}`",
                    refused.number, refused.reason, refused.line
                )
            })
            .collect();
        let more = packed.refused_lines - packed.refused.len();
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        Self::Invalid(format!(
            "partial write: {} of {} lines were taken, dropped={}: {}{more}",
            packed.lines,
            packed.lines + packed.refused_lines,
            packed.refused_lines,
            named.join("; "),
        ))
    }
}
