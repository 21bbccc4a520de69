//! A line applied to its host: which groups it is a sample of.

use super::clock::{HostClock, Verdict};
use super::derived::STANDARD_TAGS;
use super::env::Env;
use super::group::{Group, GroupKey, Note};
use super::host::{Host, Run, adopt_rule};
use super::input::Tally;
use super::judge::each_point;
use super::part::Slot;
use super::plan::{Plan, Rule, TemplatePlan};
use super::routes::{Route, Stop};
use super::row::{Row, row_of};
use super::samples::Added;
use super::tags::Tags;
use super::usage::TENANT;
use model::{SeriesKey, Timestamp};
use schemas::catalogue::CHANGING_TAGS;
use schemas::line::{FieldValue, Line};
use std::borrow::Cow;
use std::sync::Arc;

/// A line with what is read of it more than once.
pub(crate) struct Spot<'a> {
    pub(crate) line: &'a Line<'a>,
    pub(crate) at: Timestamp,
    pub(crate) host: Cow<'a, str>,
    pub(crate) series: SeriesKey,
    /// It is a sum over the tenant's partitions, of which so many have not reported.
    derived: Option<usize>,
    env: Env,
}

impl<'a> Spot<'a> {
    /// Reads a line; one without a timestamp has the time of its arrival.
    pub(crate) fn of(line: &'a Line<'a>, arrival: Timestamp) -> Self {
        let host = line.host().unwrap_or_else(|| Cow::Owned(series_text(line)));
        Self {
            line,
            at: time_of(line, arrival),
            host,
            series: line.series_of_thing(&CHANGING_TAGS),
            derived: None,
            env: env_of(line),
        }
    }

    /// The same of a host whose route is known.
    pub(crate) fn routed(
        line: &'a Line<'a>,
        arrival: Timestamp,
        (host, route): (&'a str, &Route),
    ) -> Self {
        Self {
            line,
            at: time_of(line, arrival),
            host: Cow::Borrowed(host),
            series: route.series,
            derived: None,
            env: route.env.clone(),
        }
    }

    /// A sum over the tenant's partitions, of which so many have not reported. It has no host.
    pub(crate) fn of_tenant(line: &'a Line<'a>, arrival: Timestamp, missing: usize) -> Self {
        Self {
            line,
            at: time_of(line, arrival),
            host: Cow::Borrowed(TENANT),
            series: line.series_of_thing(&CHANGING_TAGS),
            derived: Some(missing),
            env: env_of(line),
        }
    }

    /// What the event of a sum says besides its numbers.
    pub(crate) fn note(&self) -> Option<String> {
        let missing = self.derived?;
        let mut note = String::new();
        if let Some(FieldValue::Text(example)) = self.line.field("example") {
            note.push_str(&example);
        }
        if missing > 0 {
            note.push_str(&format!(" ({missing} partitions have not reported)"));
        }
        (!note.is_empty()).then_some(note)
    }

    /// A tag, `host` always among them, but for a sum.
    pub(crate) fn tag(&self, key: &str) -> Option<Cow<'_, str>> {
        let own = self.line.tag(key);
        let host = || (key == "host" && self.derived.is_none()).then(|| (*self.host).into());
        own.or_else(host)
    }

    /// All tags, `host` among them.
    fn tags(&self) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
        let mut tags: Vec<_> = self.line.tags().collect();
        if self.derived.is_none() && tags.iter().all(|(key, _)| key != "host") {
            tags.push((Cow::Borrowed("host"), self.host.clone()));
        }
        tags
    }

    /// The key of its group of a template; none when it lacks a tag of it.
    fn key(&self, template: &TemplatePlan) -> Option<GroupKey> {
        let keys = template.member_tags().iter();
        let keys = keys.filter(|key| self.derived.is_none() || *key != "host");
        let value = |key: &String| self.tag(key).or(template.implied(key).map(Cow::Borrowed));
        let tags: Option<Vec<_>> = keys.map(|key| Some((key, value(key)?))).collect();
        Some(GroupKey {
            template: Arc::clone(template.name()),
            tags: together(&tags?),
        })
    }

    fn context(&self, keys: &[String]) -> Tags {
        if keys.is_empty() {
            return Tags::default();
        }
        let keys = keys.iter();
        let present: Vec<_> = keys.filter_map(|key| Some((key, self.tag(key)?))).collect();
        together(&present)
    }

    /// Which tags of the tenant's standard it has, one bit each.
    fn standard(&self) -> u8 {
        let bit = |(n, tag): (usize, &str)| u8::from(self.tag(tag).is_some()) << n;
        STANDARD_TAGS.into_iter().enumerate().map(bit).sum()
    }

    /// Which templates read it, whether it is meant, and of how many that mean it a tag of the
    /// group's key is missing.
    fn readers(&self, plan: &Plan) -> (Vec<(u32, bool, GroupKey)>, u8) {
        let (tags, measurement) = (self.tags(), self.line.measurement());
        let tags: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (&**k, &**v)).collect();
        let (mut readers, mut missing) = (Vec::new(), 0_u8);
        for (n, template) in plan.candidates(&measurement) {
            // A tenant is no host, and what a host sends is no sum over partitions.
            let other = self.derived.is_some() != template.of_tenant();
            let own = !other && template.is_meant(&measurement) && template.matches(&tags);
            if !own && !template.joins(&measurement) {
                continue;
            }
            match self.key(template) {
                Some(key) => readers.push((n, own, key)),
                None => missing = missing.saturating_add(u8::from(own)),
            }
        }
        (readers, missing)
    }
}

fn together(tags: &[(&String, Cow<'_, str>)]) -> Tags {
    Tags::of(tags.iter().map(|(key, value)| (key.as_str(), &**value)))
}

fn env_of(line: &Line<'_>) -> Env {
    Env::of(line.tag("env").as_deref())
}

/// The time of a line; of one without a timestamp that of its arrival.
pub(crate) fn time_of(line: &Line<'_>, arrival: Timestamp) -> Timestamp {
    line.timestamp().map_or(arrival, Timestamp::from_nanos)
}

/// A point without a host is a host of its own: its series.
fn series_text(line: &Line<'_>) -> String {
    let mut sorted: Vec<_> = line.tags().collect();
    sorted.sort_unstable();
    let mut text = line.measurement().into_owned();
    for (key, value) in sorted {
        text.push_str(&format!(",{key}={value}"));
    }
    text
}

/// Judges what a point's time closes, and says whether the point counts.
fn counts(name: &str, host: &mut Host, verdict: Verdict, run: &mut Run<'_>) -> bool {
    host.judge_closed(name, run);
    match verdict {
        Verdict::Late => run.outcome.tallies.add(Tally::Late, 1),
        Verdict::Quarantined => run.outcome.tallies.add(Tally::Quarantined, 1),
        Verdict::Accepted => return true,
    }
    false
}

/// Moves a host's clock by a point, judges what that closes, and takes the point as a sample.
/// Groups in `elsewhere` are ahead of the log and left alone.
pub(crate) fn apply(
    name: &Arc<str>,
    host: &mut Host,
    verdict: Verdict,
    spot: &Spot<'_>,
    elsewhere: &[Slot],
    run: &mut Run<'_>,
) {
    if !counts(name, host, verdict, run) {
        return;
    }
    let plan = Arc::clone(&run.plan);
    if plan.reads_derived() && spot.derived.is_none() {
        host.tags_seen |= spot.standard();
    }
    let (readers, missing) = spot.readers(&plan);
    run.outcome
        .tallies
        .add(Tally::MissingGroupTag, missing.into());
    for (n, own, key) in readers {
        if elsewhere.iter().any(|slot| slot.holds(&key)) {
            continue;
        }
        let template = plan.at(n);
        if own {
            sample(name, host, key, template, (spot, run));
        } else {
            join_by_key(host, key, template, (spot, run));
        }
    }
    host.find_due_of_new(plan.lateness());
}

/// The same by the route of its series, under the plan of the run.
pub(crate) fn apply_by_route(
    name: &Arc<str>,
    host: &mut Host,
    verdict: Verdict,
    (spot, route, plan): (&Spot<'_>, &mut Route, &Plan),
    run: &mut Run<'_>,
) {
    if !counts(name, host, verdict, run) {
        return;
    }
    host.tags_seen |= route.tags_seen;
    if route.without_group > 0 {
        let n = u64::from(route.without_group);
        run.outcome.tallies.add(Tally::MissingGroupTag, n);
    }
    if route.removals != host.groups.removals() {
        route.stops.iter_mut().for_each(|stop| stop.group = None);
    }
    for stop in &mut route.stops {
        let template = plan.at(stop.template());
        let clock = host.time();
        if let Some((key, group)) = stop.group.and_then(|place| host.groups.at_mut(place)) {
            if stop.is_own() {
                host.due_is_new |= known(name, (key, group), template, (spot, clock, run));
            } else {
                join(group, spot, run);
            }
            continue;
        }
        let Some(key) = spot.key(template) else {
            continue;
        };
        stop.group = host.groups.place(&key);
        if stop.is_own() {
            sample(name, host, key, template, (spot, run));
        } else {
            join_by_key(host, key, template, (spot, run));
        }
    }
    route.removals = host.groups.removals();
    host.find_due_of_new(plan.lateness());
}

/// The route of a series whose host is known.
pub(crate) fn route_of(
    spot: &Spot<'_>,
    (place, host): (super::hosts::HostPlace, &Host),
    plan: &Plan,
) -> Route {
    let (readers, missing) = spot.readers(plan);
    let stop = |(template, own, key): (u32, bool, GroupKey)| {
        Stop::new(template, own, host.groups.place(&key))
    };
    let stops = readers.into_iter().map(stop).collect();
    let mut route = Route::new(place, spot.series, spot.env.clone(), stops);
    route.removals = host.groups.removals();
    route.without_group = missing;
    if plan.reads_derived() {
        route.tags_seen = spot.standard();
    }
    route
}

/// The host's clock after a point of it, and what becomes of the point.
pub(crate) fn hear(name: &str, host: &mut Host, at: Timestamp, run: &mut Run<'_>) -> Verdict {
    if host.is_down(name, run) {
        host.groups.values_mut().for_each(Group::host_returned);
    }
    let bounds = (run.plan.lateness(), host.skew.offset());
    let verdict = host.clock.hear(at, run.arrival, run.log, bounds);
    match verdict {
        Verdict::Accepted => host.skew.accept(at, run.arrival),
        Verdict::Late | Verdict::Quarantined => {
            if host.skew.doubt(at, run.arrival) {
                host.adopt_clock(name, at, run);
                return Verdict::Accepted;
            }
        }
    }
    verdict
}

fn sample(
    name: &str,
    host: &mut Host,
    key: GroupKey,
    template: &TemplatePlan,
    (spot, run): (&Spot<'_>, &mut Run<'_>),
) {
    let clock = host.time();
    if let Some((key, group)) = host
        .groups
        .place(&key)
        .and_then(|place| host.groups.at_mut(place))
    {
        host.due_is_new |= known(name, (key, group), template, (spot, clock, run));
    } else {
        let context = spot.context(template.context_keys());
        let mut group = Group::new(template.base(), spot.at, run.log);
        group.set_context(context);
        let rule = adopt_rule(&mut group, &key, template, run);
        let Some(row) = row_of(&rule, &group, (spot, true), run) else {
            return;
        };
        if row.is_excluded() {
            return;
        }
        take(name, &key, &mut group, &rule, (spot, row, clock, run));
        host.groups.insert(key, group);
        host.due_is_new = true;
    }
}

/// Takes a point into a group that is known. Whether the group's grid may be another now.
///
/// This is where most points go: no reference is counted on the way, which would wait for all memory before it.
fn known(
    name: &str,
    (key, group): (&GroupKey, &mut Group),
    template: &TemplatePlan,
    (spot, clock, run): (&Spot<'_>, (HostClock, u32), &mut Run<'_>),
) -> bool {
    let context = spot.context(template.context_keys());
    let revision = run.plan.revision();
    let holds = group
        .rule
        .as_ref()
        .is_some_and(|rule| rule.revision == revision);
    let adopted = !holds || !group.has_context(&context);
    if adopted {
        group.set_context(context);
        adopt_rule(group, key, template, run);
    }
    // Taken out while the group changes by it.
    let held = group.rule.take();
    if let Some(rule) = &held
        && let Some(row) = row_of(rule, group, (spot, true), run)
    {
        take(name, key, group, rule, (spot, row, clock, run));
    }
    group.rule = held;
    adopted
}

/// The same into the group that it belongs to. The hosts of a group that spans hosts need not send both
/// measurements.
fn join_by_key(
    host: &mut Host,
    key: GroupKey,
    template: &TemplatePlan,
    (spot, run): (&Spot<'_>, &mut Run<'_>),
) {
    if host.groups.place(&key).is_none() && template.spans() {
        let mut group = Group::new(template.base(), spot.at, run.log);
        adopt_rule(&mut group, &key, template, run);
        host.groups.insert(key.clone(), group);
    }
    let place = host.groups.place(&key);
    if let Some((_, group)) = place.and_then(|place| host.groups.at_mut(place)) {
        join(group, spot, run);
    }
}

/// Takes a point of another measurement, which a formula joins to the group's own.
fn join(group: &mut Group, spot: &Spot<'_>, run: &mut Run<'_>) {
    let held = group.rule.take();
    if let Some(rule) = &held
        && let Some(row) = row_of(rule, group, (spot, false), run)
        && row.says_something()
    {
        if rule.spans {
            group.newest = group.newest.max(spot.at);
        }
        put(group, spot, &row, run);
    }
    group.rule = held;
}

fn put(group: &mut Group, spot: &Spot<'_>, row: &Row, run: &mut Run<'_>) {
    match group.samples.put(spot.at, spot.series, &row.cells) {
        Added::New => {}
        Added::Replaced => run.outcome.tallies.add(Tally::Replaced, 1),
        Added::Full => run.outcome.tallies.add(Tally::Full, 1),
    }
}

/// Puts a row into its group, and judges it by itself where the rule says so.
fn take(
    name: &str,
    key: &GroupKey,
    group: &mut Group,
    rule: &Rule,
    (spot, row, clock, run): (&Spot<'_>, Row, (HostClock, u32), &mut Run<'_>),
) {
    if spot.at >= group.newest && group.env != spot.env {
        group.env = spot.env.clone();
    }
    if spot.derived.is_some() {
        group.set_note(spot.note().map(Note));
    }
    if row.says_something() {
        group.newest = group.newest.max(spot.at);
        group.heard_log = run.log;
    }
    if rule.is_silence() {
        return;
    }
    put(group, spot, &row, run);
    if rule.has_each_point() {
        let scene = run.scene(clock);
        let point = (spot.at, spot.series, row.cells.as_slice());
        let judged = each_point(group, &key.tags, rule, &scene, point);
        run.take(name, group, judged);
    }
}
