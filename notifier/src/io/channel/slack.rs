//! Chat through Slack's Web API: post, keep the first message up to date, answer in its thread.
//!
//! Errors are those of the reference of `chat.postMessage` and `chat.update`. Slack takes no
//! idempotency key: a post whose answer is lost has an unknown outcome. It carries our reference as
//! message metadata, so that it can be looked for in the room's history where the app may read it
//! (`channels:history`, `groups:history`).

use super::Channel;
use super::web::{Answer, ChannelError, client};
use crate::config;
use crate::core::render::{ChatPost, reply, root};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::Timestamp;
use reqwest::Client;
use runtime::Secret;
use serde_json::{Map, Value, json};

/// `event_type` of the metadata that carries our reference.
const METADATA: &str = "bongsu_delivery";

/// Errors after which nothing was done and a later attempt may succeed.
const RETRY: [&str; 6] = [
    "ratelimited",
    "rate_limited",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
    "message_limit_exceeded",
];
/// Errors after which "it's possible that some aspect of the operation succeeded".
const UNKNOWN: [&str; 2] = ["internal_error", "fatal_error"];
/// The message to update is not there any more.
const GONE: [&str; 3] = ["message_not_found", "thread_not_found", "channel_not_found"];

/// Slack.
#[derive(Debug)]
pub struct Slack {
    client: Client,
    api_url: String,
    token: Secret,
}

impl Slack {
    /// From configuration; reads the bot's token.
    pub fn new(config: &config::Slack) -> Result<Self, ChannelError> {
        let token =
            Secret::from_file(&config.bot_token_file).map_err(|source| ChannelError::Secret {
                channel: "slack",
                source,
            })?;
        Ok(Self {
            client: client()?,
            api_url: config.api_url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Calls a method; the object that it answered, or what its failure means.
    async fn call(&self, method: &str, arguments: &Value) -> Result<Map<String, Value>, Outcome> {
        let request = self
            .client
            .post(format!("{}/{method}", self.api_url))
            .bearer_auth(self.token.expose())
            .header("content-type", "application/json; charset=utf-8")
            .body(arguments.to_string());
        let answer = Answer::of(request.send().await).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal(method));
        }
        let object = match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(object)) => object,
            _ => {
                let reason = format!("{method}: {} without a JSON object", answer.status);
                return Err(Outcome::Unknown { reason });
            }
        };
        match object.get("ok") {
            Some(Value::Bool(true)) => Ok(object),
            Some(Value::Bool(false)) => Err(refusal(method, &object, &answer)),
            _ => Err(Outcome::Unknown {
                reason: format!("{method}: an answer without `ok`"),
            }),
        }
    }

    /// Posts, below `thread` when there is one. A page below it is shown in the room as well.
    async fn post(&self, message: &Message, post: &ChatPost, thread: Option<&Place>) -> Outcome {
        let mut arguments = json!({
            "channel": thread.map_or(message.recipient.address.as_str(), |place| &place.channel),
            "text": post.text,
            "blocks": post.blocks,
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": {
                "event_type": METADATA,
                "event_payload": { "id": message.delivery.to_string() },
            },
        });
        if let Some(place) = thread {
            arguments["thread_ts"] = json!(place.ts);
            arguments["reply_broadcast"] = json!(message.purpose.is_page());
        }
        match self.call("chat.postMessage", &arguments).await {
            Ok(answer) => match Place::answered(&answer) {
                Some(place) => Outcome::Delivered {
                    reference: place.reference(),
                },
                None => Outcome::Unknown {
                    reason: "chat.postMessage: ok, without channel and ts".to_owned(),
                },
            },
            Err(outcome) => outcome,
        }
    }

    /// Shows the incident as it stands in the room's first message. Saying it twice changes
    /// nothing.
    async fn update(&self, message: &Message, place: &Place) -> Updated {
        let post = root(message);
        let arguments = json!({
            "channel": place.channel, "ts": place.ts, "text": post.text, "blocks": post.blocks,
        });
        match self.call("chat.update", &arguments).await {
            Ok(_) => Updated::Shown,
            Err(Outcome::Refused { reason }) if GONE.iter().any(|gone| reason.contains(gone)) => {
                Updated::Gone
            }
            Err(Outcome::Retry { after, reason }) => Updated::Later { after, reason },
            Err(Outcome::Unknown { reason }) => Updated::Later {
                after: None,
                reason,
            },
            Err(other) => {
                tracing::warn!(incident_id = %message.incident.id, outcome = ?other,
                    "the first message of an incident could not be updated");
                Updated::Shown
            }
        }
    }
}

/// What became of an update.
enum Updated {
    Shown,
    Gone,
    Later {
        after: Option<model::Span>,
        reason: String,
    },
}

#[async_trait]
impl Channel for Slack {
    fn provider(&self) -> &'static str {
        "slack"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let Some(place) = message.thread.as_ref().and_then(Place::parse) else {
            return self.post(message, &root(message), None).await;
        };
        match self.update(message, &place).await {
            Updated::Shown => self.post(message, &reply(message), Some(&place)).await,
            // Deleted by somebody: the room is told anew.
            Updated::Gone => self.post(message, &root(message), None).await,
            // A page does not wait for cosmetics.
            Updated::Later { .. } if message.purpose.is_page() => {
                self.post(message, &reply(message), Some(&place)).await
            }
            Updated::Later { after, reason } => Outcome::Retry { after, reason },
        }
    }

    /// Finding it is certain; not finding it is not, because a post may still be under way, may be
    /// an answer in a thread, or the history may be closed to the app.
    async fn ask(&self, delivery: &DeliveryId, address: &str, sent_after: Timestamp) -> Asked {
        let cannot = |reason: &str| Asked::CannotTell {
            reason: reason.to_owned(),
        };
        let oldest = sent_after.as_millis().div_euclid(1_000).saturating_sub(60);
        let arguments = json!({
            "channel": address, "oldest": oldest.to_string(), "limit": 200,
            "include_all_metadata": true,
        });
        match self.call("conversations.history", &arguments).await {
            Ok(answer) => match found(&answer, delivery, address) {
                Some(reference) => Asked::Delivered { reference },
                None => cannot("not in the room's history, and threads are not searched"),
            },
            Err(Outcome::Retry { reason, .. }) => Asked::Retry { reason },
            Err(Outcome::Refused { reason } | Outcome::Unknown { reason }) => cannot(&reason),
            Err(Outcome::Accepted { .. } | Outcome::Delivered { .. }) => cannot("no answer"),
        }
    }
}

/// What `ok: false` means.
fn refusal(method: &str, object: &Map<String, Value>, answer: &Answer) -> Outcome {
    let error = object
        .get("error")
        .and_then(Value::as_str)
        .unwrap_or("no error named");
    let details: Vec<&str> = object
        .get("response_metadata")
        .and_then(|metadata| metadata["messages"].as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(3)
        .collect();
    let reason = match details.is_empty() {
        true => format!("{method}: {error}"),
        false => format!("{method}: {error} ({})", details.join("; ")),
    };
    if RETRY.contains(&error) {
        Outcome::Retry {
            after: answer.retry_after(),
            reason,
        }
    } else if UNKNOWN.contains(&error) {
        Outcome::Unknown { reason }
    } else {
        Outcome::Refused { reason }
    }
}

fn found(answer: &Map<String, Value>, delivery: &DeliveryId, room: &str) -> Option<ProviderRef> {
    let id = delivery.to_string();
    let message = answer.get("messages")?.as_array()?.iter().find(|message| {
        let metadata = &message["metadata"];
        metadata["event_type"] == METADATA && metadata["event_payload"]["id"] == id.as_str()
    })?;
    let ts = message["ts"].as_str()?;
    Some(
        Place {
            channel: room.to_owned(),
            ts: ts.to_owned(),
        }
        .reference(),
    )
}

/// A message in Slack: `C0123ABC:1503435956.000247`.
struct Place {
    channel: String,
    ts: String,
}

impl Place {
    fn parse(reference: &ProviderRef) -> Option<Self> {
        let (channel, ts) = reference.0.split_once(':')?;
        Some(Self {
            channel: channel.to_owned(),
            ts: ts.to_owned(),
        })
    }

    fn answered(answer: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            channel: text("channel")?,
            ts: text("ts")?,
        })
    }

    fn reference(&self) -> ProviderRef {
        ProviderRef(format!("{}:{}", self.channel, self.ts))
    }
}
