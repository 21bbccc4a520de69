//! Chats through a bot of Telegram: send, keep the first message up to date, answer below it.
//!
//! Methods and errors are those of "Telegram Bot API" (core.telegram.org/bots/api): `sendMessage`,
//! `editMessageText`, and `ok: false` with `error_code`, `description` and, when there were too many requests,
//! `parameters.retry_after` in the body. Telegram takes no idempotency key and keeps no reference of ours.

use super::Channel;
use super::web::{Answer, ChannelError, client, secret};
use crate::config;
use crate::core::render::{telegram_reply, telegram_root};
use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use async_trait::async_trait;
use model::{Span, Timestamp};
use reqwest::Client;
use runtime::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What Telegram says of a message that is not there any more, or may not be edited.
const GONE: [&str; 3] = [
    "message to edit not found",
    "message can't be edited",
    "MESSAGE_ID_INVALID",
];
/// What it says when the message stands so already.
const SAME: &str = "message is not modified";

/// A bot of Telegram.
#[derive(Debug)]
pub struct Telegram {
    client: Client,
    api_url: String,
    token: Secret,
    rooms: BTreeMap<String, String>,
    /// Whether presses of buttons come back.
    buttons: bool,
}

/// Why a method did not do its work.
enum Failed {
    /// What stands there is what was to stand there.
    Same,
    /// The message is gone.
    Gone,
    /// Anything else.
    Other(Outcome),
}

impl Telegram {
    /// From configuration; reads the bot's token.
    pub fn new(config: &config::Telegram) -> Result<Self, ChannelError> {
        for (name, id) in &config.rooms {
            if !is_chat(id) {
                return Err(ChannelError::Config {
                    channel: "telegram",
                    reason: format!(
                        "room `{name}`: `{id}` is no id of a chat such as -1001234567890, and no @name of a channel"
                    ),
                });
            }
        }
        Ok(Self {
            client: client()?,
            api_url: config.api_url.trim_end_matches('/').to_owned(),
            token: secret("telegram", &config.bot_token_file)?,
            rooms: config.rooms.clone(),
            buttons: config.webhook_secret_file.is_some(),
        })
    }

    /// The chat that an address means: a room of the configuration, or a person's chat with the bot.
    fn chat(&self, message: &Message) -> Option<String> {
        let address = &message.recipient.address;
        match message.recipient.contact {
            None => self.rooms.get(address).cloned(),
            Some(_) => Some(address.clone()).filter(|id| is_chat(id)),
        }
    }

    /// Calls a method; its `result`, or what its failure means.
    async fn call(&self, method: &str, arguments: &Value) -> Result<Value, Failed> {
        // The address holds the token, and stands in no error: see `web::chain`.
        let url = format!("{}/bot{}/{method}", self.api_url, self.token.expose());
        let request = self.client.post(url).json(arguments);
        let answer = Answer::of(request.send().await)
            .await
            .map_err(Failed::Other)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() && body["ok"] == true {
            return Ok(body["result"].clone());
        }
        Err(failed(method, &answer, &body))
    }

    async fn post(&self, arguments: Value) -> Outcome {
        match self.call("sendMessage", &arguments).await {
            // By its number, which is what presses come with, also where a channel was named.
            Ok(result) => match (result["chat"]["id"].as_i64(), result["message_id"].as_i64()) {
                (Some(chat), Some(id)) => Outcome::Delivered {
                    reference: ProviderRef(format!("{chat}:{id}")),
                },
                _ => Outcome::Unknown {
                    reason: "sendMessage: ok, without chat and message_id".to_owned(),
                },
            },
            Err(Failed::Other(outcome)) => outcome,
            Err(Failed::Same | Failed::Gone) => Outcome::Refused {
                reason: "sendMessage: answered as an edit".to_owned(),
            },
        }
    }

    async fn first(&self, chat: &str, message: &Message) -> Outcome {
        let post = telegram_root(message, self.buttons);
        let arguments = json!({
            "chat_id": chat,
            "text": post.text,
            "reply_markup": post.markup,
            "link_preview_options": { "is_disabled": true },
            "disable_notification": !message.purpose.is_page(),
        });
        self.post(arguments).await
    }

    /// Shows the incident as it stands in the chat's first message. Saying it twice changes nothing.
    async fn edit(&self, place: &Place<'_>, message: &Message) -> Result<(), Failed> {
        let post = telegram_root(message, self.buttons);
        let arguments = json!({
            "chat_id": place.chat,
            "message_id": place.message,
            "text": post.text,
            "reply_markup": post.markup,
            "link_preview_options": { "is_disabled": true },
        });
        match self.call("editMessageText", &arguments).await {
            Ok(_) | Err(Failed::Same) => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    async fn reply(&self, place: &Place<'_>, message: &Message) -> Outcome {
        let arguments = json!({
            "chat_id": place.chat,
            "text": telegram_reply(message),
            "reply_parameters": { "message_id": place.message, "allow_sending_without_reply": true },
            "link_preview_options": { "is_disabled": true },
            "disable_notification": !message.purpose.is_page(),
        });
        self.post(arguments).await
    }
}

#[async_trait]
impl Channel for Telegram {
    fn provider(&self) -> &'static str {
        "telegram"
    }

    async fn send(&self, message: &Message) -> Outcome {
        let Some(chat) = self.chat(message) else {
            let reason = format!(
                "the configuration has no room `{}` of Telegram",
                message.recipient.address
            );
            return Outcome::Refused { reason };
        };
        let place = message.thread.as_ref().and_then(Place::parse);
        // The room may have moved to another chat since.
        let same = |place: &Place<'_>| place.chat == chat || chat.starts_with('@');
        let Some(place) = place.filter(same) else {
            return self.first(&chat, message).await;
        };
        let edited = self.edit(&place, message).await;
        let quiet = message.recipient.contact.is_some()
            && message.purpose == crate::core::Purpose::Acknowledged;
        match edited {
            // A person sees it where it stands; a group is told, since it stands further up there.
            Ok(()) if quiet => Outcome::Delivered {
                reference: place.reference(),
            },
            Ok(()) | Err(Failed::Same) => self.reply(&place, message).await,
            // Deleted by somebody: the chat is told anew.
            Err(Failed::Gone) => self.first(&chat, message).await,
            // A page does not wait for cosmetics.
            Err(Failed::Other(_)) if message.purpose.is_page() => self.reply(&place, message).await,
            Err(Failed::Other(Outcome::Unknown { reason })) => Outcome::Retry {
                after: None,
                reason,
            },
            Err(Failed::Other(outcome)) => outcome,
        }
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        Asked::CannotTell {
            reason: "Telegram keeps no reference of ours".to_owned(),
        }
    }
}

/// What `ok: false` means.
fn failed(method: &str, answer: &Answer, body: &Value) -> Failed {
    let said = body["description"].as_str().unwrap_or_default();
    if said.contains(SAME) {
        return Failed::Same;
    }
    if GONE.iter().any(|gone| said.contains(gone)) {
        return Failed::Gone;
    }
    let mut reason: String = format!("{method}: {said}").chars().take(300).collect();
    let parameters = &body["parameters"];
    if let Some(chat) = parameters["migrate_to_chat_id"].as_i64() {
        reason = format!("{reason}: the group is {chat} now");
    }
    Failed::Other(match answer.refusal(&reason) {
        Outcome::Retry { after, reason } => {
            let seconds = parameters["retry_after"].as_i64();
            let told = seconds.map(|seconds| Span::from_secs(seconds.clamp(0, 3_600)));
            Outcome::Retry {
                after: told.or(after),
                reason,
            }
        }
        other => other,
    })
}

/// Whether it is the id of a chat, or the name of a channel.
fn is_chat(text: &str) -> bool {
    let digits = |text: &str| {
        (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (4..=32).contains(&text.len()) && text.bytes().all(plain)
    };
    match text.strip_prefix('@') {
        Some(rest) => name(rest),
        None => digits(text.strip_prefix('-').unwrap_or(text)),
    }
}

/// A message in Telegram: `-1001234567890:42`.
struct Place<'a> {
    chat: &'a str,
    message: i64,
}

impl<'a> Place<'a> {
    fn parse(reference: &'a ProviderRef) -> Option<Self> {
        let (chat, message) = reference.0.rsplit_once(':')?;
        Some(Self {
            chat,
            message: message.parse().ok()?,
        })
    }

    fn reference(&self) -> ProviderRef {
        ProviderRef(format!("{}:{}", self.chat, self.message))
    }
}
