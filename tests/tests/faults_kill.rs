//! kill -9 of each service once, at random moments of an incident's life, and its start at once.
//!
//! `BONGSU_KILL_RUNS=20 cargo test -p tests --test faults_kill -- --nocapture` is the long command; without the
//! variable there are two runs, one with a process for each service and one with two. `BONGSU_KILL_SEED=N` repeats the
//! run that printed that seed (with `BONGSU_KILL_RUNS=1`).

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

mod e2e;

use std::time::{Duration, Instant};

use e2e::account::{self, Points};
use e2e::catalogue::{ACME_TOKEN, KIM, LEE};
use e2e::console::Console;
use e2e::oracle::{HOST, Oracle, now_nanos};
use e2e::site::{Pace, Process, Site};
use e2e::world::{World, head};
use e2e::{LONG, SOON};
use tests::slack::Press;
use tests::{Postgres, wait};

const SERVICES: [&str; 4] = ["router", "consumer", "evaluator", "notifier"];
const RUNS: &str = "BONGSU_KILL_RUNS";
const SEED: &str = "BONGSU_KILL_SEED";
/// From the load's beginning to the acknowledgement it takes some 35 s.
const MOMENTS_MILLIS: u64 = 42_000;
/// What a service of the tests may take to be itself again: its group's session, and a start.
const PACE: Pace = Pace {
    session: Duration::from_secs(6),
    lease: Duration::from_secs(5),
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_each_service_loses_nothing_and_pages_once() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect(name))
    };
    let runs = number(RUNS).unwrap_or(2);
    let first = number(SEED).unwrap_or_else(|| now_nanos().unsigned_abs() % 1_000_000);
    for seed in first..first + runs {
        eprintln!("faults_kill: {SEED}={seed}");
        let begun = Instant::now();
        run(seed).await;
        eprintln!(
            "faults_kill: {SEED}={seed} passed in {:.0} s",
            begun.elapsed().as_secs_f64()
        );
    }
}

async fn run(seed: u64) {
    let replicas = 1 + usize::try_from(seed % 2).expect("0 or 1");
    let (world, postgres) = if replicas == 1 {
        (World::start_patient().await, None)
    } else {
        let (world, postgres) = tokio::join!(World::start_patient(), Postgres::start());
        (world, Some(postgres))
    };
    let mut site = Site::separate(&world, &SERVICES, replicas, postgres.as_ref(), PACE).await;
    let console = site.console();
    world.the_templates_are_in_force().await;
    let oracle = Oracle::start(site.routers.clone(), ACME_TOKEN, Some(&world.kafka));
    wait::holds("the oracle is heard", SOON, async || {
        oracle.promises() > 100
    })
    .await;

    oracle.busy();
    tokio::join!(
        kill_each_service_once(&mut site.processes, Dice(seed)),
        paged_and_acknowledged(&world, &console)
    );
    oracle.calm();
    recovered(&world, &console).await;
    let promised = oracle.stop().await;

    every_promise_is_kept(&world, &promised).await;
    assert_eq!(world.judge.about(HOST).await, ["firing P1", "resolved -"]);
    let events = world.judge.agrees(LONG).await;
    assert_eq!(events, 2, "it fired and recovered");
    each_person_was_told_once_or_warned_of_a_repeat(&world);
    site.terminate().await;
}

/// One process of each service, in the order of the dice.
async fn kill_each_service_once(processes: &mut [Process], mut dice: Dice) {
    let mut plan: Vec<(Duration, &'static str, usize)> = SERVICES
        .iter()
        .map(|service| {
            let moment = Duration::from_millis(dice.below(MOMENTS_MILLIS));
            let replicas = processes
                .iter()
                .filter(|process| process.service == *service)
                .count();
            let which = dice.below(u64::try_from(replicas).expect("a small number"));
            (
                moment,
                *service,
                usize::try_from(which).expect("a small number"),
            )
        })
        .collect();
    plan.sort();
    let begun = Instant::now();
    for (moment, service, which) in plan {
        tokio::time::sleep_until((begun + moment).into()).await;
        let mut of_service = processes
            .iter_mut()
            .filter(|process| process.service == service);
        let process = of_service
            .nth(which)
            .expect("the dice know how many there are");
        process.bongsu.kill();
        eprintln!(
            "faults_kill: killed {service} {which} at {:.2} s",
            begun.elapsed().as_secs_f64()
        );
        process.bongsu.start_again().await;
    }
}

/// The first person is paged, then the second, who presses the button until something happens.
async fn paged_and_acknowledged(world: &World, console: &Console) {
    let page = |phone: &'static str| move |sms: &tests::sens::Sms| sms.to == phone;
    world
        .sens
        .wait_for("a page for Kim", LONG, page(KIM.phone))
        .await;
    world
        .sens
        .wait_for("a page for Lee", LONG, page(LEE.phone))
        .await;
    let room = &world.rooms.acme;
    let page = world
        .slack
        .wait_for("the page in the room", LONG, |message| {
            message.channel == *room
        })
        .await;
    // As the page was when it came: the button is gone as soon as somebody has it.
    let pressed = world.slack.block_actions(&page, "acknowledge", LEE.slack);
    let acknowledged = wait::until(LONG, async || {
        let incidents = console.incidents("acme").await?;
        if incidents
            .first()
            .is_some_and(|incident| incident["state"] == "acknowledged")
        {
            return Ok(Some(()));
        }
        let seconds = now_nanos().unsigned_abs() / 1_000_000_000;
        console.press(&Press::signed(&pressed, seconds)).await?;
        Ok(None)
    });
    acknowledged
        .await
        .unwrap_or_else(|error| panic!("nobody could acknowledge: {error:#}"));
}

async fn recovered(world: &World, console: &Console) {
    for person in [KIM, LEE] {
        world
            .sens
            .wait_for(&format!("the recovery for {}", person.name), LONG, |sms| {
                sms.to == person.phone && sms.content.starts_with("[P1 RESOLVED")
            })
            .await;
    }
    let closed = |incident: &serde_json::Value| incident["state"] == "closed";
    console.wait_for("acme", HOST, "closed", LONG, closed).await;
}

/// Every point that was promised is stored with its value; nothing was dead-lettered, for nothing was bad.
async fn every_promise_is_kept(world: &World, promised: &Points) {
    let kept = wait::until(LONG, async || {
        let [one, two] = account::of_shards(&world.shards, "acme").await?;
        let mut stored: Points = one.into_iter().chain(two).collect();
        // What was stored without a promise was on its way when a process was killed.
        stored.retain(|point, _| promised.contains_key(point));
        match account::difference("the shards", promised, &stored) {
            Some(difference) => anyhow::bail!(difference),
            None => Ok(Some(())),
        }
    });
    kept.await
        .unwrap_or_else(|error| panic!("a promise is broken: {error:#}"));
    assert_eq!(
        world
            .kafka
            .count("bongsu.deadletter")
            .expect("Kafka answers"),
        0
    );
}

/// Never none; a second one says that it may be a repeat.
fn each_person_was_told_once_or_warned_of_a_repeat(world: &World) {
    for (person, wanted) in [
        (KIM, ["[P1 FIRING]", "[P1 RESOLVED]"]),
        (LEE, ["[P1 ESCALATED]", "[P1 RESOLVED]"]),
    ] {
        let mut told = Vec::new();
        for sms in world
            .sens
            .messages()
            .into_iter()
            .filter(|sms| sms.to == person.phone)
        {
            let head = head(&sms.content);
            let repeat = told.contains(&head);
            assert!(
                !repeat || sms.content.contains("possible repeat"),
                "{} was told twice without a warning: {}",
                person.name,
                sms.content
            );
            if !repeat {
                told.push(head);
            }
        }
        assert_eq!(told, wanted, "what {} was told", person.name);
    }
    let room = world
        .slack
        .messages()
        .into_iter()
        .filter(|message| message.channel == world.rooms.acme && message.thread_ts.is_none());
    let unmarked = room.filter(|message| !message.contains("possible repeat"));
    assert_eq!(unmarked.count(), 1, "{:#?}", world.slack.messages());
}

/// Random numbers that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
