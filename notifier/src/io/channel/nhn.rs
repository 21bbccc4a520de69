//! Text messages and KakaoTalk Alimtalk through NHN Cloud.
//!
//! Formats are those of the guides "SMS > API v3.0" and "KakaoTalk Bizmessage > Alimtalk > API
//! v2.3": the secret key in `X-Secret-Key`, HTTP 200 also for refusals, `header.isSuccessful` and
//! `resultCode` for the whole and for each recipient. Alimtalk takes `X-NC-API-IDEMPOTENCY-KEY`, which
//! fails a request that comes again within ten minutes, and a grouping key by which it is found
//! again; both are the delivery's id.

use super::Channel;
use super::phone::national;
use super::web::{Answer, ChannelError, client, secret};
use crate::config;
use crate::core::render::{Alimtalk, LmsUse, SmsKind, alimtalk, korea, sms};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use model::{Span, Timestamp};
use reqwest::{Client, RequestBuilder, StatusCode};
use runtime::Secret;
use serde_json::{Value, json};

/// One service of an account.
#[derive(Debug)]
struct Service {
    client: Client,
    root: String,
    secret: Secret,
}

/// Text messages.
#[derive(Debug)]
pub struct NhnSms {
    service: Service,
    from: String,
    lms: LmsUse,
    zone: TimeZone,
}

/// Alimtalk.
#[derive(Debug)]
pub struct NhnAlimtalk {
    service: Service,
    sender_key: String,
    templates: config::AlimtalkTemplates,
    zone: TimeZone,
}

/// Whether a key may stand in a path.
fn plain(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(fits)
}

impl Service {
    fn new(
        channel: &'static str,
        root: String,
        app_key: &str,
        secret_key: &std::path::Path,
    ) -> Result<Self, ChannelError> {
        if !plain(app_key) {
            return Err(ChannelError::Config {
                channel,
                reason: "`app_key` holds letters, digits, `-` and `_` only".to_owned(),
            });
        }
        Ok(Self {
            client: client()?,
            root,
            secret: secret(channel, secret_key)?,
        })
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("X-Secret-Key", self.secret.expose())
    }

    /// Asks for something; the answer's body, or what its want means.
    async fn get(&self, target: &str) -> Result<Value, Asked> {
        let later = |reason: String| Asked::Retry { reason };
        let request = self.signed(self.client.get(format!("{}{target}", self.root)));
        let answer = Answer::of(request.send().await)
            .await
            .map_err(|lost| later(format!("{lost:?}")))?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (answer.status, &body["header"]["isSuccessful"]) {
            (StatusCode::OK, Value::Bool(true)) => Ok(body),
            (StatusCode::OK, _) => Err(Asked::CannotTell {
                reason: said(&body),
            }),
            (status, _) => Err(later(format!("{status}: {}", said(&body)))),
        }
    }
}

/// The whole's verdict and then the recipient's.
fn verdict(answer: &Answer, part: &str) -> Result<Value, Outcome> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != StatusCode::OK {
        return Err(answer.refusal(&said(&body)));
    }
    match body["header"]["isSuccessful"].as_bool() {
        Some(true) => Ok(body.pointer(part).cloned().unwrap_or_default()),
        Some(false) => Err(Outcome::Refused {
            reason: said(&body),
        }),
        None => Err(Outcome::Unknown {
            reason: "200 without `header.isSuccessful`".to_owned(),
        }),
    }
}

/// `-1021 The sender number is not registered`.
fn said(body: &Value) -> String {
    let header = &body["header"];
    let code = header["resultCode"].to_string();
    let words = header["resultMessage"].as_str().unwrap_or_default();
    format!("{code} {words}").chars().take(300).collect()
}

/// What a part with `requestId` and one recipient's result means.
fn taken(part: &Value, results: &str) -> Outcome {
    let result = &part[results][0];
    match (part["requestId"].as_str(), result["resultCode"].as_i64()) {
        (_, Some(code)) if code != 0 => {
            let words = result["resultMessage"].as_str().unwrap_or_default();
            Outcome::Refused {
                reason: format!("{code} {words}"),
            }
        }
        (Some(id), _) if plain(id) => {
            let sequence = result["recipientSeq"].as_i64().unwrap_or(1);
            Outcome::Accepted {
                reference: ProviderRef(format!("{id}/{sequence}")),
            }
        }
        _ => Outcome::Unknown {
            reason: "taken, without a requestId".to_owned(),
        },
    }
}

/// A reference's request and recipient.
fn parts(reference: &ProviderRef) -> Option<(&str, u32)> {
    let (id, sequence) = reference.0.split_once('/')?;
    Some((id, sequence.parse().ok()?)).filter(|(id, _)| plain(id))
}

fn no_reference() -> Asked {
    Asked::CannotTell {
        reason: "the reference is no request id".to_owned(),
    }
}

impl NhnSms {
    /// From configuration; reads the key.
    pub fn new(config: &config::NhnSms) -> Result<Self, ChannelError> {
        if config.from.is_empty() || !config.from.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ChannelError::Config {
                channel: "nhn",
                reason: "`from` must be the registered sender number, digits only".to_owned(),
            });
        }
        let url = config.api_url.trim_end_matches('/');
        let root = format!("{url}/sms/v3.0/appKeys/{}/sender", config.app_key);
        Ok(Self {
            service: Service::new("nhn", root, &config.app_key, &config.secret_key_file)?,
            from: config.from.clone(),
            lms: config.lms.into(),
            zone: korea(),
        })
    }
}

#[async_trait]
impl Channel for NhnSms {
    fn provider(&self) -> &'static str {
        "nhn"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let Some(number) = national(&message.recipient.address) else {
            return Outcome::Refused {
                reason: "NHN Cloud is used for numbers of Korea (+82) only".to_owned(),
            };
        };
        let text = sms(message, &self.zone, self.lms);
        let kind = match text.kind {
            SmsKind::Sms => "sms",
            SmsKind::Lms => "mms",
        };
        let mut body = json!({
            "body": text.content,
            "sendNo": self.from,
            "recipientList": [{ "recipientNo": number }],
            "senderGroupingKey": message.delivery.to_string(),
        });
        if let Some(subject) = text.subject {
            body["title"] = json!(subject);
        }
        let url = format!("{}/{kind}", self.service.root);
        let request = self
            .service
            .signed(self.service.client.post(url))
            .json(&body);
        let answer = match Answer::of(request.send().await).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        match verdict(&answer, "/body/data") {
            // Which list it is in stands in the reference.
            Ok(part) => match taken(&part, "sendResultList") {
                Outcome::Accepted { reference } => Outcome::Accepted {
                    reference: ProviderRef(format!("{kind}:{}", reference.0)),
                },
                other => other,
            },
            Err(outcome) => outcome,
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "NHN Cloud's text messages are not looked for by our reference".to_owned(),
        }
    }

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        let Some((kind @ ("sms" | "mms"), rest)) = reference.0.split_once(':') else {
            return no_reference();
        };
        let Some((id, sequence)) =
            parts(&ProviderRef(rest.to_owned())).map(|(id, sequence)| (id.to_owned(), sequence))
        else {
            return no_reference();
        };
        let target = format!("/{kind}/{id}?recipientSeq={sequence}");
        let body = match self.service.get(&target).await {
            Ok(body) => body,
            Err(asked) => return asked,
        };
        let data = &body["body"]["data"];
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        let reference = reference.clone();
        // 0 failed, 1 asked for, 2 under way, 3 succeeded, 4 called off, 5 refused as a repeat.
        match text("msgStatus") {
            "3" => Asked::Delivered { reference },
            "0" | "4" | "5" => Asked::Refused {
                reason: format!("{} {}", text("resultCode"), text("resultCodeName")),
            },
            _ => Asked::Accepted { reference },
        }
    }
}

impl NhnAlimtalk {
    /// From configuration; reads the key.
    pub fn new(config: &config::NhnAlimtalk) -> Result<Self, ChannelError> {
        let url = config.api_url.trim_end_matches('/');
        let root = format!("{url}/alimtalk/v2.3/appkeys/{}/messages", config.app_key);
        Ok(Self {
            service: Service::new("nhn", root, &config.app_key, &config.secret_key_file)?,
            sender_key: config.sender_key.clone(),
            templates: config.templates.clone(),
            zone: korea(),
        })
    }

    /// The delivery among what was sent within some minutes of `around`.
    async fn find(&self, delivery: &DeliveryId, around: Timestamp) -> Asked {
        let minute = |at: Timestamp| {
            let at = jiff::Timestamp::from_nanosecond(at.as_nanos().into());
            at.map(|at| {
                at.to_zoned(self.zone.clone())
                    .strftime("%Y-%m-%d%%20%H:%M")
                    .to_string()
            })
            .unwrap_or_default()
        };
        let (from, to) = (
            around.minus(Span::from_secs(120)),
            around.plus(Span::from_secs(3_600)),
        );
        let target = format!(
            "?startRequestDate={}&endRequestDate={}&senderGroupingKey={delivery}",
            minute(from),
            minute(to)
        );
        let body = match self.service.get(&target).await {
            Ok(body) => body,
            Err(asked) => return asked,
        };
        let found = &body["messageSearchResultResponse"]["messages"][0];
        match (found["requestId"].as_str(), found["recipientSeq"].as_i64()) {
            (Some(id), Some(sequence)) if plain(id) => Asked::Accepted {
                reference: ProviderRef(format!("{id}/{sequence}")),
            },
            _ => Asked::CannotTell {
                reason: "NHN Cloud does not list it; the same key keeps it from going twice"
                    .to_owned(),
            },
        }
    }
}

#[async_trait]
impl Channel for NhnAlimtalk {
    fn provider(&self) -> &'static str {
        "nhn"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let Some(number) = national(&message.recipient.address) else {
            return Outcome::Refused {
                reason: "Alimtalk reaches numbers of Korea (+82) only".to_owned(),
            };
        };
        let Alimtalk { template, values } = alimtalk(message, &self.templates.names(), &self.zone);
        let body = json!({
            "senderKey": self.sender_key,
            "templateCode": template,
            "senderGroupingKey": message.delivery.to_string(),
            "recipientList": [{
                "recipientNo": number,
                "templateParameter": values,
                // Who is told next, and how, is decided here.
                "resendParameter": { "isResend": false },
            }],
        });
        let request = self
            .service
            .signed(self.service.client.post(&self.service.root))
            .header("X-NC-API-IDEMPOTENCY-KEY", message.delivery.to_string())
            .json(&body);
        let answer = match Answer::of(request.send().await).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let outcome = match verdict(&answer, "/message") {
            Ok(part) => taken(&part, "sendResults"),
            Err(outcome) => outcome,
        };
        match outcome {
            // Perhaps because the first attempt was taken after all.
            Outcome::Refused { reason } if message.possible_repeat => {
                let around = message.incident.opened_at;
                match self.find(&message.delivery, around).await {
                    Asked::Accepted { reference } => Outcome::Accepted { reference },
                    _ => Outcome::Refused { reason },
                }
            }
            other => other,
        }
    }

    async fn ask(&self, delivery: &DeliveryId, _: &str, sent_after: Timestamp) -> Asked {
        self.find(delivery, sent_after).await
    }

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        let Some((id, sequence)) = parts(reference) else {
            return no_reference();
        };
        let body = match self.service.get(&format!("/{id}/{sequence}")).await {
            Ok(body) => body,
            Err(asked) => return asked,
        };
        let message = &body["message"];
        let text = |key: &str| message[key].as_str().unwrap_or_default();
        let reference = reference.clone();
        match text("messageStatus") {
            "COMPLETED" => Asked::Delivered { reference },
            "FAILED" | "CANCEL" => Asked::Refused {
                reason: format!("{} {}", text("resultCode"), text("resultCodeName")),
            },
            _ => Asked::Accepted { reference },
        }
    }
}
