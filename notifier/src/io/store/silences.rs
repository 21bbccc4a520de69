//! Silences: kept beside the incidents, so that who decides and who silences take turns.
//!
//! Every decision holds the count of their changes (shared), every change takes it for itself. So no page waits for a
//! silence that was ended meanwhile.

use super::values::Cells;
use super::{Store, StoreError, Tx, rows};
use crate::core::{Labels, MatchOp, Matcher, Silence, SilenceKind, SilenceSpec, Silences, Weekly};
use model::{Span, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use std::sync::{Arc, Mutex, PoisonError};

/// Silences of one tenant that are not over yet, at most.
const MOST: i64 = 1_000;
/// How long one that is over is still shown.
const KEPT: Span = Span::from_secs(90 * 86_400);

/// The silences as this process read them last, with the count of changes then.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<(i64, Arc<Silences>)>>);

/// A matcher in the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatcherJson {
    name: String,
    regex: bool,
    equal: bool,
    value: String,
}

impl Tx {
    /// The silences that hold, or will. From here to the end of the transaction none changes.
    pub async fn silences(&mut self) -> Result<Arc<Silences>, StoreError> {
        if let Some(silences) = &self.silences {
            return Ok(Arc::clone(silences));
        }
        let row = sqlx::query(self.dialect.silences_revision)
            .fetch_one(&mut *self.inner)
            .await?;
        let cells = Cells {
            table: "silences_revision",
            row: &row,
        };
        let revision = cells.int("revision")?;
        let known = {
            let known = self.known.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone().filter(|(of, _)| *of == revision)
        };
        let silences = match known {
            Some((_, silences)) => silences,
            None => {
                // Those that are over are few: they go with the next change.
                let rows = sqlx::query("SELECT * FROM silences ORDER BY created_at, id")
                    .fetch_all(&mut *self.inner)
                    .await?;
                let all = rows.iter().map(silence).collect::<Result<_, _>>()?;
                let silences = Arc::new(Silences(all));
                // What an own change has not committed yet is not for others.
                if !self.changes_silences {
                    let mut known = self.known.0.lock().unwrap_or_else(PoisonError::into_inner);
                    *known = Some((revision, Arc::clone(&silences)));
                }
                silences
            }
        };
        self.silences = Some(Arc::clone(&silences));
        Ok(silences)
    }

    /// Takes the silences for a change.
    pub async fn lock_silences(&mut self) -> Result<(), StoreError> {
        sqlx::query("UPDATE silences_revision SET revision = revision + 1 WHERE id = 1")
            .execute(&mut *self.inner)
            .await?;
        self.changes_silences = true;
        self.silences = None;
        Ok(())
    }

    /// Keeps a silence, new or changed; they are locked. False when the tenant has too many.
    pub async fn put_silence(&mut self, silence: &Silence) -> Result<bool, StoreError> {
        let spec = &silence.spec;
        let tenant = spec.tenant.as_ref().map(ToString::to_string);
        sqlx::query("DELETE FROM silences WHERE ends_at < $1")
            .bind(silence.updated_at.minus(KEPT).as_nanos())
            .execute(&mut *self.inner)
            .await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS live FROM silences \
             WHERE COALESCE(tenant, '') = $1 AND ends_at > $2 AND id <> $3",
        )
        .bind(tenant.clone().unwrap_or_default())
        .bind(silence.updated_at.as_nanos())
        .bind(silence.id.clone())
        .fetch_one(&mut *self.inner)
        .await?;
        if cells(&row).int("live")? >= MOST {
            return Ok(false);
        }
        let matchers: Vec<MatcherJson> = spec.matchers.iter().map(Into::into).collect();
        let matchers = serde_json::to_string(&matchers).map_err(|error| StoreError::Row {
            table: "silences",
            reason: error.to_string(),
        })?;
        sqlx::query("DELETE FROM silences WHERE id = $1")
            .bind(silence.id.clone())
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "INSERT INTO silences (id, tenant, kind, matchers, author, body, starts_at, ends_at, \
             hours, zone, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(silence.id.clone())
        .bind(tenant)
        .bind(spec.kind.as_str())
        .bind(matchers)
        .bind(spec.author.clone())
        .bind(spec.comment.clone())
        .bind(spec.starts_at.as_nanos())
        .bind(spec.ends_at.as_nanos())
        .bind(spec.weekly.as_ref().map(ToString::to_string))
        .bind(spec.weekly.as_ref().map(|weekly| weekly.zone().to_owned()))
        .bind(silence.created_at.as_nanos())
        .bind(silence.updated_at.as_nanos())
        .execute(&mut *self.inner)
        .await?;
        self.silences = None;
        Ok(true)
    }

    /// Makes due what waits for the end of a silence that says this; silences are locked. How many there were.
    pub async fn release(
        &mut self,
        spec: &SilenceSpec,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let rows = sqlx::query("SELECT * FROM incidents WHERE held = 1 AND escalates_at > $1")
            .bind(now.as_nanos())
            .fetch_all(&mut *self.inner)
            .await?;
        let mut released = 0;
        for row in &rows {
            let incident = rows::incident(row, Vec::new())?;
            if spec.is_about(&Labels::from(&incident)) {
                sqlx::query("UPDATE incidents SET escalates_at = $2, due_at = $2 WHERE id = $1")
                    .bind(incident.id.to_string())
                    .bind(now.as_nanos())
                    .execute(&mut *self.inner)
                    .await?;
                released += 1;
            }
        }
        Ok(released)
    }
}

impl Store {
    /// All silences that are kept, the newest first.
    pub async fn all_silences(&self) -> Result<Vec<Silence>, StoreError> {
        let rows = sqlx::query("SELECT * FROM silences ORDER BY created_at DESC, id")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(silence).collect()
    }
}

fn cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "silences",
        row,
    }
}

fn silence(row: &AnyRow) -> Result<Silence, StoreError> {
    let cells = cells(row);
    let tenant = cells.text_or_none("tenant")?;
    let tenant = tenant
        .map(|name| TenantId::parse(&name))
        .transpose()
        .map_err(|error| cells.wrong(error.to_string()))?;
    let matchers: Vec<MatcherJson> = cells.json("matchers")?;
    let matchers = matchers
        .iter()
        .map(|matcher| {
            let op = MatchOp::of(matcher.regex, matcher.equal);
            Matcher::new(&matcher.name, op, &matcher.value)
        })
        .collect::<Result<_, _>>()
        .map_err(|error| cells.wrong(error.to_string()))?;
    let hours = cells
        .text_or_none("hours")?
        .zip(cells.text_or_none("zone")?);
    let weekly = hours
        .map(|(hours, zone)| Weekly::parse(&hours, &zone))
        .transpose()
        .map_err(|error| cells.wrong(error.to_string()))?;
    Ok(Silence {
        id: cells.text("id")?,
        spec: SilenceSpec {
            tenant,
            kind: cells.named("kind", SilenceKind::parse)?,
            matchers,
            author: cells.text("author")?,
            comment: cells.text("body")?,
            starts_at: cells.time("starts_at")?,
            ends_at: cells.time("ends_at")?,
            weekly,
        },
        created_at: cells.time("created_at")?,
        updated_at: cells.time("updated_at")?,
    })
}

impl From<&Matcher> for MatcherJson {
    fn from(matcher: &Matcher) -> Self {
        Self {
            name: matcher.name().to_owned(),
            regex: matcher.op().is_regex(),
            equal: matcher.op().is_equal(),
            value: matcher.value().to_owned(),
        }
    }
}
