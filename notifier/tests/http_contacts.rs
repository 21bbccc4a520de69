//! A test page, a code and a hand-over, from the request to the message, over a real engine.

mod support;

use model::{Span, TenantId};
use notifier::app::{Running, start_with};
use notifier::config::Config;
use notifier::core::{ChannelKind, Directory, Language, Person, Policy, Roster, Step};
use notifier::io::channel::Channels;
use runtime::{Clock, Context, Shutdown, Tasks};
use schemas::catalogue::{Catalogue, parse_yaml};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use support::service::Ground;

/// A notifier that shows every message in its inbox.
struct World {
    running: Running,
    clock: Clock,
    shutdown: Shutdown,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

/// Kim and Lee take turns of a day; the sample's clock stands a moment before one.
fn directory(now: jiff::Timestamp) -> Directory {
    let zone = jiff::tz::TimeZone::get("Asia/Seoul").unwrap();
    let first = (now + Duration::from_secs(90)).to_zoned(zone).datetime();
    let first = first - jiff::Span::new().days(10);
    let text = format!(
        "schedule: noc\ntime_zone: Asia/Seoul\nhand_over: [chat]\n\
         layers: [{{layer: days, people: [kim, lee], every: 1 day, from: {first}}}]\n"
    );
    let mut catalogue = Catalogue::default();
    for entry in parse_yaml("test", &text).unwrap() {
        catalogue.insert(entry.value);
    }
    let person = |name: &str, language, phone: &str| Person {
        name: name.to_owned(),
        language,
        telegram: None,
        chat: Some(format!("U-{name}")),
        phone: Some(phone.to_owned()),
        email: None,
        own_rules: Default::default(),
    };
    let step = Step {
        notify: vec!["schedule:noc".parse().unwrap()],
        after: None,
        channels: Vec::new(),
    };
    let policy = Policy {
        room: None,
        rooms: Vec::new(),
        channels: [(); 3].map(|()| vec![ChannelKind::Chat]),
        within: [Some(Span::from_secs(900)), None, None],
        steps: vec![step],
        repeat: 0,
        ends: Default::default(),
    };
    let channels = BTreeSet::from([ChannelKind::Chat, ChannelKind::Sms]);
    let roster: Roster = Directory::of(&catalogue, channels.clone()).roster;
    Directory {
        tenants: BTreeMap::from([(TenantId::parse("acme").unwrap(), "default".to_owned())]),
        care: BTreeMap::new(),
        policies: BTreeMap::from([("default".to_owned(), policy)]),
        people: BTreeMap::from([
            (
                "kim".to_owned(),
                person("Kim", Language::Ko, "+821012345678"),
            ),
            (
                "lee".to_owned(),
                person("Lee", Language::En, "+821098765432"),
            ),
        ]),
        roster,
        channels,
    }
}

impl World {
    async fn new() -> Self {
        runtime::tls::install_provider();
        let ground = Ground::new().await;
        let config = Config {
            inbox: true,
            ..ground.config()
        };
        let Ground { folder, clock, log } = ground;
        let now = jiff::Timestamp::from_nanosecond(clock.now_nanos().into()).unwrap();
        let shutdown = Shutdown::new();
        let ctx = Context::at(clock.clone(), shutdown.clone());
        let tasks = ctx.tasks.clone();
        let channels = Channels::configured(&config, &clock).unwrap();
        let people = Arc::new(Arc::new(directory(now)));
        let running = start_with(config, log, channels, people, ctx)
            .await
            .unwrap();
        Self {
            running,
            clock,
            shutdown,
            tasks,
            _folder: folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.running.address())
    }

    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(self.url(path)).await.unwrap();
        answer.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(self.url(path)).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Asks again and again until the answer is some.
    async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let looks = async {
            loop {
                if let Some(found) = ask().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), looks).await;
        found.unwrap_or_else(|_| panic!("{what} never came"))
    }

    /// The deliveries of an incident, once none is under way.
    async fn fates(&self, incident: &Value) -> Vec<Value> {
        let path = format!("incidents/{}", incident.as_str().unwrap());
        self.until("a fate", async || {
            let account = self.get(&path).await;
            let all = account["deliveries"].as_array().cloned()?;
            let done =
                |one: &Value| !["queued", "sending"].contains(&one["fate"].as_str().unwrap());
            all.iter().all(done).then_some(all)
        })
        .await
    }

    /// What the inbox shows as sent, newest first: name, channel, text.
    async fn said(&self) -> Vec<(String, ChannelKind, String)> {
        let recent = self.running.commands().recent_messages(50).await.unwrap();
        let each = recent.into_iter().map(|(message, _)| {
            let name = message.recipient.name.clone();
            let channel = if message.recipient.address.starts_with('+') {
                ChannelKind::Sms
            } else {
                ChannelKind::Chat
            };
            (name, channel, message.title().to_owned())
        });
        each.collect()
    }

    async fn ends(self) {
        self.shutdown.begin();
        assert!(self.tasks.drain(Duration::from_secs(20)).await, "it drains");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_page_goes_the_way_of_every_page_and_its_fate_is_seen() {
    let world = World::new().await;
    let (status, sent) = world.post("contacts/kim/test", json!({"by": "Lee"})).await;
    assert_eq!(status, 202, "{sent}");
    let fates = world.fates(&sent["incident"]).await;
    let mut channels: Vec<_> = fates
        .iter()
        .map(|one| one["channel"].as_str().unwrap())
        .collect();
    channels.sort_unstable();
    assert_eq!(channels, ["chat", "sms"]);
    assert!(
        fates.iter().all(|one| one["fate"] == "delivered"),
        "{fates:?}"
    );
    let account = world
        .get(&format!("incidents/{}", sent["incident"].as_str().unwrap()))
        .await;
    assert_eq!(
        account["state"].as_str().or(account["status"].as_str()),
        Some("closed")
    );
    assert!(
        account["timeline"][0]["text"]
            .as_str()
            .unwrap()
            .contains("asked for by Lee")
    );
    let said = world.said().await;
    assert!(
        said.iter()
            .all(|(name, _, text)| name == "Kim" && text.contains("시험 발송")),
        "{said:?}"
    );
    let (status, _) = world.post("contacts/nobody/test", json!({})).await;
    assert_eq!(status, 404);
    // At the same instant it would be the same test.
    world.clock.advance(Duration::from_secs(1));
    let (status, sent) = world
        .post("contacts/kim/test", json!({"channels": ["voice"]}))
        .await;
    assert_eq!(status, 202);
    assert!(
        world.fates(&sent["incident"]).await.is_empty(),
        "no provider of voice"
    );
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_verified_by_the_code_that_came_to_it() {
    let world = World::new().await;
    let before = world.get("contacts").await;
    let warned = before["warnings"].to_string();
    assert!(
        warned.contains("the phone of Kim stands in a policy and is not verified"),
        "{warned}"
    );
    let (status, sent) = world.post("contacts/kim/code", json!({})).await;
    assert_eq!(status, 202, "{sent}");
    let fates = world.fates(&sent["incident"]).await;
    assert_eq!(fates[0]["channel"], "sms");
    // The code stands in the message alone, not in what the console and the API show.
    let text = world.said().await.remove(0).2;
    let code: String = text.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(code.len(), 6, "{text}");
    let path = format!("incidents/{}", sent["incident"].as_str().unwrap());
    assert!(!world.get(&path).await.to_string().contains(&code));

    let (status, soon) = world.post("contacts/kim/code", json!({})).await;
    assert_eq!(status, 429, "{soon}");
    // What can be no code costs no try.
    for no_code in ["abc", "12345", "1234567", "12345x"] {
        let (status, problem) = world
            .post("contacts/kim/confirm", json!({"code": no_code}))
            .await;
        assert_eq!(status, 400, "{problem}");
    }
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let (status, problem) = world
        .post("contacts/kim/confirm", json!({"code": wrong}))
        .await;
    assert_eq!(status, 409);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("4 tries are left"),
        "{problem}"
    );
    let (status, known) = world
        .post("contacts/kim/confirm", json!({"code": code, "by": "Kim"}))
        .await;
    assert_eq!(
        (status, &known["verified_by"]),
        (200, &json!("Kim")),
        "{known}"
    );
    let after = world.get("contacts").await;
    assert!(!after["warnings"].to_string().contains("Kim"), "{after}");
    assert!(after["contacts"][0]["verified_at"].is_string());
    let (status, _) = world
        .post("contacts/kim/code", json!({"channel": "email"}))
        .await;
    assert_eq!(status, 400);
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_is_told_once_to_both() {
    let world = World::new().await;
    world.clock.advance(Duration::from_secs(120));
    let said = world
        .until("the hand-over", async || {
            let said = world.said().await;
            (said.len() >= 2).then_some(said)
        })
        .await;
    let mut names: Vec<_> = said.iter().map(|(name, ..)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Kim", "Lee"]);
    assert!(
        said.iter().all(|(.., text)| text.contains("noc")),
        "{said:?}"
    );
    world.ends().await;
}
