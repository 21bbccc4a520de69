//! Metrics as Avro: `avro/metric-v1.avsc`, or several of them in `avro/metrics-v1.avsc`.
//!
//! Sources: Avro 1.12 specification, "Binary encoding", "Single-object encoding" and "Object container files". Two
//! forms are read:
//!
//! - single-object encoding, `C3 01` and the schema's fingerprint before each datum, one or several behind each
//!   other: over HTTP and as a record of a tenant's topic;
//! - an object container file whose blocks are plain or packed with `deflate`: over HTTP.
//!
//! A writer's schema is one of those that are known here, found by its fingerprint; a file with any other is refused.
//! The reader walks over the bytes of these schemas and builds no values of any other, because a schema of a
//! stranger can make a few bytes a billion values. Confluent's form (`00` and a number) names a registry that is
//! not there, and is refused.

mod container;
mod read;
mod record;

pub use record::{RecordLines, lines_of_record};

use crate::points::{Decoded, Lines, Undecodable};
use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use read::Reader;
use std::sync::LazyLock;

/// How single-object encoding begins.
pub const MARKER: [u8; 2] = [0xC3, 0x01];
/// The schemas that a writer may have, oldest first.
pub const SCHEMAS: [&str; 2] = [
    include_str!("../../avro/metric-v1.avsc"),
    include_str!("../../avro/metrics-v1.avsc"),
];

/// What a datum is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Metric,
    Metrics,
}

/// CRC-64-AVRO of each schema's canonical form, as it stands on the wire.
static KNOWN: LazyLock<[([u8; 8], Shape); 2]> = LazyLock::new(|| {
    let fingerprint = |avsc| {
        let schema = Schema::parse_str(avsc).expect("a test reads every embedded schema");
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&schema.fingerprint::<Rabin>().bytes);
        bytes
    };
    [
        (fingerprint(SCHEMAS[0]), Shape::Metric),
        (fingerprint(SCHEMAS[1]), Shape::Metrics),
    ]
});

fn shape_of(fingerprint: &[u8]) -> Result<Shape, Undecodable> {
    let known = KNOWN.iter().find(|(known, _)| known == fingerprint);
    known.map(|(_, shape)| *shape).ok_or_else(|| {
        Undecodable::Unsupported(format!(
            "the Avro schema with the fingerprint {} is not known; metric-v1.avsc has {}, metrics-v1.avsc {}",
            hex::encode(fingerprint),
            hex::encode(KNOWN[0].0),
            hex::encode(KNOWN[1].0),
        ))
    })
}

fn malformed(reason: impl ToString) -> Undecodable {
    Undecodable::Malformed {
        format: "Avro",
        reason: reason.to_string(),
    }
}

/// Appends the metrics of a body to `out` as lines, at most `most` bytes of them. Which of the forms it has is
/// told by how it begins.
///
/// # Errors
/// When the body is no such Avro or too large; what was appended then is to be thrown away.
pub fn decode(body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<Decoded, Undecodable> {
    let mut points = Points {
        lines: Lines::new(out, most),
        head: Vec::new(),
    };
    match body {
        [] => {}
        [0xC3, 0x01, ..] => points.single_objects(body)?,
        [b'O', b'b', b'j', 1, ..] => container::read(body, most, &mut points)?,
        [0, ..] => {
            return Err(Undecodable::Unsupported(
                "Confluent's wire format needs a schema registry, and none is asked; send single-object encoding"
                    .to_owned(),
            ));
        }
        _ => {
            return Err(malformed(
                "it begins neither as single-object encoding (C3 01) nor as a container file (Obj)",
            ));
        }
    }
    Ok(points.lines.finish())
}

/// Metrics on their way to lines.
struct Points<'o> {
    lines: Lines<'o>,
    head: Vec<u8>,
}

impl Points<'_> {
    fn single_objects(&mut self, body: &[u8]) -> Result<(), Undecodable> {
        let mut reader = Reader::new(body);
        while !reader.is_empty() {
            if reader.take(2)? != MARKER {
                return Err(malformed("bytes behind a datum are no other one"));
            }
            let shape = shape_of(reader.take(8)?)?;
            self.datum(shape, &mut reader)?;
        }
        Ok(())
    }

    fn datum(&mut self, shape: Shape, reader: &mut Reader<'_>) -> Result<(), Undecodable> {
        match shape {
            Shape::Metric => self.metric(reader),
            Shape::Metrics => {
                while let Some(count) = reader.block()? {
                    for _ in 0..count {
                        self.metric(reader)?;
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
