//! Button presses in Telegram: updates that Telegram sends to the address that `setWebhook` was given.
//!
//! "setWebhook" (core.telegram.org/bots/api): each request carries the secret in `X-Telegram-Bot-Api-Secret-Token`. It
//! signs neither time nor content, so a press counts only where the incident was told to the chat that it comes
//! from, and a second one changes nothing. The press is answered in the answer to the request ("Making requests when
//! getting updates"). What is not answered with a 2xx Telegram sends again.

use super::{Here, Site};
use crate::commands::CommandError;
use crate::core::render::{Phrases, TELEGRAM_ACKNOWLEDGE};
use crate::core::{ChannelKind, Language, Status, Via};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use model::IncidentId;
use runtime::Secret;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

/// The secret of the webhook.
#[derive(Debug, Clone)]
pub struct TelegramSecret(Secret);

/// Why a secret cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of Telegram's webhook has 1 to 256 letters, digits, `_` and `-`")]
pub struct BadTelegramSecret;

impl TelegramSecret {
    /// As it was given to `setWebhook`.
    pub fn new(secret: Secret) -> Result<Self, BadTelegramSecret> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let text = secret.expose();
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(plain);
        fits.then_some(Self(secret)).ok_or(BadTelegramSecret)
    }

    fn is(&self, given: Option<&str>) -> bool {
        let right = self.0.expose().as_bytes();
        given.is_some_and(|given| bool::from(right.ct_eq(given.as_bytes())))
    }
}

/// An update; only presses of buttons are of interest.
#[derive(Deserialize)]
struct Update {
    callback_query: Option<Press>,
}

#[derive(Deserialize)]
struct Press {
    id: String,
    from: User,
    message: Option<Place>,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    language_code: String,
}

#[derive(Deserialize)]
struct Place {
    chat: Chat,
    message_id: i64,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
}

/// An update from Telegram.
pub(super) async fn update(State(site): Here, headers: HeaderMap, body: Bytes) -> Response {
    let Some(secret) = &site.0.settings.telegram else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let given = headers.get("x-telegram-bot-api-secret-token");
    if !secret.is(given.and_then(|value| value.to_str().ok())) {
        tracing::warn!("refused a request to Telegram's address: its secret does not fit");
        return (StatusCode::UNAUTHORIZED, "the secret does not fit\n").into_response();
    }
    let Ok(update) = serde_json::from_slice::<Update>(&body) else {
        return (StatusCode::BAD_REQUEST, "this is no update\n").into_response();
    };
    let Some(press) = update.callback_query else {
        return StatusCode::OK.into_response();
    };
    let language = match press.from.language_code.starts_with("ko") {
        true => Language::Ko,
        false => Language::En,
    };
    let words = Phrases::of(language);
    let text = match pressed(&site, &press).await {
        Ok(Pressed::Taken) => words.voice_taken,
        Ok(Pressed::Known) => words.voice_known,
        Ok(Pressed::NotHere) => words.voice_failed,
        Err(error) => {
            tracing::error!(%error, "a press in Telegram could not be carried out");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let answer = json!({
        "method": "answerCallbackQuery", "callback_query_id": press.id, "text": text,
    });
    Json(answer).into_response()
}

/// What came of a press.
enum Pressed {
    /// The incident is acknowledged now.
    Taken,
    /// It was before, or is over.
    Known,
    /// It was never told to that chat.
    NotHere,
}

async fn pressed(site: &Site, press: &Press) -> Result<Pressed, CommandError> {
    let given = press.data.strip_prefix(TELEGRAM_ACKNOWLEDGE);
    let (Some(Ok(id)), Some(place)) = (given.map(IncidentId::parse), &press.message) else {
        return Ok(Pressed::NotHere);
    };
    // A client can send back whatever it wants: the message must be one about this incident.
    let reference = format!("{}:{}", place.chat.id, place.message_id);
    let deliveries = site.whole_desk().deliveries_of(&[id]).await?;
    let told = deliveries.values().flatten().any(|delivery| {
        delivery.channel == ChannelKind::Telegram
            && delivery
                .reference
                .as_ref()
                .is_some_and(|known| known.0 == reference)
    });
    if !told {
        tracing::warn!(incident_id = %id, "a press in a chat of Telegram that was not told of the incident");
        return Ok(Pressed::NotHere);
    }
    let before = site.whole_desk().get(id).await?.incident.status;
    if before != Status::Open {
        return Ok(Pressed::Known);
    }
    let name = match press.from.first_name.trim() {
        "" => "Telegram",
        name => name,
    };
    let actor = site.whole_desk().chat_actor(
        &press.from.id.to_string(),
        &name.chars().take(80).collect::<String>(),
    );
    site.whole_desk().acknowledge(id, actor, Via::Chat).await?;
    Ok(Pressed::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_in_telegrams_form_only_and_compared_whole() {
        for wrong in ["", "with space", "ä", "a=b", &"x".repeat(257)] {
            assert!(TelegramSecret::new(Secret::new(wrong)).is_err(), "{wrong}");
        }
        let secret = TelegramSecret::new(Secret::new("a-Secret_1")).expect("a secret");
        assert!(secret.is(Some("a-Secret_1")));
        for wrong in [
            None,
            Some(""),
            Some("a-Secret_"),
            Some("a-Secret_12"),
            Some("A-Secret_1"),
        ] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
    }
}
