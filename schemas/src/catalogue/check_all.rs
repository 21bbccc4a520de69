//! What declarations say about each other: names that must be there, overrides that must agree.

use super::bundle::effective_templates;
use super::check::{Flaw, Flaws};
use super::merge::merge_all;
use super::template_check::check_template;
use super::{Catalogue, Kind, Override, Sha256, Template};
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
            for (m, contact) in step.notify.iter().enumerate() {
                let contacts = catalogue.contacts.keys().map(String::as_str);
                flaws.refers(
                    format!("steps[{n}].notify[{m}]"),
                    Kind::Contact,
                    contact,
                    contacts,
                );
            }
        }
        found.extend(flaws.done());
    }
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
