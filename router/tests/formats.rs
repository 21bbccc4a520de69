//! Metrics in other formats over HTTP into the embedded log.

mod support;

use reqwest::{Response, StatusCode, header};
use router::Config;
use support::{TOKEN, World, world};

impl World {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        request = request.header("authorization", format!("Bearer {TOKEN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

/// What a real sender sent, as `schemas/golden` has it.
fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/../schemas/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn written(answer: &Response) -> usize {
    let said = &answer.headers()["x-prometheus-remote-write-samples-written"];
    said.to_str().unwrap().parse().unwrap()
}

const V1: (&str, &str) = ("content-type", "application/x-protobuf");
const V2: (&str, &str) = (
    "content-type",
    "application/x-protobuf;proto=io.prometheus.write.v2.Request",
);

#[tokio::test]
async fn remote_write_of_both_versions_is_in_the_log_when_it_is_answered() {
    let world = world(Config::default()).await;
    for (kind, body) in [(V1, "v1.snappy"), (V2, "v2.snappy")] {
        let before = world.lines().await.len();
        let body = golden(&format!("remote_write/{body}"));
        let answer = world
            .post(
                "/api/v1/prom/write",
                &[kind, ("content-encoding", "snappy")],
                body,
            )
            .await;
        // A real scrape has summaries without observations, whose quantiles are NaN.
        assert!(answer.status().is_success(), "{}", answer.status());
        let counted = answer
            .headers()
            .contains_key("x-prometheus-remote-write-samples-written");
        assert_eq!(counted, kind == V2, "a sender of 1.0 expects no count");
        let all = if counted {
            written(&answer)
        } else {
            usize::MAX
        };
        let nan = match answer.text().await.unwrap().split_once("dropped=") {
            Some((_, rest)) => rest.split(':').next().unwrap().parse().unwrap(),
            None => 0,
        };
        let taken = world.lines().await.len() - before;
        assert!(taken > 500, "{taken}");
        assert!(!counted || all == taken + nan, "{all} {taken} {nan}");
    }
    let lines = world.lines().await;
    assert!(lines.iter().any(|line| line.starts_with("up,host=")));
}

#[tokio::test]
async fn remote_write_of_an_unknown_kind_is_refused_with_415() {
    let world = world(Config::default()).await;
    for headers in [
        [
            ("content-type", "application/json"),
            ("content-encoding", "snappy"),
        ],
        [
            ("content-type", "application/x-protobuf;proto=x"),
            ("content-encoding", "snappy"),
        ],
        [V1, ("content-encoding", "br")],
    ] {
        let answer = world.post("/api/v1/write", &headers, Vec::new()).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let anonymous = world.http.post(format!("{}/api/v1/write", world.url));
    let answer = anonymous.body("").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(world.lines().await.is_empty());
}

#[tokio::test]
async fn otlp_is_answered_in_its_encoding_and_says_what_was_not_taken() {
    let world = world(Config::default()).await;
    let (protobuf, json) = (
        ("content-type", "application/x-protobuf"),
        ("content-type", "application/json; charset=utf-8"),
    );
    let body = golden("otlp/python.pb.gz");
    let answer = world
        .post(
            "/v1/metrics",
            &[protobuf, ("content-encoding", "gzip")],
            body,
        )
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-protobuf");
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
    let answer = world
        .post("/v1/metrics", &[json], golden("otlp/javascript.json"))
        .await;
    assert_eq!(answer.text().await.unwrap(), "{}");
    assert_eq!(world.lines().await.len(), 10);
    let bad =
        br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[
        {"asDouble":"NaN"},{"asDouble":1}]}}]}]}]}"#;
    let answer = world.post("/v1/metrics", &[json], bad.to_vec()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let said: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(said["partialSuccess"]["rejectedDataPoints"], "1");
    assert_eq!(world.lines().await.len(), 11);
    let answer = world.post("/v1/metrics", &[json], b"{".to_vec()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let said: serde_json::Value = answer.json().await.unwrap();
    assert!(said["message"].as_str().unwrap().contains("no valid JSON"));
    let answer = world.post("/v1/metrics", &[], Vec::new()).await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn an_agent_of_version_1_may_ask_for_its_database_before_it_writes() {
    let world = world(Config::default()).await;
    let url = format!("{}/query", world.url);
    for (query, status) in [
        ("CREATE DATABASE \"telegraf\"", StatusCode::OK),
        ("create database telegraf;", StatusCode::OK),
        ("CREATE DATABASE x; DROP DATABASE y", StatusCode::FORBIDDEN),
    ] {
        let request = world.http.post(&url).form(&[("q", query)]);
        let answer = request.basic_auth("any", Some(TOKEN)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{query}");
        let text = answer.text().await.unwrap();
        assert!(
            status != StatusCode::OK || text == r#"{"results":[{"statement_id":0}]}"#,
            "{text}"
        );
    }
    let unknown = world.http.post(&url).form(&[("q", "CREATE DATABASE x")]);
    let answer = unknown
        .basic_auth("any", Some("other"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn json_metrics_are_lines_in_nanoseconds_and_bad_ones_are_named() {
    let world = world(Config::default()).await;
    let body = br#"{"metrics":[{"name":"m","tags":{"host":"a"},"fields":{"v":1},"timestamp":7},
        {"name":"m","tags":{"host":"b"},"fields":{"v":[]},"timestamp":8}]}"#;
    let answer = world.post("/api/v1/metrics", &[], body.to_vec()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let said: serde_json::Value = answer.json().await.unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(
        message.contains("1 of 2 points") && message.contains("point 2, `m`"),
        "{message}"
    );
    assert_eq!(world.lines().await, ["m,host=a v=1 7000000000"]);
    let good = br#"{"name":"m","tags":{"host":"a"},"fields":{"v":2},"timestamp":9}"#;
    let answer = world
        .post("/api/v1/metrics?precision=ms", &[], good.to_vec())
        .await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(
        world
            .lines()
            .await
            .contains(&"m,host=a v=2 9000000".to_owned())
    );
}

#[tokio::test]
async fn avro_of_every_form_is_the_same_lines() {
    let world = world(Config::default()).await;
    for (path, kind, name) in [
        (
            "/api/v1/metrics/avro",
            "application/octet-stream",
            "metric.avro",
        ),
        ("/api/v1/metrics", "avro/binary", "metrics.avro"),
        ("/api/v1/metrics/avro", "application/avro", "null.ocf"),
        (
            "/api/v1/metrics",
            "application/vnd.apache.avro",
            "deflate.ocf",
        ),
    ] {
        let before = world.lines().await.len();
        let body = golden(&format!("avro/{name}"));
        let answer = world.post(path, &[("content-type", kind)], body).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{name}");
        assert_eq!(world.lines().await.len(), before + 3, "{name}");
    }
    let confluent = world
        .post("/api/v1/metrics/avro", &[], vec![0, 0, 0, 0, 1, 2])
        .await;
    assert_eq!(confluent.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn bombs_and_boasting_headers_are_refused_in_every_format() {
    let small = Config {
        body_bytes: 1 << 20,
        body_unpacked_bytes: 1 << 20,
        ..Config::default()
    };
    let world = world(small).await;
    let zeros = vec![0_u8; 64 << 20];
    let gzip = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&zeros).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::stream::encode_all(&zeros[..], 3).unwrap();
    let boast = vec![0x80, 0xe4, 0x97, 0xd0, 0x09, 0];
    for path in [
        "/write",
        "/api/v2/write",
        "/api/v1/write",
        "/api/v1/metrics",
    ] {
        for (encoding, body) in [("gzip", &gzip), ("zstd", &zstd), ("snappy", &boast)] {
            let answer = world
                .post(path, &[V1, ("content-encoding", encoding)], body.clone())
                .await;
            assert_eq!(
                answer.status(),
                StatusCode::PAYLOAD_TOO_LARGE,
                "{path} {encoding}"
            );
        }
        let answer = world
            .post(path, &[V1, ("content-encoding", "zstd")], boast.clone())
            .await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        assert!(!answer.headers().contains_key(header::RETRY_AFTER));
    }
    assert!(world.lines().await.is_empty());
}

#[tokio::test]
async fn who_has_no_token_is_told_that_whatever_else_is_wrong_with_the_request() {
    let world = world(Config::default()).await;
    for (path, kind) in [
        ("/v1/metrics", "text/plain"),
        ("/v1/metrics", ""),
        ("/api/v1/write", "application/json"),
        ("/api/v1/prom/write", "application/x-protobuf;proto=x"),
        (
            "/api/v1/prom/write?metric_version=9",
            "application/x-protobuf",
        ),
        ("/api/v1/metrics?precision=fortnight", "application/json"),
        ("/api/v1/metrics/avro", "text/plain"),
        ("/api/v2/write?precision=fortnight", "text/plain"),
        ("/write?precision=fortnight", "text/plain"),
    ] {
        for token in [None, Some("Bearer nobody's")] {
            let mut request = world.http.post(format!("{}{path}", world.url));
            request = request.header("content-type", kind).body("x");
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {kind} {token:?}");
        }
    }
}
