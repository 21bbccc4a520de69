//! The data plane's rows of the table of faults, on real processes. Each prints its figure and what repeats it.
//!
//! `cargo test -p tests --test faults -- --nocapture` is the short form; `make faults`, which sets `BONGSU_FAULTS=full`,
//! is the long one. `BONGSU_FAULTS_SEED=N` repeats what a seed has decided.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

mod alarms;
// The story of a whole system asks it more.
#[allow(dead_code)]
#[path = "../e2e/alerts.rs"]
mod alerts;
mod embedded;
mod evaluators;
mod flood;
mod handoff;
mod hostile;
mod life;
mod log;
mod overload;
mod partitions;
mod plane;
mod shards;
mod strangers;
mod versions;

use tests::Dice;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Rows that may run at once: each has a Kafka of its own.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Waits for a turn beside one other row.
async fn turn() -> SemaphorePermit<'static> {
    TURNS.acquire().await.expect("it is never closed")
}

/// Waits until no other row runs, and keeps it so: for what is held against a clock.
async fn alone() -> SemaphorePermit<'static> {
    TURNS.acquire_many(2).await.expect("it is never closed")
}

/// The short form's number, or the full form's.
fn scale<T>(short: T, full: T) -> T {
    if std::env::var("BONGSU_FAULTS").is_ok_and(|form| form == "full") {
        full
    } else {
        short
    }
}

/// The dice of a row, whose seed is printed.
fn dice(row: &str) -> Dice {
    let seed = Dice::seed("BONGSU_FAULTS_SEED");
    eprintln!("faults: row {row}: BONGSU_FAULTS_SEED={seed}");
    Dice::of(seed)
}

/// What the row has seen.
fn figure(row: &str, seen: impl std::fmt::Display) {
    eprintln!("faults: row {row}: {seen}");
}
