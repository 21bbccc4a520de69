//! Starts, stops, rebalances, and a catalogue that changes meanwhile.

use crate::support::{
    Consumer, Fake, GROUP, Mode, World, account, config, eventually, lines, sorted, source,
};
use consumer::ShardSource;
use model::Span;
use std::time::Duration;
use stream::{Commit, GroupEvent, JoinSpec, Topics};

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
    assert_eq!(account(&world, 0).await.fates.stored, 20);
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
    assert_eq!(world.committed_offset(0).await, 0);
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
    let owns = |consumer: &Consumer, partition: u32| {
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
        assert_eq!(account(&world, partition).await.fates.stored, 200);
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
    assert_eq!(world.committed_offset(0).await, 0);
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
        headers: false,
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
