//! A point is a function of its number and of when its producer began.

use anyhow::{Context, Result};

/// The measurement of every point of the oracle.
pub const MEASUREMENT: &str = "oracle";
/// Hosts that the points of a tenant come from.
pub const HOSTS: u64 = 31;
/// Between two points of a tenant.
const STEP_NANOS: i64 = 1_000;

/// A point of the oracle as something of the product holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number within its tenant.
    pub number: u64,
    /// The value as it is there.
    pub value: i64,
    /// Nanoseconds since 1970, as they are there.
    pub time: i64,
}

/// The value that a point must have. A swapped, cut or repeated value is another one.
pub fn value(number: u64) -> i64 {
    let mixed = number.wrapping_mul(2_654_435_761) % 1_000_003;
    i64::try_from(mixed).expect("below 1,000,003")
}

/// The point's line; the number as a tag makes its series its own.
pub fn line(begun: i64, number: u64) -> String {
    format!(
        "{MEASUREMENT},host=h{},number={number} value={}i {}\n",
        number % HOSTS,
        value(number),
        time(begun, number)
    )
}

fn time(begun: i64, number: u64) -> i64 {
    begun + i64::try_from(number).unwrap_or(i64::MAX / STEP_NANOS) * STEP_NANOS
}

impl Numbered {
    /// Reads a line of the oracle; none when it is somebody else's.
    ///
    /// # Errors
    /// When it begins as one of the oracle's and does not go on so.
    pub fn read(line: &str) -> Result<Option<Self>> {
        let Some(rest) = line
            .strip_prefix(MEASUREMENT)
            .and_then(|rest| rest.strip_prefix(','))
        else {
            return Ok(None);
        };
        let read = || {
            let (tags, rest) = rest.split_once(' ')?;
            let (fields, time) = rest.trim_end().split_once(' ')?;
            let number = tags
                .split(',')
                .find_map(|tag| tag.strip_prefix("number="))?;
            let value = fields.strip_prefix("value=")?.strip_suffix('i')?;
            Some(Self {
                number: number.parse().ok()?,
                value: value.parse().ok()?,
                time: time.parse().ok()?,
            })
        };
        read()
            .map(Some)
            .with_context(|| format!("the oracle never wrote `{line}`"))
    }

    /// Whether it is what a producer that began then has sent.
    pub fn is_true(&self, begun: i64) -> bool {
        self.value == value(self.number) && self.time == time(begun, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Numbered, line};

    #[test]
    fn a_line_reads_as_the_point_that_it_is() {
        let line = line(1_700_000_000_000_000_000, 12_345);
        let point = Numbered::read(&line).unwrap().unwrap();
        assert_eq!(point.number, 12_345);
        assert!(point.is_true(1_700_000_000_000_000_000));
        assert!(!point.is_true(1_700_000_000_000_000_001));
        let swapped = line.replace("value=", "value=1");
        assert!(
            !Numbered::read(&swapped)
                .unwrap()
                .unwrap()
                .is_true(1_700_000_000_000_000_000)
        );
        assert_eq!(Numbered::read("cpu,host=a usage=1 1").unwrap(), None);
        Numbered::read("oracle,host=h1,number=1 value=").unwrap_err();
    }
}
