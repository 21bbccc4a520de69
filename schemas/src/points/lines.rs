//! Points written as lines, so that the scan of `line` reads back what was meant.

use super::{Decoded, Problem, Tags, Undecodable};
use std::io::Write as _;

/// Appends lines to a buffer that has a limit.
pub(crate) struct Lines<'o> {
    out: &'o mut Vec<u8>,
    /// The length of the buffer that may not be passed.
    end: usize,
    most: usize,
    number: usize,
    decoded: Decoded,
}

impl<'o> Lines<'o> {
    /// Appends at most `most` bytes.
    pub(crate) fn new(out: &'o mut Vec<u8>, most: usize) -> Self {
        Self {
            end: out.len().saturating_add(most),
            out,
            most,
            number: 0,
            decoded: Decoded::default(),
        }
    }

    /// The next point: `head` is its measurement with its tags, `fields` writes the rest. Without a time the
    /// line has no timestamp, and the log's holds.
    pub(crate) fn point(
        &mut self,
        name: &str,
        head: &[u8],
        at: Option<i64>,
        fields: impl FnOnce(&mut Vec<u8>) -> Result<(), Problem>,
    ) -> Result<(), Undecodable> {
        self.number += 1;
        let start = self.out.len();
        if start.saturating_add(head.len()) > self.end {
            return Err(Undecodable::TooLarge { most: self.most });
        }
        self.out.extend_from_slice(head);
        self.out.push(b' ');
        let first = self.out.len();
        let written = fields(self.out).and_then(|()| {
            let some = self.out.len() > first;
            some.then_some(()).ok_or(Problem::NoField)
        });
        if let Err(problem) = written {
            self.out.truncate(start);
            self.decoded.reject(self.number, name, problem);
            return Ok(());
        }
        if let Some(nanos) = at {
            // Writing to a vector does not fail.
            write!(self.out, " {nanos}").unwrap_or_default();
        }
        self.out.push(b'\n');
        if self.out.len() > self.end {
            return Err(Undecodable::TooLarge { most: self.most });
        }
        self.decoded.lines += 1;
        Ok(())
    }

    /// The next point, which cannot be stored.
    pub(crate) fn reject(&mut self, name: &str, problem: Problem) {
        self.number += 1;
        self.decoded.reject(self.number, name, problem);
    }

    /// The next point, which says that there is no value.
    pub(crate) fn stale(&mut self) {
        self.number += 1;
        self.decoded.stale += 1;
    }

    /// What became of all.
    pub(crate) fn finish(self) -> Decoded {
        self.decoded
    }
}

/// Writes measurement and tags.
pub(crate) fn head(out: &mut Vec<u8>, name: &str, tags: &mut Tags<'_>) -> Result<(), Problem> {
    out.clear();
    if name.is_empty() {
        return Err(Problem::NoName);
    }
    if name.starts_with('#') {
        return Err(Problem::CommentName);
    }
    // An equals sign is an ordinary character in a measurement.
    escape(out, name, b", ", "name")?;
    for (key, value) in tags.sorted()? {
        out.push(b',');
        escape(out, key, b",= ", "tag key")?;
        out.push(b'=');
        escape(out, value, b",= ", "tag value")?;
    }
    Ok(())
}

/// Writes the key of a field, its equals sign, and the comma before it where it is not the first.
pub(crate) fn field_key(out: &mut Vec<u8>, key: &str) -> Result<(), Problem> {
    if !out.ends_with(b" ") {
        out.push(b',');
    }
    if key.is_empty() {
        return Err(Problem::Form("one of its fields has no key".to_owned()));
    }
    escape(out, key, b",= ", "field key")?;
    out.push(b'=');
    Ok(())
}

/// Writes a text as the value of a field.
pub(crate) fn field_text(out: &mut Vec<u8>, text: &str) -> Result<(), Problem> {
    if text.contains('\0') {
        return Err(Problem::Control("text"));
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    Ok(())
}

/// Writes a number as the value of a field: the shortest digits that read back as it.
pub(crate) fn float(out: &mut Vec<u8>, value: f64) -> Result<(), Problem> {
    if value.is_nan() {
        return Err(Problem::NotANumber);
    }
    if value.is_infinite() {
        return Err(Problem::Infinite);
    }
    let size = value.abs();
    let plain = size == 0.0 || (1e-5..1e16).contains(&size);
    let written = if plain {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    // Writing to a vector does not fail.
    written.unwrap_or_default();
    Ok(())
}

/// A whole number as a float, when it is one.
pub(crate) fn exact(whole: i128) -> Result<f64, Problem> {
    let float = whole as f64;
    if float as i128 == whole {
        Ok(float)
    } else {
        Err(Problem::NotExact(whole.to_string()))
    }
}

/// Writes a name with a backslash before what would end it.
fn escape(
    out: &mut Vec<u8>,
    text: &str,
    special: &[u8],
    what: &'static str,
) -> Result<(), Problem> {
    let mut behind_backslash = false;
    for byte in text.bytes() {
        match byte {
            0..=0x1f | 0x7f => return Err(Problem::Control(what)),
            b',' | b'=' | b' ' => {
                if behind_backslash {
                    return Err(Problem::Backslash(what));
                }
                if special.contains(&byte) {
                    out.push(b'\\');
                }
            }
            _ => {}
        }
        out.push(byte);
        behind_backslash = byte == b'\\';
    }
    if behind_backslash {
        return Err(Problem::Backslash(what));
    }
    Ok(())
}
