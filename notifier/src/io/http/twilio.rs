//! What Twilio tells: states of messages and calls, and the digit that acknowledges.
//!
//! Twilio signs its requests: `X-Twilio-Signature` is the base64 HMAC-SHA1, under the account's auth
//! token, of the exact URL that it called, followed by each field of the form, name and value, in
//! the order of the names ("Webhooks security"). It signs no time, so that an old request can be
//! played again: a state never goes back, and a digit counts once.

use super::{Here, Site};
use crate::commands::{CommandError, LinkTarget};
use crate::core::{Actor, DeliveryId, Fate, Language, Status, Via};
use crate::io::channel::twilio::{fate, say};
use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, OriginalUri, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use model::Span;
use runtime::Secret;
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// After this a call is over, and a digit comes from somewhere else.
const CALL_LASTS: Span = Span::from_secs(3_600);
/// The digit that acknowledges.
const ACKNOWLEDGE: &str = "1";

/// Checks that a request comes from Twilio.
#[derive(Debug, Clone)]
pub struct TwilioSignature {
    tokens: Vec<Secret>,
    /// What Twilio called begins with it.
    public_url: String,
    account: String,
}

/// Why a request is not taken for Twilio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTwilio {
    /// The header is missing.
    #[error("X-Twilio-Signature is missing")]
    Header,
    /// The signature is another.
    #[error("the signature does not fit")]
    Signature,
    /// It is signed, for another account.
    #[error("it is for another account")]
    Account,
}

impl TwilioSignature {
    /// With the account's auth token, and the other one while tokens are rotated.
    pub fn new(account: &str, public_url: &str, tokens: Vec<Secret>) -> Self {
        Self {
            tokens,
            public_url: public_url.trim_end_matches('/').to_owned(),
            account: account.to_owned(),
        }
    }

    /// Checks a request to `target`, which is the path with its query.
    pub fn check(
        &self,
        target: &str,
        signature: Option<&str>,
        fields: &[(String, String)],
    ) -> Result<(), NotTwilio> {
        let given = signature.ok_or(NotTwilio::Header)?;
        let url = format!("{}{target}", self.public_url);
        let fits = |token: &Secret| {
            let right = sign(token.expose(), &url, fields);
            bool::from(right.as_bytes().ct_eq(given.as_bytes()))
        };
        if !self.tokens.iter().any(fits) {
            return Err(NotTwilio::Signature);
        }
        match field(fields, "AccountSid") {
            Some(account) if account != self.account => Err(NotTwilio::Account),
            _ => Ok(()),
        }
    }
}

/// `X-Twilio-Signature`.
fn sign(token: &str, url: &str, fields: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// The fields of a request that is Twilio's.
pub(super) async fn checked(
    site: &Site,
    uri: &axum::http::Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Vec<(String, String)>, Response> {
    let Some(check) = &site.0.settings.twilio else {
        return Err(StatusCode::NOT_FOUND.into_response());
    };
    let Some(fields) = read(body).await else {
        return Err((StatusCode::BAD_REQUEST, "this is no form\n").into_response());
    };
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let signature = headers
        .get("x-twilio-signature")
        .and_then(|value| value.to_str().ok());
    match check.check(target, signature, &fields) {
        Ok(()) => Ok(fields),
        Err(why) => {
            tracing::warn!(%why, "refused a request to Twilio's address");
            Err((StatusCode::FORBIDDEN, format!("{why}\n")).into_response())
        }
    }
}

async fn read(body: Bytes) -> Option<Vec<(String, String)>> {
    let form = Request::builder()
        .method(Method::POST)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .ok()?;
    let read = Form::<Vec<(String, String)>>::from_request(form, &()).await;
    read.ok().map(|Form(fields)| fields)
}

/// The state of a text message.
pub(super) async fn message(
    State(site): Here,
    Path(token): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    told(&site, &token, &uri, &headers, body, "MessageStatus").await
}

/// The state of a call.
pub(super) async fn call(
    State(site): Here,
    Path(token): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    told(&site, &token, &uri, &headers, body, "CallStatus").await
}

async fn told(
    site: &Site,
    token: &str,
    uri: &axum::http::Uri,
    headers: &HeaderMap,
    body: Bytes,
    name: &str,
) -> Response {
    let fields = match checked(site, uri, headers, body).await {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let status = field(&fields, name).unwrap_or_default();
    let (fate, reason) = match fate(status) {
        Some(true) => (Fate::Delivered, None),
        Some(false) => {
            let code = field(&fields, "ErrorCode").unwrap_or_default();
            let reason = match code {
                "" => status.to_owned(),
                code => format!("{status}, error {code}"),
            };
            (Fate::Failed, Some(reason))
        }
        None => return StatusCode::NO_CONTENT.into_response(),
    };
    let done = async {
        if let Some(target) = site.whole_desk().link_target(token).await? {
            site.whole_desk()
                .report(target.delivery, fate, reason)
                .await?;
        }
        Ok::<_, CommandError>(())
    };
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::warn!(%error, "a state from Twilio could not be kept");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// A digit in a call.
pub(super) async fn digit(
    State(site): Here,
    Path(token): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = match checked(&site, &uri, &headers, body).await {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let digits = field(&fields, "Digits").unwrap_or_default();
    let answer = pressed(&site, &token, digits).await;
    let (text, language, redo) = match answer {
        Ok(Some((target, said))) => {
            let language = target.recipient.language;
            let words = crate::core::render::Phrases::of(language);
            match said {
                Said::Taken => (words.voice_taken, language, false),
                Said::Known => (words.voice_known, language, false),
                Said::Other => (words.voice_digits, language, true),
            }
        }
        Ok(None) => ("This call is over.", Language::En, false),
        Err(error) => {
            tracing::error!(%error, "a digit could not be carried out");
            let words = crate::core::render::Phrases::of(Language::Ko);
            (words.voice_failed, Language::Ko, false)
        }
    };
    let said = say(text, language);
    let twiml = if redo {
        // The same address takes the next digit.
        format!(
            "<Response><Gather input=\"dtmf\" numDigits=\"1\" timeout=\"8\" method=\"POST\">{said}</Gather></Response>"
        )
    } else {
        format!("<Response>{said}<Hangup/></Response>")
    };
    let kind = [(header::CONTENT_TYPE, "text/xml; charset=utf-8")];
    (kind, twiml).into_response()
}

/// What the voice says to a digit.
enum Said {
    Taken,
    Known,
    Other,
}

async fn pressed(
    site: &Site,
    token: &str,
    digits: &str,
) -> Result<Option<(LinkTarget, Said)>, CommandError> {
    let Some(target) = site.whole_desk().link_target(token).await? else {
        return Ok(None);
    };
    let Some(before) = fate_of(site, &target).await? else {
        return Ok(None);
    };
    if digits != ACKNOWLEDGE {
        return Ok(Some((target, Said::Other)));
    }
    let id = target.incident.id;
    let open = target.incident.status == Status::Open;
    let said = if open && before != Fate::Answered {
        let actor = Actor {
            name: target.recipient.name.clone(),
            contact: target.recipient.contact.clone(),
        };
        site.whole_desk().acknowledge(id, actor, Via::Voice).await?;
        Said::Taken
    } else {
        Said::Known
    };
    let delivery: DeliveryId = target.delivery;
    site.whole_desk()
        .report(delivery, Fate::Answered, None)
        .await?;
    Ok(Some((target, said)))
}

/// The fate of a call that may still be under way.
async fn fate_of(site: &Site, target: &LinkTarget) -> Result<Option<Fate>, CommandError> {
    let id = target.incident.id;
    let deliveries = site.whole_desk().deliveries_of(&[id]).await?;
    let call = deliveries
        .get(&id)
        .into_iter()
        .flatten()
        .find(|one| one.id == target.delivery);
    let lasts = |at: model::Timestamp| site.now_millis() - at.as_millis() < CALL_LASTS.as_millis();
    Ok(call
        .filter(|call| lasts(call.created_at))
        .map(|call| call.fate))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Webhooks security", section "Validating requests are coming from Twilio".
    const TOKEN: &str = "12345";
    const SIGNATURE: &str = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";

    fn fields() -> Vec<(String, String)> {
        [
            ("Digits", "1234"),
            ("To", "+18005551212"),
            ("From", "+12349013030"),
            ("Caller", "+12349013030"),
            ("CallSid", "CA1234567890ABCDE"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    fn check(tokens: &[&str]) -> TwilioSignature {
        let tokens = tokens.iter().map(|token| Secret::new(*token)).collect();
        TwilioSignature::new("AC1", "https://mycompany.com/", tokens)
    }

    #[test]
    fn twilios_published_example_is_taken_and_nothing_else() {
        let target = "/myapp.php?foo=1&bar=2";
        let good = Some(SIGNATURE);
        let mut forged = fields();
        forged[0].1 = "1".to_owned();
        let mut longer = fields();
        longer.push(("Extra".to_owned(), String::new()));
        for (tokens, target, signature, fields, found) in [
            (&["12345"][..], target, good, fields(), Ok(())),
            // While tokens are rotated either counts.
            (&["other", TOKEN], target, good, fields(), Ok(())),
            (
                &["other"],
                target,
                good,
                fields(),
                Err(NotTwilio::Signature),
            ),
            (&[TOKEN], target, None, fields(), Err(NotTwilio::Header)),
            (&[TOKEN], target, good, forged, Err(NotTwilio::Signature)),
            (&[TOKEN], target, good, longer, Err(NotTwilio::Signature)),
            (
                &[TOKEN],
                "/myapp.php",
                good,
                fields(),
                Err(NotTwilio::Signature),
            ),
            (
                &[TOKEN],
                target,
                Some(""),
                fields(),
                Err(NotTwilio::Signature),
            ),
            (&[], target, good, fields(), Err(NotTwilio::Signature)),
        ] {
            assert_eq!(check(tokens).check(target, signature, &fields), found);
        }
    }

    #[test]
    fn another_account_of_twilio_is_refused() {
        let mut fields = fields();
        fields.push(("AccountSid".to_owned(), "AC2".to_owned()));
        let signature = sign(TOKEN, "https://mycompany.com/x", &fields);
        let checked = check(&[TOKEN]).check("/x", Some(&signature), &fields);
        assert_eq!(checked, Err(NotTwilio::Account));
    }
}
