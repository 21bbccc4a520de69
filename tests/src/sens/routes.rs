//! The API's routes and the shapes of its answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::{Timestamp, tz};
use serde_json::{Value, json};

use super::{Delivery, SERVICE_ID, Shared, Sms, TALK_SERVICE_ID, rules, signature};
use crate::fake::Outcome;

/// Why a request is refused: the status, the gateway's code and words for it, and what exactly is
/// wrong.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    details: String,
}

impl Refusal {
    pub(super) fn bad_request(details: impl Into<String>) -> Self {
        let details = details.into();
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "100",
            message: "Bad Request Exception",
            details,
        }
    }

    fn unauthorized(details: &str) -> Self {
        let (status, details) = (StatusCode::UNAUTHORIZED, details.to_owned());
        Self {
            status,
            code: "200",
            message: "Authentication Failed",
            details,
        }
    }

    pub(super) fn not_found(details: String) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "300",
            message: "Not Found Exception",
            details,
        }
    }
}

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/sms/v2/services/{service}/messages", get(list).post(send))
        .route("/sms/v2/services/{service}/messages/{message}", get(result))
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
        let json = headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_lowercase().starts_with("application/json"));
        if !json || !parsed.is_object() {
            return Err(Refusal::bad_request(
                "the body must be JSON, and said to be so",
            ));
        }
        accept(&shared, &parsed)
    });
    answer(
        &shared,
        &uri,
        parsed,
        result.map(|body| (StatusCode::ACCEPTED, body)),
    )
}

async fn list(
    State(shared): State<Arc<Shared>>,
    Path(service): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let result = admitted(&method, &uri, &headers, &service).and_then(|()| {
        let wanted = query
            .iter()
            .find(|(name, _)| name == "requestId")
            .map(|(_, id)| id);
        let wanted = wanted.ok_or_else(|| Refusal::bad_request("requestId is missing"))?;
        let account = shared.account();
        let found: Vec<_> = account
            .messages
            .iter()
            .filter(|sms| sms.request_id == *wanted)
            .map(|sms| {
                json!({
                    "requestId": sms.request_id, "messageId": sms.message_id,
                    "requestTime": clock(sms.at), "contentType": sms.content_type,
                    "type": sms.kind, "countryCode": sms.country_code, "from": sms.from,
                    "to": sms.to, "completeTime": clock(sms.at), "telcoCode": "SKT",
                    "status": "COMPLETED", "statusCode": "0", "statusName": "success",
                })
            })
            .collect();
        if found.is_empty() {
            return Err(Refusal::not_found(format!("no request {wanted}")));
        }
        Ok(json!({
            "requestId": wanted, "statusCode": "202", "statusName": "success", "messages": found,
        }))
    });
    answer(
        &shared,
        &uri,
        Value::Null,
        result.map(|body| (StatusCode::OK, body)),
    )
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
        let sms = account
            .messages
            .iter()
            .find(|sms| sms.message_id == message)
            .ok_or_else(|| Refusal::not_found(format!("no message {message}")))?;
        let delivery = account.deliveries.get(&sms.to).cloned().unwrap_or_default();
        Ok(json!({
            "statusCode": "200", "statusName": "success", "messages": [shown(sms, &delivery)],
        }))
    });
    answer(
        &shared,
        &uri,
        Value::Null,
        result.map(|body| (StatusCode::OK, body)),
    )
}

pub(super) fn admitted(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    service: &str,
) -> Result<(), Refusal> {
    let signed = uri.path_and_query().map_or("", |path| path.as_str());
    signature::check(method, signed, headers, Timestamp::now().as_millisecond())
        .map_err(Refusal::unauthorized)?;
    if ![SERVICE_ID, TALK_SERVICE_ID].contains(&service) {
        return Err(Refusal::not_found(format!("no service {service}")));
    }
    Ok(())
}

fn accept(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    let mut account = shared.account();
    let messages = rules::read(&account, body).map_err(Refusal::bad_request)?;
    account.requests += 1;
    let request_id = format!("RSLA-{:013}-0000-{:08}", account.requests, account.requests);
    for (index, mut sms) in messages.into_iter().enumerate() {
        sms.request_id.clone_from(&request_id);
        sms.message_id = format!("{:08x}-0000-4000-8000-{index:012x}", account.requests);
        account.messages.push(sms);
    }
    Ok(json!({
        "requestId": request_id,
        "requestTime": korean_time(Timestamp::now(), "%Y-%m-%dT%H:%M:%S%.3f"),
        "statusCode": "202",
        "statusName": "success",
    }))
}

fn shown(sms: &Sms, delivery: &Delivery) -> Value {
    let mut shown = json!({
        "requestId": sms.request_id, "messageId": sms.message_id, "requestTime": clock(sms.at),
        "contentType": sms.content_type, "type": sms.kind, "subject": sms.subject,
        "content": sms.content, "countryCode": sms.country_code, "from": sms.from, "to": sms.to,
    });
    let (status, result) = match delivery {
        Delivery::Waiting => ("READY", None),
        Delivery::Underway => ("PROCESSING", None),
        Delivery::Delivered => ("COMPLETED", Some(("0", "success", "성공"))),
        Delivery::Failed { code, message } => {
            ("COMPLETED", Some((code.as_str(), "fail", message.as_str())))
        }
    };
    shown["status"] = json!(status);
    if let Some((code, name, message)) = result {
        shown["statusCode"] = json!(code);
        shown["statusName"] = json!(name);
        shown["statusMessage"] = json!(message);
        shown["completeTime"] = json!(clock(sms.at));
        shown["telcoCode"] = json!("SKT");
    }
    shown
}

pub(super) fn answer(
    shared: &Shared,
    uri: &Uri,
    body: Value,
    result: Result<(StatusCode, Value), Refusal>,
) -> Response {
    let (outcome, response) = match result {
        Ok((status, answer)) => (Outcome::Accepted, (status, Json(answer)).into_response()),
        Err(refusal) => {
            let reason = refusal.details.clone();
            let outcome = Outcome::Refused {
                status: refusal.status.as_u16(),
                reason,
            };
            let body = json!({ "error": {
                "errorCode": refusal.code, "message": refusal.message, "details": refusal.details,
            } });
            (outcome, (refusal.status, Json(body)).into_response())
        }
    };
    shared.journal.note(&uri.to_string(), body, outcome);
    response
}

fn clock(at: Timestamp) -> String {
    korean_time(at, "%Y-%m-%d %H:%M:%S")
}

fn korean_time(at: Timestamp, format: &str) -> String {
    let korea = tz::TimeZone::fixed(tz::offset(9));
    at.to_zoned(korea).strftime(format).to_string()
}
