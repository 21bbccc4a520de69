//! Text messages and calls through Twilio.
//!
//! Formats are those of Twilio's reference: the resources Message and Call of the API version
//! 2010-04-01, TwiML's `<Say>` and `<Gather>`, and the error body `{code, message, status}`. Twilio
//! takes no idempotency key; but the callback of each request carries the token of its delivery, so
//! that what was taken is known even where the answer was lost.

use super::Channel;
use super::web::{Answer, ChannelError, client, secret};
use crate::config;
use crate::core::render::{LmsUse, korea, sms, speech};
use crate::core::{Asked, DeliveryId, Language, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use model::Timestamp;
use reqwest::{Client, StatusCode};
use runtime::Secret;
use serde_json::Value;
use std::sync::Arc;

/// The longest text of a message, in characters ("Body" of the resource Message).
const BODY_CHARS: usize = 1_600;
/// The longest TwiML that comes with a request, in characters ("Twiml" of the resource Call).
const TWIML_CHARS: usize = 4_000;
/// How long it rings, in seconds; voice mail takes over later than that with most carriers.
const RINGS: &str = "30";

/// The account, shared by both channels.
#[derive(Debug)]
struct Account {
    client: Client,
    resources: String,
    sid: String,
    token: Secret,
    /// The other token while tokens are rotated.
    alternate: Option<Secret>,
}

/// Text messages.
#[derive(Debug)]
pub struct TwilioSms {
    account: Arc<Account>,
    from: String,
    zone: TimeZone,
}

/// Calls.
#[derive(Debug)]
pub struct TwilioVoice {
    account: Arc<Account>,
    from: String,
}

/// The channels that a configuration names; reads the tokens.
pub(super) fn configured(
    config: &config::Twilio,
) -> Result<(Option<TwilioSms>, Option<TwilioVoice>), ChannelError> {
    let refuse = |reason: &str| ChannelError::Config {
        channel: "twilio",
        reason: reason.to_owned(),
    };
    let sid = &config.account_sid;
    if sid.len() != 34
        || !sid.starts_with("AC")
        || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Err(refuse("`account_sid` must be AC and 32 digits or letters"));
    }
    if config.sms_from.is_none() && config.voice_from.is_none() {
        return Err(refuse("name a number in `sms_from` or `voice_from`"));
    }
    let alternate = config.alternate_token_file.as_deref();
    let account = Arc::new(Account {
        client: client()?,
        resources: format!(
            "{}/2010-04-01/Accounts/{sid}",
            config.api_url.trim_end_matches('/')
        ),
        sid: sid.clone(),
        token: secret("twilio", &config.auth_token_file)?,
        alternate: alternate.map(|path| secret("twilio", path)).transpose()?,
    });
    let sms = config.sms_from.clone().map(|from| TwilioSms {
        account: Arc::clone(&account),
        from,
        zone: korea(),
    });
    let voice = config
        .voice_from
        .clone()
        .map(|from| TwilioVoice { account, from });
    Ok((sms, voice))
}

impl Account {
    /// Creates a resource.
    async fn create(&self, kind: &str, form: &[(&str, &str)]) -> Outcome {
        let mut answer = match self.post(kind, form, &self.token).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(alternate) = &self.alternate
        {
            answer = match self.post(kind, form, alternate).await {
                Ok(answer) => answer,
                Err(outcome) => return outcome,
            };
        }
        if !answer.status.is_success() {
            return answer.refusal(&said(&answer.body));
        }
        let created: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match created["sid"].as_str().filter(|sid| is_sid(sid)) {
            Some(sid) => Outcome::Accepted {
                reference: ProviderRef(sid.to_owned()),
            },
            None => Outcome::Unknown {
                reason: format!("{} without a sid", answer.status),
            },
        }
    }

    async fn post(
        &self,
        kind: &str,
        form: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Answer, Outcome> {
        let request = self
            .client
            .post(format!("{}/{kind}.json", self.resources))
            .basic_auth(&self.sid, Some(token.expose()))
            .form(form);
        Answer::of(request.send().await).await
    }

    /// The state of a resource.
    async fn state(&self, kind: &str, reference: &ProviderRef) -> Asked {
        if !is_sid(&reference.0) {
            return Asked::CannotTell {
                reason: "the reference is no sid".to_owned(),
            };
        }
        let url = format!("{}/{kind}/{}.json", self.resources, reference.0);
        let mut answer = None;
        for token in [Some(&self.token), self.alternate.as_ref()]
            .into_iter()
            .flatten()
        {
            let request = self
                .client
                .get(&url)
                .basic_auth(&self.sid, Some(token.expose()));
            match Answer::of(request.send().await).await {
                Ok(got) if got.status == StatusCode::UNAUTHORIZED => answer = Some(got),
                Ok(got) => {
                    answer = Some(got);
                    break;
                }
                Err(lost) => {
                    return Asked::Retry {
                        reason: format!("{lost:?}"),
                    };
                }
            }
        }
        let Some(answer) = answer else {
            return Asked::Retry {
                reason: "no token".to_owned(),
            };
        };
        match answer.status {
            StatusCode::OK => {
                let resource: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                state(&resource, reference)
            }
            StatusCode::NOT_FOUND => Asked::CannotTell {
                reason: "Twilio does not know it".to_owned(),
            },
            status => Asked::Retry {
                reason: format!("{status}: {}", said(&answer.body)),
            },
        }
    }
}

#[async_trait]
impl Channel for TwilioSms {
    fn provider(&self) -> &'static str {
        "twilio"
    }

    async fn send(&self, message: &Message) -> Outcome {
        // Also beyond Korea the text keeps to what every phone shows.
        let text = sms(message, &self.zone, LmsUse::Auto).content;
        let text: String = text.chars().take(BODY_CHARS).collect();
        let mut form = vec![
            ("To", message.recipient.address.as_str()),
            ("From", &self.from),
            ("Body", &text),
        ];
        let callback = callback(message, "sms");
        if let Some(callback) = &callback {
            form.push(("StatusCallback", callback));
        }
        self.account.create("Messages", &form).await
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        no_reference()
    }

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        self.account.state("Messages", reference).await
    }
}

#[async_trait]
impl Channel for TwilioVoice {
    fn provider(&self) -> &'static str {
        "twilio"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let twiml = call(message);
        let mut form = vec![
            ("To", message.recipient.address.as_str()),
            ("From", &self.from),
            ("Twiml", &twiml),
            ("Timeout", RINGS),
        ];
        let callback = callback(message, "call");
        if let Some(callback) = &callback {
            form.push(("StatusCallback", callback));
            form.push(("StatusCallbackEvent", "completed"));
        }
        self.account.create("Calls", &form).await
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        no_reference()
    }

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        self.account.state("Calls", reference).await
    }
}

fn no_reference() -> Asked {
    Asked::CannotTell {
        reason: "Twilio keeps no reference of ours".to_owned(),
    }
}

/// Where Twilio tells of a delivery; none when the message has no link.
fn callback(message: &Message, what: &str) -> Option<String> {
    let (site, token) = message.ack_url.rsplit_once("/a/")?;
    Some(format!("{site}/twilio/{what}/{token}"))
}

/// What a call says, and how it takes a digit.
fn call(message: &Message) -> String {
    let language = message.recipient.language;
    let words = speech(message);
    let said = say(&words, language);
    match callback(message, "digit").filter(|_| message.purpose.is_page()) {
        Some(action) => {
            let action = escaped(&action);
            let gather = format!(
                "<Gather input=\"dtmf\" numDigits=\"1\" timeout=\"8\" method=\"POST\" action=\"{action}\">{said}</Gather>"
            );
            let twice = format!("<Response>{gather}{gather}</Response>");
            if twice.chars().count() <= TWIML_CHARS {
                twice
            } else {
                format!("<Response>{gather}</Response>")
            }
        }
        None => format!("<Response>{said}{said}</Response>"),
    }
}

/// `<Say>` in the voice of the language ("Text-to-speech": Amazon Polly's Seoyeon and Joanna).
pub(crate) fn say(text: &str, language: Language) -> String {
    let (language, voice) = match language {
        Language::Ko => ("ko-KR", "Polly.Seoyeon"),
        Language::En => ("en-US", "Polly.Joanna"),
    };
    format!(
        "<Say language=\"{language}\" voice=\"{voice}\">{}</Say>",
        escaped(text)
    )
}

/// Text for XML: what has a meaning there is escaped, what XML 1.0 does not know is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// Whether it has the form of a sid: two letters and 32 hexadecimal digits.
fn is_sid(text: &str) -> bool {
    text.len() == 34 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What a resource's `status` means; the words of messages and of calls do not collide.
fn state(resource: &Value, reference: &ProviderRef) -> Asked {
    let word = resource["status"].as_str().unwrap_or_default();
    let reference = reference.clone();
    match fate(word) {
        Some(true) => Asked::Delivered { reference },
        Some(false) => {
            let code = &resource["error_code"];
            let reason = match code.as_i64() {
                Some(code) => format!("{word}, error {code}"),
                None => word.to_owned(),
            };
            Asked::Refused { reason }
        }
        None => Asked::Accepted { reference },
    }
}

/// Whether a status says that it arrived, or that it never will; none where it is on its way.
pub(crate) fn fate(status: &str) -> Option<bool> {
    match status {
        "delivered" | "read" | "received" | "completed" => Some(true),
        "undelivered" | "failed" | "canceled" | "busy" | "no-answer" => Some(false),
        _ => None,
    }
}

/// `21211 The 'To' number ... is not a valid phone number.`
fn said(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer["code"]
        .as_i64()
        .map(|code| format!("{code} "))
        .unwrap_or_default();
    let words = answer["message"].as_str().unwrap_or_default();
    format!("{code}{words}").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tag_says_cannot_become_twiml() {
        assert_eq!(
            say("</Say><Dial>+1</Dial>&\u{0}\u{7}", Language::En),
            "<Say language=\"en-US\" voice=\"Polly.Joanna\">&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt;&amp;</Say>"
        );
    }

    #[test]
    fn a_status_ends_a_delivery_or_leaves_it_under_way() {
        for (status, expected) in [
            ("queued", None),
            ("sending", None),
            ("sent", None),
            ("ringing", None),
            ("in-progress", None),
            ("delivered", Some(true)),
            ("completed", Some(true)),
            ("undelivered", Some(false)),
            ("failed", Some(false)),
            ("busy", Some(false)),
            ("no-answer", Some(false)),
            ("something new", None),
        ] {
            assert_eq!(fate(status), expected, "{status}");
        }
    }
}
