//! What becomes of points: alerts, marks in their place, forged marks, silence.

use super::harness::{CATALOGUE, Member, World, config, cpu, input, long_ago};
use bytes::Bytes;
use stream::NewRecord;

#[tokio::test(flavor = "multi_thread")]
async fn lines_fire_and_recover_as_alert_events() {
    let world = World::open(CATALOGUE).await;
    let member = Member::start(&world.stream, config()).await;
    let mut alerts = world.alerts(0).await;
    // A tick or the mark shows that the partition is owned and its bundle in force.
    alerts.until_caught_up(0).await;
    let start = long_ago(&world);
    world.produce(0, &cpu("web-1", start, (0, 300), 95.0)).await;
    world
        .produce(0, &cpu("web-1", start, (300, 600), 20.0))
        .await;
    alerts
        .until("the recovery", |alerts| {
            alerts.tells("cpu-usage web-1 resolved -")
        })
        .await;
    assert_eq!(
        alerts.told(),
        [
            "cpu-usage web-1 firing P1",
            "cpu-usage web-1 lowered P2",
            "cpu-usage web-1 resolved -"
        ]
    );
    member.until("bongsu_eval_events_total", 3.0).await;
    member.until("bongsu_eval_delay_seconds_count", 3.0).await;
    member.until("bongsu_eval_partitions_owned", 2.0).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_holds_from_its_mark_on_and_a_forged_mark_changes_nothing() {
    let world = World::open(CATALOGUE).await;
    let member = Member::start(&world.stream, config()).await;
    let mut alerts = world.alerts(0).await;
    alerts.until_caught_up(0).await;
    let start = long_ago(&world);
    let forged = |revision: &str| NewRecord {
        target: input(0),
        key: None,
        value: None,
        headers: vec![
            ("bongsu".to_owned(), Bytes::from("bundle")),
            ("revision".to_owned(), Bytes::from(revision.to_owned())),
            ("hash".to_owned(), Bytes::from("00ff")),
        ],
    };
    world.append(forged("999999")).await;
    world.append(forged("1")).await;
    world.produce(0, &cpu("web-1", start, (0, 300), 95.0)).await;
    world.produce(0, &cpu("calm", start, (0, 300), 50.0)).await;
    alerts
        .until("the incident", |alerts| {
            alerts.tells("cpu-usage web-1 firing P1")
        })
        .await;
    assert_eq!(
        member.metric("bongsu_eval_findings_total{kind=\"forged-mark\"}"),
        2.0
    );

    let sharper = CATALOGUE
        .replace("above: 90", "above: 45")
        .replace("until_below: 85", "until_below: 35")
        .replace("above: 70", "above: 40")
        .replace("until_below: 65", "until_below: 30");
    world.apply(&sharper).await;
    wait_for_mark(&world).await;
    world
        .produce(0, &cpu("calm", start, (300, 600), 50.0))
        .await;
    alerts
        .until("the incident", |alerts| {
            alerts.tells("cpu-usage calm firing P1")
        })
        .await;
    let last = world
        .produce(0, &cpu("calm", start, (600, 610), 50.0))
        .await;
    member.stop().await;
    let again = Member::start(&world.stream, config()).await;
    alerts.until_caught_up(last).await;
    again.stop().await;
    world.assert_as_fresh(0, &alerts).await;
}

/// Reads the log until it holds two marks of two revisions.
async fn wait_for_mark(world: &World) {
    let mut reader = world.stream.read(&input(0), 0).await.unwrap();
    let mut revisions = std::collections::BTreeSet::new();
    super::harness::within("a second mark", async {
        while revisions.len() < 2 {
            let batch = reader.next().await.unwrap().unwrap();
            let marks = batch.records().filter_map(|record| {
                let genuine = record.header("hash").is_some_and(|hash| hash.len() > 8);
                record
                    .header("revision")
                    .filter(|_| genuine)
                    .map(<[u8]>::to_vec)
            });
            revisions.extend(marks);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_of_the_owner_tell_that_a_host_is_down_in_silence() {
    let world = World::open(&CATALOGUE.replace("above: 7d", "above: 4s")).await;
    let member = Member::start(&world.stream, config()).await;
    let mut alerts = world.alerts(1).await;
    alerts.until_caught_up(0).await;
    let now = world.clock.now_nanos();
    world
        .produce(1, &format!("cpu,host=db-1 usage=10 {now}\n"))
        .await;
    alerts
        .until("host-down", |alerts| {
            alerts.tells("host-down db-1 firing P1")
        })
        .await;
    member.stop().await;
}
