//! Records of `bongsu.alerts`: Avro single-object encoding (`C3 01`, the schema's CRC-64-AVRO
//! fingerprint in little-endian, the datum). Format: Avro 1.12 specification, "Single-object
//! encoding".
//!
//! A reader decodes with the writer's schema, found by the fingerprint, so that a newer writer's
//! fields are skipped once their schema is known here; a fingerprint that is not known is an error
//! that says so.

mod wire;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use model::StreamEvent;
use serde::Serialize;
use std::sync::LazyLock;

const MARKER: [u8; 2] = [0xC3, 0x01];
const HEADER: usize = 10;

/// No event is nearly as large; a length beyond this is damage.
const MAX_ALLOCATION: usize = 16 << 20;

/// A schema that events were ever written with.
struct Known {
    schema: Schema,
    header: [u8; HEADER],
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Alert,
    CaughtUp,
}

static KNOWN: LazyLock<[Known; 2]> = LazyLock::new(|| {
    apache_avro::util::max_allocation_bytes(MAX_ALLOCATION);
    [
        Known::new(include_str!("../../avro/alert-event-v1.avsc"), What::Alert),
        Known::new(include_str!("../../avro/caught-up-v1.avsc"), What::CaughtUp),
    ]
});

/// The version of each that is written now.
const NEWEST_ALERT: usize = 0;
const NEWEST_CAUGHT_UP: usize = 1;

impl Known {
    fn new(avsc: &str, what: What) -> Self {
        let schema = Schema::parse_str(avsc).expect("a test reads every embedded schema");
        let fingerprint = schema.fingerprint::<Rabin>().bytes;
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&MARKER);
        header[2..].copy_from_slice(&fingerprint);
        Self {
            schema,
            header,
            what,
        }
    }

    fn write(&self, datum: &impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&self.header);
        GenericDatumWriter::builder(&self.schema)
            .build()
            .and_then(|writer| writer.write_ser(&mut bytes, datum))
            .expect("a test writes every kind of event with its schema");
        bytes
    }
}

/// Why a record of `bongsu.alerts` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin as single-object encoding does.
    #[error("not in Avro single-object encoding: it begins with {0:02x?}")]
    NotSingleObject(Vec<u8>),
    /// It was written with a schema that this version does not have.
    #[error(
        "written with the Avro schema {fingerprint:016x}, which this version of bongsu does not \
         know: a newer version wrote it"
    )]
    UnknownSchema {
        /// CRC-64-AVRO of the writer's schema.
        fingerprint: u64,
    },
    /// The bytes do not fit the schema.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The values do not fit each other or their kinds.
    #[error("event field `{field}`: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// The bytes of an event; the same event always has the same bytes.
pub fn encode(event: &StreamEvent) -> Vec<u8> {
    match event {
        StreamEvent::Alert(alert) => KNOWN[NEWEST_ALERT].write(&wire::AlertEvent::from(&**alert)),
        StreamEvent::CaughtUp(caught_up) => {
            KNOWN[NEWEST_CAUGHT_UP].write(&wire::CaughtUp::from(caught_up))
        }
    }
}

/// Reads an event.
pub fn decode(bytes: &[u8]) -> Result<StreamEvent, DecodeError> {
    let Some((header, mut rest)) = bytes.split_at_checked(HEADER) else {
        return Err(DecodeError::NotSingleObject(bytes.to_vec()));
    };
    if header[..2] != MARKER {
        return Err(DecodeError::NotSingleObject(header[..2].to_vec()));
    }
    let known = KNOWN.iter().find(|known| known.header == header);
    let known = known.ok_or_else(|| {
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&header[2..]);
        DecodeError::UnknownSchema {
            fingerprint: u64::from_le_bytes(fingerprint),
        }
    })?;
    let damaged = |error: apache_avro::Error| DecodeError::Damaged(error.to_string());
    let reader = GenericDatumReader::builder(&known.schema)
        .build()
        .map_err(damaged)?;
    let event = match known.what {
        What::Alert => {
            let alert: wire::AlertEvent = reader.read_deser(&mut rest).map_err(damaged)?;
            StreamEvent::Alert(Box::new(alert.try_into()?))
        }
        What::CaughtUp => {
            let caught_up: wire::CaughtUp = reader.read_deser(&mut rest).map_err(damaged)?;
            StreamEvent::CaughtUp(caught_up.try_into()?)
        }
    };
    if rest.is_empty() {
        Ok(event)
    } else {
        let left = rest.len();
        Err(DecodeError::Damaged(format!("{left} bytes behind its end")))
    }
}
