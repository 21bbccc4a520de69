//! One durable transaction of the writer: appends, new topics and group offsets.

use super::Shared;
use super::catalogue::Place;
use super::codec;
use super::store::{
    NEWEST, OFFSETS, PARTITIONS, PartKey, PartRow, RECORDS, TOMBSTONES, TOPICS, TopicRow,
};
use super::writer::GroupCommit;
use crate::{Appended, Ensured, NewRecord, OffsetRange, StreamError, TopicSpec};
use model::{Timestamp, TopicName};
use redb::WriteTransaction;
use std::collections::HashMap;
use tokio::sync::watch;

/// What a transaction changed, told to others only once it is durable.
#[derive(Default)]
pub(super) struct Staged {
    pub(super) appended: Vec<Result<Appended, StreamError>>,
    pub(super) ensured: Vec<Result<Ensured, StreamError>>,
    pub(super) committed: Vec<Result<(), StreamError>>,
    pub(super) topics: Vec<(TopicName, TopicRow)>,
    pub(super) rows: HashMap<PartKey, PartRow>,
    pub(super) ranges: Vec<(watch::Sender<OffsetRange>, PartRow)>,
    pub(super) next_topic: u32,
}

/// A transaction under way.
pub(super) struct Transaction<'a> {
    shared: &'a Shared,
    rows: &'a HashMap<PartKey, PartRow>,
    now_ms: i64,
    writing: WriteTransaction,
    places: HashMap<PartKey, Place>,
    staged: Staged,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(
        shared: &'a Shared,
        rows: &'a HashMap<PartKey, PartRow>,
        next_topic: u32,
        now_ms: i64,
    ) -> Result<Self, StreamError> {
        let database = shared.store.database()?;
        let mut writing = database
            .begin_write()
            .map_err(|e| shared.store.failure(e))?;
        // Without it, the first start after a kill reads the whole file to check it.
        writing.set_quick_repair(true);
        Ok(Self {
            shared,
            rows,
            now_ms,
            writing,
            places: HashMap::new(),
            staged: Staged {
                next_topic,
                ..Staged::default()
            },
        })
    }

    /// Appends a record, or stages why it cannot be. An error is one of the file.
    pub(super) fn append(&mut self, record: &NewRecord) -> Result<(), StreamError> {
        let outcome = match self.shared.catalogue.place(&record.target) {
            Err(error) => Err(error),
            Ok(place) if place.topic.compacted && record.key.is_none() => {
                Err(StreamError::Refused {
                    topic: record.target.topic.clone(),
                    reason: "a compacted topic takes no record without a key".to_owned(),
                })
            }
            Ok(place) => Ok(self.append_at(&place, record)?),
        };
        self.staged.appended.push(outcome);
        Ok(())
    }

    fn append_at(&mut self, place: &Place, record: &NewRecord) -> Result<Appended, StreamError> {
        let before = self
            .staged
            .rows
            .get(&place.key)
            .or_else(|| self.rows.get(&place.key));
        let (earliest, offset, last_ms) = before.copied().unwrap_or_default();
        // Time of a partition never runs backwards, whatever the clock does.
        let appended_ms = self.now_ms.max(last_ms);
        let bytes = codec::encode(record, appended_ms);
        self.insert(place, offset, record, &bytes)
            .map_err(|error| self.shared.store.failure(error))?;
        self.staged
            .rows
            .insert(place.key, (earliest, offset + 1, appended_ms));
        self.places
            .entry(place.key)
            .or_insert_with(|| place.clone());
        Ok(Appended {
            offset: offset as i64,
            timestamp: Some(Timestamp::from_millis(appended_ms)),
        })
    }

    fn insert(
        &self,
        place: &Place,
        offset: u64,
        record: &NewRecord,
        bytes: &[u8],
    ) -> Result<(), redb::Error> {
        let (topic, partition) = place.key;
        let mut records = self.writing.open_table(RECORDS)?;
        records.insert((topic, partition, offset), bytes)?;
        let (true, Some(key)) = (place.topic.compacted, &record.key) else {
            return Ok(());
        };
        // Compaction happens as the newer record of a key arrives.
        let mut newest = self.writing.open_table(NEWEST)?;
        let mut tombstones = self.writing.open_table(TOMBSTONES)?;
        let older = newest.insert((topic, partition, key.as_ref()), offset)?;
        if let Some(older) = older.map(|row| row.value()) {
            records.remove((topic, partition, older))?;
            tombstones.remove((topic, partition, older))?;
        }
        if record.value.is_none() {
            tombstones.insert((topic, partition, offset), key.as_ref())?;
        }
        Ok(())
    }

    /// Makes a topic, unless it is there.
    pub(super) fn create(&mut self, spec: &TopicSpec) -> Result<(), StreamError> {
        let there = self.shared.catalogue.get(&spec.name).is_some()
            || self
                .staged
                .topics
                .iter()
                .any(|(name, _)| *name == spec.name);
        if there {
            self.staged.ensured.push(Ok(Ensured::Existed));
            return Ok(());
        }
        let retention_ms = spec.retention.map_or(-1, |span| span.as_millis().max(0));
        let number = self.staged.next_topic;
        let row = (number, spec.partitions, retention_ms, spec.compacted);
        self.insert_topic(spec, row)
            .map_err(|error| self.shared.store.failure(error))?;
        self.staged.next_topic += 1;
        self.staged.topics.push((spec.name.clone(), row));
        self.staged.ensured.push(Ok(Ensured::Created));
        Ok(())
    }

    fn insert_topic(&self, spec: &TopicSpec, row: TopicRow) -> Result<(), redb::Error> {
        self.writing
            .open_table(TOPICS)?
            .insert(spec.name.as_str(), row)?;
        Ok(())
    }

    /// Stores the offsets of a member, all or none: none when a partition is no longer its own.
    pub(super) fn commit_offsets(&mut self, commit: &GroupCommit) -> Result<(), StreamError> {
        let foreign = self.shared.owners.foreign(commit);
        let outcome = match foreign {
            Some(source) => Err(StreamError::Fenced {
                reason: format!(
                    "{source} belongs to another member of `{}` now",
                    commit.group
                ),
            }),
            None => {
                self.insert_offsets(commit)
                    .map_err(|error| self.shared.store.failure(error))?;
                Ok(())
            }
        };
        self.staged.committed.push(outcome);
        Ok(())
    }

    fn insert_offsets(&self, commit: &GroupCommit) -> Result<(), redb::Error> {
        let mut offsets = self.writing.open_table(OFFSETS)?;
        for ((topic, partition), position) in &commit.commits {
            offsets.insert(
                (commit.group.as_ref(), *topic, *partition),
                (
                    position.next_offset.max(0) as u64,
                    position.metadata.as_str(),
                ),
            )?;
        }
        Ok(())
    }

    /// Makes all of it durable.
    pub(super) fn commit(mut self) -> Result<Staged, StreamError> {
        for (key, place) in self.places.drain() {
            if let (Some(row), Some(range)) = (self.staged.rows.get(&key), place.topic.range(key.1))
            {
                self.staged.ranges.push((range.clone(), *row));
            }
        }
        let Self {
            writing,
            staged,
            shared,
            ..
        } = self;
        let done = store_rows(&writing, &staged.rows).and_then(|()| Ok(writing.commit()?));
        done.map_err(|error| shared.store.failure(error))?;
        Ok(staged)
    }
}

/// Writes where partitions begin and end.
pub(super) fn store_rows(
    writing: &WriteTransaction,
    rows: &HashMap<PartKey, PartRow>,
) -> Result<(), redb::Error> {
    let mut table = writing.open_table(PARTITIONS)?;
    for (key, row) in rows {
        table.insert(*key, *row)?;
    }
    Ok(())
}
