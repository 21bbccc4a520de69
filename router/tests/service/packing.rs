//! Records that several requests share, and what is answered when the log says nothing.

use super::support::{OTHER, world};
use model::Span;
use reqwest::StatusCode;
use router::Config;
use std::time::Duration;

/// Nothing goes out by time.
fn patient() -> Config {
    Config {
        pack_within: Span::from_secs(600),
        acknowledge_within: Span::from_secs(600),
        ..Config::default()
    }
}

#[tokio::test]
async fn requests_share_a_record_and_are_answered_when_the_log_has_it() {
    let world = world(patient()).await;
    let bodies = (0..10).map(|request| -> String {
        (0..100)
            .map(|n| format!("m,host=a v={n} {}\n", request * 100 + n))
            .collect()
    });
    // The tenth request fills the record: only then does it go out, and only then is any of them answered.
    let answers = bodies.map(|body| world.write("/api/v2/write", body));
    for answer in futures_util::future::join_all(answers).await {
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let records = world.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].lines().count(), 1_000);
}

#[tokio::test]
async fn a_body_over_several_records_is_answered_after_the_last() {
    let world = world(Config::default()).await;
    let body: String = (0..2_500).map(|n| format!("m,host=a v=1 {n}\n")).collect();
    let answer = world.write("/api/v2/write", body.clone()).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let records = world.records().await;
    let sizes: Vec<usize> = records
        .iter()
        .map(|record| record.lines().count())
        .collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(records.concat(), body);
}

#[tokio::test]
async fn a_log_that_says_nothing_means_503_within_two_seconds_and_never_a_2xx() {
    let world = world(Config::default()).await;
    world.silence.begin("metrics.acme");
    let clock = runtime::Clock::system();
    let watch = clock.stopwatch();
    let answer = world.write("/api/v2/write", "m,host=a v=1 1\n").await;
    let took = watch.elapsed();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let lost = "bongsu_router_points_total{result=\"unacknowledged\",tenant=\"acme\"}";
    assert_eq!(world.metric(lost).await, 1.0);
    let beta = world.write_as(OTHER, "/api/v2/write", "m v=1 1\n").await;
    assert_eq!(beta.status(), StatusCode::NO_CONTENT);
    world.silence.end();
    world.until(204, "m,host=a v=1 1\n").await;
}

#[tokio::test]
async fn what_waits_for_the_log_is_bounded_and_one_tenant_leaves_room_for_others() {
    let config = Config {
        body_bytes: 4 << 10,
        body_unpacked_bytes: 4 << 10,
        in_flight_bytes: 32 << 10,
        acknowledge_within: Span::from_millis(50),
        pack_within: Span::from_millis(1),
        ..Config::default()
    };
    let world = world(config).await;
    world.silence.begin("metrics.acme");
    let body: String = (0..100)
        .map(|n| format!("m,host=a v=123456789 {n}\n"))
        .collect();
    // Each is unacknowledged, and its record holds memory until the log has answered.
    world.until(429, &body).await;
    let held = world.metric("bongsu_router_in_flight_bytes").await;
    assert!(held > 4_096.0 && held <= f64::from(32 << 10), "{held}");
    let said = world
        .write("/api/v2/write", body.clone())
        .await
        .text()
        .await
        .unwrap();
    assert!(said.contains("its share"), "{said}");
    let beta = world.write_as(OTHER, "/api/v2/write", body.clone()).await;
    assert_eq!(beta.status(), StatusCode::NO_CONTENT);
    world.silence.end();
    world.until(204, &body).await;
}
