//! Row 16 of the table of faults, by seed and without a Kafka: evaluators that sleep through a take-over, wake and go on
//! saying what another one has said, and the pages that come of it.
//!
//! The log, the state topic and the topic of alerts are lists; evaluator and notifier are the real cores. What is paged must be
//! what an evaluator pages that nothing disturbs: no page more, none less.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use evaluator::core::{Action, Input, Partition, Payload, Plan, Plans, decode_part_offset, step};
use model::{AlertEvent, EventId, IncidentId, Span, StreamEvent, TenantId, Timestamp};
use notifier::core::{self, ChannelKind, Directory, Incident, Life, Seen};
use schemas::catalogue::{Bundle, BundleContent, Catalogue, Entry, parse_yaml};
use tests::Dice;

/// So many seeds.
const SEEDS: u64 = 500;
/// Records of a log: 10 s each.
const RECORDS: usize = 240;
const HOSTS: u64 = 4;
const START: i64 = 1_767_225_600;

const CATALOGUE: &str = "
contact: kim
name: Kim
phone: '+821012345678'
---
escalation_policy: default
steps: [{notify: [kim]}]
---
tenant: acme
";

const TEMPLATES: &str = concat!(
    include_str!("../data/cpu-usage.yaml"),
    "---
template: host-down
title: '{host} does not report'
applies_to: {measurement: any}
one_alert_per: [host]
check: time_since_last_point
every: 10s
interval: 10s
levels:
  P1: {above: 1m}
",
);

fn tenant() -> TenantId {
    TenantId::parse("acme").expect("a name")
}

fn at(record: usize) -> Timestamp {
    let record = i64::try_from(record).expect("a small number");
    Timestamp::from_millis((START + record * 10) * 1_000)
}

fn entries(yaml: &str) -> Vec<Entry> {
    let located = parse_yaml("test.yaml", yaml).unwrap_or_else(|errors| panic!("{errors:#?}"));
    located.into_iter().map(|located| located.value).collect()
}

/// The templates, and what their mark says.
fn plans() -> (Plans, String) {
    let templates = entries(TEMPLATES).into_iter().map(|entry| match entry {
        Entry::Template(template) => *template,
        other => panic!("{other:?}"),
    });
    let content = BundleContent {
        templates: templates.collect(),
        overrides: Vec::new(),
        inventory: Vec::new(),
        partitions: 1,
        tick: Span::from_secs(10),
        lateness: Span::from_secs(10),
    };
    let bundle = Bundle::new(tenant(), 1, content);
    let mut plans = Plans::new();
    plans.insert(Plan::compile(&bundle).expect("the templates are good"));
    (plans, bundle.hash)
}

/// Usages of some hosts, each for a while, and hosts that say nothing for a while.
fn log(dice: &mut Dice) -> Vec<String> {
    let mut usages = vec![(0, Some(20)); usize::try_from(HOSTS).expect("a small number")];
    let mut records = Vec::new();
    for record in 0..RECORDS {
        let mut lines = String::new();
        for (host, (left, usage)) in usages.iter_mut().enumerate() {
            if *left == 0 {
                *left = 1 + dice.below(20);
                *usage = [Some(20), Some(75), Some(95), None][dice.below(4) as usize];
            }
            *left -= 1;
            if let Some(usage) = usage {
                let nanos = at(record).as_nanos();
                lines += &format!("cpu,host=web-{host} usage={usage} {nanos}\n");
            }
        }
        records.push(lines);
    }
    records
}

/// What was saved: by key the part with the highest offset, and the checkpoint.
#[derive(Clone, Default)]
struct Saved {
    parts: BTreeMap<Vec<u8>, Vec<u8>>,
    checkpoint: Option<Vec<u8>>,
}

/// An evaluator of the log.
struct Owner<'a> {
    core: Partition,
    log: &'a [String],
    plans: &'a (Plans, String),
}

impl<'a> Owner<'a> {
    fn restore(saved: &Saved, log: &'a [String], plans: &'a (Plans, String)) -> Self {
        let parts = saved.parts.iter().map(|(key, part)| (&key[..], &part[..]));
        let checkpoint = saved.checkpoint.as_deref();
        let core = Partition::restore(tenant(), 0, checkpoint, parts, &plans.0);
        Self {
            core: core.expect("what was saved can be read"),
            log,
            plans,
        }
    }

    fn next(&self) -> usize {
        usize::try_from(self.core.next_offset()).expect("from 0 on")
    }

    /// Evaluates the next record; the first one is the mark.
    fn evaluate(&mut self) -> Vec<AlertEvent> {
        let next = self.next();
        let Some(record) = next.checked_sub(1) else {
            let mark = Payload::BundleMark {
                revision: 1,
                hash: &self.plans.1,
            };
            return self.take(at(0), mark);
        };
        match self.log.get(record).map(String::as_str) {
            None => Vec::new(),
            Some("") => self.take(at(record), Payload::Tick),
            Some(lines) => self.take(at(record), Payload::Lines(lines.as_bytes())),
        }
    }

    fn take(&mut self, arrival: Timestamp, payload: Payload<'_>) -> Vec<AlertEvent> {
        let offset = self.core.next_offset();
        let input = Input {
            offset,
            arrival,
            payload,
        };
        let actions = step(&mut self.core, input, &self.plans.0).into_iter();
        let events = actions.filter_map(|action| match action {
            Action::Emit(event) => Some(*event),
            _ => None,
        });
        events.collect()
    }

    /// Writes some of what has changed, as one does that owns the partition.
    fn save(&mut self, saved: &mut Saved, bytes: usize) {
        for (key, part) in self.core.take_dirty(bytes) {
            let offset = |part: &Vec<u8>| decode_part_offset(part).expect("a part of ours");
            match part {
                None => drop(saved.parts.remove(&key)),
                Some(part)
                    if saved
                        .parts
                        .get(&key)
                        .is_some_and(|known| offset(known) > offset(&part)) => {}
                Some(part) => drop(saved.parts.insert(key, part)),
            }
        }
        saved.checkpoint = Some(self.core.checkpoint());
    }

    fn is_done(&self) -> bool {
        self.next() > self.log.len()
    }
}

/// The notifier: its store of events and incidents, and whom it has paged of what.
struct Notifier {
    directory: Directory,
    events: HashMap<EventId, (Vec<u8>, u64)>,
    incidents: BTreeMap<IncidentId, Incident>,
    pages: BTreeMap<String, u64>,
}

impl Notifier {
    fn new() -> Self {
        let mut catalogue = Catalogue::default();
        for entry in entries(CATALOGUE) {
            catalogue.insert(entry);
        }
        let channels = BTreeSet::from([ChannelKind::Chat, ChannelKind::Sms, ChannelKind::Voice]);
        Self {
            directory: Directory::of(&catalogue, channels),
            events: HashMap::new(),
            incidents: BTreeMap::new(),
            pages: BTreeMap::new(),
        }
    }

    fn hear(&mut self, event: AlertEvent) {
        let bytes = schemas::alert::encode(&StreamEvent::Alert(Box::new(event.clone())));
        let known = self.events.entry(event.event_id);
        let (first, times) = known.or_insert_with(|| (bytes.clone(), 0));
        *times += 1;
        let seen = match times {
            1 => Seen::Never,
            _ if *first != bytes => Seen::Otherwise,
            times => Seen::Times(*times),
        };
        assert_ne!(
            seen,
            Seen::Otherwise,
            "an event has two contents: {event:?}"
        );
        let incident = self.incidents.entry(event.incident_id);
        let incident = incident.or_insert_with(|| Incident::unseen(&event));
        let (now, tenant) = (event.arrival, event.tenant.clone());
        let input = core::Input::Alert {
            event: &event,
            appended_at: now,
            seen,
        };
        let route = self.directory.route(&tenant);
        for action in core::step(incident, input, route, &Life::default(), now) {
            if let core::Action::Send(page) = action {
                let (id, sequence) = (event.incident_id, event.sequence);
                let (purpose, to) = (page.purpose, &page.recipient.name);
                let page = format!("{id} {sequence} {purpose:?} {:?} {to}", page.channel);
                *self.pages.entry(page).or_default() += 1;
            }
        }
    }
}

/// What is paged when nothing is disturbed.
fn undisturbed(log: &[String], plans: &(Plans, String)) -> Notifier {
    let mut owner = Owner::restore(&Saved::default(), log, plans);
    let mut notifier = Notifier::new();
    while !owner.is_done() {
        let events = owner.evaluate();
        events.into_iter().for_each(|event| notifier.hear(event));
    }
    notifier
}

/// What is paged when owners fall asleep, and say more when they wake; how often one did.
fn with_sleepers(log: &[String], plans: &(Plans, String), dice: &mut Dice) -> (Notifier, usize) {
    let mut notifier = Notifier::new();
    let mut saved = Saved::default();
    let mut owner = Owner::restore(&saved, log, plans);
    let mut asleep: Vec<Owner<'_>> = Vec::new();
    let mut slept = 0;
    while !owner.is_done() {
        let events = owner.evaluate();
        events.into_iter().for_each(|event| notifier.hear(event));
        if dice.below(4) == 0 {
            let bytes = [1, 700, usize::MAX][dice.below(3) as usize];
            owner.save(&mut saved, bytes);
        }
        if dice.below(15) == 0 {
            let next = Owner::restore(&saved, log, plans);
            asleep.push(std::mem::replace(&mut owner, next));
            slept += 1;
        }
        // One that wakes says more before it learns that the partition is another's; what it would save is refused.
        if !asleep.is_empty() && dice.below(10) == 0 {
            let count = asleep.len() as u64;
            let mut awake = asleep.swap_remove(dice.below(count) as usize);
            for _ in 0..dice.below(30) {
                // It cannot be ahead of the log.
                let events = awake.evaluate();
                events.into_iter().for_each(|event| notifier.hear(event));
            }
        }
    }
    (notifier, slept)
}

#[test]
fn row_16_owners_that_sleep_through_a_take_over_page_nobody_twice_in_500_seeds() {
    let plans = plans();
    let (mut pages, mut repeats, mut slept) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut dice = Dice::of(seed);
        let log = log(&mut dice);
        let wanted = undisturbed(&log, &plans);
        let (found, times) = with_sleepers(&log, &plans, &mut dice);
        assert_eq!(found.pages, wanted.pages, "seed {seed}");
        assert!(found.pages.values().all(|times| *times == 1), "seed {seed}");
        pages += found.pages.len();
        repeats += found
            .events
            .values()
            .map(|(_, times)| times - 1)
            .sum::<u64>();
        slept += times;
    }
    assert!(
        pages > 1_000 && repeats > 1_000,
        "{pages} pages, {repeats} repeats"
    );
    println!(
        "{SEEDS} seeds: {slept} take-overs from sleepers, {repeats} events said again, {pages} pages, none twice"
    );
}
