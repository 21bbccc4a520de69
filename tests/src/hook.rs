//! A stand-in for whoever takes webhooks, with a room of Microsoft Teams beside.
//!
//! The room takes what a Workflow's "When a Teams webhook request is received" takes: at most 28 KB, a
//! message with one Adaptive Card of a version that Teams knows; it answers 202.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde_json::Value;

use crate::fake::{Journal, Outcome, Server, served_by};

/// A request that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Where it came.
    pub path: String,
    /// Its headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Taken {
    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

/// The running stand-in.
#[derive(Debug)]
pub struct Hook {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    taken: Mutex<Vec<Taken>>,
}

impl Hook {
    /// Starts it on a free port: `/teams` is a room, anything else takes anything.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/teams", post(teams))
            .fallback(any(take))
            .with_state(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// The requests that were taken, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken().clone()
    }
}

served_by!(Hook);

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, uri: &Uri, headers: &HeaderMap, body: &Bytes) {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.to_str().unwrap_or_default();
            (name.as_str().to_owned(), value.to_owned())
        });
        self.taken().push(Taken {
            path: uri.path().to_owned(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        });
        self.journal
            .note(&uri.to_string(), Value::Null, Outcome::Accepted);
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.keep(&uri, &headers, &body);
    if let Some(to) = uri.path().strip_prefix("/redirect/") {
        let to = format!("/{to}");
        return (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response();
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn teams(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match card(&body) {
        Ok(()) => {
            shared.keep(&uri, &headers, &body);
            StatusCode::ACCEPTED.into_response()
        }
        Err(reason) => {
            let outcome = Outcome::Refused {
                status: 400,
                reason: reason.clone(),
            };
            shared.journal.note(&uri.to_string(), Value::Null, outcome);
            (StatusCode::BAD_REQUEST, reason).into_response()
        }
    }
}

fn card(body: &[u8]) -> Result<(), String> {
    if body.len() > 28 << 10 {
        return Err(format!("{} bytes, of at most 28 KB", body.len()));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let attachments = body["attachments"].as_array().ok_or("attachments")?;
    let [one] = attachments.as_slice() else {
        return Err("one attachment".to_owned());
    };
    let card = &one["content"];
    if body["type"] != "message"
        || one["contentType"] != "application/vnd.microsoft.card.adaptive"
        || card["type"] != "AdaptiveCard"
    {
        return Err("a message with an Adaptive Card".to_owned());
    }
    if !["1.2", "1.3", "1.4", "1.5"].contains(&card["version"].as_str().unwrap_or_default()) {
        return Err("a version that Teams knows".to_owned());
    }
    for part in card["body"].as_array().into_iter().flatten() {
        let fits = match part["type"].as_str() {
            Some("TextBlock") => part["text"].is_string(),
            Some("FactSet") => part["facts"].as_array().is_some_and(|facts| {
                facts
                    .iter()
                    .all(|fact| fact["title"].is_string() && fact["value"].is_string())
            }),
            _ => false,
        };
        if !fits {
            return Err(format!("an element of the card: {part}"));
        }
    }
    for action in card["actions"].as_array().into_iter().flatten() {
        let url = action["url"].as_str().unwrap_or_default();
        if action["type"] != "Action.OpenUrl" || !url.starts_with("https://") {
            return Err(format!("an action of the card: {action}"));
        }
    }
    Ok(())
}
