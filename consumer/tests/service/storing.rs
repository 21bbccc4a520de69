//! What becomes of lines: stored, dead-lettered, or kept until one of both.

use crate::support::{Fake, Mode, World, account, config, eventually, lines, sorted, within};
use consumer::ShardSource;
use influx::Embedded;
use model::Timestamp;
use std::time::Duration;

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
    assert_eq!((account.read, account.fates.stored), (101, 101));
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
        assert_eq!(world.committed_offset(0).await, 0, "{mode:?}");
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
    assert_eq!(world.committed_offset(0).await, 0);
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
            (
                account.read,
                account.fates.stored,
                account.fates.dead_lettered
            ),
            (95, 93, 2)
        );
        assert!(consumer.stop().await);
    }
}

/// 10,000 lines in one write, k of them bad: each bad one is dead-lettered once, within the bound of
/// requests, and every good one stored.
#[tokio::test]
async fn bad_lines_of_ten_thousand_are_found_within_the_bound() {
    const N: usize = 10_000;
    for k in [1, 7, N] {
        let (world, shard) = (World::new().await, Fake::start(Mode::Partial).await);
        world.place(1, 1, &[("s1", &shard.url)]).await;
        let line = |v: usize| match v * k % N < k {
            true => format!("m,host=poison v={v} {v}\n"),
            false => format!("m,host=h{} v={v} {v}\n", v % 10),
        };
        let offset = world.append(0, &(0..N).map(line).collect::<String>()).await;
        let whole = consumer::Config {
            batch_lines: N,
            batch_bytes: 2_000_000,
            write_timeout: model::Span::from_secs(10),
            ..config()
        };
        let consumer = world.start_with(whole, ShardSource::servers()).await;
        // All bad is some 20,000 requests.
        within(Duration::from_secs(120), "all is committed", async || {
            world.committed_offset(0).await == offset + 1
        })
        .await;
        assert_eq!(shard.distinct().len(), N - k);
        let letters = world.dead_letters().await;
        let mut keys: Vec<_> = letters.iter().map(|letter| letter.key.clone()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!((letters.len(), keys.len()), (k, k), "each once");
        assert!(
            keys[0].starts_with(&format!("acme/0/{offset}/")),
            "{}",
            keys[0]
        );
        assert_eq!(letters[0].header("shard"), "s1");
        let bound = 2.0 * k as f64 * ((N as f64).log2() + 1.0);
        assert!(
            shard.requests() as f64 <= bound,
            "{k}: {}",
            shard.requests()
        );
        let account = account(&world, 0).await;
        assert_eq!(account.fates.dead_lettered, k as u64);
        assert!(account.is_balanced(), "{account}");
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
