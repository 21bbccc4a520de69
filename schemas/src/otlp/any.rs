//! Values of attributes as texts: `opentelemetry.proto.common.v1.AnyValue`.

use crate::points::json::{malformed, object};
use crate::points::protobuf::{Malformed, each, fields};
use crate::points::{Undecodable, float};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How deep lists and maps may lie in each other.
const DEEPEST: usize = 8;
const TOO_DEEP: &str = "the values of an attribute are nested too deeply";

/// The value of a `KeyValue` with its key, from protobuf.
pub(super) fn key_value(message: &[u8]) -> Result<(&str, Cow<'_, str>), Undecodable> {
    let (mut key, mut value) = ("", &[][..]);
    for field in fields(message) {
        match field? {
            (1, found) => key = found.text()?,
            (2, found) => value = found.bytes()?,
            _ => {}
        }
    }
    Ok((key, text(value)?))
}

/// The one value that it has; of several, which no sender writes, the last.
fn text(any: &[u8]) -> Result<Cow<'_, str>, Undecodable> {
    let Some(field) = fields(any).last() else {
        return Ok(Cow::Borrowed(""));
    };
    Ok(match field? {
        (1, found) => Cow::Borrowed(found.text()?),
        (2, found) => Cow::Borrowed(if found.varint()? != 0 {
            "true"
        } else {
            "false"
        }),
        (3, found) => Cow::Owned(found.int64()?.to_string()),
        (4, found) => Cow::Owned(double(found.double()?)),
        (5 | 6, _) => {
            let mut out = String::new();
            write_json(any, 0, &mut out)?;
            Cow::Owned(out)
        }
        (7, found) => Cow::Owned(STANDARD.encode(found.bytes()?)),
        _ => Cow::Borrowed(""),
    })
}

fn double(value: f64) -> String {
    let mut text = Vec::new();
    match float(&mut text, value) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => value.to_string(),
    }
}

/// A value as JSON, which is what lists and maps become.
fn write_json(any: &[u8], depth: usize, out: &mut String) -> Result<(), Undecodable> {
    if depth > DEEPEST {
        return Err(Malformed(TOO_DEEP).into());
    }
    let Some(field) = fields(any).last() else {
        out.push_str("null");
        return Ok(());
    };
    match field? {
        (1, found) => quote(found.text()?, out),
        (7, found) => quote(&STANDARD.encode(found.bytes()?), out),
        (5, list) => {
            out.push('[');
            let mut first = true;
            each(list.bytes()?, 1, |value| {
                separate(&mut first, out);
                write_json(value.bytes()?, depth + 1, out)
            })?;
            out.push(']');
        }
        (6, map) => {
            out.push('{');
            let mut first = true;
            each(map.bytes()?, 1, |pair| {
                separate(&mut first, out);
                let (mut key, mut value) = ("", &[][..]);
                for field in fields(pair.bytes()?) {
                    match field? {
                        (1, found) => key = found.text()?,
                        (2, found) => value = found.bytes()?,
                        _ => {}
                    }
                }
                quote(key, out);
                out.push(':');
                write_json(value, depth + 1, out)
            })?;
            out.push('}');
        }
        _ => out.push_str(&text(any)?),
    }
    Ok(())
}

fn separate(first: &mut bool, out: &mut String) {
    if !std::mem::take(first) {
        out.push(',');
    }
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// `AnyValue` in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Any<'a> {
    #[serde(default)]
    string_value: Option<String>,
    #[serde(default)]
    bool_value: Option<bool>,
    #[serde(borrow, default)]
    int_value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    double_value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    array_value: Option<List<'a>>,
    #[serde(borrow, default)]
    kvlist_value: Option<List<'a>>,
    #[serde(default)]
    bytes_value: Option<String>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    values: Option<&'a RawValue>,
}

/// `KeyValue` in JSON.
#[derive(Deserialize)]
pub(super) struct Pair<'a> {
    #[serde(default)]
    pub(super) key: String,
    #[serde(borrow, default)]
    pub(super) value: Option<&'a RawValue>,
}

/// A value as a text, from JSON.
pub(super) fn text_of_json(any: &RawValue) -> Result<String, Undecodable> {
    let value: Any<'_> = object(any.get()).map_err(malformed)?;
    if let Some(text) = value.string_value.or(value.bytes_value) {
        return Ok(text);
    }
    if let Some(boolean) = value.bool_value {
        return Ok(boolean.to_string());
    }
    if let Some(number) = value.int_value.or(value.double_value) {
        return Ok(number.get().trim_matches('"').to_owned());
    }
    if value.array_value.is_some() || value.kvlist_value.is_some() {
        let mut out = String::new();
        json_of_json(any, 0, &mut out)?;
        return Ok(out);
    }
    Ok(String::new())
}

fn json_of_json(any: &RawValue, depth: usize, out: &mut String) -> Result<(), Undecodable> {
    if depth > DEEPEST {
        return Err(malformed(TOO_DEEP));
    }
    let value: Any<'_> = object(any.get()).map_err(malformed)?;
    let mut first = true;
    if let Some(list) = value.array_value {
        out.push('[');
        super::json::each(list.values, &mut |item| {
            separate(&mut first, out);
            json_of_json(item, depth + 1, out)
        })?;
        out.push(']');
    } else if let Some(list) = value.kvlist_value {
        out.push('{');
        super::json::each(list.values, &mut |item| {
            separate(&mut first, out);
            let pair: Pair<'_> = object(item.get()).map_err(malformed)?;
            quote(&pair.key, out);
            out.push(':');
            match pair.value {
                Some(value) => json_of_json(value, depth + 1, out),
                None => {
                    out.push_str("null");
                    Ok(())
                }
            }
        })?;
        out.push('}');
    } else if let Some(text) = value.string_value.or(value.bytes_value) {
        quote(&text, out);
    } else {
        let text = text_of_json(any)?;
        out.push_str(if text.is_empty() { "null" } else { &text });
    }
    Ok(())
}
