//! The index behind a search. It is no migration: each database has its own kind, and a PostgreSQL may refuse it.

use super::{Dialect, StoreError};
use sqlx::{AnyPool, AssertSqlSafe, Row};

/// Up to so many matches are all looked at; of what is more common the newest are found sooner by going through the newest incidents.
const FEW: i64 = 20_000;
/// The index has nothing shorter.
const SHORTEST: usize = 3;

/// Makes the index where it is missing. Without it a search still finds everything, more slowly.
pub(super) async fn prepare(pool: &AnyPool, dialect: &Dialect) -> Result<(), StoreError> {
    if dialect.shared {
        if let Err(error) = sqlx::raw_sql(dialect.search).execute(pool).await {
            tracing::warn!(%error, "searches go without an index: let the owner of the database \
                 run `CREATE EXTENSION pg_trgm`, and start again");
        }
        return Ok(());
    }
    let mut tx = pool.begin_with(dialect.begin).await?;
    sqlx::raw_sql(dialect.search).execute(&mut *tx).await?;
    // The index names rows by numbers that `VACUUM` may change; the schema's version changes with it.
    let row = sqlx::query("PRAGMA schema_version")
        .fetch_one(&mut *tx)
        .await?;
    let version: i64 = row.try_get(0)?;
    let row = sqlx::query("SELECT built_for FROM incidents_search_state")
        .fetch_optional(&mut *tx)
        .await?;
    let built_for: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
    if built_for != Some(version) {
        for sql in [
            "INSERT INTO incidents_search (incidents_search) VALUES ('rebuild')",
            "DELETE FROM incidents_search_state",
        ] {
            sqlx::query(sql).execute(&mut *tx).await?;
        }
        sqlx::query("INSERT INTO incidents_search_state (built_for) VALUES ($1)")
            .bind(version)
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

/// How the index finds a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Indexed {
    /// By a phrase that it is asked for by itself.
    Phrase(String),
    /// By the pattern of the question.
    Pattern,
}

/// How the index finds a text that few incidents hold; none where it does not help.
pub(super) async fn few(
    pool: &AnyPool,
    dialect: &Dialect,
    text: &str,
) -> Result<Option<Indexed>, StoreError> {
    if text.chars().count() < SHORTEST {
        return Ok(None);
    }
    if dialect.shared {
        return Ok(has_parts(pool, text).await?.then_some(Indexed::Pattern));
    }
    let phrase = format!("\"{}\"", text.to_lowercase().replace('"', "\"\""));
    let sql = "SELECT COUNT(*) AS n FROM \
               (SELECT 1 FROM incidents_search WHERE incidents_search MATCH $1 LIMIT $2)";
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(phrase.clone())
        .bind(FEW + 1)
        .fetch_one(pool)
        .await?;
    let found: i64 = row.try_get("n")?;
    Ok((found <= FEW).then_some(Indexed::Phrase(phrase)))
}

/// Whether PostgreSQL's index has parts of a text: none of Korean where the database's locale is `C`, and none at all where the
/// extension was refused.
async fn has_parts(pool: &AnyPool, text: &str) -> Result<bool, StoreError> {
    let sql =
        "SELECT COUNT(*) AS n FROM pg_class WHERE relname = 'incidents_search' AND relkind = 'i'";
    let row = sqlx::query(sql).fetch_one(pool).await?;
    let made: i64 = row.try_get("n")?;
    if made == 0 {
        return Ok(false);
    }
    let sql = "SELECT CAST(cardinality(show_trgm($1)) AS BIGINT) AS n";
    let row = sqlx::query(sql)
        .bind(text.to_lowercase())
        .fetch_one(pool)
        .await?;
    let parts: i64 = row.try_get("n")?;
    Ok(parts > 0)
}

#[cfg(test)]
mod tests {
    use super::super::Store;

    #[tokio::test]
    async fn after_a_vacuum_the_index_is_built_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("incidents.db");
        let built = async |store: &Store| -> i64 {
            let sql = "SELECT built_for FROM incidents_search_state";
            let row = sqlx::query(sql).fetch_one(&store.writer).await.unwrap();
            sqlx::Row::get(&row, 0)
        };
        let store = Store::sqlite(&file).await.unwrap();
        let first = built(&store).await;
        store.close().await;
        let store = Store::sqlite(&file).await.unwrap();
        assert_eq!(built(&store).await, first, "nothing changed");
        sqlx::query("VACUUM").execute(&store.writer).await.unwrap();
        store.close().await;
        let store = Store::sqlite(&file).await.unwrap();
        assert!(built(&store).await > first);
    }
}
