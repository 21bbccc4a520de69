//! Points as they are read back.

use model::Timestamp;

/// One point: a series at an instant, with every field that was written to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The measurement.
    pub measurement: String,
    /// Tags, sorted by key.
    pub tags: Vec<(String, String)>,
    /// Fields, sorted by key.
    pub fields: Vec<(String, FieldValue)>,
    /// When.
    pub timestamp: Timestamp,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// A 64-bit float, always finite.
    Float(f64),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A boolean.
    Boolean(bool),
    /// A text.
    Text(String),
}

impl FieldValue {
    /// The type's name as InfluxDB says it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Float(_) => "float",
            Self::Integer(_) => "integer",
            Self::Unsigned(_) => "unsigned",
            Self::Boolean(_) => "boolean",
            Self::Text(_) => "string",
        }
    }
}
