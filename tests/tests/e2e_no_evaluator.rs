//! What fires is the evaluator's doing and nobody else's: while it is stopped, points that are far beyond every
//! threshold are stored and nothing is opened; once it is back, it finds the incident in the log.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods)]

mod e2e;

use e2e::catalogue::{ACME_TOKEN, KIM};
use e2e::oracle::{HOST, cpu, now_nanos};
use e2e::site::{Pace, Site};
use e2e::world::World;
use e2e::{LONG, SOON, account};
use tests::{wait, web};

/// Samples of a busy CPU, one a second; with windows and `for` of 10 s, the last 30 of them are beyond the firing.
const SAMPLES: i64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_evaluator_is_stopped_points_are_stored_and_nothing_fires() {
    let world = World::start().await;
    let services = ["router", "consumer", "evaluator", "notifier"];
    let mut site = Site::separate(&world, &services, 1, None, Pace::default()).await;
    world.the_templates_are_in_force().await;
    let evaluator = site.of("evaluator").next().expect("there is one");
    let status = evaluator.terminate(SOON).await.expect("it drains");
    assert!(
        status.success(),
        "the evaluator ended with {status}\n{}",
        evaluator.log()
    );

    let now = now_nanos() / 1_000_000_000;
    let body: String = (0..SAMPLES)
        .map(|back| cpu(HOST, 99.0, now - SAMPLES + back))
        .collect();
    let answer = web::client()
        .post(format!("{}/api/v2/write", site.routers[0]))
        .header("Authorization", format!("Token {ACME_TOKEN}"))
        .body(body.clone())
        .send()
        .await
        .expect("the router answers");
    assert_eq!(answer.status(), 204);

    let sent = account::of_lines(&body);
    wait::until(SOON, async || {
        let [one, two] = account::of_shards(&world.shards, "acme").await?;
        let stored = one.into_iter().chain(two).collect();
        match account::difference("the shards", &sent, &stored) {
            Some(difference) => anyhow::bail!(difference),
            None => Ok(Some(())),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("the points are not stored: {error:#}"));
    let console = site.console();
    assert_eq!(
        world.judge.about(HOST).await,
        Vec::<String>::new(),
        "who said that?"
    );
    let incidents = console.incidents("acme").await.expect("the API answers");
    assert!(incidents.is_empty(), "{incidents:#?}");
    assert!(world.slack.messages().is_empty() && world.sens.messages().is_empty());

    site.of("evaluator")
        .next()
        .expect("there is one")
        .start_again()
        .await;
    let open = |incident: &serde_json::Value| incident["state"] == "open";
    let incident = console.wait_for("acme", HOST, "open", LONG, open).await;
    assert_eq!(incident["priority"], "P1", "{incident:#}");
    world
        .sens
        .wait_for("a page for Kim", SOON, |sms| sms.to == KIM.phone)
        .await;
    assert_eq!(world.judge.about(HOST).await, ["firing P1"]);
    site.terminate().await;
}
