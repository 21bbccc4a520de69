//! Everything that the database holds, row by row: to be kept elsewhere, and put back into an empty one.
//!
//! A row is a JSON object with its columns by name, nothing where a column is null. So what one kind of database gave
//! the other takes, and a newer version takes what an older one gave.

use super::{Store, StoreError};
use serde_json::{Map, Number, Value};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _};

/// All tables that are kept.
pub const TABLES: [&str; 12] = [
    "contact_phones",
    "incidents",
    "events",
    "timeline",
    "told",
    "deliveries",
    "silences",
    "silences_revision",
    "external_alerts",
    "api_tokens",
    "audit",
    "audit_head",
];

/// What lives for minutes or until somebody signs in again: it is not kept, and an import takes it away.
const PASSING: [&str; 3] = ["sessions", "sign_ins", "answered"];

/// What every database has from its first moment.
const FROM_THE_START: [&str; 2] = ["silences_revision", "audit_head"];

/// A table and one of its rows.
pub type Kept = (&'static str, Map<String, Value>);

impl Store {
    /// The version of the newest migration that the tables have been brought to.
    pub async fn schema(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&self.reader)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Hands every row to `take`, all as of one moment. Others may go on writing. An error of `take` ends it.
    pub async fn export<E: From<StoreError>>(
        &self,
        mut take: impl FnMut(Kept) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        use futures_util::TryStreamExt as _;
        let failed = |error: sqlx::Error| E::from(StoreError::from(error));
        let mut tx = self
            .reader
            .begin_with(self.dialect.snapshot)
            .await
            .map_err(failed)?;
        for table in TABLES {
            let all = format!("SELECT * FROM {table}");
            let mut rows = sqlx::query(AssertSqlSafe(all)).fetch(&mut *tx);
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                take((table, kept(table, &row)?))?;
            }
        }
        Ok(())
    }

    /// Whether nothing was ever kept here.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        for table in TABLES
            .iter()
            .filter(|table| !FROM_THE_START.contains(*table))
        {
            let any = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT 1) AS found");
            let row = sqlx::query(AssertSqlSafe(any))
                .fetch_one(&self.reader)
                .await?;
            if row.try_get::<i64, _>(0)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts these rows in place of everything that is there, or changes nothing. No notifier may run meanwhile.
    pub async fn import(&self, rows: Vec<Kept>) -> Result<u64, StoreError> {
        let mut tx = self.writer.begin_with(self.dialect.begin).await?;
        for table in TABLES.into_iter().chain(PASSING) {
            let none = format!("DELETE FROM {table}");
            sqlx::query(AssertSqlSafe(none)).execute(&mut *tx).await?;
        }
        let mut count = 0;
        for (table, row) in rows {
            let wrong = |reason: String| StoreError::Row { table, reason };
            if row.keys().any(|column| !is_name(column)) {
                return Err(wrong("a column has no name of a column".to_owned()));
            }
            let columns: Vec<&str> = row.keys().map(String::as_str).collect();
            let places: Vec<String> = (1..=row.len()).map(|place| format!("${place}")).collect();
            let insert = format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                columns.join(", "),
                places.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(insert));
            for (column, value) in &row {
                query = match value {
                    Value::String(text) => query.bind(text.clone()),
                    Value::Number(number) => match number.as_i64() {
                        Some(whole) => query.bind(whole),
                        None => query.bind(number.as_f64()),
                    },
                    other => return Err(wrong(format!("`{column}` is {other}"))),
                };
            }
            count += query.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(count)
    }
}

fn is_name(column: &str) -> bool {
    !column.is_empty()
        && column
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The columns that are not null. The tables have whole numbers, numbers and texts only.
fn kept(table: &'static str, row: &AnyRow) -> Result<Map<String, Value>, StoreError> {
    let mut columns = Map::new();
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at)?;
        if raw.is_null() {
            continue;
        }
        let kind = raw.type_info().name().to_owned();
        let value = match kind.as_str() {
            "TEXT" => Value::String(row.try_get(at)?),
            "REAL" | "DOUBLE" => {
                let number: f64 = row.try_get(at)?;
                // Marked as no whole number, so that it is put back as it was.
                Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            "SMALLINT" | "INTEGER" | "BIGINT" => Value::from(row.try_get::<i64, _>(at)?),
            other => {
                return Err(StoreError::Row {
                    table,
                    reason: format!("`{}` is of the type {other}", column.name()),
                });
            }
        };
        if !value.is_null() {
            columns.insert(column.name().to_owned(), value);
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::sqlite(&folder.path().join("incidents.db"))
            .await
            .unwrap();
        let rows = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'")
            .fetch_all(&store.reader)
            .await
            .unwrap();
        let mut there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        there.retain(|name| name != "_sqlx_migrations" && !name.starts_with("sqlite_"));
        // The index of searches is made of the rows of incidents, which a restore writes.
        there.retain(|name| !name.starts_with("incidents_search"));
        there.sort();
        let known = TABLES.into_iter().chain(PASSING).map(str::to_owned);
        let mut known: Vec<String> = known.collect();
        known.sort();
        assert_eq!(there, known, "what is not in TABLES is not in a backup");
    }

    #[tokio::test]
    async fn every_row_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::sqlite(&folder.path().join("a.db")).await.unwrap();
        sqlx::query(
            "INSERT INTO external_alerts (tenant, source, alert_key, incident, sequence, firing, priority, starts_at, \
             changed_at, facts) VALUES ('acme', '한빛', 'k', 'i', 5, 1, 'P1', 9007199254740993, 3, '{}')",
        )
        .execute(&store.writer)
        .await
        .unwrap();
        assert!(!store.is_empty().await.unwrap());
        let rows = async |store: &Store| {
            let mut rows = Vec::new();
            let taken = store.export(|row| {
                rows.push(row);
                Ok::<_, StoreError>(())
            });
            taken.await.unwrap();
            rows
        };
        let before = rows(&store).await;
        assert_eq!(before.len(), 3, "{before:?}");
        let other = Store::sqlite(&folder.path().join("b.db")).await.unwrap();
        assert!(other.is_empty().await.unwrap());
        assert_eq!(other.import(before.clone()).await.unwrap(), 3);
        assert_eq!(rows(&other).await, before);
        assert_eq!(other.schema().await.unwrap(), store.schema().await.unwrap());
        let odd = Map::from_iter([("id; DROP TABLE told".to_owned(), Value::from(1))]);
        assert!(other.import(vec![("told", odd)]).await.is_err());
        assert_eq!(
            rows(&other).await,
            before,
            "a refused import changed something"
        );
    }
}
