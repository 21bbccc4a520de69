//! Whatever was saved, whenever: a restart gives the same events, byte for byte.

mod core_support;

use core_support::{START, bundle, s, tenant};
use evaluator::core::{Action, Input, Partition, Payload, Plan, Plans, decode_part_offset, step};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::BTreeMap;

const RULES: &str = r#"
template: cpu
title: "CPU of {host}"
applies_to: {measurement: cpu}
one_alert_per: [host, core]
check: 100 - idle
unit: percent
over: average of 30s
every: 10s
interval: 10s
levels:
  P1: {above: 90, for: 20s}
  P2: {above: 70, recover_for: 20s}
when_missing: P3
expire_after: 10m
---
template: down
title: "{host}"
applies_to: {measurement: any}
one_alert_per: [host]
check: time_since_last_point
every: 10s
interval: 10s
levels:
  P1: {above: 60s}
expire_after: 20m
---
template: pair
title: "{host}"
applies_to: {measurement: pair}
one_alert_per: [host]
check: a / b
over: each point
every: 10s
interval: 10s
only_when: b < 50
levels:
  P2: {above: 1}
close_after: 1m
when_missing: fine
"#;

const EDIT: &str = "---\noverride: tight\ntemplate: cpu\nfor: {where: {service: shop}}\nset:\n  every: 20s\n  \
                    levels: {P1: {above: 60, for: 0}}\n";

/// A record of a log.
#[derive(Debug, Clone)]
enum Record {
    Lines(String),
    Tick,
    Mark(u64),
}

/// Arrival in seconds, and the record.
type Log = Vec<(i64, Record)>;

fn plans() -> Plans {
    let mut plans = Plans::new();
    plans.insert(Plan::compile(&bundle(1, RULES, 15)).unwrap());
    plans.insert(Plan::compile(&bundle(2, &format!("{RULES}{EDIT}"), 15)).unwrap());
    let (templates, _) = RULES.rsplit_once("---\n").unwrap();
    plans.insert(Plan::compile(&bundle(3, templates, 20)).unwrap());
    plans
}

fn hashes() -> BTreeMap<u64, String> {
    let (templates, _) = RULES.rsplit_once("---\n").unwrap();
    let edited = format!("{RULES}{EDIT}");
    [(1, RULES, 15), (2, edited.as_str(), 15), (3, templates, 20)]
        .map(|(revision, yaml, lateness)| (revision, bundle(revision, yaml, lateness).hash))
        .into()
}

fn feed(partition: &mut Partition, offset: usize, log: &Log, plans: &Plans) -> Vec<Action> {
    let hashes = hashes();
    let (arrival, record) = &log[offset];
    let payload = match record {
        Record::Lines(lines) => Payload::Lines(lines.as_bytes()),
        Record::Tick => Payload::Tick,
        Record::Mark(revision) => Payload::BundleMark { revision: *revision, hash: &hashes[revision] },
    };
    let input = Input { offset: offset as i64, arrival: s(*arrival), payload };
    let actions = step(partition, input, plans);
    actions.into_iter().filter(|action| matches!(action, Action::Emit(_))).collect()
}

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
                let known = self.parts.get(&key).map(|known| decode_part_offset(known).unwrap());
                if known.is_none_or(|known| known <= offset) {
                    self.parts.insert(key, bytes);
                }
            }
        }
    }

    fn restore(&self, plans: &Plans, part_bytes: usize) -> Partition {
        let parts = self.parts.iter().map(|(key, bytes)| (key.as_slice(), bytes.as_slice()));
        Partition::restore(tenant(), 3, self.checkpoint.as_deref(), parts, plans)
            .unwrap()
            .with_part_bytes(part_bytes)
    }
}

/// When a writer saves: after which record, how many bytes, how much of it becomes durable, and whether it dies then.
#[derive(Debug, Clone)]
struct Save {
    after: usize,
    bytes: usize,
    durable: usize,
    dies: bool,
}

fn all_events(log: &Log, plans: &Plans) -> Vec<Vec<Action>> {
    let mut partition = Partition::new(tenant(), 3);
    (0..log.len()).map(|offset| feed(&mut partition, offset, log, plans)).collect()
}

/// Runs the log with saves and deaths, and holds every step's events against those of an undisturbed run.
fn check(log: &Log, saves: &[Save], part_bytes: usize) -> Result<(), TestCaseError> {
    let plans = plans();
    let expected = all_events(log, &plans);
    let mut saved = Saved::default();
    let mut partition = Partition::new(tenant(), 3).with_part_bytes(part_bytes);
    let mut seen = vec![false; log.len()];
    let mut saves: Vec<Save> = saves.to_vec();
    saves.sort_by_key(|save| save.after);
    let mut saves = saves.into_iter().peekable();
    let mut offset = 0;
    while offset < log.len() {
        let events = feed(&mut partition, offset, log, &plans);
        if seen[offset] {
            // A repeat gives a part of the same events: what a part has seen is skipped.
            for event in &events {
                prop_assert!(expected[offset].contains(event), "offset {offset}: {event:?}");
            }
        } else {
            prop_assert_eq!(&events, &expected[offset], "offset {}", offset);
        }
        seen[offset] = true;
        offset += 1;
        while let Some(save) = saves.next_if(|save| save.after < offset) {
            let parts = partition.take_dirty(save.bytes);
            let whole = save.durable >= parts.len();
            if !whole {
                parts.into_iter().take(save.durable).for_each(|part| saved.put(part));
            } else {
                parts.into_iter().for_each(|part| saved.put(part));
                saved.checkpoint = Some(partition.checkpoint());
            }
            if save.dies || !whole {
                partition = saved.restore(&plans, part_bytes);
                offset = usize::try_from(partition.next_offset()).unwrap();
            }
        }
    }
    Ok(())
}

fn line() -> impl Strategy<Value = (u8, u8, i64, i64, bool)> {
    (0..3_u8, 0..5_u8, 0..100_i64, -25..3_i64, any::<bool>())
}

fn log() -> impl Strategy<Value = Log> {
    let record = prop_oneof![
        8 => prop::collection::vec(line(), 1..6).prop_map(Some),
        2 => Just(None),
    ];
    let gap = prop_oneof![6 => 0..12_i64, 2 => 10..40_i64, 1 => Just(-5_i64)];
    let marks = (5..60_usize, 60..120_usize);
    (prop::collection::vec((gap, record), 20..150), 0..40_usize, marks).prop_map(
        |(records, quiet, (second, third))| {
            let mut at = 0;
            let mut log = vec![(0, Record::Mark(1))];
            for (n, (gap, record)) in records.into_iter().enumerate() {
                at += gap;
                let record = match record {
                    Some(lines) => Record::Lines(lines.iter().map(|line| text(line, at)).collect()),
                    None => Record::Tick,
                };
                log.push((at, record));
                log.extend((n == second).then_some((at, Record::Mark(2))));
                log.extend((n == third).then_some((at, Record::Mark(3))));
            }
            // Long enough quiet for hosts to expire, then life again.
            let end = at;
            log.extend((1..=quiet as i64 * 8).map(|n| (end + n * 30, Record::Tick)));
            let again = end + quiet as i64 * 240;
            log.extend((1..20).map(|n| {
                let at = again + n * 10;
                (at, Record::Lines(text(&(0, 0, 2, 0, true), at)))
            }));
            log
        },
    )
}

fn text(&(host, series, value, shift, shop): &(u8, u8, i64, i64, bool), at: i64) -> String {
    let at = (START + at + shift) * 1_000_000_000;
    let service = if shop { ",service=shop" } else { "" };
    match series {
        0..=2 => format!("cpu,host=h{host},core=c{series},env=prod{service} idle={value} {at}\n"),
        3 => format!("pair,host=h{host},env=stg a={value} {at}\n"),
        _ => format!("pair,host=h{host},env=stg b={} {at}\n", value - 30),
    }
}

fn saves() -> impl Strategy<Value = Vec<Save>> {
    let durable = prop_oneof![3 => Just(usize::MAX), 2 => 0..6_usize];
    let save = (0..300_usize, prop_oneof![Just(1_usize), Just(700), Just(usize::MAX)], durable, any::<bool>())
        .prop_map(|(after, bytes, durable, dies)| Save { after, bytes, durable, dies });
    prop::collection::vec(save, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_from_any_saved_state_gives_the_same_events(
        log in log(),
        saves in saves(),
        part_bytes in prop_oneof![Just(256 * 1024_usize), Just(400)],
    ) {
        check(&log, &saves, part_bytes)?;
    }
}

#[test]
fn the_logs_of_these_tests_have_events_of_every_kind() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..40 {
        let log = log().new_tree(&mut runner).unwrap().current();
        for action in all_events(&log, &plans()).into_iter().flatten() {
            let Action::Emit(event) = action else { continue };
            *kinds.entry(event.kind.as_str()).or_default() += 1;
        }
    }
    for kind in ["firing", "reopened", "raised", "lowered", "resolved", "expired"] {
        assert!(kinds.get(kind).is_some_and(|n| *n >= 5), "{kind}: {kinds:?}");
    }
}
