//! One lane under seeded chaos: owners and drainers that crash, freeze and go on, a shard that comes
//! and goes. What a frozen process has in flight to the shard itself is left out: no protocol of ours
//! can fence it.

use super::{Admission, Envelope, LaneId, LaneMode, LaneState, Next, Origin};
use std::collections::{BTreeMap, BTreeSet};

const SERIES: u64 = 3;
const RECORDS: usize = 40;

/// A linear congruential generator: the same seed, the same story.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A line of the source: its series, and whether the shard refuses it for ever.
#[derive(Clone, Copy)]
struct Line {
    origin: Origin,
    series: u64,
    bad: bool,
}

#[derive(Clone, Copy)]
struct Owner {
    legitimate: bool,
    generation: Option<u64>,
    lane: LaneMode,
    /// Its generation's record, once appended, while it has not looked what lies before it.
    opening: Option<i64>,
    /// The next line to send.
    next: usize,
}

struct Drainer {
    legitimate: bool,
    epoch: Option<u64>,
    lane: LaneState,
    next: usize,
}

/// What a run does without, to show that the judge sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    Generations,
    LookingBehind,
}

struct World {
    random: Random,
    without: Without,
    source: Vec<Line>,
    /// The source's commit: index of the next line, and the generation.
    committed: (usize, u64),
    owners: Vec<Owner>,
    log: Vec<(Envelope, Vec<Line>)>,
    drained: (usize, u64),
    drainers: Vec<Drainer>,
    /// State records by epoch, as the compacted topic keeps them.
    state: BTreeMap<u64, LaneState>,
    up: bool,
    /// The value that the shard holds of each series: the last line written.
    store: BTreeMap<u64, Origin>,
    stored: BTreeSet<Origin>,
    dead: BTreeSet<Origin>,
}

impl World {
    fn new(seed: u64, without: Without) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut source = Vec::new();
        for offset in 0..RECORDS as i64 {
            for number in 1..=1 + random.below(3) as u32 {
                source.push(Line {
                    origin: Origin { offset, number },
                    series: random.below(SERIES),
                    bad: random.chance(5),
                });
            }
        }
        let mut world = Self {
            random,
            without,
            source,
            committed: (0, 0),
            owners: Vec::new(),
            log: Vec::new(),
            drained: (0, 0),
            drainers: Vec::new(),
            state: BTreeMap::new(),
            up: true,
            store: BTreeMap::new(),
            stored: BTreeSet::new(),
            dead: BTreeSet::new(),
        };
        world.new_owner();
        world.new_drainer();
        world
    }

    /// The partition goes to another member; the one before may not know it.
    fn new_owner(&mut self) {
        let freezes = self.random.chance(50);
        self.owners.retain(|owner| !owner.legitimate || freezes);
        self.owners
            .iter_mut()
            .for_each(|owner| owner.legitimate = false);
        self.owners.push(Owner {
            legitimate: true,
            generation: None,
            lane: LaneMode::default(),
            opening: None,
            next: self.committed.0,
        });
    }

    fn new_drainer(&mut self) {
        let freezes = self.random.chance(50);
        self.drainers
            .retain(|drainer| !drainer.legitimate || freezes);
        self.drainers
            .iter_mut()
            .for_each(|drainer| drainer.legitimate = false);
        self.drainers.push(Drainer {
            legitimate: true,
            epoch: None,
            lane: LaneState::default(),
            next: self.drained.0,
        });
    }

    fn write(&mut self, lines: &[Line]) {
        for line in lines {
            if line.bad {
                self.dead.insert(line.origin);
            } else {
                self.stored.insert(line.origin);
                self.store.insert(line.series, line.origin);
            }
        }
    }

    fn append(&mut self, generation: u64, lines: &[Line]) -> i64 {
        let envelope = Envelope {
            lane: "metrics.acme/0/0".parse::<LaneId>().unwrap(),
            generation,
            segment: 0,
            origins: lines.iter().map(|line| line.origin).collect(),
        };
        self.log.push((envelope, lines.to_vec()));
        self.log.len() as i64 - 1
    }

    fn step_owner(&mut self, at: usize) {
        let Owner {
            legitimate,
            generation,
            mut lane,
            opening,
            next,
        } = self.owners[at];
        let Some(generation) = generation else {
            // The group refuses the commit of a former owner.
            if legitimate {
                self.committed.1 += 1;
                self.owners[at].generation = Some(self.committed.1);
            }
            return;
        };
        let size = 1 + self.random.below(5) as usize;
        let end = (next + size).min(self.source.len());
        let lines = self.source[next..end].to_vec();
        let dies = self.random.chance(5);
        match (lane.next(), opening) {
            (Next::Open, None) => {
                let offset = match self.without {
                    Without::Generations => self.log.len() as i64 - 1,
                    _ => self.append(generation, &[]),
                };
                self.owners[at].opening = Some(offset);
                return;
            }
            (Next::Open, Some(offset)) => {
                let before = self.drained.0..usize::try_from(offset).unwrap_or(0);
                let mut waiting = before.clone().any(|n| !self.log[n].1.is_empty());
                if self.without == Without::LookingBehind {
                    waiting = false;
                }
                lane.opened(offset, waiting);
                self.owners[at].opening = None;
            }
            (_, _) if lines.is_empty() => lane.drained(self.drained.0 as i64),
            // What a former owner has in flight to the shard is not fenced by anybody.
            (Next::Write, _) if !legitimate => return,
            (Next::Write, _) if self.up => {
                self.write(&lines);
                if dies {
                    return self.new_owner();
                }
                self.owners[at].next = end;
            }
            (Next::Write, _) | (Next::Append, _) => {
                if lane.next() == Next::Append && self.random.chance(40) {
                    lane.drained(self.drained.0 as i64);
                } else {
                    let offset = self.append(generation, &lines);
                    if legitimate && dies {
                        return self.new_owner();
                    }
                    lane.appended(offset);
                    self.owners[at].next = end;
                }
            }
        }
        self.owners[at].lane = lane;
        if legitimate && self.random.chance(50) {
            // A commit covers whole records.
            let next = self.owners[at].next;
            let whole = |n: usize| n == self.source.len() || self.source[n].origin.number == 1;
            if let Some(next) = (self.committed.0..=next).rev().find(|n| whole(*n)) {
                self.committed.0 = next;
            }
        }
    }

    fn step_drainer(&mut self, at: usize) {
        let Some(epoch) = self.drainers[at].epoch else {
            if self.drainers[at].legitimate {
                self.drained.1 += 1;
                let newest = self.state.values().next_back().copied();
                let drainer = &mut self.drainers[at];
                drainer.epoch = Some(self.drained.1);
                drainer.lane = newest.unwrap_or_default();
                drainer.lane.epoch = self.drained.1;
            }
            return;
        };
        let (legitimate, next) = (self.drainers[at].legitimate, self.drainers[at].next);
        let Some((record, lines)) = self.log.get(next).cloned() else {
            if legitimate {
                self.drained.0 = next;
            }
            return;
        };
        let mut lane = self.drainers[at].lane;
        if let Admission::Write { from } = lane.admit(&record) {
            if !self.up || !legitimate {
                return;
            }
            self.write(&lines[from..]);
            if self.random.chance(5) {
                return self.new_drainer();
            }
            let dead = lines[from..].iter().filter(|line| line.bad).count() as u64;
            let written = lines[from..].len() as u64;
            lane.drained(&record, written - dead, dead);
        }
        self.state.insert(epoch, lane);
        self.drainers[at].lane = lane;
        self.drainers[at].next = next + 1;
        if !legitimate {
            return;
        }
        // A newer drainer takes the records of older ones out.
        if self.random.chance(50) {
            self.state.retain(|older, _| *older >= epoch);
        }
        if self.random.chance(5) {
            return self.new_drainer();
        }
        if self.random.chance(60) {
            self.drained.0 = next + 1;
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..3 => self.up = !self.up,
            3..5 => self.new_owner(),
            5..7 => self.new_drainer(),
            7..60 => {
                let at = self.random.below(self.owners.len() as u64) as usize;
                self.step_owner(at);
            }
            _ => {
                let at = self.random.below(self.drainers.len() as u64) as usize;
                self.step_drainer(at);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.committed.0 == self.source.len() && self.drained.0 == self.log.len()
    }

    /// What is wrong at the end, if anything is.
    fn judge(&self) -> Result<(), String> {
        let mut last = BTreeMap::new();
        for line in &self.source {
            let home = if line.bad { &self.dead } else { &self.stored };
            if !home.contains(&line.origin) {
                return Err(format!("line {} is lost", line.origin));
            }
            if !line.bad {
                last.insert(line.series, line.origin);
            }
        }
        if last != self.store {
            return Err(format!(
                "order: {last:?} was sent last, {:?} is held",
                self.store
            ));
        }
        match self.state.values().find(|lane| !lane.sums.is_balanced()) {
            Some(lane) => Err(format!("the lane's account does not balance: {lane}")),
            None => Ok(()),
        }
    }
}

fn run(seed: u64, without: Without) -> Result<(), String> {
    let mut world = World::new(seed, without);
    for _ in 0..600 {
        world.step();
    }
    // The chaos ends: the shard is up, and the last owner and drainer live.
    world.up = true;
    for _ in 0..20_000 {
        if world.is_done() {
            return world.judge();
        }
        let owner = world.owners.len() - 1;
        world.step_owner(owner);
        let drainer = world.drainers.len() - 1;
        world.step_drainer(drainer);
    }
    Err("it does not come to an end".to_owned())
}

#[test]
fn no_line_is_lost_and_order_is_kept_whoever_crashes_or_freezes() {
    for seed in 0..3_000 {
        if let Err(wrong) = run(seed, Without::Nothing) {
            panic!("seed {seed}: {wrong}");
        }
    }
}

#[test]
fn the_judge_sees_what_generations_and_looking_behind_are_for() {
    for without in [Without::Generations, Without::LookingBehind] {
        let caught = (0..3_000)
            .filter(|seed| run(*seed, without).is_err())
            .count();
        assert!(caught > 0, "no seed needs it");
    }
}
