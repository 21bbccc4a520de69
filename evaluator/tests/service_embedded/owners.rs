//! Several evaluators: a rebalance, and an owner that somebody else has replaced.

use super::harness::{CATALOGUE, Member, World, config, cpu, long_ago, within};
use bytes::Bytes;
use model::{TopicName, host_partition};
use std::time::Duration;
use stream::{NewRecord, TopicPartition};

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
                let usage = if minute / 7 % 2 == partition { 95.0 } else { 20.0 };
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
        while [&first, &second].iter().any(|m| m.metric("bongsu_eval_partitions_owned") != 1.0) {
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
    let topic = TopicName::evaluator_state();
    let partitions = world.stream.partitions(&topic).await.unwrap().unwrap();
    let home = TopicPartition::new(topic, host_partition(b"acme/0", partitions));
    let claim = NewRecord::keyed(home, "acme/1/0/claim", Some(Bytes::from("somebody else")));
    world.append(claim).await;
    within("the stop", async {
        while member.metric("bongsu_eval_fenced_total") != 1.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let stopped = "bongsu_eval_partitions_stopped{reason=\"fenced\"}";
    assert_eq!(member.metric(stopped), 1.0);
    let start = long_ago(&world);
    world.produce(0, &cpu("web-1", start, (0, 600), 95.0)).await;
    let told = alerts.told().len();
    member.stop().await;
    // Somebody else goes on where the old owner has ended.
    let other = Member::start(&world.stream, config()).await;
    alerts.until("the incident", |alerts| alerts.tells("cpu-usage web-1 firing P1")).await;
    assert_eq!(alerts.told().len(), told + 1);
    other.stop().await;
}
