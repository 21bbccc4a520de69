//! Row 12, its other half: a retention that closes in is alarmed at half of it, by the rules that Bongsu has for itself.

use std::time::{Duration, Instant};

use tests::{Bongsu, wait, web};

use super::plane::{DRAINED, Plane, SOON, Setup};
use super::{figure, turn};

/// So long the log keeps records in this test.
const RETENTION: Duration = Duration::from_secs(90);
/// Half of it, a tick of the rule (60 s), and what stands between a point and a page.
const ALARMED: Duration = Duration::from_secs(240);
const PERCENT: &str = "bongsu_consumer_retention_used_percent";

#[tokio::test(flavor = "multi_thread")]
async fn row_12_a_retention_that_closes_in_is_alarmed_at_half_of_it_without_any_rule_of_ours() {
    let _turn = turn().await;
    let mut plane = Plane::start(Setup {
        partitions: 1,
        // So that a store that is down holds the offset, as a paused lane does.
        consumer: "  session_timeout: 6s\n  drain: 4s\n  handoff: false\n  refresh_every: 1s\n",
        ..Setup::default()
    })
    .await;
    let brokers = plane.kafka.brokers();
    Bongsu::run(
        &["tenant", "add", "bongsu-system", "--kafka", &brokers],
        &[],
    )
    .expect("the tenant can be added");
    let retention = RETENTION.as_millis().to_string();
    let short = [
        ("retention.ms", retention.as_str()),
        ("message.timestamp.type", "LogAppendTime"),
    ];
    let set = plane.kafka.set_topic("metrics.t0", &short).await;
    set.expect("Kafka takes it");
    // Its retention was not asked for before: what is young is no reason to.
    let evaluator = plane.process("evaluator", "  session_timeout: 6s\n  drain: 4s\n");
    let notifier = plane.process(
        "notifier",
        "  inbox: true\n  database: {sqlite: \"{dir}/incidents.db\"}\n",
    );
    let (mut evaluator, mut notifier) = (evaluator, notifier);
    evaluator.ready().await;
    notifier.ready().await;
    plane.stores[0].script(|_| tests::stand_in::Reply::refusal(401, "unauthorized access"));
    let sent = plane.kafka.send("metrics.t0", None, b"m,host=a v=1 1", &[]);
    sent.await.expect("Kafka takes it");
    let began = Instant::now();
    wait::holds("half of the retention is over", RETENTION, async || {
        let used = plane.consumers[0].metric(PERCENT, "tenant=\"t0\"").await;
        used.is_ok_and(|percent| percent >= 50.0)
    })
    .await;
    let half = began.elapsed();
    let url = format!("{}/api/v1/incidents?tenant=bongsu-system", notifier.url());
    let mut paged = (String::new(), 0.0);
    wait::holds("somebody is paged", ALARMED, async || {
        let Ok(answer) = web::client().get(&url).send().await else {
            return false;
        };
        let list: serde_json::Value = answer.json().await.unwrap_or_default();
        let incidents = list["incidents"].as_array().into_iter().flatten();
        let mut of_it = incidents.filter(|one| one["template"] == "bongsu-retention");
        let Some(priority) = of_it.next().and_then(|one| one["priority"].as_str()) else {
            return false;
        };
        let used = plane.consumers[0].metric(PERCENT, "tenant=\"t0\"").await;
        paged = (priority.to_owned(), used.unwrap_or_default());
        true
    })
    .await;
    // The rule looks once a minute, in which a retention as short as this one passes both of its levels.
    let (priority, used) = &paged;
    match priority.as_str() {
        "P2" => assert!(*used >= 50.0, "a P2 at {used} %"),
        "P1" => assert!(*used >= 75.0, "a P1 at {used} %"),
        other => panic!("a {other} at {used} %"),
    }
    let alarmed = began.elapsed();
    let inbox = web::client().get(format!("{}/inbox", notifier.url()));
    wait::holds("the page is in the inbox", SOON, async || {
        let Ok(answer) = inbox.try_clone().expect("it has no body").send().await else {
            return false;
        };
        let text = answer.text().await.unwrap_or_default();
        text.contains("retention")
    })
    .await;
    let said = plane.consumers[0].log();
    assert!(
        said.contains("come close to the end of their retention"),
        "{said}"
    );
    plane.stores[0].heal();
    wait::holds("the record is stored", DRAINED, async || {
        plane.stores[0].count("t0") == 1
    })
    .await;
    plane.consumers.clear();
    figure(
        "12",
        format_args!(
            "retention of {} s: 50 % told after {:.0} s, a {priority} in the inbox after {:.0} s, with {used:.0} % \
             over; the record stored after all",
            RETENTION.as_secs(),
            half.as_secs_f64(),
            alarmed.as_secs_f64()
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_set_wrongly_is_told_of_when_it_is_assigned() {
    let _turn = turn().await;
    let mut plane = Plane::start(Setup {
        tenants: 2,
        consumers: 0,
        ..Setup::default()
    })
    .await;
    let wrong = [
        ("retention.ms", "3600000"),
        ("message.timestamp.type", "CreateTime"),
        ("unclean.leader.election.enable", "true"),
    ];
    let set = plane.kafka.set_topic("metrics.t1", &wrong).await;
    set.expect("Kafka takes it");
    let mut consumer = plane.process("consumer", plane.setup.consumer);
    consumer.ready().await;
    plane.consumers.push(consumer);
    wait::holds("the topic is counted", SOON, async || {
        let flawed = plane
            .consumers_say("bongsu_consumer_flawed_topics", "")
            .await;
        flawed.is_ok_and(|topics| topics == 1.0)
    })
    .await;
    let log = plane.consumers[0].log();
    for (code, advice) in [
        ("topic-retention", "retention.ms=86400000"),
        ("topic-timestamps", "message.timestamp.type=LogAppendTime"),
        ("topic-election", "unclean.leader.election.enable=false"),
    ] {
        let said = log
            .lines()
            .find(|line| line.contains(code) && line.contains("metrics.t1"));
        let said = said.unwrap_or_else(|| panic!("{code} is not told: {log}"));
        assert!(said.contains(advice), "{said}");
    }
    assert!(
        !log.lines()
            .any(|line| line.contains("not set as it should") && line.contains("metrics.t0"))
    );
    figure(
        "12",
        "3 of 3 wrong settings of a topic are told when it is assigned, the sound one is not",
    );
}
