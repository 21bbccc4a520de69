//! A shard that is dead: its lines wait in its handoff and come to it in order, and hold nobody's.

use crate::support::{
    AT, Consumer, Fake, GROUP, Mode, World, account, config, eventually, lines, sorted, source,
};
use consumer::core::handoff::{LaneId, LaneState};
use consumer::{Config, ShardSource};
use model::{ShardId, Span, TopicName};
use std::collections::BTreeMap;
use stream::TopicPartition;

/// As in tests, and a shard is dead soon.
fn soon() -> Config {
    Config {
        handoff_after: Span::from_millis(200),
        ..config()
    }
}

async fn start(world: &World, config: Config) -> Consumer {
    world.start_with(config, ShardSource::servers()).await
}

/// The last value of each series in the order of writing.
fn last_values(lines: &[String]) -> BTreeMap<String, String> {
    let parts = lines.iter().map(|line| {
        let (series, rest) = line.split_once(' ').unwrap();
        (series.to_owned(), rest.to_owned())
    });
    parts.collect()
}

/// Lines of 10 series that overwrite each other: `v` is the only thing that tells them apart.
fn overwriting(first: usize, n: usize) -> String {
    let line = |v: usize| format!("m,host=h{} v={v} {AT}\n", v % 10);
    (first..first + n).map(line).collect()
}

/// The drainer's account of each lane of a shard.
async fn lanes(world: &World) -> BTreeMap<LaneId, LaneState> {
    let mut lanes = BTreeMap::new();
    for partition in 0..4 {
        let state = TopicPartition::new(TopicName::handoff_state(), partition);
        let range = world.stream.offsets(&state).await.unwrap();
        let mut reader = world.stream.read(&state, range.earliest).await.unwrap();
        let mut at = range.earliest;
        while at < range.end {
            let batch = reader.next().await.unwrap().unwrap();
            for record in batch.records() {
                at = record.offset + 1;
                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                let lane = text(record.key.unwrap()).split('|').nth(1).unwrap();
                if let Some(value) = record.value {
                    let state = text(value).parse().unwrap();
                    lanes.insert(lane.parse().unwrap(), state);
                }
            }
        }
    }
    lanes
}

/// Waits until the drainers have committed everything of a shard.
async fn all_drained(world: &World, shard: &str) {
    let topic = TopicName::handoff(&ShardId::parse(shard).unwrap());
    let sources: Vec<_> = (0..4)
        .map(|n| TopicPartition::new(topic.clone(), n))
        .collect();
    let group = format!("{GROUP}-handoff");
    eventually("the handoff is drained", async || {
        let commits = world.stream.committed(&group, &sources).await.unwrap();
        for source in &sources {
            let end = world.stream.offsets(source).await.unwrap().end;
            let commit = commits.iter().find(|commit| commit.source == *source);
            if commit.map_or(0, |commit| commit.next_offset) < end {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn a_dead_shard_holds_no_other_and_gets_its_lines_in_order_when_it_is_back() {
    let world = World::new().await;
    let (dead, well) = (
        Fake::start(Mode::Status(503)).await,
        Fake::start(Mode::Good).await,
    );
    world
        .place(1, 2, &[("s1", &dead.url), ("s2", &well.url)])
        .await;
    let consumer = start(&world, soon()).await;
    for n in 0..20 {
        world.append(0, &lines(n * 100, 100)).await;
    }
    world.all_committed(0).await;
    let sums = account(&world, 0).await;
    assert!(sums.is_balanced(), "{sums}");
    assert_eq!(sums.read, 2_000);
    assert_eq!(sums.fates.stored as usize, well.taken().len());
    assert_eq!(sums.fates.handed_off as usize, 2_000 - well.taken().len());
    assert!(
        sums.fates.handed_off > 0,
        "both shards have hosts of the ten"
    );
    assert!(dead.taken().is_empty());

    dead.set(Mode::Good);
    all_drained(&world, "s1").await;
    let mut all = [dead.taken(), well.taken()].concat();
    all.sort();
    assert_eq!(all, sorted(&lines(0, 2_000)), "each line once");
    let values: Vec<u64> = dead.taken().iter().map(|line| value(line)).collect();
    assert!(values.is_sorted(), "in the order of the source");
    let lanes = lanes(&world).await;
    let lane = lanes[&"metrics.acme/0/0".parse().unwrap()];
    assert!(lane.sums.is_balanced(), "{lane}");
    assert_eq!(lane.sums.stored, sums.fates.handed_off);
    eventually("the metrics say so", async || {
        let line = |fate: &str| {
            let each = (0..4).map(|n| {
                consumer.metric(&format!(
                    "bongsu_consumer_handoff_lines{{fate=\"{fate}\",partition=\"{n}\",shard=\"s1\"}}"
                ))
            });
            each.sum::<f64>() as u64
        };
        line("read") == sums.fates.handed_off && line("stored") == sums.fates.handed_off
    })
    .await;

    // The lane is drained: lines go to the shard itself again.
    world.append(0, &lines(2_000, 100)).await;
    world.all_committed(0).await;
    assert_eq!(
        account(&world, 0).await.fates.handed_off,
        sums.fates.handed_off
    );
    assert_eq!(dead.taken().len() + well.taken().len(), 2_100);
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_new_owner_goes_behind_what_waits_and_the_last_value_sent_is_the_last_held() {
    let world = World::new().await;
    let shard = Fake::start(Mode::Status(503)).await;
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let consumer = start(&world, soon()).await;
    world.append(0, &overwriting(0, 500)).await;
    world.all_committed(0).await;
    assert!(consumer.stop().await);

    // It does not wait as long again: lines of the lane wait already.
    let patient = Config {
        handoff_after: Span::from_secs(600),
        ..config()
    };
    let consumer = start(&world, patient).await;
    world.append(0, &overwriting(500, 500)).await;
    world.all_committed(0).await;
    let sums = account(&world, 0).await;
    assert_eq!((sums.fates.handed_off, sums.fates.stored), (1_000, 0));
    assert!(shard.taken().is_empty());

    shard.set(Mode::Good);
    world.append(0, &overwriting(1_000, 500)).await;
    world.all_committed(0).await;
    all_drained(&world, "s1").await;
    let sent = sorted(&overwriting(0, 1_500));
    assert_eq!(shard.distinct(), sent);
    let newest: Vec<_> = overwriting(1_490, 10).lines().map(str::to_owned).collect();
    assert_eq!(last_values(&shard.taken()), last_values(&newest));
    for lane in lanes(&world).await.values() {
        assert!(lane.sums.is_balanced(), "{lane}");
    }
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_drainer_that_stops_in_the_middle_is_followed_by_one_that_goes_on() {
    let world = World::new().await;
    let shard = Fake::start(Mode::Status(503)).await;
    world.place(2, 1, &[("s1", &shard.url)]).await;
    let small = Config {
        batch_lines: 50,
        ..soon()
    };
    let consumer = start(&world, small.clone()).await;
    for n in 0..10 {
        world.append(n % 2, &lines(n as usize * 100, 100)).await;
    }
    world.all_committed(0).await;
    world.all_committed(1).await;
    // Its answers are lost: what was written is written again by whoever drains next.
    shard.set(Mode::Swallow);
    eventually("some of it is written", async || !shard.taken().is_empty()).await;
    assert!(consumer.stop().await);
    shard.set(Mode::Good);
    let consumer = start(&world, small).await;
    all_drained(&world, "s1").await;
    assert_eq!(shard.distinct(), sorted(&lines(0, 1_000)));
    let lanes = lanes(&world).await;
    let stored: u64 = lanes.values().map(|lane| lane.sums.stored).sum();
    assert_eq!((lanes.len(), stored), (2, 1_000));
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn bad_lines_are_found_while_draining_and_a_token_is_no_reason_to_hand_off() {
    let world = World::new().await;
    let shard = Fake::start(Mode::Status(500)).await;
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let consumer = start(&world, soon()).await;
    world
        .append(0, &format!("m v=1 {AT}\npoison v=2 {AT}\nm v=3 {AT}\n"))
        .await;
    world.all_committed(0).await;
    shard.set(Mode::Picky);
    all_drained(&world, "s1").await;
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].key.as_str(), letters[0].header("shard")),
        ("acme/0/0/2", "s1")
    );
    assert_eq!(shard.distinct().len(), 2);

    // The shard answers, and wants another token: that is for a person, and the lane waits.
    shard.set(Mode::Status(401));
    world.append(0, &lines(0, 10)).await;
    eventually("the lane waits for a person", async || {
        consumer.metric("bongsu_consumer_paused_lanes") == 1.0
    })
    .await;
    let end = world.stream.offsets(&source(0)).await.unwrap().end;
    assert_eq!(world.committed_offset(0).await, end - 1);
    assert_eq!(account(&world, 0).await.fates.handed_off, 3);
    shard.set(Mode::Good);
    world.all_committed(0).await;
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn with_the_handoff_switched_off_lines_wait_in_the_source() {
    let world = World::new().await;
    let shard = Fake::start(Mode::Status(503)).await;
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let off = Config {
        handoff: false,
        ..soon()
    };
    let consumer = start(&world, off).await;
    world.append(0, &lines(0, 10)).await;
    eventually("it was tried", async || shard.requests() > 5).await;
    shard.set(Mode::Good);
    world.all_committed(0).await;
    assert_eq!(account(&world, 0).await.fates.stored, 10);
    let topics = world.stream.topics().await.unwrap();
    let handoff = topics
        .iter()
        .filter(|topic| topic.name.handoff_shard().is_some());
    assert_eq!(handoff.count(), 0);
    assert!(consumer.stop().await);
}

fn value(line: &str) -> u64 {
    let (_, rest) = line.split_once("v=").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}
