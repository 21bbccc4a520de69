//! A record to be: lines of one partition, from however many requests.

use super::sort::Row;
use std::io::Write;

/// Most lines of a record, so that nobody has to read a huge one for a single line.
pub const RECORD_LINES: usize = 1_000;
/// Most bytes of a record. Brokers take 1 MiB by default.
pub const RECORD_BYTES: usize = 512 << 10;
/// A timestamp in nanoseconds, the space before it and the newline behind it, at most.
const STAMP_BYTES: usize = 22;

/// Lines of one partition, each ended by a newline.
#[derive(Debug, Default)]
pub struct Message {
    bytes: Vec<u8>,
    lines: usize,
}

impl Message {
    /// An empty message with room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes.min(RECORD_BYTES)),
            lines: 0,
        }
    }

    /// Whether the line fits beside those that are there.
    pub fn has_room(&self, row: &Row<'_>) -> bool {
        self.lines < RECORD_LINES && self.bytes.len() + row.text.len() + STAMP_BYTES <= RECORD_BYTES
    }

    /// Adds a line.
    pub fn push(&mut self, row: &Row<'_>) {
        self.bytes.extend_from_slice(row.text);
        match row.nanos {
            None => self.bytes.push(b'\n'),
            // Writing to a vector cannot fail.
            Some(nanos) => writeln!(self.bytes, " {nanos}").unwrap_or_default(),
        }
        self.lines += 1;
    }

    /// Whether it has as many lines as it may.
    pub fn is_full(&self) -> bool {
        self.lines >= RECORD_LINES
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The record's value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::precision::Precision;
    use super::super::sort::{LineLimits, Sorted};
    use super::*;

    const LIMITS: LineLimits = LineLimits {
        line_bytes: RECORD_BYTES,
        line_tags: 4,
    };

    fn messages(body: &str) -> Vec<Message> {
        let millis = Precision::parse("ms").unwrap();
        let mut sorted = Sorted::new(body.as_bytes(), millis, 1, LIMITS);
        assert!(sorted.advance());
        let mut messages = vec![Message::default()];
        for (_, rows) in sorted.partitions() {
            for row in rows {
                if !messages.last().unwrap().has_room(row) {
                    messages.push(Message::default());
                }
                messages.last_mut().unwrap().push(row);
            }
        }
        messages
    }

    #[test]
    fn a_record_has_bounded_lines() {
        let body: String = (0..2_500).map(|n| format!("m v={n} {n}\n")).collect();
        let lines: Vec<usize> = messages(&body).iter().map(Message::lines).collect();
        assert_eq!(lines, [1_000, 1_000, 500]);
    }

    #[test]
    fn a_record_has_bounded_bytes() {
        let body = format!("m s=\"{}\" 7\n", "x".repeat(200_000)).repeat(5);
        let messages = messages(&body);
        assert_eq!(messages.len(), 3);
        assert!(messages.iter().all(|message| message.len() <= RECORD_BYTES));
    }

    #[test]
    fn lines_end_with_a_newline_and_stand_in_nanoseconds() {
        let one = messages("m v=1 7\nm v=2\n").remove(0);
        assert_eq!(one.into_bytes(), b"m v=1 7000000\nm v=2\n");
    }
}
