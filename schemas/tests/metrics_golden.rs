//! What real senders sent (`golden/*`, recorded by the scripts in `golden/record`) becomes these lines.

use schemas::line::scan;
use schemas::points::{Decoded, Undecodable};
use schemas::remote_write::{Naming, decode_v1, decode_v2};
use schemas::{metrics_avro, otlp};
use std::io::Read;
use std::path::{Path, PathBuf};

const MOST: usize = 32 << 20;

fn golden(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The lines, each of which the scan understands.
fn lines(decode: impl FnOnce(&mut Vec<u8>) -> Result<Decoded, Undecodable>) -> (Decoded, String) {
    let mut out = Vec::new();
    let decoded = decode(&mut out).unwrap();
    assert_eq!(scan(&out).filter(Result::is_ok).count(), decoded.lines);
    (decoded, String::from_utf8(out).unwrap())
}

fn kept(name: &str, lines: &str) {
    let (sender, name) = name.split_once('/').unwrap();
    insta::with_settings!({snapshot_path => folder().join(sender), prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, lines);
    });
}

#[test]
fn prometheus_scrapes_become_the_same_lines_by_both_versions() {
    let unpack = |name| {
        snap::raw::Decoder::new()
            .decompress_vec(&golden(name))
            .unwrap()
    };
    let v1 = unpack("remote_write/v1.snappy");
    let v2 = unpack("remote_write/v2.snappy");
    for (name, (decoded, text)) in [
        (
            "v1",
            lines(|out| decode_v1(&v1, Naming::PerMetric, MOST, out)),
        ),
        (
            "v2",
            lines(|out| decode_v2(&v2, Naming::PerMetric, MOST, out)),
        ),
    ] {
        // What is not taken is NaN: summaries without observations.
        assert_eq!(decoded.rejected_points, decoded.not_a_number, "{name}");
        assert!(decoded.lines > 500, "{name}: {}", decoded.lines);
        let some: Vec<&str> = text
            .lines()
            .filter(|line| {
                line.starts_with("prometheus_http_requests_total") || line.starts_with("up")
            })
            .collect();
        kept(&format!("remote_write/{name}"), &some.join("\n"));
    }
}

#[test]
fn the_python_sdk_sends_protobuf_that_becomes_lines() {
    let mut body = Vec::new();
    let packed = golden("otlp/python.pb.gz");
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut body)
        .unwrap();
    let (decoded, text) = lines(|out| otlp::decode_protobuf(&body, MOST, out));
    assert_eq!((decoded.lines, decoded.rejected_points), (5, 0));
    kept("otlp/python", &text);
}

#[test]
fn the_javascript_sdk_sends_json_that_becomes_lines() {
    let body = golden("otlp/javascript.json");
    let (decoded, text) = lines(|out| otlp::decode_json(&body, MOST, out));
    assert_eq!((decoded.lines, decoded.rejected_points), (5, 0));
    kept("otlp/javascript", &text);
}

#[test]
fn fastavro_writes_what_becomes_the_same_lines_in_every_form() {
    for name in ["metric.avro", "metrics.avro", "null.ocf", "deflate.ocf"] {
        let body = golden(&format!("avro/{name}"));
        let (decoded, text) = lines(|out| metrics_avro::decode(&body, MOST, out));
        assert_eq!((decoded.lines, decoded.rejected_points), (3, 0), "{name}");
        kept("avro/metrics", &text);
    }
}

#[test]
fn a_body_that_is_cut_anywhere_is_refused_or_read_never_a_panic() {
    let mut protobuf = Vec::new();
    let packed = golden("otlp/python.pb.gz");
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut protobuf)
        .unwrap();
    let json = golden("otlp/javascript.json");
    for end in 0..protobuf.len() {
        let mut out = Vec::new();
        otlp::decode_protobuf(&protobuf[..end], MOST, &mut out).ok();
    }
    for end in 0..json.len() {
        assert!(otlp::decode_json(&json[..end], MOST, &mut Vec::new()).is_err());
    }
}
