//! Owners that take a partition over from each other, are killed, or sleep through a take-over and
//! write on.
//!
//! The core is a small one: inputs touch or end a part, and each touch is an event whose value
//! depends on all touches since the part began. Whoever restores from the state topic at whatever
//! point must find the same events.

use super::budget::Budget;
use super::choose::{Chosen, History};
use super::key::StateKey;
use super::rounds::{Parts, Rounds};
use super::save::Job;
use crate::core::{PartKey, RestoreError};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const INPUTS: i64 = 120;

/// Small numbers that follow from a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

#[derive(Clone, Copy)]
struct Touch {
    part: u8,
    ends: bool,
}

/// The small core. It keeps its books as the real one does.
#[derive(Default)]
struct Tiny {
    next: i64,
    parts: BTreeMap<u8, u64>,
    /// Restored pieces that are ahead of the log: applied up to there; none is a part that had
    /// ended.
    waiting: BTreeMap<u8, (i64, Option<u64>)>,
    inherited: BTreeSet<u8>,
    /// Position before the first change that was not given out.
    dirty: BTreeMap<u8, i64>,
    /// Where a part ended, and whether a piece that says so was given out.
    graves: BTreeMap<u8, (i64, bool)>,
    checkpoint: i64,
}

const ENDED: u64 = 0;

impl Tiny {
    fn restore(chosen: &Chosen) -> Self {
        let word =
            |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let next = chosen
            .checkpoint
            .as_ref()
            .map_or(0, |bytes| word(bytes, 0) as i64);
        let piece = |bytes: &[u8]| {
            (
                word(bytes, 0) as i64,
                Some(word(bytes, 8)).filter(|v| *v != ENDED),
            )
        };
        Self {
            next,
            checkpoint: next,
            waiting: chosen
                .parts
                .iter()
                .map(|(id, bytes)| (id[0], piece(bytes)))
                .collect(),
            ..Self::default()
        }
    }

    fn take_in(&mut self, at: i64) {
        let come: Vec<u8> = self
            .waiting
            .iter()
            .filter(|(_, (applied, _))| *applied < at)
            .map(|(part, _)| *part)
            .collect();
        for part in come {
            self.inherited.insert(part);
            self.dirty.entry(part).or_insert(at);
            match self.waiting.remove(&part).unwrap() {
                (_, Some(value)) => drop(self.parts.insert(part, value)),
                (applied, None) => drop(self.graves.insert(part, (applied, false))),
            }
        }
    }

    /// The event, if the input is one.
    fn apply(&mut self, touch: Touch) -> Option<(i64, u64)> {
        let at = self.next;
        self.take_in(at);
        self.next += 1;
        let known = self.parts.get(&touch.part).copied();
        if self.waiting.contains_key(&touch.part) || (touch.ends && known.is_none()) {
            return None;
        }
        self.dirty.entry(touch.part).or_insert(at);
        if touch.ends {
            self.parts.remove(&touch.part);
            self.graves.insert(touch.part, (at, false));
            return None;
        }
        self.graves.remove(&touch.part);
        let value = (known.unwrap_or(1) ^ at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        self.parts.insert(touch.part, value);
        Some((at, value))
    }
}

fn position(bytes: &[u8]) -> Result<i64, RestoreError> {
    Ok(i64::from_le_bytes(bytes[..8].try_into().unwrap()))
}

impl Parts for Tiny {
    fn next_offset(&self) -> i64 {
        self.next
    }

    fn dirty_parts(&self) -> usize {
        self.dirty.len()
    }

    fn take_dirty(&mut self, max_bytes: usize) -> Vec<(PartKey, Option<Vec<u8>>)> {
        let old = |(at, marked): (i64, bool)| marked && at < self.checkpoint;
        let buried = self
            .graves
            .iter()
            .filter(|(_, grave)| old(**grave))
            .map(|(part, _)| *part);
        let buried: Vec<u8> = buried.collect();
        self.graves.retain(|part, _| !buried.contains(part));
        let mut given: Vec<_> = buried.into_iter().map(|part| (vec![part], None)).collect();
        let mut oldest: Vec<_> = self.dirty.iter().map(|(part, at)| (*at, *part)).collect();
        oldest.retain(|(_, part)| !self.waiting.contains_key(part));
        oldest.sort_unstable();
        oldest.truncate((max_bytes / 16).max(1));
        let applied = self.next - 1;
        for (_, part) in oldest {
            self.dirty.remove(&part);
            self.inherited.remove(&part);
            let value = match (self.parts.get(&part), self.graves.get_mut(&part)) {
                (Some(value), _) => *value,
                (None, Some(grave)) => {
                    grave.1 = true;
                    ENDED
                }
                (None, None) => continue,
            };
            given.push((
                vec![part],
                Some([applied.to_le_bytes(), value.to_le_bytes()].concat()),
            ));
        }
        given
    }

    fn is_whole(&self) -> bool {
        self.waiting.is_empty() && self.inherited.is_empty()
    }

    fn checkpoint(&mut self) -> Vec<u8> {
        let lowest = self.dirty.values().copied().min();
        self.checkpoint = lowest.unwrap_or(self.next);
        self.checkpoint.to_le_bytes().to_vec()
    }

    fn position(checkpoint: &[u8]) -> Result<i64, RestoreError> {
        position(checkpoint)
    }
}

/// The steps of a job, in the order of [`super::save::Saver::save`].
enum Writing {
    Part(Bytes, Bytes),
    Verify,
    Record(StateKey, Option<Bytes>),
}

struct Owner {
    epoch: i64,
    core: Tiny,
    rounds: Rounds,
    writing: VecDeque<Writing>,
    written: i64,
}

struct World {
    dice: Dice,
    inputs: Vec<Touch>,
    topic: Vec<(StateKey, Option<Bytes>)>,
    events: BTreeMap<i64, u64>,
    truth: BTreeMap<i64, u64>,
    owners: Vec<Owner>,
    now: Instant,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed | 1);
        let inputs: Vec<Touch> = (0..INPUTS)
            .map(|_| Touch {
                part: dice.below(6) as u8,
                ends: dice.below(5) == 0,
            })
            .collect();
        let mut whole = Tiny::default();
        let truth = inputs
            .iter()
            .filter_map(|touch| whole.apply(*touch))
            .collect();
        Self {
            dice,
            inputs,
            topic: Vec::new(),
            events: BTreeMap::new(),
            truth,
            owners: Vec::new(),
            #[expect(
                clippy::disallowed_methods,
                reason = "an origin that is never compared with a clock"
            )]
            now: Instant::from_std(std::time::Instant::now()),
        }
    }

    /// What a new owner reads, sometimes of a topic that was compacted.
    fn restored(&mut self) -> Chosen {
        let compacted = self.dice.below(2) == 0;
        let mut history = History::new(position);
        for (at, (key, value)) in self.topic.iter().enumerate() {
            let replaced = || self.topic[at + 1..].iter().any(|(later, _)| later == key);
            if !(compacted && replaced()) {
                history.apply(key.clone(), value.as_deref());
            }
        }
        history.choose().unwrap()
    }

    fn claim(&mut self) {
        let chosen = self.restored();
        let epoch = self.topic.len() as i64;
        self.topic.push((StateKey::Claim, None));
        self.owners.push(Owner {
            epoch,
            core: Tiny::restore(&chosen),
            rounds: Rounds::new(
                epoch,
                Duration::from_secs(8),
                // A round of all parts takes about as long as its interval.
                (64, Arc::new(Budget::new(16))),
                chosen.earlier,
                self.now,
            ),
            writing: VecDeque::new(),
            written: epoch,
        });
    }

    /// One owner evaluates an input.
    fn evaluate(&mut self, owner: usize) {
        let core = &mut self.owners[owner].core;
        if let Some(touch) = self.inputs.get(core.next as usize)
            && let Some((at, value)) = core.apply(*touch)
        {
            assert_eq!(
                self.truth.get(&at),
                Some(&value),
                "a different event at {at}"
            );
            self.events.insert(at, value);
        }
    }

    /// One owner does the next thing of its writing. False: it has found a higher claim.
    fn write(&mut self, owner: usize) -> bool {
        let topic = &mut self.topic;
        let Owner {
            epoch,
            core,
            rounds,
            writing,
            written,
        } = &mut self.owners[owner];
        match writing.pop_front() {
            None => {
                rounds.written(*written);
                if let Some(job) = rounds.next(core, 0, self.now).unwrap() {
                    writing.extend(steps(job, *epoch));
                }
            }
            Some(Writing::Part(id, value)) => {
                let epoch = *epoch;
                *written = topic.len() as i64;
                topic.push((StateKey::Part { epoch, id }, Some(value)));
            }
            // The worst that the wait allows: nothing behind its own last record was read.
            Some(Writing::Verify) => {
                let seen = &topic[*epoch as usize + 1..=*written as usize];
                return !seen.iter().any(|(key, _)| *key == StateKey::Claim);
            }
            Some(Writing::Record(key, value)) => {
                *written = topic.len() as i64;
                topic.push((key, value));
            }
        }
        true
    }

    fn turn(&mut self) {
        self.now += Duration::from_millis(self.dice.below(3_000));
        let owners = self.owners.len() as u64;
        if owners == 0 || (owners < 3 && self.dice.below(25) == 0) {
            self.claim();
            return;
        }
        let owner = self.dice.below(owners) as usize;
        let killed = self.dice.below(60) == 0;
        let writes = self.dice.below(3) > 0;
        if killed || (writes && !self.write(owner)) {
            self.owners.remove(owner);
        } else if !writes {
            self.evaluate(owner);
        }
    }
}

fn steps(job: Job, epoch: i64) -> Vec<Writing> {
    let mut steps: Vec<_> = job
        .parts
        .into_iter()
        .map(|(id, value)| Writing::Part(id, value))
        .collect();
    if let Some(checkpoint) = job.checkpoint {
        steps.push(Writing::Verify);
        let key = StateKey::Checkpoint { epoch };
        steps.push(Writing::Record(key, Some(checkpoint.value)));
        let delete = checkpoint.delete.into_iter();
        steps.extend(delete.map(|key| Writing::Record(key, None)));
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whoever_takes_over_finds_the_same_events(seed in any::<u64>(), turns in 1_usize..900) {
        let mut world = World::new(seed);
        for _ in 0..turns {
            world.turn();
        }
        world.claim();
        let last = world.owners.len() - 1;
        for _ in 0..INPUTS {
            world.evaluate(last);
        }
        prop_assert_eq!(world.events, world.truth);
    }
}
