//! One grid point, or one point, of one group: from readings to an event.

use super::clock::HostClock;
use super::counter::step;
use super::event::{Cause, EventOf};
use super::flapping::Flaps;
use super::group::{Group, Seldom};
use super::incident::{Incident, State, advance};
use super::ladder::{Ladder, Moment, Truth};
use super::nodata::{self, Verdict};
use super::past::{against_past, leave_shadow};
use super::plan::{Against, Gather, Rule, Signal, Term};
use super::samples::{Cell, Samples};
use super::tags::Tags;
use super::window::{Reading, Values, combined, read};
use model::{AlertEvent, AlertKind, Fingerprint, Priority, SeriesKey, Span, TenantId, Timestamp};

/// Where and when a group is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) partition: u32,
    /// Arrival of the record that leads to it.
    pub(crate) arrival: Timestamp,
    /// Log time at that record.
    pub(crate) log: Timestamp,
    pub(crate) clock: HostClock,
    /// How often a jump of it was adopted.
    pub(crate) clock_step: u32,
    pub(crate) lateness: Span,
    /// Most log time that can pass between two records.
    pub(crate) stride: Span,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) event: Option<Box<AlertEvent>>,
    /// The group is forgotten.
    pub(crate) gone: bool,
}

/// What held before, to tell what changed.
struct Before {
    ladder: Ladder,
    missing: Option<Priority>,
    top: Option<Priority>,
    flapping: bool,
}

impl Before {
    fn of(group: &Group) -> Self {
        Self {
            ladder: group.ladder.clone(),
            missing: group.missing,
            top: group.top(),
            flapping: group.flaps.on(),
        }
    }
}

/// Judges the next grid point of a group.
pub(crate) fn grid_point(group: &mut Group, tags: &Tags, rule: &Rule, scene: &Scene<'_>) -> Judged {
    let at = group.next(rule.every);
    let readings = grid_readings(group, rule, scene, at);
    let judged = judge_at(group, tags, rule, scene, (at, &readings));
    if judged.gone {
        return judged;
    }
    let old = at.plus(rule.every).minus(rule.reach());
    if rule.keeps_newest() {
        group.samples.drop_but_newest_until(old);
    } else {
        group.samples.drop_until(old);
    }
    // What is older is late from here on.
    if let Some(newest) = scene.clock.newest {
        group.samples.settle_before(newest.minus(scene.lateness));
    }
    skip_idle(group, rule, &readings, scene);
    judged
}

/// Judges a group by what its signals say at a grid point.
pub(crate) fn judge_at(
    group: &mut Group,
    tags: &Tags,
    rule: &Rule,
    scene: &Scene<'_>,
    (at, readings): (Timestamp, &[Option<Reading>]),
) -> Judged {
    let before = Before::of(group);
    leave_shadow(group, rule, at);
    let moment = Moment {
        at,
        step: rule.every,
    };
    let truth = group.ladder.step(rule, readings, moment);
    if truth == Truth::True {
        group.rare_mut().last_true = Seldom::of(at);
    }
    let unknown = is_unknown(group, rule, readings, at);
    let mut cause = None;
    match nodata::judge(group, rule, unknown, at, &scene.clock, scene.log) {
        Verdict::Nothing => {}
        Verdict::Resolve => {
            group.ladder.clear();
            group.flaps = Flaps::default();
            cause = Some(Cause::DataMissing);
        }
        Verdict::Expired => {
            return Judged {
                event: expire(group, tags, rule, scene, at),
                gone: true,
            };
        }
    }
    if closes_by_itself(group, rule, at) {
        group.ladder.clear();
        cause = Some(Cause::ClosedByItself);
    }
    count_change(group, rule, truth, &before);
    let event = change(group, tags, rule, scene, (at, readings, &before, cause));
    group.judged = at;
    Judged { event, gone: false }
}

/// Takes the evaluation into the score of flapping; Unknown is none, and what closes by itself
/// has no recovery to flap with.
fn count_change(group: &mut Group, rule: &Rule, truth: Truth, before: &Before) {
    if truth != Truth::Unknown && rule.close_after.is_none() {
        group
            .flaps
            .push(before.top.is_some() != group.top().is_some());
    }
}

fn grid_readings(
    group: &mut Group,
    rule: &Rule,
    scene: &Scene<'_>,
    at: Timestamp,
) -> Vec<Option<Reading>> {
    let of_grid = |signal: &Signal| {
        if signal.is_each_point() {
            return None;
        }
        let reading = read(signal, rule, &group.samples, &scene.clock, at);
        Some(against_past(signal, rule, group, (at, reading)))
    };
    rule.signals.iter().map(of_grid).collect()
}

/// Whether no window says anything. A rule without windows says nothing once its points stay away.
fn is_unknown(group: &Group, rule: &Rule, readings: &[Option<Reading>], at: Timestamp) -> bool {
    if readings.iter().all(Option::is_none) {
        return at.since(group.newest) > rule.intervals(1);
    }
    readings
        .iter()
        .flatten()
        .all(|reading| *reading == Reading::Unknown)
}

fn closes_by_itself(group: &Group, rule: &Rule, at: Timestamp) -> bool {
    let (Some(after), Some(last), Some(_)) =
        (rule.close_after, group.last_true(), group.ladder.top())
    else {
        return false;
    };
    at.since(last) >= after
}

/// Grid points at which nothing can happen are passed over when a host's own points leap ahead.
fn skip_idle(group: &mut Group, rule: &Rule, readings: &[Option<Reading>], scene: &Scene<'_>) {
    let unknown = readings
        .iter()
        .flatten()
        .all(|reading| *reading == Reading::Unknown);
    let still = group.ladder.is_quiet() || (unknown && group.ladder.is_settled_unknown());
    let closing = rule.close_after.is_some() && group.ladder.top().is_some();
    let next = group.judged.plus(rule.every);
    if !group.samples.ends_by(next.minus(rule.reach())) || !still || closing {
        return;
    }
    let horizon = scene
        .clock
        .at(scene.log)
        .minus(scene.lateness)
        .floor_to(rule.every);
    // What log time alone can bring is judged point by point; of a leap only the last point that is
    // due.
    if horizon.since(group.judged) > scene.stride.plus(rule.every) {
        group.judged = horizon.minus(rule.every);
    }
}

/// Judges a point by itself, for the rungs that are `over: each point`.
pub(crate) fn each_point(
    group: &mut Group,
    tags: &Tags,
    rule: &Rule,
    scene: &Scene<'_>,
    (at, series, cells): (Timestamp, SeriesKey, &[f64]),
) -> Judged {
    let newest = group.newest_point();
    if newest.is_some_and(|newest| at < newest) {
        return Judged::default();
    }
    let before = Before::of(group);
    let of_point = |signal: &Signal| point_reading(signal, &group.samples, (at, series, cells));
    let readings: Vec<Option<Reading>> = rule.signals.iter().map(of_point).collect();
    if readings.iter().all(Option::is_none) {
        return Judged::default();
    }
    let passed = newest.map_or(Span::ZERO, |newest| at.since(newest));
    let moment = Moment {
        at,
        step: passed.min(rule.intervals(3)),
    };
    group.rare_mut().newest_point = Seldom::of(at);
    let truth = group.ladder.step(rule, &readings, moment);
    if truth == Truth::True {
        let last = group.last_true().max(Some(at));
        group.rare_mut().last_true = last.into();
    }
    count_change(group, rule, truth, &before);
    let event = change(group, tags, rule, scene, (at, &readings, &before, None));
    Judged { event, gone: false }
}

/// What a point says to a signal; none where it says nothing.
fn point_reading(
    signal: &Signal,
    samples: &Samples,
    (at, series, cells): (Timestamp, SeriesKey, &[f64]),
) -> Option<Reading> {
    if !signal.is_each_point() {
        return None;
    }
    let of_term = |term: &Term| match (Cell::of(cells[term.check]), term.gather) {
        (Cell::Value(value), Gather::Step(function)) => {
            let before = samples.before(at, series, term.check)?;
            Some(Reading::Value(step(function, before, (at, value))))
        }
        (Cell::Value(value), _) => Some(Reading::Value(value)),
        (Cell::Excluded, _) => Some(Reading::Excluded),
        (Cell::Absent, _) => None,
    };
    let readings: Option<Vec<Reading>> = signal.terms.iter().map(of_term).collect();
    let reading = combined(readings?.into_iter(), |values| match &signal.formula {
        None => values
            .first()
            .map_or(Reading::Unknown, |v| Reading::Value(*v)),
        Some(formula) => formula
            .value(&Values { values, at })
            .map_or(Reading::Unknown, Reading::Value),
    });
    (reading != Reading::Unknown).then_some(reading)
}

/// The event of what changed, if what is shown changed. While a group flaps its incident stays open
/// at its peak, and its openings and closings are held back.
fn change(
    group: &mut Group,
    tags: &Tags,
    rule: &Rule,
    scene: &Scene<'_>,
    (at, readings, before, cause): (Timestamp, &[Option<Reading>], &Before, Option<Cause>),
) -> Option<Box<AlertEvent>> {
    let limit = rule.limit(group.env.get());
    let mut shown = group.top().map(|priority| priority.min(limit));
    let peak = group.incident().and_then(Incident::shown);
    let holds = group.flaps.on() && peak.is_some();
    if holds {
        shown = shown.max(peak);
    }
    let fingerprint = || Fingerprint::of(scene.tenant, &rule.template, &tags.to_vec());
    let changed = before.top.is_some() != group.top().is_some();
    let identity = (scene.clock_step, fingerprint);
    let mut incident = group.take_incident();
    let kind = advance(&mut incident, shown, at, identity);
    group.put_incident(incident);
    let mut kind = match kind {
        None if holds && changed => {
            group.incident_mut()?.sequence += 1;
            AlertKind::Flapping
        }
        kind => kind?,
    };
    let cause = cause.unwrap_or_else(|| cause_of(group, rule, readings, before, kind));
    let shadow = rule.against == Against::Hour;
    let season = group.rare().and_then(|rare| rare.season.as_ref());
    if shadow && season.is_some_and(|past| !past.live) {
        kind = AlertKind::Held;
    }
    let lowest = rule.rungs.last().and_then(|rung| readings[rung.signal]);
    let whole = EventOf {
        group,
        tags,
        rule,
        scene,
        at,
        now: lowest.unwrap_or(Reading::Unknown),
    };
    whole.event(kind, shown, cause)
}

fn cause_of(
    group: &Group,
    rule: &Rule,
    readings: &[Option<Reading>],
    before: &Before,
    kind: AlertKind,
) -> Cause {
    let reading_of = |n: usize| readings[rule.rungs[n].signal].unwrap_or(Reading::Unknown);
    let up = match kind {
        AlertKind::Firing | AlertKind::Reopened | AlertKind::Raised => true,
        AlertKind::Flapping => group.top().is_some(),
        _ => false,
    };
    if up {
        if group.missing.is_some() && group.missing >= group.ladder.top() {
            return Cause::Missing;
        }
        let top = rule
            .rungs
            .iter()
            .position(|rung| Some(rung.priority) == group.ladder.top());
        return top.map_or(Cause::Edited, |rung| Cause::Fires {
            rung,
            reading: reading_of(rung),
        });
    }
    let left = rule.rungs.iter().rposition(|rung| {
        before.ladder.is_latched(rung.priority) && !group.ladder.is_latched(rung.priority)
    });
    match left {
        Some(rung) => Cause::Recovers {
            rung,
            reading: reading_of(rung),
        },
        None if before.flapping && !group.flaps.on() => Cause::Calm,
        None if before.missing.is_some() && group.missing.is_none() => Cause::DataBack,
        None => Cause::Edited,
    }
}

/// Closes what is open without a recovery.
pub(crate) fn expire(
    group: &mut Group,
    tags: &Tags,
    rule: &Rule,
    scene: &Scene<'_>,
    at: Timestamp,
) -> Option<Box<AlertEvent>> {
    close(group, tags, rule, scene, (at, Cause::Expired))
}

/// Closes what is open because its template is gone.
pub(crate) fn retire(
    group: &mut Group,
    tags: &Tags,
    rule: &Rule,
    scene: &Scene<'_>,
) -> Option<Box<AlertEvent>> {
    let at = group.judged.max(group.newest);
    close(group, tags, rule, scene, (at, Cause::Retired))
}

fn close(
    group: &mut Group,
    tags: &Tags,
    rule: &Rule,
    scene: &Scene<'_>,
    (at, cause): (Timestamp, Cause),
) -> Option<Box<AlertEvent>> {
    let incident = group
        .incident_mut()
        .filter(|incident| incident.shown().is_some())?;
    incident.sequence += 1;
    incident.state = State::Recovered(at);
    EventOf {
        group,
        tags,
        rule,
        scene,
        at,
        now: Reading::Unknown,
    }
    .event(AlertKind::Expired, None, cause)
}
