//! Alimtalk API v2 of SENS: `sens-alimtalk-send` and `sens-alimtalk-get` of the API guide.
//!
//! What a number's [`Delivery`] says is what KakaoTalk does with its messages; a failed one goes as a text message
//! where the request asked for it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::routes::{Refusal, admitted, answer};
use super::rules::{SUBJECT_BYTES, bytes_at_most, digits, text};
use super::{Account, Delivery, SENDER, Shared, TALK_CHANNEL, TALK_SERVICE_ID, TALK_TEMPLATE};

/// An Alimtalk that was taken.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Its message id.
    pub id: String,
    /// The recipient's number.
    pub to: String,
    /// What KakaoTalk shows.
    pub content: String,
    /// `type` and `content` of the text message that goes where KakaoTalk cannot deliver.
    pub failover: Option<(String, String)>,
}

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let path = "/alimtalk/v2/services/{service}/messages";
    Router::new()
        .route(path, post(send))
        .route(&format!("{path}/{{message}}"), get(result))
        .with_state(shared)
}

async fn send(
    State(shared): State<Arc<Shared>>,
    Path(service): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = admitted(&method, &uri, &headers, &service).and_then(|()| {
        if service != TALK_SERVICE_ID {
            return Err(Refusal::not_found("no Biz Message service".to_owned()));
        }
        take(&mut shared.account(), &parsed).map_err(Refusal::bad_request)
    });
    let result = result.map(|body| (StatusCode::ACCEPTED, body));
    answer(&shared, &uri, parsed, result)
}

fn take(account: &mut Account, body: &Value) -> Result<Value, String> {
    if text(body, "plusFriendId") != Some(TALK_CHANNEL) {
        return Err("plusFriendId is no channel of the project".to_owned());
    }
    if text(body, "templateCode") != Some(TALK_TEMPLATE.0) {
        return Err("templateCode is no approved template".to_owned());
    }
    let list = body["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if list.is_empty() || list.len() > 100 {
        return Err("messages must be 1 to 100".to_owned());
    }
    let mut taken = Vec::new();
    for one in list {
        let to = text(one, "to").ok_or("messages.to is missing")?;
        digits("messages.to", to)?;
        let content = text(one, "content").ok_or("messages.content is missing")?;
        if content.chars().count() > 1_000 {
            return Err("messages.content has at most 1000 characters".to_owned());
        }
        account.requests += 1;
        let id = format!("aa724ca6-0000-4000-8000-{:012x}", account.requests);
        // Told for each recipient, and not for the whole.
        let (code, status) = match is_of_template(content) {
            true => ("A000", "success"),
            false => ("M107", "content does not match the template"),
        };
        taken.push(json!({
            "messageId": id, "countryCode": "82", "to": to, "content": content,
            "requestStatusCode": code, "requestStatusName": if code == "A000" { "success" } else { "fail" },
            "requestStatusDesc": status, "useSmsFailover": one["useSmsFailover"],
        }));
        if code == "A000" {
            account.talks.push(Talk {
                id,
                to: to.to_owned(),
                content: content.to_owned(),
                failover: failover(one)?,
            });
        }
    }
    Ok(json!({
        "requestId": format!("RKEY-{}", account.requests), "requestTime": "2026-11-21T14:00:00.000",
        "statusCode": "202", "statusName": "success", "messages": taken,
    }))
}

/// The text message that goes where KakaoTalk cannot deliver, under the rules of text messages.
fn failover(one: &Value) -> Result<Option<(String, String)>, String> {
    if one["useSmsFailover"] != true {
        return Ok(None);
    }
    let config = &one["failoverConfig"];
    let from = text(config, "from").ok_or("failoverConfig.from is missing")?;
    if from != SENDER {
        return Err(format!("from {from} is not a registered sender number"));
    }
    let kind = text(config, "type").ok_or("failoverConfig.type is missing")?;
    let limit = match kind {
        "SMS" => 90,
        "LMS" => 2_000,
        _ => return Err(format!("failoverConfig.type {kind} is none of SMS, LMS")),
    };
    if let Some(subject) = text(config, "subject") {
        bytes_at_most("failoverConfig.subject", subject, SUBJECT_BYTES)?;
    }
    let content = text(config, "content").ok_or("failoverConfig.content is missing")?;
    bytes_at_most("failoverConfig.content", content, limit)?;
    Ok(Some((kind.to_owned(), content.to_owned())))
}

/// Whether a text is the registered one with something in the place of each variable.
fn is_of_template(content: &str) -> bool {
    let mut rest = content;
    let mut parts = TALK_TEMPLATE.1.split("#{");
    let Some(after) = parts.next().and_then(|first| rest.strip_prefix(first)) else {
        return false;
    };
    rest = after;
    for part in parts {
        let literal = part.split_once('}').map_or("", |(_, literal)| literal);
        if literal.is_empty() {
            return !rest.is_empty();
        }
        match rest.split_once(literal) {
            Some((value, after)) if !value.is_empty() => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

async fn result(
    State(shared): State<Arc<Shared>>,
    Path((service, message)): Path<(String, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let result = admitted(&method, &uri, &headers, &service).and_then(|()| {
        let account = shared.account();
        let found = account.talks.iter().find(|talk| talk.id == message);
        let talk = found.ok_or_else(|| Refusal::not_found(format!("no message {message}")))?;
        let delivery = account.deliveries.get(&talk.to).cloned().unwrap_or_default();
        let mut shown = json!({
            "messageId": talk.id, "plusFriendId": TALK_CHANNEL, "templateCode": TALK_TEMPLATE.0,
            "countryCode": "82", "to": talk.to, "content": talk.content,
            "requestStatusCode": "A000", "requestStatusName": "success", "requestStatusDesc": "성공",
            "useSmsFailover": talk.failover.is_some(),
        });
        let code = match &delivery {
            Delivery::Waiting | Delivery::Underway => None,
            Delivery::Delivered => Some(("0000", "성공")),
            Delivery::Failed { code, message } => Some((code.as_str(), message.as_str())),
        };
        if let Some((code, words)) = code {
            shown["messageStatusCode"] = json!(code);
            shown["messageStatusName"] = json!(if code == "0000" { "success" } else { "fail" });
            shown["messageStatusDesc"] = json!(words);
            if code != "0000" && talk.failover.is_some() {
                shown["failover"] = json!({
                    "requestId": "RSSA-1", "requestStatusCode": "202", "requestStatusName": "success",
                    "messageId": "0-1", "messageStatusCode": "0", "messageStatusName": "success",
                });
            }
        }
        Ok((StatusCode::OK, shown))
    });
    answer(&shared, &uri, Value::Null, result)
}
