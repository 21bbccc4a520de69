//! Requests made by hand; what Prometheus itself sends is in `tests/remote_write_golden.rs`.

use super::*;

/// A field with bytes, a double or a number.
fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    out.extend(varint(value.len() as u64));
    out.extend_from_slice(value);
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn sample(value: f64, millis: i64) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend(value.to_le_bytes());
    out.push(2 << 3);
    out.extend(varint(millis as u64));
    out
}

fn series_v1(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> Vec<u8> {
    let labels = labels.iter().flat_map(|(name, value)| {
        let label = [bytes(1, name.as_bytes()), bytes(2, value.as_bytes())];
        bytes(1, &label.concat())
    });
    let samples = samples
        .iter()
        .flat_map(|(value, millis)| bytes(2, &sample(*value, *millis)));
    bytes(1, &labels.chain(samples).collect::<Vec<_>>())
}

fn v1(body: &[u8], naming: Naming) -> (Decoded, String) {
    let mut out = Vec::new();
    let decoded = decode_v1(body, naming, 1 << 20, &mut out).unwrap();
    (decoded, String::from_utf8(out).unwrap())
}

fn v2(symbols: &[&str], references: &[u8], rest: &[u8]) -> (Decoded, String) {
    let mut body: Vec<u8> = symbols
        .iter()
        .flat_map(|symbol| bytes(4, symbol.as_bytes()))
        .collect();
    body.extend(bytes(5, &[bytes(1, references), rest.to_vec()].concat()));
    let mut out = Vec::new();
    let decoded = decode_v2(&body, Naming::PerMetric, 1 << 20, &mut out).unwrap();
    (decoded, String::from_utf8(out).unwrap())
}

#[test]
fn a_sample_is_a_line_of_its_metric() {
    let body = series_v1(
        &[
            ("__name__", "node_load1"),
            ("instance", "web-1:9100"),
            ("job", "a b"),
        ],
        &[(0.5, 1_700_000_000_000), (-1e300, -1)],
    );
    let (decoded, lines) = v1(&body, Naming::PerMetric);
    assert_eq!(
        lines,
        "node_load1,host=web-1,instance=web-1:9100,job=a\\ b value=0.5 1700000000000000000\n\
         node_load1,host=web-1,instance=web-1:9100,job=a\\ b value=-1e300 -1000000\n"
    );
    assert_eq!((decoded.lines, decoded.rejected_points), (2, 0));
    let (_, lines) = v1(
        &series_v1(&[("__name__", "up")], &[(1.0, 1)]),
        Naming::OneMeasurement,
    );
    assert_eq!(lines, "prometheus_remote_write up=1 1000000\n");
}

#[test]
fn stale_markers_are_counted_and_other_bad_samples_have_reasons() {
    let body = [
        series_v1(
            &[("__name__", "m")],
            &[
                (f64::from_bits(STALE), 1),
                (f64::NAN, 2),
                (f64::INFINITY, 3),
                (1.0, i64::MAX),
                (2.0, 5),
            ],
        ),
        series_v1(&[("job", "x")], &[(1.0, 1), (2.0, 2)]),
        series_v1(&[("__name__", "m"), ("a", "b\\")], &[(1.0, 1)]),
        series_v1(&[("__name__", "m"), ("a", "1"), ("a", "1")], &[(1.0, 1)]),
        bytes(
            1,
            &[
                bytes(1, &[bytes(1, b"__name__"), bytes(2, b"h")].concat()),
                bytes(4, b""),
            ]
            .concat(),
        ),
    ]
    .concat();
    let (decoded, lines) = v1(&body, Naming::PerMetric);
    assert_eq!(lines, "m value=2 5000000\n");
    let problems: Vec<_> = decoded
        .rejected
        .into_iter()
        .map(|rejected| rejected.problem)
        .collect();
    assert_eq!(
        problems,
        [
            Problem::NotANumber,
            Problem::Infinite,
            Problem::Timestamp,
            Problem::NoName,
            Problem::NoName,
            Problem::Backslash("tag value"),
            Problem::Twice("a".to_owned()),
            Problem::NativeHistogram,
        ]
    );
    assert_eq!(
        (decoded.stale, decoded.not_a_number, decoded.rejected_points),
        (1, 1, 8)
    );
}

#[test]
fn symbols_are_looked_up_and_their_faults_are_reasons() {
    let symbols = ["", "__name__", "up", "job", "x"];
    let one = bytes(2, &sample(1.0, 1));
    assert_eq!(
        v2(&symbols, &[1, 2, 3, 4], &one).1,
        "up,job=x value=1 1000000\n"
    );
    assert_eq!(
        v2(&symbols, &[1, 2, 3], &one).0.rejected[0].problem,
        Problem::UnevenLabels
    );
    assert_eq!(
        v2(&symbols, &[1, 9], &one).0.rejected[0].problem,
        Problem::Symbol(9)
    );
    let histogram = bytes(3, b"");
    assert_eq!(
        v2(&symbols, &[1, 2], &histogram).0.rejected[0].problem,
        Problem::NativeHistogram
    );
    // References that are not packed.
    let mut body: Vec<u8> = symbols
        .iter()
        .flat_map(|symbol| bytes(4, symbol.as_bytes()))
        .collect();
    body.extend(bytes(5, &[vec![8, 1, 8, 2], one].concat()));
    let mut out = Vec::new();
    decode_v2(&body, Naming::PerMetric, 1 << 20, &mut out).unwrap();
    assert_eq!(out, b"up value=1 1000000\n");
}

#[test]
fn a_request_of_the_other_version_holds_no_sample() {
    let body = series_v1(&[("__name__", "m")], &[(1.0, 1)]);
    let decoded = decode_v2(&body, Naming::PerMetric, 1 << 20, &mut Vec::new()).unwrap();
    assert_eq!(decoded, Decoded::default());
}

#[test]
fn a_long_symbol_that_is_named_often_ends_at_the_limit() {
    let long = "x".repeat(10_000);
    let one = bytes(2, &sample(1.0, 1));
    let series = bytes(5, &[bytes(1, &[0, 1, 2, 1]), one].concat());
    let mut body: Vec<u8> = ["__name__", &long, "a"]
        .iter()
        .flat_map(|s| bytes(4, s.as_bytes()))
        .collect();
    for _ in 0..1_000 {
        body.extend_from_slice(&series);
    }
    let mut out = Vec::new();
    let refused = decode_v2(&body, Naming::PerMetric, 1 << 16, &mut out);
    assert_eq!(refused, Err(Undecodable::TooLarge { most: 1 << 16 }));
    assert!(out.len() < 1 << 17);
}

#[test]
fn what_is_no_request_is_refused_whole() {
    for wrong in [
        &b"\x0a\x7fm"[..],
        b"\x0a\x02\x0a\x05",
        b"m v=1 1\n",
        b"\x0a\x07\x0a\x05\x0a\x03\xff\xfe\xfd",
    ] {
        let refused = decode_v1(wrong, Naming::PerMetric, 1 << 20, &mut Vec::new());
        assert!(
            matches!(refused, Err(Undecodable::Malformed { .. })),
            "{wrong:?}"
        );
    }
}
