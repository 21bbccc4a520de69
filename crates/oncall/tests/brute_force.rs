//! The answers against a second solver that shares nothing with the first: it walks the two years minute by minute over a table of
//! what the clock reads, and hands over when the reading passes a handover.
//!
//! `ONCALL_SCHEDULES=10000` runs the long form: that many schedules at every edge and a minute around it, and at 1,000 random instants.

mod solver;

use jiff::Timestamp;
use oncall::Schedule;
use solver::{Solver, World, ZONES, random_schedule};

/// A small generator of its own, so that a seed means the same schedule for ever (xorshift64*; Vigna 2016).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The next number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

fn random(seed: u64) -> Random {
    Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
}

/// The instant of a minute of the two years.
fn minute(world: &World, minute: usize) -> Timestamp {
    let seconds = world.begin + i64::try_from(minute).unwrap_or(0) * 60;
    Timestamp::from_second(seconds).expect("within the two years")
}

#[test]
fn fifty_schedules_agree_minute_by_minute_over_two_years() {
    let worlds: Vec<World> = ZONES.iter().map(|zone| World::of(zone)).collect();
    for seed in 1..=50 {
        let mut random = random(seed);
        let world = &worlds[usize::try_from(seed).unwrap_or(0) % worlds.len()];
        let declared = random_schedule(&mut random, world.zone);
        let schedule = Schedule::compile(&declared).expect("it compiles");
        let solver = Solver::of(&declared, world);
        let spans = schedule.spans(minute(world, 0), minute(world, world.minutes()));
        let mut span = spans.iter().peekable();
        for at in 0..world.minutes() {
            let instant = minute(world, at);
            while span.peek().is_some_and(|span| span.to <= instant) {
                span.next();
            }
            let ours = &span.peek().expect("spans leave no gap").duty.people;
            let theirs = solver.at(at);
            assert_eq!(*ours, theirs, "seed {seed} at {instant} in {}", world.zone);
        }
    }
}

#[test]
fn many_schedules_agree_around_every_edge_and_at_random_instants() {
    let count = std::env::var("ONCALL_SCHEDULES").map_or(60, |count| {
        count.parse().expect("ONCALL_SCHEDULES is a number")
    });
    let worlds: Vec<World> = ZONES.iter().map(|zone| World::of(zone)).collect();
    for seed in 1001..=1000 + count {
        let mut random = random(seed);
        let world = &worlds[usize::try_from(seed).unwrap_or(0) % worlds.len()];
        let declared = random_schedule(&mut random, world.zone);
        let schedule = Schedule::compile(&declared).expect("it compiles");
        let solver = Solver::of(&declared, world);
        let spans = schedule.spans(minute(world, 0), minute(world, world.minutes()));
        let edges = spans.iter().flat_map(|span| {
            let edge = (span.from.as_second() - world.begin) / 60;
            [edge - 1, edge, edge + 1]
        });
        let edges = edges.filter_map(|at| usize::try_from(at).ok());
        let chosen = (0..1000).map(|_| {
            let most = u64::try_from(world.minutes()).unwrap_or(1);
            usize::try_from(random.below(most)).unwrap_or(0)
        });
        for at in edges.chain(chosen).filter(|at| *at < world.minutes()) {
            let instant = minute(world, at);
            let ours = schedule.at(instant).people;
            assert_eq!(
                ours,
                solver.at(at),
                "seed {seed} at {instant} in {}",
                world.zone
            );
        }
    }
}
