//! Bodies by hand; what Telegraf itself writes is in `tests/metrics_golden.rs`.

use super::*;

fn read(body: &str) -> (Decoded, String) {
    let mut out = Vec::new();
    let decoded = decode(body.as_bytes(), 1_000_000_000, 1 << 20, &mut out).unwrap();
    (decoded, String::from_utf8(out).unwrap())
}

const CPU: &str = r#"{"fields":{"usage_idle":91.5,"on":true,"text":"a \"b\"\n","none":null},"name":"cpu","tags":{"host":"a b","n":1},"timestamp":7}"#;
const LINE: &str = "cpu,host=a\\ b,n=1 usage_idle=91.5,on=true,text=\"a \\\"b\\\"\n\" 7000000000\n";

#[test]
fn one_metric_an_array_a_batch_and_one_a_line_are_the_same() {
    for (body, times) in [
        (CPU.to_owned(), 1),
        (format!("[{CPU},{CPU}]"), 2),
        (format!(r#"{{"metrics":[{CPU},{CPU}]}}"#), 2),
        (format!("{CPU}\n{CPU}\n{CPU}"), 3),
        (r#" {"metrics": []} "#.to_owned(), 0),
        (String::new(), 0),
    ] {
        let (decoded, lines) = read(&body);
        assert_eq!(lines, LINE.repeat(times), "{body}");
        assert_eq!((decoded.lines, decoded.rejected_points), (times, 0));
    }
}

#[test]
fn a_metric_without_time_or_tags_is_one() {
    assert_eq!(
        read(r#"{"name":"m","fields":{"a\u00e9":1e-3,"b":-0}}"#).1,
        "m a\u{e9}=1e-3,b=-0\n"
    );
}

#[test]
fn each_fault_of_a_metric_has_its_reason_and_spares_the_others() {
    for (metric, reason) in [
        (r#"{"fields":{"v":1}}"#, "missing field `name`"),
        (r#"{"name":"m"}"#, "missing field `fields`"),
        (r#"{"name":"m","fields":{}}"#, "no field"),
        (r#"{"name":"m","fields":{"v":null}}"#, "no field"),
        (
            r#"{"name":"m","fields":{"v":{"w":1}}}"#,
            "field `v` is neither",
        ),
        (
            r#"{"name":"m","fields":{"v":9007199254740993}}"#,
            "does not fit a float exactly",
        ),
        (
            r#"{"name":"m","fields":{"v":1e999}}"#,
            "does not fit a float exactly",
        ),
        (r#"{"name":"m","fields":[1]}"#, "`fields` are no object"),
        (
            r#"{"name":"m","fields":{"v":1},"tags":{"a":[1]}}"#,
            "tag `a` is neither",
        ),
        (
            r#"{"name":"m","fields":{"v":1},"tags":{"a":"1","a":"2"}}"#,
            "given twice",
        ),
        (
            r#"{"name":"m","fields":{"v":1},"timestamp":9223372036854775807}"#,
            "64 bits in nanoseconds",
        ),
        (
            r#"{"name":"m","fields":{"v":1},"timestamp":1.5}"#,
            "no whole number",
        ),
        (
            r#"{"name":"m","fields":{"v":1},"timestamps":1}"#,
            "unknown field",
        ),
        (r#"{"name":"","fields":{"v":1}}"#, "no name"),
        (r#"{"name":"m","fields":{"":1}}"#, "no key"),
        ("7", "no object"),
    ] {
        let (decoded, lines) = read(&format!("[{metric},{CPU}]"));
        assert_eq!(lines, LINE, "{metric}");
        let why = decoded.rejected[0].to_string();
        assert!(
            why.contains(reason) && why.starts_with("point 1"),
            "{metric}: {why}"
        );
    }
}

#[test]
fn a_reason_is_short_however_long_the_key_that_nobody_knows() {
    let (decoded, lines) = read(&format!(r#"[{{"{}":1}},{CPU}]"#, "k".repeat(100_000)));
    assert_eq!(lines, LINE);
    let why = decoded.rejected[0].to_string();
    assert!(why.contains("unknown field") && why.len() < 500, "{why}");
}

#[test]
fn what_is_no_json_is_refused_whole() {
    for body in ["{", "{\"metrics\":[{]}", "m v=1 1", "[1", "\u{0}"] {
        let refused = decode(body.as_bytes(), 1, 1 << 20, &mut Vec::new());
        assert!(
            matches!(refused, Err(Undecodable::Malformed { .. })),
            "{body}: {refused:?}"
        );
    }
    let deep = "[".repeat(100_000);
    assert!(decode(deep.as_bytes(), 1, 1 << 20, &mut Vec::new()).is_err());
}
