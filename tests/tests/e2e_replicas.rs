//! The same story over each service as two processes of its own; the two notifiers share a PostgreSQL.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods)]

mod e2e;

use e2e::site::{Pace, Site};
use e2e::story;
use e2e::world::World;
use tests::Postgres;

const SERVICES: [&str; 4] = ["router", "consumer", "evaluator", "notifier"];

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_of_each_service_play_the_same_story_and_double_no_page() {
    let (world, postgres) = tokio::join!(World::start(), Postgres::start());
    let mut site = Site::separate(&world, &SERVICES, 2, Some(&postgres), Pace::default()).await;
    story::play(&world, &mut site).await;
    site.terminate().await;
}
