//! Incidents as alerts of PagerDuty, by its Events API v2.
//!
//! "Send an event" and "Events API v2 overview" (developer.pagerduty.com): `POST /v2/enqueue` answers 202 with the
//! `dedup_key`, 400 with `errors`, 429 when there are too many. The key is the incident's id: what is sent twice is
//! one alert there.

use super::Channel;
use super::web::{Answer, ChannelError, client, secret};
use crate::config;
use crate::core::render::pagerduty_event;
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::Timestamp;
use reqwest::{Client, StatusCode};
use runtime::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Services of PagerDuty, by the name that policies call them by.
#[derive(Debug)]
pub struct Pagerduty {
    client: Client,
    services: BTreeMap<String, Service>,
}

#[derive(Debug)]
struct Service {
    url: String,
    key: Secret,
}

impl Pagerduty {
    /// From configuration; reads the keys.
    pub fn new(config: &BTreeMap<String, config::PagerdutyService>) -> Result<Self, ChannelError> {
        let read = |(name, service): (&String, &config::PagerdutyService)| {
            let url = service.api_url.trim_end_matches('/');
            let service = Service {
                url: format!("{url}/v2/enqueue"),
                key: secret("pagerduty", &service.routing_key_file)?,
            };
            Ok((name.clone(), service))
        };
        Ok(Self {
            client: client()?,
            services: config.iter().map(read).collect::<Result<_, _>>()?,
        })
    }
}

#[async_trait]
impl Channel for Pagerduty {
    fn provider(&self) -> &'static str {
        "pagerduty"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let name = &message.recipient.address;
        let Some(service) = self.services.get(name) else {
            return Outcome::Refused {
                reason: format!("the configuration has no service `{name}` of PagerDuty"),
            };
        };
        let Some(mut event) = pagerduty_event(message) else {
            return Outcome::Refused {
                reason: "PagerDuty has no word for it once the alert is resolved".to_owned(),
            };
        };
        event["routing_key"] = json!(service.key.expose());
        let request = self.client.post(&service.url).json(&event);
        let answer = match Answer::of(request.send().await).await {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        if answer.status != StatusCode::ACCEPTED {
            return answer.refusal(&said(&answer.body));
        }
        Outcome::Delivered {
            reference: ProviderRef(message.incident.id.to_string()),
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "PagerDuty cannot be asked; the same key again is the same alert".to_owned(),
        }
    }
}

/// `Event object is invalid: 'payload.summary' is missing`
fn said(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors: Vec<_> = answer["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let words = answer["message"].as_str().unwrap_or_default();
    format!("{words}: {}", errors.join("; "))
        .chars()
        .take(300)
        .collect()
}
