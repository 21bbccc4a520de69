//! Row 18: a page for a P1 goes out while incidents of P3 come by the thousand.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use futures_util::future::{join_all, try_join_all};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use tests::{wait, web};

use super::plane::{DRAINED, Plane, SOON, Setup};
use super::{alone, figure, scale};

/// 10,000 a minute.
const A_SECOND: u64 = 167;
/// From the point to the page.
const PAGED: Duration = Duration::from_secs(30);

const TEMPLATES: &str = "
template: queue-long
title: 'Queue of {host}'
applies_to: {measurement: queue}
one_alert_per: [host]
check: length
over: each point
when_missing: fine
levels:
  P3: {above: 10}
---
template: door-shut
title: 'Door of {host}'
applies_to: {measurement: door}
one_alert_per: [host]
check: shut
over: each point
when_missing: fine
levels:
  P1: {above: 0}
";

fn now() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("it is after 1970").as_nanos()
}

async fn send(producer: &FutureProducer, host: &str, measurement: &str, field: &str) -> Result<()> {
    let line = format!("{measurement},host={host} {field}=99 {}", now());
    let record = FutureRecord::to("metrics.t0").key(host).payload(&line);
    let sent = producer.send(record, SOON).await;
    sent.map_err(|(error, _)| error)?;
    Ok(())
}

async fn get(notifier: &str, path: &str) -> Result<Value> {
    let url = format!("{notifier}/api/v1/incidents{path}");
    let answer = web::client().get(url).send().await?.error_for_status()?;
    Ok(serde_json::from_str(&answer.text().await?)?)
}

/// Whether a person was sent the page of that host.
async fn is_paged(notifier: &str, host: &str) -> Result<bool> {
    let list = get(notifier, "?tenant=t0&priority=P1&limit=500").await?;
    let mut all = list["incidents"].as_array().into_iter().flatten();
    let Some(one) = all.find(|one| one["group"]["host"] == host) else {
        return Ok(false);
    };
    let id = one["id"].as_str().unwrap_or_default();
    let incident = get(notifier, &format!("/{id}")).await?;
    let mut deliveries = incident["deliveries"].as_array().into_iter().flatten();
    Ok(deliveries.any(|one| one["channel"] != "chat" && one["fate"] == "delivered"))
}

/// How long it takes from a point in that second of the flood until a person was sent the page.
async fn paged_through(
    producer: &FutureProducer,
    notifier: &str,
    begun: Instant,
    second: u64,
) -> Duration {
    tokio::time::sleep_until((begun + Duration::from_secs(second)).into()).await;
    let (host, sent) = (format!("door-{second}"), Instant::now());
    let point = send(producer, &host, "door", "shut");
    point.await.expect("Kafka takes it");
    wait::holds(format!("{host} is paged"), PAGED, async || {
        is_paged(notifier, &host).await.is_ok_and(|paged| paged)
    })
    .await;
    sent.elapsed()
}

/// So many incidents of P3 a second; the rate a minute that it came to.
async fn flood(producer: &FutureProducer, begun: Instant, seconds: u64) -> f64 {
    for second in 0..seconds {
        let hosts: Vec<String> = (0..A_SECOND)
            .map(|n| format!("h{}", second * A_SECOND + n))
            .collect();
        let points = hosts
            .iter()
            .map(|host| send(producer, host, "queue", "length"));
        try_join_all(points).await.expect("Kafka takes it");
        let next = begun + Duration::from_secs(second + 1);
        tokio::time::sleep_until(next.into()).await;
    }
    (seconds * A_SECOND) as f64 / begun.elapsed().as_secs_f64() * 60.0
}

#[tokio::test(flavor = "multi_thread")]
async fn row_18_a_p1_is_paged_through_a_flood_of_p3() {
    let _turn = alone().await;
    let plane = Plane::start(Setup {
        routers: 0,
        consumers: 0,
        tenant: "evaluation: {tick: 1s, lateness: 2s}\n",
        ..Setup::default()
    })
    .await;
    plane.apply(TEMPLATES);
    let evaluator = "  session_timeout: 6s\n  drain: 4s\n";
    let mut evaluator = plane.process("evaluator", evaluator);
    let mut notifier = plane.process(
        "notifier",
        "  inbox: true\n  database: {sqlite: \"{dir}/incidents.db\"}\n",
    );
    evaluator.ready().await;
    notifier.ready().await;
    let url = notifier.url();
    let producer: FutureProducer = plane.kafka.config().create().expect("a client can be made");
    // What comes before the first mark of a bundle is not evaluated.
    wait::holds("the templates are in force", DRAINED, async || {
        let point = send(&producer, "first", "door", "shut");
        point.await.expect("Kafka takes it");
        is_paged(&url, "first").await.is_ok_and(|paged| paged)
    })
    .await;
    let seconds = scale(15, 60);
    let begun = Instant::now();
    let doors = (1..=seconds / 5).map(|n| paged_through(&producer, &url, begun, n * 5));
    let (rate, paged) = tokio::join!(flood(&producer, begun, seconds), join_all(doors));
    let slowest = paged.iter().max().copied().unwrap_or_default();
    let (pages, sent) = (paged.len(), seconds * A_SECOND);
    let opened = notifier
        .metric("bongsu_notifier_events_total", "")
        .await
        .expect("it answers");
    figure(
        "18",
        format_args!(
            "{sent} incidents of P3 at {rate:.0} a minute; {pages} of P1 among them, the slowest paged {:.1} s after its \
             point; {opened} events taken until then",
            slowest.as_secs_f64()
        ),
    );
}
