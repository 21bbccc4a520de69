//! Retention: what is older than a topic keeps is removed, and tombstones that everybody has seen.

use super::Shared;
use super::catalogue::{Catalogue, Topic, range_of};
use super::codec;
use super::store::{NEWEST, PartKey, PartRow, RECORDS, TOMBSTONES};
use super::transaction::store_rows;
use crate::StreamError;
use model::Span;
use redb::{ReadableDatabase, WriteTransaction};
use std::collections::HashMap;
use std::ops::Bound;
use std::time::Duration;

/// Records removed in one transaction, so that appends do not wait long.
const CHUNK: usize = 5_000;
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
/// How long a tombstone stands, as Kafka's `delete.retention.ms`.
const TOMBSTONE: Span = Span::from_secs(24 * 3600);

/// How often to look: a quarter of the shortest retention, within bounds.
pub(super) fn interval(catalogue: &Catalogue) -> Duration {
    let shortest = catalogue.shortest_retention();
    shortest
        .map_or(LONGEST, |span| span.to_std() / 4)
        .clamp(SHORTEST, LONGEST)
}

/// Removes what is due, in as many transactions as that takes.
pub(super) fn run(
    shared: &Shared,
    rows: &mut HashMap<PartKey, PartRow>,
    now_ms: i64,
) -> Result<(), StreamError> {
    for (_, topic) in shared.catalogue.all() {
        for partition in 0..topic.partitions() {
            let key = (topic.number, partition);
            let Some(row) = rows.get(&key).copied() else {
                continue;
            };
            let due = due(shared, &topic, key, row, now_ms).map_err(|e| shared.store.failure(e))?;
            if let Some(due) = due {
                let row = remove(shared, key, row, due).map_err(|e| shared.store.failure(e))?;
                rows.insert(key, row);
                if let Some(range) = topic.range(partition) {
                    range.send_replace(range_of(row));
                }
            }
        }
    }
    Ok(())
}

/// What of a partition goes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// Everything below this offset.
    below: u64,
    /// Tombstones of a compacted topic, with their keys.
    tombstones: Vec<(u64, Vec<u8>)>,
}

fn due(
    shared: &Shared,
    topic: &Topic,
    key: PartKey,
    row: PartRow,
    now_ms: i64,
) -> Result<Option<Due>, redb::Error> {
    let database = shared
        .store
        .database()
        .map_err(|_| redb::Error::DatabaseClosed)?;
    let reading = database.begin_read()?;
    let (earliest, end, _) = row;
    let mut due = Due {
        below: earliest,
        tombstones: Vec::new(),
    };
    let all = (key.0, key.1, earliest)..(key.0, key.1, end);
    let records = reading.open_table(RECORDS)?;
    if let (Some(retention), false) = (topic.retention, topic.compacted) {
        let kept_from = now_ms.saturating_sub(retention.as_millis());
        for entry in records.range(all.clone())?.take(CHUNK) {
            let (place, bytes) = entry?;
            if codec::appended_ms(bytes.value()).is_some_and(|at| at >= kept_from) {
                break;
            }
            due.below = place.value().2 + 1;
        }
    }
    if topic.compacted {
        let stands_from = now_ms.saturating_sub(TOMBSTONE.as_millis());
        for entry in reading.open_table(TOMBSTONES)?.range(all)?.take(CHUNK) {
            let (place, dead) = entry?;
            let record = records.get(place.value())?;
            let appended_ms = record.and_then(|bytes| codec::appended_ms(bytes.value()));
            if appended_ms.is_some_and(|at| at >= stands_from) {
                break;
            }
            due.tombstones
                .push((place.value().2, dead.value().to_vec()));
        }
    }
    Ok((due.below > earliest || !due.tombstones.is_empty()).then_some(due))
}

fn remove(shared: &Shared, key: PartKey, row: PartRow, due: Due) -> Result<PartRow, redb::Error> {
    let database = shared
        .store
        .database()
        .map_err(|_| redb::Error::DatabaseClosed)?;
    let mut writing = database.begin_write()?;
    writing.set_quick_repair(true);
    let row = (due.below, row.1, row.2);
    remove_records(&writing, key, &due)?;
    store_rows(&writing, &HashMap::from([(key, row)]))?;
    writing.commit()?;
    Ok(row)
}

fn remove_records(writing: &WriteTransaction, key: PartKey, due: &Due) -> Result<(), redb::Error> {
    let (topic, partition) = key;
    let mut records = writing.open_table(RECORDS)?;
    let old = (
        Bound::Included((topic, partition, 0)),
        Bound::Excluded((topic, partition, due.below)),
    );
    records.retain_in::<(u32, u32, u64), _>(old, |_, _| false)?;
    let mut newest = writing.open_table(NEWEST)?;
    let mut tombstones = writing.open_table(TOMBSTONES)?;
    for (offset, dead) in &due.tombstones {
        records.remove((topic, partition, *offset))?;
        tombstones.remove((topic, partition, *offset))?;
        newest.remove((topic, partition, dead.as_slice()))?;
    }
    Ok(())
}
