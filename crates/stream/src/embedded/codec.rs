//! How a record lies in the file: flags, append time, key, headers, and the value as the rest.

use crate::NewRecord;
use model::Timestamp;

const KEY: u8 = 1;
const VALUE: u8 = 2;
const HEADERS: u8 = 4;

/// A stored record, borrowed from its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored<'a> {
    pub(super) timestamp: Timestamp,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// Bytes of a record with its append time in milliseconds.
pub(super) fn encode(record: &NewRecord, appended_ms: i64) -> Vec<u8> {
    let mut to = Vec::with_capacity(size(record) + 16);
    let flag = |present: bool, bit: u8| if present { bit } else { 0 };
    to.push(
        flag(record.key.is_some(), KEY)
            | flag(record.value.is_some(), VALUE)
            | flag(!record.headers.is_empty(), HEADERS),
    );
    to.extend_from_slice(&appended_ms.to_le_bytes());
    if let Some(key) = &record.key {
        put(&mut to, key);
    }
    if !record.headers.is_empty() {
        to.extend_from_slice(&(record.headers.len() as u32).to_le_bytes());
        for (name, value) in &record.headers {
            put(&mut to, name.as_bytes());
            put(&mut to, value);
        }
    }
    if let Some(value) = &record.value {
        to.extend_from_slice(value);
    }
    to
}

/// The record of these bytes, or none when they are damaged.
pub(super) fn decode(mut from: &[u8]) -> Option<Stored<'_>> {
    let flags = *from.split_off_first()?;
    let timestamp = Timestamp::from_millis(take_time(&mut from)?);
    let key = if flags & KEY == 0 {
        None
    } else {
        Some(take(&mut from)?)
    };
    let mut headers = Vec::new();
    if flags & HEADERS != 0 {
        for _ in 0..take_length(&mut from)? {
            let name = std::str::from_utf8(take(&mut from)?).ok()?.to_owned();
            headers.push((name, take(&mut from)?.to_vec()));
        }
    }
    Some(Stored {
        timestamp,
        key,
        value: (flags & VALUE != 0).then_some(from),
        headers,
    })
}

/// Append time in milliseconds, without reading the rest.
pub(super) fn appended_ms(mut from: &[u8]) -> Option<i64> {
    from.split_off_first()?;
    take_time(&mut from)
}

/// Bytes of key, value and headers.
pub(super) fn size(record: &NewRecord) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|(n, v)| n.len() + v.len() + 8)
        .sum();
    headers
        + record.key.as_ref().map_or(0, |key| key.len())
        + record.value.as_ref().map_or(0, |value| value.len())
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    to.extend_from_slice(bytes);
}

fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(from)? as usize;
    from.split_off(..length)
}

fn take_length(from: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(from.split_off(..4)?.try_into().ok()?))
}

fn take_time(from: &mut &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(from.split_off(..8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopicPartition;
    use bytes::Bytes;
    use model::TopicName;

    #[test]
    fn a_record_reads_as_it_was_written_and_a_cut_one_is_damaged() {
        let target = TopicPartition::new(TopicName::alerts(), 0);
        for key in [
            None,
            Some(Bytes::from_static(b"")),
            Some(Bytes::from_static(b"k")),
        ] {
            for value in [
                None,
                Some(Bytes::from_static(b"")),
                Some(Bytes::from_static(b"v")),
            ] {
                for headers in [vec![], vec![("h".to_owned(), Bytes::from_static(b"x"))]] {
                    let record = NewRecord {
                        target: target.clone(),
                        key: key.clone(),
                        value: value.clone(),
                        headers,
                    };
                    let bytes = encode(&record, 7);
                    let stored = decode(&bytes).unwrap();
                    assert_eq!(stored.timestamp, Timestamp::from_millis(7));
                    assert_eq!(stored.key, key.as_deref());
                    assert_eq!(stored.value, value.as_deref());
                    assert_eq!(stored.headers.len(), record.headers.len());
                    assert_eq!(appended_ms(&bytes), Some(7));
                    assert_eq!(decode(&bytes[..5]), None);
                }
            }
        }
    }
}
