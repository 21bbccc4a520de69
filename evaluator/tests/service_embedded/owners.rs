//! Several evaluators: a rebalance, and an owner that somebody else has replaced.

use super::harness::{CATALOGUE, Member, World, config, cpu, long_ago, within};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use stream::NewRecord;

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_say_together_what_one_would() {
    let world = World::open(CATALOGUE).await;
    let start = long_ago(&world);
    let mut alerts = [world.alerts(0).await, world.alerts(1).await];
    let first = Member::start(&world.stream, config()).await;
    for each in &mut alerts {
        each.until_caught_up(0).await;
    }
    let mut last = [0; 2];
    let mut minute = 0;
    let mut feed = async |minutes: i64| {
        for _ in 0..minutes {
            for partition in 0..2 {
                let usage = if minute / 7 % 2 == partition {
                    95.0
                } else {
                    20.0
                };
                let host = format!("web-{partition}");
                let lines = cpu(&host, start, (minute * 60, minute * 60 + 60), usage);
                last[partition as usize] = world.produce(partition as u32, &lines).await;
            }
            minute += 1;
        }
        last
    };
    feed(20).await;
    let second = Member::start(&world.stream, config()).await;
    feed(20).await;
    within("each has a partition", async {
        while [&first, &second]
            .iter()
            .any(|m| m.metric("bongsu_eval_partitions_owned") != 1.0)
        {
            feed(1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    feed(20).await;
    first.stop().await;
    feed(20).await;
    second.kill();
    let last = feed(20).await;
    let third = Member::start(&world.stream, config()).await;
    for (each, last) in alerts.iter_mut().zip(last) {
        each.until_caught_up(last).await;
    }
    third.stop().await;
    for (partition, each) in alerts.iter().enumerate() {
        assert!(world.assert_as_fresh(partition as u32, each).await >= 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_stops_at_a_higher_claim() {
    let world = World::open(CATALOGUE).await;
    let member = Member::start(&world.stream, config()).await;
    let mut alerts = world.alerts(0).await;
    alerts.until_caught_up(0).await;
    let home = world.home(0).await;
    let claim = NewRecord::keyed(home, "acme/1/0/claim", Some(Bytes::from("somebody else")));
    world.append(claim).await;
    member.until("bongsu_eval_fenced_total", 1.0).await;
    let stopped = "bongsu_eval_partitions_stopped{reason=\"fenced\"}";
    member.until(stopped, 1.0).await;
    let start = long_ago(&world);
    world.produce(0, &cpu("web-1", start, (0, 600), 95.0)).await;
    let told = alerts.told().len();
    member.stop().await;
    // Somebody else goes on where the old owner has ended.
    let other = Member::start(&world.stream, config()).await;
    alerts
        .until("the incident", |alerts| {
            alerts.tells("cpu-usage web-1 firing P1")
        })
        .await;
    assert_eq!(alerts.told().len(), told + 1);
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_deletes_what_earlier_owners_left_once_it_has_written_all() {
    let world = World::open(CATALOGUE).await;
    let start = long_ago(&world);
    let mut alerts = world.alerts(0).await;
    for minute in 0..3 {
        let member = Member::start(&world.stream, config()).await;
        for host in 0..5 {
            let span = (minute * 60, minute * 60 + 60);
            let lines = cpu(&format!("web-{host}"), start, span, 50.0);
            world.produce(0, &lines).await;
        }
        let last = world.produce(0, "# a comment").await;
        alerts.until_caught_up(last).await;
        if minute < 2 {
            member.kill();
            continue;
        }
        within("one epoch", async {
            while epochs(&world.state(0).await).len() != 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        member.stop().await;
    }
    let left = world.state(0).await;
    let parts = left.iter().filter(|key| key.contains("/part/")).count();
    // One a host, and the tenant's own.
    assert_eq!(parts, 6, "{left:?}");
    assert!(
        left.iter().any(|key| key.ends_with("/checkpoint")),
        "{left:?}"
    );
}

/// Epochs that keys of an input's state name.
fn epochs(keys: &BTreeSet<String>) -> BTreeSet<&str> {
    let epoch = |key: &'_ str| key.split('/').nth(3).is_some_and(|word| word != "claim");
    let named = keys.iter().filter(|key| epoch(key));
    named.filter_map(|key| key.split('/').nth(3)).collect()
}
