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

#[tokio::test]
async fn a_parameter_that_is_given_twice_counts_as_first_given() {
    let world = world(Config::default()).await;
    let twice = "/api/v2/write?precision=s&precision=x&org=o&org=p&bucket=b&db=a&db=b";
    let answer = world.write(twice, "m,host=a v=1 7\n").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.lines().await, ["m,host=a v=1 7000000000"]);
    let nobody = world.http.post(format!("{}{twice}", world.url));
    let answer = nobody.body("m v=1").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let ways = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(ways.contains("Bearer") && ways.contains("Basic"), "{ways}");
}

#[tokio::test]
async fn who_asks_at_the_wrong_address_or_the_wrong_way_is_told_the_right_one() {
    let world = world(Config::default()).await;
    let ask = async |method: reqwest::Method, path: &str| {
        let request = world.http.request(method, format!("{}{path}", world.url));
        let answer = request.send().await.unwrap();
        let allow = answer.headers().get("allow").cloned();
        let allow = allow.map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let said: serde_json::Value = answer.json().await.unwrap();
        (status, allow, said["message"].as_str().unwrap().to_owned())
    };
    let (status, _, said) = ask(reqwest::Method::POST, "/api/v1/push").await;
    assert_eq!(status, 404);
    assert!(
        said.contains("/api/v1/push") && said.contains("/api/v1/write"),
        "{said}"
    );
    let (status, allow, said) = ask(reqwest::Method::PUT, "/api/v2/write").await;
    assert_eq!((status, allow.as_deref()), (405, Some("POST")), "{said}");
    assert!(said.contains("PUT"), "{said}");
}
