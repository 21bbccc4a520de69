//! Keeps the rules of the table of routes, before a handler sees anything.

use super::Site;
use super::access::{Refused, csrf_matches};
use super::labels::Labels;
use super::page::notice;
use super::problem::Problem;
use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use runtime::{Declared, Guard, Rule};
use serde::Deserialize;

/// The largest form of a page.
const FORM_BYTES: usize = 64 << 10;

impl Guard for Site {
    async fn admit(&self, route: Declared, request: Request) -> Result<Request, Response> {
        match route.rule {
            Rule::Api(_) => self.admit_program(request).await,
            Rule::Page(_) => self.admit_person(request).await,
            Rule::Form(_) => self.admit_form(self.admit_person(request).await?).await,
            Rule::SignIn => match self.access().site(request.method(), request.headers()) {
                Ok(()) => Ok(request),
                Err(_) => Err(self.foreign(request.headers())),
            },
            // What these ask for stands in the address or the body, where their handlers look.
            Rule::Anybody | Rule::Link | Rule::KeyInside | Rule::Signed(_) => Ok(request),
            // None of these is a rule of this service.
            Rule::Watchers
            | Rule::TenantToken
            | Rule::IntegrationKey
            | Rule::OperatorToken
            | Rule::DataFolder => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        }
    }
}

impl Site {
    async fn admit_program(&self, request: Request) -> Result<Request, Response> {
        let refused = self
            .access()
            .api(request.method(), request.headers(), self.now_seconds());
        let (status, detail) = match refused {
            Ok(()) => return Ok(request),
            Err(Refused::Host) => (
                StatusCode::FORBIDDEN,
                "the name in `Host` is not served here",
            ),
            Err(Refused::Origin) => (
                StatusCode::FORBIDDEN,
                "a page of another origin may not do this",
            ),
            Err(Refused::Credential) => (
                StatusCode::UNAUTHORIZED,
                "send the API token as `Authorization: Bearer <token>`",
            ),
        };
        Err(Problem::new(status, detail).into_response())
    }

    /// Lets in who may see the console, and sends others to sign in.
    async fn admit_person(&self, request: Request) -> Result<Request, Response> {
        let (method, headers) = (request.method(), request.headers());
        match self.access().console(method, headers, self.now_seconds()) {
            Ok(()) => return Ok(request),
            Err(Refused::Credential) => {}
            Err(Refused::Host | Refused::Origin) => return Err(self.foreign(headers)),
        }
        // A strict cookie stays away when a link in a message leads here; asked again from our own
        // page, it comes.
        let from = headers
            .get("sec-fetch-site")
            .and_then(|value| value.to_str().ok());
        if from == Some("cross-site") && method.is_safe() {
            return Err(again(request.uri()));
        }
        let path = request.uri().path();
        let target = if path.starts_with("/incidents/") {
            path
        } else {
            "/"
        };
        Err(Redirect::to(&format!("/login?next={target}")).into_response())
    }

    /// Lets a form in that repeats the token of its cookie.
    async fn admit_form(&self, request: Request) -> Result<Request, Response> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Csrf {
            csrf: String,
        }
        let (parts, body) = request.into_parts();
        let Ok(bytes) = axum::body::to_bytes(body, FORM_BYTES).await else {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        };
        let form = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
        let given = Form::<Csrf>::from_request(form, &()).await;
        if !given.is_ok_and(|Form(given)| csrf_matches(&parts.headers, &given.csrf)) {
            return Err(self.foreign(&parts.headers));
        }
        Ok(Request::from_parts(parts, Body::from(bytes)))
    }

    fn foreign(&self, headers: &HeaderMap) -> Response {
        let text = Labels::wanted(headers).refused_text;
        notice(self, headers, StatusCode::FORBIDDEN, |t| t.refused, text)
    }
}

/// A page that loads the same address once more.
fn again(uri: &Uri) -> Response {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    let path = uri.path();
    let path = if path.bytes().all(plain) { path } else { "/" };
    let page = format!("<!doctype html><meta http-equiv=\"refresh\" content=\"0; url={path}\">");
    Html(page).into_response()
}
