//! Row 6: a store that is down, and what waits for it in Kafka.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tests::stand_in::Reply;
use tests::wait;

use super::plane::{DRAINED, Plane, SOON, Setup};
use super::shards::median_p99;
use super::{alone, dice, figure, scale, turn};

/// Series that are overwritten all the time, at one and the same time.
const OVERWRITTEN: i64 = 5;
/// What the design gives the lanes of a store that was down for as long.
const DRAIN: Duration = Duration::from_secs(600);
const HANDED_OFF: &str = "bongsu_consumer_handed_off_total";
const WAITING: &str = "bongsu_consumer_handoff_waiting_records";

/// Overwrites a few series of the first tenant until it is told to stop; returns the last value.
async fn overwrite(plane: &Plane, stop: &AtomicBool, value: &AtomicI64) {
    while !stop.load(Ordering::Relaxed) {
        let value = value.fetch_add(1, Ordering::Relaxed) + 1;
        let line = |n| format!("overwritten,host=h{n} value={value}i 1700000000000000000\n");
        let lines: String = (0..OVERWRITTEN).map(line).collect();
        // One key, so one partition.
        let sent = plane
            .kafka
            .send("metrics.t0", Some("one"), lines.as_bytes(), &[]);
        sent.await.expect("Kafka takes it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Each overwritten series holds what was sent last.
async fn the_last_value_is_held(plane: &Plane, last: i64, within: Duration) {
    let held = || {
        let lines = plane.stores[0].lines("t0");
        let lines = lines.into_iter();
        lines
            .filter(|line| line.starts_with("overwritten,"))
            .collect::<Vec<_>>()
    };
    let newest = |n| format!("overwritten,host=h{n} value={last}i 1700000000000000000");
    let newest: Vec<_> = (0..OVERWRITTEN).map(newest).collect();
    wait::holds("the last values are held", within, async || {
        held() == newest
    })
    .await;
}

/// Nothing waits, nothing is lost on the way, and the accounts of lanes and of partitions agree.
async fn the_accounts_balance(plane: &Plane) {
    let lines = async |fate: &str| {
        let labels = format!("fate=\"{fate}\"");
        let metric = "bongsu_consumer_handoff_lines";
        plane.consumers_say(metric, &labels).await
    };
    wait::until(SOON, async || {
        let (read, mut fates) = (lines("read").await?, 0.0);
        for fate in ["stored", "dead_lettered", "repeated", "fenced"] {
            fates += lines(fate).await?;
        }
        let metric = "bongsu_consumer_account_lines";
        let handed = plane.consumers_say(metric, "fate=\"handed_off\"").await?;
        let waiting = plane.consumers_say(WAITING, "").await?;
        anyhow::ensure!(
            waiting == 0.0 && read == fates && read >= handed && handed > 0.0,
            "{waiting} records wait; of {read} lines read {fates} have a fate, {handed} were handed off"
        );
        Ok(Some(()))
    })
    .await
    .unwrap_or_else(|error| panic!("the account of the handoff: {error:#}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_06_a_store_that_is_down_holds_nobody_and_is_filled_in_order_when_it_is_back() {
    let _turn = alone().await;
    let plane = Plane::start(Setup {
        stores: scale(2, 4),
        tenants: scale(2, 8),
        doors: true,
        consumer: scale(
            "  session_timeout: 6s\n  drain: 4s\n  handoff_after: 3s\n",
            "  session_timeout: 6s\n  drain: 4s\n",
        ),
        ..Setup::default()
    })
    .await;
    let mut load = plane.load(scale(400, 2_000));
    load.requests_per_s = 20;
    let producer = plane.produce(&load).await;
    let (stop, value) = (AtomicBool::new(false), AtomicI64::new(0));
    let story = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let began = Instant::now();
        tokio::time::sleep(scale(Duration::from_secs(10), Duration::from_secs(120))).await;
        let well = began..Instant::now();
        plane.doors[0].refuse();
        let began = Instant::now();
        wait::holds("lines are handed off", SOON + SOON, async || {
            plane
                .consumers_say(HANDED_OFF, "")
                .await
                .is_ok_and(|lines| lines > 0.0)
        })
        .await;
        let begun = began.elapsed();
        tokio::time::sleep(
            scale(Duration::from_secs(15), Duration::from_secs(600)) - begun.min(SOON),
        )
        .await;
        let ill = began..Instant::now();
        let handed = plane
            .consumers_say(HANDED_OFF, "")
            .await
            .expect("it answers");
        plane.doors[0].heal();
        let healed = Instant::now();
        // The load goes on: the lanes must come to their end all the same.
        wait::holds("every lane is drained", DRAIN, async || {
            plane
                .consumers_say(WAITING, "")
                .await
                .is_ok_and(|records| records == 0.0)
        })
        .await;
        let drained = healed.elapsed();
        stop.store(true, Ordering::Relaxed);
        (well, ill, handed, begun, drained)
    };
    let ((well, ill, handed, begun, drained), ()) =
        tokio::join!(story, overwrite(&plane, &stop, &value));
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAIN).await;
    the_last_value_is_held(&plane, value.into_inner(), DRAINED).await;
    the_accounts_balance(&plane).await;
    let of = |span| median_p99(&plane, &ledger, 1, &[span]);
    let down = (ill.end - ill.start).as_secs();
    let (well, ill) = (of(well), of(ill));
    let ratio = ill.as_secs_f64() / well.as_secs_f64();
    figure(
        "6",
        format_args!(
            "down for {down} s, the first lines handed off after {:.1} s, {handed} of them; drained {:.1} s after it was \
             back; p99 of another tenant {well:?} before, {ill:?} meanwhile ({ratio:.2}x); order kept; {balance}",
            begun.as_secs_f64(),
            drained.as_secs_f64()
        ),
    );
    assert!(drained <= DRAIN);
    // As in row 7.
    let slack = scale(Duration::from_millis(500), Duration::ZERO);
    assert!(ill <= well.mul_f64(1.2) + slack, "{well:?} became {ill:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_06_a_consumer_killed_while_it_hands_off_and_while_it_drains_loses_and_turns_nothing() {
    let _turn = turn().await;
    let mut dice = dice("6 (kill -9)");
    let mut plane = Plane::start(Setup {
        stores: 2,
        tenants: 2,
        doors: true,
        consumers: 2,
        consumer: "  session_timeout: 6s\n  drain: 4s\n  handoff_after: 1s\n  batch_lines: 200\n",
        ..Setup::default()
    })
    .await;
    let producer = plane.produce(&plane.load(400)).await;
    let rounds = scale(2, 50);
    let mut last = 0;
    for _ in 0..rounds {
        plane.doors[0].refuse();
        for draining in [false, true] {
            let (stop, value) = (AtomicBool::new(false), AtomicI64::new(last));
            let moment = Duration::from_millis(dice.below(1_500));
            let which = usize::try_from(dice.below(2)).expect("0 or 1");
            let under_way = async {
                let metric = if draining { WAITING } else { HANDED_OFF };
                wait::holds("it is under way", SOON, async || {
                    plane
                        .consumers_say(metric, "")
                        .await
                        .is_ok_and(|some| some > 0.0)
                })
                .await;
                tokio::time::sleep(moment).await;
                if draining {
                    // So slow that a kill comes in the middle.
                    plane.stores[0].script(|_| Reply::stored().after(Duration::from_millis(200)));
                    plane.doors[0].heal();
                    let before = plane.stores[0].count("t0");
                    wait::holds("it is draining", SOON, async || {
                        plane.stores[0].count("t0") > before
                    })
                    .await;
                }
                stop.store(true, Ordering::Relaxed);
            };
            tokio::join!(under_way, overwrite(&plane, &stop, &value));
            last = value.into_inner();
            plane.consumers[which].kill();
            plane.consumers[which].start_again().await;
        }
        plane.stores[0].heal();
    }
    let ledger = producer.stop().await;
    let balance = plane.judge().keeps(&ledger, DRAINED).await;
    the_last_value_is_held(&plane, last, DRAINED).await;
    the_accounts_balance(&plane).await;
    let repeated = plane.stores[0].repeated();
    figure(
        "6",
        format_args!(
            "{} kills of one of two consumers that hand off or drain; order kept; {repeated} points written more than \
             once; {balance}",
            2 * rounds
        ),
    );
}
