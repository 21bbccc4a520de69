//! Records as they are read: many of one partition in one allocation.
//!
//! A tenant that produces straight to Kafka may put one line in a message; a heap allocation for each would
//! cost more than the line. A batch copies values into one buffer, keys into another, and keeps ranges. Behind each value
//! there is a newline, so that lines of line protocol follow each other from value to value.

use crate::TopicPartition;
use bytes::Bytes;
use model::Timestamp;
use std::ops::Range;

/// Records of one partition in the order of their offsets, which may have gaps.
#[derive(Debug, Clone)]
pub struct Batch {
    source: TopicPartition,
    generation: u64,
    keys: Vec<u8>,
    values: Bytes,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    offset: i64,
    timestamp: Timestamp,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    /// Mostly there are none.
    headers: Option<Box<Headers>>,
}

type Headers = Vec<(String, Vec<u8>)>;

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
    headers: &'a [(String, Vec<u8>)],
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
        self.keys.len() + self.values.len()
    }

    /// The values, a newline behind each. Those of the records lie in it.
    pub fn values(&self) -> &Bytes {
        &self.values
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
            key: entry.key.clone().map(|range| slice(&self.keys, range)),
            value: entry.value.clone().map(|range| slice(&self.values, range)),
            headers: entry.headers.as_deref().map_or(&[], Vec::as_slice),
        })
    }
}

fn slice(bytes: &[u8], range: Range<u32>) -> &[u8] {
    &bytes[range.start as usize..range.end as usize]
}

fn append(bytes: &mut Vec<u8>, more: &[u8]) -> Range<u32> {
    let start = bytes.len() as u32;
    bytes.extend_from_slice(more);
    start..bytes.len() as u32
}

/// Fills a [`Batch`].
#[derive(Debug)]
pub struct BatchBuilder {
    source: TopicPartition,
    generation: u64,
    keys: Vec<u8>,
    values: Vec<u8>,
    entries: Vec<Entry>,
}

impl BatchBuilder {
    /// An empty batch of that partition.
    pub fn new(source: TopicPartition, generation: u64) -> Self {
        Self {
            source,
            generation,
            keys: Vec::new(),
            values: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Makes room for so many records with so many bytes of values, so that no buffer grows in between.
    pub fn reserve(&mut self, records: usize, value_bytes: usize) {
        self.entries.reserve_exact(records);
        // A newline each. What is read waits for its store, so it takes no more room than it needs.
        self.values.reserve_exact(value_bytes + records);
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
        let key = key.map(|bytes| append(&mut self.keys, bytes));
        let value = value.map(|bytes| {
            let range = append(&mut self.values, bytes);
            if bytes.last() != Some(&b'\n') {
                self.values.push(b'\n');
            }
            range
        });
        self.entries.push(Entry {
            offset,
            timestamp,
            key,
            value,
            headers: (!headers.is_empty()).then(|| Box::new(headers)),
        });
    }

    /// Bytes so far. A batch must stay far below 4 GiB; readers cut at 1 MiB.
    pub fn byte_len(&self) -> usize {
        self.keys.len() + self.values.len()
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
            keys: self.keys,
            values: self.values.into(),
            entries: self.entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TopicName;

    #[test]
    fn records_come_back_as_they_were_and_their_values_follow_each_other_by_lines() {
        let topic = TopicName::deadletter();
        let mut batch = BatchBuilder::new(TopicPartition::new(topic, 3), 7);
        batch.reserve(4, 12);
        let header = vec![("h".to_owned(), b"1".to_vec())];
        for (offset, key, value, headers) in [
            (4, Some(&b"k"[..]), Some(&b"a v=1"[..]), Vec::new()),
            (5, None, Some(b"b v=2\n"), header),
            (7, Some(b"kk"), None, Vec::new()),
            (8, None, Some(b""), Vec::new()),
        ] {
            batch.push(offset, Timestamp::from_millis(1), key, value, headers);
        }
        assert_eq!(batch.byte_len(), 3 + 6 + 6 + 1);
        let batch = batch.finish();
        assert_eq!(batch.values(), &b"a v=1\nb v=2\n\n"[..]);
        let found: Vec<_> = batch
            .records()
            .map(|record| (record.offset, record.key, record.value, record.header("h")))
            .collect();
        let (k, kk, one) = (Some(&b"k"[..]), Some(&b"kk"[..]), Some(&b"1"[..]));
        let (a, b, empty) = (Some(&b"a v=1"[..]), Some(&b"b v=2\n"[..]), Some(&b""[..]));
        let expected = [
            (4, k, a, None),
            (5, None, b, one),
            (7, kk, None, None),
            (8, None, empty, None),
        ];
        assert_eq!(found, expected);
        assert_eq!((batch.last_offset(), batch.byte_len()), (Some(8), 16));
    }
}
