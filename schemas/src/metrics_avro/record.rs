//! What a record of a tenant's topic holds: lines as they are, or Avro that becomes lines.

use super::MARKER;
use crate::points::{Decoded, Undecodable};

/// Lines that one record may become, in bytes. A record of Kafka is 1 MiB by default.
const MOST: usize = 16 << 20;

/// The lines of a record, and what of it cannot become any.
#[derive(Debug, PartialEq, Eq)]
pub struct RecordLines<'a> {
    /// Line protocol in nanoseconds.
    pub lines: &'a [u8],
    /// What became of Avro; none where the record holds lines as they are.
    pub avro: Option<Result<Decoded, Undecodable>>,
}

/// The lines of a record of a tenant's topic. No line begins with the two bytes by which Avro is known, since they
/// are no UTF-8. `scratch` holds the lines that are made of Avro; what is in it is lost.
pub fn lines_of_record<'a>(value: &'a [u8], scratch: &'a mut Vec<u8>) -> RecordLines<'a> {
    if !value.starts_with(&MARKER) {
        return RecordLines {
            lines: value,
            avro: None,
        };
    }
    scratch.clear();
    let decoded = super::decode(value, MOST, scratch);
    if decoded.is_err() {
        scratch.clear();
    }
    RecordLines {
        lines: scratch,
        avro: Some(decoded),
    }
}
