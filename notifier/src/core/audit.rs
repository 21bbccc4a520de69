//! The auditor's judgement, apart from the engine's own logic: it looks at the bare state.

use super::incident::Incident;
use super::words::Status;
use model::{Priority, Span, Timestamp};

/// How late the engine may be before it counts as stuck.
const OVERDUE: Span = Span::from_secs(60);

/// What is wrong with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing will ever happen to it, and it is not over.
    Orphaned,
    /// Something should have happened to it this long ago.
    Overdue(Span),
}

/// Looks at one incident. Only a P1 owes a future: it is never left to itself until it is closed.
pub fn audit(incident: &Incident, now: Timestamp) -> Option<Finding> {
    if incident.priority != Priority::P1 || incident.status == Status::Closed {
        return None;
    }
    match incident.due_at() {
        None => Some(Finding::Orphaned),
        Some(at) if now.since(at) > OVERDUE => Some(Finding::Overdue(now.since(at))),
        Some(_) => None,
    }
}
