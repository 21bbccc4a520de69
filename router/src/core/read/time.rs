//! Times as people and queries write them.

/// A range of time in nanoseconds since 1970; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First nanosecond.
    pub from: i64,
    /// Last nanosecond.
    pub to: i64,
}

impl Window {
    /// All time.
    pub const ALL: Self = Self {
        from: i64::MIN,
        to: i64::MAX,
    };

    /// Both, and what lies between.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
        }
    }
}

/// A length of time that may have no exact length, such as a month: the least and the most it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Nanoseconds at least.
    pub least: i64,
    /// Nanoseconds at most.
    pub most: i64,
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Reads a duration of Flux or InfluxQL, such as `1h30m` or `1mo`. InfluxQL has a subset of the
/// units.
pub fn length(text: &str) -> Option<Length> {
    let mut total = Length { least: 0, most: 0 };
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let number: i64 = number.parse().ok()?;
        let unit_end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (least, most) = match unit {
            "ns" => (1, 1),
            "u" | "us" | "µs" | "µ" => (1_000, 1_000),
            "ms" => (1_000_000, 1_000_000),
            "s" => (SECOND, SECOND),
            "m" => (60 * SECOND, 60 * SECOND),
            "h" => (3_600 * SECOND, 3_600 * SECOND),
            "d" => (DAY, DAY),
            "w" => (7 * DAY, 7 * DAY),
            "mo" => (28 * DAY, 31 * DAY),
            "y" => (365 * DAY, 366 * DAY),
            _ => return None,
        };
        total.least = total.least.saturating_add(number.saturating_mul(least));
        total.most = total.most.saturating_add(number.saturating_mul(most));
        rest = after;
    }
    Some(total)
}

/// No place on Earth has a clock further from UTC, in nanoseconds.
pub const FARTHEST_ZONE: i64 = 14 * 3_600 * SECOND;

/// Whether a time says its distance from UTC, and so is the same everywhere.
pub fn is_exact(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// Reads a time: RFC 3339, or a date, or InfluxQL's `2026-01-31 10:00:00` (UTC).
pub fn instant(text: &str) -> Option<i64> {
    let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).ok();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return nanos(at);
    }
    if let Ok(at) = text.parse::<jiff::civil::DateTime>() {
        return nanos(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    }
    let date = text.parse::<jiff::civil::Date>().ok()?;
    nanos(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Reads what a person gives as a time: `now`, `beginning`, a time, or how long ago (`-1h`).
pub fn given(text: &str, now: i64) -> Option<i64> {
    match text {
        "now" => Some(now),
        "beginning" => Some(i64::MIN),
        _ => match text.strip_prefix('-') {
            Some(ago) => length(ago).map(|length| now.saturating_sub(length.most)),
            None => instant(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let day = 1_767_225_600 * SECOND;
        for (text, nanos) in [
            ("2026-01-01T00:00:00Z", Some(day)),
            ("2026-01-01 00:00:01", Some(day + SECOND)),
            ("2026-01-01", Some(day)),
            ("2026-01-01T09:00:00+09:00", Some(day)),
            ("-1h", Some(-3_600 * SECOND)),
            ("now", Some(0)),
            ("beginning", Some(i64::MIN)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(given(text, 0), nanos, "{text}");
        }
    }

    #[test]
    fn a_month_is_as_short_and_as_long_as_it_may_be() {
        let month = length("1mo").unwrap();
        assert_eq!((month.least, month.most), (28 * DAY, 31 * DAY));
        assert_eq!(length("1h30m").unwrap().least, 5_400 * SECOND);
        assert_eq!(length("5"), None);
        assert_eq!(length("h"), None);
    }
}
