//! Text messages through NAVER Cloud SENS, SMS API v2.
//!
//! Formats are those of the API guide: `sens-sms-send`, `sens-sms-list`, `sens-sms-get`, and the
//! signature of the API gateway, version 2. SENS has neither an idempotency key nor a reference of
//! ours: a request whose answer is lost cannot be asked for. What was accepted can, by its request
//! id.

use super::Channel;
use super::web::{Answer, ChannelError, client};
use crate::config;
use crate::core::render::{LmsUse, SmsKind, korea, sms};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::TimeZone;
use model::Timestamp;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{Clock, Secret};
use serde_json::{Value, json};
use sha2::Sha256;

/// Korea's country code.
const KOREA: &str = "82";

/// SENS.
#[derive(Debug)]
pub struct Sens {
    client: Client,
    clock: Clock,
    api_url: String,
    path: String,
    access_key: Secret,
    secret_key: Secret,
    from: String,
    lms: LmsUse,
    zone: TimeZone,
}

impl Sens {
    /// From configuration; reads the keys.
    pub fn new(config: &config::Sens, clock: Clock) -> Result<Self, ChannelError> {
        let secret = |path: &std::path::Path| {
            Secret::from_file(path).map_err(|source| ChannelError::Secret {
                channel: "sens",
                source,
            })
        };
        let refuse = |reason: &str| ChannelError::Config {
            channel: "sens",
            reason: reason.to_owned(),
        };
        if config.from.is_empty() || !config.from.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refuse(
                "`from` must be the registered sender number, digits only",
            ));
        }
        // It stands in a path that is signed, so it must be one that needs no escapes.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_');
        if config.service_id.is_empty() || !config.service_id.bytes().all(plain) {
            return Err(refuse(
                "`service_id` must look like ncp:sms:kr:123456789012:name",
            ));
        }
        Ok(Self {
            client: client()?,
            clock,
            api_url: config.api_url.trim_end_matches('/').to_owned(),
            path: format!("/sms/v2/services/{}/messages", config.service_id),
            access_key: secret(&config.access_key_file)?,
            secret_key: secret(&config.secret_key_file)?,
            from: config.from.clone(),
            lms: config.lms.into(),
            zone: korea(),
        })
    }

    /// A signed request; `target` is the path with its query.
    fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let timestamp = self.clock.now_millis().to_string();
        let access_key = self.access_key.expose();
        let signature = sign(
            self.secret_key.expose(),
            method.as_str(),
            target,
            &timestamp,
            access_key,
        );
        self.client
            .request(method, format!("{}{target}", self.api_url))
            .header("x-ncp-apigw-timestamp", timestamp)
            .header("x-ncp-iam-access-key", access_key)
            .header("x-ncp-apigw-signature-v2", signature)
    }

    async fn read(&self, target: &str) -> Result<Value, Asked> {
        let sent = self.request(Method::GET, target).send().await;
        let later = |reason: String| Asked::Retry { reason };
        let answer = Answer::of(sent)
            .await
            .map_err(|lost| later(format!("{lost:?}")))?;
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body)
                .map_err(|error| later(format!("an answer that is no JSON: {error}"))),
            StatusCode::NOT_FOUND => Err(Asked::CannotTell {
                reason: "SENS does not know it".to_owned(),
            }),
            status => Err(later(format!("{status}: {}", said(&answer.body)))),
        }
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
        let id = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let cannot = |reason: &str| Asked::CannotTell {
            reason: reason.to_owned(),
        };
        if !id(&reference.0) {
            return cannot("the reference is no request id");
        }
        let request = format!("{}?requestId={}", self.path, reference.0);
        let list = match self.read(&request).await {
            Ok(list) => list,
            Err(asked) => return asked,
        };
        let Some(message) = list["messages"][0]["messageId"]
            .as_str()
            .filter(|text| id(text))
        else {
            return cannot("the request has no message");
        };
        match self.read(&format!("{}/{message}", self.path)).await {
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

/// The gateway's words: `{"error": {"errorCode", "message", "details"}}`; the API's own answers
/// have other names.
fn said(body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let error = &answer["error"];
    let words = [
        &error["errorCode"],
        &error["message"],
        &error["details"],
        &answer["errorMessage"],
    ];
    let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
    words.join(" ").chars().take(300).collect()
}

/// `x-ncp-apigw-signature-v2`.
fn sign(secret: &str, method: &str, target: &str, timestamp: &str, access_key: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{method} {target}\n{timestamp}\n{access_key}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Country code and the number as SENS wants it: in Korea with the leading zero.
fn dialled(e164: &str) -> Option<(&str, String)> {
    let digits = e164.strip_prefix('+')?;
    if !(8..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (country, national) = digits.split_at(country_digits(digits)?);
    match country {
        KOREA => Some((country, format!("0{}", national.trim_start_matches('0')))),
        _ => Some((country, national.to_owned())),
    }
}

/// Length of the country code, from the assigned ranges of ITU-T E.164.
fn country_digits(digits: &str) -> Option<usize> {
    let two: u8 = digits.get(..2)?.parse().ok()?;
    match two {
        0..=9 => None,
        10..=19 | 70..=79 => Some(1),
        20 | 27 | 28 | 30..=34 | 36 | 39..=41 | 43..=49 | 51..=58 | 60..=66 => Some(2),
        81 | 82 | 84 | 86 | 90..=95 | 98 => Some(2),
        _ => Some(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_computes() {
        // The guide publishes no result; computed apart:
        // printf 'GET /photos/puppy.jpg?query1=&query2\n1505290625682\naccess' |
        //   openssl dgst -sha256 -hmac secret -binary | base64
        let uri = "/photos/puppy.jpg?query1=&query2";
        assert_eq!(
            sign("secret", "GET", uri, "1505290625682", "access"),
            "+WOMrsCfL5C645KIvD6VHWxT2gARLGAroYqILR0LbDQ="
        );
    }

    #[test]
    fn numbers_are_dialled_as_their_country_does() {
        for (e164, dialled_as) in [
            ("+821012345678", Some(("82", "01012345678"))),
            ("+8201012345678", Some(("82", "01012345678"))),
            ("+14155550100", Some(("1", "4155550100"))),
            ("+79161234567", Some(("7", "9161234567"))),
            ("+442071838750", Some(("44", "2071838750"))),
            ("+85221234567", Some(("852", "21234567"))),
            ("+35312345678", Some(("353", "12345678"))),
            ("01012345678", None),
            ("+82-10-1234", None),
            ("+0123456789", None),
            ("+", None),
            ("", None),
        ] {
            let found = dialled(e164);
            let found = found
                .as_ref()
                .map(|(country, number)| (*country, number.as_str()));
            assert_eq!(found, dialled_as, "{e164}");
        }
    }

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
