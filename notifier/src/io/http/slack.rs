//! Button presses in Slack: checked, answered at once, then carried out.
//!
//! Slack signs its requests: `X-Slack-Signature` is `v0=` and the hexadecimal HMAC-SHA256 of
//! `v0:{timestamp}:{raw body}` under the app's signing secret ("Verifying requests from Slack").

use super::{Here, Site, proof};
use crate::core::Via;
use crate::core::render::ACKNOWLEDGE_ACTION;
use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::IncidentId;
use runtime::{OnEnd, Secret};
use serde::Deserialize;

/// How far Slack's clock and ours may be apart, in seconds.
const TOLERANCE: i64 = 300;

/// Checks that a request comes from Slack.
#[derive(Debug, Clone)]
pub struct SlackSignature(Secret);

/// Why a request is not taken for Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSlack {
    /// A header is missing or is not of its form.
    #[error("X-Slack-Signature or X-Slack-Request-Timestamp is missing or malformed")]
    Headers,
    /// It is older or newer than five minutes.
    #[error("the request is more than five minutes off")]
    Stale,
    /// The signature is another.
    #[error("the signature does not fit")]
    Signature,
}

impl SlackSignature {
    /// With the app's signing secret.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Checks the headers against the raw body; `now` in seconds since the epoch.
    pub fn check(
        &self,
        timestamp: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
        now: i64,
    ) -> Result<(), NotSlack> {
        let timestamp = timestamp.ok_or(NotSlack::Headers)?;
        let given = signature
            .and_then(|text| text.strip_prefix("v0="))
            .ok_or(NotSlack::Headers)?;
        let sent: i64 = timestamp.parse().map_err(|_| NotSlack::Headers)?;
        if now.abs_diff(sent) > TOLERANCE.unsigned_abs() {
            return Err(NotSlack::Stale);
        }
        let head = format!("v0:{timestamp}:");
        match proof::has_signed(&self.0, &[head.as_bytes(), body], given) {
            true => Ok(()),
            false => Err(NotSlack::Signature),
        }
    }
}

#[derive(Deserialize)]
struct Fields {
    payload: String,
}

#[derive(Deserialize)]
struct Payload {
    r#type: String,
    user: User,
    #[serde(default)]
    actions: Vec<Press>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    username: String,
}

#[derive(Deserialize)]
struct Press {
    #[serde(default)]
    action_id: String,
    #[serde(default)]
    value: String,
}

/// An interaction: 200 as soon as it is known to be Slack's, then the work.
pub(super) async fn interaction(State(site): Here, headers: HeaderMap, body: Bytes) -> Response {
    let Some(check) = &site.0.settings.slack else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = text("x-slack-signature");
    let timestamp = text("x-slack-request-timestamp");
    if let Err(why) = check.check(timestamp, signature, &body, site.now_seconds()) {
        tracing::warn!(%why, "refused a request to Slack's address");
        return (StatusCode::UNAUTHORIZED, format!("{why}\n")).into_response();
    }
    let Some(payload) = read(body).await else {
        return (StatusCode::BAD_REQUEST, "this is no interaction\n").into_response();
    };
    let Some(turn) = site.0.slack.turn() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many at a time\n").into_response();
    };
    if !site.0.slack.is_new(signature.unwrap_or_default()) {
        tracing::info!(user = payload.user.id, "the same press from Slack again");
        return StatusCode::OK.into_response();
    }
    let tasks = site.0.tasks.clone();
    tasks.spawn("slack-interaction", OnEnd::Fine, async move {
        let done = carry_out(&site, payload).await;
        drop(turn);
        done
    });
    StatusCode::OK.into_response()
}

async fn read(body: Bytes) -> Option<Payload> {
    let form = Request::builder()
        .method(Method::POST)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .ok()?;
    let Form(fields) = Form::<Fields>::from_request(form, &()).await.ok()?;
    serde_json::from_str(&fields.payload).ok()
}

async fn carry_out(site: &Site, payload: Payload) -> Result<(), crate::commands::CommandError> {
    let presses = payload
        .actions
        .iter()
        .filter(|press| press.action_id == ACKNOWLEDGE_ACTION);
    if payload.r#type != "block_actions" {
        return Ok(());
    }
    for press in presses.take(1) {
        let Ok(id) = IncidentId::parse(&press.value) else {
            tracing::warn!(value = press.value, "a button without an incident");
            continue;
        };
        let names = [&payload.user.name, &payload.user.username, &payload.user.id];
        let name = names
            .into_iter()
            .find(|name| !name.is_empty())
            .map_or("Slack", |name| name);
        let actor = site.whole_desk().chat_actor(&payload.user.id, name);
        site.whole_desk().acknowledge(id, actor, Via::Chat).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Verifying requests from Slack".
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: i64 = 1_531_420_618;
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554\
        %2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    #[test]
    fn slacks_published_example_is_taken_and_nothing_else() {
        let check = SlackSignature::new(Secret::new(SECRET));
        let at = TIMESTAMP.to_string();
        let later = (TIMESTAMP + 1).to_string();
        let upper = SIGNATURE.to_uppercase();
        for (timestamp, signature, body, now, found) in [
            (Some(&*at), Some(SIGNATURE), BODY, TIMESTAMP, Ok(())),
            (Some(&at), Some(SIGNATURE), BODY, TIMESTAMP + 300, Ok(())),
            (Some(&at), Some(SIGNATURE), BODY, TIMESTAMP - 300, Ok(())),
            (
                Some(&at),
                Some(SIGNATURE),
                BODY,
                TIMESTAMP + 301,
                Err(NotSlack::Stale),
            ),
            (
                Some(&at),
                Some(SIGNATURE),
                BODY,
                TIMESTAMP - 301,
                Err(NotSlack::Stale),
            ),
            (
                Some(&at),
                Some(SIGNATURE),
                &BODY[1..],
                TIMESTAMP,
                Err(NotSlack::Signature),
            ),
            (
                Some(&later),
                Some(SIGNATURE),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Signature),
            ),
            (
                Some(&at),
                Some("v0="),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Signature),
            ),
            (
                Some(&at),
                Some(&SIGNATURE[..66]),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Signature),
            ),
            (
                Some(&at),
                Some(&SIGNATURE[3..]),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Headers),
            ),
            (
                Some(&at),
                Some(&upper),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Headers),
            ),
            (Some(&at), None, BODY, TIMESTAMP, Err(NotSlack::Headers)),
            (
                None,
                Some(SIGNATURE),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Headers),
            ),
            (
                Some("soon"),
                Some(SIGNATURE),
                BODY,
                TIMESTAMP,
                Err(NotSlack::Headers),
            ),
            (
                Some("9223372036854775807"),
                Some(SIGNATURE),
                BODY,
                -5,
                Err(NotSlack::Stale),
            ),
        ] {
            assert_eq!(
                check.check(timestamp, signature, body.as_bytes(), now),
                found
            );
        }
        let other = SlackSignature::new(Secret::new("another"));
        assert_eq!(
            other.check(Some(&at), Some(SIGNATURE), BODY.as_bytes(), TIMESTAMP),
            Err(NotSlack::Signature)
        );
    }
}
