//! A line applied to its host: which groups it is a sample of.

use super::clock::{HostClock, Verdict};
use super::expr::{Names, Point};
use super::group::{Group, GroupKey};
use super::host::{Host, Run, adopt_rule};
use super::input::Tally;
use super::judge::each_point;
use super::part::Slot;
use super::plan::{Check, Rule, Source, TemplatePlan};
use super::samples::{Added, Cell};
use model::{SeriesKey, Timestamp};
use schemas::line::{FieldValue, Line};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A line with what is read of it more than once.
pub(crate) struct Spot<'a> {
    line: &'a Line<'a>,
    pub(crate) at: Timestamp,
    pub(crate) host: Cow<'a, str>,
    measurement: Cow<'a, str>,
    series: SeriesKey,
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
        }
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_ref())
    }

    /// The tags of those keys; none when one is missing.
    fn group(&self, keys: &[String]) -> Option<Vec<(String, String)>> {
        keys.iter()
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
    let tags: Vec<(&str, &str)> = spot
        .tags
        .iter()
        .map(|(key, value)| (key.as_ref(), value.as_ref()))
        .collect();
    for template in plan.candidates(&spot.measurement) {
        let own = template.is_meant(&spot.measurement) && template.matches(&tags);
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
pub(crate) fn hear(host: &mut Host, at: Timestamp, run: &Run<'_>) -> Verdict {
    let returned = host.clock.silence(run.log) >= run.plan.host_down_after();
    if returned {
        host.groups.values_mut().for_each(Group::host_returned);
    }
    host.clock
        .hear(at, run.arrival, run.log, run.plan.lateness())
}

fn sample(
    name: &str,
    host: &mut Host,
    key: GroupKey,
    template: &TemplatePlan,
    (spot, run): (&Spot<'_>, &mut Run<'_>),
) {
    let context = spot.context(template.context_keys());
    let clock = host.clock;
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
    (spot, row, clock, run): (&Spot<'_>, Row, HostClock, &mut Run<'_>),
) {
    if spot.at >= group.newest {
        group.env = spot.tag("env").map(str::to_owned);
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

/// The cells of a point: the values of the checks, then the fields that are kept.
struct Row {
    cells: Vec<f64>,
    checks: usize,
}

impl Row {
    fn is_excluded(&self) -> bool {
        self.checks > 0 && self.values().all(|cell| cell == Cell::Excluded)
    }

    /// Whether it is a sign of life of its group.
    fn says_something(&self) -> bool {
        self.checks == 0 || self.values().any(|cell| cell != Cell::Absent)
    }

    fn values(&self) -> impl Iterator<Item = Cell> {
        self.cells[..self.checks].iter().map(|raw| Cell::of(*raw))
    }
}

/// What a point says to a rule; none when it has no field that the rule reads.
///
/// `own`: the point is one of those that the template means.
fn row_of(
    rule: &Rule,
    group: &Group,
    (spot, own): (&Spot<'_>, bool),
    run: &mut Run<'_>,
) -> Option<Row> {
    let Source::Points {
        checks,
        only_when,
        names,
    } = &rule.source
    else {
        return Some(Row {
            cells: Vec::new(),
            checks: 0,
        });
    };
    let mut point = Fields::of(spot, names);
    if point.is_foreign() {
        run.outcome
            .tallies
            .add(Tally::Absent, u64::from(point.wrong_type));
        return None;
    }
    // Another line of the same point may have brought the other fields.
    if rule.width() > checks.len()
        && let Some(known) = group.samples.row(spot.at, spot.series)
    {
        for (field, known) in point.fields.iter_mut().zip(known.skip(checks.len())) {
            *field = field.or(Some(known).filter(|known| known.is_finite()));
        }
    }
    let applies = only_when
        .as_ref()
        .filter(|_| own)
        .map(|condition| condition.value(&point));
    let reads = |check: &Check| match &check.measurement {
        None => own,
        Some(name) => *name == spot.measurement,
    };
    let mut cells: Vec<f64> = checks
        .iter()
        .map(|check| match applies.filter(|_| !check.always) {
            _ if !reads(check) => Cell::Absent.raw(),
            Some(None) => Cell::Absent.raw(),
            Some(Some(0.0)) => Cell::Excluded.raw(),
            Some(Some(_)) | None => check
                .expr
                .value(&point)
                .map_or(f64::NAN, |v| Cell::Value(v).raw()),
        })
        .collect();
    let absent = checks
        .iter()
        .zip(&cells)
        .any(|(check, cell)| reads(check) && Cell::of(*cell) == Cell::Absent);
    run.outcome
        .tallies
        .add(Tally::Absent, u64::from(absent && point.is_whole()));
    let kept = rule.width() - checks.len();
    cells.extend(
        point
            .fields
            .iter()
            .take(kept)
            .map(|field| field.unwrap_or(f64::NAN)),
    );
    Some(Row {
        cells,
        checks: checks.len(),
    })
}

/// The fields and tags of a line in the places that a rule's expressions use.
struct Fields<'a> {
    fields: Vec<Option<f64>>,
    tags: Vec<Option<Cow<'a, str>>>,
    at: Timestamp,
    wrong_type: bool,
}

impl<'a> Fields<'a> {
    fn of(spot: &'a Spot<'_>, names: &Names) -> Self {
        let mut found: BTreeMap<Cow<'_, str>, FieldValue<'_>> = BTreeMap::new();
        found.extend(spot.line.fields().filter(|(name, _)| {
            let is_wanted = |wanted: &String| wanted == name;
            names.fields.iter().any(is_wanted) || names.tags.iter().any(is_wanted)
        }));
        // A text is held against a tag, or a field where there is no such tag.
        let text = |name: &String| match spot.tag(name) {
            Some(tag) => Some(Cow::Borrowed(tag)),
            None => match found.get(name.as_str()) {
                Some(FieldValue::Text(text)) => Some(text.clone()),
                _ => None,
            },
        };
        let tags: Vec<_> = names.tags.iter().map(text).collect();
        let mut wrong_type = false;
        let fields = names
            .fields
            .iter()
            .map(|name| {
                let number = number(found.get(name.as_str())?);
                wrong_type |= number.is_none();
                number
            })
            .collect();
        Self {
            fields,
            tags,
            at: spot.at,
            wrong_type,
        }
    }

    /// Whether the line has none of the fields that are asked for.
    fn is_foreign(&self) -> bool {
        !self.fields.is_empty() && self.fields.iter().all(Option::is_none)
    }

    fn is_whole(&self) -> bool {
        self.fields.iter().all(Option::is_some)
    }
}

impl Point for Fields<'_> {
    fn field(&self, slot: usize) -> Option<f64> {
        self.fields.get(slot).copied().flatten()
    }

    fn tag(&self, slot: usize) -> Option<&str> {
        self.tags.get(slot)?.as_deref()
    }

    fn seconds(&self) -> f64 {
        self.at.as_nanos() as f64 / 1e9
    }
}

fn number(value: &FieldValue<'_>) -> Option<f64> {
    match value {
        FieldValue::Float(value) => Some(*value),
        FieldValue::Integer(value) => Some(*value as f64),
        FieldValue::Unsigned(value) => Some(*value as f64),
        FieldValue::Boolean(value) => Some(f64::from(u8::from(*value))),
        FieldValue::Text(_) => None,
    }
}
