//! Measurements, keys and tag values: where they end, and what their backslashes mean.

use super::stops::position;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Characters that a backslash escapes in a measurement.
pub(super) const MEASUREMENT: &[u8] = b", ";
/// Characters that a backslash escapes in tag keys, tag values and field keys.
pub(super) const TAG: &[u8] = b",= ";

/// Takes the backslashes away that escape something.
pub(super) fn unescape<'a>(raw: &'a str, escapable: &[u8]) -> Cow<'a, str> {
    let bytes = raw.as_bytes();
    let escapes = |at: usize| {
        bytes[at] == b'\\'
            && bytes
                .get(at + 1)
                .is_some_and(|next| escapable.contains(next))
    };
    let Some(first) = (0..bytes.len()).find(|at| escapes(*at)) else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    let (mut from, mut at) = (0, first);
    while at < bytes.len() {
        if escapes(at) {
            out.push_str(&raw[from..at]);
            from = at + 1;
            at += 1;
        }
        at += 1;
    }
    out.push_str(&raw[from..]);
    Cow::Owned(out)
}

/// Whether a key that is written as `raw` is `name`.
pub(super) fn is_key(raw: &str, name: &str) -> bool {
    match raw.len().cmp(&name.len()) {
        Ordering::Less => false,
        // With the backslash that escapes something taken away it would be shorter.
        Ordering::Equal => raw == name && matches!(unescape(raw, TAG), Cow::Borrowed(_)),
        Ordering::Greater => raw.contains('\\') && unescape(raw, TAG) == name,
    }
}

/// The tags of a line that was understood, as they are written. Bytes: they are read as text only where somebody asks.
#[derive(Debug, Clone)]
pub(super) struct RawTags<'a> {
    /// What is left, each tag with the comma before it.
    rest: &'a [u8],
    escaped: bool,
}

impl<'a> RawTags<'a> {
    pub(super) fn new(rest: &'a [u8], escaped: bool) -> Self {
        Self { rest, escaped }
    }

    /// The next tag with its key and value in one, `key=value`.
    #[inline]
    pub(super) fn next_whole(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.end_of(1, b',');
        let tag = &self.rest[1..end];
        self.rest = &self.rest[end..];
        Some(tag)
    }

    #[inline]
    fn end_of(&self, from: usize, stop: u8) -> usize {
        if self.escaped {
            return end_of_escaped(self.rest, from, stop);
        }
        let found = position(&self.rest[from..], stop);
        found.map_or(self.rest.len(), |at| from + at)
    }
}

/// The first `stop` at or behind `from` that no backslash escapes, or the end.
pub(super) fn end_of_escaped(bytes: &[u8], from: usize, stop: u8) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != stop {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

impl<'a> Iterator for RawTags<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let equals = self.end_of(1, b'=');
        let end = self.end_of(equals + 1, b',');
        let tag = (&self.rest[1..equals], &self.rest[equals + 1..end]);
        self.rest = &self.rest[end..];
        Some(tag)
    }
}

/// A part of a line that was understood, as text.
pub(super) fn text(part: &[u8]) -> &str {
    // Its bytes were checked when the line was scanned, and it is cut at ASCII.
    std::str::from_utf8(part).unwrap_or_default()
}
