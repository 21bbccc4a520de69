//! Errors of the API as `application/problem+json` (RFC 9457).

use crate::commands::CommandError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What went wrong.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says which kind it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What exactly, for people.
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let status = match &error {
            CommandError::NoIncident(_) => StatusCode::NOT_FOUND,
            CommandError::BadCursor(_) | CommandError::NoContact(_) => StatusCode::BAD_REQUEST,
            CommandError::Denied(_) => StatusCode::FORBIDDEN,
            CommandError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        if matches!(error, CommandError::Store(_)) {
            tracing::error!(%error, "the store did not answer a request of the API");
            return Self::new(status, "the store did not answer; try again");
        }
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer to a method that a route of the API does not have.
pub(super) async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address does not take this method",
    )
}

/// The answer where no route is: a problem for programs, nothing for others.
pub(super) async fn unknown(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        let text = "there is nothing at this address; /api/v1/openapi.json says what there is";
        return Problem::new(StatusCode::NOT_FOUND, text).into_response();
    }
    StatusCode::NOT_FOUND.into_response()
}
