//! What other systems send, over HTTP into a real store: who is let in, what is taken, what is answered.

mod support;

use model::{Span, TenantId};
use notifier::app::{Running, start_with};
use notifier::config::Config;
use notifier::core::Directory;
use notifier::io::channel::Channels;
use notifier::io::directory::{Integrations, People};
use reqwest::{Client, StatusCode};
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Integration, IntegrationFormat, Token};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use support::service::Ground;

struct Desk(Arc<Directory>, Arc<Integrations>);

impl People for Desk {
    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.0)
    }

    fn integrations(&self) -> Arc<Integrations> {
        Arc::clone(&self.1)
    }
}

struct World {
    url: String,
    client: Client,
    clock: Clock,
    _running: Running,
    _folder: tempfile::TempDir,
}

fn integration(name: &str, tenant: &str, format: IntegrationFormat) -> Arc<Integration> {
    let hash: [u8; 32] = Sha256::digest(format!("key-{name}").as_bytes()).into();
    Arc::new(Integration {
        integration: name.to_owned(),
        tenant: TenantId::parse(tenant).unwrap(),
        format,
        tokens: vec![Token {
            sha256: schemas::catalogue::Sha256(hash),
            note: None,
        }],
        every: (format == IntegrationFormat::Heartbeat).then_some(Span::from_secs(600)),
        mapping: None,
    })
}

impl World {
    /// A notifier that asks for a token when `closed`.
    async fn new(closed: bool) -> Self {
        runtime::tls::install_provider();
        let ground = Ground::new().await;
        let token = ground.folder.path().join("token");
        std::fs::write(&token, "a-token-of-the-api").unwrap();
        let config = Config {
            api_token_file: closed.then_some(token),
            ..ground.config()
        };
        let Ground { folder, clock, log } = ground;
        let ctx = Context::at(clock.clone(), Shutdown::new());
        let integrations = Integrations::of([
            integration("prom", "acme", IntegrationFormat::Alertmanager),
            integration("other", "globex", IntegrationFormat::Alertmanager),
            integration("am", "acme", IntegrationFormat::AlertmanagerWebhook),
            integration("pd", "acme", IntegrationFormat::Pagerduty),
            integration("std", "acme", IntegrationFormat::Standard),
            integration("cron", "acme", IntegrationFormat::Heartbeat),
        ]);
        let people = Arc::new(Desk(Arc::default(), Arc::new(integrations)));
        let channels = Channels::new([]);
        let running = start_with(config, log, channels, people, ctx)
            .await
            .unwrap();
        Self {
            url: format!("http://{}", running.address()),
            client: Client::new(),
            clock,
            _running: running,
            _folder: folder,
        }
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> (StatusCode, String) {
        self.raw(path, key, body.to_string()).await
    }

    async fn raw(&self, path: &str, key: Option<&str>, body: String) -> (StatusCode, String) {
        let mut request = self.client.post(format!("{}{path}", self.url)).body(body);
        request = request.header("content-type", "application/json");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn get(&self, path: &str, key: Option<&str>) -> Value {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// `tenant state title` of every incident, sorted.
    async fn incidents(&self) -> Vec<String> {
        let list = self.get("/api/v1/incidents", None).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let one = |i: &Value| {
            format!(
                "{} {} {}",
                text(&i["tenant"]),
                text(&i["state"]),
                text(&i["title"])
            )
        };
        let mut all: Vec<_> = list["incidents"]
            .as_array()
            .unwrap()
            .iter()
            .map(one)
            .collect();
        all.sort();
        all
    }

    /// Waits until the incidents are these.
    async fn until(&self, expected: &[&str]) {
        let looks = async {
            while self.incidents().await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), looks)
            .await
            .is_ok();
        assert!(
            in_time,
            "{expected:?} never came: {:?}",
            self.incidents().await
        );
    }
}

const ALERTS: &str = "/alertmanager/api/v2/alerts";
const SILENCES: &str = "/alertmanager/api/v2/silences";

fn alert(name: &str) -> Value {
    json!({"labels": {"alertname": name, "host": "web-1", "tenant": "globex", "notify": "kim"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_comes_from_the_credential_alone() {
    let world = World::new(true).await;
    for key in [
        None,
        Some("wrong"),
        Some("key-am"),
        Some("a-token-of-the-api"),
    ] {
        let (status, _) = world.post(ALERTS, key, &json!([alert("A")])).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{key:?}");
    }
    let (status, text) = world
        .post(ALERTS, Some("key-prom"), &json!([alert("A")]))
        .await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
    let basic = world
        .client
        .post(format!("{}{ALERTS}", world.url))
        .basic_auth("any", Some("key-other"));
    let answer = basic
        .body(json!([alert("B")]).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let names = |alerts: Value| {
        let one = |alert: &Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
        alerts
            .as_array()
            .unwrap()
            .iter()
            .map(one)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(world.get(ALERTS, Some("key-prom")).await), ["A"]);
    assert_eq!(names(world.get(ALERTS, Some("key-other")).await), ["B"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_on_loopback_it_is_the_tenant_default() {
    let world = World::new(false).await;
    let (status, _) = world.post(ALERTS, None, &json!([alert("A")])).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        world.incidents().await,
        ["default open A on web-1"],
        "durable before it is answered"
    );
    let foreign = world
        .client
        .post(format!("{}{ALERTS}", world.url))
        .header("origin", "http://evil.example");
    let answer = foreign.body("[]").send().await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::FORBIDDEN,
        "no page of somebody else"
    );
    let (status, _) = world.post(ALERTS, Some("wrong"), &json!([])).await;
    assert_eq!(
        status,
        StatusCode::UNAUTHORIZED,
        "a wrong credential is not none"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_alerts_are_kept_when_others_are_not_and_the_timeout_ends_them() {
    let world = World::new(false).await;
    let mixed = json!([
        {"labels": {}},
        alert("A"),
        {"labels": {"alertname": "B"}, "startsAt": "2030-01-02T00:00:00Z", "endsAt": "2030-01-01T00:00:00Z"},
        alert("C"),
        7,
    ]);
    let (status, text) = world.post(ALERTS, None, &mixed).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        text.contains("alert 2: start time must be before end time"),
        "{text}"
    );
    world
        .until(&["default open A on web-1", "default open C on web-1"])
        .await;
    let (status, _) = world.raw(ALERTS, None, "{}".to_owned()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    world.clock.advance(Duration::from_secs(200));
    world.post(ALERTS, None, &json!([alert("A")])).await;
    world.clock.advance(Duration::from_secs(150));
    world
        .until(&["default closed C on web-1", "default open A on web-1"])
        .await;
    let shown = world.get(ALERTS, None).await;
    assert_eq!(shown.as_array().unwrap().len(), 1);
    let question = format!("{ALERTS}?active=maybe");
    let asked = world.get(&question, None).await;
    assert_eq!(asked, "`active` is true or false");
}

#[tokio::test(flavor = "multi_thread")]
async fn silences_are_alertmanagers_and_of_one_tenant() {
    let world = World::new(true).await;
    let silence = json!({
        "matchers": [{"name": "alertname", "value": "A|B", "isRegex": true}],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "kim", "comment": "planned",
    });
    let (status, text) = world.post(SILENCES, Some("key-prom"), &silence).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let id = serde_json::from_str::<Value>(&text).unwrap()["silenceID"]
        .as_str()
        .unwrap()
        .to_owned();
    for key in ["key-prom", "key-other"] {
        world
            .post(ALERTS, Some(key), &json!([alert("A"), alert("Z")]))
            .await;
    }
    let states = |alerts: Value| {
        let one = |alert: &Value| alert["status"]["state"].as_str().unwrap().to_owned();
        alerts
            .as_array()
            .unwrap()
            .iter()
            .map(one)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(
            world
                .get(&format!("{ALERTS}?filter=alertname=A"), Some("key-prom"))
                .await
        ),
        ["suppressed"]
    );
    assert_eq!(
        states(
            world
                .get(&format!("{ALERTS}?silenced=false"), Some("key-prom"))
                .await
        ),
        ["active"]
    );
    assert_eq!(
        states(world.get(ALERTS, Some("key-other")).await),
        ["active", "active"]
    );
    let one = format!("/alertmanager/api/v2/silence/{id}");
    assert_eq!(
        world.get(&one, Some("key-prom")).await["status"]["state"],
        "active"
    );
    for (key, status) in [
        ("key-other", StatusCode::NOT_FOUND),
        ("key-prom", StatusCode::OK),
    ] {
        let request = world
            .client
            .delete(format!("{}{one}", world.url))
            .bearer_auth(key);
        assert_eq!(request.send().await.unwrap().status(), status, "{key}");
    }
    assert_eq!(
        world.get(&one, Some("key-prom")).await["status"]["state"],
        "expired"
    );
    let (status, _) = world
        .post(SILENCES, Some("key-prom"), &json!({"matchers": []}))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn pagerduty_events_trigger_acknowledge_and_resolve() {
    let world = World::new(false).await;
    let event = |action: &str, key: &str| {
        json!({
            "routing_key": "key-pd", "event_action": action, "dedup_key": key,
            "payload": {"summary": "disk full'; DROP TABLE incidents;--", "source": "web-1", "severity": "critical"},
        })
    };
    for (action, state) in [
        ("resolve", None),
        ("acknowledge", None),
        ("trigger", Some("open")),
        ("trigger", Some("open")),
        ("acknowledge", Some("acknowledged")),
        ("resolve", Some("closed")),
    ] {
        let (status, text) = world.post("/v2/enqueue", None, &event(action, "k")).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        assert!(text.contains(r#""dedup_key":"k""#), "{text}");
        let expected: Vec<_> = state
            .map(|state| format!("acme {state} disk full'; DROP TABLE incidents;--"))
            .into_iter()
            .collect();
        assert_eq!(world.incidents().await, expected, "after {action}");
    }
    world
        .post("/v2/enqueue", None, &event("trigger", "k"))
        .await;
    assert_eq!(
        world.incidents().await.len(),
        2,
        "a trigger after a resolve is a new alert"
    );
    let mut wrong = vec![event("trigger", &"x".repeat(256)), event("snooze", "k")];
    wrong.push(json!({"routing_key": "wrong", "event_action": "trigger"}));
    wrong.push(json!({"routing_key": "key-pd", "event_action": "trigger"}));
    wrong.push(json!({"routing_key": "key-pd", "event_action": "resolve"}));
    for wrong in wrong {
        let (status, text) = world.post("/v2/enqueue", None, &wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    }
    let (status, text) = world.raw("/v2/enqueue", None, "x".repeat(513 << 10)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("invalid event"), "in its form: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_integration_opens_acknowledges_and_closes() {
    let world = World::new(false).await;
    let path = "/integration/standard/v1/key-std";
    let (status, text) = world
        .post(
            path,
            None,
            &json!({"summary": "<b>down</b>", "urgency": "low"}),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let id = serde_json::from_str::<Value>(&text).unwrap()["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let say = |status: &str| json!({"summary": "<b>down</b>", "event_id": id, "status": status});
    world.post(path, None, &say("ack")).await;
    assert_eq!(world.incidents().await, ["acme acknowledged <b>down</b>"]);
    let page = world
        .client
        .get(&world.url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("&#60;b&#62;down") && !page.contains("<b>down"),
        "{page}"
    );
    world.post(path, None, &say("close")).await;
    assert_eq!(world.incidents().await, ["acme closed <b>down</b>"]);
    for wrong in [
        json!({}),
        json!({"summary": "x", "status": "close"}),
        json!({"summary": "x", "urgency": "very"}),
    ] {
        let (status, _) = world.post(path, None, &wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let (status, _) = world
        .post("/integration/standard/v1/key-pd", None, &say("open"))
        .await;
    assert_eq!(
        status,
        StatusCode::UNAUTHORIZED,
        "a key opens its own format only"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanagers_webhook_is_known_by_its_fingerprints() {
    let world = World::new(false).await;
    let path = "/integration/alertmanager/v1/key-am";
    let hook = |status: &str, name: &str| {
        json!({"version": "4", "status": status, "groupKey": "{}:{}", "alerts": [{
            "status": status, "labels": {"alertname": name}, "annotations": {}, "fingerprint": "82f2dd4ca1515896",
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        }]})
    };
    for _ in 0..2 {
        let (status, text) = world.post(path, None, &hook("firing", "A")).await;
        assert_eq!(status, StatusCode::OK, "{text}");
    }
    assert_eq!(world.incidents().await, ["acme open A"]);
    world
        .post(path, None, &hook("resolved", "another text"))
        .await;
    assert_eq!(world.incidents().await, ["acme closed A"]);
    // One that cannot be read takes no other with it.
    let mut mixed = hook("firing", "B");
    mixed["truncatedAlerts"] = 3.into();
    let good = mixed["alerts"][0].clone();
    let alerts = mixed["alerts"].as_array_mut().expect("alerts");
    let mut no_fingerprint = good.clone();
    no_fingerprint
        .as_object_mut()
        .expect("an alert")
        .remove("fingerprint");
    alerts.insert(0, no_fingerprint);
    alerts[1]["fingerprint"] = "82f2dd4ca1515897".into();
    let (status, text) = world.post(path, None, &mixed).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        text.contains("alert 0: missing field `fingerprint`"),
        "{text}"
    );
    assert_eq!(world.incidents().await, ["acme closed A", "acme open B"]);
    let (status, text) = world.raw(path, None, "nope".to_owned()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("the body is no JSON"), "{text}");
    let mut third = hook("firing", "A");
    third["version"] = "3".into();
    assert_eq!(
        world.post(path, None, &third).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_never_comes_or_stays_away_opens_an_incident() {
    let world = World::new(false).await;
    let missed = "gives no sign of life";
    let beat = format!("{}/integration/heartbeat/v1/key-cron", world.url);
    // It is waited for from the start, and from each sign of life.
    let heard = world.client.get(&beat).send().await.unwrap();
    assert_eq!(heard.status(), StatusCode::OK);
    world.clock.advance(Duration::from_secs(599));
    let heard = world.client.post(&beat).send().await.unwrap();
    assert_eq!(heard.status(), StatusCode::OK);
    world.clock.advance(Duration::from_secs(599));
    assert!(world.incidents().await.is_empty());
    world.clock.advance(Duration::from_secs(1));
    world.until(&[&format!("acme open cron {missed}")]).await;
    world.client.get(&beat).send().await.unwrap();
    world.until(&[&format!("acme closed cron {missed}")]).await;
    let wrong = beat.replace("key-cron", "key-std");
    let answer = world.client.get(wrong).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_label_says_is_text_to_the_store_and_finds_itself_alone() {
    let world = World::new(false).await;
    let hostile = [
        "x'; DROP TABLE incidents; --",
        "x\" OR \"1\"=\"1",
        "100%",
        "a_c",
        "$1 $2",
        "!escape!",
        "nul \u{0} nul",
        "abc",
    ];
    let alerts: Vec<_> = hostile
        .iter()
        .map(|text| json!({"labels": {"alertname": text, *text: text}, "annotations": {"summary": text}}))
        .collect();
    let (status, text) = world.post(ALERTS, None, &json!(alerts)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let shown = hostile.map(|text| text.replace('\0', "\u{fffd}"));
    let mut expected = shown.clone().map(|text| format!("default open {text}"));
    expected.sort();
    world.until(&expected.each_ref().map(String::as_str)).await;
    // `%` and `_` are no wildcards, and a quote ends nothing.
    for text in shown {
        let url = format!("{}/api/v1/incidents", world.url);
        let found = world
            .client
            .get(url)
            .query(&[("q", &text)])
            .send()
            .await
            .unwrap();
        let found: Value = found.json().await.unwrap();
        let titles: Vec<_> = found["incidents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["title"].clone())
            .collect();
        assert_eq!(titles, [text]);
    }
    assert_eq!(world.incidents().await.len(), hostile.len());
}
