//! What people do to an alert in PagerDuty, told by its signed webhooks.

use serde_json::json;
use std::time::Duration;
use tests::pagerduty::{Pagerduty, ROUTING_KEY, WEBHOOK_SECRET, signature};
use tests::wait;

use super::Up;

const POLICY: &str = "escalation_policy: default\nchannels: {P1: [chat], P2: [chat], P3: [chat]}\n\
                      rooms: [\"pagerduty:ops\"]\nsteps: [{notify: [kim]}]\n---\ncontact: kim\nname: Kim\nslack: U0000000001\n";

/// Sends a webhook; the status of the answer.
async fn tell(up: &Up, signature: &str, body: &str) -> u16 {
    let request = up
        .client
        .post(format!("{}/pagerduty/webhooks", up.url))
        .header("x-pagerduty-signature", signature)
        .header("content-type", "application/json")
        .body(body.to_owned());
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_or_ends_it_in_pagerduty_does_so_here() {
    let pagerduty = Pagerduty::start().await;
    let up = Up::with(|folder, bongsu| {
        let file = |name: &str, text: &str| folder.write(name, text).display().to_string();
        bongsu
            .env(
                "BONGSU_NOTIFIER__PAGERDUTY__OPS__ROUTING_KEY_FILE",
                file("routing", ROUTING_KEY),
            )
            .env("BONGSU_NOTIFIER__PAGERDUTY__OPS__API_URL", pagerduty.url())
            .env(
                "BONGSU_NOTIFIER__PAGERDUTY_WEBHOOKS__OPS__SECRET_FILE",
                file("webhook", WEBHOOK_SECRET),
            )
    })
    .await;
    let policy = up.file("policy.yaml", POLICY);
    up.bongsu(&["apply", "-f", &policy]);
    let made = up.integration("std", "default", "standard");
    let report = format!(
        "{}/integration/standard/v1/{}",
        up.url,
        made["key"].as_str().expect("a key")
    );
    let body = json!({"summary": "disk full", "event_id": "1", "urgency": "highest"});
    // A key and a policy are known to the notifier soon after they were made.
    up.waits(async || {
        let answer = up.client.post(&report).json(&body).send().await?;
        answer.error_for_status()?;
        Ok(())
    })
    .await;
    up.until("disk full", &["default P1 open"]).await;
    let told = wait::until(Duration::from_secs(60), async || {
        Ok(pagerduty.alerts().into_keys().next())
    });
    let key = told.await.expect("PagerDuty is told");

    let (good, taken) = pagerduty.person(&key, "acknowledged");
    let forged = signature("another secret", taken.as_bytes());
    assert_eq!(tell(&up, &forged, &taken).await, 401);
    assert_eq!(
        tell(&up, &good, &taken.replace("acknowledged", "resolved")).await,
        401
    );
    up.until("disk full", &["default P1 open"]).await;
    assert_eq!(tell(&up, &good, &taken).await, 202);
    up.until("disk full", &["default P1 acknowledged"]).await;
    let detail = format!("{}/api/v1/incidents/{key}", up.url);
    let detail = up.client.get(detail).send().await.expect("an answer");
    let detail = detail.text().await.expect("a text");
    assert!(detail.contains("Tenex Engineer (PagerDuty)"), "{detail}");

    let (good, over) = pagerduty.person(&key, "resolved");
    assert_eq!(tell(&up, &good, &over).await, 202);
    up.until("disk full", &["default P1 closed"]).await;
    // An hour has not passed, and it was done once.
    assert_eq!(tell(&up, &good, &over).await, 202);
    up.until("disk full", &["default P1 closed"]).await;
}
