//! The one set of migrations, and how versions of the program share a database.
//!
//! A newer version's migrations only add: tables, indices, and columns that may be left out. So the version before works on
//! what the newer one has made, beside it during an upgrade and alone after a rollback, and takes no offence at migrations that it does
//! not know.

use sqlx::migrate::{MigrateError, Migrator};
use std::sync::LazyLock;

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut known = sqlx::migrate!("./migrations");
    known.set_ignore_missing(true);
    known
});

/// Brings a database to this version, at least. Replicas that start at once wait for each other.
pub(super) async fn run(pool: &sqlx::AnyPool) -> Result<(), MigrateError> {
    MIGRATIONS.run(pool).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::Store;

    /// The statements of a migration, without comments.
    fn statements(sql: &str) -> Vec<String> {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap());
        let text = lines.collect::<Vec<_>>().join(" ");
        let each = text.split(';').map(|one| one.split_whitespace());
        let each = each.map(|words| words.collect::<Vec<_>>().join(" "));
        each.filter(|one| !one.is_empty()).collect()
    }

    /// Whether the version before still writes what it wrote, and reads what it read.
    fn only_adds(statement: &str) -> bool {
        let column = |rest: &str| !rest.contains("NOT NULL") || rest.contains("DEFAULT");
        match statement.split_once(" ADD COLUMN ") {
            Some((table, rest)) => table.starts_with("ALTER TABLE ") && column(rest),
            None => ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "]
                .iter()
                .any(|beginning| statement.starts_with(beginning)),
        }
    }

    #[test]
    fn each_migration_only_adds_so_that_the_version_before_goes_on() {
        // What fills a new column or table from what is there.
        let fills = [
            "INSERT INTO silences_revision ",
            "INSERT INTO audit_head ",
            "UPDATE deliveries SET tenant = ",
        ];
        for migration in MIGRATIONS.iter() {
            for statement in statements(migration.sql.as_str()) {
                let fills = fills.iter().any(|fill| statement.starts_with(fill));
                assert!(
                    fills || only_adds(&statement),
                    "{}: {statement}",
                    migration.version
                );
            }
        }
        for taking in [
            "DROP TABLE incidents",
            "ALTER TABLE incidents DROP COLUMN held",
            "ALTER TABLE incidents ADD COLUMN x BIGINT NOT NULL",
            "ALTER TABLE incidents RENAME TO cases",
        ] {
            assert!(!only_adds(taking), "{taking}");
        }
    }

    #[tokio::test]
    async fn a_database_that_a_newer_version_has_migrated_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("incidents.db");
        let store = Store::sqlite(&path).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'of a newer version', TRUE, x'00', 0)";
        sqlx::raw_sql(newer).execute(&store.writer).await.unwrap();
        drop(store);
        Store::sqlite(&path).await.unwrap();
    }
}
