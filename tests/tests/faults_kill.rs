//! Row 1 of the table of faults: kill -9 of each service at random moments of an incident's life, and its start at once,
//! while eight tenants write to two shards.
//!
//! `BONGSU_KILL_RUNS=20 cargo test -p tests --test faults_kill -- --nocapture` is the long command; without the
//! variable there are two runs, one with a process for each service and one with two. `BONGSU_KILL_SEED=N` repeats the
//! run that printed that seed (with `BONGSU_KILL_RUNS=1`). `BONGSU_KILL_TIMES=4` kills each service as often in a run: one
//! of the four every 3 s.

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
use sha2::{Digest, Sha256};
use tests::oracle::{Agent, Judge, Ledger, Load, Producer, Shelf};
use tests::slack::Press;
use tests::workdir::Workdir;
use tests::{Bongsu, Dice, Postgres, wait};

const SERVICES: [&str; 4] = ["router", "consumer", "evaluator", "notifier"];
const RUNS: &str = "BONGSU_KILL_RUNS";
const SEED: &str = "BONGSU_KILL_SEED";
const TIMES: &str = "BONGSU_KILL_TIMES";
/// Beside acme and beta.
const MORE_TENANTS: usize = 6;
/// All tenants together.
const POINTS_PER_S: u64 = 320;
/// What the design gives everything to be stored after the last kill.
const DRAINED: Duration = Duration::from_secs(120);
/// From the load's beginning to the acknowledgement it takes some 35 s.
const MOMENTS_MILLIS: u64 = 42_000;
/// What a service of the tests may take to be itself again: its group's session, and a start.
const PACE: Pace = Pace {
    session: Duration::from_secs(6),
    lease: Duration::from_secs(5),
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_each_service_loses_nothing_and_pages_once() {
    let runs = number(RUNS).unwrap_or(2);
    let first = Dice::seed(SEED);
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

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok();
    text.map(|text| text.parse().expect(name))
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

    let load = Load::new(agents(&world), site.routers.clone(), POINTS_PER_S);
    load.is_known(SOON).await;
    let producer = Producer::start(&load);

    oracle.busy();
    tokio::join!(
        kill_the_services(&mut site.processes, Dice::of(seed)),
        paged_and_acknowledged(&world, &console)
    );
    oracle.calm();
    recovered(&world, &console).await;
    let (promised, ledger) = tokio::join!(oracle.stop(), producer.stop());

    every_promise_is_kept(&world, &promised).await;
    every_tenant_has_its_points(&world, &ledger).await;
    assert_eq!(world.judge.about(HOST).await, ["firing P1", "resolved -"]);
    let events = world.judge.agrees(LONG).await;
    assert_eq!(events, 2, "it fired and recovered");
    each_person_was_told_once_or_warned_of_a_repeat(&world);
    site.terminate().await;
}

/// More tenants, and an agent for each of all.
fn agents(world: &World) -> Vec<Agent> {
    let agent = |tenant: &str, token: &str| Agent {
        tenant: tenant.to_owned(),
        token: token.to_owned(),
    };
    let mut agents = vec![agent("acme", ACME_TOKEN), agent("beta", &world.beta_token)];
    let mut catalogue = String::new();
    for number in 0..MORE_TENANTS {
        let (tenant, token) = (
            format!("more-{number}"),
            format!("bongsu_more-{number}_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"),
        );
        let hash = hex::encode(Sha256::digest(&token));
        catalogue += &format!(
            "---\ntenant: {tenant}\nescalation_policy: beta\ntokens: [{{sha256: {hash}}}]\n"
        );
        agents.push(agent(&tenant, &token));
    }
    let folder = Workdir::new("more-tenants");
    let file = folder.write("tenants.yaml", &catalogue);
    let file = file.to_str().expect("temporary folders have plain names");
    Bongsu::run(
        &["apply", "-f", file, "--kafka", &world.kafka.brokers()],
        &[],
    )
    .expect("the tenants can be declared");
    agents
}

/// The processes of each service in the order of the dice.
async fn kill_the_services(processes: &mut [Process], mut dice: Dice) {
    let times = number(TIMES).unwrap_or(1);
    let kills = (0..times).flat_map(|_| SERVICES);
    let mut plan: Vec<(Duration, &'static str, usize)> = kills
        .map(|service| {
            let moment = Duration::from_millis(dice.below(MOMENTS_MILLIS));
            let of_service = processes.iter();
            let replicas = of_service
                .filter(|process| process.service == service)
                .count();
            let which = dice.below(u64::try_from(replicas).expect("a small number"));
            let which = usize::try_from(which).expect("a small number");
            (moment, service, which)
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

/// What the eight agents were promised is stored, each point once and as it was sent.
async fn every_tenant_has_its_points(world: &World, ledger: &Ledger) {
    let judge = Judge {
        shelves: world.shards.iter().map(Shelf::Influxdb).collect(),
        kafka: &world.kafka,
        copies: 1,
    };
    let balance = judge.keeps(ledger, DRAINED).await;
    eprintln!(
        "faults: row 1: {balance}; longest time without a promise {:.1} s",
        ledger.longest_gap().as_secs_f64()
    );
    assert_eq!(ledger.accounts.len(), 2 + MORE_TENANTS);
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
