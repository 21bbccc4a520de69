//! The scan against the parser of the `influxdb-line-protocol` crate, on generated lines.
//!
//! Known differences, which the generators leave out: the crate takes `=` in tag values, tags that
//! are given twice, infinite floats, NUL bytes and even runs of backslashes; these the scan
//! refuses. The crate refuses `1.` and `.5`, which InfluxDB 1 and 2 take, and so does the scan.

use influxdb_line_protocol::{FieldValue as Theirs, parse_lines};
use proptest::prelude::*;
use schemas::line::{FieldValue, scan};

/// Part of a line with characters that must be escaped.
fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.,= /:한é-]{1,12}"
}

fn escape(token: &str, special: &str) -> String {
    token.chars().fold(String::new(), |mut out, c| {
        if special.contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

#[derive(Debug, Clone)]
enum Value {
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    Text(String),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-1e12..1e12_f64).prop_map(Value::Float),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Unsigned),
        any::<bool>().prop_map(Value::Boolean),
        "[a-z \\\\\",=\n한]{0,12}".prop_map(Value::Text),
    ]
}

fn write(value: &Value) -> String {
    match value {
        Value::Float(f) => f.to_string(),
        Value::Integer(i) => format!("{i}i"),
        Value::Unsigned(u) => format!("{u}u"),
        Value::Boolean(b) => b.to_string(),
        Value::Text(t) => format!("\"{}\"", t.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn same(ours: &FieldValue<'_>, theirs: &Theirs<'_>) -> bool {
    match (ours, theirs) {
        (FieldValue::Float(a), Theirs::F64(b)) => a == b,
        (FieldValue::Integer(a), Theirs::I64(b)) => a == b,
        (FieldValue::Unsigned(a), Theirs::U64(b)) => a == b,
        (FieldValue::Boolean(a), Theirs::Boolean(b)) => a == b,
        (FieldValue::Text(a), Theirs::String(b)) => a == b.as_str(),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_read_the_same_from_what_was_written(
        lines in prop::collection::vec((
            token(),
            prop::collection::btree_map(token(), token(), 0..5),
            prop::collection::btree_map(token(), value(), 1..5),
            prop::option::of(any::<i64>()),
        ), 1..6)
    ) {
        let mut body = String::new();
        for (measurement, tags, fields, timestamp) in &lines {
            let measurement = measurement.replace('=', "_");
            body.push_str(&escape(&measurement, ", "));
            for (key, value) in tags {
                body.push_str(&format!(",{}={}", escape(key, ",= "), escape(value, ",= ")));
            }
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}={}", escape(key, ",= "), write(value)))
                .collect();
            body.push_str(&format!(" {}", fields.join(",")));
            if let Some(timestamp) = timestamp {
                body.push_str(&format!(" {timestamp}"));
            }
            body.push('\n');
        }
        let theirs: Vec<_> = parse_lines(&body).collect::<Result<_, _>>().expect("they read it");
        let ours: Vec<_> = scan(body.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|rejected| TestCaseError::fail(rejected.reason.to_string()))?;
        prop_assert_eq!(ours.len(), lines.len());
        prop_assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let (measurement, known) = (ours.measurement(), theirs.series.measurement.as_str());
            prop_assert_eq!(measurement, known);
            prop_assert_eq!(ours.timestamp(), theirs.timestamp);
            let tags: Vec<_> = ours.tags().collect();
            let known = theirs.series.tag_set.iter().flatten();
            let known: Vec<_> = known.map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect();
            prop_assert_eq!(tags, known);
            let fields: Vec<_> = ours.fields().collect();
            prop_assert_eq!(fields.len(), theirs.field_set.len());
            for ((key, value), (their_key, theirs)) in fields.iter().zip(&theirs.field_set) {
                prop_assert_eq!(&**key, their_key.as_str());
                prop_assert!(same(value, theirs), "{:?} is not {:?}", value, theirs);
            }
        }
    }

    #[test]
    fn what_the_scan_takes_the_other_parser_takes_too(
        body in "(m|,|=| |\\\\|\"|\n|\r|t|f|1|i|-|1\\.5|e|a=1|m,t=v f=1|#){0,24}"
    ) {
        for line in scan(body.as_bytes()).flatten() {
            let raw = std::str::from_utf8(line.raw()).expect("a line is text");
            let theirs: Vec<_> = parse_lines(raw).collect();
            prop_assert!(matches!(theirs.as_slice(), [Ok(_)]), "{:?} of {:?}: {:?}", raw, body, theirs);
        }
    }

    #[test]
    fn any_bytes_are_scanned_without_a_panic_and_every_line_has_its_number(
        body in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        let mut last = 0;
        for item in scan(&body) {
            let number = match &item {
                Ok(line) => {
                    let parts = line.tags().count() + line.fields().count();
                    prop_assert!(parts > 0);
                    line.number()
                }
                Err(rejected) => rejected.number,
            };
            prop_assert!(number > last, "{} after {}", number, last);
            last = number;
        }
    }

    #[test]
    fn a_line_scans_alone_as_it_does_among_others(
        body in "(m|,|=| |\\\\|\"|\n|\r|t|f|1|i|a=1|m,t=v f=1 5|m f=\"x\"){0,24}"
    ) {
        for line in scan(body.as_bytes()).flatten() {
            let alone: Vec<_> = scan(line.raw()).collect();
            prop_assert_eq!(alone.len(), 1, "{:?}", body);
            let alone = alone[0].as_ref().map_err(|r| TestCaseError::fail(r.reason.to_string()))?;
            prop_assert_eq!(alone.raw(), line.raw());
            prop_assert_eq!(alone.series(), line.series());
            prop_assert_eq!(alone.timestamp(), line.timestamp());
        }
    }
}
