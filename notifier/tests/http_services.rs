//! Webhooks of PagerDuty and Opsgenie: what people do there is done here.

mod support;

use axum::http::StatusCode;
use hmac::{Hmac, KeyInit, Mac};
use notifier::core::ChannelKind;
use serde_json::{Value, json};
use sha2::Sha256;
use support::desk::FakeDesk;
use support::sample;
use support::web::{OPSGENIE_SECRET, PAGERDUTY_SECRET, Web};

const PAGERDUTY: &str = "/pagerduty/webhooks";
const OPSGENIE: &str = "/opsgenie/webhooks";

/// A site whose incident was told to the service `ops`.
async fn site(channel: ChannelKind) -> Web {
    let mut detail = sample::detail();
    detail.deliveries[0].channel = channel;
    detail.deliveries[0].recipient.address = "ops".to_owned();
    Web::guarded(FakeDesk::with(vec![detail])).await
}

fn event(id: &str, kind: &str, number: u8) -> Value {
    let at = jiff::Timestamp::from_millisecond(sample::NOW.as_millis()).unwrap();
    json!({"event": {
        "id": id, "event_type": kind, "resource_type": "incident", "occurred_at": at.to_string(),
        "agent": {"id": "PLH1HKV", "summary": "Tenex Engineer", "type": "user_reference"}, "client": null,
        "data": {"id": "PGR0VU2", "type": "incident", "incident_key": sample::incident(number).id.to_string()},
    }})
}

async fn sent(web: &Web, body: &Value, secret: &str) -> StatusCode {
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("host", "bongsu.example.com"),
        ("content-type", "application/json"),
        ("x-pagerduty-signature", &*signature),
    ];
    web.post(PAGERDUTY, &headers, &body).await.status
}

#[tokio::test]
async fn an_acknowledgement_in_pagerduty_is_one_here_once() {
    let web = site(ChannelKind::Pagerduty).await;
    let id = sample::incident(1).id;
    let taken = event("E1", "incident.acknowledged", 1);
    assert_eq!(
        sent(&web, &taken, PAGERDUTY_SECRET).await,
        StatusCode::ACCEPTED
    );
    let ack = format!("ack {id} Tenex Engineer (PagerDuty)  api");
    assert_eq!(web.desk.done(), [&*ack]);
    // PagerDuty delivers at least once, and whoever recorded it may send it again.
    assert_eq!(
        sent(&web, &taken, PAGERDUTY_SECRET).await,
        StatusCode::ACCEPTED
    );
    assert_eq!(web.desk.done().len(), 1);
    let over = event("E2", "incident.resolved", 1);
    assert_eq!(
        sent(&web, &over, PAGERDUTY_SECRET).await,
        StatusCode::ACCEPTED
    );
    let close = format!("close {id} Tenex Engineer (PagerDuty) api false");
    assert_eq!(web.desk.done(), [ack, close]);
}

#[tokio::test]
async fn what_pagerduty_did_not_sign_or_was_never_told_of_changes_nothing() {
    let web = site(ChannelKind::Pagerduty).await;
    let taken = event("E1", "incident.acknowledged", 1);
    for secret in ["", "another", OPSGENIE_SECRET] {
        let status = sent(&web, &taken, secret).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{secret}");
    }
    let bare = [("host", "bongsu.example.com")];
    let answer = web.post(PAGERDUTY, &bare, &taken.to_string()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // An incident that this service was not told of; one that an hour has passed over; what is no event.
    let strange = event("E2", "incident.acknowledged", 9);
    let mut old = event("E3", "incident.acknowledged", 1);
    old["event"]["occurred_at"] = json!("2020-10-02T18:45:22.169Z");
    for body in [strange, old, event("E4", "incident.annotated", 1)] {
        assert_eq!(
            sent(&web, &body, PAGERDUTY_SECRET).await,
            StatusCode::ACCEPTED,
            "{body}"
        );
    }
    let status = sent(&web, &json!([]), PAGERDUTY_SECRET).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(web.desk.done().is_empty());
    // Told by another channel is not told by PagerDuty.
    let other = site(ChannelKind::Opsgenie).await;
    assert_eq!(
        sent(&other, &taken, PAGERDUTY_SECRET).await,
        StatusCode::ACCEPTED
    );
    assert!(other.desk.done().is_empty());
}

#[tokio::test]
async fn an_acknowledgement_in_opsgenie_is_one_here_with_the_secret_only() {
    let web = site(ChannelKind::Opsgenie).await;
    let id = sample::incident(1).id;
    let body = |action: &str, number: u8, source: &str| {
        let alias = sample::incident(number).id.to_string();
        json!({
            "source": {"name": "", "type": source}, "action": action,
            "alert": {"alias": alias, "username": "fili@ifountain.com"},
        })
        .to_string()
    };
    let bearer = format!("Bearer {OPSGENIE_SECRET}");
    let send = async |authorization: &str, body: &str| {
        let headers = [
            ("host", "bongsu.example.com"),
            ("authorization", authorization),
        ];
        web.post(OPSGENIE, &headers, body).await.status
    };
    let taken = body("Acknowledge", 1, "web");
    for wrong in [
        "",
        "Bearer another",
        "Bearer ",
        &format!("GenieKey {OPSGENIE_SECRET}"),
    ] {
        assert_eq!(
            send(wrong, &taken).await,
            StatusCode::UNAUTHORIZED,
            "{wrong}"
        );
    }
    for passed_over in [body("Acknowledge", 9, "web"), body("Acknowledge", 1, "API")] {
        assert_eq!(send(&bearer, &passed_over).await, StatusCode::ACCEPTED);
    }
    assert_eq!(send(&bearer, "{}").await, StatusCode::BAD_REQUEST);
    assert!(web.desk.done().is_empty());
    assert_eq!(send(&bearer, &taken).await, StatusCode::ACCEPTED);
    assert_eq!(
        send(&bearer, &body("Close", 1, "web")).await,
        StatusCode::ACCEPTED
    );
    let expected = [
        format!("ack {id} fili@ifountain.com (Opsgenie)  api"),
        format!("close {id} fili@ifountain.com (Opsgenie) api false"),
    ];
    assert_eq!(web.desk.done(), expected);
}
