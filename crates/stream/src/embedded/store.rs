//! The file: its tables, how it is opened or refused, and what is read from it.

use super::codec;
use crate::{Batch, BatchBuilder, Commit, StreamError, TopicPartition};
use model::{Span, TopicName};
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableHandle,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Topic number and partition.
pub(super) type PartKey = (u32, u32);
/// First offset, next offset, and time of the last record in milliseconds.
pub(super) type PartRow = (u64, u64, i64);
/// Number, partitions, retention in milliseconds (negative: for ever), compacted.
pub(super) type TopicRow = (u32, u32, i64, bool);

pub(super) const TOPICS: TableDefinition<'_, &str, TopicRow> = TableDefinition::new("topics");
pub(super) const PARTITIONS: TableDefinition<'_, PartKey, PartRow> =
    TableDefinition::new("partitions");
pub(super) const RECORDS: TableDefinition<'_, (u32, u32, u64), &[u8]> =
    TableDefinition::new("records");
/// Of compacted topics: the offset of the newest record of each key.
pub(super) const NEWEST: TableDefinition<'_, (u32, u32, &[u8]), u64> =
    TableDefinition::new("newest");
/// Of compacted topics: the tombstones that still stand, with their keys.
pub(super) const TOMBSTONES: TableDefinition<'_, (u32, u32, u64), &[u8]> =
    TableDefinition::new("tombstones");
/// Group, topic number, partition -> next offset and metadata.
pub(super) const OFFSETS: TableDefinition<'_, (&str, u32, u32), (u64, &str)> =
    TableDefinition::new("group_offsets");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("bongsu_log");

const FORMAT_KEY: &str = "format";
const FORMAT: u64 = 1;
/// What the operating system does not cache already; the log is read mostly at its end.
const CACHE_BYTES: usize = 64 << 20;
/// A batch is cut here.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_RECORDS: usize = 10_000;
/// How long a process that is just ending may hold the file.
const HANDOVER: Duration = Duration::from_secs(2);
const HANDOVER_STEP: Duration = Duration::from_millis(20);

/// What the file says at its opening.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) topics: Vec<(TopicName, TopicRow)>,
    pub(super) partitions: HashMap<PartKey, PartRow>,
}

/// The open file. It is closed while it is reopened after an error.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    database: RwLock<Option<Arc<Database>>>,
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<(Self, Loaded), StreamError> {
        let database = open_file(path)?;
        let loaded = prepare(&database, path)?;
        let store = Self {
            path: path.to_owned(),
            database: RwLock::new(Some(Arc::new(database))),
        };
        Ok((store, loaded))
    }

    /// Closes and opens the file again: after an error of the disk the library takes no more work.
    pub(super) fn reopen(&self) -> Result<Loaded, StreamError> {
        self.close();
        let database = open_file(&self.path)?;
        let loaded = prepare(&database, &self.path)?;
        *self.slot_mut() = Some(Arc::new(database));
        Ok(loaded)
    }

    /// Lets go of the file as soon as the reads under way are done.
    pub(super) fn close(&self) {
        drop(self.slot_mut().take());
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> Result<Arc<Database>, StreamError> {
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        slot.clone().ok_or_else(|| StreamError::Unreachable {
            reason: format!("{} is being opened again", self.path.display()),
        })
    }

    fn slot_mut(&self) -> std::sync::RwLockWriteGuard<'_, Option<Arc<Database>>> {
        self.database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the stream's callers are told about an error of the file.
    pub(super) fn failure(&self, error: impl Into<redb::Error>) -> StreamError {
        storage_failure(&self.path, error.into())
    }

    /// The records of a partition from `from` up to a batch's limits, and the offset to go on from.
    /// `end` is where the log ended when the caller looked: offsets below it that are missing are
    /// gone.
    pub(super) fn read(
        &self,
        source: &TopicPartition,
        key: PartKey,
        generation: u64,
        from: u64,
        end: u64,
    ) -> Result<(Batch, u64), StreamError> {
        let database = self.database()?;
        let reading = database.begin_read().map_err(|e| self.failure(e))?;
        let table = reading.open_table(RECORDS).map_err(|e| self.failure(e))?;
        let mut batch = BatchBuilder::new(source.clone(), generation);
        let range = (key.0, key.1, from)..(key.0, key.1, end);
        for entry in table.range(range).map_err(|e| self.failure(e))? {
            let (place, bytes) = entry.map_err(|e| self.failure(e))?;
            let offset = place.value().2;
            let stored = codec::decode(bytes.value()).ok_or_else(|| StreamError::Unusable {
                reason: format!("{}: {source}@{offset} is damaged", self.path.display()),
            })?;
            if !batch.is_empty() && batch.byte_len() + bytes.value().len() > BATCH_BYTES {
                return Ok((batch.finish(), offset));
            }
            batch.push(
                offset as i64,
                stored.timestamp,
                stored.key,
                stored.value,
                stored.headers,
            );
            if batch.len() >= BATCH_RECORDS {
                return Ok((batch.finish(), offset + 1));
            }
        }
        Ok((batch.finish(), end))
    }

    /// What the group committed of these partitions.
    pub(super) fn committed(
        &self,
        group: &str,
        sources: &[(TopicPartition, PartKey)],
    ) -> Result<Vec<Commit>, StreamError> {
        let database = self.database()?;
        let reading = database.begin_read().map_err(|e| self.failure(e))?;
        let table = reading.open_table(OFFSETS).map_err(|e| self.failure(e))?;
        let mut found = Vec::new();
        for (source, (topic, partition)) in sources {
            let row = table
                .get((group, *topic, *partition))
                .map_err(|e| self.failure(e))?;
            if let Some(row) = row {
                let (next_offset, metadata) = row.value();
                found.push(Commit {
                    source: source.clone(),
                    next_offset: next_offset as i64,
                    metadata: metadata.to_owned(),
                });
            }
        }
        Ok(found)
    }
}

/// Opens the file; waits a little for one who is just letting go of it.
fn open_file(path: &Path) -> Result<Database, StreamError> {
    let mut waited = Duration::ZERO;
    loop {
        match try_open(path) {
            Err(DatabaseError::DatabaseAlreadyOpen) if waited < HANDOVER => {
                std::thread::sleep(HANDOVER_STEP);
                waited += HANDOVER_STEP;
            }
            other => return other.map_err(|error| refusal(path, error)),
        }
    }
}

fn try_open(path: &Path) -> Result<Database, DatabaseError> {
    let told = path.to_owned();
    Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_repair_callback(move |session| {
            let (file, done) = (told.display(), session.progress());
            tracing::info!(%file, done, "checking the log after an unclean end");
        })
        .create(path)
}

/// Makes the tables of a fresh file, or reads what an old one holds.
fn prepare(database: &Database, path: &Path) -> Result<Loaded, StreamError> {
    let fail = |error: redb::Error| storage_failure(path, error);
    let format = known_format(database).map_err(fail)?;
    match format {
        Format::Known => {}
        Format::Fresh => create_tables(database).map_err(fail)?,
        Format::Other(reason) => {
            return Err(StreamError::Unusable {
                reason: format!("{}: {reason}", path.display()),
            });
        }
    }
    load(database)
        .map_err(fail)?
        .map_err(|reason| StreamError::Unusable {
            reason: format!("{}: {reason}", path.display()),
        })
}

enum Format {
    Fresh,
    Known,
    Other(String),
}

fn known_format(database: &Database) -> Result<Format, redb::Error> {
    let reading = database.begin_read()?;
    let names: Vec<_> = reading
        .list_tables()?
        .map(|table| table.name().to_owned())
        .collect();
    if names.is_empty() {
        return Ok(Format::Fresh);
    }
    if !names.iter().any(|name| name == META.name()) {
        return Ok(Format::Other(
            "the file belongs to another program".to_owned(),
        ));
    }
    let format = reading
        .open_table(META)?
        .get(FORMAT_KEY)?
        .map(|row| row.value());
    Ok(match format {
        Some(FORMAT) => Format::Known,
        Some(other) => Format::Other(format!(
            "the file has format {other}, made by a newer version; this one reads format {FORMAT}"
        )),
        None => Format::Other("the file names no format".to_owned()),
    })
}

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let writing = database.begin_write()?;
    writing.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    writing.open_table(TOPICS)?;
    writing.open_table(PARTITIONS)?;
    writing.open_table(RECORDS)?;
    writing.open_table(NEWEST)?;
    writing.open_table(TOMBSTONES)?;
    writing.open_table(OFFSETS)?;
    writing.commit()?;
    Ok(())
}

fn load(database: &Database) -> Result<Result<Loaded, String>, redb::Error> {
    let reading = database.begin_read()?;
    let mut loaded = Loaded::default();
    for entry in reading.open_table(TOPICS)?.iter()? {
        let (name, row) = entry?;
        match TopicName::listed(name.value()) {
            Ok(name) => loaded.topics.push((name, row.value())),
            Err(error) => return Ok(Err(format!("a topic's name is damaged: {error}"))),
        }
    }
    for entry in reading.open_table(PARTITIONS)?.iter()? {
        let (key, row) = entry?;
        loaded.partitions.insert(key.value(), row.value());
    }
    Ok(Ok(loaded))
}

/// Retention as it is kept in a row.
pub(super) fn retention_of(row: TopicRow) -> Option<Span> {
    (row.2 >= 0).then(|| Span::from_millis(row.2))
}

fn refusal(path: &Path, error: DatabaseError) -> StreamError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StreamError::Unusable {
            reason: format!("{} is in use by another process", path.display()),
        },
        DatabaseError::UpgradeRequired(version) => StreamError::Unusable {
            reason: format!(
                "{} has the storage format {version} of an older version",
                path.display()
            ),
        },
        other => storage_failure(path, other.into()),
    }
}

fn storage_failure(path: &Path, error: redb::Error) -> StreamError {
    let file = path.display();
    match error {
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            StreamError::Unusable {
                reason: format!("{file} is no log, or is damaged: {error}"),
            }
        }
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::PermissionDenied
                    | std::io::ErrorKind::NotFound
                    | std::io::ErrorKind::IsADirectory
                    | std::io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            StreamError::Unusable {
                reason: format!("{file}: {error}"),
            }
        }
        redb::Error::Io(error) => StreamError::Unreachable {
            reason: format!("{file}: {error}"),
        },
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => StreamError::Unreachable {
            reason: format!("{file} must be opened again after an error of the disk"),
        },
        redb::Error::Corrupted(what) => StreamError::Unusable {
            reason: format!("{file} is damaged: {what}"),
        },
        other => StreamError::Unusable {
            reason: format!("{file}: {other}"),
        },
    }
}
