//! Incidents, their timelines and the outbox, in SQLite or PostgreSQL through one set of queries.
//!
//! Only what claims or locks rows differs; it stands in `sql/`, a file per database.

mod accounts;
mod answers;
mod apply;
mod archive;
mod around;
mod audit;
mod contacts;
mod due;
mod external;
mod figures;
mod list;
mod migrations;
mod outbox;
mod read;
mod rows;
mod search;
mod silences;
#[cfg(test)]
mod tests_plans;
mod values;

pub use accounts::{ApiToken, Session, SignIn, hash_of_secret};
pub use answers::{Answer, Reserved};
pub use apply::{Loaded, Tx};
pub use archive::{Kept, TABLES};
pub use audit::Note;
pub use external::MOST as MOST_EXTERNAL;
pub use outbox::{Claimed, Surroundings, Wanted, destination};
pub use read::Counts;

use crate::config::Database;
use runtime::Secret;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, Connection as _, Executor};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may be waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where incidents are kept. A cheap handle.
#[derive(Debug, Clone)]
pub struct Store {
    writer: AnyPool,
    reader: AnyPool,
    dialect: &'static Dialect,
    silences: Arc<silences::Known>,
    place: String,
}

/// What differs between the databases.
#[derive(Debug)]
struct Dialect {
    shared: bool,
    begin: &'static str,
    snapshot: &'static str,
    claim_deliveries: &'static str,
    claim_expired: &'static str,
    claim_accepted: &'static str,
    claim_due: &'static str,
    lock_incident: &'static str,
    silences_revision: &'static str,
    /// Makes the index of searches.
    search: &'static str,
    /// Says that `\` escapes in a pattern, where that is not understood.
    escape: &'static str,
    /// None where a transaction that may write is alone.
    lock_source: Option<&'static str>,
}

/// Writers take their turn when they begin: a transaction that read first could not become a
/// writer.
static SQLITE: Dialect = Dialect {
    shared: false,
    begin: "BEGIN IMMEDIATE",
    snapshot: "BEGIN",
    claim_deliveries: include_str!("sql/sqlite/claim_deliveries.sql"),
    claim_expired: include_str!("sql/sqlite/claim_expired.sql"),
    claim_accepted: include_str!("sql/sqlite/claim_accepted.sql"),
    claim_due: include_str!("sql/sqlite/claim_due.sql"),
    lock_incident: include_str!("sql/sqlite/lock_incident.sql"),
    silences_revision: include_str!("sql/sqlite/silences_revision.sql"),
    search: include_str!("sql/sqlite/search.sql"),
    escape: " ESCAPE '\\'",
    lock_source: None,
};

static POSTGRES: Dialect = Dialect {
    shared: true,
    begin: "BEGIN",
    snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    claim_deliveries: include_str!("sql/postgres/claim_deliveries.sql"),
    claim_expired: include_str!("sql/postgres/claim_expired.sql"),
    claim_accepted: include_str!("sql/postgres/claim_accepted.sql"),
    claim_due: include_str!("sql/postgres/claim_due.sql"),
    lock_incident: include_str!("sql/postgres/lock_incident.sql"),
    silences_revision: include_str!("sql/postgres/silences_revision.sql"),
    search: include_str!("sql/postgres/search.sql"),
    escape: "",
    lock_source: Some(include_str!("sql/postgres/lock_source.sql")),
};

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not do what it was asked.
    #[error("the database of incidents: {0}")]
    Database(#[from] sqlx::Error),
    /// Its tables could not be brought up to date.
    #[error("the tables of incidents could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds what no version of this program wrote.
    #[error("row of {table}: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The URL in the file is none of a PostgreSQL.
    #[error("the database URL must begin with postgres:// or postgresql://")]
    NotPostgres,
    /// The file with the URL cannot be read.
    #[error(transparent)]
    Secret(#[from] runtime::secret::SecretError),
    /// The path of the embedded database is not usable.
    #[error("the path of the embedded database: {0}")]
    Path(#[from] std::io::Error),
    /// The machine gives no random numbers.
    #[error("no random numbers for a link: {0}")]
    Random(String),
}

impl StoreError {
    /// Whether it may pass by itself: the database is not there, is busy, or broke off.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                // PostgreSQL: connection, resources, operator, deadlock; SQLite: busy, locked,
                // full, I/O.
                error.code().is_none_or(|code| {
                    ["08", "53", "57", "40", "55"]
                        .iter()
                        .any(|class| code.starts_with(class))
                        || ["5", "6", "10", "13", "261", "517"].contains(&&*code)
                })
            }
            Self::Database(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::WorkerCrashed
            ),
            Self::Migrate(sqlx::migrate::MigrateError::Execute(sqlx::Error::Io(_))) => true,
            _ => false,
        }
    }
}

impl Store {
    /// Opens what the configuration names and brings its tables up to date.
    pub async fn open(config: &Database) -> Result<Self, StoreError> {
        match &config.postgres_url_file {
            Some(file) => Self::postgres(&Secret::from_file(file)?, config.connections).await,
            None => Self::sqlite(&config.sqlite).await,
        }
    }

    /// Opens, or makes, an embedded database in that file.
    pub async fn sqlite(path: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let path = std::path::absolute(path)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let url = format!("sqlite://{}?mode=rwc", percent_encoded(&path));
        let options = AnyConnectOptions::from_str(&url)?;
        // One writer: SQLite has no more, and waiting here is fairer than inside it.
        let writer = sqlite_pool(1).connect_with(options.clone()).await?;
        migrations::run(&writer).await?;
        // Tables that were never looked at, too. Before the index of searches is: the first look changes the schema's version.
        sqlx::raw_sql("PRAGMA optimize = 0x10002")
            .execute(&writer)
            .await?;
        search::prepare(&writer, &SQLITE).await?;
        let reader = sqlite_pool(4).connect_with(options).await?;
        Ok(Self {
            writer,
            reader,
            dialect: &SQLITE,
            silences: Arc::default(),
            place: format!("SQLite at {}", path.display()),
        })
    }

    /// Opens a PostgreSQL.
    pub async fn postgres(url: &Secret, connections: u32) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let url = url.expose().trim();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::NotPostgres);
        }
        let options = AnyConnectOptions::from_str(url)?;
        let pool = AnyPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await?;
        migrations::run(&pool).await?;
        search::prepare(&pool, &POSTGRES).await?;
        Ok(Self {
            writer: pool.clone(),
            reader: pool,
            dialect: &POSTGRES,
            silences: Arc::default(),
            place: "PostgreSQL".to_owned(),
        })
    }

    /// Which database it is, for logs; without credentials.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Looks at what the tables hold, where the database does not do so by itself: how a question is answered is chosen by that.
    pub async fn tend(&self) -> Result<(), StoreError> {
        if !self.dialect.shared {
            sqlx::raw_sql("PRAGMA optimize")
                .execute(&self.writer)
                .await?;
        }
        Ok(())
    }

    /// Whether other processes may work on it.
    pub fn is_shared(&self) -> bool {
        self.dialect.shared
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = self.writer.begin_with(self.dialect.begin).await?;
        Ok(Tx {
            inner,
            dialect: self.dialect,
            known: Arc::clone(&self.silences),
            silences: None,
            changes_silences: false,
        })
    }

    /// Closes the connections once their work is done.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

fn sqlite_pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A full disk makes SQLite roll back by itself. The library does not notice and believes the connection in a
        // transaction from then on, in which no other can begin: it is closed instead of handed out.
        .before_acquire(|connection, _| {
            let usable = !connection.is_in_transaction();
            Box::pin(async move { Ok(usable) })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                for pragma in [
                    "PRAGMA journal_mode = WAL",
                    "PRAGMA synchronous = FULL",
                    "PRAGMA busy_timeout = 10000",
                    "PRAGMA foreign_keys = ON",
                ] {
                    connection.execute(pragma).await?;
                }
                Ok(())
            })
        })
}

/// A path as it stands in a URL.
fn percent_encoded(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                out.push(char::from(*byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_sqlite_rolled_back_by_itself_the_next_transaction_begins() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::sqlite(&folder.path().join("incidents.db"))
            .await
            .unwrap();
        let mut tx = store.begin().await.unwrap();
        // What SQLite does when the disk is full.
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut *tx.inner)
            .await
            .unwrap();
        assert!(
            tx.commit().await.is_err(),
            "nothing is there to be committed"
        );
        store.begin().await.unwrap().commit().await.unwrap();
    }
}
