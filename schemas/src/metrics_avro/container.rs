//! Object container files: a header with the writer's schema, then blocks of metrics.

use super::read::Reader;
use super::{Points, Shape, malformed, shape_of};
use crate::points::Undecodable;
use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use flate2::read::DeflateDecoder;
use serde_json::{Map, Value};
use std::io::Read as _;

/// The longest schema that is looked at, in bytes.
const SCHEMA_BYTES: usize = 64 << 10;

/// How blocks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
}

/// Reads a whole file. `most` holds for what its blocks unpack to, all together.
pub(super) fn read(body: &[u8], most: usize, points: &mut Points<'_>) -> Result<(), Undecodable> {
    let mut reader = Reader::new(body);
    reader.take(4)?;
    let (shape, codec) = header(&mut reader)?;
    let sync = reader.take(16)?;
    let mut left = most;
    while !reader.is_empty() {
        let count = u64::try_from(reader.long()?).map_err(|_| malformed("a count is negative"))?;
        let data = reader.bytes()?;
        if reader.take(16)? != sync {
            return Err(malformed("a block does not end with the file's marker"));
        }
        let unpacked = match codec {
            Codec::Null => None,
            Codec::Deflate => {
                let block = inflate(data, left)?.ok_or(Undecodable::TooLarge { most })?;
                left -= block.len();
                Some(block)
            }
        };
        let mut block = Reader::new(unpacked.as_deref().unwrap_or(data));
        for _ in 0..count {
            points.datum(shape, &mut block)?;
        }
        if !block.is_empty() {
            return Err(malformed("a block has bytes behind its last metric"));
        }
    }
    Ok(())
}

fn header(reader: &mut Reader<'_>) -> Result<(Shape, Codec), Undecodable> {
    let (mut shape, mut codec) = (None, Codec::Null);
    while let Some(count) = reader.block()? {
        for _ in 0..count {
            let (key, value) = (reader.text()?, reader.bytes()?);
            match key {
                "avro.schema" => shape = Some(shape_of_schema(value)?),
                "avro.codec" => codec = codec_of(value)?,
                _ => {}
            }
        }
    }
    let shape = shape.ok_or_else(|| malformed("its header has no schema"))?;
    Ok((shape, codec))
}

fn shape_of_schema(avsc: &[u8]) -> Result<Shape, Undecodable> {
    let text = std::str::from_utf8(avsc)
        .ok()
        .filter(|text| text.len() <= SCHEMA_BYTES)
        .ok_or_else(|| malformed("its schema is no text of at most 64 KiB"))?;
    let said = serde_json::from_str(text)
        .map_err(|error| malformed(format!("its schema is no JSON: {error}")))?;
    let schema = Schema::parse(&plain(said))
        .map_err(|error| malformed(format!("its schema is none: {error}")))?;
    shape_of(&schema.fingerprint::<Rabin>().bytes)
}

/// A schema without the attributes that have no say in its canonical form (Avro 1.12, "Parsing Canonical Form", STRIP).
///
/// The library keeps all others, and panics on them where one bears a name that the canonical form knows from another
/// type: `"symbols": null` in the field of a record.
fn plain(schema: Value) -> Value {
    match schema {
        Value::Array(branches) => branches.into_iter().map(plain).collect(),
        Value::Object(mut said) => {
            let of = |kind: &str| said.get("type").is_some_and(|name| name == kind);
            let (own, nested): (&[&str], _) = match () {
                () if of("record") => (&["name", "namespace"], Some("fields")),
                () if of("enum") => (&["name", "namespace", "symbols"], None),
                () if of("fixed") => (&["name", "namespace", "size"], None),
                () if of("array") => (&[], Some("items")),
                () if of("map") => (&[], Some("values")),
                // The field of a record, or a primitive type in its long form.
                () => (&["name"], None),
            };
            let mut kept = Map::new();
            for key in own {
                kept.extend(said.remove_entry(*key));
            }
            for key in nested.into_iter().chain(["type"]) {
                let entry = said.remove_entry(key);
                kept.extend(entry.map(|(key, nested)| (key, plain(nested))));
            }
            Value::Object(kept)
        }
        name => name,
    }
}

fn codec_of(name: &[u8]) -> Result<Codec, Undecodable> {
    match name {
        b"" | b"null" => Ok(Codec::Null),
        b"deflate" => Ok(Codec::Deflate),
        other => {
            let name: String = String::from_utf8_lossy(other).chars().take(20).collect();
            Err(Undecodable::Unsupported(format!(
                "container files packed with `{name}` are not read; write null or deflate"
            )))
        }
    }
}

/// Unpacks a block to at most `left` bytes; none when there is more.
fn inflate(data: &[u8], left: usize) -> Result<Option<Vec<u8>>, Undecodable> {
    let mut unpacked = Vec::new();
    DeflateDecoder::new(data)
        .take(left as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| malformed(format!("a block is no deflate: {error}")))?;
    Ok((unpacked.len() <= left).then_some(unpacked))
}
