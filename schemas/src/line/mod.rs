//! Line protocol: a scan that finds the parts of each line in one pass, without allocating.
//!
//! The grammar is that of InfluxDB 1 and 2 (reference: "Line protocol" in the InfluxDB v2
//! documentation, and the behaviour of its parser): one point a line, `measurement[,tag=value..]
//! field=value[,..] [timestamp]`. Where the stores read a line differently from each other it is
//! refused, so that a line that was taken means the same everywhere:
//!
//! - an even number of backslashes before `,`, space or `=` (v1 and v2 read the last one as an
//!   escape, v3 does not);
//! - an escaped newline outside of a quoted string, and a NUL byte anywhere;
//! - a tag that is given twice, and a tag without a value;
//! - a number that is not finite or does not fit its type.

mod parse;
mod reason;
mod series;
mod stops;
mod swar;
mod token;
mod value;

pub use reason::{Problem, Reason, Rejected};
pub use series::OWN_BITS;
pub use value::FieldValue;

use model::SeriesKey;
use parse::{Fault, Parts};
use std::borrow::Cow;
use stops::Stops;

/// The lines of a body, without blank lines and comments.
///
/// A newline inside a quoted string does not end a line, CRLF ends one like LF. A line that cannot
/// be understood is an item too; the next one is read after it.
pub fn scan(body: &[u8]) -> Scan<'_> {
    Scan {
        stops: Stops::new(body),
        at: 0,
        number: 1,
    }
}

/// As [`scan`], for a body that lies in `all` beside others: its end is read faster.
pub fn scan_within<'a>(body: &'a [u8], all: &'a [u8]) -> Scan<'a> {
    Scan {
        stops: Stops::within(body, all),
        at: 0,
        number: 1,
    }
}

/// The iterator of [`scan`].
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    stops: Stops<'a>,
    at: usize,
    number: usize,
}

/// A line that was understood, borrowed from its body.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Valid UTF-8; it is read as text only where somebody asks for a name.
    raw: &'a [u8],
    number: usize,
    parts: Parts,
}

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Line<'a>, Rejected<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.skip_blank();
        let (start, number, body) = (self.at, self.number, self.stops.body());
        if start >= body.len() {
            return None;
        }
        self.stops.begin_line(start);
        Some(match parse::line(&mut self.stops, start) {
            Ok(parts) => {
                self.advance(parts.end, parts.has_text);
                let raw = &body[start..start + parts.timestamp_end];
                // A quoted string is not searched for stops.
                if parts.has_text || !self.stops.is_ascii() {
                    checked(raw, number, parts)
                } else {
                    Ok(Line { raw, number, parts })
                }
            }
            Err(fault) => self.reject(start, fault),
        })
    }
}

/// A line that is not ASCII must be UTF-8.
fn checked<'a>(raw: &'a [u8], number: usize, parts: Parts) -> Result<Line<'a>, Rejected<'a>> {
    match std::str::from_utf8(raw) {
        Ok(_) => Ok(Line { raw, number, parts }),
        Err(error) => Err(Rejected {
            number,
            raw,
            reason: Reason::new(Problem::BadUtf8, raw, error.valid_up_to()),
        }),
    }
}

impl<'a> Scan<'a> {
    /// Moves behind spaces, empty lines and comments.
    #[inline]
    fn skip_blank(&mut self) {
        let body = self.stops.body();
        loop {
            match body.get(self.at) {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.number += 1;
                }
                Some(b'#') => {
                    let rest = &body[self.at..];
                    self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Moves to the newline that ends the line, or to the end of the body.
    fn advance(&mut self, length: usize, may_hold_newlines: bool) {
        if may_hold_newlines {
            let line = &self.stops.body()[self.at..self.at + length];
            self.number += line.iter().filter(|b| **b == b'\n').count();
        }
        self.at += length;
    }

    #[cold]
    fn reject(&mut self, start: usize, fault: Fault) -> <Self as Iterator>::Item {
        let (number, rest) = (self.number, &self.stops.body()[start..]);
        let end = parse::line_end(rest);
        self.advance(end, true);
        let raw = trim_cr(&rest[..end]);
        Err(Rejected {
            number,
            raw,
            reason: Reason::new(fault.problem, raw, fault.at - start),
        })
    }
}

/// A field as it is written.
#[derive(Debug, Clone, Copy)]
pub struct UnreadField<'a> {
    key: &'a str,
    raw: &'a str,
}

impl<'a> UnreadField<'a> {
    /// Whether that is its name.
    pub fn is(&self, name: &str) -> bool {
        token::is_key(self.key, name)
    }

    /// Its value.
    pub fn value(&self) -> FieldValue<'a> {
        value::read(self.raw)
    }
}

fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl<'a> Line<'a> {
    /// The line as it was written, without spaces around it and without its newline.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Measurement and tags as they are written: lines that agree in it are of one series.
    pub fn head(&self) -> &'a [u8] {
        &self.raw[..self.parts.tags_end]
    }

    /// The number of the line's first row in the body, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The measurement, unescaped.
    pub fn measurement(&self) -> Cow<'a, str> {
        let measurement = &self.raw[..self.parts.measurement_end];
        token::unescape(token::text(measurement), token::MEASUREMENT)
    }

    /// The tags in the order in which they were written, unescaped.
    pub fn tags(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.raw_tags()
            .map(|(key, value)| (unescaped(key), unescaped(value)))
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<Cow<'a, str>> {
        self.raw_tags()
            .find(|(known, _)| token::is_key(token::text(known), key))
            .map(|(_, value)| unescaped(value))
    }

    /// The fields in the order in which they were written.
    pub fn fields(&self) -> impl Iterator<Item = (Cow<'a, str>, FieldValue<'a>)> + use<'a> {
        self.raw_fields()
            .map(|(key, raw)| (token::unescape(key, token::TAG), value::read(raw)))
    }

    /// The fields in the order in which they were written, each read only where somebody asks.
    pub fn unread_fields(&self) -> impl Iterator<Item = UnreadField<'a>> + use<'a> {
        self.raw_fields().map(|(key, raw)| UnreadField { key, raw })
    }

    /// The value of a field; of one that was written twice the last, as a store keeps it.
    pub fn field(&self, key: &str) -> Option<FieldValue<'a>> {
        self.raw_fields()
            .filter(|(known, _)| token::is_key(known, key))
            .last()
            .map(|(_, raw)| value::read(raw))
    }

    /// The timestamp as it was written; its unit is the sender's.
    pub fn timestamp(&self) -> Option<i64> {
        self.parts.timestamp
    }

    /// The line up to its last field.
    pub fn without_timestamp(&self) -> &'a [u8] {
        &self.raw[..self.parts.fields_end]
    }

    /// The identity of the line's series. It does not depend on the order of the tags.
    pub fn series(&self) -> SeriesKey {
        series::key(&self.raw[..self.parts.measurement_end], self.raw_tags())
    }

    /// The identity of the line's series: that of [`Self::series`] where it has none of the `changing` tags. Of series that
    /// differ only in those the bits above [`OWN_BITS`] are the same: they are of one thing.
    pub fn series_of_thing(&self, changing: &[&str]) -> SeriesKey {
        let measurement = &self.raw[..self.parts.measurement_end];
        series::key_of_thing(measurement, self.raw_tags(), changing)
    }

    /// The host that the line is about: tag `host`, else `host.name`, else `instance` without its
    /// port.
    pub fn host(&self) -> Option<Cow<'a, str>> {
        let (mut name, mut instance) = (None, None);
        for (key, value) in self.raw_tags() {
            match key {
                b"host" => return Some(unescaped(value)),
                b"host.name" => name = Some(value),
                b"instance" => instance = Some(value),
                _ => {}
            }
        }
        match (name, instance) {
            (Some(name), _) => Some(unescaped(name)),
            (None, Some(instance)) => Some(match unescaped(instance) {
                Cow::Borrowed(text) => Cow::Borrowed(without_port(text)),
                Cow::Owned(text) => Cow::Owned(without_port(&text).to_owned()),
            }),
            (None, None) => None,
        }
    }

    /// How many tags the line has.
    pub fn tag_count(&self) -> usize {
        self.parts.tags
    }

    fn raw_fields(&self) -> value::RawFields<'a> {
        let fields = &self.raw[self.parts.fields_start..self.parts.fields_end];
        value::RawFields::new(token::text(fields))
    }

    fn raw_tags(&self) -> token::RawTags<'a> {
        let tags = &self.raw[self.parts.measurement_end..self.parts.tags_end];
        token::RawTags::new(tags, self.parts.escaped)
    }
}

/// A part of a tag, unescaped.
fn unescaped(part: &[u8]) -> Cow<'_, str> {
    token::unescape(token::text(part), token::TAG)
}

/// `web-1:9100` is the host `web-1`, `[::1]:9100` the host `::1`; a bare IPv6 address has no port.
pub(crate) fn without_port(instance: &str) -> &str {
    if let Some((address, _)) = instance
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return address;
    }
    match instance.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty()
                && !host.contains(':')
                && !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit()) =>
        {
            host
        }
        _ => instance,
    }
}

#[cfg(test)]
mod tests;
