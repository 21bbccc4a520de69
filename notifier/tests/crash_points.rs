//! Row 19 of the table of faults on the embedded database: a notifier that dies at each of the five points of a delivery.
//!
//! `BONGSU_FAULTS=full cargo test -p notifier --test crash_points -- --nocapture` is the full form: 300 times at each.

// What was seen is for whoever runs it.
#![allow(clippy::print_stderr)]

use notifier::config::Database;
use notifier::contract::{Crashes, Point, World, crashed};

/// Worlds beside each other at one point in the full form.
const LANES: usize = 4;

fn times() -> usize {
    match std::env::var("BONGSU_FAULTS").is_ok_and(|form| form == "full") {
        true => 300,
        false => 8,
    }
}

async fn dies_at(point: Point) {
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(async move {
            let folder = tempfile::tempdir().unwrap();
            let database = Database {
                sqlite: folder.path().join("incidents.db"),
                ..Database::default()
            };
            let world = World::new(folder.path(), database).await;
            crashed(world, point, times() / LANES).await
        });
    }
    let mut all = Crashes::default();
    for seen in lanes.join_all().await {
        all.crashes += seen.crashes;
        all.missed += seen.missed;
        all.repeated += seen.repeated;
    }
    eprintln!("faults: row 19: {point:?}: {all:?}");
    assert_eq!((all.crashes, all.missed), (times(), 0), "{point:?}");
}

macro_rules! points {
    ($($name:ident: $point:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            dies_at(Point::$point).await;
        }
    )+};
}

points!(
    row_19_at_the_claim: Claim,
    row_19_before_the_send: BeforeSend,
    row_19_after_the_providers_answer: AfterTheAnswer,
    row_19_before_the_record: BeforeRecord,
    row_19_after_the_record: AfterRecord,
);
