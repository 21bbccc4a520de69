//! Queries in Flux, and what they answer. Pure.

use crate::{FieldValue, Point};
use influxdb2::api::query::FluxRecord;
use model::Timestamp;
use std::collections::BTreeMap;

/// Stands before the names of tags in an answer: `result` and `table` are columns of every answer (Flux, annotated
/// CSV), and Telegraf has tags of these names.
const TAG: &str = "tag:";

/// The values of a measurement. The time comes as a number, because nanoseconds must survive.
pub(crate) fn points(bucket: &str, measurement: &str, from: Timestamp, to: Timestamp) -> String {
    format!(
        "{} |> filter(fn: (r) => r._measurement == {}) |> drop(columns: [\"_start\", \"_stop\"]) \
         |> map(fn: (r) => ({{r with _time: int(v: r._time)}})) \
         |> rename(fn: (column) => if contains(value: column, set: [\"_time\", \"_value\", \"_field\", \
         \"_measurement\"]) then column else \"{TAG}\" + column)",
        range(bucket, from, to),
        quoted(measurement)
    )
}

/// The names of the measurements, one a row.
pub(crate) fn measurements(bucket: &str, from: Timestamp, to: Timestamp) -> String {
    format!(
        "{} |> keep(columns: [\"_measurement\"]) |> group() |> distinct(column: \"_measurement\")",
        range(bucket, from, to)
    )
}

/// What [`measurements`] answers, sorted.
pub(crate) fn named(records: &[FluxRecord]) -> Vec<String> {
    let values = records
        .iter()
        .filter_map(|record| record.values.get("_value"));
    let mut names: Vec<String> = values.filter_map(|value| value.string()).collect();
    names.sort_unstable();
    names
}

/// The number of points: of distinct instants per series, however many fields each has.
pub(crate) fn count(bucket: &str, from: Timestamp, to: Timestamp) -> String {
    format!(
        "{} |> drop(columns: [\"_field\", \"_value\", \"_start\", \"_stop\"]) \
         |> unique(column: \"_time\") |> map(fn: (r) => ({{r with _points: 1}})) \
         |> group() |> sum(column: \"_points\")",
        range(bucket, from, to)
    )
}

fn range(bucket: &str, from: Timestamp, to: Timestamp) -> String {
    format!(
        "from(bucket: {}) |> range(start: time(v: {}), stop: time(v: {}))",
        quoted(bucket),
        from.as_nanos(),
        to.as_nanos()
    )
}

/// A string literal that nothing can break out of. Flux interpolates `${..}` in literals.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '$' => literal.push_str("\\x24"),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// The one number that [`count`] answers; no row means none.
pub(crate) fn counted(records: &[FluxRecord]) -> u64 {
    let value = records
        .first()
        .and_then(|record| record.values.get("_points"));
    value
        .and_then(|value| value.i64())
        .map_or(0, i64::unsigned_abs)
}

/// Puts the fields of each point together, in the order of series and time.
pub(crate) fn collect(measurement: &str, records: Vec<FluxRecord>) -> Vec<Point> {
    type Fields = BTreeMap<String, FieldValue>;
    let mut found: BTreeMap<(Vec<(String, String)>, i64), Fields> = BTreeMap::new();
    for record in records {
        let values = record.values;
        let time = values.get("_time").and_then(|value| value.i64());
        let field = values.get("_field").and_then(|value| value.string());
        let value = values.get("_value").and_then(|value| {
            let number = value.f64().map(FieldValue::Float);
            let number = number.or_else(|| value.i64().map(FieldValue::Integer));
            let number = number.or_else(|| value.u64().map(FieldValue::Unsigned));
            let other = number.or_else(|| value.bool().map(FieldValue::Boolean));
            other.or_else(|| value.string().map(FieldValue::Text))
        });
        let (Some(time), Some(field), Some(value)) = (time, field, value) else {
            continue;
        };
        let tags = values
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(TAG)?.to_owned(), value.string()?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        found.entry((tags, time)).or_default().insert(field, value);
    }
    found
        .into_iter()
        .map(|((tags, time), fields)| Point {
            measurement: measurement.to_owned(),
            tags,
            fields: fields.into_iter().collect(),
            timestamp: Timestamp::from_nanos(time),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_literal() {
        for (text, literal) in [
            ("cpu", r#""cpu""#),
            (r#"a") |> yield("#, r#""a\") |> yield(""#),
            (r"a\", r#""a\\""#),
            ("${1+1}", r#""\x24{1+1}""#),
            ("a\nb", r#""a\nb""#),
            ("디스크", "\"디스크\""),
        ] {
            assert_eq!(quoted(text), literal);
        }
    }
}
