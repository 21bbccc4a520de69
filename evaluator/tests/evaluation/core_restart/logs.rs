//! Random logs of one partition, and the rules that judge them.

use super::super::core_support::{START, bundle, s, tenant};
use evaluator::core::{Action, Input, Partition, Payload, Plan, Plans, step};
use model::Span;
use proptest::prelude::*;
use schemas::catalogue::Bundle;
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
---
template: samples
title: "{host}"
applies_to: {measurement: cpu}
one_alert_per: [host, core]
check: idle
over: 2 of the last 3 samples
every: 60s
interval: 10s
levels: {P3: {below: 50}}
---
template: grown
title: "{host}"
applies_to: {measurement: cpu}
one_alert_per: [host]
check: delta(idle) - last(pair:a)
over: delta of 40s
every: 60s
interval: 10s
levels:
  P2: {above: 20}
  P3: {above: 0, check: change(idle), over: each point}
when_missing: fine
close_after: 2m
---
template: usage
title: "{measurement}"
applies_to: {measurement: bongsu_usage}
one_alert_per: [tenant, measurement]
check: points
over: sum of 10m
levels: {P3: {above: 1}}
when_missing: fine
---
template: spans
title: "{service}"
applies_to: {measurement: cpu}
one_alert_per: [service]
check: rate(idle) + last(pair:a)
over: average of 2m
interval: 10s
levels: {P1: {above: 1}}
---
template: all
applies_to: {measurement: cpu}
one_alert_per: [tenant]
check: idle
over: 2 of the last 3 samples
interval: 10s
levels: {P1: {above: 40}}
---
template: trend
title: "{host}"
applies_to: {measurement: cpu}
one_alert_per: [host]
check: idle
unit: percent
over: time until zero
only_when: idle < 90
every: 5m
interval: 10s
levels: {P3: {below: 5d}}
---
template: season
title: "{host}"
applies_to: {measurement: cpu}
one_alert_per: [host]
check: idle
over: max of 5m
every: 5m
interval: 10s
compared_to: same hour of the week
levels: {P3: {above: 0.1}}
"#;

const EDIT: &str = "---\noverride: tight\ntemplate: cpu\nfor: {where: {service: shop}}\n\
     set:\n  every: 20s\n  \
                    levels: {P1: {above: 60, for: 0}}\n";

/// A record of a log.
#[derive(Debug, Clone)]
pub(super) enum Record {
    Lines(String),
    Tick,
    Mark(u64),
}

/// Arrival in seconds, and the record.
pub(super) type Log = Vec<(i64, Record)>;

/// The plans of three revisions, with the hashes that their marks name.
pub(super) struct Bundles {
    pub(super) plans: Plans,
    hashes: BTreeMap<u64, String>,
}

impl Bundles {
    pub(super) fn new() -> Self {
        let (fewer, _) = RULES.rsplit_once("---\n").unwrap();
        let edited = format!("{RULES}{EDIT}");
        let mut bundles = Self {
            plans: Plans::new(),
            hashes: BTreeMap::new(),
        };
        for (revision, yaml, lateness) in [(1, RULES, 15), (2, edited.as_str(), 15), (3, fewer, 20)]
        {
            let mut content = bundle(revision, yaml, lateness).content;
            content.tick = Span::from_secs(if revision == 3 { 3_600 } else { 10 });
            let bundle = Bundle::new(tenant(), revision, content);
            bundles.plans.insert(Plan::compile(&bundle).unwrap());
            bundles.hashes.insert(revision, bundle.hash);
        }
        bundles
    }

    pub(super) fn feed(&self, partition: &mut Partition, offset: usize, log: &Log) -> Vec<Action> {
        let (arrival, record) = &log[offset];
        let payload = match record {
            Record::Lines(lines) => Payload::Lines(lines.as_bytes()),
            Record::Tick => Payload::Tick,
            Record::Mark(revision) => Payload::BundleMark {
                revision: *revision,
                hash: &self.hashes[revision],
            },
        };
        let input = Input {
            offset: offset as i64,
            arrival: s(*arrival),
            payload,
        };
        let actions = step(partition, input, &self.plans);
        actions
            .into_iter()
            .filter(|action| matches!(action, Action::Emit(_) | Action::Derive(_)))
            .collect()
    }

    pub(super) fn all_events(&self, log: &Log) -> Vec<Vec<Action>> {
        let mut partition = Partition::new(tenant(), 3);
        (0..log.len())
            .map(|offset| self.feed(&mut partition, offset, log))
            .collect()
    }
}

fn line() -> impl Strategy<Value = (u8, u8, i64, i64, bool)> {
    (0..3_u8, 0..5_u8, 0..100_i64, -25..3_i64, any::<bool>())
}

pub(super) fn log() -> impl Strategy<Value = Log> {
    let record = prop_oneof![
        8 => prop::collection::vec(line(), 1..6).prop_map(Some),
        2 => Just(None),
    ];
    let gap = prop_oneof![6 => 0..12_i64, 2 => 10..40_i64, 1 => Just(-5_i64)];
    let second = 5..60_usize;
    (
        prop::collection::vec((gap, record), 20..150),
        0..30_usize,
        second,
    )
        .prop_map(|(records, quiet, second)| {
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
            }
            // From here on a tick period is an hour, so that hosts are forgotten while another one
            // lives on, and live again.
            log.push((at, Record::Mark(3)));
            let end = at;
            log.extend((1..=quiet as i64).map(|n| {
                let at = end + n * 10_000;
                let lives = Record::Lines(text(&(2, 0, 2, 0, true), at));
                (at, if n % 3 == 0 { Record::Tick } else { lives })
            }));
            let again = end + quiet as i64 * 10_000;
            log.extend((1..20).map(|n| {
                let at = again + n * 10;
                (at, Record::Lines(text(&(0, 0, 2, 0, true), at)))
            }));
            log
        })
}

fn text(&(host, series, value, shift, shop): &(u8, u8, i64, i64, bool), at: i64) -> String {
    // The clock of one host is set forward on the way.
    let jump = if host == 1 && at > 250 { 400 } else { 0 };
    let at = (START + at + shift + jump) * 1_000_000_000;
    let service = if shop { ",service=shop" } else { "" };
    match series {
        0..=2 => format!("cpu,host=h{host},core=c{series},env=prod{service} idle={value} {at}\n"),
        3 => format!("pair,host=h{host},env=stg a={value} {at}\n"),
        _ => format!("pair,host=h{host},env=stg b={} {at}\n", value - 30),
    }
}

thread_local! {
    pub(super) static BUNDLES: Bundles = Bundles::new();
}
