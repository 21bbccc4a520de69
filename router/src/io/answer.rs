//! Answers in the form in which InfluxDB gives them, so that agents understand them.
//!
//! v2: `{"code": "...", "message": "..."}` (InfluxDB v2 API, schema `Error`); v1: `{"error": "..."}`.

use super::intake::Taken;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;

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
    /// The body is too large, packed or untaken.
    TooLarge(String),
    /// The body's encoding is none that is understood.
    Encoding(String),
    /// This process has as much under way as it may.
    Busy,
    /// The tenant has as much under way as its share is now.
    Share,
    /// The tenant writes more in a second than it may.
    Limited {
        /// The limit's name in the catalogue.
        limit: &'static str,
        /// What it is.
        per_s: u64,
        /// When the tenant may write again.
        after: Duration,
    },
    /// The log does not take it now.
    Unavailable(String),
}

impl Refusal {
    pub(super) fn parts(&self) -> (StatusCode, &'static str, Cow<'_, str>) {
        let (status, code, why): (_, _, &str) = match self {
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
            Self::Share => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests",
                "this tenant has as much under way as its share of this router is now; nothing was taken, send it again",
            ),
            Self::Limited { limit, per_s, .. } => {
                let seconds = self.retry_after().unwrap_or_default();
                let why = format!(
                    "the tenant's limit of {per_s} {limit} is reached; nothing was taken, send it again after {seconds} s"
                );
                return (
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many requests",
                    why.into(),
                );
            }
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", why),
        };
        (status, code, why.into())
    }

    /// After how many seconds the same request may be taken; none where it never is.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Limited { after, .. } => {
                let nanos = after.as_nanos().div_ceil(1_000_000_000);
                Some(u64::try_from(nanos).unwrap_or(u64::MAX).max(1))
            }
            Self::Busy | Self::Share | Self::Unavailable(_) => Some(1),
            _ => None,
        }
    }

    /// Why a request was answered 429, as a metric's label.
    pub(super) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Busy => Some("router"),
            Self::Share => Some("share"),
            Self::Limited { limit, .. } => Some(limit),
            _ => None,
        }
    }

    /// The answer.
    pub(super) fn response(&self, api: Api) -> Response {
        let (status, code, why) = self.parts();
        let body = match api {
            Api::V2 => json!({"code": code, "message": why}),
            Api::V1 => json!({"error": why}),
        };
        self.with_headers((status, axum::Json(body)).into_response())
    }

    /// The answer to those who read no JSON.
    pub(super) fn plain_response(&self) -> Response {
        let (status, _, why) = self.parts();
        self.with_headers((status, why.into_owned()).into_response())
    }

    /// When to come again, and to who has no good token, how one is shown (RFC 9110, section 11.6.1).
    fn with_headers(&self, mut response: Response) -> Response {
        if matches!(self, Self::Unauthorized(_)) {
            let ways = HeaderValue::from_static("Bearer realm=\"bongsu\", Basic realm=\"bongsu\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, ways);
        }
        if let Some(seconds) = self.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// What to say of lines that were not taken while the others were.
    pub(super) fn partial(taken: &Taken) -> Self {
        let named: Vec<String> = taken
            .refused
            .iter()
            .map(|refused| {
                format!(
                    "line {}: {} in `{}`",
                    refused.number, refused.reason, refused.line
                )
            })
            .collect();
        let more = taken.refused_lines - taken.refused.len();
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        Self::Invalid(format!(
            "partial write: {} of {} lines were taken, dropped={}: {}{more}",
            taken.lines,
            taken.lines + taken.refused_lines,
            taken.refused_lines,
            named.join("; "),
        ))
    }
}
