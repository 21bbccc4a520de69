//! The step from record to record.

use super::apply::{Spot, apply, apply_by_route, hear, route_of, time_of};
use super::clock::{HostClock, Passed, Verdict};
use super::derived::{judge_waiting, report, take_report};
use super::host::{Host, Run};
use super::input::{Action, Finding, FindingKind, Input, Outcome, Payload, Tally};
use super::inventory::take_inventory;
use super::partition::{Partition, set_timer};
use super::plan::{Plan, Plans};
use super::routes::Head;
use super::skew::Skew;
use super::usage::{TENANT, Usage};
use model::Span;
use schemas::line::Line;
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
        Payload::Read(lines) => apply_read(partition, lines, run),
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
        Payload::Lines(_) | Payload::Read(_) | Payload::Tick | Payload::Derived { .. } => {
            return Marked::Nothing;
        }
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
    partition.routes.clear();
    let names: Vec<_> = partition
        .hosts
        .iter()
        .map(|(name, _)| Arc::clone(name))
        .collect();
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
    while let Some((looked_at, name)) = partition.timers.first().cloned() {
        if looked_at > run.log {
            return;
        }
        partition.timers.pop_first();
        let Some(host) = partition.hosts.get_mut(&name) else {
            continue;
        };
        host.scheduled = None;
        // Its points have moved it back.
        if host.deadline() > looked_at {
            set_timer(&mut partition.timers, &name, host);
            continue;
        }
        partition.ledger.touch(&name, &run.position);
        if &*name != TENANT && host.is_forgotten(run.log) {
            partition.forget(&name, run.offset);
            continue;
        }
        host.judge_due(&name, run);
        partition.schedule(&name);
    }
}

fn apply_lines(partition: &mut Partition, body: &[u8], run: &mut Run<'_>) {
    let mut scratch = Vec::new();
    let made = schemas::metrics_avro::lines_of_record(body, &mut scratch);
    let unreadable = made
        .avro
        .map_or(0, |avro| avro.map_or(1, |avro| avro.rejected_points));
    run.outcome.tallies.add(Tally::Lines, unreadable as u64);
    run.outcome.tallies.add(Tally::Rejected, unreadable as u64);
    let mut usage = taken_usage(partition, run);
    let plan = Arc::clone(&run.plan);
    for line in schemas::line::scan(made.lines) {
        match line {
            Ok(line) => apply_line(partition, (&line, &plan), usage.as_deref_mut(), run),
            Err(_) => {
                run.outcome.tallies.add(Tally::Lines, 1);
                run.outcome.tallies.add(Tally::Rejected, 1);
            }
        }
    }
    give_back(partition, usage);
}

fn apply_read(partition: &mut Partition, lines: &[Line<'_>], run: &mut Run<'_>) {
    let mut usage = taken_usage(partition, run);
    let plan = Arc::clone(&run.plan);
    for line in lines {
        apply_line(partition, (line, &plan), usage.as_deref_mut(), run);
    }
    give_back(partition, usage);
}

/// The tenant's counters, taken out while lines are counted; none where nobody reads them, or where
/// they have counted these lines.
fn taken_usage(partition: &mut Partition, run: &Run<'_>) -> Option<Box<Usage>> {
    if !run.plan.reads_derived() || partition.waiting.holds_any(TENANT) {
        return None;
    }
    let name = partition.hosts.name(TENANT)?;
    partition.ledger.touch(&name, &run.position);
    partition.hosts.get_mut(&name)?.usage.take()
}

fn give_back(partition: &mut Partition, usage: Option<Box<Usage>>) {
    if let (Some(usage), Some(host)) = (usage, partition.hosts.get_mut(TENANT)) {
        host.usage = Some(usage);
    }
}

fn apply_line(
    partition: &mut Partition,
    (line, plan): (&Line<'_>, &Plan),
    usage: Option<&mut Usage>,
    run: &mut Run<'_>,
) {
    run.outcome.tallies.add(Tally::Lines, 1);
    let bytes = line.raw().len();
    // While a part is ahead of the log each point asks whether it is one of those.
    let head = partition.waiting.is_empty().then(|| Head::of(line.head()));
    if let Some(route) = head.and_then(|head| partition.routes.get(head))
        && let Some((name, host)) = partition.hosts.at_mut(route.host)
    {
        if let Some(usage) = usage {
            let counted = (bytes, route.series);
            usage.count(&line.measurement(), counted, run.arrival, plan.partitions());
        }
        if !host.unsaved {
            partition.ledger.touch(name, &run.position);
            host.unsaved = true;
        }
        let verdict = hear(name, host, time_of(line, run.arrival), run);
        let spot = Spot::routed(line, run.arrival, (name, route));
        apply_by_route(name, host, verdict, (&spot, route, plan), run);
        set_timer(&mut partition.timers, name, host);
        return;
    }
    let spot = Spot::of(line, run.arrival);
    if let Some(usage) = usage {
        let counted = (bytes, spot.series);
        usage.count(&line.measurement(), counted, run.arrival, plan.partitions());
    }
    if partition.waiting.holds_all(&spot.host) {
        return;
    }
    apply_spot(partition, &spot, run);
    if let (Some(head), Some(place)) = (head, partition.hosts.place(&spot.host))
        && let Some((_, host)) = partition.hosts.at_mut(place)
    {
        let route = route_of(&spot, (place, host), &run.plan);
        partition.routes.insert(head, route);
    }
}

fn apply_spot(partition: &mut Partition, spot: &Spot<'_>, run: &mut Run<'_>) {
    let known = partition.hosts.name(&spot.host);
    let is_known = known.is_some();
    let name = known.unwrap_or_else(|| Arc::from(spot.host.as_ref()));
    partition.ledger.touch(&name, &run.position);
    let mut first = None;
    if !is_known {
        let (clock, verdict) = HostClock::first(spot.at, run.arrival, run.log);
        let mut skew = Skew::default();
        match verdict {
            Verdict::Accepted => skew.accept(spot.at, run.arrival),
            // One point is no jump yet.
            Verdict::Late | Verdict::Quarantined => drop(skew.doubt(spot.at, run.arrival)),
        }
        let grave = partition.ledger.graves.remove(&name);
        let host = Host::new(clock, skew, grave.map_or(0, |grave| grave.depth));
        partition.hosts.insert(Arc::clone(&name), host);
        first = Some(verdict);
    }
    let Some(host) = partition.hosts.get_mut(&name) else {
        return;
    };
    let verdict = first.unwrap_or_else(|| hear(&name, host, spot.at, run));
    apply(&name, host, verdict, spot, partition.waiting.of(&name), run);
    partition.schedule(&name);
}
