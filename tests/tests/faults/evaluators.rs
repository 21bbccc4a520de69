//! Rows 13 and 16: evaluators that are killed inside of windows, and that sleep through a take-over, over a real Kafka with
//! real rebalances.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use tests::kafka::Plan;
use tests::{Bongsu, Dice, wait, web};
use tokio::task::JoinHandle;

use super::alerts::Judge;
use super::plane::{DRAINED, Plane, SOON, Setup};
use super::{dice, figure, scale, turn};

const TOPIC: &str = "metrics.t0";
/// How long the group waits for a member that says nothing.
const SESSION: Duration = Duration::from_secs(3);
const MEMBER: &str =
    "  session_timeout: 3s\n  drain: 2s\n  state_interval: 1s\n  caught_up_every: 1s\n";
const HOSTS: u64 = 12;
/// So much event time is in a record: two windows of the template.
const MINUTE: u64 = 60;
/// Between two records of each host.
const PACE: Duration = Duration::from_millis(250);

/// CPU above 90 for three grid points is P1, above 70 P2.
const TEMPLATES: &str = concat!(
    include_str!("../../data/cpu-usage.yaml"),
    "---
template: host-down
title: '{host} does not report'
applies_to: {measurement: any}
one_alert_per: [host]
check: time_since_last_point
unit: seconds
every: 1s
interval: 1s
levels:
  P1: {above: 7d}
expire_after: 8d
",
);

/// A tenant with three partitions, and nobody who stores its points.
async fn log() -> Plane {
    let plane = Plane::start(Setup {
        kafka: Plan {
            settings: "group.min.session.timeout.ms=1000",
            ..Plan::default()
        },
        partitions: 3,
        routers: 0,
        consumers: 0,
        tenant: "evaluation: {tick: 1s, lateness: 2s}\n",
        ..Setup::default()
    })
    .await;
    plane.apply(TEMPLATES);
    plane
}

async fn two_evaluators(plane: &Plane) -> Vec<Bongsu> {
    let mut both = vec![
        plane.process("evaluator", MEMBER),
        plane.process("evaluator", MEMBER),
    ];
    for one in &mut both {
        one.ready().await;
    }
    both
}

/// Sends a record of every host again and again: six points of a minute, of a usage that `usage` says of host and minute.
struct Points {
    stop: Arc<AtomicBool>,
    minute: Arc<AtomicU64>,
    task: JoinHandle<Result<u64>>,
}

impl Points {
    fn start(plane: &Plane, mut usage: impl FnMut(u64, u64) -> u64 + Send + 'static) -> Self {
        let config = plane.kafka.config();
        let producer: FutureProducer = config.create().expect("a client can be made");
        let stop = Arc::new(AtomicBool::new(false));
        let minute = Arc::new(AtomicU64::new(0));
        let (stopped, sent) = (Arc::clone(&stop), Arc::clone(&minute));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("it is after 1970").as_secs();
        // Event time runs faster than the clock, and must not come to be ahead of it.
        let begin = (now - 28 * 86_400) / MINUTE * MINUTE;
        let task = tokio::spawn(async move {
            let mut minute = 0;
            while !stopped.load(Ordering::Relaxed) {
                for host in 0..HOSTS {
                    let (name, usage) = (format!("web-{host}"), usage(host, minute));
                    let lines: String = (0..6)
                        .map(|n| {
                            let at = begin + minute * MINUTE + n * 10;
                            format!("cpu,host={name} usage={usage} {at}000000000\n")
                        })
                        .collect();
                    let record = FutureRecord::to(TOPIC).key(&name).payload(&lines);
                    let sent = producer.send(record, SOON).await;
                    sent.map_err(|(error, _)| error)?;
                }
                minute += 1;
                sent.store(minute, Ordering::Relaxed);
                tokio::time::sleep(PACE).await;
            }
            Ok(minute)
        });
        Self { stop, minute, task }
    }

    /// As [`Points::stop`], once there are a few more minutes than so many.
    async fn reach(self, minutes: u64, within: Duration) -> u64 {
        wait::holds("so many minutes are sent", within, async || {
            self.task.is_finished() || self.minute.load(Ordering::Relaxed) > minutes + 5
        })
        .await;
        self.stop().await
    }

    /// How many minutes of each host were sent.
    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.task.await.expect("the sender does not panic");
        sent.expect("Kafka takes what is sent")
    }
}

/// Something was told; so evaluation has begun.
async fn events_come(plane: &Plane, count: usize) {
    wait::holds("events are told", DRAINED, async || {
        plane
            .kafka
            .count("bongsu.alerts")
            .is_ok_and(|told| told > count)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_13_killed_inside_of_windows_the_events_are_those_of_a_fresh_evaluator() {
    let _turn = turn().await;
    let plane = log().await;
    let mut evaluators = two_evaluators(&plane).await;
    let mut dice = dice("13");
    let mut usages = dice.clone();
    let points = Points::start(&plane, move |_, _| {
        [20, 75, 95, 95][usages.below(4) as usize]
    });
    events_come(&plane, 20).await;
    let kills = scale(6, 100);
    let mut taken_over = 0;
    for _ in 0..kills {
        // Where the kill falls shall differ; nothing waits for this.
        tokio::time::sleep(Duration::from_millis(dice.below(1_500))).await;
        let victim = &mut evaluators[usize::from(dice.below(2) == 0)];
        victim.kill();
        // Every other one stays away for so long that the other member is given what it had.
        if dice.below(2) == 0 {
            tokio::time::sleep(SESSION + Duration::from_millis(dice.below(1_500))).await;
            taken_over += 1;
        }
        victim.start_again().await;
    }
    let minutes = points.stop().await;
    let told = plane
        .kafka
        .count("bongsu.alerts")
        .expect("the topic is there");
    let distinct = Judge::of_kafka(&plane.kafka).agrees(DRAINED).await;
    figure(
        "13",
        format_args!(
            "{kills} kills, {taken_over} of them taken over by the other evaluator; {} minutes of points, {distinct} distinct \
             events in {told} records, byte for byte those of a fresh evaluator",
            minutes * HOSTS
        ),
    );
    assert!(distinct > 50, "only {distinct} events prove little");
    for one in &mut evaluators {
        let ended = one.terminate(SOON).await.expect("it drains");
        assert!(ended.success(), "{}", one.log());
    }
}

/// One alert for all hosts of the tenant, which lie in its three partitions.
const OF_ALL: &str = "
template: all-hosts
title: 'CPU usage of {tenant}'
applies_to: {measurement: cpu}
one_alert_per: [tenant]
check: usage
over: average of 1m
interval: 10s
levels:
  P1: {above: 60, until_below: 50}
";

/// Grid points are full minutes: the first one is not reported, the next is, and it may come a window late.
const MINUTES: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_all_partitions_are_one_group_whoever_is_killed() {
    let _turn = turn().await;
    let plane = log().await;
    plane.apply(OF_ALL);
    let mut evaluators = two_evaluators(&plane).await;
    let producer: FutureProducer = plane.kafka.config().create().expect("a client can be made");
    let usage = Arc::new(AtomicU64::new(90));
    let stop = Arc::new(AtomicBool::new(false));
    let (now_at, stopped) = (Arc::clone(&usage), Arc::clone(&stop));
    let sending = tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            for host in 0..HOSTS {
                let name = format!("web-{host}");
                // Some are low all the time: by itself no partition knows the average.
                let usage = if host % 4 == 0 {
                    10
                } else {
                    now_at.load(Ordering::Relaxed)
                };
                let at = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .expect("it is after 1970");
                let line = format!("cpu,host={name},env=prod usage={usage} {}", at.as_nanos());
                let record = FutureRecord::to(TOPIC).key(&name).payload(&line);
                producer
                    .send(record, SOON)
                    .await
                    .expect("Kafka takes what is sent");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let judge = Judge::of_kafka(&plane.kafka);
    let told = async || judge.of_group(("tenant", "t0")).await;
    wait::holds("it fires", MINUTES, async || told().await == ["firing P1"]).await;
    evaluators[0].kill();
    usage.store(20, Ordering::Relaxed);
    let both = ["firing P1", "resolved -"];
    wait::holds("it is over", MINUTES, async || told().await == both).await;
    stop.store(true, Ordering::Relaxed);
    sending.await.expect("the sender does not panic");
    let distinct = judge.agrees(DRAINED).await;
    assert_eq!(told().await, both);
    figure(
        "13",
        format_args!(
            "{HOSTS} hosts of three partitions as one group: {both:?}, an evaluator killed between, {distinct} events in all"
        ),
    );
    let ended = evaluators[1].terminate(SOON).await.expect("it drains");
    assert!(ended.success(), "{}", evaluators[1].log());
}

/// The incidents of the tenant with their deliveries.
async fn incidents(notifier: &Bongsu) -> Result<Vec<Value>> {
    let get = async |path: &str| -> Result<Value> {
        let url = format!("{}/api/v1/incidents{path}", notifier.url());
        let answer = web::client().get(url).send().await?.error_for_status()?;
        Ok(serde_json::from_str(&answer.text().await?)?)
    };
    let list = get("?tenant=t0&limit=500").await?;
    let mut incidents = Vec::new();
    for one in list["incidents"].as_array().into_iter().flatten() {
        let id = one["id"].as_str().unwrap_or_default();
        incidents.push(get(&format!("/{id}")).await?);
    }
    Ok(incidents)
}

/// How often each destination was sent each message of an incident.
fn pages(incident: &Value) -> BTreeMap<String, usize> {
    let mut pages = BTreeMap::new();
    for delivery in incident["deliveries"].as_array().into_iter().flatten() {
        let field = |name: &str| delivery[name].to_string();
        let page = format!("{} {} {}", field("purpose"), field("channel"), field("to"));
        *pages.entry(page).or_default() += 1;
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn row_16_an_evaluator_that_sleeps_through_a_take_over_pages_nobody_twice() {
    let _turn = turn().await;
    let plane = log().await;
    let evaluators = two_evaluators(&plane).await;
    let mut notifier = plane.process(
        "notifier",
        "  inbox: true\n  database: {sqlite: \"{dir}/incidents.db\"}\n",
    );
    notifier.ready().await;
    let rounds = scale(2, 20);
    let mut seed = dice("16");
    let bad = bad_from(&mut seed);
    let points = Points::start(&plane, move |host, minute| match bad.get(&host) {
        Some(from) if minute >= *from => 95,
        _ => 20,
    });
    wait::holds("a first incident is open", DRAINED, async || {
        incidents(&notifier).await.is_ok_and(|all| !all.is_empty())
    })
    .await;
    for round in 0..rounds {
        let frozen = &evaluators[round % 2];
        frozen.pause();
        tokio::time::sleep(2 * SESSION).await;
        frozen.resume();
        tokio::time::sleep(SESSION).await;
    }
    let minutes = points.reach(span(), DRAINED).await;
    let distinct = Judge::of_kafka(&plane.kafka).agrees(DRAINED).await;
    let all_open = usize::try_from(HOSTS).expect("a small number");
    wait::holds("every host has its incident", DRAINED, async || {
        let all = incidents(&notifier).await;
        all.is_ok_and(|all| all.len() == all_open && all.iter().all(|one| !pages(one).is_empty()))
    })
    .await;
    let told = plane
        .kafka
        .count("bongsu.alerts")
        .expect("the topic is there");
    let incidents = incidents(&notifier).await.expect("the notifier answers");
    let mut sent = 0;
    for incident in &incidents {
        for (page, times) in pages(incident) {
            assert_eq!(times, 1, "{page}: {incident:#}");
            sent += times;
        }
    }
    assert_eq!(incidents.len(), all_open);
    figure(
        "16",
        format_args!(
            "{rounds} times an evaluator froze for twice its session of {} s; {} minutes of points, {distinct} distinct events \
             in {told} records, {} incidents, {sent} pages, none twice",
            SESSION.as_secs(),
            minutes * HOSTS,
            incidents.len()
        ),
    );
}

/// The minutes in which hosts come to be in trouble.
fn span() -> u64 {
    scale(18, 180) * 3
}

/// From which minute on each host is in trouble, and stays there: while one of the evaluators is frozen, mostly.
fn bad_from(dice: &mut Dice) -> BTreeMap<u64, u64> {
    let mut bad: BTreeMap<u64, u64> = (0..HOSTS).map(|host| (host, dice.below(span()))).collect();
    bad.insert(0, 0);
    bad
}
