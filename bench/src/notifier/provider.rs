//! The provider at the end of the way: Slack's `chat.postMessage`, which only notes when a message came.

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use runtime::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What every title of the load begins with; a number of eight digits follows.
pub(super) const MARK: &str = "bench-event-";
const DIGITS: usize = 8;

/// The running provider.
#[derive(Debug)]
pub(super) struct Provider {
    url: String,
    seen: Arc<Seen>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Seen {
    clock: Clock,
    answers_after: Duration,
    /// When the first two messages about an event came, in nanoseconds since 1970.
    first: Mutex<HashMap<u64, [Option<i64>; 2]>>,
}

impl Provider {
    /// Starts it on a free port; it answers each request after `answers_after`.
    ///
    /// # Errors
    /// When no port is free.
    pub(super) async fn start(answers_after: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/api", listener.local_addr()?);
        let seen = Arc::new(Seen {
            clock: Clock::system(),
            answers_after,
            first: Mutex::default(),
        });
        let routes = Router::new()
            .fallback(any(take))
            .with_state(Arc::clone(&seen));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                eprintln!("the provider ended: {error}");
            }
        });
        Ok(Self { url, seen, server })
    }

    /// Where its API is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// When the first message about an event came; none when none did.
    pub(super) fn arrival(&self, event: u64) -> Option<i64> {
        let first = self.seen.first.lock();
        let first = first.unwrap_or_else(PoisonError::into_inner);
        first.get(&event)?[0]
    }

    /// When the second message about an event came; none when none did.
    pub(super) fn second(&self, event: u64) -> Option<i64> {
        let first = self.seen.first.lock();
        let first = first.unwrap_or_else(PoisonError::into_inner);
        first.get(&event)?[1]
    }

    /// About how many events a message came.
    pub(super) fn count(&self) -> usize {
        let first = self.seen.first.lock();
        first.unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(seen): State<Arc<Seen>>, uri: Uri, body: String) -> Response {
    let now = seen.clock.now_nanos();
    // What changes a message that was sent is none.
    let sends = uri.path().ends_with("/chat.postMessage");
    if let Some(event) = event_of(&body).filter(|_| sends) {
        let mut first = seen.first.lock().unwrap_or_else(PoisonError::into_inner);
        let times = first.entry(event).or_default();
        if let Some(free) = times.iter_mut().find(|time| time.is_none()) {
            *free = Some(now);
        }
    }
    tokio::time::sleep(seen.answers_after).await;
    let answer = format!("{{\"ok\":true,\"channel\":\"C1\",\"ts\":\"{now}.1\"}}");
    ([("content-type", "application/json")], answer).into_response()
}

/// The number behind the mark.
fn event_of(body: &str) -> Option<u64> {
    let at = body.find(MARK)? + MARK.len();
    body.get(at..at + DIGITS)?.parse().ok()
}

/// The title of an event's incident.
pub(super) fn title(event: u64) -> String {
    format!("{MARK}{event:0DIGITS$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_in_what_is_said_of_it() {
        let said = format!("{{\"text\":\"[P1] {} on web-1\"}}", title(1_234));
        assert_eq!(event_of(&said), Some(1_234));
        assert_eq!(event_of("nothing of the kind"), None);
    }
}
