//! Slack's button presses over HTTP.

mod support;

use axum::http::StatusCode;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use support::desk::FakeDesk;
use support::sample;
use support::web::{Answer, FORM, SIGNING_SECRET, Web};

/// Seconds of the sample's clock.
fn now() -> i64 {
    sample::NOW.as_millis() / 1_000
}

fn sign(timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

fn press(user: &str, action_id: &str, value: &str) -> String {
    let payload = json!({
        "type": "block_actions", "user": { "id": user, "username": "kim", "name": "kim" },
        "actions": [{ "type": "button", "action_id": action_id, "value": value }],
    });
    form(&payload)
}

fn form(payload: &Value) -> String {
    let encoded: String = payload
        .to_string()
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!("payload={encoded}")
}

async fn send(web: &Web, body: &str, timestamp: i64, signature: &str) -> Answer {
    let timestamp = timestamp.to_string();
    let headers = [
        ("content-type", FORM),
        ("x-slack-request-timestamp", timestamp.as_str()),
        ("x-slack-signature", signature),
        ("host", "bongsu.example.com"),
    ];
    web.post("/slack/interactions", &headers, body).await
}

#[tokio::test]
async fn a_press_acknowledges_as_the_person_that_the_catalogue_knows() {
    let web = Web::guarded(FakeDesk::sample()).await;
    let id = sample::incident(1).id.to_string();
    let body = press("U042", "acknowledge", &id);
    let answer = send(&web, &body, now(), &sign(now(), &body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.text, "",
        "an empty answer leaves the message as it is"
    );
    assert_eq!(
        web.desk.wait_done().await,
        [format!("ack {id} kim kim chat")]
    );
}

#[tokio::test]
async fn what_is_forged_or_stale_is_refused() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id.to_string();
    let body = press("U042", "acknowledge", &id);
    let other = press("U043", "acknowledge", &id);
    let good = sign(now(), &body);
    for (body, timestamp, signature) in [
        (&body, now() - 301, sign(now() - 301, &body)),
        (&body, now() + 301, sign(now() + 301, &body)),
        (&other, now(), good.clone()),
        (&body, now() + 1, good.clone()),
        (&body, now(), format!("v0={}", "0".repeat(64))),
        (&body, now(), String::new()),
        (&body, now(), good.replace("v0=", "v1=")),
    ] {
        let answer = send(&web, body, timestamp, &signature).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{timestamp} {signature}"
        );
    }
    let unsigned = web
        .post("/slack/interactions", &[("content-type", FORM)], &body)
        .await;
    assert_eq!(unsigned.status, StatusCode::UNAUTHORIZED);
    // A good one at either edge is taken, so it was not the press itself that was wrong.
    let edge = sign(now() - 300, &body);
    assert_eq!(
        send(&web, &body, now() - 300, &edge).await.status,
        StatusCode::OK
    );
    assert_eq!(web.desk.wait_done().await.len(), 1);
}

#[tokio::test]
async fn a_replay_is_a_no_op() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let body = press("U042", "acknowledge", &id.to_string());
    let signature = sign(now(), &body);
    assert_eq!(
        send(&web, &body, now(), &signature).await.status,
        StatusCode::OK
    );
    web.desk.wait_done().await;
    // Open again: a replay that were carried out would acknowledge it.
    let close = format!("/api/v1/incidents/{id}/close");
    web.post(&close, &[], "").await;
    for _ in 0..3 {
        assert_eq!(
            send(&web, &body, now(), &signature).await.status,
            StatusCode::OK
        );
    }
    web.tasks.shutdown().begin();
    assert!(web.tasks.drain(std::time::Duration::from_secs(5)).await);
    assert_eq!(web.desk.done().len(), 2, "{:?}", web.desk.done());
}

#[tokio::test]
async fn other_interactions_are_answered_and_do_nothing() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id.to_string();
    let view = form(&json!({ "type": "view_submission", "user": { "id": "U1" } }));
    for (body, status) in [
        (press("U1", "open", &id), 200),
        (press("U1", "acknowledge", "no-id"), 200),
        (press("U1", "acknowledge", &"f".repeat(32)), 200),
        (view, 200),
        ("payload=%7B".to_owned(), 400),
        ("other=1".to_owned(), 400),
        (String::new(), 400),
    ] {
        let answer = send(&web, &body, now(), &sign(now(), &body)).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
    }
    web.tasks.shutdown().begin();
    assert!(web.tasks.drain(std::time::Duration::from_secs(5)).await);
    assert!(web.desk.done().is_empty());
}
