//! What is open beside an incident, read in the transaction that decides about it.

use super::values::Cells;
use super::{StoreError, Tx};
use crate::core::{Around, Incident, Neighbour, News, WantedAround as Wanted};
use model::{IncidentId, Priority};
use sqlx::any::AnyRow;

/// More than so many of one template explain nothing better.
const MOST: i64 = 200;

const COLUMNS: &str = "id, template, group_tags, env, priority, title, hold_kind";
const LIVE: &str = "status <> 'closed' AND id <> $2";

/// What is open of a template; `|| ''` keeps the planner from the indexes of priorities, which in a storm hold a hundred thousand of a tenant.
pub(super) fn of_template(and_host: bool) -> String {
    let of_host = if and_host { " AND host = $4" } else { "" };
    format!(
        "SELECT {COLUMNS} FROM incidents WHERE tenant = $1 AND {LIVE} AND template = $3{of_host} \
         ORDER BY priority || '', opened_at LIMIT {MOST}"
    )
}

/// The oldest of a group that speaks and is as urgent, found by its group for the same reason.
pub(super) fn of_group() -> String {
    // The words P1, P2, P3 sort by urgency.
    format!(
        "SELECT {COLUMNS} FROM incidents WHERE tenant = $1 AND {LIVE} AND grouped_by = $3 \
         AND priority || '' <= $4 AND (hold_kind IS NULL OR hold_kind IN ('waits', 'snoozed')) \
         ORDER BY opened_at, id || '' LIMIT 1"
    )
}

impl Tx {
    /// What stands beside an incident, as far as its decision wants to know.
    pub async fn around(
        &mut self,
        incident: &Incident,
        wanted: &Wanted,
    ) -> Result<Around, StoreError> {
        let mut around = Around::default();
        for (template, host) in &wanted.templates {
            let found = self.neighbours(incident, template, host.as_deref()).await?;
            around.others.extend(found);
        }
        if let Some(id) = wanted.id
            && !around.others.iter().any(|other| other.id == id)
        {
            around.others.extend(self.neighbour(incident, id).await?);
        }
        if let Some(group) = &wanted.group {
            around.leader = self.leader(incident, group).await?;
        }
        if let Some(titles) = wanted.news {
            around.news = self.news(incident.id, titles).await?;
        }
        Ok(around)
    }

    async fn neighbours(
        &mut self,
        incident: &Incident,
        template: &str,
        host: Option<&str>,
    ) -> Result<Vec<Neighbour>, StoreError> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(of_template(host.is_some())))
            .bind(incident.tenant.to_string())
            .bind(incident.id.to_string())
            .bind(template.to_owned());
        if let Some(host) = host {
            query = query.bind(host.to_owned());
        }
        let rows = query.fetch_all(&mut *self.inner).await?;
        rows.iter().map(neighbour).collect()
    }

    async fn neighbour(
        &mut self,
        incident: &Incident,
        id: IncidentId,
    ) -> Result<Option<Neighbour>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM incidents WHERE tenant = $1 AND {LIVE} AND id = $3");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(incident.tenant.to_string())
            .bind(incident.id.to_string())
            .bind(id.to_string())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(neighbour).transpose()
    }

    async fn leader(
        &mut self,
        incident: &Incident,
        group: &str,
    ) -> Result<Option<Neighbour>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(of_group()))
            .bind(incident.tenant.to_string())
            .bind(incident.id.to_string())
            .bind(group.to_owned())
            .bind(incident.priority.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(neighbour).transpose()
    }

    /// Who joined the group of `leader` since it last told of them.
    async fn news(&mut self, leader: IncidentId, titles: u32) -> Result<News, StoreError> {
        let since = sqlx::query(
            "SELECT COALESCE(MAX(at), 0) AS at FROM timeline WHERE incident = $1 AND kind = 'digest'",
        )
        .bind(leader.to_string())
        .fetch_one(&mut *self.inner)
        .await?;
        let since = cells(&since).int("at")?;
        let counted = sqlx::query(
            "SELECT template, priority, COUNT(*) AS n FROM incidents \
             WHERE hold_by = $1 AND hold_kind = 'grouped' AND hold_since > $2 \
             GROUP BY template, priority ORDER BY priority, n DESC",
        )
        .bind(leader.to_string())
        .bind(since)
        .fetch_all(&mut *self.inner)
        .await?;
        let mut news = News::default();
        for row in &counted {
            let cells = cells(row);
            let (template, n) = (cells.text("template")?, cells.count("n")?);
            let priority = cells.named("priority", Priority::parse)?;
            news.joined += n;
            news.counts.push((template, priority, n));
        }
        if news.joined == 0 {
            return Ok(news);
        }
        let named = sqlx::query(
            "SELECT title FROM incidents \
             WHERE hold_by = $1 AND hold_kind = 'grouped' AND hold_since > $2 \
             ORDER BY hold_since, id LIMIT $3",
        )
        .bind(leader.to_string())
        .bind(since)
        .bind(i64::from(titles))
        .fetch_all(&mut *self.inner)
        .await?;
        for row in &named {
            news.titles.push(cells(row).text("title")?);
        }
        Ok(news)
    }
}

fn cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "incidents",
        row,
    }
}

fn neighbour(row: &AnyRow) -> Result<Neighbour, StoreError> {
    let cells = cells(row);
    let hold = cells.text_or_none("hold_kind")?;
    Ok(Neighbour {
        id: cells.named("id", IncidentId::parse)?,
        template: cells.text("template")?,
        group: cells.json("group_tags")?,
        env: cells.text_or_none("env")?,
        priority: cells.named("priority", Priority::parse)?,
        title: cells.text("title")?,
        speaks: matches!(hold.as_deref(), None | Some("waits" | "snoozed")),
    })
}
