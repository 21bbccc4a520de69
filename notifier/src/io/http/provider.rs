//! Signing in by the identity provider: there, and back.

use super::access::{SESSION_SECONDS, SIGN_IN_COOKIE, SIGN_IN_SECONDS, cookie, secret};
use super::labels::Labels;
use super::page::{notice, set_cookie_at};
use super::sign_in::{begin, ours};
use super::{Here, Site};
use crate::core::{Proof, Who, grants_of};
use crate::io::oidc::{Binding, Provider};
use crate::io::store::{Note, Session, SignIn, StoreError};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use model::Span;
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    next: String,
}

/// What the provider hands the browser.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    code: String,
    state: String,
    error: String,
}

/// Sends the browser to the provider.
pub(super) async fn leave(
    State(site): Here,
    headers: HeaderMap,
    Query(query): Query<Next>,
) -> Response {
    let Some(provider) = site.provider() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match left(&site, provider, &query.next).await {
        Ok(response) => response,
        Err(why) => failed(&site, &headers, &why),
    }
}

async fn left(site: &Site, provider: &Provider, next: &str) -> Result<Response, String> {
    let random = || secret().ok_or("no random numbers");
    let (mine, sign_in) = (
        random()?,
        SignIn {
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            next: ours(next).to_owned(),
        },
    );
    let address = provider.address(binding(&sign_in)).await;
    let address = address.map_err(|error| error.to_string())?;
    let now = site.now();
    let ends = now.plus(Span::from_secs(SIGN_IN_SECONDS));
    let kept = site.store().begin_sign_in(&mine, &sign_in, (now, ends));
    kept.await.map_err(|error| error.to_string())?;
    let mut response = Redirect::to(&address).into_response();
    // The provider's page leads back here, which a strict cookie would not survive.
    let pair = format!("{SIGN_IN_COOKIE}={mine}");
    set_cookie_at(
        &mut response,
        site,
        &pair,
        ("/login", "Lax"),
        Some(SIGN_IN_SECONDS),
    );
    Ok(response)
}

/// The browser is back.
pub(super) async fn back(
    State(site): Here,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let Some(provider) = site.provider() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = match signed_in(&site, provider, &headers, &answer).await {
        Ok((who, next)) => {
            let session = Session {
                who,
                credential: String::new(),
            };
            begin(&site, &headers, &session, &next, SESSION_SECONDS).await
        }
        Err(why) => failed(&site, &headers, &why),
    };
    let pair = format!("{SIGN_IN_COOKIE}=");
    set_cookie_at(&mut response, &site, &pair, ("/login", "Lax"), Some(0));
    response
}

/// Who signed in, and where to.
async fn signed_in(
    site: &Site,
    provider: &Provider,
    headers: &HeaderMap,
    answer: &Answer,
) -> Result<(Who, String), String> {
    let mine =
        cookie(headers, SIGN_IN_COOKIE).ok_or("this browser did not begin to sign in here")?;
    let now = site.now();
    let kept = site.store().take_sign_in(mine, now).await;
    let kept = kept.map_err(|error: StoreError| error.to_string())?;
    let sign_in = kept.ok_or("this sign-in is over, or was finished before: begin again")?;
    if !bool::from(sign_in.state.as_bytes().ct_eq(answer.state.as_bytes())) {
        return Err("the answer belongs to another sign-in".to_owned());
    }
    if !answer.error.is_empty() {
        let word: String = answer.error.chars().take(80).collect();
        return Err(format!("the identity provider refused it: {word}"));
    }
    let person = provider
        .exchange(&answer.code, binding(&sign_in), site.now_seconds())
        .await
        .map_err(|error| error.to_string())?;
    let groups = person.groups.unwrap_or_default();
    let who = Who {
        name: person.name,
        proof: Proof::Provider(person.subject),
        grants: grants_of(&groups, provider.rules()),
    };
    if who.grants.is_empty() {
        let note = Note {
            kind: "sign-in refused",
            actor: &who.name,
            via: &who.proof.to_string(),
            tenant: None,
            subject: "console",
            detail: "none of their groups has a role",
        };
        let noted = site.store().audit(&note, now).await;
        noted.map_err(|error| error.to_string())?;
        return Err(format!("{} is in no group that has a role here", who.name));
    }
    Ok((who, sign_in.next))
}

fn binding(sign_in: &SignIn) -> Binding<'_> {
    Binding {
        state: &sign_in.state,
        nonce: &sign_in.nonce,
        verifier: &sign_in.verifier,
    }
}

fn failed(site: &Site, headers: &HeaderMap, why: &str) -> Response {
    tracing::warn!(why, "somebody could not sign in by the identity provider");
    let text = Labels::wanted(headers).not_signed_in_text;
    let text = format!("{text} {why}");
    notice(
        site,
        headers,
        StatusCode::FORBIDDEN,
        |t| t.not_signed_in,
        text,
    )
}
