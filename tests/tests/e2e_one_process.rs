//! The whole line in one process: Telegraf, Kafka, `bongsu up` and a second consumer, two InfluxDBs, Slack, SENS.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods)]

mod e2e;

use e2e::site::Site;
use e2e::story;
use e2e::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_cpu_is_stored_paged_escalated_acknowledged_and_recovers() {
    let world = World::start().await;
    let mut site = Site::one_process(&world).await;
    story::play(&world, &mut site).await;
    site.terminate().await;
}
