//! Row 31: every route of the router's table keeps its rule.

mod support;

use reqwest::{Method, StatusCode};
use router::Config;
use runtime::Rule;
use support::{OTHER, TOKEN, declare, world};

#[tokio::test]
async fn row_31_no_route_of_a_tenant_answers_without_its_token() {
    let world = world(Config::default()).await;
    let mut asked = 0;
    for route in router::routes() {
        let method = Method::from_bytes(route.method.as_bytes()).unwrap();
        for credential in [
            None,
            Some("Token unknown".to_owned()),
            Some("Bearer ".to_owned()),
            Some(format!("Token {TOKEN}x")),
            Some(format!("Digest {TOKEN}")),
        ] {
            let url = format!("{}{}", world.url, route.path);
            let mut request = world.http.request(method.clone(), url).body("m v=1");
            // What names another tenant decides nothing.
            request = request
                .header("x-tenant", "acme")
                .header("x-scope-orgid", "acme");
            request = request.query(&[("bucket", "acme"), ("db", "acme"), ("org", "acme")]);
            if let Some(credential) = &credential {
                request = request.header("authorization", credential);
            }
            let status = request.send().await.unwrap().status();
            let refused = status == StatusCode::UNAUTHORIZED;
            let wants = route.rule == Rule::TenantToken;
            assert_eq!(
                refused, wants,
                "{} {} {credential:?}: {status}",
                route.method, route.path
            );
            asked += 1;
        }
    }
    assert!(asked >= 5 * 14, "every route was asked: {asked}");
    assert!(world.lines().await.is_empty(), "nothing was taken");
}

#[tokio::test]
async fn row_37_a_token_that_was_taken_out_is_refused() {
    let world = world(Config::default()).await;
    let written = world.write_as(OTHER, "/api/v2/write", "m v=1 1").await;
    assert_eq!(written.status(), StatusCode::NO_CONTENT);
    declare(&world.stream, "tenant: beta\npartitions: 3\n").await;
    let refused = async {
        while world
            .write_as(OTHER, "/api/v2/write", "m v=1 2")
            .await
            .status()
            != StatusCode::UNAUTHORIZED
        {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(10), refused).await;
    assert!(in_time.is_ok(), "a revoked token is refused within 10 s");
    let kept = world.write("/api/v2/write", "m v=1 3").await;
    assert_eq!(kept.status(), StatusCode::NO_CONTENT, "acme's is valid");
}
