//! A tenant in one command, on a real Kafka with SASL/SCRAM over TLS and access rules: what it may do, what it may not, and that
//! the services live with the least rights.

// The tests are the outside world: they have real clocks of their own.
#![allow(clippy::disallowed_methods)]

mod rights;
mod world;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use reqwest::StatusCode;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::process::Process;
use tests::{Bongsu, installed, wait, web};
use world::{Login, SOON, World};

async fn produce(
    world: &World,
    login: &Login,
    topic: &str,
    bytes: usize,
) -> Result<(), KafkaError> {
    let producer: FutureProducer = world.client(login).create()?;
    let value = vec![b'x'; bytes];
    let record = FutureRecord::<(), [u8]>::to(topic).payload(&value);
    let sent = producer.send(record, Duration::from_secs(20)).await;
    sent.map(|_| ()).map_err(|(error, _)| error)
}

fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().expect("a code of librdkafka")
}

/// A consumer without a group is refused the topic.
fn is_refused(world: &World, login: &Login, topic: &str) {
    let mut config = world.client(login);
    config
        .set("group.id", "a-thief")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a client");
    let seen = consumer
        .fetch_metadata(Some(topic), SOON)
        .expect("an answer");
    // A topic that may not even be seen is refused here.
    if seen.topics().iter().any(|topic| topic.error().is_some()) {
        let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        assert_eq!(seen.topics()[0].error(), Some(refused), "{topic}");
        return;
    }
    let mut places = TopicPartitionList::new();
    let added = places.add_partition_offset(topic, 0, Offset::Beginning);
    added
        .and_then(|()| consumer.assign(&places))
        .expect("an assignment");
    let begun = Instant::now();
    while begun.elapsed() < SOON {
        match consumer.poll(Duration::from_millis(200)) {
            // The group that the library wants of every consumer is refused as well, and first.
            Some(Err(error)) if code(&error) == RDKafkaErrorCode::TopicAuthorizationFailed => {
                return;
            }
            Some(Err(_)) => {}
            Some(Ok(message)) => panic!("it read {:?}", rdkafka::Message::payload(&message)),
            None => {}
        }
    }
    panic!("neither a record nor a refusal of {topic}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generated_telegraf_ships_to_the_store_through_services_with_the_least_rights() {
    let world = World::start().await;
    let folder = world.folder.join("acme");
    let folder = folder.to_str().expect("a plain path");
    let add = [
        "tenant",
        "add",
        "acme",
        "--contract",
        "24x7",
        "--limit",
        "5k/s",
    ];
    let planned = world
        .run("operator", &[&add[..], &["--dry-run"]].concat())
        .unwrap();
    for word in [
        "tenant.acme",
        "metrics.acme",
        "1280000 bytes/s",
        "acme in s1",
        "router token",
    ] {
        assert!(
            planned.contains(word),
            "{word} is not in the plan:\n{planned}"
        );
    }
    let none = world.admin().await.passwords("tenant.acme").await.unwrap();
    assert!(none.is_empty(), "a dry run made {none:?}");

    let router = world.service("router", "listen").await;
    let consumer = world.service("consumer", "listen").await;
    let evaluator = world.service("evaluator", "listen").await;
    let notifier = world.service("notifier", "listen").await;
    let url = router.url();
    let with_folder = [&add[..], &["--folder", folder, "--router-url", &url]].concat();
    let printed = world.run("operator", &with_folder).unwrap();
    assert_eq!(printed.lines().count(), 3, "{printed}");

    // Both files as they are, in a real Telegraf each. What came straight through Kafka did not pass the router.
    for way in ["telegraf-kafka", "telegraf-router"] {
        let mut telegraf = Command::new(installed::folder("telegraf").join("telegraf"));
        telegraf.args(["--config", &format!("{folder}/{way}.conf")]);
        let _running = Process::start(way, telegraf, world.folder.join(format!("{way}.log")));
        let arrived = wait::until(SOON, async || {
            let stored = world
                .influx
                .count("acme", "r._measurement == \"mem\"")
                .await?;
            let routed = router
                .metric("bongsu_router_points_total", "tenant=\"acme\"")
                .await?;
            let through_router = way == "telegraf-router";
            Ok((stored > 0 && (routed > 0.0) == through_router).then_some(()))
        });
        let log = || std::fs::read_to_string(world.folder.join(format!("{way}.log")));
        let arrived = arrived.await;
        assert!(
            arrived.is_ok(),
            "{way}: {arrived:?}\n{:?}\n{}",
            log(),
            consumer.log()
        );
    }
    let usage = world.json("operator", &["tenant", "usage", "acme"]);
    assert!(
        usage[0]["lines_read"]
            .as_u64()
            .is_some_and(|lines| lines > 0),
        "{usage}"
    );

    // A second time nothing is left to do, and no secret is made anew.
    let again = world.json("operator", &add);
    assert!(
        again["token"].is_null() && again["kafka_password"].is_null(),
        "{again}"
    );
    let plan = world.json("operator", &[&add[..], &["--dry-run"]].concat());
    let left = plan.as_array().unwrap().iter().filter(|step| {
        let idle = step["action"] == "none";
        !idle && step["what"] != "topic" && step["what"] != "bucket"
    });
    assert_eq!(left.count(), 0, "{plan}");

    // No log holds a secret.
    let conf = std::fs::read_to_string(format!("{folder}/telegraf-kafka.conf")).unwrap();
    let password = conf
        .lines()
        .find_map(|line| line.trim().strip_prefix("sasl_password = "));
    let password = password.expect("a password").trim_matches('"');
    for service in [&router, &consumer, &evaluator, &notifier] {
        let log = service.log();
        for secret in ["canary-", password, "bongsu-tests-operator-token"] {
            assert!(!log.contains(secret), "a log holds {secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_writes_its_own_topic_within_its_quota_and_nothing_else() {
    let world = World::start().await;
    let other = Login::of(&world.json("operator", &["tenant", "add", "other"]));
    let acme = world.json("operator", &["tenant", "add", "acme", "--limit", "20kB/s"]);
    let acme = Login::of(&acme);
    assert_eq!(
        (acme.user.as_str(), acme.mechanism.as_str()),
        ("tenant.acme", "SCRAM-SHA-512")
    );

    produce(&world, &acme, "metrics.acme", 10)
        .await
        .expect("its own topic");
    for topic in ["metrics.other", "bongsu.catalog", "bongsu.alerts", "fresh"] {
        let refused = produce(&world, &acme, topic, 10).await.expect_err(topic);
        let refused = code(&refused);
        let known = [
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::UnknownTopic,
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ];
        assert!(known.contains(&refused), "{topic}: {refused:?}");
    }
    for topic in ["metrics.acme", "metrics.other"] {
        is_refused(&world, &acme, topic);
    }

    // 600 kB at 20 kB/s, of which the brokers' window of 11 s is free.
    let took = async |login: &Login, topic: &str| {
        let begun = Instant::now();
        let producer: FutureProducer = world.client(login).create().unwrap();
        let value = vec![b'x'; 20_000];
        for _ in 0..30 {
            let record = FutureRecord::<(), [u8]>::to(topic).payload(&value);
            let sent = producer.send(record, Duration::from_secs(20)).await;
            sent.map_err(|(error, _)| error)
                .expect("it is slowed, not refused");
        }
        begun.elapsed()
    };
    let (bounded, free) = (
        took(&acme, "metrics.acme").await,
        took(&other, "metrics.other").await,
    );
    assert!(bounded > Duration::from_secs(10), "{bounded:?}");
    assert!(
        free < bounded / 2,
        "{free:?} without a quota, {bounded:?} with one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_rotate_a_tenant_is_suspended_and_what_is_removed_leaves_nothing() {
    let world = World::start().await;
    let router = world.service("router", "listen").await;
    let first = Login::of(&world.json("operator", &["tenant", "add", "acme", "--limit", "5k/s"]));
    let second = Login::of(&world.json("operator", &["tenant", "rotate", "acme"]));
    assert_ne!(first.mechanism, second.mechanism);
    for login in [&first, &second] {
        produce(&world, login, "metrics.acme", 10)
            .await
            .expect("two are valid");
    }
    let third = Login::of(&world.json("operator", &["tenant", "rotate", "acme"]));
    for login in [&second, &third] {
        produce(&world, login, "metrics.acme", 10)
            .await
            .expect("two are valid");
    }
    let mut refused = world.client(&first);
    refused.set("group.id", "x");
    let refused: BaseConsumer = refused.create().unwrap();
    assert!(
        refused
            .fetch_metadata(None, Duration::from_secs(5))
            .is_err(),
        "the first is gone"
    );

    let write = async |login: &Login| {
        let url = format!("{}/api/v2/write", router.url());
        let request = web::client().post(url).body("cpu,host=a v=1\n");
        let request = request.header("authorization", format!("Token {}", login.token));
        anyhow::Ok(request.send().await?.status())
    };
    let answers = async |login: &Login, wanted: StatusCode| {
        let answered = wait::until(SOON, async || {
            Ok((write(login).await? == wanted).then_some(()))
        });
        answered
            .await
            .unwrap_or_else(|error| panic!("not {wanted}: {error:#}"));
    };
    answers(&first, StatusCode::UNAUTHORIZED).await;
    answers(&third, StatusCode::NO_CONTENT).await;

    world
        .run("operator", &["tenant", "suspend", "acme"])
        .unwrap();
    answers(&third, StatusCode::UNAUTHORIZED).await;
    let stopped = produce(&world, &third, "metrics.acme", 10).await;
    let stopped = code(&stopped.expect_err("it is suspended"));
    assert_eq!(stopped, RDKafkaErrorCode::TopicAuthorizationFailed);
    world
        .run("operator", &["tenant", "resume", "acme"])
        .unwrap();
    answers(&third, StatusCode::NO_CONTENT).await;
    produce(&world, &third, "metrics.acme", 10)
        .await
        .expect("it is in again");

    let kept = world.run("operator", &["tenant", "remove", "acme"]);
    let kept = kept.expect_err("nobody confirmed").to_string();
    assert!(kept.contains("not confirmed"), "{kept}");
    let wrong = ["tenant", "remove", "acme", "--confirm", "acm"];
    world.run("operator", &wrong).expect_err("another name");
    let remove = ["tenant", "remove", "acme", "--confirm", "acme"];
    world.run("operator", &remove).unwrap();
    let mut access = world.admin().await;
    assert_eq!(access.passwords("tenant.acme").await.unwrap(), []);
    assert_eq!(access.grants("tenant.acme").await.unwrap(), []);
    assert_eq!(access.quota("tenant.acme").await.unwrap(), None);
    assert!(
        world.kafka.range("metrics.acme", 0).is_err(),
        "its topic is there"
    );
    let buckets = "buckets() |> filter(fn: (r) => r.name == \"acme\")";
    assert!(
        world.influx.query(buckets).await.unwrap().is_empty(),
        "its bucket is there"
    );
    let listed = world.json("operator", &["tenant", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(0), "{listed}");
    answers(&third, StatusCode::UNAUTHORIZED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_rotated_in_its_file_is_taken_by_a_running_service() {
    let world = World::start().await;
    let token = Login::of(&world.json("operator", &["tenant", "add", "acme"])).token;
    let router = world.service("router", "listen").await;
    let fresh = "canary-router-4712";
    let mut access = world.admin().await;
    let password = runtime::Secret::new(fresh);
    let set = access.set_password("bongsu-router", stream::Mechanism::Sha512, &password);
    set.await.unwrap();
    world.folder.write("router.password", fresh);
    wait::until(SOON, async || {
        Ok(router
            .log()
            .contains("kafka password read anew")
            .then_some(()))
    })
    .await
    .unwrap();
    // Every connection of before is gone with the broker; what comes back logs in anew.
    let mut world = world;
    world.kafka.kill();
    world.kafka.start_again().await;
    let url = format!("{}/api/v2/write", router.url());
    wait::until(SOON, async || {
        let request = web::client().post(&url).body("cpu,host=a v=1\n");
        let request = request.header("authorization", format!("Token {token}"));
        Ok((request.send().await?.status() == StatusCode::NO_CONTENT).then_some(()))
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}\n{}", router.log()));
    assert!(
        !router.log().contains("canary-"),
        "the log holds a password"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_is_said_by_its_reason() {
    let world = World::start().await;
    world.folder.write("router.password", "wrong");
    let said = world.run("router", &["doctor", "--as", "router"]);
    let said = said.expect_err("a wrong password").to_string();
    assert!(
        said.contains("SCRAM-SHA-512 login as `bongsu-router`"),
        "{said}"
    );
    world.folder.write("router.password", "");
    let said = world.run("router", &["doctor", "--as", "router"]);
    let said = said.expect_err("an empty password").to_string();
    assert!(
        said.contains("kafka.security.password_file") && said.contains("is empty"),
        "{said}"
    );
    let refused = Bongsu::run(
        &[
            "--config",
            &world.folder.join("router.yaml").display().to_string(),
            "router",
        ],
        &[],
    );
    let refused = refused
        .expect_err("an empty password refuses to start")
        .to_string();
    assert!(
        refused.contains("kafka.security.password_file"),
        "{refused}"
    );
}
