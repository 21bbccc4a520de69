//! Webhooks of anybody's form, read by a mapping.

use serde_json::{Value, json};

use super::Up;

/// For the webhook of Grafana's alerting ("Webhook notifier": `alerts` with `status`, `labels`, `annotations`, `fingerprint`).
const MAPPING: &str = r#"[
{% for alert in body.alerts %}
  {"summary": {{ (alert.annotations.summary or alert.labels.alertname) | tojson }},
   "event_id": {{ alert.fingerprint | tojson }},
   "status": "{{ 'close' if alert.status == 'resolved' else 'open' }}",
   "urgency": "{{ 'high' if (alert.labels.severity | default('')) == 'critical' else 'medium' }}",
   "resource_name": {{ alert.labels.instance | default('') | tojson }}}{{ "," if not loop.last }}
{% endfor %}
]"#;

fn body(status: &str) -> Value {
    json!({
        "receiver": "bongsu", "status": status,
        "alerts": [
            {"status": status, "labels": {"alertname": "High memory", "severity": "critical", "instance": "web-1"},
             "annotations": {"summary": "Memory of web-1 is {{ high }}"}, "fingerprint": "c6eadffa33fcdf37"},
            {"status": status, "labels": {"alertname": "Slow \"disk\""}, "annotations": {"summary": ""},
             "fingerprint": "c6eadffa33fcdf38"},
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_reads_a_webhook_and_what_it_cannot_read_is_told() {
    let up = Up::start().await;
    up.bongsu(&["tenant", "add", "acme"]);
    let mapping = up.file("mapping.j2", MAPPING);
    let given = up.file("body.json", &body("firing").to_string());

    let shown = up.bongsu(&[
        "integration",
        "preview",
        "--mapping",
        &mapping,
        "--body",
        &given,
        "-o",
        "json",
    ]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown[0]["event_id"], "c6eadffa33fcdf37", "{shown}");
    assert_eq!(
        (&shown[0]["priority"], &shown[0]["says"]),
        (&json!("P1"), &json!("open"))
    );
    assert_eq!(shown[1]["title"], "Slow \"disk\"");
    let broken = up.file("broken.j2", "{\n  \"summary\": {{ body.title }\n}");
    let add = [
        "integration",
        "add",
        "g",
        "--tenant",
        "acme",
        "--format",
        "webhook",
        "--mapping",
        &broken,
    ];
    assert!(up.fails(&add).contains("mapping:2"), "{}", up.fails(&add));
    let add = [
        "integration",
        "add",
        "g",
        "--tenant",
        "acme",
        "--format",
        "webhook",
    ];
    assert!(up.fails(&add).contains("mapping"), "{}", up.fails(&add));

    let add = [
        "integration",
        "add",
        "grafana",
        "--tenant",
        "acme",
        "--format",
        "webhook",
        "--mapping",
        &mapping,
        "-o",
        "json",
    ];
    let made: Value = serde_json::from_str(&up.bongsu(&add)).expect("JSON");
    let url = made["url"].as_str().expect("a URL").to_owned();
    let post = async |body: String| {
        let answer = up.client.post(&url).body(body).send().await?;
        Ok::<_, anyhow::Error>((answer.status().as_u16(), answer.text().await?))
    };
    // The key is known soon after it was made.
    up.waits(async || {
        let (status, text) = post(body("firing").to_string()).await?;
        anyhow::ensure!(status == 200, "{status} {text}");
        Ok(())
    })
    .await;
    up.until("Memory of web-1 is {{ high }}", &["acme P1 open"])
        .await;
    up.until("Slow \"disk\"", &["acme P2 open"]).await;
    let (status, _) = post(body("resolved").to_string()).await.unwrap();
    assert_eq!(status, 200);
    up.until("Memory of web-1", &["acme P1 closed"]).await;

    // It may have been an alert: people hear of it, and the sender does.
    for wrong in ["{\"alerts\": 5}", "no JSON", "{}"] {
        let (status, text) = post(wrong.to_owned()).await.unwrap();
        assert_eq!(status, 422, "{text}");
    }
    up.until("grafana: what was sent cannot be read", &["acme P2 open"])
        .await;
    let wrong = url.replace(made["key"].as_str().expect("a key"), "another");
    let answer = up.client.post(wrong).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 401);
}
