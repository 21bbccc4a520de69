//! A line applied to its host: which groups it is a sample of.

use super::clock::{HostClock, Verdict};
use super::derived::STANDARD_TAGS;
use super::group::{Group, GroupKey};
use super::host::{Host, Run, adopt_rule};
use super::input::Tally;
use super::judge::each_point;
use super::part::Slot;
use super::plan::{Rule, TemplatePlan};
use super::row::{Row, row_of};
use super::samples::Added;
use super::usage::TENANT;
use model::{SeriesKey, Timestamp};
use schemas::line::{FieldValue, Line};
use std::borrow::Cow;
use std::sync::Arc;

/// A line with what is read of it more than once.
pub(crate) struct Spot<'a> {
    pub(crate) line: &'a Line<'a>,
    pub(crate) at: Timestamp,
    pub(crate) host: Cow<'a, str>,
    pub(crate) measurement: Cow<'a, str>,
    pub(crate) series: SeriesKey,
    /// It is a sum over the tenant's partitions, of which so many have not reported.
    derived: Option<usize>,
    /// All tags, `host` among them.
    tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Spot<'a> {
    /// Reads a line; one without a timestamp has the time of its arrival.
    pub(crate) fn of(line: &'a Line<'a>, arrival: Timestamp) -> Self {
        let mut tags: Vec<_> = line.tags().collect();
        let measurement = line.measurement();
        let host = line
            .host()
            .unwrap_or_else(|| Cow::Owned(series_text(&measurement, &tags)));
        if tags.iter().all(|(key, _)| key != "host") {
            tags.push((Cow::Borrowed("host"), host.clone()));
        }
        Self {
            line,
            at: line.timestamp().map_or(arrival, Timestamp::from_nanos),
            host,
            measurement,
            series: line.series(),
            tags,
            derived: None,
        }
    }

    /// A sum over the tenant's partitions, of which so many have not reported. It has no host.
    pub(crate) fn of_tenant(line: &'a Line<'a>, arrival: Timestamp, missing: usize) -> Self {
        Self {
            line,
            at: line.timestamp().map_or(arrival, Timestamp::from_nanos),
            host: Cow::Borrowed(TENANT),
            measurement: line.measurement(),
            series: line.series(),
            tags: line.tags().collect(),
            derived: Some(missing),
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

    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_ref())
    }

    /// The tags of those keys; none when one is missing.
    fn group(&self, keys: &[String]) -> Option<Vec<(String, String)>> {
        keys.iter()
            .filter(|key| self.derived.is_none() || *key != "host")
            .map(|key| Some((key.clone(), self.tag(key)?.to_owned())))
            .collect()
    }

    fn context(&self, keys: &[String]) -> Vec<(String, String)> {
        let present = |key: &String| Some((key.clone(), self.tag(key)?.to_owned()));
        keys.iter().filter_map(present).collect()
    }
}

/// A point without a host is a host of its own: its series.
fn series_text(measurement: &str, tags: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let mut sorted: Vec<_> = tags.iter().collect();
    sorted.sort_unstable();
    let mut text = measurement.to_owned();
    for (key, value) in sorted {
        text.push_str(&format!(",{key}={value}"));
    }
    text
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
    host.judge_closed(name, run);
    match verdict {
        Verdict::Late => return run.outcome.tallies.add(Tally::Late, 1),
        Verdict::Quarantined => return run.outcome.tallies.add(Tally::Quarantined, 1),
        Verdict::Accepted => {}
    }
    let plan = Arc::clone(&run.plan);
    if plan.reads_derived() && spot.derived.is_none() {
        for (n, tag) in STANDARD_TAGS.into_iter().enumerate() {
            host.tags_seen |= u8::from(spot.tag(tag).is_some()) << n;
        }
    }
    let tags: Vec<(&str, &str)> = spot
        .tags
        .iter()
        .map(|(key, value)| (key.as_ref(), value.as_ref()))
        .collect();
    for template in plan.candidates(&spot.measurement) {
        // A tenant is no host, and what a host sends is no sum over partitions.
        let other = spot.derived.is_some() != template.of_tenant();
        let own = !other && template.is_meant(&spot.measurement) && template.matches(&tags);
        if !own && !template.joins(&spot.measurement) {
            continue;
        }
        let Some(tags) = spot.group(template.group_tags()) else {
            run.outcome
                .tallies
                .add(Tally::MissingGroupTag, u64::from(own));
            continue;
        };
        let key = GroupKey {
            template: Arc::clone(template.name()),
            tags,
        };
        if elsewhere.iter().any(|slot| slot.holds(&key)) {
            continue;
        }
        if own {
            sample(name, host, key, template, (spot, run));
        } else if let Some(group) = host.groups.get_mut(&key) {
            join(group, spot, run);
        }
    }
    host.find_due(plan.lateness());
}

/// The host's clock after a point of it, and what becomes of the point.
pub(crate) fn hear(name: &str, host: &mut Host, at: Timestamp, run: &mut Run<'_>) -> Verdict {
    let returned = host.clock.silence(run.log) >= run.plan.host_down_after();
    if returned {
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
    let context = spot.context(template.context_keys());
    let clock = host.time();
    if !host.groups.contains_key(&key) {
        let mut group = Group::new(template.base(), spot.at, run.log);
        group.context = context;
        let rule = adopt_rule(&mut group, &key, template, run);
        let Some(row) = row_of(&rule, &group, (spot, true), run) else {
            return;
        };
        if row.is_excluded() {
            return;
        }
        let group = host.groups.entry(key.clone()).or_insert(group);
        return take(name, &key, group, &rule, (spot, row, clock, run));
    }
    let Some(group) = host.groups.get_mut(&key) else {
        return;
    };
    let rule = match &group.rule {
        Some((revision, rule)) if *revision == run.plan.revision() && group.context == context => {
            Arc::clone(rule)
        }
        _ => {
            group.context = context;
            adopt_rule(group, &key, template, run)
        }
    };
    if let Some(row) = row_of(&rule, group, (spot, true), run) {
        take(name, &key, group, &rule, (spot, row, clock, run));
    }
}

/// Takes a point of another measurement, which a formula joins to the group's own.
fn join(group: &mut Group, spot: &Spot<'_>, run: &mut Run<'_>) {
    let Some((_, rule)) = group.rule.clone() else {
        return;
    };
    let row = row_of(&rule, group, (spot, false), run);
    if let Some(row) = row.filter(Row::says_something) {
        put(group, spot, &row, run);
    }
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
    if spot.at >= group.newest {
        group.env = spot.tag("env").map(str::to_owned);
    }
    if spot.derived.is_some() {
        group.note = spot.note();
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
