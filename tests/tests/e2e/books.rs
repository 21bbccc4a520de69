//! The books at the end of the story: points, dead letters, and what each person heard.

use std::time::Duration;

use anyhow::ensure;
use reqwest::StatusCode;
use tests::{wait, web};

use super::SOON;
use super::account::{self, Points};
use super::agents::Agents;
use super::catalogue::{ACKNOWLEDGE_WITHIN_SECS, ACME_TOKEN, KIM, LEE, PARK, Person};
use super::console::Console;
use super::oracle::now_nanos;
use super::site::Site;
use super::world::World;

/// Lines that cannot be stored, by what they begin with; they are left out of the accounts of good points.
const BAD: [&str; 2] = ["broken", "conflict,host=web-1 value=\"text\""];

/// What a router can see is answered at once; what only the store can see, or came past the routers, ends as a dead
/// letter. The good lines beside it are taken.
pub(crate) async fn bad_lines_are_refused_or_dead_lettered(world: &World, site: &Site) {
    let now = now_nanos();
    let body = format!(
        "mixed,host=web-1 value=1 {now}\nbroken\nmixed,host=web-1 value=2 {}\n",
        now + 1
    );
    let answer = web::client()
        .post(format!(
            "{}/api/v2/write?org=any&bucket=any&precision=ns",
            site.routers[0]
        ))
        .header("Authorization", format!("Token {ACME_TOKEN}"))
        .body(body)
        .send()
        .await
        .expect("the router answers");
    let (status, text) = (
        answer.status(),
        answer.text().await.expect("an answer has a text"),
    );
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(text.contains("line 2"), "the line is named: {text}");

    let send = async |line: &str| {
        world
            .kafka
            .send("metrics.acme", None, line.as_bytes(), &[])
            .await
            .expect("Kafka takes it")
    };
    send(&format!("conflict,host=web-1 value=1 {now}")).await;
    let typed = wait::until(SOON, async || {
        let [one, two] = account::of_shards(&world.shards, "acme").await?;
        let mut points = one.keys().chain(two.keys());
        Ok(points
            .any(|point| point.measurement == "conflict")
            .then_some(()))
    });
    typed
        .await
        .unwrap_or_else(|error| panic!("the field has no type: {error:#}"));
    let place = send(&format!("{} {}\nbroken past the routers", BAD[1], now + 1)).await;
    let letters = world
        .kafka
        .read("bongsu.deadletter", 2, SOON)
        .await
        .expect("two dead letters");
    let mut letters: Vec<_> = letters
        .iter()
        .map(|letter| (letter.text(), letter))
        .collect();
    letters.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(letters[0].0, "broken past the routers");
    assert!(letters[1].0.starts_with(BAD[1]), "{letters:#?}");
    for (number, (_, letter)) in [2, 1].into_iter().zip(&letters) {
        let key = format!("acme/{}/{}/{number}", place.0, place.1);
        assert_eq!(letter.key.as_deref(), Some(key.as_bytes()), "{letter:#?}");
        let header = |name: &str| letter.headers.iter().find(|(key, _)| key == name);
        assert_eq!(
            header("tenant").map(|(_, value)| value.as_slice()),
            Some(&b"acme"[..])
        );
        assert!(
            header("reason").is_some_and(|(_, reason)| !reason.is_empty()),
            "{letter:#?}"
        );
    }
}

/// What Telegraf wrote is what the log has; what the log has is what the stores hold, each point in one of them.
pub(crate) async fn the_points_balance(world: &World, site: &Site, agents: &Agents) {
    let files = [("acme", &agents.acme_file), ("beta", &agents.beta_file)];
    for (tenant, file) in files {
        let topic = format!("metrics.{tenant}");
        let sent = account::of_file(file);
        assert!(
            sent.len() > 30,
            "Telegraf wrote {} points as {tenant}",
            sent.len()
        );
        let bad = |line: &str| BAD.iter().any(|bad| line.starts_with(bad));
        let logged = account::of_topic(&world.kafka, &topic, bad).await;
        let from_telegraf: Points = logged
            .clone()
            .into_iter()
            .filter(|(point, _)| point.measurement == "cpu")
            .collect();
        if let Some(difference) = account::difference(&topic, &sent, &from_telegraf) {
            panic!("{difference}");
        }
        let balanced = wait::until(SOON, async || {
            let [one, two] = account::of_shards(&world.shards, tenant).await?;
            let both: Points = one.clone().into_iter().chain(two.clone()).collect();
            match account::difference(&format!("the shards of {tenant}"), &logged, &both) {
                Some(difference) => anyhow::bail!(difference),
                None => Ok(Some([one.len(), two.len()])),
            }
        })
        .await;
        let [one, two] = balanced.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(
            one > 0 && two > 0,
            "{tenant}: {one} points in s1, {two} in s2"
        );
    }
    two_consumers_share_the_work(world, site).await;
}

/// The live account of every line that the log holds: read = stored + dead-lettered.
async fn two_consumers_share_the_work(world: &World, site: &Site) {
    let mut lines = 0;
    for topic in ["metrics.acme", "metrics.beta"] {
        let records = account::records_of_topic(&world.kafka, topic).await;
        lines += records
            .iter()
            .map(|record| record.text().lines().count())
            .sum::<usize>();
    }
    let stored = wait::until(SOON, async || {
        let mut stored = Vec::new();
        for service in ["up", "consumer"] {
            stored.extend(
                site.metric(service, "bongsu_consumer_points_stored_total")
                    .await?,
            );
        }
        let sum: f64 = stored.iter().sum();
        ensure!(
            sum == (lines - 2) as f64,
            "{stored:?} of {lines} lines, 2 of them bad"
        );
        Ok(Some(stored))
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(stored.len(), 2);
    assert!(
        stored.iter().all(|count| *count > 0.0),
        "both consumers store: {stored:?}"
    );
}

/// No page is doubled, nobody hears what is not theirs, and escalation stayed ended past its time.
pub(crate) async fn nobody_heard_more_than_they_should(world: &World, console: &Console) {
    let lee = world
        .sens
        .messages()
        .into_iter()
        .find(|sms| sms.to == LEE.phone);
    let paged = lee.expect("Lee was paged").at;
    let everyone = Duration::from_secs(ACKNOWLEDGE_WITHIN_SECS + 2);
    wait::holds("the time of the next escalation passes", SOON, async || {
        jiff::Timestamp::now().duration_since(paged)
            > jiff::SignedDuration::try_from(everyone).unwrap()
    })
    .await;
    for (Person { name, phone, .. }, heads) in [
        (KIM, &["[P1 FIRING]", "[P1 RESOLVED]"][..]),
        (LEE, &["[P1 ESCALATED]", "[P1 RESOLVED]"]),
        (PARK, &["[P2 RAISED]", "[P1 RAISED]"]),
    ] {
        assert_eq!(world.heads_to(phone), heads, "what {name} heard");
    }
    let roots = |room: &str| {
        let messages = world.slack.messages().into_iter();
        messages
            .filter(|message| message.channel == room && message.thread_ts.is_none())
            .count()
    };
    assert_eq!((roots(&world.rooms.acme), roots(&world.rooms.beta)), (1, 1));
    for tenant in ["acme", "beta"] {
        let incidents = console.incidents(tenant).await.expect("the API answers");
        assert_eq!(incidents.len(), 1, "{tenant}: {incidents:#?}");
    }
    for journal in [world.slack.journal(), world.sens.journal()] {
        assert!(
            journal.refused().is_empty(),
            "a provider refused: {}",
            journal.describe()
        );
    }
}
