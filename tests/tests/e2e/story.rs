//! The story that is played over every topology: two real Telegrafs, a CPU that gets busy, the people who hear of it,
//! the recovery, and the accounts at the end.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::Value;
use tests::sens::Sms;
use tests::slack::Message;
use tests::telegraf::Output;
use tests::workdir::Workdir;
use tests::{Telegraf, wait, web};

use super::account::{self, Points};
use super::catalogue::{ACKNOWLEDGE_WITHIN_SECS, ACME_TOKEN, KIM, LEE, PARK, Person};
use super::console::{Console, text};
use super::oracle::now_nanos;
use super::site::Site;
use super::world::World;
use super::{LONG, SOON};

/// Acme's hosts. The first gets busy.
const ACME_HOSTS: [&str; 8] =
    ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8"];
/// Beta's hosts. The first climbs the ladder.
const BETA_HOSTS: [&str; 3] = ["db-1", "db-2", "db-3"];
const BUTTON: &str = "acknowledge";

/// Lines that cannot be stored, by what they begin with; they are left out of the accounts of good points.
const BAD: [&str; 2] = ["broken", "conflict,host=web-1 value=\"text\""];

/// Two agents at work.
struct Agents {
    acme: Telegraf,
    beta: Telegraf,
    acme_file: PathBuf,
    beta_file: PathBuf,
    _folder: Workdir,
}

/// Plays it from the first point to the closed books.
pub(crate) async fn play(world: &World, site: &mut Site) {
    let console = site.console();
    let mut agents = Agents::start(world, site).await;
    points_of_both_tenants_are_in_both_shards(world).await;

    agents.load(100.0, 75.0).await;
    let page = the_first_person_is_paged(world, &console).await;
    the_second_person_is_paged_when_nobody_acknowledges(world, &console).await;
    the_button_acknowledges(world, &console, &page).await;
    beta_fires_at_p3_in_its_room_alone(world, &console).await;

    agents.load(20.0, 100.0).await;
    bad_lines_are_refused_or_dead_lettered(world, site).await;
    the_recovery_is_told_to_whom_the_firing_was_told(world, &console, &page).await;
    beta_climbs_to_p1_and_is_handled_on_the_command_line(world, &console).await;

    agents.stop().await;
    the_points_balance(world, site, &agents).await;
    nobody_heard_more_than_they_should(world, &console).await;
    let events = world.judge.agrees(SOON).await;
    assert_eq!(events, 5, "acme fired and recovered, beta climbed three rungs");
}

impl Agents {
    /// Acme's agent produces to its topic, beta's writes to the routers. Each says in a tag that it is the other
    /// tenant, which decides nothing.
    async fn start(world: &World, site: &Site) -> Self {
        let folder = Workdir::new("agents");
        let (acme_file, beta_file) = (folder.join("acme.influx"), folder.join("beta.influx"));
        let to_kafka = Output::All(vec![
            Output::kafka(&world.kafka, "metrics.acme"),
            Output::File(acme_file.clone()),
        ]);
        let routers = Output::Routers { urls: site.routers.clone(), token: world.beta_token.clone() };
        let to_routers = Output::All(vec![routers, Output::File(beta_file.clone())]);
        let (acme_lines, beta_lines) = (acme(20.0), beta(20.0));
        let (acme, beta) = tokio::join!(
            Telegraf::start(&acme_lines, &to_kafka),
            Telegraf::start(&beta_lines, &to_routers)
        );
        Self { acme, beta, acme_file, beta_file, _folder: folder }
    }

    /// Loads the first host of each tenant, right behind a grid point of the templates: the first window with samples
    /// of the new load is half old, the next one is all new, so that the rungs that hold are the same in every run.
    async fn load(&self, acme_busy: f64, beta_busy: f64) {
        wait::holds("the clock passes a grid point", SOON, async || {
            (100..500).contains(&(now_nanos() / 1_000_000 % 5_000))
        })
        .await;
        self.acme.set_lines(&acme(acme_busy));
        self.beta.set_lines(&beta(beta_busy));
    }

    async fn stop(&mut self) {
        for telegraf in [&mut self.acme, &mut self.beta] {
            let status = telegraf.terminate(SOON).await.expect("Telegraf ends");
            assert!(status.success(), "Telegraf ended with {status}\n{}", telegraf.tail());
        }
    }
}

fn acme(busy: f64) -> String {
    lines(&ACME_HOSTS, "beta", busy)
}

fn beta(busy: f64) -> String {
    lines(&BETA_HOSTS, "acme", busy)
}

fn lines(hosts: &[&str], tenant_tag: &str, busy: f64) -> String {
    let usage = |place: usize| if place == 0 { busy } else { 20.0 };
    hosts
        .iter()
        .enumerate()
        .map(|(place, host)| {
            let idle = 100.0 - usage(place);
            format!("cpu,cpu=cpu-total,env=prod,host={host},tenant={tenant_tag} usage_idle={idle}\n")
        })
        .collect()
}

/// And enough of them that the windows are full: the load is judged against calm, not against nothing.
async fn points_of_both_tenants_are_in_both_shards(world: &World) {
    wait::until(SOON + SOON, async || {
        for (tenant, host) in [("acme", ACME_HOSTS[0]), ("beta", BETA_HOSTS[0])] {
            let [one, two] = account::of_shards(&world.shards, tenant).await;
            let of_host = one.keys().chain(two.keys()).filter(|point| point.tags["host"] == host);
            let calm = of_host.count();
            let (one, two) = (one.len(), two.len());
            ensure!(one > 0 && two > 0, "{tenant}: {one} points in s1, {two} in s2");
            ensure!(calm > 10, "{host} has {calm} points");
        }
        Ok(Some(()))
    })
    .await
    .unwrap_or_else(|error| panic!("points are not stored: {error:#}"));
}

async fn the_first_person_is_paged(world: &World, console: &Console) -> Message {
    let deadline = LONG;
    let sms = world.sens.wait_for("a page for Kim", deadline, |sms| sms.to == KIM.phone).await;
    assert!(sms.content.starts_with("[P1 FIRING]"), "{}", sms.content);
    assert!(sms.content.contains("web-1"), "{}", sms.content);
    let page = world
        .slack
        .wait_for("web-1 in acme's room", SOON, |message| {
            message.channel == world.rooms.acme && message.contains("web-1")
        })
        .await;
    assert!(page.contains("[P1] FIRING"), "{page:#?}");
    assert!(page.contains(KIM.slack), "Kim is called: {page:#?}");
    assert!(page.blocks.as_array().is_some_and(|blocks| blocks.len() >= 3), "{page:#?}");
    let incident =
        console.wait_for("acme", "web-1", "open", SOON, |incident| incident["state"] == "open").await;
    assert_eq!(incident["priority"], "P1");
    assert_eq!(incident["template"], "cpu-usage");
    assert_eq!(world.judge.about("web-1").await, ["firing P1"]);
    page
}

async fn the_second_person_is_paged_when_nobody_acknowledges(world: &World, console: &Console) {
    let sms = world.sens.wait_for("a page for Lee", SOON, |sms| sms.to == LEE.phone).await;
    assert!(sms.content.starts_with("[P1 ESCALATED]"), "{}", sms.content);
    let first = world.sens.messages().into_iter().find(|sms| sms.to == KIM.phone);
    let waited = sms.at.duration_since(first.expect("Kim was paged").at).as_secs_f64();
    let within = ACKNOWLEDGE_WITHIN_SECS as f64;
    assert!(waited > within / 2.0, "Lee was paged {waited} s after Kim, who has {within} s");
    let open = |incident: &Value| incident["state"] == "open";
    console.wait_for("acme", "web-1", "still open", SOON, open).await;
}

/// Lee presses it; a forged press before that does nothing.
async fn the_button_acknowledges(world: &World, console: &Console, page: &Message) {
    let press = world.slack.press(page, BUTTON, LEE.slack);
    let mut forged = press.clone();
    forged.signature = format!("v0={}", "0".repeat(64));
    let answer = console.press(&forged).await.expect("a forged press is answered");
    assert_eq!(answer, StatusCode::UNAUTHORIZED);
    let answer = console.press(&press).await.expect("Slack is answered in time");
    assert_eq!(answer, StatusCode::OK);
    let incident = console
        .wait_for("acme", "web-1", "acknowledged", SOON, |incident| {
            incident["state"] == "acknowledged"
        })
        .await;
    assert_eq!(incident["acknowledged"]["by"], LEE.name, "{incident:#}");
    let taken = incident["timeline"].as_array().into_iter().flatten();
    let by_chat = taken.filter(|entry| entry["kind"] == "acknowledged" && entry["via"] == "chat");
    assert_eq!(by_chat.count(), 1, "a forged press is none: {incident:#}");
    world
        .slack
        .wait_for("the page without its button", SOON, |message| {
            message.ts == page.ts && message.contains(LEE.name) && !has_button(message)
        })
        .await;
}

fn has_button(message: &Message) -> bool {
    let blocks = message.blocks.as_array().into_iter().flatten();
    let mut elements = blocks.flat_map(|block| block["elements"].as_array().into_iter().flatten());
    elements.any(|element| element["action_id"] == BUTTON)
}

/// A P3 pages nobody's phone.
async fn beta_fires_at_p3_in_its_room_alone(world: &World, console: &Console) {
    let incident = console.wait_for("beta", "db-1", "open", LONG, |_| true).await;
    assert_eq!(incident["priority"], "P3", "{incident:#}");
    world
        .slack
        .wait_for("db-1 in beta's room", SOON, |message| {
            message.channel == world.rooms.beta && message.contains("[P3] FIRING")
        })
        .await;
    assert_eq!(world.heads_to(PARK.phone), Vec::<String>::new());
}

/// The recovery reaches the room and both persons, and escalation had ended.
async fn the_recovery_is_told_to_whom_the_firing_was_told(
    world: &World,
    console: &Console,
    page: &Message,
) {
    for person in [KIM, LEE] {
        world
            .sens
            .wait_for(&format!("the recovery for {}", person.name), LONG, |sms| {
                sms.to == person.phone && sms.content.starts_with("[P1 RESOLVED]")
            })
            .await;
    }
    world
        .slack
        .wait_for("the recovery below the page", SOON, |message| {
            message.thread_ts.as_ref() == Some(&page.ts) && message.contains("RESOLVED")
        })
        .await;
    let incident = console
        .wait_for("acme", "web-1", "closed", SOON, |incident| incident["state"] == "closed")
        .await;
    assert_eq!(incident["firing"], false, "{incident:#}");
    assert_eq!(world.judge.about("web-1").await, ["firing P1", "resolved -"]);
    let listed = console.cli(&["list", "--state", "closed", "--tenant", "acme"]);
    let ids: Vec<&str> = listed.as_array().into_iter().flatten().map(|one| text(one, "id")).collect();
    assert_eq!(ids, [text(&incident, "id")]);
}

async fn beta_climbs_to_p1_and_is_handled_on_the_command_line(world: &World, console: &Console) {
    let at_p1 = |incident: &Value| incident["priority"] == "P1";
    let incident = console.wait_for("beta", "db-1", "at P1", LONG, at_p1).await;
    let raised = |sms: &Sms| sms.to == PARK.phone && sms.content.starts_with("[P1 RAISED]");
    world.sens.wait_for("the raise to P1 for Park", SOON, raised).await;
    assert_eq!(
        world.judge.about("db-1").await,
        ["firing P3", "raised P2", "raised P1"],
        "straight up the ladder"
    );
    let id = text(&incident, "id");
    let listed = console.cli(&["list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
    assert_eq!(text(&listed[0], "id"), id);
    console.cli(&["ack", id, "--by", "operator"]);
    let closed = console.cli(&["close", id, "--by", "operator", "--until-resolved"]);
    assert_eq!(closed["incident"]["state"], "closed", "{closed:#}");
    world
        .slack
        .wait_for("the closing in beta's room", SOON, |message| {
            message.channel == world.rooms.beta && message.contains("[P1] CLOSED")
        })
        .await;
}

/// What a router can see is answered at once; what only the store can see, or came past the routers, ends as a dead
/// letter. The good lines beside it are taken.
async fn bad_lines_are_refused_or_dead_lettered(world: &World, site: &Site) {
    let now = now_nanos();
    let body = format!("mixed,host=web-1 value=1 {now}\nbroken\nmixed,host=web-1 value=2 {}\n", now + 1);
    let answer = web::client()
        .post(format!("{}/api/v2/write?org=any&bucket=any&precision=ns", site.routers[0]))
        .header("Authorization", format!("Token {ACME_TOKEN}"))
        .body(body)
        .send()
        .await
        .expect("the router answers");
    let (status, text) = (answer.status(), answer.text().await.expect("an answer has a text"));
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(text.contains("line 2"), "the line is named: {text}");

    let send = async |line: &str| {
        world.kafka.send("metrics.acme", None, line.as_bytes(), &[]).await.expect("Kafka takes it")
    };
    send(&format!("conflict,host=web-1 value=1 {now}")).await;
    wait::holds("the field has its type", SOON, async || {
        let [one, two] = account::of_shards(&world.shards, "acme").await;
        one.keys().chain(two.keys()).any(|point| point.measurement == "conflict")
    })
    .await;
    let place = send(&format!("{} {}\nbroken past the routers", BAD[1], now + 1)).await;
    let letters = world.kafka.read("bongsu.deadletter", 2, SOON).await.expect("two dead letters");
    let mut letters: Vec<_> = letters.iter().map(|letter| (letter.text(), letter)).collect();
    letters.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(letters[0].0, "broken past the routers");
    assert!(letters[1].0.starts_with(BAD[1]), "{letters:#?}");
    for (number, (_, letter)) in [2, 1].into_iter().zip(&letters) {
        let key = format!("acme/{}/{}/{number}", place.0, place.1);
        assert_eq!(letter.key.as_deref(), Some(key.as_bytes()), "{letter:#?}");
        let header = |name: &str| letter.headers.iter().find(|(key, _)| key == name);
        assert_eq!(header("tenant").map(|(_, value)| value.as_slice()), Some(&b"acme"[..]));
        assert!(header("reason").is_some_and(|(_, reason)| !reason.is_empty()), "{letter:#?}");
    }
}

/// What Telegraf wrote is what the log has; what the log has is what the stores hold, each point in one of them.
async fn the_points_balance(world: &World, site: &Site, agents: &Agents) {
    let files = [("acme", &agents.acme_file), ("beta", &agents.beta_file)];
    for (tenant, file) in files {
        let topic = format!("metrics.{tenant}");
        let sent = account::of_file(file);
        assert!(sent.len() > 30, "Telegraf wrote {} points as {tenant}", sent.len());
        let bad = |line: &str| BAD.iter().any(|bad| line.starts_with(bad));
        let logged = account::of_topic(&world.kafka, &topic, bad).await;
        let from_telegraf: Points =
            logged.clone().into_iter().filter(|(point, _)| point.measurement == "cpu").collect();
        if let Some(difference) = account::difference(&topic, &sent, &from_telegraf) {
            panic!("{difference}");
        }
        let balanced = wait::until(SOON, async || {
            let [one, two] = account::of_shards(&world.shards, tenant).await;
            let both: Points = one.clone().into_iter().chain(two.clone()).collect();
            match account::difference(&format!("the shards of {tenant}"), &logged, &both) {
                Some(difference) => anyhow::bail!(difference),
                None => Ok(Some([one.len(), two.len()])),
            }
        })
        .await;
        let [one, two] = balanced.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(one > 0 && two > 0, "{tenant}: {one} points in s1, {two} in s2");
    }
    two_consumers_share_the_work(world, site).await;
}

/// The live account of every line that the log holds: read = stored + dead-lettered.
async fn two_consumers_share_the_work(world: &World, site: &Site) {
    let mut lines = 0;
    for topic in ["metrics.acme", "metrics.beta"] {
        let records = account::records_of_topic(&world.kafka, topic).await;
        lines += records.iter().map(|record| record.text().lines().count()).sum::<usize>();
    }
    let stored = wait::until(SOON, async || {
        let mut stored = Vec::new();
        for service in ["up", "consumer"] {
            stored.extend(site.metric(service, "bongsu_consumer_points_stored_total").await?);
        }
        let sum: f64 = stored.iter().sum();
        ensure!(sum == (lines - 2) as f64, "{stored:?} of {lines} lines, 2 of them bad");
        Ok(Some(stored))
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|count| *count > 0.0), "both consumers store: {stored:?}");
}

/// No page is doubled, nobody hears what is not theirs, and escalation stayed ended past its time.
async fn nobody_heard_more_than_they_should(world: &World, console: &Console) {
    let lee = world.sens.messages().into_iter().find(|sms| sms.to == LEE.phone);
    let paged = lee.expect("Lee was paged").at;
    let everyone = Duration::from_secs(ACKNOWLEDGE_WITHIN_SECS + 2);
    wait::holds("the time of the next escalation passes", SOON, async || {
        jiff::Timestamp::now().duration_since(paged) > jiff::SignedDuration::try_from(everyone).unwrap()
    })
    .await;
    for (Person { name, phone, .. }, heads) in [
        (KIM, &["[P1 FIRING]", "[P1 RESOLVED]"][..]),
        (LEE, &["[P1 ESCALATED]", "[P1 RESOLVED]"]),
        (PARK, &["[P2 RAISED]", "[P1 RAISED]"]),
    ] {
        assert_eq!(world.heads_to(phone), heads, "what {name} heard");
    }
    let roots = |room: &str| {
        let messages = world.slack.messages().into_iter();
        messages.filter(|message| message.channel == room && message.thread_ts.is_none()).count()
    };
    assert_eq!((roots(&world.rooms.acme), roots(&world.rooms.beta)), (1, 1));
    for tenant in ["acme", "beta"] {
        let incidents = console.incidents(tenant).await.expect("the API answers");
        assert_eq!(incidents.len(), 1, "{tenant}: {incidents:#?}");
    }
    for journal in [world.slack.journal(), world.sens.journal()] {
        assert!(journal.refused().is_empty(), "a provider refused: {}", journal.describe());
    }
}
