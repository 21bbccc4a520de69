//! The bytes of `Metric`, without values in memory.

use super::{Points, malformed};
use crate::points::{Problem, Tags, Undecodable, field_key, field_text, float, head};
use std::io::Write as _;

/// Bytes that are read from the front.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Undecodable> {
        let (taken, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or_else(|| malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A zigzag number of up to 64 bits.
    pub(super) fn long(&mut self) -> Result<i64, Undecodable> {
        let mut value = 0_u64;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            if place == 9 && byte > 1 {
                return Err(malformed("a number does not fit 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(malformed("a number does not end"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Undecodable> {
        let length =
            usize::try_from(self.long()?).map_err(|_| malformed("a length is negative"))?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Undecodable> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed("a text is no UTF-8"))
    }

    /// How many items the next block of an array or map has; none at its end.
    pub(super) fn block(&mut self) -> Result<Option<u64>, Undecodable> {
        let count = self.long()?;
        if count < 0 {
            // The size in bytes, for those who want to skip the block.
            self.long()?;
        }
        Ok((count != 0).then_some(count.unsigned_abs()))
    }
}

/// The value of a field.
enum Value<'a> {
    Double(f64),
    Long(i64),
    Boolean(bool),
    Text(&'a str),
}

fn value<'a>(reader: &mut Reader<'a>) -> Result<Value<'a>, Undecodable> {
    Ok(match reader.long()? {
        0 => Value::Long(reader.long()?),
        1 => {
            let mut bits = [0; 8];
            bits.copy_from_slice(reader.take(8)?);
            Value::Double(f64::from_le_bytes(bits))
        }
        2 => match reader.take(1)? {
            [0] => Value::Boolean(false),
            [1] => Value::Boolean(true),
            _ => return Err(malformed("a boolean is neither 0 nor 1")),
        },
        3 => Value::Text(reader.text()?),
        _ => return Err(malformed("a field has a type that the schema does not")),
    })
}

/// Hands on each field of a map.
fn each_field<'a>(
    reader: &mut Reader<'a>,
    mut take: impl FnMut(&'a str, Value<'a>),
) -> Result<(), Undecodable> {
    while let Some(count) = reader.block()? {
        for _ in 0..count {
            let key = reader.text()?;
            take(key, value(reader)?);
        }
    }
    Ok(())
}

impl Points<'_> {
    /// One `Metric`.
    pub(super) fn metric(&mut self, reader: &mut Reader<'_>) -> Result<(), Undecodable> {
        let name = reader.text()?;
        let (mut tags, mut problem) = (Tags::default(), None);
        while let Some(count) = reader.block()? {
            for _ in 0..count {
                let (key, value) = (reader.text()?, reader.text()?);
                if problem.is_none() {
                    problem = tags.push(key, value).err();
                }
            }
        }
        // The fields are walked over once to find the time behind them, and are written then.
        let mut fields = reader.clone();
        each_field(reader, |_, _| ())?;
        let at = match reader.long()? {
            0 => None,
            1 => Some(reader.long()?),
            _ => return Err(malformed("a timestamp is neither null nor a number")),
        };
        let problem = problem.or_else(|| head(&mut self.head, name, &mut tags).err());
        match problem {
            Some(problem) => {
                self.lines.reject(name, problem);
                Ok(())
            }
            None => self
                .lines
                .point(name, &self.head, at, |out| write_fields(&mut fields, out)),
        }
    }
}

fn write_fields(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let mut problem = None;
    let walked = each_field(reader, |key, value| {
        if problem.is_none() {
            problem = write_field(key, &value, out).err();
        }
    });
    match (problem, walked) {
        (Some(problem), _) => Err(problem),
        (None, Err(broken)) => Err(Problem::Form(broken.to_string())),
        (None, Ok(())) => Ok(()),
    }
}

fn write_field(key: &str, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    field_key(out, key)?;
    match value {
        Value::Double(double) => float(out, *double)?,
        // Writing to a vector does not fail.
        Value::Long(long) => write!(out, "{long}i").unwrap_or_default(),
        Value::Boolean(boolean) => write!(out, "{boolean}").unwrap_or_default(),
        Value::Text(text) => field_text(out, text)?,
    }
    Ok(())
}
