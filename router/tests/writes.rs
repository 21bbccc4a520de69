//! Writes over HTTP into the embedded log.

mod support;

use reqwest::StatusCode;
use router::Config;
use std::io::Write;
use std::time::Duration;
use support::{TOKEN, declare, world};

#[tokio::test]
async fn a_line_that_was_answered_204_is_in_the_log() {
    let world = world(Config::default()).await;
    let answer = world
        .write(
            "/api/v2/write?precision=s&org=o&bucket=b",
            "m,host=a v=1 7\n",
        )
        .await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.lines().await, ["m,host=a v=1 7000000000"]);
}

#[tokio::test]
async fn the_form_of_version_1_and_gzip_are_taken_too() {
    let world = world(Config::default()).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"m,host=a v=1 7\nm,host=b v=2 8\n").unwrap();
    let request = world
        .http
        .post(format!("{}/write?db=x&p={TOKEN}&u=any", world.url));
    let request = request
        .header("content-encoding", "gzip")
        .body(gzip.finish().unwrap());
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(world.lines().await.len(), 2);
}

#[tokio::test]
async fn a_bad_line_is_named_while_the_good_ones_are_taken() {
    let world = world(Config::default()).await;
    let answer = world
        .write(
            "/api/v2/write",
            "m,host=a v=1 1\nm,host=a v= 2\nm,host=a v=3 3\n",
        )
        .await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["code"], "invalid");
    let message = body["message"].as_str().unwrap();
    assert!(
        message.contains("line 2") && message.contains("dropped=1"),
        "{message}"
    );
    assert_eq!(world.lines().await, ["m,host=a v=1 1", "m,host=a v=3 3"]);
}

#[tokio::test]
async fn nobody_writes_without_a_token_that_is_known() {
    let world = world(Config::default()).await;
    let url = format!("{}/api/v2/write", world.url);
    for token in [
        None,
        Some("Token bongsu_acme_012345678"),
        Some("Bearer x"),
        Some("acme"),
    ] {
        let mut request = world.http.post(&url).body("m,tenant=acme v=1 1");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED,
            "{token:?}"
        );
    }
    assert_eq!(world.lines().await.len(), 0);
}

#[tokio::test]
async fn a_token_that_is_taken_back_stops_working_without_a_restart() {
    let world = world(Config::default()).await;
    declare(&world.stream, "tenant: acme\npartitions: 3\n").await;
    let stopped = async {
        while world.write("/api/v2/write", "m v=1 1").await.status() != StatusCode::UNAUTHORIZED {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stopped)
        .await
        .expect("the token is refused within 10 s");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_packed_or_unpacked() {
    let small = Config {
        body_bytes: 100,
        body_unpacked_bytes: 1_000,
        ..Config::default()
    };
    let world = world(small).await;
    let answer = world.write("/api/v2/write", "m v=1 1\n".repeat(20)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all("m v=1 1\n".repeat(200).as_bytes()).unwrap();
    let request = world.http.post(format!("{}/api/v2/write", world.url));
    let request = request.header("authorization", format!("Token {TOKEN}"));
    let request = request
        .header("content-encoding", "gzip")
        .body(gzip.finish().unwrap());
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(world.lines().await.len(), 0);
}
