//! Reading the catalogue once, to its end.

use crate::CatalogError;
use model::{TenantId, Timestamp, TopicName};
use schemas::catalogue::Catalogue;
use std::collections::{BTreeMap, BTreeSet};
use stream::{Batch, Stream, StreamError, TopicPartition};

/// Key of the record that begins a revision; its offset is what makes the revision's number unique.
pub(crate) const BEGIN_KEY: &str = "begin";

/// Key of the record that ends a revision.
pub const MARKER_KEY: &str = "revision";

/// What of the catalogue a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// All but the bundles: each holds every template, some 200 KB a tenant, and half a millisecond to be checked.
    Declared,
}

/// The catalogue as of an offset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) catalogue: Catalogue,
    pub(crate) extent: Extent,
    /// The next offset to read.
    pub(crate) next_offset: i64,
    /// When each bundle was written.
    pub(crate) bundle_times: BTreeMap<TenantId, BTreeMap<u64, Timestamp>>,
    /// Revisions that were begun and have no marker: a publisher is at work, or died at it.
    pub(crate) open: BTreeSet<u64>,
}

/// The one partition of the catalogue.
pub(crate) fn source() -> TopicPartition {
    TopicPartition::new(TopicName::catalog(), 0)
}

impl Snapshot {
    /// Applies records; says whether a revision ended among them. A record that cannot be read is logged and
    /// left out: one that a newer version wrote must not stop an older one.
    pub(crate) fn apply(&mut self, batch: &Batch) -> bool {
        let mut ended = false;
        for record in batch.records() {
            self.next_offset = record.offset + 1;
            let Some(key) = record.key else { continue };
            if key == BEGIN_KEY.as_bytes() {
                self.open.insert(revision_of(record.offset));
                continue;
            }
            if key == MARKER_KEY.as_bytes() {
                self.open.remove(&record.value.map_or(0, marked_revision));
                ended = true;
                continue;
            }
            let bundle = bundle_of(key);
            if let Some((_, revision)) = &bundle
                && self.extent == Extent::Declared
            {
                let written = record.value.map_or(0, |_| *revision);
                self.catalogue.revision = self.catalogue.revision.max(written);
                continue;
            }
            match self.catalogue.apply_record(key, record.value) {
                Ok(()) => self.note_bundle(bundle, record.timestamp),
                Err(error) => {
                    tracing::error!(offset = record.offset, %error, "catalogue record left out")
                }
            }
        }
        ended
    }

    fn note_bundle(&mut self, bundle: Option<(TenantId, u64)>, at: Timestamp) {
        if let Some((tenant, revision)) = bundle {
            self.bundle_times
                .entry(tenant)
                .or_default()
                .insert(revision, at);
        }
    }
}

/// Whose bundle of which revision a record holds, by its key.
fn bundle_of(key: &[u8]) -> Option<(TenantId, u64)> {
    let key = std::str::from_utf8(key).ok()?;
    let (tenant, revision) = key.strip_prefix("bundle/")?.split_once('/')?;
    Some((TenantId::parse(tenant).ok()?, revision.parse().ok()?))
}

/// The revision that a begin record at that offset begins; the first one is 1.
pub(crate) fn revision_of(begin_offset: i64) -> u64 {
    begin_offset.unsigned_abs() + 1
}

/// The value of a marker.
pub(crate) fn marker(revision: u64) -> Vec<u8> {
    revision.to_string().into_bytes()
}

fn marked_revision(value: &[u8]) -> u64 {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// The catalogue as it stands now; empty where nothing was ever declared.
pub async fn snapshot(stream: &Stream) -> Result<Catalogue, CatalogError> {
    match load(stream).await {
        Err(CatalogError::Log(StreamError::UnknownTopic { .. })) => Ok(Catalogue::default()),
        loaded => Ok(loaded?.catalogue),
    }
}

pub(crate) async fn load(stream: &Stream) -> Result<Snapshot, CatalogError> {
    load_as(stream, Extent::Whole).await
}

pub(crate) async fn load_as(stream: &Stream, extent: Extent) -> Result<Snapshot, CatalogError> {
    let mut snapshot = Snapshot {
        extent,
        ..Snapshot::default()
    };
    let range = stream.offsets(&source()).await?;
    if range.end <= range.earliest {
        snapshot.next_offset = range.end;
        return Ok(snapshot);
    }
    let mut reader = stream.read(&source(), range.earliest).await?;
    while snapshot.next_offset < range.end {
        let batch = reader.next().await.ok_or(StreamError::Closed)??;
        snapshot.apply(&batch);
    }
    Ok(snapshot)
}
