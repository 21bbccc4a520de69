//! The step from record to record.

use super::apply::{Spot, apply, hear};
use super::clock::{HostClock, Passed, Verdict};
use super::derived::{judge_waiting, report, take_report};
use super::host::{Host, Run};
use super::input::{Action, Finding, FindingKind, Input, Outcome, Payload, Tally};
use super::inventory::take_inventory;
use super::partition::Partition;
use super::plan::{Plan, Plans};
use super::skew::Skew;
use super::usage::{TENANT, Usage};
use model::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The tick period until a bundle says another.
const FIRST_TICK: Span = Span::from_secs(10);

/// Takes the next record: moves log time, fires the timers that are due when it passes a multiple
/// of the tick period, then applies the record. A record before [`Partition::next_offset`] changes
/// nothing.
pub fn step(partition: &mut Partition, input: Input<'_>, plans: &Plans) -> Vec<Action> {
    if input.offset < partition.next_offset {
        return Vec::new();
    }
    let tenant = partition.tenant.clone();
    let position = Arc::new(partition.position(input.offset));
    let mut outcome = Outcome::default();
    match partition.plan.clone() {
        Some(plan) => {
            let mut run = Run::new((&tenant, partition.number), plan, input, position, outcome);
            partition.take_in(&mut run);
            let passed = partition.log.advance(input.arrival, run.plan.tick());
            run.log = partition.log.now();
            if passed == Passed::Tick {
                fire_timers(partition, &mut run);
                judge_waiting(partition, &mut run);
            }
            report(partition, &mut run);
            apply_payload(partition, input, plans, &mut run);
            outcome = run.outcome;
        }
        // Before the first bundle nothing is evaluated.
        None => {
            partition.log.advance(input.arrival, FIRST_TICK);
            match mark(partition, input, plans, &mut outcome) {
                Marked::Next(plan) => {
                    partition.plan = Some(Arc::clone(&plan));
                    let place = (&tenant, partition.number);
                    let mut run = Run::new(place, plan, input, position, outcome);
                    run.log = partition.log.now();
                    take_inventory(partition, None, &mut run);
                    outcome = run.outcome;
                }
                Marked::Nothing => {}
            }
        }
    }
    partition.next_offset = input.offset.saturating_add(1);
    outcome.into_actions()
}

fn apply_payload(partition: &mut Partition, input: Input<'_>, plans: &Plans, run: &mut Run<'_>) {
    match input.payload {
        Payload::Lines(body) => apply_lines(partition, body, run),
        Payload::Derived { at, from, lines } => take_report(partition, (at, from, lines), run),
        Payload::Tick | Payload::BundleMark { .. } | Payload::Unknown => {
            if let Marked::Next(plan) = mark(partition, input, plans, &mut run.outcome) {
                take_up(partition, plan, run);
            }
        }
    }
}

/// What a record without a value says of the bundle in force.
enum Marked {
    /// From here on this one holds.
    Next(Arc<Plan>),
    Nothing,
}

/// Follows a bundle mark if the catalogue holds what it says, and it is not behind what is in
/// force.
fn mark(partition: &Partition, input: Input<'_>, plans: &Plans, outcome: &mut Outcome) -> Marked {
    let (revision, hash) = match input.payload {
        Payload::BundleMark { revision, hash } => (revision, hash),
        Payload::Unknown => {
            outcome.tallies.add(Tally::UnknownRecord, 1);
            return Marked::Nothing;
        }
        Payload::Lines(_) | Payload::Tick | Payload::Derived { .. } => return Marked::Nothing,
    };
    let Some(plan) = plans.get(revision, hash) else {
        outcome.tallies.add(Tally::ForgedMark, 1);
        let detail = format!(
            "a record says that bundle revision {revision} with hash {} holds, \
             which the catalogue does not know",
            hash.chars().take(64).collect::<String>()
        );
        let kind = FindingKind::ForgedMark;
        let finding = Finding {
            kind,
            host: None,
            detail,
            offset: input.offset,
        };
        outcome.actions.push(Action::Find(finding));
        return Marked::Nothing;
    };
    match partition.newest_revision() {
        Some(now) if now == revision => Marked::Nothing,
        Some(now) if now > revision => {
            outcome.tallies.add(Tally::StaleMark, 1);
            Marked::Nothing
        }
        Some(_) | None => Marked::Next(plan),
    }
}

/// Judges by another bundle from here on.
fn take_up(partition: &mut Partition, plan: Arc<Plan>, run: &mut Run<'_>) {
    run.plan = Arc::clone(&plan);
    let before = partition.plan.replace(plan);
    let names: Vec<Arc<str>> = partition.hosts.keys().cloned().collect();
    for name in names {
        partition.ledger.touch(&name, &run.position);
        if let Some(host) = partition.hosts.get_mut(&name) {
            host.adopt(&name, run);
        }
        partition.schedule(&name);
    }
    take_inventory(partition, before.as_deref(), run);
}

/// Fires what is due, in the order (deadline, host, template, group).
fn fire_timers(partition: &mut Partition, run: &mut Run<'_>) {
    while let Some((deadline, name)) = partition.timers.first().cloned() {
        if deadline > run.log {
            return;
        }
        partition.timers.pop_first();
        let Some(host) = partition.hosts.get_mut(&name) else {
            continue;
        };
        host.scheduled = None;
        partition.ledger.touch(&name, &run.position);
        if host.is_forgotten(run.log) {
            partition.forget(&name, run.offset);
            continue;
        }
        host.judge_due(&name, run);
        partition.schedule(&name);
    }
}

fn apply_lines(partition: &mut Partition, body: &[u8], run: &mut Run<'_>) {
    let mut touched: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut scratch = Vec::new();
    let made = schemas::metrics_avro::lines_of_record(body, &mut scratch);
    let unreadable = made
        .avro
        .map_or(0, |avro| avro.map_or(1, |avro| avro.rejected_points));
    run.outcome.tallies.add(Tally::Lines, unreadable as u64);
    run.outcome.tallies.add(Tally::Rejected, unreadable as u64);
    let mut usage = taken_usage(partition, run);
    for line in schemas::line::scan(made.lines) {
        run.outcome.tallies.add(Tally::Lines, 1);
        let Ok(line) = line else {
            run.outcome.tallies.add(Tally::Rejected, 1);
            continue;
        };
        let spot = Spot::of(&line, run.arrival);
        if let Some(usage) = &mut usage {
            let bytes = line.raw().len();
            usage.count(&spot.measurement, bytes, spot.series, run.arrival);
        }
        if partition.waiting.holds_all(&spot.host) {
            continue;
        }
        let name = apply_spot(partition, &spot, run);
        touched.insert(name);
    }
    for name in &touched {
        partition.schedule(name);
    }
    if let Some(host) = partition.hosts.get_mut(TENANT) {
        host.usage = usage.or(host.usage.take());
    }
}

/// The tenant's counters, taken out while lines are counted; none where nobody reads them, or where
/// they have counted these lines.
fn taken_usage(partition: &mut Partition, run: &Run<'_>) -> Option<Box<Usage>> {
    if !run.plan.reads_derived() || partition.waiting.holds_any(TENANT) {
        return None;
    }
    let (name, _) = partition.hosts.get_key_value(TENANT)?;
    let name = Arc::clone(name);
    partition.ledger.touch(&name, &run.position);
    partition.hosts.get_mut(&name)?.usage.take()
}

fn apply_spot(partition: &mut Partition, spot: &Spot<'_>, run: &mut Run<'_>) -> Arc<str> {
    let known = partition
        .hosts
        .get_key_value(spot.host.as_ref())
        .map(|(name, _)| Arc::clone(name));
    let name = known
        .clone()
        .unwrap_or_else(|| Arc::from(spot.host.as_ref()));
    partition.ledger.touch(&name, &run.position);
    let (host, verdict) = match (known, partition.hosts.get_mut(&name)) {
        (Some(_), Some(host)) => {
            let verdict = hear(&name, host, spot.at, run);
            (host, verdict)
        }
        _ => {
            let (clock, verdict) = HostClock::first(spot.at, run.arrival, run.log);
            let mut skew = Skew::default();
            match verdict {
                Verdict::Accepted => skew.accept(spot.at, run.arrival),
                // One point is no jump yet.
                Verdict::Late | Verdict::Quarantined => drop(skew.doubt(spot.at, run.arrival)),
            }
            let depth = partition
                .ledger
                .graves
                .remove(&name)
                .map_or(0, |grave| grave.depth);
            let host = partition
                .hosts
                .entry(Arc::clone(&name))
                .or_insert(Host::new(clock, skew, depth));
            (host, verdict)
        }
    };
    apply(&name, host, verdict, spot, partition.waiting.of(&name), run);
    name
}
