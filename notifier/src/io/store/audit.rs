//! The audit log: written with what it tells of, linked a moment later, read in order.

use super::accounts::random_id;
use super::values::{Cells, counter};
use super::{Store, StoreError, Tx};
use crate::core::audit_log::{Happened, Linked};
use crate::core::{Entry, Tenants};
use model::{IncidentId, TenantId, Timestamp};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

/// Entries linked at a time.
const AT_ONCE: i64 = 500;

/// Something that is to stand in the log.
#[derive(Debug, Clone)]
pub struct Note<'a> {
    /// A word for machines.
    pub kind: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// How that is known, or through what they acted.
    pub via: &'a str,
    /// Whose it is; none when it is about no tenant alone.
    pub tenant: Option<&'a TenantId>,
    /// What it was done to.
    pub subject: &'a str,
    /// What was done, for people.
    pub detail: &'a str,
}

impl Tx {
    /// Writes an entry, which becomes durable with this transaction.
    pub async fn audit(&mut self, note: &Note<'_>, at: Timestamp) -> Result<(), StoreError> {
        self.audit_once(&random_id()?, note, at).await
    }

    /// Writes an entry that has an id of its own, unless it is there already.
    pub async fn audit_once(
        &mut self,
        id: &str,
        note: &Note<'_>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit (id, at, kind, actor, via, tenant, subject, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.to_owned())
        .bind(at.as_nanos())
        .bind(note.kind.to_owned())
        .bind(note.actor.to_owned())
        .bind(note.via.to_owned())
        .bind(note.tenant.map(ToString::to_string))
        .bind(note.subject.to_owned())
        .bind(note.detail.to_owned())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Writes what a person did to an incident, as its timeline says it.
    pub(super) async fn audit_entry(
        &mut self,
        id: IncidentId,
        tenant: &TenantId,
        entry: &Entry,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some((actor, via)) = &entry.actor else {
            return Ok(());
        };
        let note = Note {
            kind: entry.kind.as_str(),
            actor: &actor.name,
            via: via.as_str(),
            tenant: Some(tenant),
            subject: &id.to_string(),
            detail: &entry.text,
        };
        self.audit(&note, at).await
    }
}

impl Store {
    /// Writes an entry of its own.
    pub async fn audit(&self, note: &Note<'_>, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.audit(note, at).await?;
        tx.commit().await
    }

    /// Whether an entry of that id is there.
    pub async fn has_audit(&self, id: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 AS one FROM audit WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(&self.reader)
            .await?;
        Ok(row.is_some())
    }

    /// Gives entries that have none their number and hashes; how many.
    pub async fn link_audit(&self) -> Result<usize, StoreError> {
        // Most often there is nothing, and then no writer has to wait.
        let waiting = sqlx::query("SELECT 1 AS one FROM audit WHERE number IS NULL LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        if waiting.is_none() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let head = sqlx::query(
            "UPDATE audit_head SET number = number WHERE id = 1 RETURNING number, hash",
        )
        .fetch_one(&mut *tx.inner)
        .await?;
        let head = cells(&head);
        let (mut number, mut hash) = (head.count("number")?, head.text("hash")?);
        let sql =
            format!("SELECT * FROM audit WHERE number IS NULL ORDER BY at, id LIMIT {AT_ONCE}");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut *tx.inner)
            .await?;
        for row in &rows {
            number += 1;
            let linked = Linked::new(number, &hash, happened(row)?);
            sqlx::query("UPDATE audit SET number = $2, previous = $3, hash = $4 WHERE id = $1")
                .bind(cells(row).text("id")?)
                .bind(counter(number))
                .bind(hash)
                .bind(linked.hash.clone())
                .execute(&mut *tx.inner)
                .await?;
            hash = linked.hash;
        }
        sqlx::query("UPDATE audit_head SET number = $1, hash = $2 WHERE id = 1")
            .bind(counter(number))
            .bind(hash)
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(rows.len())
    }

    /// Linked entries behind a number, of these tenants, in their order.
    pub async fn audit_log(
        &self,
        after: u64,
        limit: u32,
        tenants: &Tenants,
    ) -> Result<Vec<Linked>, StoreError> {
        let ids = match tenants {
            Tenants::All => Vec::new(),
            Tenants::These(ids) if ids.is_empty() => return Ok(Vec::new()),
            Tenants::These(ids) => ids.iter().map(ToString::to_string).collect(),
        };
        let places: Vec<String> = (0..ids.len()).map(|n| format!("${}", n + 2)).collect();
        let of = if ids.is_empty() {
            String::new()
        } else {
            format!(" AND tenant IN ({})", places.join(", "))
        };
        let sql =
            format!("SELECT * FROM audit WHERE number > $1{of} ORDER BY number LIMIT {limit}");
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(counter(after));
        for id in ids {
            query = query.bind(id);
        }
        let rows = query.fetch_all(&self.reader).await?;
        rows.iter().map(linked).collect()
    }
}

fn cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "audit",
        row,
    }
}

fn happened(row: &AnyRow) -> Result<Happened, StoreError> {
    let cells = cells(row);
    let at = cells.int("at")?;
    let at = jiff::Timestamp::from_nanosecond(at.into())
        .map_err(|error| cells.wrong(format!("at: {error}")))?;
    Ok(Happened {
        at: at.to_string(),
        kind: cells.text("kind")?,
        actor: cells.text("actor")?,
        via: cells.text("via")?,
        tenant: cells.text_or_none("tenant")?,
        subject: cells.text("subject")?,
        detail: cells.text("detail")?,
    })
}

fn linked(row: &AnyRow) -> Result<Linked, StoreError> {
    let cells = cells(row);
    Ok(Linked {
        number: cells.count("number")?,
        before: cells.text("previous")?,
        hash: cells.text("hash")?,
        happened: happened(row)?,
    })
}
