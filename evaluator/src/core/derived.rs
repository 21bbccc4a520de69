//! What spans a tenant's partitions: each partition's report a minute, and their sum.
//!
//! A report is a record without a value in the tenant's first partition, whose owner adds the
//! partitions' reports of one grid point up and judges the sums like points.

use super::across;
use super::apply::{Spot, apply};
use super::clock::{HostClock, Verdict};
use super::host::{Host, Run};
use super::input::{Action, Derived, TagCompliance};
use super::partition::Partition;
use super::skew::Skew;
use super::usage::{TENANT, Total, Usage, escape};
use model::{Span, Timestamp, host_partition};
use schemas::line::{FieldValue, Line};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The grid of reports.
pub(crate) const EVERY: Span = Span::from_secs(60);
/// The line of a report that is of the report itself: the arrival of the record that led to it.
const REPORT: &str = "bongsu_report";
/// A grid point is judged without those that have not reported it by then.
const WAIT: Span = Span::from_secs(30);
/// An `example` names at most so many hosts.
const EXAMPLES: usize = 20;
/// A clock that is off by more than this is a finding.
const SKEWED: Span = Span::from_secs(120);
/// Tags that every host must have.
pub(crate) const STANDARD_TAGS: [&str; 3] = ["env", "service", "os"];

/// Reports what the partition has seen, once its arrival has passed a grid point by the lateness.
/// Called before each record is applied.
pub(crate) fn report(partition: &mut Partition, run: &mut Run<'_>) {
    if !run.plan.reads_derived() || partition.waiting.holds_any(TENANT) {
        return;
    }
    // Parts that are ahead of the log were saved behind what was said up to there.
    let said = !partition.waiting.is_empty();
    let name = tenant_host(partition, run);
    let Some(usage) = partition
        .hosts
        .get_mut(&name)
        .and_then(|h| h.usage.as_mut())
    else {
        return;
    };
    usage.arrival = usage.arrival.max(run.arrival);
    let due = usage.arrival.minus(run.plan.lateness()).floor_to(EVERY);
    let first = usage.reported == Timestamp::default();
    if due <= usage.reported {
        return;
    }
    let arrival = usage.arrival;
    usage.reported = due;
    if first {
        return;
    }
    partition.ledger.touch(&name, &run.position);
    let mut lines = String::new();
    let tenant = escape(run.tenant.as_str());
    let usage = partition
        .hosts
        .get_mut(&name)
        .and_then(|h| h.usage.as_mut());
    let Some(total) = usage.map(|usage| usage.report(&tenant, due, &mut lines)) else {
        return;
    };
    lines.push_str(&format!(
        "{REPORT},tenant={tenant} arrival={}i {}\n",
        arrival.as_nanos(),
        due.as_nanos()
    ));
    census(partition, run, (&tenant, due, total), &mut lines);
    across::report(partition, run, due, &mut lines);
    if !said {
        run.outcome.actions.push(Action::Derive(Derived {
            at: due,
            from: partition.number,
            lines,
        }));
    }
}

/// The host that stands for the tenant, made where it is not known yet.
fn tenant_host(partition: &mut Partition, run: &Run<'_>) -> Arc<str> {
    if let Some(name) = partition.hosts.name(TENANT) {
        if let Some(host) = partition.hosts.get_mut(&name) {
            host.usage.get_or_insert_default();
        }
        return name;
    }
    let name: Arc<str> = Arc::from(TENANT);
    let clock = HostClock {
        newest: None,
        heard_event: run.arrival,
        heard_log: run.log,
    };
    let mut host = Host::new(clock, Skew::default(), 0);
    host.usage = Some(Box::default());
    host.find_due(Span::ZERO);
    partition.ledger.touch(&name, &run.position);
    partition.hosts.insert(Arc::clone(&name), host);
    name
}

/// Hosts known and silent, the points and bytes of a day, and what is wrong with hosts, as lines.
fn census(
    partition: &Partition,
    run: &Run<'_>,
    (tenant, at, total): (&str, Timestamp, Total),
    to: &mut String,
) {
    let (mut known, mut silent) = (0_u64, 0_u64);
    let mut found: BTreeMap<&str, Vec<String>> = ["missing-tag", "clock-skew", "two-partitions"]
        .map(|kind| (kind, Vec::new()))
        .into();
    let mut finds = |kind: &'static str, host: String| {
        found.entry(kind).or_default().push(host);
    };
    for (name, host) in partition
        .hosts
        .iter()
        .filter(|(name, _)| name.as_ref() != TENANT)
    {
        known += 1;
        silent += u64::from(host.is_down(name, run));
        let missing = (0..STANDARD_TAGS.len()).filter(|n| host.tags_seen >> n & 1 == 0);
        let missing: Vec<&str> = missing.map(|n| STANDARD_TAGS[n]).collect();
        if !missing.is_empty() && host.clock.newest.is_some() {
            finds("missing-tag", format!("{name} ({})", missing.join(" ")));
        }
        let offset = host.skew.offset();
        if offset > SKEWED || offset.plus(SKEWED) < Span::ZERO {
            finds("clock-skew", format!("{name} ({offset})"));
        }
        let home = host_partition(name.as_bytes(), run.plan.partitions());
        if home != partition.number && run.plan.partitions() > 1 {
            finds(
                "two-partitions",
                format!("{name} (set routing_tag = 'host' in its Telegraf's Kafka output)"),
            );
        }
    }
    let nanos = at.as_nanos();
    to.push_str(&format!(
        "bongsu_census,tenant={tenant} hosts_known={known}i,hosts_silent={silent}i,\
         points_day={}i,bytes_day={}i,since={} {nanos}\n",
        total.day.points, total.day.bytes, total.since
    ));
    for (kind, hosts) in found {
        let example = hosts[..hosts.len().min(EXAMPLES)].join(", ");
        let example = example.replace('\\', "/").replace('"', "'");
        to.push_str(&format!(
            "bongsu_findings,kind={kind},tenant={tenant} hosts={}i,example=\"{example}\" {nanos}\n",
            hosts.len(),
        ));
    }
}

/// Takes a partition's report in. A repeat is dropped: the first one holds.
pub(crate) fn take_report(
    partition: &mut Partition,
    (at, from, lines): (Timestamp, u32, &str),
    run: &mut Run<'_>,
) {
    if !run.plan.reads_derived() || partition.waiting.holds_any(TENANT) {
        return;
    }
    let name = tenant_host(partition, run);
    partition.ledger.touch(&name, &run.position);
    let Some(usage) = partition
        .hosts
        .get_mut(&name)
        .and_then(|h| h.usage.as_mut())
    else {
        return;
    };
    if at > usage.judged && from < run.plan.partitions() {
        let reports = usage.inbox.entry(at).or_default();
        reports.entry(from).or_insert_with(|| lines.to_owned());
    }
    judge(partition, &name, run);
}

/// Judges the grid points that all partitions have reported, and those that have waited enough.
pub(crate) fn judge_waiting(partition: &mut Partition, run: &mut Run<'_>) {
    let waits = |usage: &Usage| usage.inbox.first_key_value().map(|(at, _)| *at);
    let host = partition.hosts.get(TENANT).and_then(|h| h.usage.as_deref());
    if host.and_then(waits).is_some_and(|at| is_over(at, run)) {
        let name = tenant_host(partition, run);
        partition.ledger.touch(&name, &run.position);
        judge(partition, &name, run);
    }
}

fn is_over(at: Timestamp, run: &Run<'_>) -> bool {
    run.arrival.since(at) >= run.plan.lateness().plus(EVERY).plus(WAIT)
}

fn judge(partition: &mut Partition, name: &Arc<str>, run: &mut Run<'_>) {
    while let Some(usage) = partition.hosts.get_mut(name).and_then(|h| h.usage.as_mut()) {
        let Some(first) = usage.inbox.first_entry() else {
            return;
        };
        let at = *first.key();
        if first.get().len() < run.plan.partitions() as usize && !is_over(at, run) {
            return;
        }
        let reports = first.remove();
        let came = reports.len();
        let arrivals = reports.values().filter_map(|report| arrival_of(report));
        let arrival = arrivals.max();
        usage.last.extend(reports);
        usage.judged = at;
        let sums = sum(usage.last.values().map(String::as_str), at);
        let missing = run.plan.partitions() as usize - came.min(run.plan.partitions() as usize);
        // What it leads to has come when the last of what it was computed from has.
        let read_at = run.arrival;
        run.arrival = arrival.unwrap_or(read_at);
        take_sums(partition, name, (&sums, missing), run);
        across::judge(partition, name, (at, missing), run);
        run.arrival = read_at;
    }
}

/// The arrival that a report says of itself; none in those of earlier versions.
fn arrival_of(report: &str) -> Option<Timestamp> {
    let mut lines = schemas::line::scan(report.as_bytes()).filter_map(Result::ok);
    let own = lines.find(|line| line.measurement() == REPORT)?;
    match own.field("arrival")? {
        FieldValue::Integer(arrival) => Some(Timestamp::from_nanos(arrival)),
        _ => None,
    }
}

/// The sums as points of the tenant.
fn take_sums(
    partition: &mut Partition,
    name: &Arc<str>,
    (sums, missing): (&str, usize),
    run: &mut Run<'_>,
) {
    let (mut hosts, mut lacking) = (0, 0);
    for line in schemas::line::scan(sums.as_bytes()).filter_map(Result::ok) {
        hosts += count_in(&line, "bongsu_census", None, "hosts_known");
        lacking += count_in(&line, "bongsu_findings", Some("missing-tag"), "hosts");
        let spot = Spot::of_tenant(&line, run.arrival, missing);
        if let Some(host) = partition.hosts.get_mut(name) {
            host.clock = HostClock {
                newest: host.clock.newest.max(Some(spot.at)),
                heard_event: host.clock.heard_event.max(spot.at),
                heard_log: run.log,
            };
            apply(
                name,
                host,
                Verdict::Accepted,
                &spot,
                partition.waiting.of(name),
                run,
            );
        }
    }
    if hosts > 0 {
        let compliance = TagCompliance { hosts, lacking };
        run.outcome.actions.push(Action::Tags(compliance));
    }
    partition.schedule(name);
}

/// The number in a field, where the line is of that measurement and kind; else 0.
fn count_in(line: &Line<'_>, measurement: &str, kind: Option<&str>, field: &str) -> u64 {
    let meant = line.measurement() == measurement
        && kind.is_none_or(|kind| line.tag("kind").is_some_and(|value| value == kind));
    match line.field(field) {
        // A sum has no suffix of an integer, and is read as a float. What is below 0 is 0 then.
        Some(FieldValue::Float(n)) if meant => n as u64,
        _ => 0,
    }
}

/// Adds reports up: numbers by series, of `first_seen` the smallest, texts one after another.
fn sum<'a>(reports: impl Iterator<Item = &'a str>, at: Timestamp) -> String {
    let mut series: BTreeMap<String, BTreeMap<String, Sum>> = BTreeMap::new();
    for report in reports {
        let lines = schemas::line::scan(report.as_bytes()).filter_map(Result::ok);
        let is_sum = |line: &Line<'_>| line.measurement() != REPORT && !across::is_partial(line);
        for line in lines.filter(is_sum) {
            let fields = series.entry(series_of(&line)).or_default();
            for (name, value) in line.fields() {
                let sum = fields.entry(name.into_owned()).or_insert(Sum::Nothing);
                sum.add(&value);
            }
        }
    }
    let mut text = String::new();
    for (series, fields) in series {
        let fields = fields.iter().filter_map(|(name, sum)| match sum {
            Sum::Nothing => None,
            Sum::Number(value) => Some(format!("{name}={value}")),
            Sum::Least(value) => Some(format!("{name}={value}")),
            Sum::Text(text) => Some(format!("{name}=\"{text}\"")),
        });
        let fields: Vec<String> = fields.collect();
        text.push_str(&format!(
            "{series} {} {}\n",
            fields.join(","),
            at.as_nanos()
        ));
    }
    text
}

fn series_of(line: &Line<'_>) -> String {
    let mut text = escape(&line.measurement());
    for (key, value) in line.tags() {
        text.push_str(&format!(",{}={}", escape(&key), escape(&value)));
    }
    text
}

enum Sum {
    Nothing,
    Number(i128),
    Least(f64),
    Text(String),
}

impl Sum {
    fn add(&mut self, value: &FieldValue<'_>) {
        *self = match (std::mem::replace(self, Self::Nothing), value) {
            (Self::Nothing, FieldValue::Integer(n)) => Self::Number(i128::from(*n)),
            (Self::Number(sum), FieldValue::Integer(n)) => Self::Number(sum + i128::from(*n)),
            (Self::Nothing, FieldValue::Float(n)) => Self::Least(*n),
            (Self::Least(least), FieldValue::Float(n)) => Self::Least(least.min(*n)),
            (Self::Nothing, FieldValue::Text(text)) => Self::Text(text.to_string()),
            (Self::Text(known), FieldValue::Text(text)) if known.is_empty() => {
                Self::Text(text.to_string())
            }
            (Self::Text(known), FieldValue::Text(text)) if !text.is_empty() => {
                Self::Text(format!("{known}, {text}"))
            }
            (known, _) => known,
        };
    }
}
