//! Reading JSON piece by piece, without a tree in memory.

use super::Undecodable;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The body is no JSON, or not the JSON that is expected.
pub(crate) fn malformed(reason: impl ToString) -> Undecodable {
    Undecodable::Malformed {
        format: "JSON",
        reason: reason.to_string(),
    }
}

/// Reads an object. (Serde would take an array for one as well, value by value.)
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text)
    } else {
        Err(serde::de::Error::custom("it is no object"))
    }
}

/// Hands on each value of an array, one after the other.
pub(crate) fn each_value<'a>(
    array: &'a str,
    take: &mut dyn FnMut(&'a RawValue) -> Result<(), Undecodable>,
) -> Result<(), Undecodable> {
    let mut failed = None;
    let each = Each {
        take,
        failed: &mut failed,
    };
    let read = serde_json::Deserializer::from_str(array).deserialize_seq(each);
    match failed {
        Some(failed) => Err(failed),
        None => read.map_err(malformed),
    }
}

struct Each<'f, 'e, 'a> {
    take: &'f mut dyn FnMut(&'a RawValue) -> Result<(), Undecodable>,
    failed: &'e mut Option<Undecodable>,
}

impl<'a> Visitor<'a> for Each<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(value) = array.next_element::<&'a RawValue>()? {
            if let Err(failed) = (self.take)(value) {
                *self.failed = Some(failed);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
