//! Incidents as rows.

use super::StoreError;
use super::values::{Cells, FollowUpJson, counter, target_column, target_of};
use crate::core::{Escalation, FollowUp, Hold, HoldKind, Incident, Purpose, Status, Told};
use model::{IncidentId, Priority, TenantId, Timestamp};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

/// Reads an incident; who was told stands in a table of its own.
pub(super) fn incident(row: &AnyRow, told: Vec<Told>) -> Result<Incident, StoreError> {
    let cells = Cells {
        table: "incidents",
        row,
    };
    let acknowledged_at = cells.time_or_none("acknowledged_at")?;
    let closed_at = cells.time_or_none("closed_at")?;
    let closed_by = cells.actor("closed_by", "closed_contact")?;
    Ok(Incident {
        id: cells.named("id", IncidentId::parse)?,
        tenant: cells.named("tenant", TenantId::parse)?,
        partition: cells.small("partition_no")?,
        template: cells.text("template")?,
        group: cells.json("group_tags")?,
        env: cells.text_or_none("env")?,
        title: cells.text("title")?,
        title_ko: cells.text_or_none("title_ko")?,
        why: cells.text("why")?,
        unit: cells.text("unit")?,
        runbook: cells.text_or_none("runbook")?,
        value: cells.float_or_none("value")?,
        threshold: cells.float_or_none("threshold")?,
        priority: cells.named("priority", Priority::parse)?,
        peak: cells.named("peak", Priority::parse)?,
        started_at: cells.time("started_at")?,
        opened_at: cells.time("opened_at")?,
        status: cells.named("status", Status::parse)?,
        firing: cells.truth("firing")?,
        acknowledged: cells
            .actor("acknowledged_by", "acknowledged_contact")?
            .zip(acknowledged_at),
        closed: closed_at.map(|at| (closed_by, at)),
        until_resolved: cells.truth("until_resolved")?,
        last_sequence: cells.count("last_sequence")?,
        revision: cells.count("revision")?,
        deliveries: cells.count("deliveries")?,
        escalation: Escalation {
            opening: cells.named("opening", Purpose::parse)?,
            round: cells.small("round")?,
            target: target_of(cells.int_or_none("target")?),
            at: cells.time_or_none("escalates_at")?,
            paged: cells.truth("paged")?,
            step_revision: cells
                .int_or_none("step_revision")?
                .map(|value| value.unsigned_abs()),
            nobody: cells.truth("nobody")?,
            held: cells.truth("held")?,
        },
        ack_runs_out_at: cells.time_or_none("ack_runs_out_at")?,
        reopens_at: cells.time_or_none("reopens_at")?,
        catches_up_at: cells.time_or_none("catches_up_at")?,
        assigned: cells.actor("assigned_to", "assigned_contact")?,
        pinned: cells.truth("pinned")?,
        hold: hold(&cells)?,
        grouped_by: cells.text_or_none("grouped_by")?,
        digest_at: cells.time_or_none("digest_at")?,
        follow_ups: follow_ups(&cells)?,
        told,
    })
}

fn follow_ups(cells: &Cells<'_>) -> Result<Vec<FollowUp>, StoreError> {
    let all: Vec<FollowUpJson> = cells.json("follow_ups")?;
    let all = all.into_iter().map(FollowUp::try_from);
    all.collect::<Result<_, _>>()
        .map_err(|error| cells.wrong(error.to_string()))
}

fn hold(cells: &Cells<'_>) -> Result<Option<Hold>, StoreError> {
    if cells.text_or_none("hold_kind")?.is_none() {
        return Ok(None);
    }
    let by = match cells.text_or_none("hold_by")? {
        Some(_) => Some(cells.named("hold_by", IncidentId::parse)?),
        None => None,
    };
    Ok(Some(Hold {
        kind: cells.named("hold_kind", HoldKind::parse)?,
        by,
        why: cells.text("hold_why")?,
        since: cells.time("hold_since")?,
        until: cells.time("hold_until")?,
    }))
}

/// Every column but those that never change, in the order of `bind`.
const CHANGING: &str = "\
     env, title, title_ko, why, unit, runbook, value, threshold, priority, peak, opened_at, status, \
     firing, acknowledged_by, acknowledged_contact, acknowledged_at, closed_by, \
     closed_contact, closed_at, until_resolved, last_sequence, revision, deliveries, opening, \
     round, target, escalates_at, paged, step_revision, nobody, held, ack_runs_out_at, reopens_at, \
     catches_up_at, due_at, search, changed_at, assigned_to, assigned_contact, pinned, hold_kind, \
     hold_by, hold_why, hold_since, hold_until, grouped_by, digest_at, follow_ups";

/// The columns that never change, in the order of `insert`.
const FIXED: &str = "id, tenant, partition_no, template, group_tags, started_at, host";

fn placeholders(from: usize, count: usize) -> String {
    let all: Vec<String> = (from..from + count).map(|n| format!("${n}")).collect();
    all.join(", ")
}

/// Placeholders of so many rows with so many values each: `($1, $2), ($3, $4)`.
pub(super) fn groups(count: usize, values: usize) -> String {
    let group = |n: usize| format!("({})", placeholders(1 + n * values, values));
    (0..count).map(group).collect::<Vec<_>>().join(", ")
}

pub(super) fn insert_sql() -> String {
    let (fixed, changing) = (FIXED.split(',').count(), CHANGING.split(',').count());
    format!(
        "INSERT INTO incidents ({FIXED}, {CHANGING}) VALUES ({}) ON CONFLICT (id) DO NOTHING",
        placeholders(1, fixed + changing)
    )
}

pub(super) fn update_sql() -> String {
    let sets: Vec<String> = CHANGING
        .split(',')
        .zip(2..)
        .map(|(column, n)| format!("{} = ${n}", column.trim()))
        .collect();
    format!("UPDATE incidents SET {} WHERE id = $1", sets.join(", "))
}

type AnyQuery<'q> = Query<'q, sqlx::Any, AnyArguments>;

pub(super) fn bind_fixed<'q>(
    query: AnyQuery<'q>,
    incident: &Incident,
) -> Result<AnyQuery<'q>, StoreError> {
    let group = serde_json::to_string(&incident.group).map_err(|error| StoreError::Row {
        table: "incidents",
        reason: error.to_string(),
    })?;
    Ok(query
        .bind(incident.id.to_string())
        .bind(incident.tenant.to_string())
        .bind(i64::from(incident.partition))
        .bind(incident.template.clone())
        .bind(group)
        .bind(incident.started_at.as_nanos())
        .bind(incident.host().map(str::to_owned)))
}

pub(super) fn bind_changing<'q>(
    query: AnyQuery<'q>,
    incident: &Incident,
    now: Timestamp,
) -> AnyQuery<'q> {
    let time = |at: Option<Timestamp>| at.map(Timestamp::as_nanos);
    let (ack_actor, ack_at) = incident.acknowledged.clone().unzip();
    let (close_actor, close_at) = incident.closed.clone().unzip();
    let close_actor = close_actor.flatten();
    let escalation = &incident.escalation;
    let hold = incident.hold.as_ref();
    query
        .bind(incident.env.clone())
        .bind(incident.title.clone())
        .bind(incident.title_ko.clone())
        .bind(incident.why.clone())
        .bind(incident.unit.clone())
        .bind(incident.runbook.clone())
        .bind(incident.value)
        .bind(incident.threshold)
        .bind(incident.priority.as_str())
        .bind(incident.peak.as_str())
        .bind(incident.opened_at.as_nanos())
        .bind(incident.status.as_str())
        .bind(i64::from(incident.firing))
        .bind(ack_actor.as_ref().map(|actor| actor.name.clone()))
        .bind(ack_actor.and_then(|actor| actor.contact))
        .bind(time(ack_at))
        .bind(close_actor.as_ref().map(|actor| actor.name.clone()))
        .bind(close_actor.and_then(|actor| actor.contact))
        .bind(time(close_at))
        .bind(i64::from(incident.until_resolved))
        .bind(counter(incident.last_sequence))
        .bind(counter(incident.revision))
        .bind(counter(incident.deliveries))
        .bind(escalation.opening.as_str())
        .bind(i64::from(escalation.round))
        .bind(target_column(escalation.target))
        .bind(time(escalation.at))
        .bind(i64::from(escalation.paged))
        .bind(escalation.step_revision.map(counter))
        .bind(i64::from(escalation.nobody))
        .bind(i64::from(escalation.held))
        .bind(time(incident.ack_runs_out_at))
        .bind(time(incident.reopens_at))
        .bind(time(incident.catches_up_at))
        .bind(time(incident.due_at()))
        .bind(searchable(incident))
        .bind(now.as_nanos())
        .bind(incident.assigned.as_ref().map(|actor| actor.name.clone()))
        .bind(
            incident
                .assigned
                .as_ref()
                .and_then(|actor| actor.contact.clone()),
        )
        .bind(i64::from(incident.pinned))
        .bind(hold.map(|hold| hold.kind.as_str()))
        .bind(hold.and_then(|hold| hold.by).map(|by| by.to_string()))
        .bind(hold.map(|hold| hold.why.clone()))
        .bind(time(hold.map(|hold| hold.since)))
        .bind(time(hold.map(|hold| hold.until)))
        .bind(incident.grouped_by.clone())
        .bind(time(incident.digest_at))
        .bind(follow_ups_column(&incident.follow_ups))
}

fn follow_ups_column(follow_ups: &[FollowUp]) -> String {
    let all: Vec<FollowUpJson> = follow_ups.iter().map(Into::into).collect();
    serde_json::json!(all).to_string()
}

/// What a search looks at, in lower case.
fn searchable(incident: &Incident) -> String {
    let korean = incident.title_ko.as_deref().unwrap_or_default();
    let mut text = format!("{}\n{korean}\n{}", incident.title, incident.template);
    for (_, value) in &incident.group {
        text.push('\n');
        text.push_str(value);
    }
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queries_name_as_many_values_as_are_bound() {
        assert_eq!(groups(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(CHANGING.split(',').count(), 48);
        assert!(insert_sql().contains("$55)"), "{}", insert_sql());
        assert!(
            update_sql().contains("follow_ups = $49"),
            "{}",
            update_sql()
        );
    }
}
