//! A bundle, compiled: which rules there are, to which points they apply, and what holds for a
//! group.

mod compile;
mod doubts;
mod rule;
mod signal;
mod template;
mod title;
mod whole;

pub use doubts::{Doubt, doubts};
pub(crate) use rule::{
    Against, COUNTER_GAP, Check, Condition, Gather, JOIN_WITHIN, Rule, Rung, Signal, Source, Term,
    Worst, rung_slot,
};
pub(crate) use template::{Resolved, TemplatePlan};
pub(crate) use title::Facts;

use model::{Span, TenantId};
use schemas::catalogue::{Bundle, Template};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A host counts as down after this time without a point where no template says another.
const HOST_DOWN_AFTER: Span = Span::from_secs(120);

/// Measurements that are derived of a tenant's partitions.
pub(crate) const DERIVED: [&str; 3] = ["bongsu_census", "bongsu_usage", "bongsu_findings"];

/// What is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct PlanError {
    /// The template or override, and the key in it.
    pub place: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl PlanError {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

/// A bundle, checked and compiled.
#[derive(Debug)]
pub struct Plan {
    revision: u64,
    hash: Arc<str>,
    tick: Span,
    lateness: Span,
    /// By name.
    templates: Vec<TemplatePlan>,
    /// The templates of each measurement, those of `any` among them.
    by_measurement: BTreeMap<String, Vec<u32>>,
    /// The templates of `any` measurement.
    of_any: Vec<u32>,
    host_down_after: Span,
    host_down_least: Span,
    partitions: u32,
    inventory: Vec<String>,
    /// A template reads what is derived of the tenant, or judges what is reported of its hosts.
    reads_derived: bool,
    /// A template has groups without a host.
    spans: bool,
}

impl Plan {
    /// Checks and compiles a bundle, or says all that is wrong with it.
    pub fn compile(bundle: &Bundle) -> Result<Self, Vec<PlanError>> {
        let content = &bundle.content;
        let mut errors = Vec::new();
        if content.tick <= Span::ZERO {
            errors.push(PlanError::new(
                "tick",
                "the tick period must be longer than 0",
            ));
        }
        if content.lateness < Span::ZERO {
            errors.push(PlanError::new(
                "lateness",
                "the lateness must not be negative",
            ));
        }
        let mut templates: BTreeMap<&str, TemplatePlan> = BTreeMap::new();
        for template in &content.templates {
            let place = (&bundle.tenant, bundle.revision);
            match TemplatePlan::compile(template, &content.overrides, place) {
                Ok(plan) => drop(templates.insert(&template.template, plan)),
                Err(wrong) => errors.extend(wrong),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let templates: Vec<TemplatePlan> = templates.into_values().collect();
        let (by_measurement, of_any) = index(&templates);
        let silent = templates
            .iter()
            .filter_map(|t| t.base().silence_threshold());
        let least = templates.iter().filter_map(TemplatePlan::least_silence);
        Ok(Self {
            revision: bundle.revision,
            hash: bundle.hash.as_str().into(),
            tick: content.tick,
            lateness: content.lateness,
            host_down_after: silent.min().unwrap_or(HOST_DOWN_AFTER),
            host_down_least: least.min().unwrap_or(HOST_DOWN_AFTER),
            partitions: content.partitions.max(1),
            inventory: content.inventory.clone(),
            reads_derived: templates.iter().any(|t| t.of_tenant() || t.spans()),
            spans: templates.iter().any(TemplatePlan::spans),
            by_measurement,
            of_any,
            templates,
        })
    }

    /// Revision of the bundle.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Content hash of the bundle.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Revision and hash, as a mark names them.
    pub(crate) fn name(&self) -> (u64, Arc<str>) {
        (self.revision, Arc::clone(&self.hash))
    }

    /// How long a partition may be quiet before it needs a tick.
    pub fn tick(&self) -> Span {
        self.tick
    }

    /// How far a point may lie behind its host's newest one.
    pub fn lateness(&self) -> Span {
        self.lateness
    }

    /// Partitions of the tenant's topic.
    pub(crate) fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Hosts that must report.
    pub(crate) fn inventory(&self) -> &[String] {
        &self.inventory
    }

    /// Whether a template reads what is derived of the tenant or of its hosts together; else nothing is
    /// counted for it.
    pub(crate) fn reads_derived(&self) -> bool {
        self.reads_derived
    }

    /// Whether a template has groups without a host.
    pub(crate) fn spans(&self) -> bool {
        self.spans
    }

    /// The host-down templates.
    pub(crate) fn of_silence(&self) -> impl Iterator<Item = &TemplatePlan> {
        self.templates.iter().filter(|t| t.base().is_silence())
    }

    /// After how long without a point a host is down for which no host-down rule holds.
    pub(crate) fn host_down_after(&self) -> Span {
        self.host_down_after
    }

    /// No host is down before so long a silence, whatever overrides apply to it.
    pub(crate) fn host_down_least(&self) -> Span {
        self.host_down_least
    }

    /// The templates that may apply to points of a measurement, by name, each with its place.
    pub(crate) fn candidates(
        &self,
        measurement: &str,
    ) -> impl Iterator<Item = (u32, &TemplatePlan)> {
        let indexes = self.by_measurement.get(measurement).unwrap_or(&self.of_any);
        indexes.iter().map(|n| (*n, self.at(*n)))
    }

    /// The template in a place.
    pub(crate) fn at(&self, place: u32) -> &TemplatePlan {
        &self.templates[place as usize]
    }

    /// The measurements whose points the templates read; none where they read those of all.
    pub fn measurements(&self) -> Option<BTreeSet<&str>> {
        let hosts = || self.templates.iter().filter(|t| !t.of_tenant());
        if hosts().any(|t| t.measurement().is_none()) {
            return None;
        }
        let read = hosts().flat_map(|t| t.measurement().into_iter().chain(t.other_measurements()));
        Some(read.collect())
    }

    /// The names of the templates, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.iter().map(|t| t.name().as_ref())
    }

    /// A template by its name.
    pub(crate) fn template(&self, name: &str) -> Option<&TemplatePlan> {
        let found = self
            .templates
            .binary_search_by(|t| t.name().as_ref().cmp(name));
        found.ok().map(|n| &self.templates[n])
    }
}

fn index(templates: &[TemplatePlan]) -> (BTreeMap<String, Vec<u32>>, Vec<u32>) {
    let all = || (0_u32..).zip(templates);
    let of_any: Vec<u32> = all()
        .filter(|(_, t)| t.measurement().is_none())
        .map(|(n, _)| n)
        .collect();
    let names = templates
        .iter()
        .flat_map(|t| t.measurement().into_iter().chain(t.other_measurements()));
    let by_measurement = names
        .map(|name| {
            let meant = all().filter(|(_, t)| t.reads(name)).map(|(n, _)| n);
            (name.to_owned(), meant.collect())
        })
        .collect();
    (by_measurement, of_any)
}

/// The compiled bundles of one tenant by revision. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    by_revision: BTreeMap<u64, Arc<Plan>>,
}

impl Plans {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The plan of that revision, if it has that hash.
    pub fn get(&self, revision: u64, hash: &str) -> Option<Arc<Plan>> {
        let plan = self.by_revision.get(&revision)?;
        (plan.hash() == hash).then(|| Arc::clone(plan))
    }

    /// Adds a plan; a plan of the same revision is replaced.
    pub fn insert(&mut self, plan: Plan) {
        self.by_revision.insert(plan.revision(), Arc::new(plan));
    }

    /// Forgets a revision that no log refers to any more.
    pub fn remove(&mut self, revision: u64) {
        self.by_revision.remove(&revision);
    }

    /// The plan of the highest revision.
    pub fn newest(&self) -> Option<&Arc<Plan>> {
        self.by_revision.values().next_back()
    }
}

/// Whether it reads what is derived of the tenant's partitions, and nothing of hosts.
pub(crate) fn is_of_tenant(template: &Template) -> bool {
    let to = template.applies_to.as_ref();
    to.is_some_and(|to| DERIVED.contains(&to.measurement.as_str()))
}

/// Whether it judges what hosts send, and its groups have no host.
pub(crate) fn spans(template: &Template) -> bool {
    !is_of_tenant(template) && template.group_tags().iter().all(|tag| tag != "host")
}

/// Where an error of a template stands.
fn place(template: &str, key: &str) -> String {
    format!("template {template}, {key}")
}

/// The tenant whose bundle it is and the tags of a point, as overrides are chosen by them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) tags: &'a [(&'a str, &'a str)],
}
