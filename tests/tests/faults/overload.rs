//! Row 30: ten times more than tenants may send, into a store that takes less than what is taken.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tests::stand_in::Reply;
use tests::{Bongsu, wait, web};

use super::plane::{DRAINED, Plane, SOON, Setup, token};
use super::{alone, figure, scale};

/// Points a second that four tenants may send together, and what one of them is declared to; they send ten times as
/// many. What half an hour of it promises has to be held and looked at by this test, so the full form allows less.
const ALLOWED: (u64, &str) = (5_000, "limits: {points_per_s: 1250}\n");
const ALLOWED_FOR_LONG: (u64, &str) = (1_000, "limits: {points_per_s: 250}\n");
/// Bytes of requests that a router may hold.
const ROUTER_BYTES: u64 = 32 << 20;
/// Bytes of records that a consumer may hold, and that its client may fetch ahead.
const CONSUMER_BYTES: u64 = (4 << 20) + (1 << 20);
/// Within this somebody is told of another tenant's P1, at any time.
const TOLD: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn row_30_ten_times_too_much_is_refused_loses_nothing_and_delays_no_p1_of_others() {
    let _turn = alone().await;
    let (allowed, limits) = scale(ALLOWED, ALLOWED_FOR_LONG);
    let plane = Plane::start(Setup {
        stores: 2,
        tenants: 8,
        tenant: limits,
        // Each point of the oracle is a series of its own: half an hour of them is more than any tenant has.
        router: "  body_bytes: 1048576\n  body_unpacked_bytes: 2097152\n  in_flight_bytes: 33554432\n  \
                 series_window: 1m\n",
        consumer: "  session_timeout: 6s\n  drain: 4s\n  buffer_bytes: 4194304\n  prefetch_bytes: 1048576\n  \
                   batch_lines: 500\n  handoff: false\n",
        ..Setup::default()
    })
    .await;
    plane.apply(
        "template: on-fire\ntitle: fire on {host}\napplies_to: {measurement: fire}\none_alert_per: [host]\n\
         check: v\nover: each point\nlevels: {P1: {above: 90}}\n",
    );
    let mut evaluator = plane.process("evaluator", "  session_timeout: 6s\n  drain: 4s\n");
    let notifier = "  inbox: true\n  database: {sqlite: \"{dir}/incidents.db\"}\n";
    let mut notifier = plane.process("notifier", notifier);
    evaluator.ready().await;
    notifier.ready().await;
    // Points from before the rule's mark in their partition are not judged by it.
    wait::holds("the rule is in force", SOON, async || {
        set_on_fire(&plane, "kindling").await;
        is_told(&notifier, "kindling").await
    })
    .await;
    let quiet = p1(&plane, &notifier, 0).await;
    let before = memory(&plane);
    // Writes of at most 500 lines: what is taken waits in the log.
    let slow = scale(Duration::from_millis(500), Duration::from_secs(5));
    plane.stores[0].script(move |_| Reply::stored().after(slow));
    let mut load = plane.load(10 * allowed);
    // Those whose points are in the slow store.
    load.agents = load.agents.into_iter().step_by(2).collect();
    load.give_up = true;
    let producer = plane.produce(&load).await;
    let (began, lasting) = (
        Instant::now(),
        scale(Duration::from_secs(25), Duration::from_secs(1_800)),
    );
    let (mut told, mut held) = (Vec::new(), 0);
    while began.elapsed() < lasting {
        told.push(p1(&plane, &notifier, told.len() + 1).await);
        held = held.max(held_by_consumer(&plane).await);
    }
    let ledger = producer.stop().await;
    let offered: u64 = ledger
        .answers()
        .map(|answer| answer.numbers.end - answer.numbers.start)
        .sum();
    let offered = offered / began.elapsed().as_secs().max(1);
    plane.stores[0].heal();
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let grown = memory(&plane);
    let statuses = ledger.statuses();
    let slowest = told.iter().max().copied().unwrap_or_default();
    let grew = |service: &str| grown[service].saturating_sub(before[service]) >> 20;
    figure(
        "30",
        format_args!(
            "{offered} points a second offered, {allowed} allowed, answers {statuses:?}; {} P1 of another tenant in the inbox after at \
             most {slowest:.1?} ({quiet:.1?} before); the consumer held at most {held} bytes of {CONSUMER_BYTES}; \
             memory grew by {} MiB (router, cap {} MiB) and {} MiB (consumer); {balance}",
            told.len(),
            grew("router"),
            ROUTER_BYTES >> 20,
            grew("consumer"),
        ),
    );
    assert!(slowest <= TOLD, "{slowest:?}");
    assert!(
        statuses.get("429").is_some_and(|refused| *refused > 0),
        "{statuses:?}"
    );
    assert!(held <= CONSUMER_BYTES + CONSUMER_BYTES / 10, "{held}");
    let router = grown["router"].saturating_sub(before["router"]);
    assert!(router <= ROUTER_BYTES + ROUTER_BYTES / 10, "{router}");
}

/// The peak of each service's memory, in bytes.
fn memory(plane: &Plane) -> BTreeMap<&'static str, u64> {
    let peak = |process: &Bongsu| process.peak_memory().expect("it runs");
    [
        ("router", peak(&plane.routers[0])),
        ("consumer", peak(&plane.consumers[0])),
    ]
    .into()
}

/// The bytes that the consumer says it holds.
async fn held_by_consumer(plane: &Plane) -> u64 {
    let said = plane.consumers[0]
        .metric("bongsu_consumer_buffered_bytes", "")
        .await;
    // Whole bytes, far below what a float holds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let bytes = said.expect("it says what it holds") as u64;
    bytes
}

/// Sets a host of another tenant on fire, and says how long it took until that was in the inbox.
async fn p1(plane: &Plane, notifier: &Bongsu, number: usize) -> Duration {
    let (host, began) = (format!("burning-{number}-"), Instant::now());
    // Its agent sends again what was not taken, as after a 503 of a topic that nobody wrote to before.
    wait::holds("a neighbour of the flood is taken", TOLD, async || {
        set_on_fire(plane, &host).await
    })
    .await;
    wait::holds("the P1 is in the inbox", TOLD + SOON, async || {
        is_told(notifier, &host).await
    })
    .await;
    began.elapsed()
}

/// Whether a router took it.
async fn set_on_fire(plane: &Plane, host: &str) -> bool {
    let write = web::client()
        .post(format!("{}/api/v2/write", plane.routers[0].url()))
        .header("Authorization", format!("Token {}", token(1)))
        .body(format!("fire,host={host} v=95"));
    let answer = write.send().await;
    answer.is_ok_and(|answer| answer.status().as_u16() == 204)
}

async fn is_told(notifier: &Bongsu, host: &str) -> bool {
    let inbox = web::client().get(format!("{}/inbox", notifier.url()));
    let Ok(answer) = inbox.send().await else {
        return false;
    };
    answer.text().await.unwrap_or_default().contains(host)
}
