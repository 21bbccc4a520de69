//! The events as they are on the wire, converted from and to the words of `model`.

use super::DecodeError;
use apache_avro::serde::fixed;
use model::{EventId, IncidentId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct AlertEvent {
    #[serde(with = "fixed")]
    event_id: [u8; 16],
    #[serde(with = "fixed")]
    incident_id: [u8; 16],
    sequence: i64,
    tenant: String,
    partition: i32,
    template: String,
    group: Vec<Tag>,
    kind: Kind,
    priority: Option<Priority>,
    value: Option<f64>,
    threshold: Option<f64>,
    unit: String,
    at: i64,
    started_at: i64,
    arrival: i64,
    env: Option<String>,
    title: String,
    title_ko: Option<String>,
    why: String,
    runbook: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CaughtUp {
    tenant: String,
    partition: i32,
    offset: i64,
    arrival: i64,
}

/// An enum with the same variants as one of `model`, and its words in the schema.
macro_rules! mirrored {
    ($name:ident = $model:ty { $($variant:ident $word:literal),* }) => {
        #[derive(Serialize, Deserialize, Clone, Copy)]
        enum $name {
            $(#[serde(rename = $word)] $variant,)*
        }

        impl From<$model> for $name {
            fn from(value: $model) -> Self {
                match value {
                    $(<$model>::$variant => Self::$variant,)*
                }
            }
        }

        impl From<$name> for $model {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => Self::$variant,)*
                }
            }
        }
    };
}

mirrored!(Kind = model::AlertKind {
    Firing "firing", Reopened "reopened", Raised "raised", Lowered "lowered", Resolved "resolved",
    Expired "expired", Flapping "flapping", Held "held", Inhibited "inhibited"
});
mirrored!(Priority = model::Priority { P1 "P1", P2 "P2", P3 "P3" });

impl From<&model::AlertEvent> for AlertEvent {
    fn from(event: &model::AlertEvent) -> Self {
        let tag = |(key, value): &(String, String)| Tag {
            key: key.clone(),
            value: value.clone(),
        };
        Self {
            event_id: event.event_id.to_bytes(),
            incident_id: event.incident_id.to_bytes(),
            // Both are far below their limits: a counter from 1, and at most 1,000 partitions.
            sequence: i64::try_from(event.sequence).unwrap_or(i64::MAX),
            tenant: event.tenant.as_str().to_owned(),
            partition: i32::try_from(event.partition).unwrap_or(i32::MAX),
            template: event.template.clone(),
            group: event.group.iter().map(tag).collect(),
            kind: event.kind.into(),
            priority: event.priority.map(Into::into),
            value: event.value,
            threshold: event.threshold,
            unit: event.unit.clone(),
            at: event.at.as_nanos(),
            started_at: event.started_at.as_nanos(),
            arrival: event.arrival.as_nanos(),
            env: event.env.clone(),
            title: event.title.clone(),
            title_ko: event.title_ko.clone(),
            why: event.why.clone(),
            runbook: event.runbook.clone(),
        }
    }
}

fn field<T, E: std::fmt::Display>(
    field: &'static str,
    value: Result<T, E>,
) -> Result<T, DecodeError> {
    value.map_err(|error| DecodeError::Field {
        field,
        reason: error.to_string(),
    })
}

impl TryFrom<AlertEvent> for model::AlertEvent {
    type Error = DecodeError;

    fn try_from(event: AlertEvent) -> Result<Self, DecodeError> {
        let group = event.group.into_iter();
        let group: Vec<_> = group.map(|tag| (tag.key, tag.value)).collect();
        if !group.is_sorted() {
            return field("group", Err("tags are not sorted by key"));
        }
        Ok(Self {
            event_id: EventId::from_bytes(event.event_id),
            incident_id: IncidentId::from_bytes(event.incident_id),
            sequence: field("sequence", event.sequence.try_into())?,
            tenant: field("tenant", TenantId::parse(&event.tenant))?,
            partition: field("partition", event.partition.try_into())?,
            template: event.template,
            group,
            kind: event.kind.into(),
            priority: event.priority.map(Into::into),
            value: event.value,
            threshold: event.threshold,
            unit: event.unit,
            at: Timestamp::from_nanos(event.at),
            started_at: Timestamp::from_nanos(event.started_at),
            arrival: Timestamp::from_nanos(event.arrival),
            env: event.env,
            title: event.title,
            title_ko: event.title_ko,
            why: event.why,
            runbook: event.runbook,
        })
    }
}

impl From<&model::CaughtUp> for CaughtUp {
    fn from(event: &model::CaughtUp) -> Self {
        Self {
            tenant: event.tenant.as_str().to_owned(),
            partition: i32::try_from(event.partition).unwrap_or(i32::MAX),
            offset: event.offset,
            arrival: event.arrival.as_nanos(),
        }
    }
}

impl TryFrom<CaughtUp> for model::CaughtUp {
    type Error = DecodeError;

    fn try_from(event: CaughtUp) -> Result<Self, DecodeError> {
        Ok(Self {
            tenant: field("tenant", TenantId::parse(&event.tenant))?,
            partition: field("partition", event.partition.try_into())?,
            offset: event.offset,
            arrival: Timestamp::from_nanos(event.arrival),
        })
    }
}
