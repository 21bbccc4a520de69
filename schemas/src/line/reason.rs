//! Why a line was refused, and at which column.

use std::fmt;

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// The number of its first row in the body, from 1.
    pub number: usize,
    /// The line as it was written. With an unterminated string it reaches to the end of the body.
    pub raw: &'a [u8],
    /// Why.
    pub reason: Reason,
}

/// What is wrong and where. `Display` says both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// What is wrong.
    pub problem: Problem,
    /// At which character of the line, from 1.
    pub column: usize,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// It begins with a comma.
    MissingMeasurement,
    /// A tag has no key.
    MissingTagKey,
    /// A tag has no value.
    MissingTagValue,
    /// A `=` inside of a tag's value has no backslash.
    EqualsInTagValue,
    /// A tag is given twice.
    DuplicateTag,
    /// It ends before its first field.
    MissingFields,
    /// A field has no key.
    MissingFieldKey,
    /// A field has no value.
    MissingFieldValue,
    /// A value begins as a number and is none.
    BadNumber,
    /// A whole number does not fit 64 bits.
    IntegerOverflow,
    /// A number is too large for a float.
    FloatOverflow,
    /// NaN and infinity cannot be stored.
    NotFinite,
    /// A value is no number, boolean or quoted string.
    BadValue,
    /// A quoted string does not end.
    UnterminatedString,
    /// The timestamp is no whole number.
    BadTimestamp,
    /// The timestamp does not fit 64 bits.
    TimestampOverflow,
    /// A NUL byte.
    Nul,
    /// A backslash before the end of the line, outside of a quoted string.
    TrailingBackslash,
    /// An even number of backslashes before `,`, `=` or space.
    AmbiguousBackslashes,
    /// It is not UTF-8.
    BadUtf8,
}

impl Problem {
    /// A word for it, as a metric's label or a dead letter's reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingMeasurement => "missing-measurement",
            Self::MissingTagKey => "missing-tag-key",
            Self::MissingTagValue => "missing-tag-value",
            Self::EqualsInTagValue => "equals-in-tag-value",
            Self::DuplicateTag => "duplicate-tag",
            Self::MissingFields => "missing-fields",
            Self::MissingFieldKey => "missing-field-key",
            Self::MissingFieldValue => "missing-field-value",
            Self::BadNumber => "bad-number",
            Self::IntegerOverflow => "integer-overflow",
            Self::FloatOverflow => "float-overflow",
            Self::NotFinite => "not-finite",
            Self::BadValue => "bad-value",
            Self::UnterminatedString => "unterminated-string",
            Self::BadTimestamp => "bad-timestamp",
            Self::TimestampOverflow => "timestamp-overflow",
            Self::Nul => "nul-byte",
            Self::TrailingBackslash => "trailing-backslash",
            Self::AmbiguousBackslashes => "ambiguous-backslashes",
            Self::BadUtf8 => "bad-utf-8",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingMeasurement => "missing measurement",
            Self::MissingTagKey => "missing tag key",
            Self::MissingTagValue => "missing tag value",
            Self::EqualsInTagValue => "a `=` in a tag value needs a backslash before it",
            Self::DuplicateTag => "duplicate tag",
            Self::MissingFields => "missing fields",
            Self::MissingFieldKey => "missing field key",
            Self::MissingFieldValue => "missing field value",
            Self::BadNumber => "invalid number",
            Self::IntegerOverflow => "integer does not fit 64 bits",
            Self::FloatOverflow => "number is too large for a float",
            Self::NotFinite => "NaN and infinity cannot be stored",
            Self::BadValue => "not a number, a boolean or a quoted string",
            Self::UnterminatedString => "unterminated string",
            Self::BadTimestamp => "invalid timestamp",
            Self::TimestampOverflow => "timestamp does not fit 64 bits",
            Self::Nul => "NUL byte",
            Self::TrailingBackslash => "backslash at the end of the line",
            Self::AmbiguousBackslashes => {
                "an even number of backslashes before a comma, space or `=` is ambiguous"
            }
            Self::BadUtf8 => "not UTF-8",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at column {}", self.problem, self.column)
    }
}

impl Reason {
    /// Counts the characters before byte `at` of the line.
    pub(super) fn new(problem: Problem, raw: &[u8], at: usize) -> Self {
        let before = &raw[..at.min(raw.len())];
        // Bytes that continue a character of UTF-8 begin with the bits 10.
        let characters = before.iter().filter(|b| (**b & 0xC0) != 0x80).count();
        Self {
            problem,
            column: characters + 1,
        }
    }
}
