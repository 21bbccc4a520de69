//! From the record that first reaches a grid point's end, or from a point itself, to the event on `bongsu.alerts`.
//!
//! A thousand hosts send what they gather every 10 s fifty times as fast as that: 100,000 points/s whose windows and grid
//! points are those of 50,000 hosts. A host's next gather is 10 s on, so the record that first reaches t + lateness is the
//! one of just that time, and it is known when it was made. No tick can come before it: between two gathers of a host
//! only 0.2 s of log time pass.

use super::feed::{Feed, Pace};
use super::load::{Fleet, Which, write_container};
use super::site::Site;
use super::told::{Listener, Told};
use super::{Cell, EvaluatorOptions, Figure, percentile};
use crate::usage;
use ::tests::wait;
use anyhow::{Context, Result, ensure};
use model::{AlertEvent, AlertKind, StreamEvent};
use runtime::Clock;
use std::collections::HashSet;
use std::time::Duration;
use tokio::task::block_in_place;

const HOSTS: u64 = 1_000;
const PARTITIONS: u32 = 12;
/// Event time between two rounds.
const EVERY: u64 = 10;
const POINTS_PER_S: u64 = 100_000;
/// The tenant's, which is the default.
const LATENESS: u64 = 30;
/// A host is in trouble for so many rounds, 13 min, of each half an hour.
const TROUBLE: u64 = 78;
const SPELL: u64 = 180;
/// A host has a container for ten minutes, which is killed for its memory in the last of them.
const KILLED: u64 = 6;
const CONTAINER: u64 = 60;
/// What was decided in the first rounds is left out: connections and caches are made by them.
const WARM: u64 = 24;
const SOON: Duration = Duration::from_secs(60);

/// Fires point by point; what else is told of the load is decided on a grid.
const EACH_POINT: &str = "container-oom";

/// When each record was made, and of which event time it is.
struct Made {
    /// The first round, in seconds since 1970.
    start: u64,
    rounds: u64,
    nanos: Vec<i64>,
}

/// Times of events, in ms.
#[derive(Default)]
struct Times {
    /// From the append of the deciding record to that of the event, by the broker's clock.
    appended: Vec<f64>,
    /// From when the deciding point was made to when the event was read, by this machine's clock.
    read: Vec<f64>,
}

/// Runs it.
///
/// # Errors
/// When a system fails, or an event that must come does not.
pub(super) async fn run(options: &EvaluatorOptions) -> Result<Cell> {
    let load = usage::load_average()?;
    let rounds = if options.short { 120 } else { 285 };
    let site = Site::start(options, PARTITIONS).await?;
    let mut evaluator = site.evaluator("{}").await?;
    site.judged().await?;
    let listener = block_in_place(|| Listener::start(&site.kafka))?;
    let feed = Feed::new(&site.kafka, HOSTS, PARTITIONS)?;
    let before = evaluator.process.look()?;
    let (made, took) = block_in_place(|| send(&feed, rounds))?;
    let points = HOSTS * rounds * lines();
    evaluator.has_evaluated(points, SOON).await?;
    let told = all_told(&evaluator, &listener).await?;
    let cpu = evaluator.process.look()?.cpu.saturating_sub(before.cpu);
    let memory = usage::peak_rss(evaluator.process.id())?;
    must_have_fired(&made, &told)?;
    let (grid, each_point) = times(&made, &told)?;
    let mut figures = vec![
        Figure::new("points", points as f64, ""),
        Figure::new("points a second", points as f64 / took.as_secs_f64(), "/s"),
    ];
    figures.extend(grid.figures(GRID));
    figures.extend(each_point.figures(POINT));
    figures.extend([
        Figure::new("CPU", cpu.as_secs_f64(), "s"),
        Figure::new("peak memory", memory as f64 / 1e6, "MB"),
        Figure::new("load before", load, ""),
    ]);
    Ok(Cell {
        name: "latency",
        figures,
    })
}

/// Lines of a host's record.
const fn lines() -> u64 {
    Which::All.lines() + 1
}

/// Sends all rounds at the pace. What was made when, and how long it took.
fn send(feed: &Feed, rounds: u64) -> Result<(Made, Duration)> {
    let now = u64::try_from(Clock::system().now_nanos())? / 1_000_000_000;
    let mut made = Made {
        // Event time runs faster than the clock, and must not come to be ahead of it.
        start: (now - (rounds + 1) * EVERY) / 60 * 60 - 60,
        rounds,
        nanos: vec![0; usize::try_from(rounds * HOSTS)?],
    };
    let fleet = Fleet {
        hosts: HOSTS,
        every: EVERY,
        which: Which::All,
    };
    let pace = Pace {
        rounds: 0..rounds,
        round: Duration::from_secs(lines() * HOSTS).div_f64(POINTS_PER_S as f64),
    };
    let start = made.start;
    let write = |round: u64, host: u64, out: &mut Vec<u8>| {
        let nanos = (start + round * EVERY) * 1_000_000_000;
        fleet.write_as((round, host), nanos, in_trouble(round, host), out);
        let (number, age) = ((round + host) / CONTAINER, (round + host) % CONTAINER);
        let killed = age >= CONTAINER - KILLED;
        write_container((host, number), nanos, killed, out);
    };
    let begun = Clock::system().now_nanos();
    let noted = &mut made.nanos;
    feed.send(&pace, write, |round, host, nanos| {
        noted[(round * HOSTS + host) as usize] = nanos;
    })?;
    let took = u64::try_from(Clock::system().now_nanos() - begun)?;
    Ok((made, Duration::from_nanos(took)))
}

fn in_trouble(round: u64, host: u64) -> bool {
    (round + host * 7) % SPELL < TROUBLE
}

/// Everything that the evaluator has appended, once it is read.
async fn all_told(evaluator: &super::site::Evaluator, listener: &Listener) -> Result<Vec<Told>> {
    let mut last = None;
    wait::until(SOON, async || {
        let appended = evaluator.metric("bongsu_eval_events_total", "").await? as usize;
        let told = listener.told()?;
        let events = told.iter().filter(|told| alert(told).is_some()).count();
        // Twice the same: nothing waits for its acknowledgement any more.
        let still = last.replace(appended) == Some(appended);
        Ok((still && events >= appended).then_some(told))
    })
    .await
    .context("not every event was read")
}

fn alert(told: &Told) -> Option<&AlertEvent> {
    match &told.event {
        StreamEvent::Alert(event) => Some(event),
        StreamEvent::CaughtUp(_) => None,
    }
}

/// The number of the host that an event is about.
fn host_of(event: &AlertEvent) -> Option<u64> {
    let (_, name) = event.group.iter().find(|(key, _)| key == "host")?;
    name.strip_prefix("web-")?.parse().ok()
}

impl Made {
    /// The round of an event time; none where it is none of the load's.
    fn round(&self, secs: i64) -> Option<u64> {
        let after = u64::try_from(secs).ok()?.checked_sub(self.start)?;
        (after.is_multiple_of(EVERY) && after / EVERY < self.rounds).then_some(after / EVERY)
    }

    fn at(&self, round: u64, host: u64) -> i64 {
        self.nanos[(round * HOSTS + host) as usize]
    }
}

/// Each host that was in trouble for a whole spell has a page that says so.
fn must_have_fired(made: &Made, told: &[Told]) -> Result<()> {
    let fired: HashSet<(u64, u64)> = told
        .iter()
        .filter_map(alert)
        .filter(|event| event.template == "cpu-usage")
        .filter(|event| matches!(event.kind, AlertKind::Firing | AlertKind::Reopened))
        .filter_map(|event| {
            let round = made.round(event.at.as_nanos() / 1_000_000_000)?;
            let host = host_of(event)?;
            Some((host, (round + host * 7) / SPELL))
        })
        .collect();
    let mut wanted = 0;
    for host in 0..HOSTS {
        for spell in (host * 7).div_ceil(SPELL)..(host * 7 + made.rounds) / SPELL {
            wanted += 1;
            ensure!(
                fired.contains(&(host, spell)),
                "host {host} was in trouble for 13 min, and nobody was told"
            );
        }
    }
    ensure!(
        wanted > 0 || made.rounds < SPELL,
        "no host had a whole spell"
    );
    Ok(())
}

/// How long events took: those of a grid, and those of points.
fn times(made: &Made, told: &[Told]) -> Result<(Times, Times)> {
    let (mut grid, mut each_point) = (Times::default(), Times::default());
    for one in told {
        let Some(event) = alert(one) else { continue };
        let Some(host) = host_of(event) else { continue };
        let by_point = event.template == EACH_POINT && event.kind == AlertKind::Firing;
        let lateness = if by_point { 0 } else { LATENESS };
        let at = event.at.as_nanos() / 1_000_000_000;
        let round = made.round(at + lateness.cast_signed());
        let round = round.with_context(|| {
            format!(
                "{} of host {host} is of a time that was not sent",
                event.template
            )
        })?;
        if round < WARM {
            continue;
        }
        let times = if by_point { &mut each_point } else { &mut grid };
        let arrival = event.arrival.as_nanos() / 1_000_000;
        times.appended.push((one.appended_ms - arrival) as f64);
        let read = one.read_nanos - made.at(round, host);
        times.read.push(read as f64 / 1e6);
    }
    ensure!(
        !grid.appended.is_empty() && !each_point.appended.is_empty(),
        "there are events of both kinds"
    );
    Ok((grid, each_point))
}

/// How a kind's figures are called.
type Names = [&'static str; 7];

const GRID: Names = [
    "grid: events",
    "grid: p50",
    "grid: p99",
    "grid: most",
    "grid, to read: p50",
    "grid, to read: p99",
    "grid, to read: most",
];
const POINT: Names = [
    "each point: events",
    "each point: p50",
    "each point: p99",
    "each point: most",
    "each point, to read: p50",
    "each point, to read: p99",
    "each point, to read: most",
];

impl Times {
    fn figures(mut self, names: Names) -> Vec<Figure> {
        self.appended.sort_by(f64::total_cmp);
        self.read.sort_by(f64::total_cmp);
        let mut figures = vec![Figure::new(names[0], self.appended.len() as f64, "")];
        let both = [&self.appended, &self.read];
        let each = both
            .into_iter()
            .flat_map(|times| [50, 99, 100].map(|of_100| percentile(times, of_100)));
        figures.extend(
            names[1..]
                .iter()
                .zip(each)
                .map(|(name, ms)| Figure::new(name, ms, "ms")),
        );
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_that_of_its_time_and_no_other() {
        let made = Made {
            start: 600,
            rounds: 3,
            nanos: vec![0; 3 * HOSTS as usize],
        };
        for (secs, round) in [
            (590, None),
            (600, Some(0)),
            (605, None),
            (620, Some(2)),
            (630, None),
        ] {
            assert_eq!(made.round(secs), round, "{secs}");
        }
    }
}
