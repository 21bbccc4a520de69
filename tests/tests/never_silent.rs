//! Rows 22 and 23 of the table of faults, on real processes: the notifier is heard of when what it stands on is gone, and
//! its silence is heard of when it is gone itself.
//!
//! `cargo test -p tests --test never_silent -- --nocapture` is the short form, with shorter bounds in the configuration;
//! `BONGSU_FAULTS=full` has the shipped ones and half an hour in which nothing may alarm (`BONGSU_FAULTS_CALM=N`: N seconds).

// The tests are the outside world: they have real clocks of their own.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

mod alert;
mod e2e;

use std::time::{Duration, Instant};

use e2e::catalogue::ACME_TOKEN;
use e2e::console::Console;
use e2e::oracle::{HOST, cpu, now_nanos};
use e2e::world::World;
use e2e::{LONG, SOON};
use model::{Priority, StreamEvent};
use serde_json::Value;
use tests::workdir::Workdir;
use tests::{Bongsu, DeadMan, Postgres, Proxy, wait, web};

/// Whom the policy that stands in pages, as SENS shows the number.
const DUTY: &str = "01000000009";
/// Who stands in the break-glass file.
const GLASS: &str = "01000000007";
const PEOPLE: &str = "\
contact: duty
name: Duty
phone: \"+821000000009\"
---
escalation_policy: default
channels: {P1: [sms]}
steps: [{notify: [duty]}]
";
const CONTACTS: &str = "contact: glass\nname: Glass\nlanguage: en\nphone: \"+821000000007\"\n";
/// From the store's end to the page of who stands in the file: 10 s, a question, a page.
const GLASS_WITHIN: Duration = Duration::from_secs(20);
const ALERTS: &str = "bongsu.alerts";
const GROUP: &str = "bongsu-notifier";

/// The bounds of a run.
struct Bounds {
    caught_up: &'static str,
    blind_after: &'static str,
    beat: &'static str,
    /// Within which an alarm must come.
    alarm: Duration,
    /// Period and grace time of the dead-man's switch.
    patience: Duration,
    /// In which nothing may alarm.
    calm: Duration,
}

fn bounds() -> Bounds {
    let calm = std::env::var("BONGSU_FAULTS_CALM").ok();
    let calm = calm.map_or(1_800, |seconds| seconds.parse().expect("seconds"));
    match std::env::var("BONGSU_FAULTS").is_ok_and(|form| form == "full") {
        true => Bounds {
            caught_up: "45s",
            blind_after: "120s",
            beat: "30s",
            alarm: Duration::from_secs(150),
            patience: Duration::from_secs(90),
            calm: Duration::from_secs(calm),
        },
        false => Bounds {
            caught_up: "4s",
            blind_after: "24s",
            beat: "1s",
            alarm: Duration::from_secs(40),
            patience: Duration::from_secs(8),
            calm: Duration::from_secs(20),
        },
    }
}

/// A service of that world.
fn service(world: &World, name: &str, rest: &str) -> tests::bongsu::Builder {
    let text = format!(
        "{}health: {{every: 2s}}\n{name}:\n  listen: 127.0.0.1:{{port}}\n{rest}",
        world.settings()
    );
    Bongsu::service(name)
        .file("bongsu.yaml", text)
        .arg("--config")
        .arg("{dir}/bongsu.yaml")
}

fn apply(world: &World, text: &str) {
    let folder = Workdir::new("never-silent");
    let file = folder.write("more.yaml", text).display().to_string();
    let brokers = world.kafka.brokers();
    Bongsu::run(&["apply", "-f", &file, "--kafka", &brokers], &[]).expect("it is applied");
}

/// What has been alarmed of blindness: title and state of each incident.
async fn blindness(console: &Console) -> Vec<(String, String)> {
    let incidents = console.incidents("bongsu-system").await.unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let blind = incidents
        .iter()
        .filter(|one| one["template"] == "bongsu-blind");
    blind
        .map(|one| (word(&one["title"]), word(&one["state"])))
        .collect()
}

async fn is_alarmed(console: &Console, title: &str, within: Duration) {
    let what = format!("an open incident `{title}`");
    wait::holds(what, within, async || {
        let mut all = blindness(console).await.into_iter();
        all.any(|(said, state)| said.contains(title) && state == "open")
    })
    .await;
}

async fn is_over(console: &Console) {
    wait::holds("what was blind sees again", LONG, async || {
        let mut all = blindness(console).await.into_iter();
        all.all(|(_, state)| state == "closed")
    })
    .await;
}

/// Row 23.
#[tokio::test(flavor = "multi_thread")]
async fn row_23_whatever_is_killed_the_watch_or_the_dead_mans_switch_alarms() {
    let bounds = bounds();
    let mut world = World::start().await;
    let switch = DeadMan::start(bounds.patience).await;
    let brokers = world.kafka.brokers();
    apply(&world, PEOPLE);
    let add = ["tenant", "add", "bongsu-system", "--kafka", &brokers];
    Bongsu::run(&add, &[]).expect("the tenant can be added");
    let url = world.secret("switch.url", &switch.url());
    let group = "  session_timeout: 6s\n  drain: 4s\n";
    let evaluator = format!("{group}  caught_up_every: {}\n", bounds.caught_up);
    let notifier = format!(
        "  database: {{sqlite: \"{{dir}}/incidents.db\"}}\n{}  watch: {{blind_after: {}}}\n  \
         heartbeat: {{url_file: {url}, every: {}}}\n",
        world.providers(),
        bounds.blind_after,
        bounds.beat
    );
    let (mut router, mut consumer, mut evaluator, mut notifier) = tokio::join!(
        service(&world, "router", "").start(),
        service(&world, "consumer", group).start(),
        service(&world, "evaluator", &evaluator).start(),
        service(&world, "notifier", &notifier).start(),
    );
    let console = Console::new(vec![notifier.url()]);
    wait::holds("the dead-man's switch is called", LONG, async || {
        switch.calls() > 0
    })
    .await;
    let calm = Instant::now();
    while calm.elapsed() < bounds.calm {
        assert_eq!(blindness(&console).await, [], "nothing is wrong");
        assert!(!switch.is_down(), "the notifier is well");
        // Time in which nothing happens is what is looked at.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    eprintln!(
        "faults: row 23: 0 false alarms in {} s",
        bounds.calm.as_secs()
    );

    for (stage, title) in [
        (
            &mut evaluator,
            "Nobody judges what arrives at Kafka cluster",
        ),
        (&mut consumer, "No consumer"),
        (&mut router, "No router"),
    ] {
        stage.kill();
        let killed = Instant::now();
        is_alarmed(&console, title, bounds.alarm).await;
        let paged = |sms: &tests::sens::Sms| sms.to == DUTY && sms.content.contains(title);
        world.sens.wait_for(title, SOON, paged).await;
        eprintln!(
            "faults: row 23: {title}: paged {:.0} s after kill -9",
            killed.elapsed().as_secs_f64()
        );
        wait::holds(
            "the dead-man's switch alarms as well",
            bounds.alarm,
            async || switch.is_down(),
        )
        .await;
        stage.start_again().await;
        is_over(&console).await;
    }

    world.kafka.kill();
    let killed = Instant::now();
    is_alarmed(
        &console,
        "Nobody judges what arrives at Kafka cluster",
        bounds.alarm,
    )
    .await;
    let gone = |sms: &tests::sens::Sms| {
        sms.to == DUTY && sms.content.contains("REOPENED") || sms.content.contains("FIRING")
    };
    world.sens.wait_for("Kafka is gone", SOON, gone).await;
    eprintln!(
        "faults: row 23: Kafka: paged {:.0} s after kill -9",
        killed.elapsed().as_secs_f64()
    );
    world.kafka.start_again().await;
    is_over(&console).await;

    wait::holds("the dead-man's switch is called again", LONG, async || {
        !switch.is_down()
    })
    .await;
    notifier.kill();
    let killed = Instant::now();
    wait::holds("the dead-man's switch alarms", bounds.alarm, async || {
        switch.is_down()
    })
    .await;
    eprintln!(
        "faults: row 23: the notifier: the dead-man's switch alarms {:.0} s after kill -9",
        killed.elapsed().as_secs_f64()
    );
}

/// Row 22, its first half: stores of points have no say in a page.
#[tokio::test(flavor = "multi_thread")]
async fn row_22_with_every_influxdb_down_a_p1_is_paged_in_30_s() {
    let mut world = World::start().await;
    let group = "  session_timeout: 6s\n  drain: 4s\n";
    let notifier = format!(
        "  database: {{sqlite: \"{{dir}}/incidents.db\"}}\n{}",
        world.providers()
    );
    let (router, consumer, evaluator, notifier) = tokio::join!(
        service(&world, "router", "").start(),
        service(&world, "consumer", group).start(),
        service(&world, "evaluator", group).start(),
        service(&world, "notifier", &notifier).start(),
    );
    world.the_templates_are_in_force().await;
    for shard in &mut world.shards {
        shard.kill();
    }
    // Windows and `for` of 10 s lie in the past: what is left is the way of the data.
    let now = now_nanos() / 1_000_000_000;
    let body: String = (0..60)
        .map(|back| cpu(HOST, 99.0, now - 60 + back))
        .collect();
    let written = Instant::now();
    let answer = web::client()
        .post(format!("{}/api/v2/write", router.url()))
        .header("Authorization", format!("Token {ACME_TOKEN}"))
        .body(body)
        .send()
        .await
        .expect("the router answers");
    assert_eq!(
        answer.status(),
        204,
        "it is promised though no store is there"
    );
    let page = |sms: &tests::sens::Sms| sms.content.contains(HOST);
    let within = Duration::from_secs(30);
    world.sens.wait_for("a page", within, page).await;
    eprintln!(
        "faults: row 22: all InfluxDB down: P1 paged {:.1} s after its points were taken",
        written.elapsed().as_secs_f64()
    );
    drop((consumer, evaluator, notifier));
}

/// How the store is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// It says nothing any more.
    Frozen,
    /// It refuses connections.
    Killed,
}

/// Row 22, its second half.
#[tokio::test(flavor = "multi_thread")]
async fn row_22_without_its_store_each_p1_goes_to_the_break_glass_contacts() {
    let world = World::start().await;
    let mut postgres = Postgres::start().await;
    apply(&world, PEOPLE);
    let (database, door) = behind_a_door(&postgres.database()).await;
    let database = world.secret("postgres.url", &database);
    let contacts = world.secret("contacts.yaml", CONTACTS);
    let notifier = format!(
        "  database: {{postgres_url_file: {database}}}\n{}  break_glass: {{contacts_file: {contacts}}}\n",
        world.providers()
    );
    let mut notifier = service(&world, "notifier", &notifier).start().await;
    let mut number = 0;
    for gone in [Gone::Frozen, Gone::Killed] {
        // One takes its ordinary way before.
        number += 1;
        send(&world, number, Priority::P1).await;
        is_paged(&world, DUTY, &host(number)).await;
        is_committed(&world).await;
        let before = committed(&world);
        match gone {
            Gone::Frozen => door.black_hole(),
            Gone::Killed => postgres.kill(),
        }
        let began = Instant::now();
        let first = number + 1;
        // Several, as in one failure, and in one partition one behind the other.
        for _ in 0..4 {
            number += 1;
            send(&world, number, Priority::P1).await;
        }
        number += 1;
        send(&world, number, Priority::P2).await;
        for of in first..number {
            let sms = is_paged(&world, GLASS, &host(of)).await;
            assert!(sms.starts_with("[P1 FIRING] [BREAK-GLASS]"), "{sms}");
        }
        assert!(began.elapsed() < GLASS_WITHIN, "{:?}", began.elapsed());
        eprintln!(
            "faults: row 22: store {gone:?}: 4 of 4 P1 at the break-glass contact after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        assert_eq!(
            committed(&world),
            before,
            "no offset is committed meanwhile"
        );
        let of_p2 = |to: &str| heard(&world, to, &host(number));
        assert!(!of_p2(GLASS) && !of_p2(DUTY), "a P2 waits for the store");
        match gone {
            Gone::Frozen => door.heal(),
            Gone::Killed => postgres.start_again().await,
        }
        for of in first..=number {
            is_paged(&world, DUTY, &host(of)).await;
        }
        is_committed(&world).await;
    }
    // A notifier that is started while its store is gone has no store to open, and tells all the same.
    postgres.kill();
    notifier.kill();
    number += 1;
    send(&world, number, Priority::P1).await;
    let told = async {
        is_paged(&world, GLASS, &host(number)).await;
        postgres.start_again().await;
        is_paged(&world, DUTY, &host(number)).await;
    };
    // It becomes ready once its store is back.
    tokio::join!(notifier.start_again(), told);
}

/// The URL of a database through a proxy, and the proxy.
async fn behind_a_door(url: &str) -> (String, Proxy) {
    let (head, rest) = url.split_once('@').expect("a URL with a user");
    let (address, name) = rest.split_once('/').expect("a URL with a database");
    let door = Proxy::start(address.parse().expect("an address")).await;
    (format!("{head}@{}/{name}", door.address()), door)
}

fn host(number: u32) -> String {
    format!("db-{number:03}")
}

fn heard(world: &World, phone: &str, host: &str) -> bool {
    let mut messages = world.sens.messages().into_iter();
    messages.any(|sms| sms.to == phone && sms.content.contains(host))
}

async fn is_paged(world: &World, phone: &str, host: &str) -> String {
    let what = format!("{host} for {phone}");
    let page = |sms: &tests::sens::Sms| sms.to == phone && sms.content.contains(host);
    world.sens.wait_for(&what, LONG, page).await.content
}

/// What the notifier has committed of the alert topic, by partition.
fn committed(world: &World) -> Vec<(i32, i64)> {
    let committed = tokio::task::block_in_place(|| world.kafka.committed(GROUP, ALERTS));
    let committed = committed.expect("Kafka answers");
    committed
        .into_iter()
        .map(|(partition, offset, _)| (partition, offset))
        .collect()
}

/// Waits until everything in the alert topic is committed.
async fn is_committed(world: &World) {
    wait::holds("all offsets are committed", LONG, async || {
        let count = tokio::task::block_in_place(|| world.kafka.count(ALERTS));
        let sum: i64 = committed(world).iter().map(|(_, offset)| offset).sum();
        count.is_ok_and(|count| i64::try_from(count).is_ok_and(|count| count == sum))
    })
    .await;
}

/// Puts an alert into the log, as an evaluator does.
async fn send(world: &World, number: u32, priority: Priority) {
    let event = alert::disk_is_full("platform", &host(number), priority);
    let event = schemas::alert::encode(&StreamEvent::Alert(Box::new(event)));
    let sent = world.kafka.send(ALERTS, Some("platform/0"), &event, &[]);
    sent.await.expect("Kafka takes it");
}
