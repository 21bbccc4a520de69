//! Other batches, other rebalances, other numbers of replicas: the same events, byte for byte.

use super::super::core_support::tenant;
use super::logs::{BUNDLES, Bundles, Log, log};
use super::{Owner, Save, Saved};
use evaluator::core::{Action, Partition};
use model::StreamEvent;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};

/// Logs of three partitions, and how often each is evaluated in another way: 5, or 100 in the full form of the faults.
const LOGS: u64 = 10;

fn ways() -> u64 {
    let full = std::env::var("BONGSU_FAULTS").is_ok_and(|form| form == "full");
    if full { 100 } else { 5 }
}

/// What [`Bundles::all_events`] calls the partition; all logs are of it.
const NUMBER: u32 = 3;

/// Numbers that look random (the finalizer of `SplitMix64`, Steele et al. 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).unwrap()
    }
}

/// An event or a report: what it is known by, and its bytes on the wire.
fn wire(action: &Action) -> (String, Vec<u8>) {
    match action {
        Action::Emit(event) => {
            let bytes = schemas::alert::encode(&StreamEvent::Alert(event.clone()));
            (event.event_id.to_string(), bytes)
        }
        Action::Derive(report) => {
            let id = format!("{} of {}", report.at.as_nanos(), report.from);
            (id, report.lines.clone().into_bytes())
        }
        other => panic!("{other:?}"),
    }
}

/// What was said of one log, in the order in which it was said first.
#[derive(Default)]
struct Said {
    order: Vec<(String, Vec<u8>)>,
    known: BTreeMap<String, Vec<u8>>,
    repeats: usize,
}

impl Said {
    fn take(&mut self, actions: &[Action]) {
        for (id, bytes) in actions.iter().map(wire) {
            match self.known.get(&id) {
                Some(first) => {
                    assert_eq!(*first, bytes, "{id} was said with other bytes before");
                    self.repeats += 1;
                }
                None => {
                    self.known.insert(id.clone(), bytes.clone());
                    self.order.push((id, bytes));
                }
            }
        }
    }
}

/// A log, and who evaluates it.
struct Input<'a> {
    log: &'a Log,
    said: Said,
    replica: usize,
    owner: Owner<'a>,
}

impl<'a> Input<'a> {
    fn new(bundles: &'a Bundles, log: &'a Log) -> Self {
        let owner = Owner {
            bundles,
            part_bytes: 256 * 1024,
            saved: Saved::default(),
            partition: Partition::new(tenant(), NUMBER),
            own: BTreeSet::new(),
        };
        Self {
            log,
            said: Said::default(),
            replica: 0,
            owner,
        }
    }

    fn next(&self) -> usize {
        usize::try_from(self.owner.partition.next_offset()).unwrap()
    }

    fn is_done(&self) -> bool {
        self.next() >= self.log.len()
    }

    /// Evaluates a batch of so many records.
    fn batch(&mut self, records: usize) {
        let from = self.next();
        for offset in from..(from + records).min(self.log.len()) {
            let owner = &mut self.owner;
            let actions = owner.bundles.feed(&mut owner.partition, offset, self.log);
            self.said.take(&actions);
        }
    }

    /// An owner whose writes fail begins again from what is saved.
    fn save(&mut self, save: &Save) {
        if !self.owner.save(save) {
            self.owner.die();
        }
    }

    /// Another owner begins from what is saved.
    fn take_over(&mut self, replica: usize) {
        self.owner.die();
        self.replica = replica;
    }
}

const ALL: Save = Save {
    steps: 0,
    bytes: usize::MAX,
    durable: usize::MAX,
    dies: false,
};

/// One way to evaluate some logs; how often a partition changed hands, and how many repeats there were.
fn evaluate(bundles: &Bundles, logs: &[Log], dice: &mut Dice) -> (Vec<Said>, usize) {
    let mut inputs: Vec<Input<'_>> = logs.iter().map(|log| Input::new(bundles, log)).collect();
    let mut replicas = 1 + dice.below(5);
    let most = [3, 20, 100, 500][dice.below(4)];
    let mut moves = 0;
    while inputs.iter().any(|input| !input.is_done()) {
        let replica = dice.below(replicas);
        for input in inputs.iter_mut().filter(|input| input.replica == replica) {
            input.batch(1 + dice.below(most));
            if dice.below(3) == 0 {
                let durable = if dice.below(3) == 0 {
                    dice.below(6)
                } else {
                    usize::MAX
                };
                let bytes = [1, 700, usize::MAX][dice.below(3)];
                input.save(&Save {
                    bytes,
                    durable,
                    ..ALL
                });
            }
        }
        if dice.below(6) > 0 {
            continue;
        }
        replicas = 1 + dice.below(5);
        for input in &mut inputs {
            let owner = dice.below(replicas);
            if owner == input.replica {
                continue;
            }
            moves += 1;
            match dice.below(3) {
                // It gives the partition back, and has written all.
                0 => input.save(&ALL),
                // It was killed.
                1 => {}
                // It sleeps through the rebalance and says some more; what it would write is refused.
                _ => {
                    let asleep = input.owner.saved.clone();
                    input.batch(1 + dice.below(most));
                    input.owner.saved = asleep;
                }
            }
            input.take_over(owner);
        }
    }
    (inputs.into_iter().map(|input| input.said).collect(), moves)
}

#[test]
fn any_batches_rebalances_and_replicas_give_the_same_bytes() {
    let mut runner = TestRunner::deterministic();
    let (mut said, mut repeats, mut moved) = (0, 0, 0);
    BUNDLES.with(|bundles| {
        for n in 0..LOGS {
            let logs: Vec<Log> = (0..3)
                .map(|_| log().new_tree(&mut runner).unwrap().current())
                .collect();
            let fresh: Vec<Vec<(String, Vec<u8>)>> = logs
                .iter()
                .map(|log| bundles.all_events(log).iter().flatten().map(wire).collect())
                .collect();
            for way in 0..ways() {
                let mut dice = Dice(n << 32 | way);
                let (found, moves) = evaluate(bundles, &logs, &mut dice);
                moved += moves;
                for (found, fresh) in found.iter().zip(&fresh) {
                    assert!(found.order == *fresh, "log {n}, way {way}");
                    said += fresh.len();
                    repeats += found.repeats;
                }
            }
        }
    });
    assert!(
        repeats > 50 && moved > 50,
        "{said} events and reports, {repeats} repeats, {moved} partitions changed hands"
    );
    println!("{said} events and reports, {repeats} repeats, {moved} partitions changed hands");
}
