//! Records as they are read: many of one partition in one allocation.
//!
//! A tenant that produces straight to Kafka may put one line in a message; a heap allocation for each would
//! cost more than the line. A batch copies keys, values and headers into one buffer and keeps ranges.

use crate::TopicPartition;
use bytes::Bytes;
use model::Timestamp;
use std::ops::Range;

/// Records of one partition in the order of their offsets, which may have gaps.
#[derive(Debug, Clone)]
pub struct Batch {
    source: TopicPartition,
    generation: u64,
    bytes: Bytes,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    offset: i64,
    timestamp: Timestamp,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Option<Box<Headers>>,
}

type Headers = [(String, Vec<u8>)];

/// One record of a batch, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Append time as the log stamped it.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none for a tombstone, tick or mark.
    pub value: Option<&'a [u8]>,
    headers: &'a Headers,
}

impl<'a> Record<'a> {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_slice())
    }

    /// All headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_slice()))
    }
}

impl Batch {
    /// Where the records come from.
    pub fn source(&self) -> &TopicPartition {
        &self.source
    }

    /// The assignment that delivered it; work of an older one must not be committed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many records there are; never 0 when a stream delivered the batch.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and values, as a budget counts them.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.offset)
    }

    /// The records in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| Record {
            offset: entry.offset,
            timestamp: entry.timestamp,
            key: entry.key.clone().map(|range| self.slice(range)),
            value: entry.value.clone().map(|range| self.slice(range)),
            headers: entry.headers.as_deref().unwrap_or_default(),
        })
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}

/// Fills a [`Batch`].
#[derive(Debug)]
pub struct BatchBuilder {
    source: TopicPartition,
    generation: u64,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl BatchBuilder {
    /// An empty batch of that partition.
    pub fn new(source: TopicPartition, generation: u64) -> Self {
        Self {
            source,
            generation,
            bytes: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds the next record. Offsets must rise.
    pub fn push(
        &mut self,
        offset: i64,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Vec<(String, Vec<u8>)>,
    ) {
        let key = key.map(|bytes| self.append(bytes));
        let value = value.map(|bytes| self.append(bytes));
        let headers = if headers.is_empty() {
            None
        } else {
            Some(headers.into_boxed_slice())
        };
        self.entries.push(Entry {
            offset,
            timestamp,
            key,
            value,
            headers,
        });
    }

    fn append(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len() as u32
    }

    /// Bytes so far. A batch must stay far below 4 GiB; readers cut at 1 MiB.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The batch.
    pub fn finish(self) -> Batch {
        Batch {
            source: self.source,
            generation: self.generation,
            bytes: self.bytes.into(),
            entries: self.entries,
        }
    }
}
