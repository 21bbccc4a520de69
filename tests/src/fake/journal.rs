//! Everything that was asked of a stand-in, with what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::faults::Fault;

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The provider took it.
    Accepted,
    /// The provider refused it for what it was.
    Refused {
        /// The HTTP status of the answer.
        status: u16,
        /// The provider's code or words for it.
        reason: String,
    },
    /// A fault that the test had asked for; the body was not looked at.
    Faulted(Fault),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was answered.
    pub at: Instant,
    /// Its path, with the query where there was one.
    pub path: String,
    /// Its body; null where it was no JSON.
    pub body: Value,
    /// What became of it.
    pub outcome: Outcome,
}

/// The requests so far, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<Entry>>>);

impl Journal {
    /// All of them.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Those the provider refused.
    pub fn refused(&self) -> Vec<Entry> {
        self.of(|outcome| matches!(outcome, Outcome::Refused { .. }))
    }

    /// Those the provider took.
    pub fn accepted(&self) -> Vec<Entry> {
        self.of(|outcome| *outcome == Outcome::Accepted)
    }

    /// Waits for a request, whatever its outcome, that `wanted` says yes to; one that is there
    /// already counts.
    ///
    /// # Panics
    /// When none came before the deadline; the message lists those that did.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut wanted: impl FnMut(&Entry) -> bool,
    ) -> Entry {
        let found = crate::wait::until(deadline, async || {
            Ok(self.lock().iter().find(|entry| wanted(entry)).cloned())
        })
        .await;
        found
            .unwrap_or_else(|error| panic!("no request for {what}: {error:#}\n{}", self.describe()))
    }

    /// The requests in words, one a line.
    pub fn describe(&self) -> String {
        let entries = self.lock();
        let lines: Vec<_> = entries
            .iter()
            .map(|entry| format!("  {} {:?} {}", entry.path, entry.outcome, entry.body))
            .collect();
        format!("{} requests so far:\n{}", lines.len(), lines.join("\n"))
    }

    pub(crate) fn note(&self, path: &str, body: Value, outcome: Outcome) {
        let entry = Entry {
            at: Instant::now(),
            path: path.to_owned(),
            body,
            outcome,
        };
        self.lock().push(entry);
    }

    pub(super) fn faulted(&self, path: &str, fault: Fault) {
        self.note(path, Value::Null, Outcome::Faulted(fault));
    }

    fn of(&self, wanted: impl Fn(&Outcome) -> bool) -> Vec<Entry> {
        self.lock()
            .iter()
            .filter(|entry| wanted(&entry.outcome))
            .cloned()
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
