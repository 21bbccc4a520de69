//! Console, channels and engine together: one page from the event to the person who takes it.

mod support;

use model::{
    AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, Span, StreamEvent, TenantId,
    TopicName,
};
use notifier::app::{Running, start_with};
use notifier::config::{self, Config};
use notifier::core::{ChannelKind, Directory, Language, Person, Policy, Step};
use notifier::io::channel::Channels;
use runtime::{Clock, Context, Shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use stream::{NewRecord, TopicPartition};
use support::sample;
use support::server::{Reply, Server};
use support::service::Ground;

/// A notifier with the inbox for chat and a SENS for text messages, and one firing P1.
struct World {
    running: Running,
    clock: Clock,
    id: IncidentId,
    shutdown: Shutdown,
    tasks: runtime::Tasks,
    _folder: tempfile::TempDir,
}

fn directory() -> Directory {
    let acme = TenantId::parse("acme").unwrap();
    let step = |contact: &str| Step {
        notify: vec![schemas::catalogue::StepTarget::Contact(contact.to_owned())],
        after: None,
        channels: Vec::new(),
    };
    let person = |name: &str, language, phone: &str| Person {
        name: name.to_owned(),
        language,
        telegram: None,
        chat: None,
        phone: Some(phone.to_owned()),
        email: None,
        own_rules: Default::default(),
    };
    let both = vec![ChannelKind::Chat, ChannelKind::Sms];
    let policy = Policy {
        room: Some("C1".to_owned()),
        rooms: Vec::new(),
        channels: [both.clone(), both.clone(), both],
        within: [Some(Span::from_secs(900)), None, None],
        steps: vec![step("kim"), step("lee")],
        repeat: 0,
        ends: Default::default(),
    };
    Directory {
        tenants: BTreeMap::from([(acme, "default".to_owned())]),
        care: BTreeMap::new(),
        policies: BTreeMap::from([("default".to_owned(), policy)]),
        people: BTreeMap::from([
            (
                "kim".to_owned(),
                person("김민수", Language::Ko, "+821012345678"),
            ),
            (
                "lee".to_owned(),
                person("Lee Jiwon", Language::En, "+821098765432"),
            ),
        ]),
        roster: Default::default(),
        channels: BTreeSet::from([ChannelKind::Chat, ChannelKind::Sms]),
    }
}

fn event() -> AlertEvent {
    let tenant = TenantId::parse("acme").unwrap();
    let group = vec![("host".to_owned(), "web-1".to_owned())];
    let id = IncidentId::of(
        Fingerprint::of(&tenant, "cpu-usage", &group),
        0,
        sample::NOW,
    );
    AlertEvent {
        event_id: id.event(1),
        incident_id: id,
        sequence: 1,
        tenant,
        partition: 0,
        template: "cpu-usage".to_owned(),
        group,
        kind: AlertKind::Firing,
        priority: Some(Priority::P1),
        value: Some(97.2),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        at: sample::NOW,
        started_at: sample::NOW,
        arrival: sample::NOW,
        env: None,
        title: "CPU usage is critically high".to_owned(),
        title_ko: Some("CPU 사용률이 매우 높습니다".to_owned()),
        why: "average over 5m is 97.2 %, above 90 %".to_owned(),
        runbook: None,
    }
}

impl World {
    async fn new(sens: &Server) -> Self {
        let ground = Ground::new().await;
        let secret = ground.folder.path().join("secret");
        std::fs::write(&secret, "secret").unwrap();
        let config = Config {
            inbox: true,
            sens: Some(config::Sens {
                service_id: "service".to_owned(),
                access_key_file: secret.clone(),
                secret_key_file: secret,
                from: "0215880000".to_owned(),
                lms: config::Lms::Auto,
                api_url: sens.url.clone(),
            }),
            ..ground.config()
        };
        let Ground { folder, clock, log } = ground;
        let shutdown = Shutdown::new();
        let ctx = Context::at(clock.clone(), shutdown.clone());
        let tasks = ctx.tasks.clone();
        let channels = Channels::configured(&config, &clock).unwrap();
        let people = Arc::new(Arc::new(directory()));
        let running = start_with(config, Arc::clone(&log), channels, people, ctx)
            .await
            .unwrap();
        let event = event();
        let id = event.incident_id;
        let value = schemas::alert::encode(&StreamEvent::Alert(Box::new(event)));
        let target = TopicPartition::new(TopicName::alerts(), 0);
        log.send(NewRecord::value(target, value)).await.unwrap();
        Self {
            running,
            clock,
            id,
            shutdown,
            tasks,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.running.address());
        let answer = reqwest::get(url).await.unwrap();
        answer.text().await.unwrap()
    }

    /// Reads a page again and again until it holds all parts.
    async fn until(&self, path: &str, parts: &[&str]) -> String {
        let mut last = String::new();
        let looks = async {
            loop {
                last = self.get(path).await;
                if parts.iter().all(|part| last.contains(part)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), looks)
            .await
            .is_ok();
        assert!(in_time, "{path} never held {parts:?}:\n{last}");
        last
    }
}

fn taken(id: &str) -> Reply {
    Reply::json(
        202,
        &format!(r#"{{"requestId":"{id}","statusCode":"202"}}"#),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_never_reached_its_phone_goes_to_the_next_person_who_takes_it_by_the_link() {
    let failed = r#"{"messages":[{"status":"COMPLETED","statusName":"fail","statusCode":"3018",
        "statusMessage":"switched off"}]}"#;
    let sens = Server::start(vec![
        taken("R1"),
        Reply::json(200, r#"{"messages":[{"messageId":"M1"}]}"#),
        Reply::json(200, failed),
        taken("R2"),
    ])
    .await;
    let world = World::new(&sens).await;
    let page = format!("/incidents/{}", world.id);
    world
        .until(
            "/",
            &[
                "CPU usage is critically high",
                "97.2 %",
                "김민수 · SMS · accepted",
            ],
        )
        .await;
    world
        .until(
            "/inbox",
            &["[P1] FIRING CPU usage is critically high", "[P1 발생]"],
        )
        .await;
    // Time for the first question to SENS: its answer advances the escalation at once.
    world.clock.advance(Duration::from_secs(6));
    world
        .until(&page, &["3018 switched off", "Lee Jiwon", "ESCALATED"])
        .await;
    let second = loop {
        match sens.asked().get(3) {
            Some(asked) => break asked.json(),
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!(second["messages"][0]["to"], "01098765432");
    let text = second["content"].as_str().unwrap();
    let link = text
        .split_whitespace()
        .find(|word| word.contains("/a/"))
        .unwrap();
    let path = link.strip_prefix("http://127.0.0.1:8189").unwrap();
    assert!(world.get(path).await.contains("Lee Jiwon"), "its GET asks");
    let url = format!("http://{}{path}", world.running.address());
    let answer = reqwest::Client::new().post(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    world.until(&page, &["Lee Jiwon (link)"]).await;
    world.until("/inbox", &["[P1] ACKNOWLEDGED"]).await;
    let json: serde_json::Value =
        serde_json::from_str(&world.get(&format!("/api/v1{page}")).await).unwrap();
    assert_eq!(json["acknowledged"]["by"], "Lee Jiwon");
    world.shutdown.begin();
    assert!(
        world.tasks.drain(Duration::from_secs(20)).await,
        "it drains"
    );
}
