//! What the services of NAVER Cloud SENS share: the signature of the API gateway (version 2), what its errors say,
//! and how numbers are dialled.

use super::web::{Answer, ChannelError, client, secret};
use crate::core::Asked;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{Clock, Secret};
use serde_json::Value;
use sha2::Sha256;
use std::path::Path;

/// Korea's country code.
pub(super) const KOREA: &str = "82";

/// Requests to the gateway. `target` is the path with its query.
#[derive(Debug)]
pub(super) struct Gateway {
    client: Client,
    clock: Clock,
    api_url: String,
    access_key: Secret,
    secret_key: Secret,
}

impl Gateway {
    /// Reads the keys.
    pub(super) fn new(
        channel: &'static str,
        api_url: &str,
        access_key: &Path,
        secret_key: &Path,
        clock: Clock,
    ) -> Result<Self, ChannelError> {
        Ok(Self {
            client: client()?,
            clock,
            api_url: api_url.trim_end_matches('/').to_owned(),
            access_key: secret(channel, access_key)?,
            secret_key: secret(channel, secret_key)?,
        })
    }

    /// A signed request.
    pub(super) fn request(&self, method: Method, target: &str) -> RequestBuilder {
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

    /// Reads something, or says what its want means.
    pub(super) async fn read(&self, target: &str) -> Result<Value, Asked> {
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

/// Checks what stands in the configuration of each service: a sender number, and an id that needs no escapes in the
/// path that is signed.
pub(super) fn check(
    channel: &'static str,
    service_id: &str,
    from: Option<&str>,
) -> Result<(), ChannelError> {
    let refuse = |reason: &str| ChannelError::Config {
        channel,
        reason: reason.to_owned(),
    };
    let digits = |from: &str| !from.is_empty() && from.bytes().all(|byte| byte.is_ascii_digit());
    if !from.is_none_or(digits) {
        return Err(refuse(
            "the sender number must be the registered one, digits only",
        ));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_');
    if service_id.is_empty() || !service_id.bytes().all(plain) {
        return Err(refuse(
            "`service_id` must look like ncp:sms:kr:123456789012:name",
        ));
    }
    Ok(())
}

/// Whether an id of SENS may stand in a path.
pub(super) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(plain)
}

/// The gateway's words: `{"error": {"errorCode", "message", "details"}}`; the API's own answers
/// have other names.
pub(super) fn said(body: &[u8]) -> String {
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
pub(super) fn dialled(e164: &str) -> Option<(&str, String)> {
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
}
