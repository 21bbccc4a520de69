//! The state of one incident.

use super::hold::Hold;
use super::message::{IncidentSummary, Purpose, Recipient};
use super::own_rules::FollowUp;
use super::words::{Actor, ChannelKind, Status};
use model::{AlertEvent, IncidentId, Priority, TenantId, Timestamp};

/// Everything that decisions about one incident need. The store keeps it between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Partition of the tenant's topic that decides it; "caught up" is said of it.
    pub partition: u32,
    /// Name of the template.
    pub template: String,
    /// What it is about, sorted by key.
    pub group: Vec<(String, String)>,
    /// Environment, where known.
    pub env: Option<String>,
    /// One line, English.
    pub title: String,
    /// One line, Korean.
    pub title_ko: Option<String>,
    /// Why, in one sentence.
    pub why: String,
    /// Unit of value and threshold.
    pub unit: String,
    /// Link to the runbook.
    pub runbook: Option<String>,
    /// The latest value.
    pub value: Option<f64>,
    /// The threshold that it was held against.
    pub threshold: Option<f64>,
    /// How urgent it is; of one that is over, how urgent it was at the most.
    pub priority: Priority,
    /// The highest priority since it was opened.
    pub peak: Priority,
    /// Event time of its first firing.
    pub started_at: Timestamp,
    /// When it was opened here, the last time.
    pub opened_at: Timestamp,
    /// Where it is in its life.
    pub status: Status,
    /// Whether its condition holds, as the evaluator sees it.
    pub firing: bool,
    /// Who has it, since when. Kept when it is closed.
    pub acknowledged: Option<(Actor, Timestamp)>,
    /// When it was closed, and by whom if by hand.
    pub closed: Option<(Option<Actor>, Timestamp)>,
    /// Closed by hand until its condition is over.
    pub until_resolved: bool,
    /// The last sequence that was applied; 0 for none.
    pub last_sequence: u64,
    /// Counts the changes.
    pub revision: u64,
    /// Counts the deliveries decided, so that they keep their order.
    pub deliveries: u64,
    /// Where its escalation is.
    pub escalation: Escalation,
    /// When the acknowledgement runs out.
    pub ack_runs_out_at: Option<Timestamp>,
    /// When it reopens if its condition still holds.
    pub reopens_at: Option<Timestamp>,
    /// A late event waits until this for the word that the evaluator caught up.
    pub catches_up_at: Option<Timestamp>,
    /// Whom somebody gave it to.
    pub assigned: Option<Actor>,
    /// A person set its priority; the evaluator's word alone does not lower it.
    pub pinned: bool,
    /// What holds it back.
    pub hold: Option<Hold>,
    /// What its tenant groups it by.
    pub grouped_by: Option<String>,
    /// When, as the leader of a group, it tells of those that joined.
    pub digest_at: Option<Timestamp>,
    /// What the own rules of those who were paged have still to send, sorted.
    pub follow_ups: Vec<FollowUp>,
    /// Who heard of it and has not heard of its end, sorted.
    pub told: Vec<Told>,
}

/// Where the escalation of an incident is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// Why this run of the policy began.
    pub opening: Purpose,
    /// How often the steps were begun again.
    pub round: u32,
    /// Who is told next; none when nobody is.
    pub target: Option<Target>,
    /// When. None while somebody has the incident, or it is closed.
    pub at: Option<Timestamp>,
    /// Somebody was paged in this run.
    pub paged: bool,
    /// The revision that paged the step whose answer is waited for.
    pub step_revision: Option<u64>,
    /// The last attempt reached nobody at all.
    pub nobody: bool,
    /// `at` is the end of a silence; when that ends earlier, the page goes out earlier.
    pub held: bool,
}

/// Who is told next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A step of the policy, from 0.
    Step(u32),
    /// Everyone in the policy, because it ran out.
    Everyone,
}

/// Somebody who heard of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Told {
    /// Over which channel.
    pub channel: ChannelKind,
    /// Who and where.
    pub recipient: Recipient,
}

impl Told {
    /// Whether it is somebody, and not a room.
    pub(super) fn is_a_person(&self) -> bool {
        self.recipient.contact.is_some()
    }
}

impl Incident {
    /// An incident of which nothing was applied yet; the event's facts, and closed.
    pub fn unseen(event: &AlertEvent) -> Self {
        Self {
            id: event.incident_id,
            tenant: event.tenant.clone(),
            partition: event.partition,
            template: event.template.clone(),
            group: event.group.clone(),
            env: event.env.clone(),
            title: event.title.clone(),
            title_ko: event.title_ko.clone(),
            why: event.why.clone(),
            unit: event.unit.clone(),
            runbook: event.runbook.clone(),
            value: event.value,
            threshold: event.threshold,
            priority: event.priority.unwrap_or(Priority::P3),
            peak: event.priority.unwrap_or(Priority::P3),
            started_at: event.started_at,
            opened_at: event.started_at,
            status: Status::Closed,
            firing: false,
            acknowledged: None,
            closed: None,
            until_resolved: false,
            last_sequence: 0,
            revision: 0,
            deliveries: 0,
            escalation: Escalation::idle(),
            ack_runs_out_at: None,
            reopens_at: None,
            catches_up_at: None,
            assigned: None,
            pinned: false,
            hold: None,
            grouped_by: None,
            digest_at: None,
            follow_ups: Vec::new(),
            told: Vec::new(),
        }
    }

    /// When something is to be done without anybody asking.
    pub fn due_at(&self) -> Option<Timestamp> {
        [
            self.escalation.at,
            self.ack_runs_out_at,
            self.reopens_at,
            self.catches_up_at,
            self.hold.as_ref().map(|hold| hold.until),
            self.digest_at,
            self.follows_up_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// As messages and screens show it.
    pub fn summary(&self) -> IncidentSummary {
        IncidentSummary {
            id: self.id,
            tenant: self.tenant.clone(),
            template: self.template.clone(),
            group: self.group.clone(),
            env: self.env.clone(),
            priority: self.priority,
            status: self.status,
            firing: self.firing,
            title: self.title.clone(),
            title_ko: self.title_ko.clone(),
            why: self.why.clone(),
            value: self.value,
            threshold: self.threshold,
            unit: self.unit.clone(),
            runbook: self.runbook.clone(),
            started_at: self.started_at,
            opened_at: self.opened_at,
            acknowledged: self.acknowledged.clone(),
            closed: self.closed.clone(),
            due: match self.status {
                Status::Open => self
                    .escalation
                    .at
                    .or(self.catches_up_at)
                    .or(self.hold.as_ref().map(|hold| hold.until)),
                Status::Acknowledged => self
                    .ack_runs_out_at
                    .or(self.hold.as_ref().map(|hold| hold.until)),
                Status::Closed => self.reopens_at,
            },
            until_resolved: self.until_resolved,
            assigned: self.assigned.clone(),
            hold: self.hold.clone(),
            revision: self.revision,
        }
    }

    pub(super) fn is_told(&self, channel: ChannelKind, address: &str) -> bool {
        self.told
            .iter()
            .any(|told| told.channel == channel && told.recipient.address == address)
    }
}

impl Escalation {
    /// Nobody is to be told.
    pub const fn idle() -> Self {
        Self {
            opening: Purpose::Firing,
            round: 0,
            target: None,
            at: None,
            paged: false,
            step_revision: None,
            nobody: false,
            held: false,
        }
    }
}
