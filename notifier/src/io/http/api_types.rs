//! What the API says and hears, as JSON.

use crate::commands::{Acted, DeliveryRecord, IncidentDetail, Listing, TimelineEntry};
use crate::core::{Actor, IncidentSummary};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which incidents to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// States, separated by commas: `open`, `acknowledged`, `closed`. Any when left out.
    pub(super) state: Option<String>,
    /// One tenant.
    pub(super) tenant: Option<String>,
    /// Priorities, separated by commas: `P1`, `P2`, `P3`. Any when left out.
    pub(super) priority: Option<String>,
    /// A text that title, host or template contains.
    pub(super) q: Option<String>,
    /// How many at most, 1 to 500; 50 when left out.
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
}

/// Who acknowledges.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AcknowledgeBody {
    /// The name that the timeline shows; `api` when left out.
    pub(super) by: Option<String>,
    /// Through what: `api` or `cli`.
    pub(super) via: Option<String>,
}

/// Who closes, and how.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CloseBody {
    /// The name that the timeline shows; `api` when left out.
    pub(super) by: Option<String>,
    /// Through what: `api` or `cli`.
    pub(super) via: Option<String>,
    /// Do not open it again after 10 minutes while its condition still holds.
    pub(super) until_resolved: bool,
}

/// An incident.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Incident {
    /// 32 hexadecimal digits.
    id: String,
    tenant: String,
    template: String,
    /// What it is about: tags.
    group: BTreeMap<String, String>,
    /// Environment of the host.
    env: Option<String>,
    /// `P1`, `P2` or `P3`.
    priority: &'static str,
    /// `open`, `acknowledged` or `closed`.
    state: &'static str,
    /// Whether its condition still holds.
    firing: bool,
    title: String,
    title_ko: Option<String>,
    /// Why it was decided, in one sentence.
    why: String,
    value: Option<f64>,
    threshold: Option<f64>,
    unit: String,
    runbook: Option<String>,
    /// Event time of the first firing, RFC 3339.
    started_at: String,
    /// When it was opened the last time.
    opened_at: String,
    acknowledged: Option<ActorAt>,
    closed: Option<ActorAt>,
    /// When escalation goes on by itself.
    due_at: Option<String>,
    /// Closed by hand until its condition is over.
    until_resolved: bool,
    /// Whom somebody gave it to.
    assigned: Option<String>,
    /// What holds it back: it is open and does not page.
    hold: Option<Hold>,
    /// Counts every change.
    revision: u64,
}

/// What holds an incident back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hold {
    /// `snoozed`, `merged`, `inhibited`, `grouped` or `waits`.
    kind: &'static str,
    /// The incident that explains or tells it.
    by: Option<String>,
    why: String,
    since: String,
    /// When it is looked at again, or ends.
    until: String,
}

/// Who did something, and when.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActorAt {
    /// None when it happened by itself.
    by: Option<String>,
    at: String,
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IncidentList {
    incidents: Vec<Incident>,
    /// The cursor of the next part; none at the end. A part of a search may hold few incidents, or none, before the end.
    next: Option<String>,
}

/// An incident with its timeline and deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IncidentWithAccount {
    #[serde(flatten)]
    incident: Incident,
    /// Oldest first.
    timeline: Vec<Entry>,
    /// Oldest first.
    deliveries: Vec<Delivery>,
}

/// An entry of a timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    /// From 1.
    ordinal: u64,
    at: String,
    /// A word for machines.
    kind: String,
    by: Option<String>,
    via: Option<&'static str>,
    text: String,
}

/// A delivery and its fate.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    /// 32 hexadecimal digits.
    id: String,
    purpose: &'static str,
    /// `chat` or `sms`.
    channel: &'static str,
    /// The person or room.
    to: String,
    /// The contact of the catalogue; none for a room.
    contact: Option<String>,
    /// `queued`, `sending`, `accepted`, `delivered`, `read`, `answered`, `failed` or `unknown`.
    fate: &'static str,
    reason: Option<String>,
    attempts: u32,
    possible_repeat: bool,
    /// What the provider calls it.
    reference: Option<String>,
    created_at: String,
    updated_at: String,
}

/// What an action came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionResult {
    /// False when there was nothing to do.
    changed: bool,
    /// Why there was nothing to do.
    why: Option<String>,
    incident: Incident,
}

/// RFC 3339 in UTC.
pub(super) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(at.as_nanos().into())
        .map_or_else(|_| at.as_nanos().to_string(), |at| at.to_string())
}

impl ActorAt {
    fn of(actor: Option<&Actor>, at: Timestamp) -> Self {
        Self {
            by: actor.map(|actor| actor.name.clone()),
            at: rfc3339(at),
        }
    }
}

impl From<IncidentSummary> for Incident {
    fn from(incident: IncidentSummary) -> Self {
        Self {
            id: incident.id.to_string(),
            tenant: incident.tenant.to_string(),
            template: incident.template,
            group: incident.group.into_iter().collect(),
            env: incident.env,
            priority: incident.priority.as_str(),
            state: incident.status.as_str(),
            firing: incident.firing,
            title: incident.title,
            title_ko: incident.title_ko,
            why: incident.why,
            value: incident.value,
            threshold: incident.threshold,
            unit: incident.unit,
            runbook: incident.runbook,
            started_at: rfc3339(incident.started_at),
            opened_at: rfc3339(incident.opened_at),
            acknowledged: incident
                .acknowledged
                .map(|(who, at)| ActorAt::of(Some(&who), at)),
            closed: incident
                .closed
                .map(|(who, at)| ActorAt::of(who.as_ref(), at)),
            due_at: incident.due.map(rfc3339),
            until_resolved: incident.until_resolved,
            assigned: incident.assigned.map(|actor| actor.name),
            hold: incident.hold.map(|hold| Hold {
                kind: hold.kind.as_str(),
                by: hold.by.map(|by| by.to_string()),
                why: hold.why,
                since: rfc3339(hold.since),
                until: rfc3339(hold.until),
            }),
            revision: incident.revision,
        }
    }
}

impl From<Listing> for IncidentList {
    fn from(listing: Listing) -> Self {
        Self {
            incidents: listing.incidents.into_iter().map(Incident::from).collect(),
            next: listing.next,
        }
    }
}

impl From<IncidentDetail> for IncidentWithAccount {
    fn from(detail: IncidentDetail) -> Self {
        Self {
            incident: detail.incident.into(),
            timeline: detail.timeline.into_iter().map(Entry::from).collect(),
            deliveries: detail.deliveries.into_iter().map(Delivery::from).collect(),
        }
    }
}

impl From<TimelineEntry> for Entry {
    fn from(entry: TimelineEntry) -> Self {
        let (by, via) = match entry.actor {
            Some((actor, via)) => (Some(actor.name), Some(via.as_str())),
            None => (None, None),
        };
        Self {
            ordinal: entry.ordinal,
            at: rfc3339(entry.at),
            kind: entry.kind,
            by,
            via,
            text: entry.text,
        }
    }
}

impl From<DeliveryRecord> for Delivery {
    fn from(delivery: DeliveryRecord) -> Self {
        Self {
            id: delivery.id.to_string(),
            purpose: delivery.purpose.as_str(),
            channel: delivery.channel.as_str(),
            to: delivery.recipient.name,
            contact: delivery.recipient.contact,
            fate: delivery.fate.as_str(),
            reason: delivery.reason,
            attempts: delivery.attempts,
            possible_repeat: delivery.possible_repeat,
            reference: delivery.reference.map(|reference| reference.0),
            created_at: rfc3339(delivery.created_at),
            updated_at: rfc3339(delivery.updated_at),
        }
    }
}

impl From<Acted> for ActionResult {
    fn from(acted: Acted) -> Self {
        let (changed, why, incident) = match acted {
            Acted::Done(incident) => (true, None, incident),
            Acted::Unchanged { incident, why } => (false, Some(why), incident),
        };
        Self {
            changed,
            why,
            incident: incident.into(),
        }
    }
}
