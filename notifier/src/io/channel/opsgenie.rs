//! Incidents as alerts of Opsgenie, by its Alert API.
//!
//! "Alert API" (docs.opsgenie.com/docs/alert-api): requests carry `Authorization: GenieKey ...` and are answered 202
//! with a `requestId` before they are carried out; `GET /v2/alerts/requests/{id}` says what came of one, and 404
//! until something did. The alias is the incident's id: what is sent twice is one alert there.

use super::Channel;
use super::web::{Answer, ChannelError, client, secret};
use crate::config;
use crate::core::render::{OpsgenieCall, opsgenie_calls};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::Timestamp;
use reqwest::{Client, Method, StatusCode};
use runtime::Secret;
use serde_json::Value;
use std::collections::BTreeMap;

/// Integrations of Opsgenie, by the name that policies call them by.
#[derive(Debug)]
pub struct Opsgenie {
    client: Client,
    integrations: BTreeMap<String, Integration>,
}

#[derive(Debug)]
struct Integration {
    alerts: String,
    key: Secret,
}

impl Opsgenie {
    /// From configuration; reads the keys.
    pub fn new(
        config: &BTreeMap<String, config::OpsgenieIntegration>,
    ) -> Result<Self, ChannelError> {
        let read = |(name, integration): (&String, &config::OpsgenieIntegration)| {
            let url = integration.api_url.trim_end_matches('/');
            let integration = Integration {
                alerts: format!("{url}/v2/alerts"),
                key: secret("opsgenie", &integration.api_key_file)?,
            };
            Ok((name.clone(), integration))
        };
        Ok(Self {
            client: client()?,
            integrations: config.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Makes a request; its `requestId`.
    async fn call(&self, to: &Integration, call: &OpsgenieCall) -> Result<String, Outcome> {
        let method = if call.put { Method::PUT } else { Method::POST };
        let request = self
            .client
            .request(method, format!("{}{}", to.alerts, call.path))
            .header("authorization", format!("GenieKey {}", to.key.expose()))
            .json(&call.body);
        let answer = Answer::of(request.send().await).await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != StatusCode::ACCEPTED {
            let words = body["message"].as_str().unwrap_or_default();
            return Err(answer.refusal(&words.chars().take(300).collect::<String>()));
        }
        match body["requestId"].as_str().filter(|id| is_id(id)) {
            Some(id) => Ok(id.to_owned()),
            None => Err(Outcome::Unknown {
                reason: "202 without a requestId".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Channel for Opsgenie {
    fn provider(&self) -> &'static str {
        "opsgenie"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let name = &message.recipient.address;
        let Some(to) = self.integrations.get(name) else {
            return Outcome::Refused {
                reason: format!("the configuration has no integration `{name}` of Opsgenie"),
            };
        };
        let mut last = String::new();
        for call in opsgenie_calls(message) {
            match self.call(to, &call).await {
                Ok(id) => last = id,
                Err(outcome) => return outcome,
            }
        }
        Outcome::Accepted {
            reference: ProviderRef(format!("{name}:{last}")),
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "Opsgenie keeps no reference of ours; the same alias again is the same alert"
                .to_owned(),
        }
    }

    async fn receipt(&self, reference: &ProviderRef) -> Asked {
        let cannot = |reason: &str| Asked::CannotTell {
            reason: reason.to_owned(),
        };
        let Some((name, id)) = reference.0.split_once(':').filter(|(_, id)| is_id(id)) else {
            return cannot("the reference is no request id");
        };
        let Some(to) = self.integrations.get(name) else {
            return cannot("the configuration has no such integration any more");
        };
        let request = self
            .client
            .get(format!("{}/requests/{id}", to.alerts))
            .header("authorization", format!("GenieKey {}", to.key.expose()));
        let answer = match Answer::of(request.send().await).await {
            Ok(answer) => answer,
            Err(lost) => {
                return Asked::Retry {
                    reason: format!("{lost:?}"),
                };
            }
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let words = body["data"]["status"].as_str().unwrap_or_default();
        let reference = reference.clone();
        match (answer.status, body["data"]["isSuccess"].as_bool()) {
            (StatusCode::OK, Some(true)) => Asked::Delivered { reference },
            (StatusCode::OK, Some(false)) => Asked::Refused {
                reason: words.chars().take(300).collect(),
            },
            (StatusCode::NOT_FOUND, _) => Asked::Accepted { reference },
            (status, _) => Asked::Retry {
                reason: format!("{status} about a request"),
            },
        }
    }
}

/// Whether it may stand in a path.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(plain)
}
