//! A stand-in for Twilio: messages, calls, their states, and the signed requests that it sends.
//!
//! Written from Twilio's reference: the resources Message and Call of the API version 2010-04-01,
//! the TwiML verbs Say and Gather, "Webhooks security", and the directory of errors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::fake::{Journal, Outcome, Server, served_by};
use crate::web;

/// The account that it knows.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// The account's auth token.
pub const TOKEN: &str = "bongsu-tests-twilio-auth-token-01";
/// The number that the account owns.
pub const NUMBER: &str = "+15005550006";

/// A message or a call that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// `SM...` or `CA...`.
    pub sid: String,
    /// The recipient's number.
    pub to: String,
    /// The text of a message, or the TwiML of a call.
    pub content: String,
    /// Where its states are told.
    pub callback: Option<String>,
    /// What its `status` is.
    pub status: String,
}

/// The running stand-in.
#[derive(Debug)]
pub struct Twilio {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    token: Mutex<String>,
    taken: Mutex<Vec<Taken>>,
}

impl Twilio {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        TOKEN.clone_into(&mut shared.token.lock().expect("not poisoned"));
        let account = "/2010-04-01/Accounts/{account}";
        let routes = Router::new()
            .route(&format!("{account}/Messages.json"), post(message))
            .route(&format!("{account}/Calls.json"), post(call))
            .route(&format!("{account}/Messages/{{file}}"), get(show))
            .route(&format!("{account}/Calls/{{file}}"), get(show))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// From now on only this auth token is known, and signs.
    pub fn rotate(&self, token: &str) {
        token.clone_into(&mut self.shared.token());
    }

    /// The messages and calls that were taken, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken().clone()
    }

    /// Waits for a message or call that `wanted` says yes to.
    ///
    /// # Panics
    /// When none came before the deadline.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut wanted: impl FnMut(&Taken) -> bool,
    ) -> Taken {
        let found = crate::wait::until(deadline, async || {
            Ok(self.taken().into_iter().find(|one| wanted(one)))
        })
        .await;
        found.unwrap_or_else(|error| {
            panic!(
                "Twilio got no {what}: {error:#}\n{}",
                self.shared.journal.describe()
            )
        })
    }

    /// Sets the state that a message or call answers with, without telling anybody.
    ///
    /// # Panics
    /// When there is none of that sid.
    pub fn set(&self, sid: &str, status: &str) {
        let mut taken = self.shared.taken();
        let found = taken.iter_mut().find(|one| one.sid == sid);
        status.clone_into(&mut found.expect("it was taken").status);
    }

    /// Tells the state to where the request said.
    ///
    /// # Errors
    /// When nobody answers there, or no callback was named.
    pub async fn tell(&self, taken: &Taken, status: &str) -> Result<StatusCode> {
        let url = taken.callback.as_deref().context("a callback")?;
        let (sid, state) = match taken.sid.starts_with("SM") {
            true => ("MessageSid", "MessageStatus"),
            false => ("CallSid", "CallStatus"),
        };
        let fields = [
            ("AccountSid", ACCOUNT),
            ("From", NUMBER),
            ("To", &taken.to),
            (sid, &taken.sid),
            (state, status),
        ];
        Ok(self.signed(url, &fields).await?.0)
    }

    /// The person at the phone presses a digit: what the voice then says, as TwiML.
    ///
    /// # Errors
    /// When nobody answers there, or the call takes no digits.
    pub async fn press(&self, call: &Taken, digit: &str) -> Result<(StatusCode, String)> {
        let action = action(&call.content).context("a <Gather> with an action")?;
        let fields = [
            ("AccountSid", ACCOUNT),
            ("CallSid", &call.sid),
            ("CallStatus", "in-progress"),
            ("Digits", digit),
            ("From", NUMBER),
            ("To", &call.to),
            ("msg", "Gather End"),
        ];
        self.signed(&action, &fields).await
    }

    /// Sends a request as Twilio signs it.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn signed(&self, url: &str, fields: &[(&str, &str)]) -> Result<(StatusCode, String)> {
        let signature = sign(&self.shared.token(), url, fields);
        send(url, fields, &signature).await
    }
}

/// Sends a request of Twilio's form with that signature.
///
/// # Errors
/// When nobody answers there.
pub async fn send(
    url: &str,
    fields: &[(&str, &str)],
    signature: &str,
) -> Result<(StatusCode, String)> {
    let request = web::client()
        .post(url)
        .header("X-Twilio-Signature", signature);
    let answer = request.form(fields).send().await?;
    let status = StatusCode::from_u16(answer.status().as_u16())?;
    Ok((status, answer.text().await?))
}

/// The value of `X-Twilio-Signature`.
pub fn sign(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    let text: String = sorted
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    mac.update(format!("{url}{text}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Where a call sends its digits.
fn action(twiml: &str) -> Option<String> {
    let rest = twiml.split_once("action=\"")?.1;
    let (url, _) = rest.split_once('"')?;
    Some(url.replace("&amp;", "&"))
}

served_by!(Twilio);

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self) -> MutexGuard<'_, String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Fields = Vec<(String, String)>;
type Refusal = (StatusCode, u32, String);

async fn message(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let result = admitted(&shared, &account, &headers).and_then(|()| {
        let body = need(&fields, "Body", 21602)?;
        if body.chars().count() > 1_600 {
            return Err(bad(
                21617,
                "The concatenated message body exceeds the 1600 character limit",
            ));
        }
        take(&shared, &fields, "SM", body)
    });
    answer(&shared, &uri, &fields, result)
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let result = admitted(&shared, &account, &headers).and_then(|()| {
        let twiml = need(&fields, "Twiml", 21205)?;
        if twiml.chars().count() > 4_000 {
            return Err(bad(21205, "Twiml is longer than 4000 characters"));
        }
        well_formed(twiml).map_err(|why| bad(12100, &format!("Document parse failure: {why}")))?;
        take(&shared, &fields, "CA", twiml)
    });
    answer(&shared, &uri, &fields, result)
}

fn take(shared: &Shared, fields: &Fields, kind: &str, content: &str) -> Result<Value, Refusal> {
    let to = need(fields, "To", 21604)?;
    let digits = to.strip_prefix('+').unwrap_or_default();
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad(
            21211,
            &format!("The 'To' number {to} is not a valid phone number."),
        ));
    }
    if need(fields, "From", 21603)? != NUMBER {
        return Err(bad(
            21606,
            "The 'From' number is not a valid, SMS-capable number",
        ));
    }
    let mut taken = shared.taken();
    let sid = format!("{kind}{:032x}", taken.len() + 1);
    taken.push(Taken {
        sid: sid.clone(),
        to: to.to_owned(),
        content: content.to_owned(),
        callback: value(fields, "StatusCallback").map(str::to_owned),
        status: "queued".to_owned(),
    });
    Ok(json!({ "sid": sid, "account_sid": ACCOUNT, "status": "queued", "to": to }))
}

async fn show(
    State(shared): State<Arc<Shared>>,
    Path((account, file)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let result = admitted(&shared, &account, &headers).and_then(|()| {
        let sid = file.strip_suffix(".json").unwrap_or_default();
        let taken = shared.taken();
        let found = taken.iter().find(|one| one.sid == sid);
        let found = found.ok_or((StatusCode::NOT_FOUND, 20404, "not found".to_owned()))?;
        let failed = matches!(found.status.as_str(), "failed" | "undelivered");
        let code = failed.then_some(30003);
        Ok(json!({ "sid": sid, "status": found.status, "error_code": code }))
    });
    let result = result.map(|body| (StatusCode::OK, Json(body)).into_response());
    result.unwrap_or_else(|refusal| refused(&shared, &uri, &Vec::new(), refusal))
}

fn admitted(shared: &Shared, account: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let right = STANDARD.encode(format!("{ACCOUNT}:{}", *shared.token()));
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if account != ACCOUNT || given != Some(&format!("Basic {right}")) {
        return Err((StatusCode::UNAUTHORIZED, 20003, "Authenticate".to_owned()));
    }
    Ok(())
}

fn answer(shared: &Shared, uri: &Uri, fields: &Fields, result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(body) => {
            shared
                .journal
                .note(&uri.to_string(), shown(fields), Outcome::Accepted);
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Err(refusal) => refused(shared, uri, fields, refusal),
    }
}

fn refused(shared: &Shared, uri: &Uri, fields: &Fields, refusal: Refusal) -> Response {
    let (status, code, message) = refusal;
    let outcome = Outcome::Refused {
        status: status.as_u16(),
        reason: message.clone(),
    };
    shared
        .journal
        .note(&uri.to_string(), shown(fields), outcome);
    let body = json!({ "code": code, "message": message, "status": status.as_u16(),
        "more_info": format!("https://www.twilio.com/docs/errors/{code}") });
    (status, Json(body)).into_response()
}

fn shown(fields: &Fields) -> Value {
    fields
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect()
}

fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

fn need<'a>(fields: &'a Fields, name: &str, code: u32) -> Result<&'a str, Refusal> {
    value(fields, name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| bad(code, &format!("A '{name}' is required.")))
}

fn bad(code: u32, message: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, code, message.to_owned())
}

/// Elements that Twilio knows, opened and closed in order, and nothing but text between.
fn well_formed(twiml: &str) -> Result<(), String> {
    let mut open = Vec::new();
    let mut rest = twiml;
    while let Some((text, behind)) = rest.split_once('<') {
        check_text(text)?;
        let (tag, after) = behind.split_once('>').ok_or("an open `<`")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if !["Response", "Say", "Gather", "Hangup"].contains(&name) {
            return Err(format!("<{name}> is unknown"));
        }
        if open.is_empty() != (name == "Response") {
            return Err("one <Response> around everything".to_owned());
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    match (open.is_empty(), rest.is_empty()) {
        (true, true) => Ok(()),
        _ => Err("it does not end".to_owned()),
    }
}

/// Text holds no bare ampersand and no control character.
fn check_text(text: &str) -> Result<(), String> {
    for behind in text.split('&').skip(1) {
        let entity = behind.split(';').next().unwrap_or_default();
        if !["amp", "lt", "gt", "quot", "apos"].contains(&entity) {
            return Err(format!("&{entity} is no entity"));
        }
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("U+{:04X} is no text", u32::from(c))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "Webhooks security".
    #[test]
    fn a_signature_is_the_published_one() {
        let fields = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+12349013030"),
            ("Digits", "1234"),
            ("From", "+12349013030"),
            ("To", "+18005551212"),
        ];
        assert_eq!(
            sign(
                "12345",
                "https://mycompany.com/myapp.php?foo=1&bar=2",
                &fields
            ),
            "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
        );
    }

    #[test]
    fn only_what_twilio_can_read_is_twiml() {
        for (twiml, fits) in [
            ("<Response><Say>a &amp; b</Say></Response>", true),
            ("<Response><Hangup/></Response>", true),
            ("<Response><Say>a & b</Say></Response>", false),
            ("<Response><Say>a</Response></Say>", false),
            ("<Say>a</Say>", false),
            ("<Response><Dial>1</Dial></Response>", false),
            ("<Response><Say>a\u{7}</Say></Response>", false),
        ] {
            assert_eq!(well_formed(twiml).is_ok(), fits, "{twiml}");
        }
    }
}
