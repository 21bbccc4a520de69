//! What declarations say about each other: names that must be there, overrides that must agree.

use super::bundle::effective_templates;
use super::check::{Flaw, Flaws};
use super::merge::merge_all;
use super::template_check::check_template;
use super::{Catalogue, Kind, Override, RouteTarget, Sha256, StepTarget, Template};
use std::collections::BTreeMap;

/// What declarations say about each other that does not hold: names that are not there, overrides
/// that contradict each other or their template, tokens that two tenants share.
pub fn check_catalogue(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut found = check_references(catalogue);
    found.extend(check_rules(catalogue));
    found
}

fn check_references(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut found = Vec::new();
    let mut token_of: BTreeMap<Sha256, &str> = BTreeMap::new();
    for (id, tenant) in &catalogue.tenants {
        let mut flaws = Flaws::of(Kind::Tenant, id.as_str());
        let policies = catalogue.escalation_policies.keys().map(String::as_str);
        let policy = &tenant.escalation_policy;
        flaws.refers(
            "escalation_policy",
            Kind::EscalationPolicy,
            policy,
            policies,
        );
        for (n, rule) in tenant.routing.iter().enumerate() {
            let path = format!("routing[{n}].to");
            match &rule.to {
                RouteTarget::Policy(name) => {
                    let policies = catalogue.escalation_policies.keys().map(String::as_str);
                    flaws.refers(path, Kind::EscalationPolicy, name, policies);
                }
                RouteTarget::To(target) => refers_target(catalogue, path, target, &mut flaws),
                RouteTarget::Nobody => {}
            }
        }
        for (n, token) in tenant.tokens.iter().enumerate() {
            if let Some(other) = token_of.insert(token.sha256, id.as_str()) {
                flaws.add(
                    format!("tokens[{n}]"),
                    format!("tenant `{other}` has this token too"),
                );
            }
        }
        found.extend(flaws.done());
    }
    for (name, policy) in &catalogue.escalation_policies {
        let mut flaws = Flaws::of(Kind::EscalationPolicy, name);
        for (n, step) in policy.steps.iter().enumerate() {
            for (m, target) in step.notify.iter().enumerate() {
                refers_target(
                    catalogue,
                    format!("steps[{n}].notify[{m}]"),
                    target,
                    &mut flaws,
                );
            }
        }
        found.extend(flaws.done());
    }
    for (name, integration) in &catalogue.integrations {
        let mut flaws = Flaws::of(Kind::Integration, name);
        let tenants = catalogue.tenants.keys().map(model::TenantId::as_str);
        let tenant = integration.tenant.as_str();
        flaws.refers("tenant", Kind::Tenant, tenant, tenants);
        for (n, token) in integration.tokens.iter().enumerate() {
            if let Some(other) = token_of.insert(token.sha256, name) {
                let path = format!("tokens[{n}]");
                flaws.add(path, format!("`{other}` has this key too"));
            }
        }
        found.extend(flaws.done());
    }
    found.extend(check_people(catalogue));
    for (name, placement) in &catalogue.placements {
        let mut flaws = Flaws::of(Kind::Placement, name);
        for (n, epoch) in placement.epochs.iter().enumerate() {
            for shard in epoch.shards.keys() {
                let shards = catalogue.shards.keys().map(model::ShardId::as_str);
                let path = format!("epochs[{n}].shards.{shard}");
                flaws.refers(path, Kind::Shard, shard.as_str(), shards);
            }
        }
        found.extend(flaws.done());
    }
    found
}

/// People that schedules and teams name must be there.
fn check_people(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut found = Vec::new();
    let contacts = || catalogue.contacts.keys().map(String::as_str);
    for (name, schedule) in &catalogue.schedules {
        let mut flaws = Flaws::of(Kind::Schedule, name);
        for (n, layer) in schedule.layers.iter().enumerate() {
            for (m, contact) in layer
                .people
                .iter()
                .enumerate()
                .flat_map(|(m, turn)| turn.0.iter().map(move |contact| (m, contact)))
            {
                let path = format!("layers[{n}].people[{m}]");
                flaws.refers(path, Kind::Contact, contact, contacts());
            }
        }
        for (n, each) in schedule.overrides.iter().enumerate() {
            for (m, contact) in each.notify.iter().enumerate() {
                let path = format!("overrides[{n}].notify[{m}]");
                flaws.refers(path, Kind::Contact, contact, contacts());
            }
        }
        found.extend(flaws.done());
    }
    for (name, team) in &catalogue.teams {
        let mut flaws = Flaws::of(Kind::Team, name);
        for (n, contact) in team.members.iter().enumerate() {
            flaws.refers(format!("members[{n}]"), Kind::Contact, contact, contacts());
        }
        found.extend(flaws.done());
    }
    found
}

/// Whom a step of a policy names must be there.
fn refers_target(catalogue: &Catalogue, path: String, target: &StepTarget, flaws: &mut Flaws) {
    let (kind, name) = match target {
        StepTarget::Contact(name) => (Kind::Contact, name),
        StepTarget::Schedule(name) => (Kind::Schedule, name),
        StepTarget::Team(name) | StepTarget::OneOf(name) => (Kind::Team, name),
        StepTarget::AllBefore => return,
    };
    let known: Vec<&str> = match kind {
        Kind::Schedule => catalogue.schedules.keys().map(String::as_str).collect(),
        Kind::Team => catalogue.teams.keys().map(String::as_str).collect(),
        _ => catalogue.contacts.keys().map(String::as_str).collect(),
    };
    flaws.refers(path, kind, name, known.into_iter());
}

fn check_rules(catalogue: &Catalogue) -> Vec<Flaw> {
    let mut found = Vec::new();
    let effective = effective_templates(catalogue);
    for (name, template) in &catalogue.templates {
        let Some(base) = &template.extends else {
            continue;
        };
        let mut flaws = Flaws::of(Kind::Template, name);
        let known = effective
            .keys()
            .map(String::as_str)
            .filter(|known| known != name);
        flaws.refers("extends", Kind::Template, base, known);
        let deep = catalogue
            .templates
            .get(base)
            .is_some_and(|base| base.extends.is_some());
        flaws.unless(
            !deep,
            "extends",
            "`extends` goes one level deep, and the base extends too",
        );
        if let Some(whole) = effective.get(name) {
            check_template(whole, &mut flaws);
        }
        found.extend(flaws.done());
    }
    let overrides: Vec<&Override> = catalogue.overrides.values().map(|o| &**o).collect();
    for (n, each) in overrides.iter().enumerate() {
        let mut flaws = Flaws::of(Kind::Override, &each.override_);
        let templates = effective.keys().map(String::as_str);
        flaws.refers("template", Kind::Template, &each.template, templates);
        if let Some(template) = effective.get(&each.template) {
            check_merged(template, each, None, &mut flaws);
            let earlier = overrides[..n].iter().filter(|other| {
                other.template == each.template && !other.for_.excludes(&each.for_)
            });
            for other in earlier {
                check_merged(template, each, Some(other), &mut flaws);
            }
        }
        found.extend(flaws.done());
    }
    found
}

/// What `each`, alone or with `other`, makes of its template must be a template too.
fn check_merged(template: &Template, each: &Override, other: Option<&Override>, flaws: &mut Flaws) {
    let mut applying: Vec<&Override> = other.into_iter().chain([each]).collect();
    let merged = match merge_all(template, &mut applying) {
        Ok(merged) => merged,
        Err(error) => return flaws.add(format!("set.{}", error.field), error.to_string()),
    };
    let mut wrong = Flaws::of(Kind::Template, &template.template);
    check_template(&merged, &mut wrong);
    for flaw in wrong.done() {
        let with = other.map(|o| format!(" together with override `{}`", o.override_));
        let with = with.unwrap_or_default();
        let what = format!(
            "template `{}` would be wrong{with}: {}",
            flaw.name, flaw.what
        );
        flaws.add_with(format!("set.{}", flaw.path), what, flaw.hint);
    }
}
