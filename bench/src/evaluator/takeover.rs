//! How long a partition of 100,000 groups stands still when its evaluator is killed: from the assignment to the survivor
//! until it evaluates again, and until it has come to the log's end.

use super::feed::{Feed, Pace};
use super::load::{Fleet, Which};
use super::site::{Evaluator, Site};
use super::told::Listener;
use super::{Cell, EvaluatorOptions, Figure};
use crate::usage;
use anyhow::{Context, Result, ensure};
use model::StreamEvent;
use runtime::Clock;
use std::time::Duration;
use tests::wait;
use tokio::task::block_in_place;

/// Groups of a host by the shipped templates; the cell counts them.
const GROUPS_OF_HOST: u64 = 22;
const GROUPS: u64 = 100_000;
/// Seconds between two gathers of a host.
const EVERY: u64 = 10;
/// Rounds that are evaluated before the first kill: windows of 5 min are full.
const FILLED: u64 = 31;
/// Each owner writes its state for so long before it is killed: not long enough to have written all of it.
const OWNED: Duration = Duration::from_secs(5);
const SETTINGS: &str = "{session_timeout: 10s, drain: 5s}";
const SOON: Duration = Duration::from_secs(120);
/// Between two questions to the survivor.
const LOOK: Duration = Duration::from_millis(5);
/// What an evaluator's log says when the group gives it a partition.
const ASSIGNED: &str = "partition assigned";

/// What one take-over took, in seconds.
struct TakeOver {
    /// From the kill to the assignment: the session, mostly.
    noticed: f64,
    /// From the assignment until a line was evaluated.
    evaluates: f64,
    /// From the assignment until all that stood in the log then was evaluated.
    caught_up: f64,
}

/// Runs it.
///
/// # Errors
/// When a system fails, or nobody takes over.
pub(super) async fn run(options: &EvaluatorOptions) -> Result<Cell> {
    let load = usage::load_average()?;
    let (groups, kills) = match options.short {
        true => (GROUPS / 20, 1),
        false => (GROUPS, 2),
    };
    let hosts = groups.div_ceil(GROUPS_OF_HOST);
    let site = Site::start(options, 1).await?;
    let mut owner = site.evaluator(SETTINGS).await?;
    site.judged().await?;
    let listener = block_in_place(|| Listener::start(&site.kafka))?;
    let feed = Feed::new(&site.kafka, hosts, 1)?;
    let fleet = Fleet {
        hosts,
        every: EVERY,
        which: Which::All,
    };
    // The last round of the filling is of now.
    let now = u64::try_from(Clock::system().now_nanos())? / 1_000_000_000;
    let write = fleet.since(now - FILLED * EVERY);
    let filling = Pace {
        rounds: 0..FILLED,
        round: Duration::ZERO,
    };
    block_in_place(|| feed.send(&filling, write, |_, _, _| {}))?;
    let lines = hosts * FILLED * Which::All.lines();
    owner.has_evaluated(lines, SOON).await?;
    let of_host = owner.groups_of(&Fleet::host(0)).await?;
    ensure!(
        of_host >= GROUPS_OF_HOST,
        "a host has {of_host} groups, {GROUPS_OF_HOST} were counted on"
    );
    let pace = Pace {
        rounds: FILLED..u64::MAX,
        round: Duration::from_secs(EVERY),
    };
    let live = feed.live(pace, write);
    // Who takes over is to evaluate what the owner has not saved, and not the filling.
    site.saved(SOON).await?;
    let (mut times, mut state) = (Vec::new(), 0.0);
    for _ in 0..kills {
        let mut survivor = site.evaluator(SETTINGS).await?;
        tokio::time::sleep(OWNED).await;
        if owner.owned().await? == 0 {
            // The group has given it to the newcomer in order.
            std::mem::swap(&mut owner, &mut survivor);
        }
        state += owner.metric("bongsu_eval_state_bytes_total", "").await?;
        times.push(take_over(owner, &mut survivor, &listener).await?);
        owner = survivor;
    }
    block_in_place(|| live.stop())?;
    let most = |of: fn(&TakeOver) -> f64| times.iter().map(of).fold(0.0, f64::max);
    Ok(Cell {
        name: "takeover",
        figures: vec![
            Figure::new("groups", (hosts * of_host) as f64, ""),
            Figure::new("take-overs", times.len() as f64, ""),
            Figure::new("noticed, most", most(|one| one.noticed), "s"),
            Figure::new("evaluates, most", most(|one| one.evaluates), "s"),
            Figure::new("caught up, most", most(|one| one.caught_up), "s"),
            Figure::new("state before", state / 1e6, "MB"),
            Figure::new("load before", load, ""),
        ],
    })
}

/// Kills the owner, and follows the survivor.
async fn take_over(
    mut owner: Evaluator,
    survivor: &mut Evaluator,
    listener: &Listener,
) -> Result<TakeOver> {
    let clock = Clock::system();
    let (before, assigned_before) = (survivor.lines().await?, survivor.process.logged(ASSIGNED)?);
    let killed = clock.now_nanos();
    owner.process.kill();
    let begun = std::time::Instant::now();
    let evaluates = loop {
        ensure!(begun.elapsed() < SOON, "the survivor evaluates nothing");
        if survivor.lines().await? > before {
            break clock.now_nanos();
        }
        survivor.process.look()?;
        tokio::time::sleep(LOOK).await;
    };
    let assigned = survivor.process.last_logged(ASSIGNED)?;
    ensure!(
        survivor.process.logged(ASSIGNED)? > assigned_before && assigned > killed,
        "the survivor was given the partition by the kill"
    );
    let caught_up = wait::until(SOON, async || {
        let told = listener.told()?;
        let mut reached = told.iter().filter(|told| told.read_nanos > assigned);
        Ok(reached.find_map(|told| match told.event {
            StreamEvent::CaughtUp(_) => Some(told.read_nanos),
            StreamEvent::Alert(_) => None,
        }))
    });
    let caught_up = caught_up.await.context("the survivor does not catch up")?;
    let secs = |nanos: i64| nanos as f64 / 1e9;
    Ok(TakeOver {
        noticed: secs(assigned - killed),
        evaluates: secs(evaluates - assigned),
        caught_up: secs(caught_up - assigned),
    })
}
