//! Timelines read in bulk, for figures.

use super::values::Cells;
use super::{Store, StoreError};
use crate::core::{EntryKind, Figures, Moment, Times};
use futures_util::TryStreamExt;
use model::{Priority, TenantId, Timestamp};
use std::collections::BTreeMap;

impl Store {
    /// Times to acknowledge and to resolve of what was opened from `since` until before `until`, by
    /// tenant and priority.
    pub async fn times(
        &self,
        tenant: Option<&TenantId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, Priority), Times>, StoreError> {
        let of_tenant = if tenant.is_some() {
            " AND i.tenant = $3"
        } else {
            ""
        };
        // An incident that was opened in the period was changed in it or later, and began before its end.
        let sql = format!(
            "SELECT t.incident, t.kind, t.at, i.tenant, i.peak FROM incidents i \
             JOIN timeline t ON t.incident = i.id \
             WHERE i.changed_at >= $1 AND i.started_at < $2{of_tenant} \
             AND t.kind IN ('firing', 'reopened', 'raised', 'acknowledged', 'snoozed', 'resolved', \
             'expired', 'closed') ORDER BY t.incident, t.ordinal"
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(since.as_nanos())
            .bind(until.as_nanos());
        if let Some(tenant) = tenant {
            query = query.bind(tenant.to_string());
        }
        let mut figures = Figures::new(since, until);
        let mut last = String::new();
        let mut rows = query.fetch(&self.reader);
        while let Some(row) = rows.try_next().await? {
            let cells = Cells {
                table: "timeline",
                row: &row,
            };
            let incident = cells.text("incident")?;
            if incident != last {
                figures.next_incident();
                last = incident;
            }
            figures.take(&Moment {
                tenant: cells.text("tenant")?,
                priority: cells.named("peak", Priority::parse)?,
                kind: cells.named("kind", EntryKind::parse)?,
                at: cells.time("at")?,
            });
        }
        Ok(figures.done())
    }
}
