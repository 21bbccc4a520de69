//! The story that is played over every topology: two real Telegrafs, a CPU that gets busy, the people who hear of it,
//! the recovery, and the accounts at the end.

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::Value;
use tests::sens::Sms;
use tests::slack::Message;
use tests::wait;

use super::account;
use super::agents::{ACME_HOSTS, Agents, BETA_HOSTS};
use super::books::{
    bad_lines_are_refused_or_dead_lettered, nobody_heard_more_than_they_should, the_points_balance,
};
use super::catalogue::{ACKNOWLEDGE_WITHIN_SECS, KIM, LEE, PARK};
use super::console::{Console, text};
use super::site::Site;
use super::world::World;
use super::{LONG, SOON};

const BUTTON: &str = "acknowledge";

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
    assert_eq!(
        events, 5,
        "acme fired and recovered, beta climbed three rungs"
    );
}

/// And enough of them that the windows are full: the load is judged against calm, not against nothing.
async fn points_of_both_tenants_are_in_both_shards(world: &World) {
    wait::until(SOON + SOON, async || {
        for (tenant, host) in [("acme", ACME_HOSTS[0]), ("beta", BETA_HOSTS[0])] {
            let [one, two] = account::of_shards(&world.shards, tenant).await?;
            let of_host = one
                .keys()
                .chain(two.keys())
                .filter(|point| point.tags["host"] == host);
            let calm = of_host.count();
            let (one, two) = (one.len(), two.len());
            ensure!(
                one > 0 && two > 0,
                "{tenant}: {one} points in s1, {two} in s2"
            );
            ensure!(calm > 10, "{host} has {calm} points");
        }
        Ok(Some(()))
    })
    .await
    .unwrap_or_else(|error| panic!("points are not stored: {error:#}"));
}

async fn the_first_person_is_paged(world: &World, console: &Console) -> Message {
    let deadline = LONG;
    let sms = world
        .sens
        .wait_for("a page for Kim", deadline, |sms| sms.to == KIM.phone)
        .await;
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
    assert!(
        page.blocks
            .as_array()
            .is_some_and(|blocks| blocks.len() >= 3),
        "{page:#?}"
    );
    let incident = console
        .wait_for("acme", "web-1", "open", SOON, |incident| {
            incident["state"] == "open"
        })
        .await;
    assert_eq!(incident["priority"], "P1");
    assert_eq!(incident["template"], "cpu-usage");
    assert_eq!(world.judge.about("web-1").await, ["firing P1"]);
    page
}

async fn the_second_person_is_paged_when_nobody_acknowledges(world: &World, console: &Console) {
    let sms = world
        .sens
        .wait_for("a page for Lee", SOON, |sms| sms.to == LEE.phone)
        .await;
    assert!(sms.content.starts_with("[P1 ESCALATED]"), "{}", sms.content);
    let first = world
        .sens
        .messages()
        .into_iter()
        .find(|sms| sms.to == KIM.phone);
    let waited = sms
        .at
        .duration_since(first.expect("Kim was paged").at)
        .as_secs_f64();
    let within = ACKNOWLEDGE_WITHIN_SECS as f64;
    assert!(
        waited > within / 2.0,
        "Lee was paged {waited} s after Kim, who has {within} s"
    );
    let open = |incident: &Value| incident["state"] == "open";
    console
        .wait_for("acme", "web-1", "still open", SOON, open)
        .await;
}

/// Lee presses it; a forged press before that does nothing.
async fn the_button_acknowledges(world: &World, console: &Console, page: &Message) {
    let press = world.slack.press(page, BUTTON, LEE.slack);
    let mut forged = press.clone();
    forged.signature = format!("v0={}", "0".repeat(64));
    let answer = console
        .press(&forged)
        .await
        .expect("a forged press is answered");
    assert_eq!(answer, StatusCode::UNAUTHORIZED);
    let answer = console
        .press(&press)
        .await
        .expect("Slack is answered in time");
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
    let incident = console
        .wait_for("beta", "db-1", "open", LONG, |_| true)
        .await;
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
        .wait_for("acme", "web-1", "closed", SOON, |incident| {
            incident["state"] == "closed"
        })
        .await;
    assert_eq!(incident["firing"], false, "{incident:#}");
    assert_eq!(
        world.judge.about("web-1").await,
        ["firing P1", "resolved -"]
    );
    let listed = console.cli(&["list", "--state", "closed", "--tenant", "acme"]);
    let ids: Vec<&str> = listed
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| text(one, "id"))
        .collect();
    assert_eq!(ids, [text(&incident, "id")]);
}

async fn beta_climbs_to_p1_and_is_handled_on_the_command_line(world: &World, console: &Console) {
    let at_p1 = |incident: &Value| incident["priority"] == "P1";
    let incident = console.wait_for("beta", "db-1", "at P1", LONG, at_p1).await;
    let raised = |sms: &Sms| sms.to == PARK.phone && sms.content.starts_with("[P1 RAISED]");
    world
        .sens
        .wait_for("the raise to P1 for Park", SOON, raised)
        .await;
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
