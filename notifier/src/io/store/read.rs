//! What people ask: one incident with all that belongs to it, several of something, counts.

use super::list::Conditions;
use super::outbox::{Claimed, cells as delivery_cells, claimed};
use super::values::Cells;
use super::{Store, StoreError, rows};
use crate::commands::{Changed, DeliveryRecord, IncidentDetail, LinkTarget, TimelineEntry};
use crate::core::{
    ChannelKind, DeliveryId, Fate, Incident, IncidentSummary, ProviderRef, Purpose, Via,
};
use model::{IncidentId, TenantId, Timestamp};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// How many incidents there are, by tenant, priority and state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Whose.
    pub tenant: String,
    /// `P1`, `P2` or `P3`.
    pub priority: String,
    /// `open` or `acknowledged`.
    pub status: String,
    /// How many.
    pub count: i64,
}

async fn summary_of(
    id: IncidentId,
    from: impl sqlx::Executor<'_, Database = sqlx::Any>,
) -> Result<Option<IncidentSummary>, StoreError> {
    let row = sqlx::query("SELECT * FROM incidents WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(from)
        .await?;
    row.as_ref().map(summary).transpose()
}

/// The most that one page of a list holds.
pub(super) const LARGEST_PAGE: u32 = 500;

impl Store {
    /// Whether an event was applied.
    pub async fn has_event(&self, id: model::EventId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 AS one FROM events WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// One incident, without who was told.
    pub async fn summary(&self, id: IncidentId) -> Result<Option<IncidentSummary>, StoreError> {
        summary_of(id, &self.reader).await
    }

    /// One incident with all that belongs to it, as it was at one moment: a fate never stands
    /// here without its entry in the timeline.
    pub async fn detail(&self, id: IncidentId) -> Result<Option<IncidentDetail>, StoreError> {
        let mut moment = self.reader.begin_with(self.dialect.snapshot).await?;
        let Some(incident) = summary_of(id, &mut *moment).await? else {
            return Ok(None);
        };
        let entries = sqlx::query("SELECT * FROM timeline WHERE incident = $1 ORDER BY ordinal")
            .bind(id.to_string())
            .fetch_all(&mut *moment)
            .await?;
        let deliveries =
            sqlx::query("SELECT * FROM deliveries WHERE incident = $1 ORDER BY ordinal")
                .bind(id.to_string())
                .fetch_all(&mut *moment)
                .await?;
        moment.commit().await?;
        Ok(Some(IncidentDetail {
            incident,
            timeline: entries.iter().map(entry).collect::<Result<_, _>>()?,
            deliveries: deliveries.iter().map(delivery).collect::<Result<_, _>>()?,
        }))
    }

    /// The deliveries of several incidents, oldest first.
    pub async fn deliveries_of(
        &self,
        incidents: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<DeliveryRecord>>, StoreError> {
        let mut all = BTreeMap::<IncidentId, Vec<DeliveryRecord>>::new();
        for part in incidents.chunks(LARGEST_PAGE as usize) {
            let mut conditions = Conditions::default();
            let ids: Vec<String> = part.iter().map(ToString::to_string).collect();
            conditions.equal("incident", ids.iter().map(String::as_str));
            let sql = format!(
                "SELECT * FROM deliveries{} ORDER BY incident, ordinal",
                conditions.clause()
            );
            for row in conditions.bind(sql).fetch_all(&self.reader).await? {
                let incident = delivery_cells(&row).named("incident", IncidentId::parse)?;
                all.entry(incident).or_default().push(delivery(&row)?);
            }
        }
        Ok(all)
    }

    /// The last deliveries that were tried, newest first.
    pub async fn recently_sent(
        &self,
        limit: u32,
    ) -> Result<Vec<(Claimed, DeliveryRecord)>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM deliveries WHERE attempts > 0 \
             ORDER BY created_at DESC, ordinal DESC LIMIT $1",
        )
        .bind(i64::from(limit.min(LARGEST_PAGE)))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| Ok((claimed(row)?, delivery(row)?)))
            .collect()
    }

    /// What a short link stands for.
    pub async fn link(&self, token: &str) -> Result<Option<LinkTarget>, StoreError> {
        let row = sqlx::query("SELECT * FROM deliveries WHERE token = $1")
            .bind(token.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let cells = delivery_cells(&row);
        let incident = cells.named("incident", IncidentId::parse)?;
        let found = self.summary(incident).await?;
        let (delivery, recipient) = (cells.named("id", DeliveryId::parse)?, cells.recipient()?);
        Ok(found.map(|incident| LinkTarget {
            incident,
            delivery,
            recipient,
        }))
    }

    /// What an address was told of since then, newest first, each incident once; the last deliveries alone are looked at.
    pub async fn told(
        &self,
        channel: ChannelKind,
        address: &str,
        since: Timestamp,
    ) -> Result<Vec<LinkTarget>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM deliveries WHERE channel = $1 AND address = $2 AND created_at >= $3 \
             ORDER BY created_at DESC, ordinal DESC LIMIT $4",
        )
        .bind(channel.as_str())
        .bind(address.to_owned())
        .bind(since.as_nanos())
        .bind(i64::from(LARGEST_PAGE))
        .fetch_all(&self.reader)
        .await?;
        let mut told: Vec<LinkTarget> = Vec::new();
        for row in &rows {
            let cells = delivery_cells(row);
            let id = cells.named("incident", IncidentId::parse)?;
            if told.iter().any(|target| target.incident.id == id) {
                continue;
            }
            if let Some(incident) = self.summary(id).await? {
                told.push(LinkTarget {
                    incident,
                    delivery: cells.named("id", DeliveryId::parse)?,
                    recipient: cells.recipient()?,
                });
            }
        }
        Ok(told)
    }

    /// What changed at or after an instant, oldest first.
    pub async fn changed_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Changed, Timestamp)>, StoreError> {
        let found = sqlx::query(
            "SELECT id, tenant, revision, changed_at FROM incidents \
             WHERE changed_at >= $1 ORDER BY changed_at LIMIT $2",
        )
        .bind(since.as_nanos())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        found
            .iter()
            .map(|row| {
                let cells = incident_cells(row);
                let changed = Changed {
                    incident: cells.named("id", IncidentId::parse)?,
                    tenant: cells.named("tenant", TenantId::parse)?,
                    revision: cells.count("revision")?,
                };
                Ok((changed, cells.time("changed_at")?))
            })
            .collect()
    }

    /// Incidents that are not closed, counted.
    pub async fn counts(&self) -> Result<Vec<Counts>, StoreError> {
        let found = sqlx::query(
            "SELECT tenant, priority, status, COUNT(*) AS n FROM incidents \
             WHERE status <> 'closed' GROUP BY tenant, priority, status",
        )
        .fetch_all(&self.reader)
        .await?;
        found
            .iter()
            .map(|row| {
                let cells = incident_cells(row);
                Ok(Counts {
                    tenant: cells.text("tenant")?,
                    priority: cells.text("priority")?,
                    status: cells.text("status")?,
                    count: cells.int("n")?,
                })
            })
            .collect()
    }

    /// P1 incidents that are not closed, for the auditor; `after` is the last id of the part
    /// before.
    pub async fn live_p1(
        &self,
        after: Option<IncidentId>,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let found = sqlx::query(
            // As the index `incidents_live_p1` has it, word for word.
            "SELECT * FROM incidents WHERE priority = 'P1' AND status <> 'closed' \
             AND id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        found
            .iter()
            .map(|row| rows::incident(row, Vec::new()))
            .collect()
    }

    /// When the oldest delivery was decided that waits longer than it should; none when none waits.
    pub async fn oldest_waiting(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(created_at) AS oldest FROM deliveries WHERE fate IN ('queued', 'sending')",
        )
        .fetch_one(&self.reader)
        .await?;
        delivery_cells(&row).time_or_none("oldest")
    }
}

fn incident_cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "incidents",
        row,
    }
}

pub(super) fn summary(row: &AnyRow) -> Result<IncidentSummary, StoreError> {
    Ok(rows::incident(row, Vec::new())?.summary())
}

fn entry(row: &AnyRow) -> Result<TimelineEntry, StoreError> {
    let cells = Cells {
        table: "timeline",
        row,
    };
    let actor = cells.actor("actor", "contact")?;
    let via = match cells.text_or_none("via")? {
        Some(_) => Some(cells.named("via", Via::parse)?),
        None => None,
    };
    Ok(TimelineEntry {
        ordinal: cells.count("ordinal")?,
        at: cells.time("at")?,
        kind: cells.text("kind")?,
        actor: actor.zip(via),
        text: cells.text("body")?,
    })
}

pub(super) fn delivery(row: &AnyRow) -> Result<DeliveryRecord, StoreError> {
    let cells = delivery_cells(row);
    Ok(DeliveryRecord {
        id: cells.named("id", DeliveryId::parse)?,
        purpose: cells.named("purpose", Purpose::parse)?,
        channel: cells.named("channel", ChannelKind::parse)?,
        recipient: cells.recipient()?,
        fate: cells.named("fate", Fate::parse)?,
        reason: cells.text_or_none("reason")?,
        attempts: cells.small("attempts")?,
        possible_repeat: cells.truth("possible_repeat")?,
        reference: cells.text_or_none("reference")?.map(ProviderRef),
        created_at: cells.time("created_at")?,
        updated_at: cells.time("updated_at")?,
    })
}
