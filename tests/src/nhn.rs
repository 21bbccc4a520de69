//! A stand-in for NHN Cloud: text messages (API v3.0) and Alimtalk (API v2.3).
//!
//! Written from the guides "SMS > API v3.0" and "KakaoTalk Bizmessage > Alimtalk > API v2.3": HTTP 200
//! also for refusals, the secret key in a header, one idempotency key once within ten minutes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use encoding_rs::EUC_KR;
use serde_json::{Value, json};

use crate::fake::{Journal, Outcome, Server, served_by};

/// The app key of both services.
pub const APP_KEY: &str = "bongsuTestsAppKey";
/// The secret key of both services.
pub const SECRET_KEY: &str = "bongsuTestsSecret";
/// The registered sender number.
pub const SENDER: &str = "0215880000";
/// The key of the Kakao channel.
pub const SENDER_KEY: &str = "0123456789abcdef0123456789abcdef01234567";
/// The template that Kakao has approved, as it was registered.
pub const TEMPLATE: (&str, &str) = (
    "bongsu-page",
    "[장애 알림] #{head}\n#{title}\n대상: #{place}\n현재값: #{value}\n시작: #{since}\n확인: #{link}",
);
/// How long an idempotency key is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// `sms`, `mms` or `alimtalk`.
    pub kind: &'static str,
    /// Its request.
    pub id: String,
    /// Our reference.
    pub group: String,
    /// The recipient's number.
    pub to: String,
    /// What the phone shows.
    pub content: String,
    /// What became of it, in the service's own words.
    pub status: String,
}

/// The running stand-in.
#[derive(Debug)]
pub struct Nhn {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    taken: Mutex<Vec<Taken>>,
    keys: Mutex<Vec<(String, Instant)>>,
}

impl Nhn {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let sms = "/sms/v3.0/appKeys/{key}/sender";
        let talk = "/alimtalk/v2.3/appkeys/{key}/messages";
        let routes = Router::new()
            .route(&format!("{sms}/{{kind}}"), post(text))
            .route(&format!("{sms}/{{kind}}/{{id}}"), get(text_state))
            .route(talk, post(alimtalk).get(alimtalk_list))
            .route(&format!("{talk}/{{id}}/{{sequence}}"), get(alimtalk_state))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// The messages that were taken, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken().clone()
    }

    /// Sets what became of all messages so far.
    pub fn settle(&self, status: &str) {
        for taken in self.shared.taken().iter_mut() {
            status.clone_into(&mut taken.status);
        }
    }
}

served_by!(Nhn);

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Refusal = (i64, String);

async fn text(
    State(shared): State<Arc<Shared>>,
    Path((key, kind)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let result = admitted(&key, &headers).and_then(|()| {
        let (kind, limit) = match kind.as_str() {
            "sms" => ("sms", 90),
            "mms" => ("mms", 2_000),
            _ => return Err((-1, format!("no service {kind}"))),
        };
        if body["sendNo"] != SENDER {
            return Err((-2007, "The sender number is not registered".to_owned()));
        }
        let content = need(&body, "body")?;
        fits("body", content, limit)?;
        match (kind, body["title"].as_str()) {
            ("mms", Some(title)) => fits("title", title, 40)?,
            ("sms", None) => {}
            _ => return Err((-1004, "title is for mms, which needs it".to_owned())),
        }
        take(&shared, kind, &body, content.to_owned())
    });
    let result = result.map(|(id, to)| {
        json!({ "body": { "data": { "requestId": id, "statusCode": "2", "sendResultList": [
            { "recipientNo": to, "resultCode": 0, "resultMessage": "SUCCESS", "recipientSeq": 1 }] } } })
    });
    answer(&shared, &uri, body, result)
}

async fn text_state(
    State(shared): State<Arc<Shared>>,
    Path((key, _, id)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let result = admitted(&key, &headers).and_then(|()| {
        let taken = find(&shared, |one| one.id == id)?;
        let status = match taken.status.as_str() {
            "" => "2",
            other => other,
        };
        Ok(
            json!({ "body": { "data": { "requestId": id, "msgStatus": status,
            "resultCode": "3003", "resultCodeName": "전원 꺼짐" } } }),
        )
    });
    answer(&shared, &uri, Value::Null, result)
}

async fn alimtalk(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let result = admitted(&key, &headers).and_then(|()| {
        once(&shared, &headers)?;
        if body["senderKey"] != SENDER_KEY {
            return Err((-1000, "senderKey is unknown".to_owned()));
        }
        if body["templateCode"] != TEMPLATE.0 {
            return Err((-1003, "the template is not approved".to_owned()));
        }
        let values = &body["recipientList"][0]["templateParameter"];
        let mut content = TEMPLATE.1.to_owned();
        for (name, value) in values.as_object().into_iter().flatten() {
            let value = value.as_str().filter(|value| !value.is_empty());
            let value = value.ok_or((-1010, format!("#{{{name}}} has no value")))?;
            content = content.replace(&format!("#{{{name}}}"), value);
        }
        if content.contains("#{") {
            return Err((-1010, "a variable of the template has no value".to_owned()));
        }
        if content.chars().count() > 1_000 {
            return Err((-1011, "longer than 1000 characters".to_owned()));
        }
        take(&shared, "alimtalk", &body, content)
    });
    let result = result.map(|(id, to)| {
        json!({ "message": { "requestId": id, "sendResults": [
            { "recipientSeq": 1, "recipientNo": to, "resultCode": 0, "resultMessage": "SUCCESS" }] } })
    });
    answer(&shared, &uri, body, result)
}

async fn alimtalk_list(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let value = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let result = admitted(&key, &headers).and_then(|()| {
        for bound in ["startRequestDate", "endRequestDate"] {
            let given = value(bound);
            jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M", &given)
                .map_err(|error| (-1004, format!("{bound} {given:?}: {error}")))?;
        }
        let group = value("senderGroupingKey");
        let found: Vec<_> = shared
            .taken()
            .iter()
            .filter(|one| one.group == group)
            .map(|one| json!({ "requestId": one.id, "recipientSeq": 1 }))
            .collect();
        Ok(json!({ "messageSearchResultResponse": { "totalCount": found.len(), "messages": found } }))
    });
    answer(&shared, &uri, Value::Null, result)
}

async fn alimtalk_state(
    State(shared): State<Arc<Shared>>,
    Path((key, id, _)): Path<(String, String, u32)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let result = admitted(&key, &headers).and_then(|()| {
        let taken = find(&shared, |one| one.id == id)?;
        Ok(
            json!({ "message": { "requestId": id, "messageStatus": taken.status,
            "resultCode": "3018", "resultCodeName": "메시지를 전송할 수 없음" } }),
        )
    });
    answer(&shared, &uri, Value::Null, result)
}

fn admitted(key: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let secret = headers
        .get("x-secret-key")
        .and_then(|value| value.to_str().ok());
    match (key, secret) {
        (APP_KEY, Some(SECRET_KEY)) => Ok(()),
        _ => Err((-4000, "Authentication failed".to_owned())),
    }
}

fn once(shared: &Shared, headers: &HeaderMap) -> Result<(), Refusal> {
    let key = headers.get("x-nc-api-idempotency-key");
    let Some(key) = key.and_then(|value| value.to_str().ok()) else {
        return Ok(());
    };
    let mut keys = shared.keys.lock().unwrap_or_else(PoisonError::into_inner);
    keys.retain(|(_, at)| at.elapsed() < REMEMBERED);
    if keys.iter().any(|(known, _)| known == key) {
        return Err((-1100, "a request with this key was made before".to_owned()));
    }
    keys.push((key.to_owned(), Instant::now()));
    Ok(())
}

fn take(
    shared: &Shared,
    kind: &'static str,
    body: &Value,
    content: String,
) -> Result<(String, String), Refusal> {
    let to = need(&body["recipientList"][0], "recipientNo")?;
    if !to.starts_with('0') || !to.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((-1005, format!("recipientNo {to} is no number of Korea")));
    }
    let mut taken = shared.taken();
    let id = format!("2026112114000000{:04}", taken.len() + 1);
    taken.push(Taken {
        kind,
        id: id.clone(),
        group: body["senderGroupingKey"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        to: to.to_owned(),
        content,
        status: String::new(),
    });
    Ok((id, to.to_owned()))
}

fn find(shared: &Shared, wanted: impl Fn(&Taken) -> bool) -> Result<Taken, Refusal> {
    let taken = shared.taken();
    let found = taken.iter().find(|one| wanted(one)).cloned();
    found.ok_or((-1020, "no such message".to_owned()))
}

fn need<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let value = body[name].as_str().filter(|value| !value.is_empty());
    value.ok_or((-1004, format!("{name} is missing")))
}

/// "The encoding is EUC-KR, and what it does not have fails."
fn fits(name: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    let (bytes, _, replaced) = EUC_KR.encode(text);
    if replaced || bytes.len() > limit {
        let bytes = bytes.len();
        return Err((
            -1006,
            format!("{name}: {bytes} bytes of EUC-KR, at most {limit}"),
        ));
    }
    Ok(())
}

fn answer(shared: &Shared, uri: &Uri, body: Value, result: Result<Value, Refusal>) -> Response {
    let header = |successful: bool, code: i64, message: &str| json!({ "isSuccessful": successful, "resultCode": code, "resultMessage": message });
    let (outcome, reply) = match result {
        Ok(mut reply) => {
            reply["header"] = header(true, 0, "SUCCESS");
            (Outcome::Accepted, reply)
        }
        Err((code, reason)) => {
            let reply = json!({ "header": header(false, code, &reason) });
            let outcome = Outcome::Refused {
                status: 200,
                reason,
            };
            (outcome, reply)
        }
    };
    shared.journal.note(&uri.to_string(), body, outcome);
    Json(reply).into_response()
}
