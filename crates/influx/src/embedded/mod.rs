//! The store inside of the process: points in SQLite, answering as an InfluxDB does.
//!
//! It is for one machine and some 1,000 points/s. Each write is one transaction that is on the disk
//! before `Stored` is said (write-ahead log, `synchronous=FULL`), so a kill at any moment loses
//! nothing that was acknowledged.

mod lines;
mod reader;
mod writer;

use crate::{InfluxError, Point, Retry, WriteVerdict};
use model::{Span, Timestamp};
use runtime::Clock;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use writer::{Failure, Writer};

/// Connections that read while one writes.
const READERS: u32 = 4;
/// How long a connection waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(10);
/// Version of the tables, kept in the file.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE bucket (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, measurement TEXT NOT NULL, tags TEXT NOT NULL,
    UNIQUE (bucket, measurement, tags)
);
CREATE TABLE field (
    id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, measurement TEXT NOT NULL, name TEXT NOT NULL,
    type TEXT NOT NULL,
    UNIQUE (bucket, measurement, name)
);
CREATE TABLE value (
    series INTEGER NOT NULL, time INTEGER NOT NULL, field INTEGER NOT NULL, value,
    PRIMARY KEY (series, time, field)
) WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// How the embedded store keeps points.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// How long points are kept, counted from their own time; none for ever. Older ones are
    /// refused.
    pub retention: Option<Span>,
    /// Tells what time it is.
    pub clock: Clock,
}

impl Default for EmbeddedOptions {
    /// 30 days.
    fn default() -> Self {
        Self {
            retention: Some(Span::from_secs(30 * 24 * 3600)),
            clock: Clock::system(),
        }
    }
}

/// The embedded store. A cheap handle.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    name: String,
    readers: SqlitePool,
    writer: Mutex<Writer>,
}

impl Embedded {
    /// Opens or makes the store in a file, with the usual options.
    pub async fn open(path: &Path) -> Result<Self, InfluxError> {
        Self::open_with(path, EmbeddedOptions::default()).await
    }

    /// Opens or makes the store in a file.
    pub async fn open_with(path: &Path, options: EmbeddedOptions) -> Result<Self, InfluxError> {
        Self::try_open(path, options)
            .await
            .map_err(|source| InfluxError::Store {
                path: path.to_owned(),
                source,
            })
    }

    async fn try_open(path: &Path, options: EmbeddedOptions) -> Result<Self, sqlx::Error> {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let writer = Writer::open(&connect, options).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(connect.create_if_missing(false))
            .await?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            name: format!("embedded store at {}", path.display()),
            readers,
            writer: Mutex::new(writer),
        })))
    }

    pub(crate) fn describe(&self) -> &str {
        &self.0.name
    }

    pub(crate) async fn write(&self, bucket: &str, body: &[u8]) -> WriteVerdict {
        let points = match lines::parse(body) {
            Ok(points) => points,
            Err(reason) => return WriteVerdict::Rejected { reason },
        };
        match self.0.writer.lock().await.store(bucket, points).await {
            Ok(()) => WriteVerdict::Stored,
            Err(Failure::Dropped { reason }) => WriteVerdict::Partial { reason },
            Err(Failure::NoBucket) => WriteVerdict::NoBucket {
                reason: format!("bucket \"{bucket}\" not found"),
            },
            Err(Failure::Sql(error)) => WriteVerdict::Later {
                why: Retry::Failed,
                after: None,
                reason: self.failed(error).to_string(),
            },
        }
    }

    pub(crate) async fn ensure_bucket(&self, bucket: &str) -> Result<(), InfluxError> {
        let mut writer = self.0.writer.lock().await;
        writer
            .ensure_bucket(bucket)
            .await
            .map_err(|error| self.failed(error))
    }

    pub(crate) async fn points(
        &self,
        bucket: &str,
        measurement: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Point>, InfluxError> {
        reader::points(&self.0.readers, bucket, measurement, from, to)
            .await
            .map_err(|error| self.failed(error))
    }

    pub(crate) async fn measurements(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, InfluxError> {
        reader::measurements(&self.0.readers, bucket, from, to)
            .await
            .map_err(|error| self.failed(error))
    }

    pub(crate) async fn count(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, InfluxError> {
        reader::count(&self.0.readers, bucket, from, to)
            .await
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, source: sqlx::Error) -> InfluxError {
        InfluxError::Store {
            path: self.0.path.clone(),
            source,
        }
    }
}
