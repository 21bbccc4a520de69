//! Text messages through NAVER Cloud SENS, SMS API v2.
//!
//! Formats are those of the API guide: `sens-sms-send`, `sens-sms-list`, `sens-sms-get`. SENS has neither an
//! idempotency key nor a reference of ours: a request whose answer is lost cannot be asked for. What was accepted can,
//! by its request id.

use super::Channel;
use super::ncloud::{Gateway, KOREA, check, dialled, is_id, said};
use super::web::{Answer, ChannelError};
use crate::config;
use crate::core::render::{LmsUse, SmsKind, korea, sms};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use model::Timestamp;
use reqwest::{Method, StatusCode};
use runtime::Clock;
use serde_json::{Value, json};

/// SENS.
#[derive(Debug)]
pub struct Sens {
    gateway: Gateway,
    path: String,
    from: String,
    lms: LmsUse,
    zone: TimeZone,
}

impl Sens {
    /// From configuration; reads the keys.
    pub fn new(config: &config::Sens, clock: Clock) -> Result<Self, ChannelError> {
        check("sens", &config.service_id, Some(&config.from))?;
        let (access, secret) = (&config.access_key_file, &config.secret_key_file);
        Ok(Self {
            gateway: Gateway::new("sens", &config.api_url, access, secret, clock)?,
            path: format!("/sms/v2/services/{}/messages", config.service_id),
            from: config.from.clone(),
            lms: config.lms.into(),
            zone: korea(),
        })
    }
}

#[async_trait]
impl Channel for Sens {
    fn provider(&self) -> &'static str {
        "sens"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let Some((country, number)) = dialled(&message.recipient.address) else {
            let reason = format!("`{}` is no number in E.164", message.recipient.address);
            return Outcome::Refused { reason };
        };
        // Long messages are a service of the Korean carriers.
        let lms = if country == KOREA {
            self.lms
        } else {
            LmsUse::Never
        };
        let text = sms(message, &self.zone, lms);
        let mut body = json!({
            "type": match text.kind { SmsKind::Sms => "SMS", SmsKind::Lms => "LMS" },
            "contentType": "COMM",
            "countryCode": country,
            "from": self.from,
            "content": text.content,
            "messages": [{ "to": number }],
        });
        if let Some(subject) = text.subject {
            body["subject"] = json!(subject);
        }
        let request = self
            .gateway
            .request(Method::POST, &self.path)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string());
        let answer = match Answer::of(request.send().await).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        if answer.status != StatusCode::ACCEPTED {
            return answer.refusal(&said(&answer.body));
        }
        accepted(&answer.body)
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "SENS keeps no reference of ours".to_owned(),
        }
    }

    /// What became of it on the phone: the request's message first, then that message's result.
    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        let cannot = |reason: &str| Asked::CannotTell {
            reason: reason.to_owned(),
        };
        if !is_id(&reference.0) {
            return cannot("the reference is no request id");
        }
        let request = format!("{}?requestId={}", self.path, reference.0);
        let list = match self.gateway.read(&request).await {
            Ok(list) => list,
            Err(asked) => return asked,
        };
        let Some(message) = list["messages"][0]["messageId"]
            .as_str()
            .filter(|text| is_id(text))
        else {
            return cannot("the request has no message");
        };
        match self.gateway.read(&format!("{}/{message}", self.path)).await {
            Ok(result) => delivered(&result["messages"][0], reference),
            Err(asked) => asked,
        }
    }
}

/// Reads the 202.
fn accepted(body: &[u8]) -> Outcome {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    // A 202 whose body says otherwise is a refusal; the guide's two fields must agree.
    let code = answer["statusCode"].as_str().unwrap_or("202");
    match (
        code,
        answer["requestId"].as_str().filter(|id| !id.is_empty()),
    ) {
        ("202", Some(id)) => Outcome::Accepted {
            reference: ProviderRef(id.to_owned()),
        },
        ("202", None) => Outcome::Unknown {
            reason: "202 without a requestId".to_owned(),
        },
        (code, _) => Outcome::Refused {
            reason: format!("202 with statusCode {code}"),
        },
    }
}

/// Reads a message's result.
fn delivered(message: &Value, reference: &ProviderRef) -> Asked {
    let text = |key: &str| message[key].as_str().unwrap_or_default();
    match (text("status"), text("statusName")) {
        ("COMPLETED", "success") => Asked::Delivered {
            reference: reference.clone(),
        },
        ("COMPLETED", _) => Asked::Refused {
            reason: format!("{} {}", text("statusCode"), text("statusMessage")),
        },
        _ => Asked::Accepted {
            reference: reference.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_202_counts_only_when_its_body_agrees() {
        let accept = |body: &str| accepted(body.as_bytes());
        assert!(matches!(
            accept(r#"{"statusCode":"202","requestId":"RSLA-1"}"#),
            Outcome::Accepted { reference } if reference.0 == "RSLA-1"
        ));
        assert!(matches!(
            accept(r#"{"statusCode":"202"}"#),
            Outcome::Unknown { .. }
        ));
        assert!(matches!(accept("gibberish"), Outcome::Unknown { .. }));
        assert!(matches!(
            accept(r#"{"statusCode":"400","requestId":"RSLA-1"}"#),
            Outcome::Refused { .. }
        ));
    }
}
