//! What people ask: lists, one incident with all that belongs to it, counts.

use super::outbox::{Claimed, cells as delivery_cells, claimed};
use super::values::Cells;
use super::{Store, StoreError, rows, search};
use crate::commands::{
    Changed, CommandError, DeliveryRecord, Filter, IncidentDetail, LinkTarget, Listing, Page,
    TimelineEntry,
};
use crate::core::{
    ChannelKind, DeliveryId, Fate, Incident, IncidentSummary, ProviderRef, Purpose, Status,
    Tenants, Via,
};
use model::{IncidentId, TenantId, Timestamp};
use sqlx::AssertSqlSafe;
use sqlx::any::{AnyArguments, AnyRow};
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
const LARGEST_PAGE: u32 = 500;

impl Store {
    /// Lists incidents, newest opened first.
    pub async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError> {
        let limit = page.limit.clamp(1, LARGEST_PAGE);
        let mut conditions = Conditions::default();
        if let Some(tenant) = &filter.tenant {
            conditions.equal("tenant", [tenant.as_str()]);
        }
        if let Tenants::These(ids) = &filter.within {
            if ids.is_empty() {
                return Ok(Listing {
                    incidents: Vec::new(),
                    next: None,
                });
            }
            conditions.equal("tenant", ids.iter().map(TenantId::as_str));
        }
        conditions.equal("status", filter.status.iter().map(|status| status.as_str()));
        if !filter.status.is_empty() && !filter.status.contains(&Status::Closed) {
            // What the index of those that are not closed is for, word for word.
            conditions.all.push("status <> 'closed'".to_owned());
        }
        conditions.equal(
            "priority",
            filter.priority.iter().map(|priority| priority.as_str()),
        );
        let mut from = "incidents";
        if let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) {
            conditions.contains("incidents.search", text, self.dialect.escape);
            let few = search::few(&self.reader, self.dialect, text).await;
            if let Some(phrase) = few.map_err(store)? {
                // In this order: first those that hold the text, then what else is asked of them.
                from = "incidents_search CROSS JOIN incidents ON incidents.rowid = incidents_search.rowid";
                conditions.matches("incidents_search", phrase);
            }
        }
        if let Some(cursor) = &page.after {
            conditions.behind(cursor)?;
        }
        let sql = format!(
            "SELECT incidents.* FROM {from}{} ORDER BY opened_at DESC, id DESC LIMIT {}",
            conditions.clause(),
            limit + 1
        );
        // Planned for these values: whether a text is rare decides how it is found.
        let query = conditions.bind(sql).persistent(false);
        let found = query.fetch_all(&self.reader).await.map_err(store)?;
        let mut incidents = found
            .iter()
            .map(summary)
            .collect::<Result<Vec<_>, _>>()
            .map_err(store)?;
        let more = incidents.len() > limit as usize;
        incidents.truncate(limit as usize);
        let next = incidents
            .last()
            .filter(|_| more)
            .map(|last| format!("{}.{}", last.opened_at.as_nanos(), last.id));
        Ok(Listing { incidents, next })
    }

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

    /// Whether the time of some incident has come. Costs no turn as a writer.
    pub async fn has_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 AS one FROM incidents WHERE due_at <= $1 LIMIT 1")
            .bind(now.as_nanos())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
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

enum Value {
    Text(String),
    Int(i64),
}

/// Conditions with numbered placeholders.
#[derive(Default)]
struct Conditions {
    all: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn value(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len()
    }

    /// One of these values; none given is any.
    fn equal<'a>(&mut self, column: &str, values: impl IntoIterator<Item = &'a str>) {
        let places: Vec<String> = values
            .into_iter()
            .map(|value| format!("${}", self.value(Value::Text(value.to_owned()))))
            .collect();
        if !places.is_empty() {
            self.all
                .push(format!("{column} IN ({})", places.join(", ")));
        }
    }

    fn matches(&mut self, index: &str, phrase: String) {
        let n = self.value(Value::Text(phrase));
        self.all.push(format!("{index} MATCH ${n}"));
    }

    fn contains(&mut self, column: &str, text: &str, escape: &str) {
        let mut pattern = String::from("%");
        for c in text.to_lowercase().chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        let n = self.value(Value::Text(pattern));
        self.all.push(format!("{column} LIKE ${n}{escape}"));
    }

    fn behind(&mut self, cursor: &str) -> Result<(), CommandError> {
        let bad = || CommandError::BadCursor(cursor.chars().take(80).collect());
        let (at, id) = cursor.split_once('.').ok_or_else(bad)?;
        let at: i64 = at.parse().map_err(|_| bad())?;
        let id = IncidentId::parse(id).map_err(|_| bad())?;
        let at = self.value(Value::Int(at));
        let id = self.value(Value::Text(id.to_string()));
        self.all.push(format!(
            "(opened_at < ${at} OR (opened_at = ${at} AND id < ${id}))"
        ));
        Ok(())
    }

    /// The query with the values of the conditions. `sql` holds fixed words and numbered
    /// placeholders only.
    fn bind<'q>(self, sql: String) -> sqlx::query::Query<'q, sqlx::Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(sql));
        self.values
            .into_iter()
            .fold(query, |query, value| match value {
                Value::Text(text) => query.bind(text),
                Value::Int(int) => query.bind(int),
            })
    }

    fn clause(&self) -> String {
        if self.all.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.all.join(" AND "))
        }
    }
}

fn store(error: impl Into<StoreError>) -> CommandError {
    CommandError::Store(error.into())
}

fn incident_cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "incidents",
        row,
    }
}

fn summary(row: &AnyRow) -> Result<IncidentSummary, StoreError> {
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
