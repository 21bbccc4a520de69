//! A stand-in for a dead-man's switch: a service outside that alarms when it is not called in time.
//!
//! Written from Healthchecks' pinging API: a check has an address `/ping/<uuid>` that takes HEAD, GET and POST and answers
//! 200 `OK`; an unknown check is 404. A check that was called is up; after its period and its grace time without a call it
//! is down.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::any;

use crate::fake::{Journal, Server};

/// The check that it knows.
pub const CHECK: &str = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278";

/// The running stand-in.
#[derive(Debug)]
pub struct DeadMan {
    server: Server,
    calls: Calls,
    patience: Duration,
}

type Calls = Arc<Mutex<Vec<Instant>>>;

impl DeadMan {
    /// Starts it with a check that is down after so long (period and grace time) without a call.
    pub async fn start(patience: Duration) -> Self {
        let calls = Calls::default();
        let routes = Router::new()
            .route("/ping/{check}", any(ping))
            .with_state(Arc::clone(&calls));
        let server = Server::start(routes, Journal::default()).await;
        Self {
            server,
            calls,
            patience,
        }
    }

    /// The address of its check.
    pub fn url(&self) -> String {
        format!("{}/ping/{CHECK}", self.server.url())
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether it alarms: it was called once, and not in time since.
    pub fn is_down(&self) -> bool {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let last = calls.last();
        last.is_some_and(|last| last.elapsed() > self.patience)
    }
}

async fn ping(
    State(calls): State<Calls>,
    method: Method,
    Path(check): Path<String>,
) -> (StatusCode, &'static str) {
    if ![Method::HEAD, Method::GET, Method::POST].contains(&method) {
        return (StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    }
    if check != CHECK {
        return (StatusCode::NOT_FOUND, "not found");
    }
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.push(Instant::now());
    (StatusCode::OK, "OK")
}
