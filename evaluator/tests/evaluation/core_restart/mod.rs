//! Whatever was saved, whenever, and whoever goes on from there: a restart gives the same events, byte for byte.

mod logs;
mod replicas;

use super::core_support::tenant;
use evaluator::core::{Action, Partition, Plans, decode_part_offset};
use logs::{BUNDLES, Bundles, Log, log};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::{BTreeMap, BTreeSet};

/// What a state topic keeps: per key the record with the highest offset.
#[derive(Debug, Clone, Default)]
struct Saved {
    parts: BTreeMap<Vec<u8>, Vec<u8>>,
    checkpoint: Option<Vec<u8>>,
}

impl Saved {
    fn put(&mut self, (key, bytes): (Vec<u8>, Option<Vec<u8>>)) {
        match bytes {
            None => drop(self.parts.remove(&key)),
            Some(bytes) => {
                let offset = decode_part_offset(&bytes).unwrap();
                let known = self
                    .parts
                    .get(&key)
                    .map(|known| decode_part_offset(known).unwrap());
                if known.is_none_or(|known| known <= offset) {
                    self.parts.insert(key, bytes);
                }
            }
        }
    }

    fn restore(&self, plans: &Plans, part_bytes: usize) -> Partition {
        let parts = self
            .parts
            .iter()
            .map(|(key, bytes)| (key.as_slice(), bytes.as_slice()));
        Partition::restore(tenant(), 3, self.checkpoint.as_deref(), parts, plans)
            .unwrap()
            .with_part_bytes(part_bytes)
    }
}

/// When a writer saves: so many steps after the last time, how many bytes, how much of it becomes
/// durable, and whether it dies then.
#[derive(Debug, Clone)]
struct Save {
    steps: usize,
    bytes: usize,
    durable: usize,
    dies: bool,
}

/// One owner after another over one log.
struct Owner<'a> {
    bundles: &'a Bundles,
    part_bytes: usize,
    saved: Saved,
    partition: Partition,
    /// Keys that this owner wrote.
    own: BTreeSet<Vec<u8>>,
}

impl Owner<'_> {
    /// Saves as much as `save` says. Whether the owner goes on.
    fn save(&mut self, save: &Save) -> bool {
        let parts = self.partition.take_dirty(save.bytes);
        let whole = save.durable >= parts.len();
        for part in parts.into_iter().take(save.durable) {
            self.own.insert(part.0.clone());
            self.saved.put(part);
        }
        if whole {
            self.saved.checkpoint = Some(self.partition.checkpoint());
            if self.partition.is_whole() {
                // All that earlier owners wrote can go.
                self.saved.parts.retain(|key, _| self.own.contains(key));
            }
        }
        whole && !save.dies
    }

    fn die(&mut self) -> usize {
        self.partition = self.saved.restore(&self.bundles.plans, self.part_bytes);
        self.own.clear();
        usize::try_from(self.partition.next_offset()).unwrap()
    }
}

/// Runs the log with saves and deaths, and holds every step's events against those of an
/// undisturbed run.
fn check(
    bundles: &Bundles,
    log: &Log,
    saves: &[Save],
    part_bytes: usize,
) -> Result<(), TestCaseError> {
    let expected = bundles.all_events(log);
    let mut owner = Owner {
        bundles,
        part_bytes,
        saved: Saved::default(),
        partition: Partition::new(tenant(), 3).with_part_bytes(part_bytes),
        own: BTreeSet::new(),
    };
    let mut saves = saves.iter().peekable();
    let mut steps = 0;
    let (mut offset, mut seen) = (0, 0);
    while offset < log.len() {
        let events = bundles.feed(&mut owner.partition, offset, log);
        if offset < seen {
            // A repeat gives some of the same events: what a part has seen is skipped.
            for event in &events {
                prop_assert!(
                    expected[offset].contains(event),
                    "offset {offset}: {event:?}"
                );
            }
        } else {
            prop_assert_eq!(&events, &expected[offset], "offset {}", offset);
        }
        offset += 1;
        seen = seen.max(offset);
        steps += 1;
        while let Some(save) = saves.next_if(|save| save.steps <= steps) {
            steps = 0;
            if !owner.save(save) {
                offset = owner.die();
            }
        }
    }
    Ok(())
}

fn saves() -> impl Strategy<Value = Vec<Save>> {
    let durable = prop_oneof![3 => Just(usize::MAX), 2 => 0..6_usize];
    let save = (
        1..60_usize,
        prop_oneof![Just(1_usize), Just(700), Just(usize::MAX)],
        durable,
        any::<bool>(),
    )
        .prop_map(|(steps, bytes, durable, dies)| Save {
            steps,
            bytes,
            durable,
            dies,
        });
    prop::collection::vec(save, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_from_any_saved_state_gives_the_same_events(
        log in log(),
        saves in saves(),
        part_bytes in prop_oneof![Just(256 * 1024_usize), Just(400)],
    ) {
        BUNDLES.with(|bundles| check(bundles, &log, &saves, part_bytes))?;
    }
}

#[test]
fn the_logs_of_these_tests_have_events_of_every_kind() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bundles = Bundles::new();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..40 {
        let log = log().new_tree(&mut runner).unwrap().current();
        for action in bundles.all_events(&log).into_iter().flatten() {
            let Action::Emit(event) = action else {
                continue;
            };
            *kinds.entry(event.kind.as_str()).or_default() += 1;
        }
    }
    for kind in [
        "firing", "reopened", "raised", "lowered", "resolved", "expired",
    ] {
        assert!(
            kinds.get(kind).is_some_and(|n| *n >= 5),
            "{kind}: {kinds:?}"
        );
    }
}
