//! Text messages through Aligo.
//!
//! Formats are those of Aligo's specification of `/send/` and `/sms_list/`: forms in UTF-8, HTTP 200 in
//! any case, and the verdict in `result_code`: 1 taken, below 0 refused. Aligo has neither an
//! idempotency key nor a reference of ours.

use super::Channel;
use super::phone::national;
use super::web::{Answer, ChannelError, client, secret};
use crate::config;
use crate::core::render::{LmsUse, SmsKind, korea, sms};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use model::Timestamp;
use reqwest::{Client, StatusCode};
use runtime::Secret;
use serde_json::Value;

/// Aligo.
#[derive(Debug)]
pub struct Aligo {
    client: Client,
    api_url: String,
    key: Secret,
    user: String,
    from: String,
    lms: LmsUse,
    zone: TimeZone,
}

impl Aligo {
    /// From configuration; reads the key.
    pub fn new(config: &config::Aligo) -> Result<Self, ChannelError> {
        if config.from.is_empty() || !config.from.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ChannelError::Config {
                channel: "aligo",
                reason: "`from` must be the registered sender number, digits only".to_owned(),
            });
        }
        Ok(Self {
            client: client()?,
            api_url: config.api_url.trim_end_matches('/').to_owned(),
            key: secret("aligo", &config.key_file)?,
            user: config.user_id.clone(),
            from: config.from.clone(),
            lms: config.lms.into(),
            zone: korea(),
        })
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<(Answer, Value), Outcome> {
        let mut all = vec![("key", self.key.expose()), ("user_id", &self.user)];
        all.extend_from_slice(form);
        let request = self
            .client
            .post(format!("{}{path}", self.api_url))
            .form(&all);
        let answer = Answer::of(request.send().await).await?;
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((answer, body))
    }
}

/// A number that Aligo writes now as a number, now as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn said(body: &Value) -> String {
    let words = body["message"].as_str().unwrap_or_default();
    let code = number(&body["result_code"]).unwrap_or_default();
    format!("{code} {words}").chars().take(300).collect()
}

#[async_trait]
impl Channel for Aligo {
    fn provider(&self) -> &'static str {
        "aligo"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let Some(receiver) = national(&message.recipient.address) else {
            return Outcome::Refused {
                reason: "Aligo reaches numbers of Korea (+82) only".to_owned(),
            };
        };
        let text = sms(message, &self.zone, self.lms);
        let kind = match text.kind {
            SmsKind::Sms => "SMS",
            SmsKind::Lms => "LMS",
        };
        let mut form = vec![
            ("sender", self.from.as_str()),
            ("receiver", &receiver),
            ("msg", &text.content),
            // Named, since Aligo would count the bytes of line ends in its own way.
            ("msg_type", kind),
        ];
        if let Some(subject) = &text.subject {
            form.push(("title", subject));
        }
        let (answer, body) = match self.post("/send/", &form).await {
            Ok(answered) => answered,
            Err(outcome) => return outcome,
        };
        if answer.status != StatusCode::OK {
            return answer.refusal(&said(&body));
        }
        match (number(&body["result_code"]), number(&body["msg_id"])) {
            (Some(1), Some(id)) if number(&body["error_cnt"]) == Some(0) => Outcome::Accepted {
                reference: ProviderRef(id.to_string()),
            },
            (Some(1), None) | (None, _) => Outcome::Unknown {
                reason: "200 without a verdict".to_owned(),
            },
            _ => Outcome::Refused {
                reason: said(&body),
            },
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "Aligo keeps no reference of ours".to_owned(),
        }
    }

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        let (answer, body) = match self.post("/sms_list/", &[("mid", &reference.0)]).await {
            Ok(answered) => answered,
            Err(lost) => {
                return Asked::Retry {
                    reason: format!("{lost:?}"),
                };
            }
        };
        if answer.status != StatusCode::OK || number(&body["result_code"]) != Some(1) {
            return Asked::Retry {
                reason: said(&body),
            };
        }
        let state = body["list"][0]["sms_state"].as_str().unwrap_or_default();
        let reference = reference.clone();
        if state.contains("발송완료") {
            Asked::Delivered { reference }
        } else if state.contains("실패") || state.contains("취소") {
            Asked::Refused {
                reason: state.to_owned(),
            }
        } else {
            Asked::Accepted { reference }
        }
    }
}
