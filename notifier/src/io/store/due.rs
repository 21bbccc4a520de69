//! Incidents whose time has come: whose they are, and the next of a tenant's.

use super::apply::id_of;
use super::values::Cells;
use super::{Store, StoreError, Tx};
use crate::core::Lane;
use model::{IncidentId, Priority, TenantId, Timestamp};

/// For one priority; alike on both databases.
pub(super) const DUE_TENANTS: &str = include_str!("sql/due_tenants.sql");

impl Store {
    /// Whether the time of some incident has come. Costs no turn as a writer.
    pub async fn has_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 AS one FROM incidents WHERE due_at <= $1 LIMIT 1")
            .bind(now.as_nanos())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// Whose incidents' time has come, by priority. As dear as there are tenants, however much is due of one. Costs no turn
    /// as a writer.
    pub async fn due_lanes(&self, now: Timestamp) -> Result<Vec<Lane>, StoreError> {
        let mut lanes = Vec::new();
        for priority in Priority::ALL {
            let rows = sqlx::query(DUE_TENANTS)
                .bind(priority.as_str())
                .bind(now.as_nanos())
                .fetch_all(&self.reader)
                .await?;
            for row in &rows {
                let cells = Cells {
                    table: "incidents",
                    row,
                };
                let tenant = cells.named("tenant", TenantId::parse)?;
                lanes.push(Lane { priority, tenant });
            }
        }
        Ok(lanes)
    }
}

impl Tx {
    /// The incidents of a lane whose time came first, locked; those that another replica has are left out.
    pub async fn claim_due(
        &mut self,
        lane: &Lane,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<IncidentId>, StoreError> {
        self.silences().await?;
        let rows = sqlx::query(self.dialect.claim_due)
            .bind(lane.priority.as_str())
            .bind(lane.tenant.to_string())
            .bind(now.as_nanos())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(id_of).collect()
    }
}
