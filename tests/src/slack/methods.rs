//! The Web API methods: what they demand, in the order in which Slack looks at it, and what they
//! answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::{Message, Shared, TOKEN, Workspace, blocks};
use crate::fake::Outcome;

/// Beyond this Slack cuts a new message's text, which would lose what was to be said: refused here.
const TEXT_LIMIT: usize = 40_000;
/// Of `chat.update`, in bytes after `&`, `<` and `>` were escaped; not in the reference, but seen
/// (`msg_too_long`).
const UPDATE_LIMIT: usize = 4_000;
/// "Generally one message per second per channel."
const POST_INTERVAL: Duration = Duration::from_secs(1);

/// Why a call is refused.
#[derive(Debug)]
enum Refusal {
    /// `ok: false` with status 200, Slack's way.
    Error {
        code: &'static str,
        details: Vec<String>,
    },
    /// Status 429 with the seconds to wait.
    RateLimited(u64),
}

impl From<&'static str> for Refusal {
    fn from(code: &'static str) -> Self {
        Self::Error {
            code,
            details: Vec::new(),
        }
    }
}

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/auth.test", post(auth_test))
        .route("/api/chat.postMessage", post(post_message))
        .route("/api/chat.update", post(update))
        .route("/response/{id}", post(respond))
        .with_state(shared)
}

async fn auth_test(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // Takes no arguments, so an empty body is fine.
    let body = if body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        body
    };
    shared.call(&uri, &headers, &body, |_, _| {
        Ok(json!({
            "ok": true, "url": "https://bongsu-tests.slack.com/", "team": "bongsu tests",
            "user": "bongsu", "team_id": "T0000000001", "user_id": "U0000000001",
            "bot_id": "B0000000001",
        }))
    })
}

async fn post_message(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.call(&uri, &headers, &body, |workspace, call| {
        let channel = channel(workspace, call)?;
        content(call)?;
        let text = text(call);
        if text.chars().count() > TEXT_LIMIT {
            return Err("msg_too_long".into());
        }
        let thread_ts = call
            .get("thread_ts")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if let Some(thread) = &thread_ts {
            let known = |message: &Message| message.channel == channel && message.ts == *thread;
            if !workspace.messages.iter().any(known) {
                return Err("thread_not_found".into());
            }
        }
        limit(workspace, &channel)?;
        let message = Message {
            channel: channel.clone(),
            ts: workspace.next_ts(),
            thread_ts,
            text,
            blocks: call.get("blocks").cloned().unwrap_or_default(),
            updates: 0,
        };
        workspace.messages.push(message.clone());
        Ok(json!({
            "ok": true, "channel": channel, "ts": message.ts, "message": shown(&message),
        }))
    })
}

async fn update(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.call(&uri, &headers, &body, |workspace, call| {
        let given = required(call, "channel")?;
        let ts = required(call, "ts")?;
        // Unlike chat.postMessage, this one takes no names.
        if !workspace.channels.values().any(|id| id == given) {
            return Err("channel_not_found".into());
        }
        content(call)?;
        let text = text(call);
        let escaped = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        if escaped.len() > UPDATE_LIMIT {
            return Err("msg_too_long".into());
        }
        let message = workspace
            .messages
            .iter_mut()
            .find(|message| message.channel == given && message.ts == ts)
            .ok_or("message_not_found")?;
        message.text = text;
        // Without the field the blocks of before stay.
        if let Some(blocks) = call.get("blocks") {
            message.blocks = blocks.clone();
        }
        message.updates += 1;
        Ok(json!({
            "ok": true, "channel": given, "ts": ts, "text": message.text,
            "message": shown(message),
        }))
    })
}

/// The `response_url` of an interaction: noted, and otherwise without effect.
async fn respond(State(shared): State<Arc<Shared>>, uri: Uri, body: Bytes) -> &'static str {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    shared.journal.note(uri.path(), body, Outcome::Accepted);
    "ok"
}

impl Shared {
    /// Checks what all methods have in common, calls `method`, notes and answers.
    fn call(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        method: impl FnOnce(&mut Workspace, &Map<String, Value>) -> Result<Value, Refusal>,
    ) -> Response {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        let result = authorised(headers)
            .and_then(|()| json_object(headers, &parsed))
            .and_then(|call| method(&mut self.workspace(), call));
        let (outcome, response) = match result {
            Ok(answer) => (Outcome::Accepted, Json(answer).into_response()),
            Err(refusal) => refused(refusal),
        };
        self.journal.note(uri.path(), parsed, outcome);
        response
    }
}

fn refused(refusal: Refusal) -> (Outcome, Response) {
    let refused = |status, code: &str| Outcome::Refused {
        status,
        reason: code.to_owned(),
    };
    match refusal {
        Refusal::RateLimited(seconds) => {
            let headers = [(RETRY_AFTER, seconds.to_string())];
            let body = Json(json!({ "ok": false, "error": "ratelimited" }));
            let answer = (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response();
            (refused(429, "ratelimited"), answer)
        }
        Refusal::Error { code, details } => {
            let mut body = json!({ "ok": false, "error": code });
            if !details.is_empty() {
                let messages: Vec<_> = details
                    .iter()
                    .map(|detail| format!("[ERROR] {detail}"))
                    .collect();
                body["errors"] = json!(details);
                body["response_metadata"] = json!({ "messages": messages });
            }
            let reason = [code.to_owned()]
                .into_iter()
                .chain(details)
                .collect::<Vec<_>>();
            (refused(200, &reason.join(": ")), Json(body).into_response())
        }
    }
}

fn authorised(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        None => Err("not_authed".into()),
        Some(token) if token == TOKEN => Ok(()),
        Some(_) => Err("invalid_auth".into()),
    }
}

fn json_object<'a>(
    headers: &HeaderMap,
    body: &'a Value,
) -> Result<&'a Map<String, Value>, Refusal> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let (kind, parameters) = content_type
        .unwrap_or("")
        .split_once(';')
        .unwrap_or((content_type.unwrap_or(""), ""));
    // Slack takes forms as well, with the token in the body at that; nothing of ours should.
    if kind.trim() != "application/json" {
        return Err("invalid_post_type".into());
    }
    let charset = parameters.trim().to_lowercase();
    if charset != "charset=utf-8" {
        // Slack only warns of a missing one (`missing_charset`), and refuses others.
        return Err("invalid_charset".into());
    }
    body.as_object().ok_or_else(|| "invalid_json".into())
}

fn required<'a>(call: &'a Map<String, Value>, field: &str) -> Result<&'a str, Refusal> {
    call.get(field)
        .and_then(Value::as_str)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            let detail = format!("missing required field: {field}");
            Refusal::Error {
                code: "invalid_arguments",
                details: vec![detail],
            }
        })
}

fn channel(workspace: &Workspace, call: &Map<String, Value>) -> Result<String, Refusal> {
    let id = workspace
        .channel(required(call, "channel")?)
        .ok_or("channel_not_found")?;
    if workspace.foreign.contains(&id) {
        return Err("not_in_channel".into());
    }
    Ok(id)
}

/// A message needs text or blocks, and the blocks must be well formed.
fn content(call: &Map<String, Value>) -> Result<(), Refusal> {
    let blocks = call.get("blocks").filter(|blocks| !blocks.is_null());
    if text(call).is_empty() && blocks.is_none() {
        return Err("no_text".into());
    }
    let Some(blocks) = blocks else { return Ok(()) };
    let details = blocks::check(blocks);
    if !details.is_empty() {
        return Err(Refusal::Error {
            code: "invalid_blocks",
            details,
        });
    }
    if blocks::too_long(blocks) {
        return Err("msg_blocks_too_long".into());
    }
    Ok(())
}

fn text(call: &Map<String, Value>) -> String {
    call.get("text")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn limit(workspace: &mut Workspace, channel: &str) -> Result<(), Refusal> {
    let now = Instant::now();
    let last = workspace.last_post.get(channel).copied();
    if workspace.limited && last.is_some_and(|last| now.duration_since(last) < POST_INTERVAL) {
        return Err(Refusal::RateLimited(POST_INTERVAL.as_secs()));
    }
    workspace.last_post.insert(channel.to_owned(), now);
    Ok(())
}

fn shown(message: &Message) -> Value {
    json!({
        "type": "message", "user": "U0000000001", "bot_id": "B0000000001", "ts": message.ts,
        "thread_ts": message.thread_ts, "text": message.text, "blocks": message.blocks,
    })
}
