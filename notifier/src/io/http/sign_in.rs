//! Signing in to the console with the API token, where one is asked for.

use super::Here;
use super::access::{SESSION_COOKIE, SESSION_SECONDS};
use super::labels::Labels;
use super::page::{Frame, Section, SignInPage, html, set_cookie};
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
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
    if !site.access().asks_for_token() {
        return Redirect::to("/").into_response();
    }
    let frame = Frame::new(
        &site,
        Labels::wanted(&headers),
        Section::Alone,
        String::new(),
    );
    html(
        StatusCode::OK,
        &SignInPage {
            frame,
            next: ours(&query.next).to_owned(),
            wrong: false,
        },
    )
}

/// Begins a session.
pub(super) async fn check(
    State(site): Here,
    headers: HeaderMap,
    Form(form): Form<Credential>,
) -> Response {
    let t = Labels::wanted(&headers);
    let next = ours(&form.next);
    let Some(session) = site.access().sign_in(form.token.trim(), site.now_seconds()) else {
        tracing::warn!("somebody tried to sign in with a wrong token");
        let frame = Frame::new(&site, t, Section::Alone, String::new());
        let page = SignInPage {
            frame,
            next: next.to_owned(),
            wrong: true,
        };
        return html(StatusCode::UNAUTHORIZED, &page);
    };
    let mut response = Redirect::to(next).into_response();
    let pair = format!("{SESSION_COOKIE}={session}");
    set_cookie(&mut response, &site, &pair, Some(SESSION_SECONDS));
    response
}

/// Ends the session of this browser.
pub(super) async fn leave(State(site): Here) -> Response {
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, &site, &format!("{SESSION_COOKIE}="), Some(0));
    response
}

/// Only paths of incidents and the start page; anything else is the start page.
fn ours(next: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_hexdigit();
    match next.strip_prefix("/incidents/") {
        Some(id) if id.len() == 32 && id.bytes().all(plain) => next,
        _ => "/",
    }
}
