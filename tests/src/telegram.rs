//! A stand-in for Telegram: the methods of the Bot API that Bongsu calls, and the presses of buttons that Telegram
//! sends back.
//!
//! Written from "Telegram Bot API" (core.telegram.org/bots/api): `sendMessage`, `editMessageText`, errors as
//! `ok: false` with `error_code`, `description` and `parameters`, updates with the secret of `setWebhook` in a header.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::fake::{Journal, Outcome, Server, served_by};

/// The bot's token, in the form of the documentation's example.
pub const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
/// What `setWebhook` was given.
pub const SECRET: &str = "bongsu_Tests-secret";
/// A person's chat with the bot.
pub const PERSON: i64 = 987_654_321;
/// A group that the bot is a member of.
pub const GROUP: i64 = -1_001_234_567_890;
/// A person who blocked the bot.
pub const BLOCKED: i64 = 987_650_000;
/// Units of UTF-16 that a text may have.
const TEXT: usize = 4_096;

/// A message as it stands now.
#[derive(Clone, Debug)]
pub struct Message {
    /// The chat.
    pub chat: i64,
    /// Its number within the chat.
    pub id: i64,
    /// What it answers.
    pub answers: Option<i64>,
    /// Its text.
    pub text: String,
    /// Its buttons, a row each.
    pub buttons: Value,
    /// How often it was edited.
    pub edits: u32,
}

/// The running stand-in.
#[derive(Debug)]
pub struct Telegram {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    messages: Mutex<Vec<Message>>,
    /// Seconds that further messages are told to wait.
    slow: Mutex<Option<u64>>,
}

type Refusal = (u16, String);

impl Telegram {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/{bot}/sendMessage", post(send))
            .route("/{bot}/editMessageText", post(edit))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// Answers 429 with so many seconds of `retry_after`, until it is told none.
    pub fn slow_down(&self, seconds: Option<u64>) {
        *self
            .shared
            .slow
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = seconds;
    }

    /// The messages, as they stand now.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.messages().clone()
    }

    /// Deletes a message, as a person may.
    pub fn delete(&self, id: i64) {
        self.shared.messages().retain(|message| message.id != id);
    }

    /// The update of a press of the message's first button by somebody, as Telegram sends it.
    ///
    /// # Panics
    /// When the message has no such button.
    pub fn press(&self, message: &Message, user: i64, name: &str) -> Value {
        let data = &message.buttons[0][0]["callback_data"];
        assert!(data.is_string(), "a button to press: {}", message.buttons);
        json!({
            "update_id": 10_000 + message.id,
            "callback_query": {
                "id": "4382bfdwdsb323b2d9",
                "from": { "id": user, "is_bot": false, "first_name": name, "language_code": "ko" },
                "message": {
                    "message_id": message.id, "date": 1_795_237_200,
                    "chat": { "id": message.chat, "type": if message.chat < 0 { "supergroup" } else { "private" } },
                    "text": message.text,
                },
                "chat_instance": "-3758127000000000000",
                "data": data,
            },
        })
    }
}

impl Shared {
    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

served_by!(Telegram);

async fn send(
    State(shared): State<Arc<Shared>>,
    Path(bot): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let result = admitted(&shared, &bot, &body).and_then(|chat| {
        let (text, buttons) = (text(&body)?, buttons(&body)?);
        let mut messages = shared.messages();
        let answers = body["reply_parameters"]["message_id"].as_i64();
        let there = |id: i64| messages.iter().any(|one| one.chat == chat && one.id == id);
        let answers = match answers {
            Some(id) if there(id) => Some(id),
            Some(_) if body["reply_parameters"]["allow_sending_without_reply"] == true => None,
            Some(_) => return Err(bad("message to be replied not found")),
            None => None,
        };
        let id = 100 + i64::try_from(shared.journal.entries().len()).unwrap_or(0);
        messages.push(Message {
            chat,
            id,
            answers,
            text,
            buttons,
            edits: 0,
        });
        Ok(json!({ "message_id": id, "date": 1_795_237_200, "chat": { "id": chat } }))
    });
    answer(&shared, "/sendMessage", body, result)
}

async fn edit(
    State(shared): State<Arc<Shared>>,
    Path(bot): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let result = admitted(&shared, &bot, &body).and_then(|chat| {
        let (text, buttons) = (text(&body)?, buttons(&body)?);
        let mut messages = shared.messages();
        let wanted = body["message_id"].as_i64();
        let found = messages
            .iter_mut()
            .find(|one| one.chat == chat && Some(one.id) == wanted)
            .ok_or_else(|| bad("message to edit not found"))?;
        if found.text == text && found.buttons == buttons {
            return Err(bad(
                "message is not modified: specified new message content and reply markup are exactly the same",
            ));
        }
        (found.text, found.buttons) = (text, buttons);
        found.edits += 1;
        Ok(json!({ "message_id": found.id, "chat": { "id": chat } }))
    });
    answer(&shared, "/editMessageText", body, result)
}

/// The chat of a request that is let in.
fn admitted(shared: &Shared, bot: &str, body: &Value) -> Result<i64, Refusal> {
    if bot.strip_prefix("bot") != Some(TOKEN) {
        return Err((401, "Unauthorized".to_owned()));
    }
    let slow = *shared.slow.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(seconds) = slow {
        return Err((429, format!("Too Many Requests: retry after {seconds}")));
    }
    let chat = match &body["chat_id"] {
        Value::String(text) if text == "@bongsu_alerts" => Some(GROUP),
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    match chat {
        Some(PERSON | GROUP) => Ok(chat.unwrap_or_default()),
        Some(BLOCKED) => Err((403, "Forbidden: bot was blocked by the user".to_owned())),
        _ => Err(bad("chat not found")),
    }
}

fn bad(what: &str) -> Refusal {
    (400, format!("Bad Request: {what}"))
}

fn text(body: &Value) -> Result<String, Refusal> {
    let text = body["text"].as_str().unwrap_or_default();
    if body["parse_mode"].is_string() {
        return Err(bad("can't parse entities"));
    }
    match text.encode_utf16().count() {
        0 => Err(bad("message text is empty")),
        length if length > TEXT => Err(bad("message is too long")),
        _ => Ok(text.to_owned()),
    }
}

fn buttons(body: &Value) -> Result<Value, Refusal> {
    let rows = &body["reply_markup"]["inline_keyboard"];
    for button in rows
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
    {
        let url = button["url"].as_str();
        let data = button["callback_data"].as_str();
        match (url, data) {
            (Some(url), None) if url.starts_with("https://") && url.contains('.') => {}
            (None, Some(data)) if (1..=64).contains(&data.len()) => {}
            (Some(_), None) => return Err(bad("inline keyboard button URL is invalid")),
            _ => return Err(bad("BUTTON_DATA_INVALID")),
        }
        if button["text"].as_str().unwrap_or_default().is_empty() {
            return Err(bad("text buttons are unallowed in the inline keyboard"));
        }
    }
    Ok(rows.clone())
}

fn answer(shared: &Shared, path: &str, body: Value, result: Result<Value, Refusal>) -> Response {
    let uri: Uri = path.parse().expect("a path");
    let (outcome, response) = match result {
        Ok(result) => (
            Outcome::Accepted,
            Json(json!({ "ok": true, "result": result })).into_response(),
        ),
        Err((status, reason)) => {
            let mut said = json!({ "ok": false, "error_code": status, "description": reason });
            if let Some(seconds) = reason.rsplit_once("retry after ") {
                said["parameters"] =
                    json!({ "retry_after": seconds.1.parse::<u64>().unwrap_or(1) });
            }
            let code = StatusCode::from_u16(status).expect("a status");
            (
                Outcome::Refused { status, reason },
                (code, Json(said)).into_response(),
            )
        }
    };
    shared.journal.note(&uri.to_string(), body, outcome);
    response
}
