//! A person presses a button: the signed request that Slack then sends to the app.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Message, SIGNING_SECRET, Slack, sign};
use crate::web;

/// "Your app must answer within three seconds."
const PATIENCE: Duration = Duration::from_secs(3);

/// An interactive request, ready to be sent, or to be tampered with first.
#[derive(Clone, Debug)]
pub struct Press {
    /// Seconds since 1970, for `X-Slack-Request-Timestamp`.
    pub timestamp: u64,
    /// For `X-Slack-Signature`.
    pub signature: String,
    /// The form, with its one field `payload`.
    pub body: String,
}

impl Press {
    /// Signs `payload` as sent at `timestamp`.
    pub fn signed(payload: &Value, timestamp: u64) -> Self {
        let body = format!("payload={}", form_encoded(&payload.to_string()));
        Self {
            timestamp,
            signature: sign(SIGNING_SECRET, timestamp, &body),
            body,
        }
    }

    /// Sends it to the app and returns the answer; an app that takes longer than Slack waits is an
    /// error.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn send(&self, url: &str) -> Result<(StatusCode, String)> {
        let answer = web::client()
            .post(url)
            .timeout(PATIENCE)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .header("X-Slack-Request-Timestamp", self.timestamp.to_string())
            .header("X-Slack-Signature", &self.signature)
            .body(self.body.clone())
            .send()
            .await
            .context("the app did not answer Slack's interactive request within three seconds")?;
        Ok((answer.status(), answer.text().await?))
    }
}

impl Slack {
    /// The request for `user` (an id such as `U0000000042`) pressing the button `action_id` of
    /// `message`.
    ///
    /// # Panics
    /// When the message, as it stands now, has no such button.
    pub fn press(&self, message: &Message, action_id: &str, user: &str) -> Press {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Press::signed(&self.block_actions(message, action_id, user), now)
    }

    /// The payload of [`Slack::press`], before it is signed.
    ///
    /// # Panics
    /// When the message, as it stands now, has no such button.
    pub fn block_actions(&self, message: &Message, action_id: &str, user: &str) -> Value {
        let workspace = self.shared.workspace();
        let message = workspace
            .messages
            .iter()
            .find(|known| known.channel == message.channel && known.ts == message.ts)
            .unwrap_or_else(|| panic!("no message {} in {}", message.ts, message.channel));
        let (block_id, button) = find_button(&message.blocks, action_id)
            .unwrap_or_else(|| panic!("no button {action_id} in {:#}", message.blocks));
        let name = workspace
            .channels
            .iter()
            .find(|(_, id)| **id == message.channel);
        json!({
            "type": "block_actions",
            "api_app_id": "A0000000001",
            "token": "verification-token-is-deprecated",
            "team": { "id": "T0000000001", "domain": "bongsu-tests" },
            "user": { "id": user, "username": user.to_lowercase(), "name": user.to_lowercase(),
                "team_id": "T0000000001" },
            "channel": { "id": message.channel, "name": name.map(|(name, _)| name) },
            "container": { "type": "message", "message_ts": message.ts,
                "channel_id": message.channel, "is_ephemeral": false },
            "message": { "type": "message", "bot_id": "B0000000001", "user": "U0000000001",
                "ts": message.ts, "thread_ts": message.thread_ts, "text": message.text,
                "blocks": message.blocks },
            "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
            "response_url": format!("{}/response/{}", self.url(), message.ts),
            "actions": [{ "type": "button", "action_id": action_id, "block_id": block_id,
                "text": button["text"], "value": button["value"], "style": button["style"],
                "action_ts": message.ts }],
        })
    }
}

fn find_button<'a>(blocks: &'a Value, action_id: &str) -> Option<(String, &'a Value)> {
    blocks
        .as_array()?
        .iter()
        .enumerate()
        .find_map(|(index, block)| {
            let elements = block["elements"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let button = elements
                .iter()
                .chain(std::iter::once(&block["accessory"]))
                .find(|element| element["action_id"] == action_id && element["type"] == "button")?;
            // Slack makes an id up where the sender gave none.
            let id = block["block_id"]
                .as_str()
                .map_or_else(|| format!("b{index}"), str::to_owned);
            Some((id, button))
        })
}

fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
