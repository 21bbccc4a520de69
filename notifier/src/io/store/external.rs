//! What other systems reported, as rows.

use super::values::{Cells, counter};
use super::{Store, StoreError, Tx};
use crate::core::{External, Facts};
use model::{IncidentId, Priority, Span, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use xxhash_rust::xxh3::xxh3_64;

/// How long what is over is remembered.
const KEPT: Span = Span::from_secs(24 * 3_600);
/// Alerts that fire at once in one tenant, at most.
pub const MOST: i64 = 20_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsJson {
    name: String,
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    title: String,
    why: String,
    runbook: Option<String>,
    generator: String,
}

/// What fires, or does not, and runs out first.
pub(super) const DUE: &str =
    "SELECT * FROM external_alerts WHERE firing = $1 AND ends_at <= $2 ORDER BY ends_at LIMIT $3";

impl Tx {
    /// Takes an integration's alerts for this transaction: two reports of one alert take turns.
    pub async fn lock_source(&mut self, tenant: &TenantId, source: &str) -> Result<(), StoreError> {
        let hash = xxh3_64(format!("{tenant}/{source}").as_bytes());
        if let Some(sql) = self.dialect.lock_source {
            sqlx::query(sql)
                .bind(hash.cast_signed())
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }

    /// One alert; its source is locked.
    pub async fn external(
        &mut self,
        tenant: &TenantId,
        source: &str,
        key: &str,
    ) -> Result<Option<External>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM external_alerts WHERE tenant = $1 AND source = $2 AND alert_key = $3",
        )
        .bind(tenant.to_string())
        .bind(source.to_owned())
        .bind(key.to_owned())
        .fetch_optional(&mut *self.inner)
        .await?;
        row.as_ref().map(external).transpose()
    }

    /// Keeps one alert; its source is locked.
    pub async fn put_external(&mut self, alert: &External) -> Result<(), StoreError> {
        let facts = serde_json::to_string(&FactsJson::from(&alert.facts));
        let facts = facts.map_err(|error| StoreError::Row {
            table: "external_alerts",
            reason: error.to_string(),
        })?;
        sqlx::query(
            "INSERT INTO external_alerts (tenant, source, alert_key, incident, sequence, firing, \
             priority, starts_at, ends_at, changed_at, facts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (tenant, source, alert_key) DO UPDATE SET incident = $4, sequence = $5, \
             firing = $6, priority = $7, starts_at = $8, ends_at = $9, changed_at = $10, facts = $11",
        )
        .bind(alert.tenant.to_string())
        .bind(alert.source.clone())
        .bind(alert.key.clone())
        .bind(alert.incident.to_string())
        .bind(counter(alert.sequence))
        .bind(i64::from(alert.firing))
        .bind(alert.priority.as_str())
        .bind(alert.starts_at.as_nanos())
        .bind(alert.ends_at.map(Timestamp::as_nanos))
        .bind(alert.changed_at.as_nanos())
        .bind(facts)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// How many of a tenant's alerts fire.
    pub async fn external_firing(&mut self, tenant: &TenantId) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS firing FROM external_alerts WHERE tenant = $1 AND firing = 1",
        )
        .bind(tenant.to_string())
        .fetch_one(&mut *self.inner)
        .await?;
        cells(&row).int("firing")
    }

    /// Takes an alert out.
    pub async fn drop_external(&mut self, alert: &External) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM external_alerts WHERE tenant = $1 AND source = $2 AND alert_key = $3",
        )
        .bind(alert.tenant.to_string())
        .bind(alert.source.clone())
        .bind(alert.key.clone())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Forgets what is long over.
    pub async fn forget_external(&mut self, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM external_alerts WHERE firing = 0 AND ends_at IS NULL AND changed_at < $1",
        )
        .bind(now.minus(KEPT).as_nanos())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

impl Store {
    /// A tenant's alerts that fire, the oldest first.
    pub async fn external_alerts(&self, tenant: &TenantId) -> Result<Vec<External>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM external_alerts WHERE tenant = $1 AND firing = 1 \
             ORDER BY starts_at, source, alert_key",
        )
        .bind(tenant.to_string())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(external).collect()
    }

    /// Alerts whose time has passed without a word, so many at most of those that begin to fire then and of those that end
    /// then: what begins does not wait behind a storm of what ends.
    pub async fn external_due(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<External>, StoreError> {
        let mut due = Vec::new();
        for firing in [false, true] {
            let rows = sqlx::query(DUE)
                .bind(i64::from(firing))
                .bind(now.as_nanos())
                .bind(limit)
                .fetch_all(&self.reader)
                .await?;
            for row in &rows {
                due.push(external(row)?);
            }
        }
        Ok(due)
    }
}

fn cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "external_alerts",
        row,
    }
}

fn external(row: &AnyRow) -> Result<External, StoreError> {
    let cells = cells(row);
    let facts: FactsJson = cells.json("facts")?;
    Ok(External {
        tenant: cells.named("tenant", TenantId::parse)?,
        source: cells.text("source")?,
        key: cells.text("alert_key")?,
        incident: cells.named("incident", IncidentId::parse)?,
        sequence: cells.count("sequence")?,
        firing: cells.truth("firing")?,
        priority: cells.named("priority", Priority::parse)?,
        starts_at: cells.time("starts_at")?,
        ends_at: cells.time_or_none("ends_at")?,
        changed_at: cells.time("changed_at")?,
        facts: facts.into(),
    })
}

impl From<&Facts> for FactsJson {
    fn from(facts: &Facts) -> Self {
        let Facts {
            name,
            labels,
            annotations,
            title,
            why,
            runbook,
            generator,
        } = facts.clone();
        Self {
            name,
            labels,
            annotations,
            title,
            why,
            runbook,
            generator,
        }
    }
}

impl From<FactsJson> for Facts {
    fn from(json: FactsJson) -> Self {
        Self {
            name: json.name,
            labels: json.labels,
            annotations: json.annotations,
            title: json.title,
            why: json.why,
            runbook: json.runbook,
            generator: json.generator,
        }
    }
}
