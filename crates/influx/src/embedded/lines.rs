//! Line protocol in full, as the embedded store needs it. Pure.

use crate::FieldValue;
use influxdb_line_protocol::{FieldValue as Parsed, ParsedLine, parse_lines};

/// Lines that an error quotes, as InfluxDB does; more are only counted.
const QUOTED_LINES: usize = 5;
/// Characters of a line that an error quotes.
const QUOTED_CHARS: usize = 200;

/// A point ready to be stored.
#[derive(Debug, PartialEq)]
pub(super) struct NewPoint {
    pub(super) measurement: String,
    /// Tags sorted by key, as JSON: the same series has the same text.
    pub(super) tags: String,
    pub(super) fields: Vec<(String, FieldValue)>,
    pub(super) time: i64,
}

/// Reads a body, all of it or none: the error names the lines that are none.
pub(super) fn parse(body: &[u8]) -> Result<Vec<NewPoint>, String> {
    let text = std::str::from_utf8(body)
        .map_err(|error| format!("unable to parse: no UTF-8 at byte {}", error.valid_up_to()))?;
    let mut points = Vec::new();
    let mut bad = Vec::new();
    // Splitting by itself first keeps the text of a line that does not parse.
    for line in influxdb_line_protocol::split_lines(text) {
        for parsed in parse_lines(line) {
            let point = parsed.map_err(|error| error.to_string()).and_then(convert);
            match point {
                Ok(point) => points.push(point),
                Err(reason) => bad.push((line, reason)),
            }
        }
    }
    if bad.is_empty() {
        return Ok(points);
    }
    let quoted = bad.iter().take(QUOTED_LINES).map(|(line, reason)| {
        let line: String = line.chars().take(QUOTED_CHARS).collect();
        format!("unable to parse '{line}': {reason}")
    });
    let mut text = quoted.collect::<Vec<_>>().join("\n");
    if bad.len() > QUOTED_LINES {
        text.push_str(&format!("\nand {} more lines", bad.len() - QUOTED_LINES));
    }
    Err(text)
}

fn convert(line: ParsedLine<'_>) -> Result<NewPoint, String> {
    let mut tags: Vec<(&str, &str)> = Vec::new();
    for (key, value) in line.series.tag_set.iter().flatten() {
        tags.push((key.as_str(), value.as_str()));
    }
    tags.sort_unstable();
    if tags.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err("duplicate tags".to_owned());
    }
    let fields = line.field_set.iter().map(|(key, value)| {
        let value = match value {
            Parsed::F64(float) if !float.is_finite() => return Err("invalid float".to_owned()),
            Parsed::F64(float) => FieldValue::Float(*float),
            Parsed::I64(integer) => FieldValue::Integer(*integer),
            Parsed::U64(unsigned) => FieldValue::Unsigned(*unsigned),
            Parsed::Boolean(boolean) => FieldValue::Boolean(*boolean),
            Parsed::String(text) => FieldValue::Text(text.to_string()),
        };
        Ok((key.to_string(), value))
    });
    Ok(NewPoint {
        measurement: line.series.measurement.to_string(),
        tags: serde_json::to_string(&tags).map_err(|error| error.to_string())?,
        fields: fields.collect::<Result<_, String>>()?,
        time: line.timestamp.ok_or("the line has no timestamp")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_tags_does_not_make_another_series() {
        let points = parse(b"cpu,b=2,a=1 v=1 5\ncpu,a=1,b=2 v=1 5\n").unwrap();
        assert_eq!(points[0], points[1]);
        assert_eq!(points[0].tags, r#"[["a","1"],["b","2"]]"#);
    }

    #[test]
    fn every_type_of_a_field_is_kept() {
        let points = parse(b"m f=1.5,i=-2i,u=3u,b=t,s=\"a \\\"b\\\"\n c\" -7").unwrap();
        let fields: Vec<_> = points[0].fields.iter().map(|(_, value)| value).collect();
        assert_eq!(
            fields,
            [
                &FieldValue::Float(1.5),
                &FieldValue::Integer(-2),
                &FieldValue::Unsigned(3),
                &FieldValue::Boolean(true),
                &FieldValue::Text("a \"b\"\n c".to_owned())
            ]
        );
        assert_eq!(points[0].time, -7);
    }

    #[test]
    fn a_bad_line_refuses_the_body_and_is_named() {
        for (body, part) in [
            (&b"a v=1 1\nbad\n"[..], "'bad'"),
            (b"a v=1e999 1", "invalid float"),
            (b"a v=1", "no timestamp"),
            (b"a,t=1,t=2 v=1 1", "duplicate tags"),
            (b"a v=\xff 1", "no UTF-8 at byte 4"),
        ] {
            let error = parse(body).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
