//! A stand-in for Aligo: `/send/` and `/sms_list/`.
//!
//! Written from Aligo's specification of its API: forms, and HTTP 200 with a `result_code` in the body
//! in any case.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use encoding_rs::EUC_KR;
use serde_json::{Value, json};

use crate::fake::{Journal, Outcome, Server, served_by};

/// The key that it knows.
pub const KEY: &str = "bongsu-tests-aligo-key";
/// Whose key it is.
pub const USER: &str = "bongsu";
/// The registered sender number.
pub const SENDER: &str = "0215880000";

/// A text message that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its `msg_id`.
    pub id: usize,
    /// `SMS` or `LMS`.
    pub kind: String,
    /// Of an LMS.
    pub title: Option<String>,
    /// The recipient's number.
    pub to: String,
    /// What the phone shows.
    pub content: String,
    /// Its `sms_state`.
    pub state: String,
}

/// The running stand-in.
#[derive(Debug)]
pub struct Aligo {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    taken: Mutex<Vec<Taken>>,
    broke: Mutex<bool>,
}

impl Aligo {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/send/", post(send))
            .route("/sms_list/", post(list))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// From now on the account has no points left: 200, and an error in the body.
    pub fn run_dry(&self) {
        *self
            .shared
            .broke
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// The messages that were taken, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken().clone()
    }

    /// Sets what became of all messages so far.
    pub fn settle(&self, state: &str) {
        for taken in self.shared.taken().iter_mut() {
            state.clone_into(&mut taken.state);
        }
    }
}

served_by!(Aligo);

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Fields = Vec<(String, String)>;
type Refusal = (i64, &'static str);

fn value<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let found = fields.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value.as_str())
}

fn admitted(fields: &Fields) -> Result<(), Refusal> {
    match (value(fields, "key"), value(fields, "user_id")) {
        (KEY, USER) => Ok(()),
        _ => Err((-101, "인증오류입니다.")),
    }
}

async fn send(State(shared): State<Arc<Shared>>, uri: Uri, Form(fields): Form<Fields>) -> Response {
    let result = admitted(&fields).and_then(|()| {
        if *shared.broke.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err((-201, "전송가능 건수 부족"));
        }
        if value(&fields, "sender") != SENDER {
            return Err((-103, "발신번호가 등록되지 않았습니다."));
        }
        let to = value(&fields, "receiver");
        if !to.starts_with('0') || !to.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err((-102, "수신번호가 올바르지 않습니다."));
        }
        let (kind, title) = (value(&fields, "msg_type"), value(&fields, "title"));
        let limit = match kind {
            "SMS" if title.is_empty() => 90,
            "LMS" if fits(title, 44) => 2_000,
            _ => return Err((-104, "msg_type, title")),
        };
        let content = value(&fields, "msg");
        if content.is_empty() || !fits(content, limit) {
            return Err((-105, "메시지 내용의 길이가 올바르지 않습니다."));
        }
        let mut taken = shared.taken();
        let id = 123_456_000 + taken.len();
        taken.push(Taken {
            id,
            kind: kind.to_owned(),
            title: Some(title.to_owned()).filter(|title| !title.is_empty()),
            to: to.to_owned(),
            content: content.to_owned(),
            state: "전송중".to_owned(),
        });
        // Numbers as the examples of the specification have them: as text.
        Ok(
            json!({ "result_code": "1", "message": "success", "msg_id": id.to_string(),
            "success_cnt": 1, "error_cnt": 0, "msg_type": kind }),
        )
    });
    answer(&shared, &uri, &fields, result)
}

async fn list(State(shared): State<Arc<Shared>>, uri: Uri, Form(fields): Form<Fields>) -> Response {
    let result = admitted(&fields).and_then(|()| {
        let taken = shared.taken();
        let mid = value(&fields, "mid");
        let found = taken.iter().find(|one| one.id.to_string() == mid);
        let found = found.ok_or((-804, "no such mid"))?;
        Ok(json!({ "result_code": 1, "message": "success", "next_yn": "N",
            "list": [{ "mdid": "1", "type": found.kind, "receiver": found.to, "sms_state": found.state }] }))
    });
    answer(&shared, &uri, &fields, result)
}

/// What EUC-KR lacks would become a question mark on the phone.
fn fits(text: &str, limit: usize) -> bool {
    let (bytes, _, replaced) = EUC_KR.encode(text);
    !replaced && bytes.len() <= limit
}

fn answer(shared: &Shared, uri: &Uri, fields: &Fields, result: Result<Value, Refusal>) -> Response {
    let body = fields
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let (outcome, reply) = match result {
        Ok(reply) => (Outcome::Accepted, reply),
        Err((code, message)) => {
            let outcome = Outcome::Refused {
                status: 200,
                reason: message.to_owned(),
            };
            (outcome, json!({ "result_code": code, "message": message }))
        }
    };
    shared.journal.note(&uri.to_string(), body, outcome);
    Json(reply).into_response()
}
