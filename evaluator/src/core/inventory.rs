//! Hosts that must report: those that never did, and those that need not any more.

use super::clock::HostClock;
use super::group::{Group, GroupKey};
use super::host::{Host, Run, adopt_rule};
use super::judge::{Judged, expire};
use super::partition::Partition;
use super::plan::Plan;
use super::skew::Skew;
use super::tags::Tags;
use model::host_partition;
use std::sync::Arc;

/// Takes the inventory of the plan in force up. A host of this partition that is not known is
/// silent from now on; one that was taken out of it and is silent is closed without a recovery.
pub(crate) fn take_inventory(partition: &mut Partition, before: Option<&Plan>, run: &mut Run<'_>) {
    let plan = Arc::clone(&run.plan);
    for name in plan.inventory() {
        let here = host_partition(name.as_bytes(), plan.partitions()) == partition.number;
        let known = partition.hosts.contains(name.as_str());
        if here && !known && !partition.waiting.holds_any(name) {
            expect_host(partition, name, run);
        }
    }
    let retired = before.into_iter().flat_map(Plan::inventory);
    for name in retired.filter(|name| plan.inventory().binary_search(name).is_err()) {
        retire_host(partition, name, run);
    }
}

fn expect_host(partition: &mut Partition, name: &str, run: &mut Run<'_>) {
    let plan = Arc::clone(&run.plan);
    let name: Arc<str> = Arc::from(name);
    let clock = HostClock {
        newest: None,
        heard_event: run.arrival,
        heard_log: run.log,
    };
    let grave = partition.ledger.graves.remove(&name);
    let mut host = Host::new(clock, Skew::default(), grave.map_or(0, |grave| grave.depth));
    for template in plan.of_silence() {
        if !template.matches(&[("host", &name)]) {
            continue;
        }
        let key = GroupKey {
            template: Arc::clone(template.name()),
            tags: Tags::of([("host", &*name)]),
        };
        let mut group = Group::new(template.base(), run.arrival, run.log);
        adopt_rule(&mut group, &key, template, run);
        host.groups.insert(key, group);
    }
    host.find_due(plan.lateness());
    partition.ledger.touch(&name, &run.position);
    partition.hosts.insert(Arc::clone(&name), host);
    partition.schedule(&name);
}

fn retire_host(partition: &mut Partition, name: &str, run: &mut Run<'_>) {
    let Some(name) = partition.hosts.name(name) else {
        return;
    };
    let Some(host) = partition.hosts.get_mut(&name) else {
        return;
    };
    if !host.is_down(&name, run) {
        return;
    }
    partition.ledger.touch(&name, &run.position);
    let (time, at) = (host.time(), host.clock.at(run.log));
    host.groups.retain(|key, group| {
        if let Some(rule) = group.rule.clone() {
            let event = expire(group, &key.tags, &rule, &run.scene(time), at);
            run.take(&name, group, Judged { event, gone: true });
        }
        false
    });
    partition.forget(&name, run.offset);
}
