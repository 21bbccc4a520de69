//! A stand-in for Opsgenie's Alert API: creating, acknowledging, closing, notes, priority, and what came of a request.
//!
//! Written from "Alert API" (docs.opsgenie.com/docs/alert-api): `Authorization: GenieKey`, 202 with a `requestId`, work
//! that is done afterwards, one open alert an alias. Where the reference cuts what is too long, the stand-in refuses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::fake::{Journal, Outcome, Server, served_by};

/// The key of an API integration, of the form of the documentation's examples.
pub const KEY: &str = "eb243592-faa2-4ba2-a551-1afdf565c889";

/// An alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    /// `open`, `acknowledged` or `closed`.
    pub state: String,
    /// Its message.
    pub message: String,
    /// Its priority.
    pub priority: String,
    /// How often it was created while it was open.
    pub count: u32,
    /// Its notes.
    pub notes: Vec<String>,
}

/// The running stand-in.
#[derive(Debug)]
pub struct Opsgenie {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    alerts: Mutex<BTreeMap<String, Alert>>,
    /// What came of each request, from 0; none while it waits.
    requests: Mutex<Vec<Option<Result<String, String>>>>,
    waits: Mutex<bool>,
}

type Refusal = (StatusCode, String);

impl Opsgenie {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/v2/alerts", post(create))
            .route("/v2/alerts/requests/{id}", get(request))
            .route("/v2/alerts/{alias}/priority", put(priority))
            .route("/v2/alerts/{alias}/{what}", post(act))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// The alerts by their alias.
    pub fn alerts(&self) -> BTreeMap<String, Alert> {
        self.shared.alerts().clone()
    }

    /// Whether what came of a request is kept back: 404 when it is asked for.
    pub fn wait(&self, waits: bool) {
        *self
            .shared
            .waits
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = waits;
    }
}

impl Shared {
    fn alerts(&self) -> MutexGuard<'_, BTreeMap<String, Alert>> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request, and does what it asks.
    fn take(&self, done: Result<String, String>) -> String {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(Some(done));
        format!("43a29c5c-3dbf-4fa4-9c26-{:012}", requests.len() - 1)
    }
}

served_by!(Opsgenie);

fn admitted(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    match given.and_then(|text| text.strip_prefix("GenieKey ")) {
        Some(KEY) => Ok(()),
        Some(_) => Err((StatusCode::FORBIDDEN, "API Key does not exist".to_owned())),
        None => Err((
            StatusCode::UNAUTHORIZED,
            "Could not authenticate".to_owned(),
        )),
    }
}

fn invalid(what: &str) -> Refusal {
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("Request body is not processable: {what}"),
    )
}

fn at_most(body: &Value, name: &str, most: usize) -> Result<String, Refusal> {
    let text = body[name].as_str().unwrap_or_default();
    if text.chars().count() > most {
        return Err(invalid(&format!("{name} has at most {most} characters")));
    }
    Ok(text.to_owned())
}

async fn create(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = admitted(&headers).and_then(|()| {
        let message = at_most(&body, "message", 130)?;
        if message.is_empty() {
            return Err(invalid("message cannot be empty"));
        }
        let alias = at_most(&body, "alias", 512)?;
        at_most(&body, "description", 15_000)?;
        at_most(&body, "entity", 512)?;
        at_most(&body, "source", 100)?;
        let tags = body["tags"].as_array().cloned().unwrap_or_default();
        let fits = |tag: &Value| {
            tag.as_str()
                .is_some_and(|tag| (1..=50).contains(&tag.chars().count()))
        };
        if tags.len() > 20 || !tags.iter().all(fits) {
            return Err(invalid("tags are 20 of 50 characters"));
        }
        let details = body["details"].as_object().cloned().unwrap_or_default();
        let texts = details.iter().map(|(key, value)| {
            value
                .as_str()
                .map(|value| key.len() + value.chars().count())
        });
        if texts
            .sum::<Option<usize>>()
            .is_none_or(|length| length > 8_000)
        {
            return Err(invalid("details are texts of 8000 characters"));
        }
        let priority = body["priority"].as_str().unwrap_or("P3");
        if !["P1", "P2", "P3", "P4", "P5"].contains(&priority) {
            return Err(invalid("priority is P1 to P5"));
        }
        let mut alerts = shared.alerts();
        let alert = alerts.entry(alias).or_default();
        if matches!(alert.state.as_str(), "open" | "acknowledged") {
            alert.count += 1;
        } else {
            let notes = std::mem::take(&mut alert.notes);
            *alert = Alert {
                state: "open".to_owned(),
                message,
                priority: priority.to_owned(),
                count: 1,
                notes,
            };
        }
        Ok(shared.take(Ok("Created alert".to_owned())))
    });
    answer(&shared, &uri, body, result)
}

async fn act(
    State(shared): State<Arc<Shared>>,
    Path((alias, what)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = admitted(&headers).and_then(|()| {
        by_alias(&query)?;
        at_most(&body, "user", 100)?;
        at_most(&body, "source", 100)?;
        let note = at_most(&body, "note", 25_000)?;
        let state = match what.as_str() {
            "acknowledge" => Some("acknowledged"),
            "close" => Some("closed"),
            "notes" if !note.is_empty() => None,
            "notes" => return Err(invalid("note cannot be empty")),
            _ => return Err((StatusCode::NOT_FOUND, "No such action".to_owned())),
        };
        let mut alerts = shared.alerts();
        let open = alerts
            .get_mut(&alias)
            .filter(|alert| alert.state != "closed");
        let done = open.map(|alert| {
            if let Some(state) = state {
                state.clone_into(&mut alert.state);
            }
            alert.notes.extend((!note.is_empty()).then_some(note));
            format!("{what} done")
        });
        Ok(shared.take(done.ok_or_else(|| "Alert does not exist".to_owned())))
    });
    answer(&shared, &uri, body, result)
}

async fn priority(
    State(shared): State<Arc<Shared>>,
    Path(alias): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = admitted(&headers).and_then(|()| {
        by_alias(&query)?;
        let priority = at_most(&body, "priority", 2)?;
        let mut alerts = shared.alerts();
        let found = alerts.get_mut(&alias).map(|alert| {
            alert.priority = priority;
            "Updated priority".to_owned()
        });
        Ok(shared.take(found.ok_or_else(|| "Alert does not exist".to_owned())))
    });
    answer(&shared, &uri, body, result)
}

fn by_alias(query: &BTreeMap<String, String>) -> Result<(), Refusal> {
    match query.get("identifierType").map(String::as_str) {
        Some("alias") => Ok(()),
        _ => Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            "Id is not valid".to_owned(),
        )),
    }
}

async fn request(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err((status, message)) = admitted(&headers) {
        return (status, Json(json!({ "message": message }))).into_response();
    }
    let waits = *shared.waits.lock().unwrap_or_else(PoisonError::into_inner);
    let requests = shared
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let at = id
        .rsplit('-')
        .next()
        .and_then(|number| number.parse::<usize>().ok());
    let found = at
        .and_then(|at| requests.get(at))
        .filter(|_| !waits)
        .cloned()
        .flatten();
    match found {
        Some(done) => {
            let (success, status) = match done {
                Ok(status) => (true, status),
                Err(status) => (false, status),
            };
            Json(json!({
                "data": { "success": success, "isSuccess": success, "status": status },
                "took": 0.012, "requestId": id,
            }))
            .into_response()
        }
        None => {
            let said = json!({ "message": "Request not found. It might not be processed, yet." });
            (StatusCode::NOT_FOUND, Json(said)).into_response()
        }
    }
}

fn answer(shared: &Shared, uri: &Uri, body: Value, result: Result<String, Refusal>) -> Response {
    let (outcome, response) = match result {
        Ok(id) => {
            let said =
                json!({ "result": "Request will be processed", "took": 0.302, "requestId": id });
            (
                Outcome::Accepted,
                (StatusCode::ACCEPTED, Json(said)).into_response(),
            )
        }
        Err((status, reason)) => {
            let said = json!({ "message": reason, "took": 0.001 });
            let outcome = Outcome::Refused {
                status: status.as_u16(),
                reason,
            };
            (outcome, (status, Json(said)).into_response())
        }
    };
    shared.journal.note(&uri.to_string(), body, outcome);
    response
}
