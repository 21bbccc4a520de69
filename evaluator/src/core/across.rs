//! Groups without a host: what each partition reports of its hosts, and what the tenant's first partition
//! makes of all reports.
//!
//! A host keeps its samples of such a group under the group's tags and its own name, as it keeps those of
//! any other group, and nothing of them is judged there. At each grid point of the reports a partition
//! says what its hosts' samples come to; the group itself, with its ladder and its incident, is of the host
//! that stands for the tenant.

use super::derived::EVERY;
use super::env::Env;
use super::group::{Group, GroupKey, Note};
use super::host::{Host, Run, adopt_rule};
use super::input::Tally;
use super::judge::{Judged, judge_at};
use super::partial::Partial;
use super::partition::Partition;
use super::past::against_past;
use super::plan::{Plan, Rule, Signal, Term};
use super::tags::Tags;
use super::usage::{TENANT, escape};
use super::window::{Reading, Values, combined};
use model::Timestamp;
use schemas::line::{FieldValue, Line};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The name of a report's lines that are of such groups.
pub(crate) const PARTIAL: &str = "bongsu_partial";
/// What stands before the group's own tags in them.
const OF_GROUP: &str = "g.";
/// What all partitions of a tenant report at one grid point has at most so many bytes; what is more is
/// counted and left out. It is kept in one record of state.
const MOST_BYTES: usize = 384 * 1024;

/// What is reported of a group.
#[derive(Debug, Clone, Default)]
struct Joint {
    /// For each term of the rule.
    parts: Vec<Partial>,
    /// Of the newest sample: its time and its `env`.
    newest: Option<(Timestamp, Option<String>)>,
}

impl Joint {
    fn join(&mut self, other: &Self, rule: &Rule) {
        self.parts
            .resize_with(rule.terms().count(), Partial::default);
        for ((part, more), term) in self.parts.iter_mut().zip(&other.parts).zip(rule.terms()) {
            part.join(more, term);
        }
        if self.newest < other.newest {
            self.newest.clone_from(&other.newest);
        }
    }

    fn readings(&self, rule: &Rule, at: Timestamp) -> Vec<Reading> {
        let mut parts = self.parts.iter();
        let nothing = Partial::default();
        let mut of_term =
            |term: (&Signal, &Term)| parts.next().unwrap_or(&nothing).reading(term, rule, at);
        let of_signal = |signal: &Signal| {
            let terms: Vec<Reading> = signal
                .terms
                .iter()
                .map(|term| of_term((signal, term)))
                .collect();
            let Some(formula) = &signal.formula else {
                return terms.first().copied().unwrap_or(Reading::Unknown);
            };
            combined(terms.into_iter(), |values| {
                let values = Values { values, at };
                formula.value(&values).map_or(Reading::Unknown, Reading::of)
            })
        };
        rule.signals.iter().map(of_signal).collect()
    }
}

/// Adds what this partition's hosts say of groups without a host at the grid point `at`.
pub(crate) fn report(partition: &mut Partition, run: &mut Run<'_>, at: Timestamp, to: &mut String) {
    if !run.plan.spans() {
        return;
    }
    let most = MOST_BYTES / run.plan.partitions() as usize;
    let mut bytes = 0;
    for (key, (rule, joint)) in joints(partition, at) {
        let line = line_of(&key, &rule, &joint, at);
        bytes += line.len();
        if bytes > most {
            run.outcome.tallies.add(Tally::Full, 1);
        } else {
            to.push_str(&line);
        }
    }
    forget_old(partition, run, at);
}

type Joints = BTreeMap<GroupKey, (Arc<Rule>, Joint)>;

fn joints(partition: &Partition, at: Timestamp) -> Joints {
    let mut joints = Joints::new();
    let hosts = partition
        .hosts
        .iter()
        .filter(|(name, _)| name.as_ref() != TENANT);
    for (host, key, group, rule) in hosts.flat_map(|(_, host)| members(host)) {
        let offset = host.skew.offset();
        let part = |term| Partial::of(term, rule, &group.samples, (at, offset));
        let parts: Vec<Partial> = rule.terms().map(part).collect();
        if parts.iter().all(Partial::is_empty) {
            continue;
        }
        let newest = parts.iter().filter_map(Partial::newest).max();
        let joint = Joint {
            newest: newest.map(|at| (at, group.env.get().map(str::to_owned))),
            parts,
        };
        let of_group = GroupKey {
            template: Arc::clone(&key.template),
            tags: Tags::of(key.tags.iter().filter(|(tag, _)| *tag != "host")),
        };
        let known = joints.entry(of_group);
        let (rule, known) = known.or_insert_with(|| (Arc::clone(rule), Joint::default()));
        known.join(&joint, rule);
    }
    joints
}

/// What a host keeps of groups without a host.
fn members(host: &Host) -> impl Iterator<Item = (&Host, &GroupKey, &Group, &Arc<Rule>)> {
    host.groups.iter().filter_map(move |(key, group)| {
        let rule = group.rule.as_ref().filter(|rule| rule.spans)?;
        Some((host, key, group, rule))
    })
}

/// Samples that no later grid point needs, and what has none left.
fn forget_old(partition: &mut Partition, run: &Run<'_>, at: Timestamp) {
    let old = |host: &Host, rule: &Rule| at.plus(host.skew.offset()).minus(rule.reach());
    let is_old = |host: &Host| {
        members(host).any(|(_, _, group, rule)| group.samples.begins_by(old(host, rule)))
    };
    let hosts = partition.hosts.iter();
    let hosts = hosts.filter(|(name, host)| name.as_ref() != TENANT && is_old(host));
    let names: Vec<Arc<str>> = hosts.map(|(name, _)| Arc::clone(name)).collect();
    for name in names {
        partition.ledger.touch(&name, &run.position);
        let Some(host) = partition.hosts.get_mut(&name) else {
            continue;
        };
        let offset = host.skew.offset();
        let settled = host.clock.newest.map(|at| at.minus(run.plan.lateness()));
        host.groups.retain(|_, group| {
            let Some(rule) = group.rule.as_ref().filter(|rule| rule.spans) else {
                return true;
            };
            let old = at.plus(offset).minus(rule.reach());
            if rule.keeps_newest() {
                group.samples.drop_but_newest_until(old);
            } else {
                group.samples.drop_until(old);
            }
            if let Some(settled) = settled {
                group.samples.settle_before(settled);
            }
            !group.samples.is_empty() && group.newest > old.minus(EVERY)
        });
    }
}

fn line_of(key: &GroupKey, rule: &Rule, joint: &Joint, at: Timestamp) -> String {
    let mut text = format!(
        "{PARTIAL},rule={:x},template={}",
        rule.meaning(),
        escape(&key.template)
    );
    for (tag, value) in key.tags.iter() {
        text.push_str(&format!(",{OF_GROUP}{}={}", escape(tag), escape(value)));
    }
    text.push(' ');
    for (n, part) in joint.parts.iter().enumerate() {
        text.push_str(&format!("p{n}=\"{}\",", part.write()));
    }
    if let Some((newest, env)) = &joint.newest {
        text.push_str(&format!("newest={}i,", newest.as_nanos()));
        if let Some(env) = env {
            let env = env.replace('\\', "\\\\").replace('"', "\\\"");
            text.push_str(&format!("env=\"{env}\","));
        }
    }
    text.pop();
    text.push_str(&format!(" {}\n", at.as_nanos()));
    text
}

/// Whether a line of a report is of a group without a host.
pub(crate) fn is_partial(line: &Line<'_>) -> bool {
    line.measurement() == PARTIAL
}

/// A group, what its reporter's rule means, and what it says.
fn read(line: &Line<'_>) -> Option<(GroupKey, u64, Joint)> {
    let template = line.tag("template")?;
    let meaning = u64::from_str_radix(&line.tag("rule")?, 16).ok()?;
    let tags: Vec<_> = line.tags().collect();
    let mut tags: Vec<(&str, &str)> = tags
        .iter()
        .filter_map(|(tag, value)| Some((tag.strip_prefix(OF_GROUP)?, &**value)))
        .collect();
    tags.sort_unstable();
    let mut joint = Joint::default();
    while let Some(FieldValue::Text(part)) = line.field(&format!("p{}", joint.parts.len())) {
        joint.parts.push(Partial::read(&part)?);
    }
    if let Some(FieldValue::Integer(newest)) = line.field("newest") {
        let env = match line.field("env") {
            Some(FieldValue::Text(env)) => Some(env.into_owned()),
            _ => None,
        };
        joint.newest = Some((Timestamp::from_nanos(newest), env));
    }
    let key = GroupKey {
        template: template.into_owned().into(),
        tags: Tags::of(tags),
    };
    Some((key, meaning, joint))
}

/// What partitions last reported, to the host that stands for the tenant, of groups that are such by the plan.
fn reported(host: &Host, plan: &Plan) -> BTreeMap<GroupKey, Vec<(u64, Joint)>> {
    let mut found: BTreeMap<GroupKey, Vec<(u64, Joint)>> = BTreeMap::new();
    for report in host.usage.iter().flat_map(|usage| usage.last.values()) {
        let lines = schemas::line::scan(report.as_bytes()).filter_map(Result::ok);
        for (key, meaning, joint) in lines.filter(is_partial).filter_map(|line| read(&line)) {
            let template = plan.template(&key.template);
            if template
                .is_some_and(|t| t.spans() && key.tags.iter().map(|(k, _)| k).eq(t.group_tags()))
            {
                found.entry(key).or_default().push((meaning, joint));
            }
        }
    }
    found
}

fn joined(reports: &[(u64, Joint)], rule: &Rule) -> Joint {
    let (mut all, meaning) = (Joint::default(), rule.meaning());
    for (_, joint) in reports.iter().filter(|(means, _)| *means == meaning) {
        all.join(joint, rule);
    }
    all
}

/// Judges all groups without a host at the grid point `at`, of which so many partitions have not reported.
pub(crate) fn judge(
    partition: &mut Partition,
    name: &Arc<str>,
    (at, missing): (Timestamp, usize),
    run: &mut Run<'_>,
) {
    let plan = Arc::clone(&run.plan);
    if !plan.spans() {
        return;
    }
    let Some(host) = partition.hosts.get_mut(name) else {
        return;
    };
    let reports = reported(host, &plan);
    let known = members(host).map(|(_, key, ..)| key);
    let keys: BTreeSet<GroupKey> = known.chain(reports.keys()).cloned().collect();
    let elsewhere = partition.waiting.of(name);
    let time = host.time();
    let mut gone = BTreeSet::new();
    for key in keys {
        let template = plan.template(&key.template);
        let (Some(template), false) = (template, elsewhere.iter().any(|slot| slot.holds(&key)))
        else {
            continue;
        };
        if host.groups.place(&key).is_none() {
            let newest = reports.get(&key).into_iter().flatten();
            let newest = newest.filter_map(|(_, joint)| Some(joint.newest.as_ref()?.0));
            let first = newest.max().unwrap_or(at).min(at);
            let mut group = Group::new(template.base(), first, run.log);
            adopt_rule(&mut group, &key, template, run);
            host.groups.insert(key.clone(), group);
        }
        let place = host.groups.place(&key);
        let Some((_, group)) = place.and_then(|place| host.groups.at_mut(place)) else {
            continue;
        };
        let Some(rule) = group.rule.clone() else {
            continue;
        };
        if at != at.floor_to(rule.every) || at <= group.judged {
            continue;
        }
        let joint = joined(reports.get(&key).map_or(&[], Vec::as_slice), &rule);
        let judged = judge_group((&key, group), &rule, (&joint, at, missing), (time, run));
        if judged.gone {
            gone.insert(key.clone());
        }
        run.take(name, group, judged);
    }
    if !gone.is_empty() {
        host.groups.retain(|key, _| !gone.contains(key));
    }
    partition.schedule(name);
}

fn judge_group(
    (key, group): (&GroupKey, &mut Group),
    rule: &Rule,
    (joint, at, missing): (&Joint, Timestamp, usize),
    (time, run): ((super::clock::HostClock, u32), &Run<'_>),
) -> Judged {
    if let Some((newest, env)) = &joint.newest {
        if group.newest < *newest {
            (group.newest, group.heard_log) = (*newest, run.log);
        }
        group.env = Env::of(env.as_deref());
    }
    let note = format!("{missing} partitions have not reported");
    group.set_note((missing > 0).then_some(Note(note)));
    let readings = joint.readings(rule, at);
    let mut of_past = Vec::new();
    for (signal, reading) in rule.signals.iter().zip(readings) {
        of_past.push(Some(against_past(signal, rule, group, (at, reading))));
    }
    judge_at(group, &key.tags, rule, &run.scene(time), (at, &of_past))
}

/// What the windows of a group without a host say by the last reports, and of how many samples.
pub(crate) fn readings_now(
    host: &Host,
    (key, rule): (&GroupKey, &Rule),
    plan: &Plan,
    at: Timestamp,
) -> Vec<(Reading, usize)> {
    let reports = reported(host, plan);
    let reports = reports.get(key).map_or(&[][..], Vec::as_slice);
    let joint = joined(reports, rule);
    let mut parts = joint.parts.iter().map(Partial::samples);
    let samples = rule.signals.iter().map(|signal| {
        let each = parts.by_ref().take(signal.terms.len());
        usize::try_from(each.max().unwrap_or(0)).unwrap_or(usize::MAX)
    });
    joint
        .readings(rule, at)
        .into_iter()
        .zip(samples.collect::<Vec<_>>())
        .collect()
}

/// Whether a host has nothing but samples of groups without a host.
pub(crate) fn has_members_only(host: &Host) -> bool {
    members(host).count() == host.groups.len()
}
