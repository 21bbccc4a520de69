//! Rows 10, 12 and 39: members that come, go, freeze and stop, and a log that forgets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tests::kafka::Plan;
use tests::oracle::Numbered;
use tests::wait;

use super::plane::{DRAINED, Plane, SOON, Setup};
use super::{figure, scale, turn};

const GROUP: &str = "bongsu-consumer";
const QUICK_GROUP: &str = "  session_timeout: 3s\n  drain: 2s\n";

/// What was committed of a partition, as the answer that came at that time says.
struct Sample {
    answered: Instant,
    partition: i32,
    next: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_no_rebalance_commits_what_is_not_stored() {
    let _turn = turn().await;
    let plane = Plane::start(Setup {
        kafka: Plan {
            settings: "group.min.session.timeout.ms=1000",
            ..Plan::default()
        },
        partitions: 6,
        consumers: 2,
        consumer: QUICK_GROUP,
        ..Setup::default()
    })
    .await;
    let producer = plane.produce(&plane.load(500)).await;
    let mut samples = Vec::new();
    let rebalances = scale(6, 200);
    for round in 0..rebalances / 2 {
        let mut third = plane.process("consumer", QUICK_GROUP);
        third.ready().await;
        look(&plane, &mut samples, Duration::from_secs(3)).await;
        if round % 2 == 0 {
            third.terminate(SOON).await.expect("it drains");
        } else {
            third.kill();
        }
        look(&plane, &mut samples, Duration::from_secs(3)).await;
    }
    let frozen = scale(1, 10);
    for _ in 0..frozen {
        plane.consumers[0].pause();
        look(&plane, &mut samples, Duration::from_secs(6)).await;
        plane.consumers[0].resume();
        look(&plane, &mut samples, Duration::from_secs(3)).await;
    }
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    let ahead = ahead(&plane, &samples).await;
    figure(
        "10",
        format_args!(
            "{rebalances} rebalances, {frozen} members frozen past their session, {} commits looked at, {ahead} ahead \
             of the store; {balance}",
            samples.len()
        ),
    );
    assert_eq!(ahead, 0);
}

/// Asks what is committed, again and again, for so long.
async fn look(plane: &Plane, samples: &mut Vec<Sample>, during: Duration) {
    let began = Instant::now();
    while began.elapsed() < during {
        // A coordinator that is rebalancing says nothing for a moment.
        let committed = plane.kafka.committed(GROUP, "metrics.t0");
        let answered = Instant::now();
        for (partition, next, _) in committed.unwrap_or_default() {
            samples.push(Sample {
                answered,
                partition,
                next,
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Samples that had committed a point before the store had it: it came to the store after the answer. How long the answer
/// took says nothing, since it may be of any moment until it came.
async fn ahead(plane: &Plane, samples: &[Sample]) -> usize {
    let arrivals = plane.stores[0].arrivals("t0");
    let arrived: BTreeMap<u64, Instant> = arrivals
        .into_iter()
        .filter_map(|(line, at)| Some((Numbered::read(&line).ok()??.number, at)))
        .collect();
    // When everything up to an offset was in the store.
    let mut stored: BTreeMap<(i32, i64), Instant> = BTreeMap::new();
    for record in plane
        .kafka
        .read_all("metrics.t0")
        .await
        .expect("Kafka answers")
    {
        for line in record.text().lines() {
            if let Some(point) = Numbered::read(line).expect("the oracle's lines") {
                let place = stored.entry((record.partition, record.offset));
                let at = arrived[&point.number];
                let latest = place.or_insert(at);
                *latest = at.max(*latest);
            }
        }
    }
    let is_ahead = |sample: &&Sample| {
        let below = stored.range((sample.partition, 0)..(sample.partition, sample.next));
        below.into_iter().any(|(_, at)| *at > sample.answered)
    };
    samples.iter().filter(is_ahead).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn row_12_records_that_the_log_forgot_are_counted_and_never_silently_skipped() {
    let _turn = turn().await;
    let mut plane = Plane::start(Setup {
        partitions: 1,
        ..Setup::default()
    })
    .await;
    let topic = "metrics.t0";
    let send = async |plane: &Plane, number: usize| {
        let line = format!(
            "row,n={number} value={number}i {}",
            1_700_000_000_000_000_000 + number
        );
        let sent = plane.kafka.send(topic, None, line.as_bytes(), &[]).await;
        sent.expect("Kafka takes it").1
    };
    let first = send(&plane, 0).await;
    wait::holds("the first point is committed", SOON, async || {
        let committed = plane.kafka.committed(GROUP, topic).expect("Kafka answers");
        committed.iter().any(|(_, next, _)| *next == first + 1)
    })
    .await;
    plane.consumers[0].terminate(SOON).await.expect("it drains");
    for number in 1..=10 {
        send(&plane, number).await;
    }
    // A segment is closed by the first record behind its time.
    let forget = [
        ("segment.ms", "200"),
        ("retention.ms", "500"),
        ("message.timestamp.type", "LogAppendTime"),
    ];
    plane
        .kafka
        .set_topic(topic, &forget)
        .await
        .expect("Kafka takes it");
    let mut last = 10;
    wait::holds("the log forgets", DRAINED, async || {
        last += 1;
        send(&plane, last).await;
        plane
            .kafka
            .range(topic, 0)
            .is_ok_and(|(start, _)| start > first + 5)
    })
    .await;
    let keep = [
        ("retention.ms", "86400000"),
        ("message.timestamp.type", "LogAppendTime"),
    ];
    plane
        .kafka
        .set_topic(topic, &keep)
        .await
        .expect("Kafka takes it");
    plane.consumers[0].start_again().await;
    let after = send(&plane, last + 1).await;
    wait::holds("the last point is stored", SOON, async || {
        let lines = plane.stores[0].lines("t0");
        lines
            .iter()
            .any(|line| line.starts_with(&format!("row,n={} ", last + 1)))
    })
    .await;
    let lost = plane.consumers[0]
        .metric("bongsu_consumer_lost_records_total", "tenant=\"t0\"")
        .await
        .expect("it answers");
    let stored = plane.stores[0].count("t0");
    let missing = usize::try_from(after).expect("a small number") + 1 - stored;
    figure(
        "12",
        format_args!("{missing} records gone from the log unread, {lost} counted as lost"),
    );
    assert!(missing > 0);
    assert!(
        (lost - missing as f64).abs() < f64::EPSILON,
        "{lost} counted of {missing}"
    );
    assert!(
        plane.consumers[0].log().contains("lost_records"),
        "the log must say it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn row_39_sigterm_under_load_loses_nothing_and_repeats_nothing() {
    let _turn = turn().await;
    let mut plane = Plane::start(Setup {
        partitions: 6,
        routers: 2,
        consumers: 2,
        ..Setup::default()
    })
    .await;
    let producer = plane.produce(&plane.load(1_000)).await;
    let (rounds, mut slowest) = (scale(3, 50), Duration::ZERO);
    for round in 0..rounds {
        let before = producer.promised();
        wait::holds("points are promised", SOON, async || {
            producer.promised() > before + 1_000
        })
        .await;
        for service in [&mut plane.routers, &mut plane.consumers] {
            let one = &mut service[round % 2];
            let began = Instant::now();
            let status = one
                .terminate(Duration::from_secs(30))
                .await
                .expect("it drains in 30 s");
            slowest = slowest.max(began.elapsed());
            assert!(status.success(), "it ended with {status}");
            one.start_again().await;
        }
    }
    let ledger = producer.stop().await;
    let judge = plane.judge();
    let balance = judge.keeps(&ledger, DRAINED).await;
    let by_routers = judge
        .repeated_by_itself(&ledger, "t0")
        .await
        .expect("Kafka answers")
        .len();
    let by_consumers = plane.stores[0].repeated();
    let again = ledger.accounts["t0"].sent_again().count();
    figure(
        "39",
        format_args!(
            "{rounds} stops of a router and of a consumer, slowest {:.1} s; {balance}; {by_routers} repeated by \
             routers, {by_consumers} by consumers, {again} sent again by the agent",
            slowest.as_secs_f64()
        ),
    );
    assert_eq!(by_routers, 0);
    assert!(
        by_consumers <= again,
        "{by_consumers} points were stored twice"
    );
}
