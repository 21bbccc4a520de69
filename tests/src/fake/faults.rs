//! Faults that a test asks a provider to have.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

/// One misbehaviour towards one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Answers with this status without doing anything.
    Status {
        /// The HTTP status.
        status: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
    },
    /// Does its work after this time.
    Slow(Duration),
    /// Never answers, and does nothing.
    Hang,
    /// Resets the connection, and does nothing.
    Reset,
    /// Does its work, and resets the connection instead of answering.
    ResetAfterAccepting,
    /// Does its work, and never answers.
    HangAfterAccepting,
}

impl Fault {
    /// 429 with a `Retry-After` of so many seconds.
    pub fn too_many_requests(retry_after: u64) -> Self {
        Self::Status {
            status: 429,
            retry_after: Some(retry_after),
        }
    }

    /// A bare status such as 500 or 503.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self::Status {
            status,
            retry_after,
        } = self
        else {
            unreachable!("only a status is an answer")
        };
        let status = StatusCode::from_u16(status).expect("a test injects a valid status");
        match retry_after {
            Some(seconds) => (status, [(RETRY_AFTER, seconds.to_string())]).into_response(),
            None => status.into_response(),
        }
    }
}

/// The faults to come, first in first out.
#[derive(Debug, Default)]
pub struct Faults(Mutex<VecDeque<(String, Fault)>>);

impl Faults {
    /// The next `times` requests get `fault`.
    pub fn next(&self, times: usize, fault: Fault) {
        self.next_on("", times, fault);
    }

    /// The next `times` requests whose path holds `part` get `fault`.
    pub fn next_on(&self, part: &str, times: usize, fault: Fault) {
        let faults = std::iter::repeat_n((part.to_owned(), fault), times);
        self.lock().extend(faults);
    }

    /// Forgets the faults that have not happened yet: the provider is well again.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn take(&self, path: &str) -> Option<Fault> {
        let mut faults = self.lock();
        let at = faults
            .iter()
            .position(|(part, _)| path.contains(part.as_str()))?;
        faults.remove(at).map(|(_, fault)| fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(String, Fault)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
