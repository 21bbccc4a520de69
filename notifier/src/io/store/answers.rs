//! Answers to requests with an idempotency key.

use super::values::Cells;
use super::{Store, StoreError};
use model::Timestamp;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its content type.
    pub kind: String,
    /// Its body.
    pub body: String,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// Nothing so far: whoever asks does it.
    Ours,
    /// It was answered.
    Answered(Answer),
    /// It is being answered.
    UnderWay,
    /// Another request.
    Other,
}

impl Store {
    /// Reserves a key for a request, until `ends_at` if it is never answered.
    pub async fn reserve_answer(
        &self,
        key: &str,
        request: &str,
        (now, ends_at): (Timestamp, Timestamp),
    ) -> Result<Reserved, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM answered WHERE ends_at <= $1")
            .bind(now.as_nanos())
            .execute(&mut *tx.inner)
            .await?;
        let made = sqlx::query(
            "INSERT INTO answered (sha256, request, ends_at) VALUES ($1, $2, $3) \
             ON CONFLICT (sha256) DO NOTHING",
        )
        .bind(key.to_owned())
        .bind(request.to_owned())
        .bind(ends_at.as_nanos())
        .execute(&mut *tx.inner)
        .await?;
        if made.rows_affected() == 1 {
            tx.commit().await?;
            return Ok(Reserved::Ours);
        }
        let row = sqlx::query("SELECT * FROM answered WHERE sha256 = $1")
            .bind(key.to_owned())
            .fetch_one(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        let cells = Cells {
            table: "answered",
            row: &row,
        };
        if cells.text("request")? != request {
            return Ok(Reserved::Other);
        }
        let Some(status) = cells.int_or_none("status")? else {
            return Ok(Reserved::UnderWay);
        };
        Ok(Reserved::Answered(Answer {
            status: u16::try_from(status)
                .map_err(|_| cells.wrong(format!("status is {status}")))?,
            kind: cells.text_or_none("kind")?.unwrap_or_default(),
            body: cells.text_or_none("body")?.unwrap_or_default(),
        }))
    }

    /// Keeps an answer until then.
    pub async fn keep_answer(
        &self,
        key: &str,
        answer: &Answer,
        ends_at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE answered SET status = $2, kind = $3, body = $4, ends_at = $5 WHERE sha256 = $1",
        )
        .bind(key.to_owned())
        .bind(i64::from(answer.status))
        .bind(answer.kind.clone())
        .bind(answer.body.clone())
        .bind(ends_at.as_nanos())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Forgets a key whose request was not done.
    pub async fn forget_answer(&self, key: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM answered WHERE sha256 = $1 AND status IS NULL")
            .bind(key.to_owned())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
