//! A template of a plan: to which points it applies, and which rule holds for a group.

use super::compile::compile_rule;
use super::{Chosen, PlanError, Rule, is_of_tenant, place};
use model::{Span, TenantId};
use schemas::catalogue::{
    AppliesTo, Override, Target, Template, Threshold, changed_fields, merged_template,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A template and its overrides.
#[derive(Debug)]
pub(crate) struct TemplatePlan {
    name: Arc<str>,
    template: Template,
    applies_to: AppliesTo,
    /// It reads what is derived of the tenant's partitions, not what hosts send.
    of_tenant: bool,
    /// Tags of a group's key, sorted.
    group_tags: Vec<String>,
    /// Tags of the key under which its samples are kept, sorted: those of the group, and the host.
    member_tags: Vec<String>,
    tenant: TenantId,
    overrides: Vec<Override>,
    /// Tags that overrides look at and that are not of the group's key, sorted.
    context_keys: Vec<String>,
    base: Arc<Rule>,
    /// Measurements whose points are joined to those that are meant, sorted.
    others: Vec<String>,
    /// The lowest `above` of its levels, whatever overrides apply.
    least_above: Option<f64>,
    /// Merged rules by the overrides that apply. It only saves work: what it holds follows from its
    /// key.
    merged: Mutex<BTreeMap<Vec<usize>, Resolved>>,
}

/// The rule that holds for a group.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) rule: Arc<Rule>,
    /// The overrides that apply do not fit together; the template holds as it is.
    pub(crate) conflict: bool,
}

impl TemplatePlan {
    pub(crate) fn compile(
        template: &Template,
        overrides: &[Override],
        (tenant, revision): (&TenantId, u64),
    ) -> Result<Self, Vec<PlanError>> {
        let own = |o: &&Override| o.template == template.template && o.for_.can_apply_to(tenant);
        let overrides: Vec<Override> = overrides.iter().filter(own).cloned().collect();
        let base = Arc::new(Rule {
            revision,
            ..compile_rule(template)?
        });
        let mut others: Vec<String> = base.other_measurements().map(str::to_owned).collect();
        let mut least_above = lowest_above(template);
        for each in &overrides {
            let (merged, alone) = check_alone(template, each, tenant)?;
            least_above = f64::min(least_above, lowest_above(&merged));
            others.extend(alone.other_measurements().map(str::to_owned));
        }
        others.sort_unstable();
        others.dedup();
        let applies_to = template.applies_to.clone().ok_or_else(|| {
            let what = "which points are meant: `applies_to: {measurement: cpu}`";
            vec![PlanError::new(
                place(&template.template, "applies_to"),
                what,
            )]
        })?;
        let group_tags = template.group_tags();
        if base.spans {
            chosen_by_group(&overrides, &group_tags)?;
        }
        Ok(Self {
            name: template.template.as_str().into(),
            context_keys: context_keys(&overrides, &group_tags),
            template: template.clone(),
            of_tenant: is_of_tenant(template),
            applies_to,
            member_tags: with_host(&group_tags),
            group_tags,
            tenant: tenant.clone(),
            overrides,
            base,
            others,
            least_above: Some(least_above).filter(|least| least.is_finite()),
            merged: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The rule without overrides.
    pub(crate) fn base(&self) -> &Rule {
        &self.base
    }

    /// Of a host-down template: no host is down before so long a silence, whatever overrides apply.
    pub(crate) fn least_silence(&self) -> Option<Span> {
        let least = self.least_above.filter(|_| self.base.is_silence());
        least.map(|secs| Span::from_nanos((secs * 1e9) as i64))
    }

    /// The measurement whose points are meant; none for all.
    pub(crate) fn measurement(&self) -> Option<&str> {
        let name = self.applies_to.measurement.as_str();
        (name != "any").then_some(name)
    }

    /// Whether it reads what is derived of the tenant's partitions, and nothing of hosts.
    pub(crate) fn of_tenant(&self) -> bool {
        self.of_tenant
    }

    /// Whether points of that measurement are meant.
    pub(crate) fn is_meant(&self, measurement: &str) -> bool {
        self.measurement().is_none_or(|own| own == measurement)
    }

    /// Measurements whose points are joined to those that are meant.
    pub(crate) fn other_measurements(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(String::as_str)
    }

    /// Whether points of that measurement may concern it.
    pub(crate) fn reads(&self, measurement: &str) -> bool {
        self.is_meant(measurement) || self.joins(measurement)
    }

    /// Whether points of that measurement are joined to those that are meant.
    pub(crate) fn joins(&self, measurement: &str) -> bool {
        self.others.iter().any(|name| name == measurement)
    }

    /// Whether its groups have no host, though it judges what hosts send.
    pub(crate) fn spans(&self) -> bool {
        self.base.spans
    }

    /// Tags of the key under which its samples are kept: those of the group, and the host of what hosts
    /// send.
    pub(crate) fn member_tags(&self) -> &[String] {
        match self.of_tenant {
            true => &self.group_tags,
            false => &self.member_tags,
        }
    }

    /// The value of a tag that no point has to have: `tenant` of a group that spans hosts.
    pub(crate) fn implied(&self, tag: &str) -> Option<&str> {
        (tag == "tenant" && self.spans()).then(|| self.tenant.as_str())
    }

    pub(crate) fn group_tags(&self) -> &[String] {
        &self.group_tags
    }

    pub(crate) fn context_keys(&self) -> &[String] {
        &self.context_keys
    }

    /// Whether points with these tags are meant.
    pub(crate) fn matches(&self, tags: &[(&str, &str)]) -> bool {
        let tag = |key: &str| tags.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        let wanted = self.applies_to.where_.iter();
        let refused = self.applies_to.where_not.iter();
        wanted
            .into_iter()
            .all(|(key, values)| tag(key).is_some_and(|v| values.contains(v)))
            && refused
                .into_iter()
                .all(|(key, values)| tag(key).is_none_or(|v| !values.contains(v)))
    }

    /// The fields that overrides set for a group whose points have these tags, each with the name of
    /// the one that wins.
    pub(crate) fn setters(&self, chosen: Chosen<'_>) -> Vec<(String, String)> {
        let mut applying: Vec<&Override> = self
            .overrides
            .iter()
            .filter(|o| o.for_.applies_to(chosen.tenant, chosen.tags))
            .collect();
        applying.sort_by(|a, b| (a.rank(), &a.override_).cmp(&(b.rank(), &b.override_)));
        let mut setters = std::collections::BTreeMap::new();
        for each in applying {
            let fields = changed_fields(&each.set).into_iter();
            setters.extend(fields.map(|field| (field, each.override_.clone())));
        }
        setters.into_iter().collect()
    }

    /// The rule for a group whose points have these tags.
    pub(crate) fn resolve(&self, chosen: Chosen<'_>) -> Resolved {
        let applies = |(_, o): &(usize, &Override)| o.for_.applies_to(chosen.tenant, chosen.tags);
        let key: Vec<usize> = self
            .overrides
            .iter()
            .enumerate()
            .filter(applies)
            .map(|(n, _)| n)
            .collect();
        if key.is_empty() {
            return Resolved {
                rule: Arc::clone(&self.base),
                conflict: false,
            };
        }
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = merged.get(&key) {
            return known.clone();
        }
        let overrides: Vec<&Override> = key.iter().map(|n| &self.overrides[*n]).collect();
        let whole = merged_template(&self.template, &overrides, chosen.tenant, chosen.tags);
        let resolved = match whole.ok().and_then(|template| compile_rule(&template).ok()) {
            Some(rule) => Resolved {
                rule: Arc::new(Rule {
                    revision: self.base.revision,
                    ..rule
                }),
                conflict: false,
            },
            None => Resolved {
                rule: Arc::clone(&self.base),
                conflict: true,
            },
        };
        merged.insert(key, resolved.clone());
        resolved
    }
}

fn lowest_above(template: &Template) -> f64 {
    let levels = template.levels.iter();
    let thresholds = levels.filter_map(|(_, level)| level.above.map(Threshold::value));
    thresholds.fold(f64::INFINITY, f64::min)
}

/// What an override alone makes of the template must be a rule.
fn check_alone(
    template: &Template,
    each: &Override,
    tenant: &TenantId,
) -> Result<(Template, Rule), Vec<PlanError>> {
    let everywhere = Override {
        for_: Target::default(),
        ..each.clone()
    };
    let place = format!("override {}", each.override_);
    let merged = merged_template(template, &[&everywhere], tenant, &[])
        .map_err(|error| vec![PlanError::new(place.clone(), error.to_string())])?;
    let rule = compile_rule(&merged).map_err(|errors| {
        let inside =
            |error: PlanError| PlanError::new(format!("{place}, {}", error.place), error.what);
        errors.into_iter().map(inside).collect::<Vec<_>>()
    })?;
    Ok((merged, rule))
}

fn with_host(group_tags: &[String]) -> Vec<String> {
    let mut tags = group_tags.to_vec();
    tags.push("host".to_owned());
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// One rule holds for all hosts of a group, so that no tag of a single host can choose it.
fn chosen_by_group(overrides: &[Override], group_tags: &[String]) -> Result<(), Vec<PlanError>> {
    let wrong = overrides.iter().filter_map(|each| {
        let tags = context_keys(std::slice::from_ref(each), group_tags);
        let tags: Vec<&str> = match each.for_.host.is_some() {
            true => vec!["host"],
            false => tags.iter().map(String::as_str).collect(),
        };
        let what = format!(
            "a group of template {} spans hosts, so that an override of it is chosen by its tags ({}), not by {}",
            each.template,
            group_tags.join(", "),
            tags.first()?
        );
        Some(PlanError::new(format!("override {}", each.override_), what))
    });
    let wrong: Vec<PlanError> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn context_keys(overrides: &[Override], group_tags: &[String]) -> Vec<String> {
    let os = overrides
        .iter()
        .filter(|o| o.for_.os.is_some())
        .map(|_| "os");
    let tags = overrides
        .iter()
        .flat_map(|o| o.for_.where_.keys().map(String::as_str));
    let mut keys: Vec<String> = os
        .chain(tags)
        .filter(|key| !group_tags.iter().any(|tag| tag == key))
        .map(str::to_owned)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
