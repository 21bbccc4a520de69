//! Signing in to the console: with a token, or by the identity provider.

use super::access::{SESSION_COOKIE, SESSION_SECONDS, secret};
use super::acting::Acting;
use super::labels::Labels;
use super::page::{Frame, Section, SignInPage, html, notice, set_cookie};
use super::{Here, Site};
use crate::core::{Proof, Who};
use crate::io::store::{Session, StoreError};
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use model::Span;
use serde::Deserialize;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    next: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Credential {
    token: String,
    next: String,
}

/// The form.
pub(super) async fn ask(
    State(site): Here,
    headers: HeaderMap,
    Query(query): Query<Next>,
) -> Response {
    if site.access().is_open() {
        return Redirect::to("/").into_response();
    }
    form(&site, &headers, StatusCode::OK, &query.next)
}

fn form(site: &Site, headers: &HeaderMap, status: StatusCode, next: &str) -> Response {
    let t = Labels::wanted(headers);
    let page = SignInPage {
        frame: Frame::new(site, t, Section::Alone, String::new()),
        next: ours(next).to_owned(),
        wrong: status == StatusCode::UNAUTHORIZED,
        provider: site.provider().is_some(),
    };
    html(status, &page)
}

/// Begins a session with a token.
pub(super) async fn check(
    State(site): Here,
    headers: HeaderMap,
    Form(given): Form<Credential>,
) -> Response {
    match proven(&site, given.token.trim()).await {
        Ok(Some((session, seconds))) => {
            begin(&site, &headers, &session, ours(&given.next), seconds).await
        }
        Ok(None) => {
            tracing::warn!("somebody tried to sign in with a wrong token");
            form(&site, &headers, StatusCode::UNAUTHORIZED, &given.next)
        }
        Err(error) => unavailable(&site, &headers, &error),
    }
}

/// Whose a token is, and how long its session may last, in seconds.
async fn proven(site: &Site, given: &str) -> Result<Option<(Session, i64)>, StoreError> {
    if site.access().is_configured(given) {
        let session = Session {
            who: Who::admin("console", Proof::Configured),
            credential: site.access().credential(),
        };
        return Ok(Some((session, SESSION_SECONDS)));
    }
    let now = site.now();
    let Some(token) = site.store().token(given, now).await? else {
        return Ok(None);
    };
    // A session does not outlive its token.
    let left = token
        .ends_at
        .map(|ends| ends.since(now).as_millis() / 1_000);
    let seconds = left.map_or(SESSION_SECONDS, |left| left.min(SESSION_SECONDS));
    let session = Session {
        who: token.who(),
        credential: String::new(),
    };
    Ok(Some((session, seconds)))
}

/// Begins a session, and goes on.
pub(super) async fn begin(
    site: &Site,
    headers: &HeaderMap,
    session: &Session,
    next: &str,
    seconds: i64,
) -> Response {
    let Some(secret) = secret() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let now = site.now();
    let times = (now, now.plus(Span::from_secs(seconds)));
    if let Err(error) = site.store().begin_session(&secret, session, times).await {
        return unavailable(site, headers, &error);
    }
    let mut response = Redirect::to(next).into_response();
    let pair = format!("{SESSION_COOKIE}={secret}");
    set_cookie(&mut response, site, &pair, Some(seconds));
    response
}

/// Ends the session of this browser.
pub(super) async fn leave(acting: Acting, headers: HeaderMap) -> Response {
    if let Some(secret) = acting.access().session_secret(&headers) {
        let ended = acting
            .store()
            .end_session(secret, acting.who(), acting.now());
        if let Err(error) = ended.await {
            return unavailable(&acting, &headers, &error);
        }
    }
    let mut response = Redirect::to("/login").into_response();
    let pair = format!("{SESSION_COOKIE}=");
    set_cookie(&mut response, &acting, &pair, Some(0));
    response
}

fn unavailable(site: &Site, headers: &HeaderMap, error: &StoreError) -> Response {
    tracing::error!(%error, "the store did not take a session");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    notice(site, headers, status, |t| t.failed, error.to_string())
}

/// Only paths of incidents and the start page; anything else is the start page.
pub(super) fn ours(next: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_hexdigit();
    match next.strip_prefix("/incidents/") {
        Some(id) if id.len() == 32 && id.bytes().all(plain) => next,
        _ => "/",
    }
}
