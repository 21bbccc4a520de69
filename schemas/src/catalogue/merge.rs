//! What a template is after `extends` and overrides: fields of more special ones win, one by one.

use super::template::standard_limits;
use super::{Changes, Level, Override, OverrideRank, PerPriority, Template};
use model::TenantId;

/// Two overrides of the same rank set the same field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "overrides `{first}` and `{second}` both set `{field}` of template `{template}` at the same \
     rank: let one of them be for something more special"
)]
pub struct MergeError {
    /// The template.
    pub template: String,
    /// The field, as in `levels.P1.above`.
    pub field: String,
    /// One override.
    pub first: String,
    /// The other.
    pub second: String,
}

/// Calls `$field!(name)` for each field of [`Changes`] that is a plain `Option`.
macro_rules! each_plain_field {
    ($do:ident) => {
        $do!(check, over, every, interval, only_when, when_missing);
        $do!(missing_after, close_after, expire_after, compared_to);
    };
}

/// The same for [`Level`].
macro_rules! each_level_field {
    ($do:ident) => {
        $do!(
            above,
            until_below,
            below,
            until_above,
            is,
            for_,
            recover_for,
            check,
            over
        );
    };
}

/// The template in force for points of `tenant` with `tags`: the overrides that apply, by rank.
///
/// `overrides` may hold some of other templates and some that do not apply. The values are not
/// checked again; [`super::check_catalogue`] does that before a catalogue is published.
pub fn merged_template(
    template: &Template,
    overrides: &[&Override],
    tenant: &TenantId,
    tags: &[(&str, &str)],
) -> Result<Template, MergeError> {
    let mut applying: Vec<&Override> = overrides
        .iter()
        .copied()
        .filter(|o| o.template == template.template && o.for_.applies_to(tenant, tags))
        .collect();
    merge_all(template, &mut applying)
}

/// Merges overrides that are known to apply together.
pub(super) fn merge_all(
    template: &Template,
    applying: &mut [&Override],
) -> Result<Template, MergeError> {
    applying.sort_by(|a, b| (a.rank(), &a.override_).cmp(&(b.rank(), &b.override_)));
    let mut setters: Vec<(OverrideRank, String, &str)> = Vec::new();
    let mut merged = template.clone();
    for each in applying.iter() {
        for field in fields_set(&each.set) {
            let same = |(rank, known, _): &&(OverrideRank, String, &str)| {
                *rank == each.rank() && *known == field
            };
            if let Some((_, _, first)) = setters.iter().find(same) {
                return Err(MergeError {
                    template: template.template.clone(),
                    field,
                    first: (*first).to_owned(),
                    second: each.override_.clone(),
                });
            }
            setters.push((each.rank(), field, &each.override_));
        }
        apply(&mut merged, &each.set);
    }
    Ok(merged)
}

/// A template with the fields of `base` where it says nothing. Names, titles and tests of the base
/// are not inherited.
pub fn extended_template(template: &Template, base: &Template) -> Template {
    let mut merged = base.clone();
    apply(&mut merged, &changes_of(template));
    merged.template.clone_from(&template.template);
    merged.title.clone_from(&template.title);
    merged.title_ko.clone_from(&template.title_ko);
    merged.tests.clone_from(&template.tests);
    merged.extends = None;
    macro_rules! take {
        ($($field:ident),*) => {$(
            if template.$field.is_some() {
                merged.$field.clone_from(&template.$field);
            }
        )*};
    }
    take!(owner, runbook, applies_to, unit, shows);
    if !template.one_alert_per.is_empty() {
        merged.one_alert_per.clone_from(&template.one_alert_per);
    }
    merged
}

fn changes_of(template: &Template) -> Changes {
    let mut changes = Changes {
        levels: template.levels.clone(),
        limit_by_env: template.limit_by_env.clone(),
        ..Changes::default()
    };
    macro_rules! take {
        ($($field:ident),*) => {$( changes.$field.clone_from(&template.$field); )*};
    }
    each_plain_field!(take);
    changes
}

fn apply(template: &mut Template, set: &Changes) {
    macro_rules! take {
        ($($field:ident),*) => {$(
            if set.$field.is_some() {
                template.$field.clone_from(&set.$field);
            }
        )*};
    }
    each_plain_field!(take);
    apply_levels(&mut template.levels, &set.levels);
    if let Some(limits) = &set.limit_by_env {
        let known = template.limit_by_env.get_or_insert_with(standard_limits);
        known.extend(limits.iter().map(|(env, limit)| (env.clone(), *limit)));
    }
}

fn apply_levels(levels: &mut PerPriority<Level>, set: &PerPriority<Level>) {
    for (priority, changes) in set.iter() {
        let level = levels.slot(priority).get_or_insert_with(Level::default);
        macro_rules! take {
            ($($field:ident),*) => {$(
                if changes.$field.is_some() {
                    level.$field.clone_from(&changes.$field);
                }
            )*};
        }
        each_level_field!(take);
    }
}

/// The fields that an override sets, as paths; `for_` is written `for`.
pub fn changed_fields(set: &Changes) -> Vec<String> {
    fields_set(set)
}

fn fields_set(set: &Changes) -> Vec<String> {
    let mut fields = Vec::new();
    macro_rules! name {
        ($($field:ident),*) => {$(
            if set.$field.is_some() {
                fields.push(stringify!($field).to_owned());
            }
        )*};
    }
    each_plain_field!(name);
    for (priority, level) in set.levels.iter() {
        macro_rules! name {
            ($($field:ident),*) => {$(
                if level.$field.is_some() {
                    let name = stringify!($field).trim_end_matches('_');
                    fields.push(format!("levels.{priority}.{name}"));
                }
            )*};
        }
        each_level_field!(name);
    }
    let limits = set.limit_by_env.iter().flatten();
    fields.extend(limits.map(|(env, _)| format!("limit_by_env.{env}")));
    fields
}
