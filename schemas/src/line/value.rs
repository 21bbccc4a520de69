//! Field values: checked in the pass over a line, read when they are asked for.

use super::Problem;
use super::parse::{Fault, fault, is_cr_break};
use super::stops::{Stops, digits as digits_of};
use super::token::end_of_escaped;
use std::borrow::Cow;

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue<'a> {
    /// `1.5`, `2`, `1e3`
    Float(f64),
    /// `2i`
    Integer(i64),
    /// `2u`
    Unsigned(u64),
    /// `t`, `true`, `F`, ...
    Boolean(bool),
    /// `"text"`
    Text(Cow<'a, str>),
}

/// More digits than any float needs; above, a number is read to see whether it fits.
const LONG: usize = 300;

/// The end of a number as most are written: up to sixteen characters, digits with at most one point, a minus in
/// front or an `i` or `u` behind. None for all else, which [`check`] looks at.
#[inline]
pub(super) fn plain_number(stops: &mut Stops<'_>, from: usize) -> Option<usize> {
    let body = stops.body();
    let bytes = body.get(from..)?.first_chunk::<16>()?;
    let end = stops.find(from);
    let length = end - from;
    if !(1..=16).contains(&length) || !matches!(body.get(end), Some(b',' | b' ' | b'\n')) {
        return None;
    }
    let digits = digits_of(bytes) & ((1_u32 << length) - 1);
    let mut others = !digits & ((1_u32 << length) - 1);
    if bytes[0] == b'-' {
        others &= !1;
    }
    if digits == 0 || others & others.wrapping_sub(1) != 0 {
        return None;
    }
    if others == 0 {
        return Some(end);
    }
    let at = others.trailing_zeros() as usize;
    match bytes[at] {
        b'.' => Some(end),
        b'i' if at + 1 == length => Some(end),
        b'u' if at + 1 == length && bytes[0] != b'-' => Some(end),
        _ => None,
    }
}

/// Checks the value at `from` and says where it ends.
#[inline]
pub(super) fn check(body: &[u8], from: usize) -> Result<usize, Fault> {
    match body.get(from) {
        Some(b'0'..=b'9' | b'-' | b'.') => number(body, from),
        Some(b'"') => text(body, from),
        None | Some(b',' | b' ' | b'\n') => fault(Problem::MissingFieldValue, from),
        Some(b'\r') if is_cr_break(body, from) => fault(Problem::MissingFieldValue, from),
        Some(0) => fault(Problem::Nul, from),
        Some(_) => word(body, from),
    }
}

/// Whether a value may end at `at`.
fn is_end(body: &[u8], at: usize) -> bool {
    match body.get(at) {
        None | Some(b',' | b' ' | b'\n') => true,
        Some(b'\r') => is_cr_break(body, at),
        Some(_) => false,
    }
}

fn digits(body: &[u8], from: usize) -> usize {
    let mut at = from;
    while body.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn number(body: &[u8], from: usize) -> Result<usize, Fault> {
    let whole_from = from + usize::from(body[from] == b'-');
    let whole_end = digits(body, whole_from);
    match body.get(whole_end) {
        Some(b'i') => return integer(body, from, whole_from, whole_end),
        Some(b'u') => return unsigned(body, from, whole_end),
        _ => {}
    }
    let mut at = whole_end;
    let mut has_digits = whole_end > whole_from;
    if body.get(at) == Some(&b'.') {
        let end = digits(body, at + 1);
        has_digits |= end > at + 1;
        at = end;
    }
    let mut must_be_read = at - from > LONG;
    if has_digits && matches!(body.get(at), Some(b'e' | b'E')) {
        let signed = matches!(body.get(at + 1), Some(b'+' | b'-'));
        let exponent = at + 1 + usize::from(signed);
        at = digits(body, exponent);
        must_be_read = true;
        has_digits = at > exponent;
    }
    if !has_digits || !is_end(body, at) {
        let rest = &body[whole_from..];
        let problem = if starts_as_not_finite(rest) {
            Problem::NotFinite
        } else {
            Problem::BadNumber
        };
        return fault(problem, from);
    }
    if must_be_read && !read_float(&body[from..at]).is_finite() {
        return fault(Problem::FloatOverflow, from);
    }
    Ok(at)
}

fn integer(body: &[u8], from: usize, whole_from: usize, end: usize) -> Result<usize, Fault> {
    if end == whole_from && starts_as_not_finite(&body[end..]) {
        return fault(Problem::NotFinite, from);
    }
    if end == whole_from || !is_end(body, end + 1) {
        return fault(Problem::BadNumber, from);
    }
    // 18 digits always fit.
    if end - whole_from > 18 && read_ascii::<i64>(&body[from..end]).is_none() {
        return fault(Problem::IntegerOverflow, from);
    }
    Ok(end + 1)
}

fn unsigned(body: &[u8], from: usize, end: usize) -> Result<usize, Fault> {
    if end == from || body[from] == b'-' || !is_end(body, end + 1) {
        return fault(Problem::BadNumber, from);
    }
    if end - from > 19 && read_ascii::<u64>(&body[from..end]).is_none() {
        return fault(Problem::IntegerOverflow, from);
    }
    Ok(end + 1)
}

fn text(body: &[u8], from: usize) -> Result<usize, Fault> {
    let mut at = from + 1;
    loop {
        match body.get(at) {
            None => return fault(Problem::UnterminatedString, from),
            Some(b'"') => break,
            Some(b'\\') if matches!(body.get(at + 1), Some(b'"' | b'\\')) => at += 2,
            Some(0) => return fault(Problem::Nul, at),
            Some(_) => at += 1,
        }
    }
    if is_end(body, at + 1) {
        Ok(at + 1)
    } else {
        fault(Problem::BadValue, at + 1)
    }
}

/// A boolean, or what looks like a word.
fn word(body: &[u8], from: usize) -> Result<usize, Fault> {
    let length = body[from..]
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    let end = from + length;
    if read_bool(&body[from..end]).is_some() && is_end(body, end) {
        return Ok(end);
    }
    let rest = body[from..].strip_prefix(b"+").unwrap_or(&body[from..]);
    if starts_as_not_finite(rest) {
        return fault(Problem::NotFinite, from);
    }
    fault(Problem::BadValue, from)
}

fn starts_as_not_finite(text: &[u8]) -> bool {
    text.get(..3).is_some_and(|three| {
        three.eq_ignore_ascii_case(b"nan") || three.eq_ignore_ascii_case(b"inf")
    })
}

fn read_bool(word: &[u8]) -> Option<bool> {
    match word {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => Some(true),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => Some(false),
        _ => None,
    }
}

fn read_ascii<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn read_float(digits: &[u8]) -> f64 {
    read_ascii(digits).unwrap_or(f64::NAN)
}

/// The fields of a line that was understood, as they are written.
#[derive(Debug, Clone)]
pub(super) struct RawFields<'a> {
    rest: &'a str,
}

impl<'a> RawFields<'a> {
    pub(super) fn new(rest: &'a str) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for RawFields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        if self.rest.is_empty() {
            return None;
        }
        let bytes = self.rest.as_bytes();
        let equals = end_of_escaped(bytes, 0, b'=');
        let from = (equals + 1).min(bytes.len());
        // The line was checked when it was scanned: what is no text goes to the next comma.
        let end = if bytes.get(from) == Some(&b'"') {
            text(bytes, from).unwrap_or(bytes.len())
        } else {
            let comma = bytes[from..].iter().position(|b| *b == b',');
            comma.map_or(bytes.len(), |at| from + at)
        };
        let field = (&self.rest[..equals], &self.rest[from..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(field)
    }
}

/// Reads a value that was checked.
pub(super) fn read(raw: &str) -> FieldValue<'_> {
    let bytes = raw.as_bytes();
    match bytes {
        [b'"', .., b'"'] => FieldValue::Text(unquote(&raw[1..raw.len() - 1])),
        [digits @ .., b'i'] => FieldValue::Integer(read_ascii(digits).unwrap_or_default()),
        [digits @ .., b'u'] => FieldValue::Unsigned(read_ascii(digits).unwrap_or_default()),
        word => match read_bool(word) {
            Some(boolean) => FieldValue::Boolean(boolean),
            None => FieldValue::Float(read_float(word)),
        },
    }
}

/// In a quoted string a backslash escapes a quote and a backslash, and is itself otherwise.
fn unquote(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if behind.starts_with(['"', '\\']) {
            out.push_str(&behind[..1]);
            rest = &behind[1..];
        } else {
            out.push('\\');
            rest = behind;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}
