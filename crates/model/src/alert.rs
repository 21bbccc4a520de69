//! What the evaluator says on `bongsu.alerts`.

use crate::{EventId, IncidentId, Priority, TenantId, Timestamp};

/// What happened to an incident, as the evaluator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertKind {
    /// The condition holds: a new incident.
    Firing,
    /// It fires again within 10 minutes of its recovery: the same incident.
    Reopened,
    /// A higher rung latched.
    Raised,
    /// A higher rung recovered while a lower one still holds. Notifies nobody.
    Lowered,
    /// The condition is over.
    Resolved,
    /// Nothing was heard for so long that it is closed without a recovery.
    Expired,
    /// Held back because the rule flaps; pages nobody.
    Flapping,
    /// Held back for another reason; pages nobody.
    Held,
    /// Held back because what it depends on is down; pages nobody.
    Inhibited,
}

impl AlertKind {
    /// The word on the wire and on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reopened => "reopened",
            Self::Raised => "raised",
            Self::Lowered => "lowered",
            Self::Resolved => "resolved",
            Self::Expired => "expired",
            Self::Flapping => "flapping",
            Self::Held => "held",
            Self::Inhibited => "inhibited",
        }
    }
}

/// One step in the life of an incident, decided by the evaluator.
///
/// Its bytes are a function of the partition's log: nothing in it depends on when or where it was computed.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertEvent {
    /// hash(incident, sequence).
    pub event_id: EventId,
    /// hash(fingerprint, clock step, first firing).
    pub incident_id: IncidentId,
    /// Counts the events of the incident from 1.
    pub sequence: u64,
    /// Whose host it is; from the topic.
    pub tenant: TenantId,
    /// Partition of the tenant's topic that decided it.
    pub partition: u32,
    /// Name of the template.
    pub template: String,
    /// The group's tags, sorted by key; always holds `host`.
    pub group: Vec<(String, String)>,
    /// What happened.
    pub kind: AlertKind,
    /// The priority that is shown (after the environment cap); none when resolved or expired.
    pub priority: Option<Priority>,
    /// The value that decided, in the template's unit; none where there is none (missing data).
    pub value: Option<f64>,
    /// The threshold that it was held against.
    pub threshold: Option<f64>,
    /// `percent`, `seconds`, ... as the template says; empty when it says nothing.
    pub unit: String,
    /// The grid point that decided it.
    pub at: Timestamp,
    /// Event time of the incident's first firing.
    pub started_at: Timestamp,
    /// Arrival of the record that decided it; delay is measured from it.
    pub arrival: Timestamp,
    /// `env` of the group's latest accepted point.
    pub env: Option<String>,
    /// One line for people, English: the template's title with its placeholders filled.
    pub title: String,
    /// The same in Korean, when the template has one.
    pub title_ko: Option<String>,
    /// Why: function, window, value, threshold, `for`, in one sentence.
    pub why: String,
    /// Link to the runbook, when the template names one.
    pub runbook: Option<String>,
}

/// Everything of a partition up to `offset` has been evaluated; events behind are recent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtUp {
    /// The tenant of the partition.
    pub tenant: TenantId,
    /// Partition of the tenant's topic.
    pub partition: u32,
    /// The last offset that was evaluated, or -1 for none.
    pub offset: i64,
    /// Arrival of that record.
    pub arrival: Timestamp,
}

/// A record of `bongsu.alerts`.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// A step in the life of an incident.
    Alert(Box<AlertEvent>),
    /// A control event.
    CaughtUp(CaughtUp),
}
