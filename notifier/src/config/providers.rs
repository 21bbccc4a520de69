//! Providers that were added after the first ones: Telegram, PagerDuty, Opsgenie, Alimtalk of SENS, mail that comes in.

use super::Lms;
use runtime::tls::TlsConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A bot of Telegram.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    /// File with the bot's token (`123456:ABC...`).
    pub bot_token_file: PathBuf,
    /// File with the secret that was given to `setWebhook`, 1 to 256 letters, digits, `_` and `-`; without it
    /// messages have no button.
    #[serde(default)]
    pub webhook_secret_file: Option<PathBuf>,
    /// Ids of groups (`-1001234567890`) and channels (`@name`), by the name that policies call them by
    /// (`rooms: ["telegram:ops"]`).
    #[serde(default)]
    pub rooms: BTreeMap<String, String>,
    /// Where the Bot API is, without a slash at the end.
    #[serde(default = "telegram_api")]
    pub api_url: String,
}

/// A service of PagerDuty.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerdutyService {
    /// File with the integration key of its Events API v2.
    pub routing_key_file: PathBuf,
    /// Where events go; `https://events.eu.pagerduty.com` in Europe.
    #[serde(default = "pagerduty_api")]
    pub api_url: String,
}

/// An API integration of Opsgenie.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpsgenieIntegration {
    /// File with its key.
    pub api_key_file: PathBuf,
    /// Where the API is; `https://api.eu.opsgenie.com` in Europe.
    #[serde(default = "opsgenie_api")]
    pub api_url: String,
}

/// The webhook by which a service tells what people did to its alerts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceWebhook {
    /// File with its secret: the one that PagerDuty shows when a subscription is made, or what Opsgenie's webhook
    /// integration was given to send as `Authorization: Bearer <secret>`.
    pub secret_file: PathBuf,
}

/// Alimtalk of NAVER Cloud SENS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensAlimtalk {
    /// Id of the Biz Message service (`ncp:kkobizmsg:kr:...`).
    pub service_id: String,
    /// File with the access key.
    pub access_key_file: PathBuf,
    /// File with the secret key.
    pub secret_key_file: PathBuf,
    /// The Kakao channel, such as `@bongsu`.
    pub channel: String,
    /// The registered templates.
    pub templates: SensTemplates,
    /// A registered sender number, digits only: what KakaoTalk cannot deliver, SENS sends from it as a text
    /// message. Without it there is no such message.
    #[serde(default)]
    pub failover_from: Option<String>,
    /// Whether that text message may be a long one.
    #[serde(default)]
    pub lms: Lms,
    /// Where the API is, without a slash at the end.
    #[serde(default = "super::sens_api")]
    pub api_url: String,
}

/// Templates that Kakao has approved.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensTemplates {
    /// Of a page.
    pub page: SensTemplate,
    /// Of news: acknowledged, closed, recovered.
    pub news: SensTemplate,
}

/// A template that Kakao has approved: SENS takes the whole text and compares it with what was registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensTemplate {
    /// Its code.
    pub code: String,
    /// Its text as it was registered, with the variables `#{head}`, `#{title}`, `#{place}`, `#{value}`, `#{since}`
    /// and `#{link}`.
    pub text: String,
}

/// A mail server that takes alerts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailIn {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The domain that it calls itself by; integrations have the address `KEY@domain`.
    pub domain: String,
    /// Certificate and key for STARTTLS: mails are taken after it only, since an address holds a key. Without it mails
    /// are taken in the clear: on a network a mail server belongs before it.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
}

impl super::Config {
    /// What is wrong with these values, as a sentence.
    pub(super) fn check_services(&self) -> Result<(), String> {
        let known = |webhooks: &BTreeMap<String, ServiceWebhook>, key, names: Vec<&String>| {
            let lost = webhooks.keys().find(|name| !names.contains(name));
            match lost {
                Some(name) => Err(format!(
                    "`{key}_webhooks.{name}` is of no service: `{key}` names none that is called so"
                )),
                None => Ok(()),
            }
        };
        known(
            &self.pagerduty_webhooks,
            "pagerduty",
            self.pagerduty.keys().collect(),
        )?;
        known(
            &self.opsgenie_webhooks,
            "opsgenie",
            self.opsgenie.keys().collect(),
        )
    }
}

fn telegram_api() -> String {
    "https://api.telegram.org".to_owned()
}

fn pagerduty_api() -> String {
    "https://events.pagerduty.com".to_owned()
}

fn opsgenie_api() -> String {
    "https://api.opsgenie.com".to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_webhook_of_no_service_is_refused_with_what_to_look_at() {
        let webhook = ServiceWebhook {
            secret_file: PathBuf::from("secret"),
        };
        let service = OpsgenieIntegration {
            api_key_file: PathBuf::from("key"),
            api_url: opsgenie_api(),
        };
        let mut config = Config {
            opsgenie_webhooks: BTreeMap::from([("ops".to_owned(), webhook)]),
            ..Config::default()
        };
        let refused = config.check().expect_err("no service is called so");
        assert!(refused.contains("`opsgenie_webhooks.ops`"), "{refused}");
        config.opsgenie.insert("ops".to_owned(), service);
        assert_eq!(config.check(), Ok(()));
    }
}
