//! Keeps the rules of the table of routes, before a handler sees anything.

use super::Site;
use super::access::{Refused, csrf_matches};
use super::labels::Labels;
use super::page::notice;
use super::problem::Problem;
use crate::core::{Denied, Proof, Who};
use crate::io::store::StoreError;
use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::Role;
use runtime::{Declared, Guard, Rule};
use serde::Deserialize;

/// The largest form of a page.
const FORM_BYTES: usize = 64 << 10;

/// Why nobody is let in by a request.
enum Nobody {
    Refused(Refused),
    Store,
}

impl From<Refused> for Nobody {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StoreError> for Nobody {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store did not say whose a request is");
        Self::Store
    }
}

impl Guard for Site {
    async fn admit(&self, route: Declared, request: Request) -> Result<Request, Response> {
        match route.rule {
            Rule::Api(role) => self.admit_program(role, request).await,
            Rule::Page(role) => self.admit_person(role, request).await,
            Rule::Form(role) => {
                let request = self.admit_person(role, request).await?;
                self.admit_form(request).await
            }
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
            | Rule::DataFolder
            | Rule::SameMachine => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        }
    }
}

impl Site {
    async fn admit_program(&self, role: Role, mut request: Request) -> Result<Request, Response> {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let found = match self.access().site(&method, &headers) {
            Ok(()) => self.program(&headers, method.is_safe()).await,
            Err(refused) => Err(refused.into()),
        };
        let (status, detail) = match found {
            Ok(who) => match strong_enough(&who, role) {
                Ok(()) => {
                    request.extensions_mut().insert(who);
                    return Ok(request);
                }
                Err(denied) => return Err(Problem::from(denied).into_response()),
            },
            Err(Nobody::Refused(Refused::Host)) => (
                StatusCode::FORBIDDEN,
                "the name in `Host` is not served here",
            ),
            Err(Nobody::Refused(Refused::Origin)) => (
                StatusCode::FORBIDDEN,
                "a page of another origin may not do this",
            ),
            Err(Nobody::Refused(Refused::Credential)) => (
                StatusCode::UNAUTHORIZED,
                "send a token of the API as `Authorization: Bearer <token>`",
            ),
            Err(Nobody::Store) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store did not answer; try again",
            ),
        };
        Err(Problem::new(status, detail).into_response())
    }

    /// Whoever sends a token; a browser's session may read.
    async fn program(&self, headers: &HeaderMap, reads: bool) -> Result<Who, Nobody> {
        let access = self.access();
        if let Some(given) = access.bearer(headers) {
            if access.is_configured(given) {
                return Ok(Who::admin("api", Proof::Configured));
            }
            let known = self.store().token(given, self.now()).await?;
            return Ok(known.ok_or(Refused::Credential)?.who());
        }
        match self.session(headers).await? {
            Some(who) if reads => Ok(who),
            _ if access.is_open() => Ok(Who::admin("api", Proof::Machine)),
            _ => Err(Refused::Credential.into()),
        }
    }

    /// Whose session a browser has; none when it has none that still holds.
    async fn session(&self, headers: &HeaderMap) -> Result<Option<Who>, StoreError> {
        let Some(secret) = self.access().session_secret(headers) else {
            return Ok(None);
        };
        let found = self.store().session(secret, self.now()).await?;
        let holds = found.filter(|session| self.access().still_holds(session));
        Ok(holds.map(|session| session.who))
    }

    /// Lets in who may see the console, and sends others to sign in.
    async fn admit_person(&self, role: Role, mut request: Request) -> Result<Request, Response> {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        if self.access().site(&method, &headers).is_err() {
            return Err(self.foreign(&headers));
        }
        let who = match self.session(&headers).await {
            Ok(None) if self.access().is_open() => Some(Who::admin("console", Proof::Machine)),
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the store did not say whose a session is");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                return Err(notice(
                    self,
                    &headers,
                    status,
                    |t| t.failed,
                    error.to_string(),
                ));
            }
        };
        if let Some(who) = who {
            if let Err(denied) = strong_enough(&who, role) {
                return Err(self.denied(&headers, &denied));
            }
            request.extensions_mut().insert(who);
            return Ok(request);
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

    /// The page that says what somebody may not.
    pub(super) fn denied(&self, headers: &HeaderMap, denied: &Denied) -> Response {
        let text = denied.to_string();
        notice(self, headers, StatusCode::FORBIDDEN, |t| t.refused, text)
    }
}

/// Whether somebody has the role of a route in any tenant; in which, its handler looks.
fn strong_enough(who: &Who, needs: Role) -> Result<(), Denied> {
    match who.strongest() {
        None => Err(Denied::Hidden),
        Some(has) if has < needs => Err(Denied::Weak { needs, has }),
        Some(_) => Ok(()),
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
