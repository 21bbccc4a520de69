//! What a tenant may write, and that the catalogue changes it live.

use super::support::{OTHER, acme, declare, world_of};
use model::Span;
use reqwest::StatusCode;
use router::Config;

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("m,host=a v=1 {n}\n")).collect()
}

#[tokio::test]
async fn over_its_rate_a_tenant_is_told_when_to_come_again_and_others_write_on() {
    let config = Config {
        burst: Span::from_secs(1),
        ..Config::default()
    };
    let world = world_of(config, "limits: {points_per_s: 100}").await;
    let first = world.write("/api/v2/write", lines(1_000)).await;
    assert_eq!(first.status(), StatusCode::NO_CONTENT);
    let second = world.write("/api/v2/write", lines(1)).await;
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
    let after: u64 = second.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    // 900 lines too many at 100 a second, less what this took.
    assert!((5..=10).contains(&after), "{after}");
    let said: serde_json::Value = second.json().await.unwrap();
    assert_eq!(said["code"], "too many requests");
    assert!(
        said["message"]
            .as_str()
            .unwrap()
            .contains("100 points_per_s")
    );
    let other = world.write_as(OTHER, "/api/v2/write", lines(1)).await;
    assert_eq!(other.status(), StatusCode::NO_CONTENT);
    let limited = "bongsu_router_limited_total{limit=\"points_per_s\",tenant=\"acme\"}";
    assert_eq!(world.metric(limited).await, 1.0);

    declare(&world.stream, &acme("limits: {points_per_s: 1000000}")).await;
    world.until(204, "m,host=a v=1 5000\n").await;
    declare(&world.stream, &acme("limits: {bytes_per_s: 1}")).await;
    world.until(429, "m,host=a v=1 6000\n").await;
}

#[tokio::test]
async fn a_new_series_over_the_cap_is_refused_while_the_old_ones_flow() {
    let world = world_of(Config::default(), "limits: {series: 2}").await;
    let first = world
        .write("/api/v2/write", "m,host=a v=1 1\nm,host=b v=1 1\n")
        .await;
    assert_eq!(first.status(), StatusCode::NO_CONTENT);
    let second = world
        .write("/api/v2/write", "m,host=c v=1 2\nm,host=a v=1 2\n")
        .await;
    assert_eq!(second.status(), StatusCode::BAD_REQUEST);
    let said: serde_json::Value = second.json().await.unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(
        message.contains("line 1") && message.contains("2 active series"),
        "{message}"
    );
    let mut kept = world.lines().await;
    kept.sort();
    assert_eq!(kept, ["m,host=a v=1 1", "m,host=a v=1 2", "m,host=b v=1 1"]);
    let of =
        |result: &str| format!("bongsu_router_points_total{{result=\"{result}\",tenant=\"acme\"}}");
    assert_eq!(world.metric(&of("accepted")).await, 2.0);
    assert_eq!(world.metric(&of("partial")).await, 1.0);
    assert_eq!(world.metric(&of("rejected")).await, 1.0);
    let active = world
        .metric("bongsu_router_active_series{tenant=\"acme\"}")
        .await;
    assert_eq!(active, 2.0);

    declare(&world.stream, &acme("limits: {series: 3}")).await;
    world.until(204, "m,host=c v=1 3\n").await;
    world.until(400, "m,host=d v=1 3\n").await;
}

#[tokio::test]
async fn a_million_new_series_of_one_tenant_are_capped_and_the_other_does_not_notice() {
    let world = world_of(Config::default(), "limits: {series: 1000}").await;
    for part in 0..20 {
        let body: String = (0..50_000)
            .map(|n| format!("m,host=h,id={} v=1\n", part * 50_000 + n))
            .collect();
        world.write("/api/v2/write", body).await;
        let other = world.write_as(OTHER, "/api/v2/write", lines(10)).await;
        assert_eq!(other.status(), StatusCode::NO_CONTENT);
    }
    let of = |name: &str| format!("bongsu_router_{name}");
    let active = world.metric(&of("active_series{tenant=\"acme\"}")).await;
    let refused = of("points_total{result=\"rejected\",tenant=\"acme\"}");
    assert_eq!((active, world.metric(&refused).await), (1_000.0, 999_000.0));
    let others = of("points_total{result=\"rejected\",tenant=\"beta\"}");
    assert_eq!(world.metric(&others).await, 0.0);
}

#[tokio::test]
async fn lines_and_bodies_have_the_size_that_the_catalogue_says_now() {
    let world = world_of(Config::default(), "limits: {line_bytes: 20, tags: 1}").await;
    for (body, word) in [
        ("m,host=a,b=c v=1 1\n", "2 tags, 1 are allowed"),
        ("m,host=aaaaaaaaaaaaaaaa v=1 1\n", "bytes, 20 are allowed"),
    ] {
        let answer = world.write("/api/v2/write", body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let said = answer.text().await.unwrap();
        assert!(said.contains(word), "{said}");
    }
    declare(&world.stream, &acme("limits: {body_bytes: 30}")).await;
    world
        .until(413, "m,host=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa v=1 1\n")
        .await;
    declare(&world.stream, &acme("")).await;
    world
        .until(204, "m,host=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa v=1 1\n")
        .await;
}
