//! `bongsu up` on its embedded parts: the demo from the first second to the second start, and kill -9 at any moment.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

mod e2e;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use e2e::account::{self, Point, Points};
use e2e::alerts::Judge;
use e2e::catalogue::{self, ACME_TOKEN, Rooms};
use e2e::console::{Console, text};
use e2e::oracle::{HOST, Oracle, now_nanos};
use e2e::{LONG, SOON};
use influx::{FieldValue, Shard};
use model::Timestamp;
use serde_json::{Value, json};
use tests::workdir::Workdir;
use tests::{Bongsu, ports, wait, web};

/// "Ctrl-C drains and exits in seconds."
const STOP: Duration = Duration::from_secs(5);
const KILLS: u64 = 3;

/// `bongsu up` on a data folder that outlives it.
struct Up {
    bongsu: Bongsu,
    console: Console,
    data: PathBuf,
    _folder: Workdir,
}

impl Up {
    async fn start(arguments: &[&str]) -> Self {
        let folder = Workdir::new("embedded");
        let (data, console) = (folder.join("data"), ports::free());
        let mut builder = Bongsu::service("up")
            .arg("--data-dir")
            .arg(data.display().to_string())
            .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
            .env("BONGSU_NOTIFIER__LISTEN", format!("127.0.0.1:{console}"))
            .env(
                "BONGSU_NOTIFIER__PUBLIC_URL",
                format!("http://127.0.0.1:{console}"),
            );
        for argument in arguments {
            builder = builder.arg(*argument);
        }
        let bongsu = builder.start().await;
        let console = Console::new(vec![format!("http://127.0.0.1:{console}")]);
        Self {
            bongsu,
            console,
            data,
            _folder: folder,
        }
    }

    async fn stop(&mut self) {
        let status = self
            .bongsu
            .terminate(STOP)
            .await
            .expect("it drains in seconds");
        assert!(status.success(), "{status}\n{}", self.bongsu.log());
    }

    /// Every point of the store, while nobody else has it open.
    async fn stored(&self, tenant: &str, measurements: &[&str]) -> Points {
        let store = influx::Embedded::open(&self.data.join("points.db")).await;
        let shard = Shard::embedded(&store.expect("the store can be opened"));
        let (from, to) = (Timestamp::from_nanos(0), Timestamp::from_nanos(i64::MAX));
        let mut points = Points::new();
        for measurement in measurements {
            let read = shard.points(tenant, measurement, from, to).await;
            for point in read.expect("the store can be read") {
                for (field, value) in point.fields {
                    let value = match value {
                        FieldValue::Float(value) => value,
                        FieldValue::Integer(value) => value as f64,
                        other => panic!("{field} is {other:?}"),
                    };
                    let tags = point.tags.iter().cloned().collect();
                    let (measurement, time) =
                        (point.measurement.clone(), point.timestamp.as_nanos());
                    points.insert(
                        Point {
                            measurement,
                            tags,
                            field,
                            time,
                        },
                        value,
                    );
                }
            }
        }
        points
    }

    async fn judge(&self) -> Judge {
        Judge::of_file(&self.data.join("log.redb")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_pages_within_a_minute_and_a_second_start_goes_on() {
    let begun = Instant::now();
    let mut up = Up::start(&["--demo"]).await;
    let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
    let open = first_incident(&up.console, left, |incident| {
        let deliveries = incident["deliveries"].as_array().into_iter().flatten();
        let delivered = deliveries.filter(|delivery| delivery["fate"] == "delivered");
        let channels: BTreeSet<_> = delivered
            .map(|delivery| text(delivery, "channel"))
            .collect();
        // The group's standard, as far as the demo's people have addresses.
        incident["priority"] == "P1"
            && ["chat", "sms", "voice"].map(|one| channels.contains(one)) == [true; 3]
    })
    .await;
    eprintln!(
        "the demo paged {:.1} s after its start",
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(open["template"], "cpu-usage", "{open:#}");
    let (id, host) = (
        text(&open, "id").to_owned(),
        text(&open["group"], "host").to_owned(),
    );
    let inbox = get(&format!("{}/inbox", up.console.url())).await;
    assert!(
        inbox.contains(&host) && inbox.contains("P1"),
        "the inbox shows the page: {inbox}"
    );

    let answer = web::client()
        .post(format!("{}/api/v1/incidents/{id}/ack", up.console.url()))
        .json(&json!({"by": "a visitor"}))
        .send()
        .await
        .expect("the API answers");
    assert_eq!(answer.status(), 200);
    let acknowledged =
        first_incident(&up.console, SOON, |one| one["state"] == "acknowledged").await;
    assert_eq!(
        acknowledged["acknowledged"]["by"], "a visitor",
        "{acknowledged:#}"
    );
    let closed = first_incident(&up.console, LONG, |one| {
        let mut deliveries = one["deliveries"].as_array().into_iter().flatten();
        one["state"] == "closed" && deliveries.all(|delivery| delivery["fate"] == "delivered")
    })
    .await;
    assert_eq!(
        (text(&closed, "id"), &closed["firing"]),
        (id.as_str(), &Value::Bool(false))
    );
    up.stop().await;

    let tenant = text(&closed, "tenant");
    let before = up.stored(tenant, &["cpu", "mem"]).await;
    assert!(
        before.len() > 100,
        "{} points of {tenant} are stored",
        before.len()
    );
    up.bongsu.start_again().await;
    let again = first_incident(&up.console, SOON, |_| true).await;
    assert_eq!(again, closed, "the second start knows what the first did");
    let stored = async || {
        let metrics = get(&format!("{}/metrics", up.bongsu.url())).await;
        let mut stored = metrics
            .lines()
            .filter(|line| line.starts_with("bongsu_consumer_points_stored_total{"));
        stored.any(|line| line.contains(&format!("tenant=\"{tenant}\"")))
    };
    wait::holds("points of that tenant are stored again", SOON, stored).await;
    up.stop().await;
    let after = up.stored(tenant, &["cpu", "mem"]).await;
    assert!(
        before
            .iter()
            .all(|(point, value)| after.get(point) == Some(value)),
        "a point is gone"
    );
    assert!(
        after.len() > before.len(),
        "no new points after the second start"
    );
    up.judge().await.agrees(SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_no_acknowledged_point_and_no_incident() {
    let mut up = Up::start(&[]).await;
    let folder = Workdir::new("catalogue");
    let rooms = Rooms {
        acme: "C0000000001".to_owned(),
        beta: "C0000000002".to_owned(),
    };
    let files = catalogue::write_people_and_tenants(&folder, &rooms, catalogue::PATIENT);
    let (files, data) = (files.display().to_string(), up.data.display().to_string());
    Bongsu::run(&["apply", "-f", &files, "--data-dir", &data], &[]).expect("it can be applied");
    let oracle = Oracle::start(vec![up.bongsu.url()], ACME_TOKEN, None);
    oracle.has_been_calm().await;

    oracle.busy();
    let seed = now_nanos().unsigned_abs() % 10_000;
    let begun = Instant::now();
    for kill in 0..KILLS {
        // Somewhere in each third of the 36 s from the load to the second person's page.
        let moment = Duration::from_millis(kill * 12_000 + (seed * (kill + 7)) % 12_000);
        tokio::time::sleep_until((begun + moment).into()).await;
        up.bongsu.kill();
        eprintln!(
            "killed at {:.2} s (seed {seed})",
            begun.elapsed().as_secs_f64()
        );
        up.bongsu.start_again().await;
    }
    let paged_twice = |incident: &Value| heads(incident).len() >= 4;
    up.console
        .wait_for("acme", HOST, "paged and escalated", LONG, paged_twice)
        .await;
    oracle.calm();
    let over = |incident: &Value| incident["state"] == "closed" && heads(incident).len() >= 7;
    let incident = up
        .console
        .wait_for("acme", HOST, "closed and told so", LONG, over)
        .await;
    let promised = oracle.stop().await;
    up.stop().await;

    let stored = up.stored("acme", &["cpu", "routed"]).await;
    let mut kept = stored.clone();
    kept.retain(|point, _| promised.contains_key(point));
    if let Some(difference) = account::difference("the store", &promised, &kept) {
        panic!("a promise is broken (seed {seed}): {difference}");
    }
    let judge = up.judge().await;
    assert_eq!(
        judge.about(HOST).await,
        ["firing P1", "resolved -"],
        "seed {seed}"
    );
    assert_eq!(judge.agrees(SOON).await, 2, "seed {seed}");
    let room_kim_lee = [
        "chat C0000000001 escalated",
        "chat C0000000001 firing",
        "chat C0000000001 resolved",
        "sms Kim Minji firing",
        "sms Kim Minji resolved",
        "sms Lee Jian escalated",
        "sms Lee Jian resolved",
    ];
    assert_eq!(heads(&incident), room_kim_lee, "seed {seed}: {incident:#}");
}

/// What an incident's deliveries that arrived say, in order of their words.
fn heads(incident: &Value) -> Vec<String> {
    let deliveries = incident["deliveries"].as_array().into_iter().flatten();
    let mut heads: Vec<_> = deliveries
        .filter(|delivery| delivery["fate"] == "delivered")
        .map(|delivery| {
            let word = |field| text(delivery, field);
            format!("{} {} {}", word("channel"), word("to"), word("purpose"))
        })
        .collect();
    heads.sort();
    heads
}

/// Waits for the first incident of all to be as `wanted` says; with its timeline and deliveries.
async fn first_incident(
    console: &Console,
    deadline: Duration,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let mut seen = Vec::new();
    let found = wait::until(deadline, async || {
        seen = console.all().await?;
        Ok(seen.last().filter(|incident| wanted(incident)).cloned())
    })
    .await;
    found.unwrap_or_else(|error| panic!("{error:#}\n{seen:#?}"))
}

async fn get(url: &str) -> String {
    let answer = web::client().get(url).send().await.expect("it answers");
    assert!(
        answer.status().is_success(),
        "{url} answers {}",
        answer.status()
    );
    answer.text().await.expect("an answer has a text")
}
