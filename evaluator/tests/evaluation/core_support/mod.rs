//! Plans from YAML and logs from lines, for the tests of the core.
#![allow(dead_code, unreachable_pub)]

pub mod fleet;

use evaluator::core::{Action, Input, Partition, Payload, Plan, Plans, Replay, describe, step};
use model::{AlertEvent, Span, TenantId, Timestamp};
use schemas::catalogue::{Bundle, BundleContent, Entry, parse_yaml};

/// 2026-01-01T00:00:00Z.
pub const START: i64 = 1_767_225_600;

pub fn s(secs: i64) -> Timestamp {
    Timestamp::from_millis((START + secs) * 1_000)
}

pub fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// Templates and overrides of a YAML text as a bundle.
pub fn bundle(revision: u64, yaml: &str, lateness: i64) -> Bundle {
    let mut content = BundleContent {
        templates: Vec::new(),
        overrides: Vec::new(),
        inventory: Vec::new(),
        partitions: 1,
        tick: Span::from_secs(10),
        lateness: Span::from_secs(lateness),
    };
    for located in parse_yaml("test.yaml", yaml).unwrap_or_else(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", texts.join("\n"))
    }) {
        match located.value {
            Entry::Template(template) => content.templates.push(*template),
            Entry::Override(each) => content.overrides.push(*each),
            other => panic!("{other:?}"),
        }
    }
    Bundle::new(tenant(), revision, content)
}

pub fn plan(yaml: &str) -> Plan {
    Plan::compile(&bundle(1, yaml, 30)).unwrap()
}

/// Lines `name,tags field=value` at so many seconds after the start.
#[derive(Debug, Clone, Default)]
pub struct Points(pub Vec<(i64, String)>);

impl Points {
    pub fn at(mut self, secs: i64, series: &str, value: impl std::fmt::Display) -> Self {
        self.0.push((
            secs,
            format!("{series}={value} {}", (START + secs) * 1_000_000_000),
        ));
        self
    }

    /// One every `every` seconds in (from, to].
    pub fn every(mut self, every: i64, (from, to): (i64, i64), series: &str, value: f64) -> Self {
        let mut at = from + every;
        while at <= to {
            self = self.at(at, series, value);
            at += every;
        }
        self
    }

    /// In the order of their times.
    pub fn body(&self) -> String {
        let mut lines = self.0.clone();
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }
}

pub fn events(actions: Vec<Action>) -> Vec<AlertEvent> {
    actions
        .into_iter()
        .filter_map(|action| match action {
            Action::Emit(event) => Some(*event),
            Action::Find(_) | Action::Count(_) | Action::Derive(_) | Action::Tags(_) => None,
        })
        .collect()
}

/// All events of a file under the templates of a YAML text, `then` seconds after its last point.
pub fn run(yaml: &str, body: &str, then: i64) -> Vec<AlertEvent> {
    let mut replay = Replay::new(tenant(), plan(yaml));
    let mut actions = replay.take(body.as_bytes());
    actions.extend(replay.pass(Span::from_secs(then)));
    events(actions)
}

/// A line per event.
pub fn timeline(events: &[AlertEvent]) -> String {
    events.iter().map(|event| describe(event) + "\n").collect()
}

/// `kind priority @ seconds`, for tables.
pub fn short(events: &[AlertEvent]) -> Vec<String> {
    let short = |event: &AlertEvent| {
        let priority = event.priority.map_or("-", |priority| priority.as_str());
        let at = event.at.since(s(0)).as_millis() / 1_000;
        format!("{} {priority} @{at}", event.kind.as_str())
    };
    events.iter().map(short).collect()
}

/// A log that is written record by record.
pub struct Log {
    pub partition: Partition,
    pub plans: Plans,
    pub actions: Vec<Action>,
}

impl Log {
    pub fn new(plans: Vec<Plan>) -> Self {
        let mut all = Plans::new();
        for plan in plans {
            all.insert(plan);
        }
        Self {
            partition: Partition::new(tenant(), 0),
            plans: all,
            actions: Vec::new(),
        }
    }

    pub fn take(&mut self, arrival: i64, payload: Payload<'_>) -> Vec<Action> {
        let offset = self.partition.next_offset();
        let input = Input {
            offset,
            arrival: s(arrival),
            payload,
        };
        let actions = step(&mut self.partition, input, &self.plans);
        self.actions.extend(actions.clone());
        actions
    }

    pub fn mark(&mut self, arrival: i64, revision: u64) {
        let hash = self
            .plans
            .newest()
            .filter(|plan| plan.revision() == revision)
            .map(|plan| plan.hash().to_owned())
            .unwrap();
        self.take(
            arrival,
            Payload::BundleMark {
                revision,
                hash: &hash,
            },
        );
    }
}
