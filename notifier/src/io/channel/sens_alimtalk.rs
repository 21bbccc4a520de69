//! KakaoTalk Alimtalk through NAVER Cloud SENS, Alimtalk API v2.
//!
//! Formats are those of the API guide (api.ncloud-docs.com: `sens-alimtalk-send`, `sens-alimtalk-get`): the whole text
//! as the registered template makes it, 202 with a `messageId` and a `requestStatusCode` (`A000`: taken) for each
//! recipient, and `messageStatusCode` (`0000`: delivered) when it is asked for. With `useSmsFailover` SENS itself sends a
//! text message where KakaoTalk cannot deliver. SENS has neither an idempotency key nor a reference of ours.

use super::Channel;
use super::ncloud::{Gateway, KOREA, check, dialled, is_id, said};
use super::web::{Answer, ChannelError};
use crate::config;
use crate::core::render::{
    Alimtalk, AlimtalkNames, LmsUse, SmsKind, alimtalk, filled_template, korea, sms,
};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use model::Timestamp;
use reqwest::{Method, StatusCode};
use runtime::Clock;
use serde_json::{Value, json};

/// A request that was taken for a recipient.
const TAKEN: &str = "A000";
/// A message that KakaoTalk delivered.
const ARRIVED: &str = "0000";

/// Alimtalk of SENS.
#[derive(Debug)]
pub struct SensAlimtalk {
    gateway: Gateway,
    path: String,
    channel: String,
    templates: config::SensTemplates,
    failover: Option<String>,
    lms: LmsUse,
    zone: TimeZone,
}

impl SensAlimtalk {
    /// From configuration; reads the keys.
    pub fn new(config: &config::SensAlimtalk, clock: Clock) -> Result<Self, ChannelError> {
        let from = config.failover_from.as_deref();
        check("sens_alimtalk", &config.service_id, from)?;
        let (access, secret) = (&config.access_key_file, &config.secret_key_file);
        Ok(Self {
            gateway: Gateway::new("sens_alimtalk", &config.api_url, access, secret, clock)?,
            path: format!("/alimtalk/v2/services/{}/messages", config.service_id),
            channel: config.channel.clone(),
            templates: config.templates.clone(),
            failover: config.failover_from.clone(),
            lms: config.lms.into(),
            zone: korea(),
        })
    }

    fn body(&self, message: &Message, number: &str) -> Value {
        let names = AlimtalkNames {
            page: "page",
            news: "news",
        };
        let Alimtalk { template, values } = alimtalk(message, &names, &self.zone);
        let template = match template.as_str() {
            "page" => &self.templates.page,
            _ => &self.templates.news,
        };
        let mut one = json!({
            "countryCode": KOREA,
            "to": number,
            "content": filled_template(&template.text, &values),
            "useSmsFailover": self.failover.is_some(),
        });
        if let Some(from) = &self.failover {
            let text = sms(message, &self.zone, self.lms);
            one["failoverConfig"] = json!({
                "type": match text.kind { SmsKind::Sms => "SMS", SmsKind::Lms => "LMS" },
                "from": from,
                "content": text.content,
            });
            if let Some(subject) = text.subject {
                one["failoverConfig"]["subject"] = json!(subject);
            }
        }
        json!({ "plusFriendId": self.channel, "templateCode": template.code, "messages": [one] })
    }
}

#[async_trait]
impl Channel for SensAlimtalk {
    fn provider(&self) -> &'static str {
        "sens"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let dialled = dialled(&message.recipient.address);
        let Some((_, number)) = dialled.filter(|(country, _)| *country == KOREA) else {
            return Outcome::Refused {
                reason: "Alimtalk reaches numbers of Korea (+82) only".to_owned(),
            };
        };
        let request = self
            .gateway
            .request(Method::POST, &self.path)
            .header("content-type", "application/json; charset=utf-8")
            .body(self.body(message, &number).to_string());
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

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        if !is_id(&reference.0) {
            return Asked::CannotTell {
                reason: "the reference is no message id".to_owned(),
            };
        }
        match self
            .gateway
            .read(&format!("{}/{}", self.path, reference.0))
            .await
        {
            Ok(result) => delivered(&result, reference),
            Err(asked) => asked,
        }
    }
}

/// Reads the 202.
fn accepted(body: &[u8]) -> Outcome {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let one = &answer["messages"][0];
    let text = |key: &str| one[key].as_str().unwrap_or_default();
    match (text("requestStatusCode"), text("messageId")) {
        (TAKEN, id) if is_id(id) => Outcome::Accepted {
            reference: ProviderRef(id.to_owned()),
        },
        (TAKEN | "", _) => Outcome::Unknown {
            reason: "202 without a messageId or a verdict".to_owned(),
        },
        (code, _) => Outcome::Refused {
            reason: format!("{code} {}", text("requestStatusDesc")),
        },
    }
}

/// Reads a message's result: what KakaoTalk did not deliver may have gone as a text message.
fn delivered(message: &Value, reference: &ProviderRef) -> Asked {
    let reference = reference.clone();
    let failover = &message["failover"];
    let sms = failover["messageStatusCode"].as_str();
    match (message["messageStatusCode"].as_str(), sms) {
        (Some(ARRIVED), _) | (_, Some("0")) => Asked::Delivered { reference },
        (None, _) => Asked::Accepted { reference },
        // The text message is under way, or will be.
        (Some(_), None) if message["useSmsFailover"] == true => Asked::Accepted { reference },
        (Some(code), sms) => {
            let words = message["messageStatusDesc"].as_str().unwrap_or_default();
            let sms = sms.map(|code| format!("; as a text message: {code}"));
            Asked::Refused {
                reason: format!("{code} {words}{}", sms.unwrap_or_default()),
            }
        }
    }
}
