//! The unit of a body's timestamps. The topic holds nanoseconds.

/// The unit of a body's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    nanos: i64,
}

/// A precision that neither InfluxDB 1 nor 2 knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("precision `{0}` is not known: write ns, us, ms or s (and, for /write, n, u, m or h)")]
pub struct UnknownPrecision(String);

impl Precision {
    /// Nanoseconds, as both APIs assume when nothing is said.
    pub const NANOS: Self = Self { nanos: 1 };

    /// Reads the parameter `precision` of `/api/v2/write` (`ns us ms s`) or `/write` (`n u ms s m h` too).
    pub fn parse(text: &str) -> Result<Self, UnknownPrecision> {
        let nanos = match text {
            "" | "ns" | "n" => 1,
            "us" | "u" | "µ" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(UnknownPrecision(text.chars().take(20).collect())),
        };
        Ok(Self { nanos })
    }

    /// A timestamp in nanoseconds, or none when it does not fit 64 bits.
    pub fn to_nanos(self, timestamp: i64) -> Option<i64> {
        timestamp.checked_mul(self.nanos)
    }

    /// How many nanoseconds one unit is.
    pub fn nanos(self) -> i64 {
        self.nanos
    }

    /// Whether timestamps stay as they are.
    pub fn is_nanos(self) -> bool {
        self.nanos == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_becomes_nanoseconds_or_does_not_fit() {
        for (unit, nanos) in [
            ("s", 7_000_000_000),
            ("ms", 7_000_000),
            ("u", 7_000),
            ("n", 7),
            ("", 7),
        ] {
            assert_eq!(
                Precision::parse(unit).unwrap().to_nanos(7),
                Some(nanos),
                "{unit}"
            );
        }
        assert_eq!(
            Precision::parse("h").unwrap().to_nanos(i64::MAX / 1_000),
            None
        );
        assert!(Precision::parse("fortnight").is_err());
    }
}
