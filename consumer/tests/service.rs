//! The consumer as a service, over the embedded log: nothing lost, nothing committed too early.

mod support;

use consumer::ShardSource;
use consumer::core::Account;
use influx::Embedded;
use model::{Span, Timestamp};
use std::time::Duration;
use stream::{Commit, GroupEvent, JoinSpec, Topics};
use support::{AT, Fake, GROUP, Mode, World, config, eventually, source};

/// `n` lines of hosts `h0`..`h9` with values from `first` on.
fn lines(first: usize, n: usize) -> String {
    let line = |v: usize| format!("m,host=h{} v={v} {}\n", v % 10, AT + v as i64);
    (first..first + n).map(line).collect()
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

async fn account(world: &World, partition: u32) -> Account {
    let commit = world
        .committed(partition)
        .await
        .expect("something is committed");
    commit.metadata.parse().unwrap()
}

#[tokio::test]
async fn lines_are_stored_once_and_then_committed() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Good).await);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let consumer = world.start().await;
    world.append(0, &lines(0, 100)).await;
    world.tick(0).await;
    world.append(0, &lines(100, 1)).await;
    world.tick(0).await;
    world.all_committed(0).await;
    assert_eq!(shard.distinct(), sorted(&lines(0, 101)));
    assert_eq!(shard.taken().len(), 101, "nothing is sent twice");
    assert_eq!(shard.buckets(), ["acme"]);
    let account = account(&world, 0).await;
    assert_eq!((account.read, account.stored), (101, 101));
    assert!(
        consumer.ctx.health.is_ready(),
        "{:?}",
        consumer.ctx.health.report()
    );
    assert!(consumer.get("/readyz").await.starts_with("HTTP/1.1 200"));
    eventually("metrics show it", async || {
        consumer.metric("bongsu_consumer_points_stored_total{tenant=\"acme\"}") == 101.0
            && consumer.metric(
                "bongsu_consumer_account_lines{fate=\"stored\",partition=\"0\",tenant=\"acme\"}",
            ) == 101.0
            && consumer.metric("bongsu_consumer_lag_records{partition=\"0\",tenant=\"acme\"}")
                == 0.0
            && consumer.metric("bongsu_consumer_buffered_bytes") == 0.0
    })
    .await;
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn two_shards_share_a_tenant_by_host() {
    let world = World::new().await;
    let (one, two) = (Fake::start(Mode::Good).await, Fake::start(Mode::Good).await);
    world
        .place(1, 2, &[("s1", &one.url), ("s2", &two.url)])
        .await;
    let consumer = world.start().await;
    world.append(0, &lines(0, 1_000)).await;
    world.all_committed(0).await;
    let hosts = |shard: &Fake| {
        let host = |line: &String| line[..line.find(' ').unwrap()].to_owned();
        let mut hosts: Vec<_> = shard.taken().iter().map(host).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    };
    assert_eq!(
        hosts(&one).len() + hosts(&two).len(),
        10,
        "a host has one shard"
    );
    assert!(!hosts(&one).is_empty() && !hosts(&two).is_empty());
    assert!(consumer.stop().await);
}

/// Every way of not storing: the offset waits, nothing is dead-lettered, and nothing is lost in the
/// end.
#[tokio::test]
async fn no_offset_is_committed_ahead_of_what_is_stored() {
    for mode in [
        Mode::Status(503),
        Mode::Status(500),
        Mode::Status(401),
        Mode::Status(429),
        Mode::Status(200),
        Mode::Status(404),
        Mode::Swallow,
        Mode::NoBucket,
    ] {
        let (world, shard) = (World::new().await, Fake::start(mode).await);
        world.place(1, 1, &[("s1", &shard.url)]).await;
        let consumer = world.start().await;
        world.append(0, &lines(0, 10)).await;
        eventually("it is tried again", async || shard.requests() >= 3).await;
        assert_eq!(world.committed(0).await, None, "{mode:?}");
        shard.set(Mode::Good);
        world.all_committed(0).await;
        assert_eq!(shard.distinct(), sorted(&lines(0, 10)), "{mode:?}");
        assert_eq!(world.dead_letters().await.len(), 0, "{mode:?}");
        assert!(consumer.stop().await);
    }
}

#[tokio::test]
async fn a_dead_shard_does_not_hold_the_other() {
    let world = World::new().await;
    let (dead, alive) = (
        Fake::start(Mode::Status(503)).await,
        Fake::start(Mode::Good).await,
    );
    world
        .place(1, 2, &[("s1", &dead.url), ("s2", &alive.url)])
        .await;
    let consumer = world.start().await;
    world.append(0, &lines(0, 100)).await;
    world.append(0, &lines(100, 100)).await;
    eventually("the good shard has its part", async || {
        !alive.taken().is_empty()
    })
    .await;
    assert_eq!(world.committed(0).await, None);
    dead.set(Mode::Good);
    world.all_committed(0).await;
    assert_eq!(dead.distinct().len() + alive.distinct().len(), 200);
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_bad_line_is_dead_lettered_once_with_its_origin_and_the_good_ones_are_stored() {
    for mode in [Mode::Picky, Mode::Partial] {
        let (world, shard) = (World::new().await, Fake::start(mode).await);
        world.place(1, 1, &[("s1", &shard.url)]).await;
        world.append(0, &lines(0, 50)).await;
        let mixed = format!(
            "{}no line at all\nm,host=poison v=1 7\n{}",
            lines(50, 3),
            lines(53, 40)
        );
        let offset = world.append(0, &mixed).await;
        let consumer = world.start().await;
        world.all_committed(0).await;
        assert_eq!(shard.distinct(), sorted(&lines(0, 93)), "{mode:?}");
        let mut letters = world.dead_letters().await;
        letters.sort_by(|a, b| a.key.cmp(&b.key));
        let found: Vec<_> = letters
            .iter()
            .map(|letter| (&*letter.key, &*letter.line))
            .collect();
        let keys = [format!("acme/0/{offset}/4"), format!("acme/0/{offset}/5")];
        assert_eq!(
            found,
            [
                (&*keys[0], "no line at all"),
                (&*keys[1], "m,host=poison v=1 7")
            ]
        );
        for (letter, line, shard) in [(&letters[0], "4", ""), (&letters[1], "5", "s1")] {
            assert_eq!(letter.header("tenant"), "acme");
            assert_eq!(letter.header("topic"), "metrics.acme");
            assert_eq!(letter.header("partition"), "0");
            assert_eq!(letter.header("offset"), offset.to_string());
            assert_eq!(
                (letter.header("line"), letter.header("shard")),
                (line, shard)
            );
            assert!(!letter.header("reason").is_empty());
        }
        let account = account(&world, 0).await;
        assert_eq!(
            (account.read, account.stored, account.dead_lettered),
            (95, 93, 2)
        );
        assert!(consumer.stop().await);
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_and_loses_nothing() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Small(10)).await);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let consumer = world.start().await;
    world.append(0, &lines(0, 100)).await;
    world.all_committed(0).await;
    assert_eq!(
        shard.taken(),
        lines(0, 100).lines().collect::<Vec<_>>(),
        "in order, once"
    );
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_restart_goes_on_at_the_commit_with_its_account() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Good).await);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let first = world.start().await;
    world.append(0, &lines(0, 10)).await;
    world.all_committed(0).await;
    assert!(first.stop().await);
    world.append(0, &lines(10, 10)).await;
    let second = world.start().await;
    world.all_committed(0).await;
    assert_eq!(
        shard.taken(),
        lines(0, 20).lines().collect::<Vec<_>>(),
        "nothing is read twice"
    );
    assert_eq!(account(&world, 0).await.stored, 20);
    assert!(second.stop().await);
}

#[tokio::test]
async fn a_stop_stores_and_commits_what_was_read() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Good).await);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    // Neither the linger nor the next commit would come by itself.
    let patient = consumer::Config {
        linger: Span::from_secs(600),
        commit_every: Span::from_secs(600),
        ..config()
    };
    let consumer = world.start_with(patient, ShardSource::servers()).await;
    let end = world.append(0, &lines(0, 10)).await + 1;
    eventually("it is read", async || {
        consumer.metric("bongsu_consumer_buffered_bytes") > 0.0
    })
    .await;
    assert_eq!(shard.requests(), 0);
    assert!(consumer.stop().await);
    assert_eq!(shard.taken().len(), 10);
    assert_eq!(world.committed_offset(0).await, end);
}

#[tokio::test]
async fn a_stop_while_the_shard_is_dead_ends_in_time_and_commits_nothing_of_it() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Status(503)).await);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    let hasty = consumer::Config {
        drain: Span::from_millis(300),
        ..config()
    };
    let consumer = world.start_with(hasty, ShardSource::servers()).await;
    world.append(0, &lines(0, 10)).await;
    eventually("it is tried", async || shard.requests() >= 1).await;
    assert!(consumer.stop().await);
    assert_eq!(world.committed(0).await, None);
    shard.set(Mode::Good);
    let next = world.start().await;
    world.all_committed(0).await;
    assert_eq!(shard.distinct(), sorted(&lines(0, 10)));
    assert!(next.stop().await);
}

#[tokio::test]
async fn two_consumers_share_the_partitions_and_one_takes_over_from_the_other() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Good).await);
    world.place(4, 1, &[("s1", &shard.url)]).await;
    let (first, second) = (world.start().await, world.start().await);
    let owns = |consumer: &support::Consumer, partition: u32| {
        let name =
            format!("bongsu_consumer_lag_records{{partition=\"{partition}\",tenant=\"acme\"}} ");
        consumer
            .ctx
            .metrics
            .render()
            .lines()
            .any(|line| line.starts_with(&name))
    };
    eventually("each has two", async || {
        let count = |consumer| {
            (0..4)
                .filter(|partition| owns(consumer, *partition))
                .count()
        };
        count(&first) == 2 && count(&second) == 2
    })
    .await;
    for partition in 0..4 {
        world
            .append(partition, &lines(partition as usize * 100, 100))
            .await;
    }
    assert!(first.stop().await);
    for partition in 0..4 {
        world
            .append(partition, &lines(400 + partition as usize * 100, 100))
            .await;
    }
    for partition in 0..4 {
        world.all_committed(partition).await;
        assert_eq!(account(&world, partition).await.stored, 200);
    }
    assert_eq!(shard.distinct(), sorted(&lines(0, 800)));
    assert!(second.stop().await);
}

#[tokio::test]
async fn without_a_placement_it_waits_and_then_stores() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Good).await);
    world.apply(1, &[world.shard("s1", &shard.url)]).await;
    let consumer = world.start().await;
    world.append(0, &lines(0, 10)).await;
    eventually("it says why", async || {
        let report = consumer.ctx.health.report();
        let why = report.get("consumer placement").cloned();
        why.is_some_and(|why| why.is_err_and(|why| why.contains("placement")))
    })
    .await;
    assert_eq!(world.committed(0).await, None);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    world.all_committed(0).await;
    assert_eq!(shard.distinct(), sorted(&lines(0, 10)));
    assert!(consumer.ctx.health.is_ready());
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_shard_that_is_taken_out_hands_its_lines_to_the_new_placement() {
    let world = World::new().await;
    let (old, new) = (
        Fake::start(Mode::Status(503)).await,
        Fake::start(Mode::Good).await,
    );
    world.place(1, 1, &[("s1", &old.url)]).await;
    let consumer = world.start().await;
    world.append(0, &lines(0, 10)).await;
    eventually("the old one is tried", async || old.requests() >= 2).await;
    world.append(0, &lines(10, 10)).await;
    world.place(1, 1, &[("s2", &new.url)]).await;
    world.all_committed(0).await;
    assert_eq!(
        new.taken(),
        lines(0, 20).lines().collect::<Vec<_>>(),
        "in order"
    );
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_token_that_is_replaced_takes_effect_without_a_restart() {
    let world = World::new().await;
    let shard = Fake::start(Mode::Status(401)).await;
    world.place(1, 1, &[("s1", &shard.url)]).await;
    std::fs::remove_file(world.path("token")).unwrap();
    let consumer = world.start().await;
    world.append(0, &lines(0, 10)).await;
    eventually("the missing token is noticed", async || {
        consumer.metric("bongsu_consumer_retries_total{reason=\"misconfigured\",shard=\"s1\"}")
            > 0.0
    })
    .await;
    assert_eq!(shard.requests(), 0);
    shard.set(Mode::Good);
    std::fs::write(world.path("token"), "other").unwrap();
    world.all_committed(0).await;
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn an_offset_that_is_not_in_the_log_is_an_alarm_and_reading_goes_on_at_the_earliest() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Good).await);
    world.place(1, 1, &[("s1", &shard.url)]).await;
    world.append(0, &lines(0, 10)).await;
    commit_as_somebody_else(&world, 1_000).await;
    let consumer = world.start().await;
    eventually("what there is is stored", async || {
        shard.distinct().len() == 10
    })
    .await;
    world.all_committed(0).await;
    assert!(consumer.metric("bongsu_consumer_log_errors_total{what=\"read\"}") > 0.0);
    assert!(consumer.stop().await);
}

/// Joins the group, commits, and leaves.
async fn commit_as_somebody_else(world: &World, next_offset: i64) {
    let spec = JoinSpec {
        group: GROUP.to_owned(),
        topics: Topics::Prefix("metrics."),
        instance: None,
        session_timeout: Duration::from_secs(10),
        prefetch_bytes: 1 << 20,
    };
    let mut member = world.stream.join(spec).await.unwrap();
    let handle = member.handle();
    while let Some(event) = member.next().await {
        if let GroupEvent::Assigned(_) = event {
            break;
        }
    }
    let commit = Commit {
        source: source(0),
        next_offset,
        metadata: String::new(),
    };
    handle.commit(vec![commit]).await.unwrap();
    let leaving = async move {
        while let Some(event) = member.next().await {
            if let GroupEvent::Revoked(revoked) = event {
                revoked.done();
            }
        }
    };
    tokio::join!(handle.leave(), leaving);
}

#[tokio::test]
async fn points_reach_the_embedded_store_and_its_refusals_the_dead_letters() {
    let world = World::new().await;
    let store = Embedded::open(&world.path("points.sqlite")).await.unwrap();
    world.place(1, 1, &[("s1", "embedded")]).await;
    let source = ShardSource::with_embedded(store.clone());
    let consumer = world.start_with(config(), source).await;
    let now = consumer.ctx.clock.now_nanos();
    let line = |n: i64| format!("m,host=a v={n} {}\n", now + n);
    let text: String = (0..100).map(line).collect();
    world
        .append(0, &format!("{text}m,host=a v=\"text\" {}\n", now + 500))
        .await;
    world.append(0, &lines(0, 1)).await;
    world.all_committed(0).await;
    let shard = influx::Shard::embedded(&store);
    let range = (Timestamp::from_nanos(0), Timestamp::from_nanos(i64::MAX));
    assert_eq!(shard.count("acme", range.0, range.1).await.unwrap(), 100);
    let letters = world.dead_letters().await;
    let reasons: Vec<_> = letters
        .iter()
        .map(|letter| letter.header("reason"))
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("field type conflict"))
    );
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("beyond retention"))
    );
    assert!(consumer.stop().await);
}

#[tokio::test]
async fn a_full_buffer_pauses_reading_and_loses_nothing() {
    let (world, shard) = (World::new().await, Fake::start(Mode::Status(503)).await);
    world.place(2, 1, &[("s1", &shard.url)]).await;
    let small = consumer::Config {
        buffer_bytes: 4_000,
        batch_bytes: 1_000,
        batch_lines: 20,
        prefetch_bytes: 1_000,
        ..config()
    };
    let consumer = world.start_with(small, ShardSource::servers()).await;
    for n in 0..100 {
        world.append(n % 2, &lines(n as usize * 20, 20)).await;
    }
    eventually("reading is paused", async || {
        consumer.metric("bongsu_consumer_paused_partitions") == 2.0
    })
    .await;
    shard.set(Mode::Good);
    world.all_committed(0).await;
    world.all_committed(1).await;
    assert_eq!(shard.distinct(), sorted(&lines(0, 2_000)));
    assert_eq!(consumer.metric("bongsu_consumer_paused_partitions"), 0.0);
    assert!(consumer.stop().await);
}
