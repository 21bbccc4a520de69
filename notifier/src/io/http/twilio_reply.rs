//! Text messages that people send back: `1`, `ack` or `확인` acknowledges what their phone was told of.
//!
//! Twilio sends them to the address that "A message comes in" of the number names ("Twilio's request to your incoming message
//! webhook"), signed like everything of it. The signature holds no time: a message counts once, by its `MessageSid`, and only for
//! what the phone was told of within a day. Of several open incidents none is guessed: the link of each says which.

use super::twilio::{checked, field};
use super::{Here, Site};
use crate::commands::{CommandError, LinkTarget};
use crate::core::render::Phrases;
use crate::core::{Actor, ChannelKind, Fate, Language, Via};
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use model::Span;

/// What was told longer ago is not meant any more.
const TOLD_WITHIN: Span = Span::from_secs(86_400);
/// What acknowledges, in small letters.
const ACKNOWLEDGE: [&str; 5] = ["1", "ack", "ok", "확인", "넵"];

/// A text message that came in.
pub(super) async fn take(
    State(site): Here,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = match checked(&site, &uri, &headers, body).await {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let text = |name: &str| field(&fields, name).unwrap_or_default();
    if !site.0.replies.is_new(text("MessageSid")) {
        return twiml(None);
    }
    let said = text("Body").trim().to_lowercase();
    match replied(&site, text("From"), &said).await {
        Ok(answer) => twiml(answer.as_deref()),
        Err(error) => {
            tracing::error!(%error, "a text message that came back could not be carried out");
            twiml(Some(Phrases::of(Language::Ko).voice_failed))
        }
    }
}

/// What is answered; nothing to numbers that were told of nothing.
async fn replied(site: &Site, from: &str, said: &str) -> Result<Option<String>, CommandError> {
    let told = site
        .whole_desk()
        .told(ChannelKind::Sms, from, TOLD_WITHIN)
        .await?;
    let Some(first) = told.first() else {
        return Ok(None);
    };
    let words = Phrases::of(first.recipient.language);
    let open: Vec<&LinkTarget> = told
        .iter()
        .filter(|target| target.incident.status == crate::core::Status::Open)
        .collect();
    let answer = match open.as_slice() {
        _ if !ACKNOWLEDGE.contains(&said) => words.sms_how.to_owned(),
        [] => words.voice_known.to_owned(),
        [one] => {
            let actor = Actor {
                name: one.recipient.name.clone(),
                contact: one.recipient.contact.clone(),
            };
            let id = one.incident.id;
            site.whole_desk().acknowledge(id, actor, Via::Sms).await?;
            let delivery = one.delivery;
            site.whole_desk()
                .report(delivery, Fate::Answered, None)
                .await?;
            words.voice_taken.to_owned()
        }
        several => words
            .sms_several
            .replacen("{}", &several.len().to_string(), 1),
    };
    Ok(Some(answer))
}

/// What Twilio sends back.
fn twiml(text: Option<&str>) -> Response {
    // The words are ours: nothing of a person's text is in them.
    let message = text.map(|text| format!("<Message>{text}</Message>"));
    let twiml = format!("<Response>{}</Response>", message.unwrap_or_default());
    let kind = [(header::CONTENT_TYPE, "text/xml; charset=utf-8")];
    (kind, twiml).into_response()
}
