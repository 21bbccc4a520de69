//! Instants and lengths of time as data. Nothing here reads a clock.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z, as line protocol and InfluxDB count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch, as Kafka counts them; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant and `span` more; saturates.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This instant less `span`; saturates.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// How far this instant lies after `earlier` (negative when before); saturates.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The latest multiple of `step` since the epoch that is not after this instant.
    #[must_use]
    pub const fn floor_to(self, step: Span) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(step.0)))
    }
}

/// A signed length of time in nanoseconds. Written by people as `90s`, `5m`, `1h30m`, `250ms`, `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span(i64);

/// Why a text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write a number and a unit, such as 250ms, 90s, 5m, 1h30m or 7d")]
pub struct ParseSpanError(String);

const UNITS: [(&str, i64); 6] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds; saturates.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds; saturates.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds as a fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As the standard library counts time; a negative span is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.max(0) as u64)
    }

    /// This span `n` times; saturates.
    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// The sum of two spans; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Reads `1h30m`, `90s`, `250ms`, `7d` or `0`; units must fall from large to small.
    pub fn parse(text: &str) -> Result<Self, ParseSpanError> {
        let refuse = || ParseSpanError(text.chars().take(40).collect());
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let (mut rest, mut total, mut last_unit) = (text, 0_i64, i64::MAX);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: i64 = rest[..digits].parse().map_err(|_| refuse())?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = UNITS
                .iter()
                .find(|(name, _)| *name == &rest[..letters])
                .map(|(_, nanos)| *nanos)
                .filter(|nanos| *nanos < last_unit)
                .ok_or_else(refuse)?;
            rest = &rest[letters..];
            total = number
                .checked_mul(unit)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(refuse)?;
            last_unit = unit;
        }
        if text.is_empty() {
            Err(refuse())
        } else {
            Ok(Self(total))
        }
    }
}

impl std::str::FromStr for Span {
    type Err = ParseSpanError;
    fn from_str(s: &str) -> Result<Self, ParseSpanError> {
        Self::parse(s)
    }
}

impl fmt::Display for Span {
    /// In the form that [`Span::parse`] reads, to the millisecond: `1h30m`, `-5s`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.unsigned_abs();
        if left < 1_000_000 {
            return f.write_str("0");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        for (name, nanos) in UNITS.iter().rev().filter(|(name, _)| *name != "w") {
            let n = left / nanos.unsigned_abs();
            if n > 0 {
                write!(f, "{n}{name}")?;
                left %= nanos.unsigned_abs();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_what_it_writes() {
        for (text, nanos) in [
            ("0", 0),
            ("90s", 90_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("250ms", 250_000_000),
            ("7d", 604_800_000_000_000),
        ] {
            assert_eq!(Span::parse(text).unwrap().as_nanos(), nanos, "{text}");
            assert_eq!(
                Span::parse(&Span::from_nanos(nanos).to_string())
                    .unwrap()
                    .as_nanos(),
                nanos
            );
        }
    }

    #[test]
    fn a_span_that_is_unclear_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5x",
            "5m1h",
            "5m5m",
            "-5s",
            "1.5h",
            " 5s",
            "99999999999w",
            "5분",
        ] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floor_is_right_before_the_epoch_too() {
        let minute = Span::from_secs(60);
        assert_eq!(
            Timestamp::from_nanos(-1).floor_to(minute),
            Timestamp::from_millis(-60_000)
        );
        assert_eq!(
            Timestamp::from_millis(61_000).floor_to(minute),
            Timestamp::from_millis(60_000)
        );
    }
}
