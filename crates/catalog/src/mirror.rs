//! The same catalogue in every cluster: what one holds, record by record, written to another.

use crate::CatalogError;
use crate::snapshot::{BEGIN_KEY, MARKER_KEY, source};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use stream::{NewRecord, Stream, StreamError};

/// How often to begin again when others write at the same time.
const ATTEMPTS: usize = 20;

/// What a catalogue's topic holds, as it was written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Raw {
    records: BTreeMap<Vec<u8>, Bytes>,
    /// The marker of the newest revision.
    marker: Bytes,
}

/// Brings the catalogue of `to` to that of `from`, with the same revisions and bundles. Whoever mirrors at the same
/// time ends at the same: each looks again at `from` after it has written.
pub(crate) async fn mirror(from: &Stream, to: &Stream) -> Result<(), CatalogError> {
    let mut wanted = read(from).await?;
    for _ in 0..ATTEMPTS {
        let there = read(to).await?;
        let differences = differences(&wanted, &there);
        if !differences.is_empty() {
            write(to, differences).await?;
        }
        let now = read(from).await?;
        if now == wanted {
            return Ok(());
        }
        wanted = now;
    }
    Err(CatalogError::Contended)
}

/// The records that make `there` what is wanted, the marker last.
fn differences(wanted: &Raw, there: &Raw) -> Vec<NewRecord> {
    let record = |key: &[u8], value: Option<Bytes>| NewRecord::keyed(source(), key.to_vec(), value);
    let keys: BTreeSet<&Vec<u8>> = wanted.records.keys().chain(there.records.keys()).collect();
    let mut records: Vec<NewRecord> = keys
        .into_iter()
        .filter(|key| wanted.records.get(*key) != there.records.get(*key))
        .map(|key| record(key, wanted.records.get(key).cloned()))
        .collect();
    if !records.is_empty() || wanted.marker != there.marker {
        records.push(record(MARKER_KEY.as_bytes(), Some(wanted.marker.clone())));
    }
    records
}

async fn write(to: &Stream, records: Vec<NewRecord>) -> Result<(), StreamError> {
    let deliveries: Vec<_> = records.into_iter().map(|record| to.send(record)).collect();
    for delivery in deliveries {
        delivery.await?;
    }
    Ok(())
}

async fn read(stream: &Stream) -> Result<Raw, CatalogError> {
    let range = stream.offsets(&source()).await?;
    let mut raw = Raw::default();
    if range.end <= range.earliest {
        return Ok(raw);
    }
    let mut reader = stream.read(&source(), range.earliest).await?;
    let mut next = range.earliest;
    while next < range.end {
        let batch = reader.next().await.ok_or(StreamError::Closed)??;
        for record in batch.records() {
            next = record.offset + 1;
            let value = record.value.map(Bytes::copy_from_slice);
            match (record.key, value) {
                (None, _) => {}
                (Some(key), _) if key == BEGIN_KEY.as_bytes() => {}
                (Some(key), value) if key == MARKER_KEY.as_bytes() => {
                    raw.marker = value.unwrap_or_default();
                }
                (Some(key), Some(value)) => {
                    raw.records.insert(key.to_vec(), value);
                }
                (Some(key), None) => {
                    raw.records.remove(key);
                }
            }
        }
    }
    Ok(raw)
}
