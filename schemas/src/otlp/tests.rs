//! Points by hand; what the SDKs send is in `tests/metrics_golden.rs`.

use super::*;
use crate::points::{Decoded, Undecodable};

fn read(points: &str) -> (Decoded, String) {
    let body = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"host.name","value":{{"stringValue":"web-1"}}}}]}},
        "scopeMetrics":[{{"scope":{{"name":"s"}},"metrics":[{points}]}}]}}]}}"#
    );
    let mut out = Vec::new();
    let decoded = decode_json(body.as_bytes(), 1 << 20, &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    (
        decoded,
        lines.replace(",host=web-1,host.name=web-1,otel.scope.name=s", "~"),
    )
}

#[test]
fn each_kind_of_metric_has_its_fields() {
    for (metric, line) in [
        (
            r#"{"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"7","asInt":"3"}]}}"#,
            "g~ gauge=3 7\n",
        ),
        (
            r#"{"name":"c","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{"asDouble":1.5}]}}"#,
            "c~ counter=1.5\n",
        ),
        (
            r#"{"name":"c","sum":{"isMonotonic":true,"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{"asDouble":1.5}]}}"#,
            "c~ gauge=1.5\n",
        ),
        (
            r#"{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":7,"count":"3","sum":4.5,"bucketCounts":["1","2","0"],"explicitBounds":[0.5,10]}]}}"#,
            "h~ count=3,sum=4.5,0.5=1,10=3,+Inf=3 7\n",
        ),
        (
            r#"{"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":7,"count":3,"zeroCount":1,"min":0}]}}"#,
            "e~ count=3,min=0,zero_count=1 7\n",
        ),
        (
            r#"{"name":"s","summary":{"dataPoints":[{"timeUnixNano":7,"count":3,"sum":6,"quantileValues":[{"quantile":0.5,"value":2},{"quantile":0.99,"value":"NaN"}]}]}}"#,
            "s~ count=3,sum=6,0.5=2 7\n",
        ),
    ] {
        let (decoded, lines) = read(metric);
        assert_eq!(lines, line, "{metric} {:?}", decoded.rejected);
    }
}

#[test]
fn attributes_become_tags_and_the_nearest_holds() {
    let point = r#"{"name":"g","gauge":{"dataPoints":[{"asInt":1,"attributes":[
        {"key":"host.name","value":{"stringValue":"web-2"}},{"key":"b","value":{"boolValue":false}},
        {"key":"d","value":{"doubleValue":0.5}},{"key":"none","value":{}},{"key":"bytes","value":{"bytesValue":"AAE="}},
        {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"2"},{}]}}},
        {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}}}]}]}}"#;
    let (_, lines) = read(point);
    assert_eq!(
        lines,
        "g,b=false,bytes=AAE\\=,d=0.5,host=web-2,host.name=web-2,l=[\"x\"\\,2\\,null],m={\"k\":true},otel.scope.name=s gauge=1\n"
    );
}

#[test]
fn what_cannot_be_stored_has_a_reason() {
    for (point, kind, reason) in [
        (r#"{"asDouble":"NaN"}"#, "gauge", "NaN"),
        (r#"{"asDouble":"-Infinity"}"#, "gauge", "infinite"),
        (r#"{"asInt":"9007199254740993"}"#, "gauge", "exactly"),
        (
            r#"{"asInt":1,"timeUnixNano":"18446744073709551615"}"#,
            "gauge",
            "timestamp",
        ),
        ("{}", "gauge", "no field"),
        (
            r#"{"count":1,"bucketCounts":[1],"explicitBounds":[1]}"#,
            "histogram",
            "buckets",
        ),
        (
            r#"{"count":1,"bucketCounts":[1,2,3],"explicitBounds":[2,1]}"#,
            "histogram",
            "buckets",
        ),
    ] {
        let (decoded, lines) = read(&format!(
            r#"{{"name":"m","{kind}":{{"dataPoints":[{point}]}}}}"#
        ));
        assert_eq!(lines, "", "{point}");
        let why = decoded.rejected[0].to_string();
        assert!(why.contains(reason), "{point}: {why}");
    }
    let delta = r#"{"name":"m","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":1}]}},{"name":"x"}"#;
    let (decoded, _) = read(delta);
    assert_eq!(decoded.rejected_points, 2);
    let stale = r#"{"name":"m","gauge":{"dataPoints":[{"flags":1}]}}"#;
    assert_eq!(read(stale).0.stale, 1);
}

#[test]
fn lists_without_end_are_cut_off_with_a_reason() {
    let many = vec!["1"; 5_000].join(",");
    let point =
        format!(r#"{{"name":"m","histogram":{{"dataPoints":[{{"bucketCounts":[{many}]}}]}}}}"#);
    assert!(
        read(&point).0.rejected[0]
            .to_string()
            .contains("over 1024 buckets")
    );
    let pairs = vec![r#"{"key":"k","value":{"stringValue":"v"}}"#; 300].join(",");
    let point = format!(
        r#"{{"name":"m","gauge":{{"dataPoints":[{{"asInt":1,"attributes":[{pairs}]}}]}}}}"#
    );
    assert!(read(&point).0.rejected[0].to_string().contains("tags"));
}

#[test]
fn what_lies_too_deep_or_is_no_request_is_refused_whole() {
    let mut value = r#"{"stringValue":"x"}"#.to_owned();
    for _ in 0..40 {
        value = format!(r#"{{"arrayValue":{{"values":[{value}]}}}}"#);
    }
    let body = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"k","value":{value}}}]}}}}]}}"#
    );
    for body in [&body[..], "[]", "{\"resourceMetrics\":7}", "m v=1"] {
        let refused = decode_json(body.as_bytes(), 1 << 20, &mut Vec::new());
        assert!(
            matches!(refused, Err(Undecodable::Malformed { .. })),
            "{refused:?}"
        );
    }
    // The same depth as protobuf: a list in a list.
    let mut value = vec![1 << 3 | 2, 1, b'x'];
    for _ in 0..40 {
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        bytes(1, &value, &mut inner);
        bytes(5, &inner, &mut outer);
        value = outer;
    }
    let (mut pair, mut attribute, mut resource, mut body) = (
        vec![1 << 3 | 2, 1, b'k'],
        Vec::new(),
        Vec::new(),
        Vec::new(),
    );
    bytes(2, &value, &mut pair);
    bytes(1, &pair, &mut attribute);
    bytes(1, &attribute, &mut resource);
    bytes(1, &resource, &mut body);
    let refused = decode_protobuf(&body, 1 << 20, &mut Vec::new());
    assert!(
        matches!(refused, Err(Undecodable::Malformed { .. })),
        "{refused:?}"
    );
}

/// Found by fuzzing: the list was read by the one function and the number behind it by the other, for ever.
#[test]
fn a_value_that_is_several_at_once_is_the_last() {
    let list = [5 << 3 | 2, 2, 1 << 3 | 2, 0];
    for (last, tag) in [
        (&[3 << 3, 7][..], ",k=7"),
        (&[15 << 3, 7], ""),
        (&list, ",k=[null]"),
    ] {
        let value = [&list[..], last].concat();
        let (mut pair, mut point) = (vec![1 << 3 | 2, 1, b'k'], Vec::new());
        bytes(2, &value, &mut pair);
        bytes(7, &pair, &mut point);
        // as_int = 1
        point.extend([6 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0]);
        let mut data = Vec::new();
        bytes(1, &point, &mut data);
        let mut message = Vec::new();
        bytes(1, b"m", &mut message);
        bytes(5, &data, &mut message);
        for number in [2, 2, 1] {
            let inner = std::mem::take(&mut message);
            bytes(number, &inner, &mut message);
        }
        let mut out = Vec::new();
        decode_protobuf(&message, 1 << 20, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("m{tag} gauge=1\n"));
    }
}

#[test]
fn answers_are_in_the_encoding_of_the_request() {
    assert_eq!(Encoding::Protobuf.response(0, ""), b"");
    assert_eq!(
        Encoding::Protobuf.response(300, "x"),
        [0x0a, 6, 0x08, 0xac, 0x02, 0x12, 1, b'x']
    );
    assert_eq!(Encoding::Json.response(0, ""), b"{}");
    let partial = Encoding::Json.response(2, "why");
    assert_eq!(
        partial,
        br#"{"partialSuccess":{"errorMessage":"why","rejectedDataPoints":"2"}}"#
    );
    assert_eq!(Encoding::Protobuf.status("x"), [0x12, 1, b'x']);
    assert_eq!(Encoding::Json.status("x"), br#"{"message":"x"}"#);
}
