//! Warnings about rules that load but cannot be meant so.

use super::names::fields;
use super::{Rules, Seen};
use crate::core::doubts;
use schemas::catalogue::{
    CatalogueError, Entry, Located, Override, Target, Template, merged_template, shipped_templates,
};

/// What is probably not meant in these rules; with `seen`, also which of them match no series of
/// those points. `in_force` are the templates beside which they would be: the shipped ones, or those that
/// run.
pub fn warnings(rules: &Rules, seen: Option<&Seen>, in_force: &[Template]) -> Vec<CatalogueError> {
    let mut found = Vec::new();
    for (n, template) in rules.templates().iter().enumerate() {
        let stands = |l: &&Located<Entry>| matches!(&l.value, Entry::Template(t) if t.template == template.template);
        let mut add = |path: &str, what: String, hint: Option<&str>| {
            found.push(place(rules, &template.template, stands, path, what, hint));
        };
        never_fires(template, &mut add);
        let before = &rules.templates()[..n];
        if let Some((other, whose)) = duplicate(template, before, in_force) {
            add(
                "template",
                format!(
                    "it judges the same as {whose} `{}`: each alert would come twice",
                    other.template
                ),
                Some("leave one out, or change the other by an override"),
            );
        }
        if let (Some(seen), Some(to)) = (seen, &template.applies_to)
            && let Some((path, what)) =
                seen.why_not(to, &all_fields(template), &sent_tags(template))
        {
            add(
                path,
                what,
                Some("is the name right, and does an agent send it?"),
            );
        }
    }
    of_overrides(rules, &mut found);
    found
}

fn place(
    rules: &Rules,
    name: &str,
    stands: impl Fn(&&Located<Entry>) -> bool,
    path: &str,
    what: String,
    hint: Option<&str>,
) -> CatalogueError {
    let located = rules.located().iter().find(|located| stands(located));
    let spot = located.map(|l| l.places.find(path).unwrap_or((l.line, l.column)));
    let (line, column) = spot.unwrap_or_default();
    CatalogueError {
        file: located.map_or_else(|| name.to_owned(), |l| l.file.clone()),
        line,
        column,
        what,
        hint: hint.map(str::to_owned),
    }
}

fn all_fields(template: &Template) -> Vec<String> {
    let own = template
        .levels
        .iter()
        .filter_map(|(_, level)| level.check.as_deref());
    let texts = template.check.as_deref().into_iter().chain(own);
    let mut all: Vec<String> = texts
        .chain(template.only_when.as_deref())
        .chain(template.shows.as_deref())
        .flat_map(fields)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Tags of the group that points must have: `tenant` they need not.
fn sent_tags(template: &Template) -> Vec<String> {
    let mut tags = template.group_tags();
    tags.retain(|tag| tag != "tenant");
    tags
}

type Add<'a> = dyn FnMut(&str, String, Option<&str>) + 'a;

fn never_fires(template: &Template, add: &mut Add<'_>) {
    // Rules that do not compile are refused before.
    for doubt in doubts(template).unwrap_or_default() {
        add(&doubt.path, doubt.what, doubt.hint);
    }
    let Some(to) = &template.applies_to else {
        return;
    };
    for (tag, wanted) in &to.where_ {
        let Some(refused) = to.where_not.get(tag) else {
            continue;
        };
        if wanted.values().iter().all(|value| refused.contains(value)) {
            let what = format!(
                "it can never fire: `where` and `where_not` want opposite values of `{tag}`"
            );
            add(&format!("applies_to.where_not.{tag}"), what, None);
        }
    }
}

/// What the overrides bring that their templates by themselves do not.
fn of_overrides(rules: &Rules, found: &mut Vec<CatalogueError>) {
    for each in &rules.bundle().content.overrides {
        let templates = rules.templates().iter();
        let Some(template) = templates.into_iter().find(|t| t.template == each.template) else {
            continue;
        };
        let everywhere = Override {
            for_: Target::default(),
            ..each.clone()
        };
        let merged = merged_template(template, &[&everywhere], rules.tenant(), &[]);
        let known = doubts(template).unwrap_or_default();
        let brought = merged.ok().and_then(|merged| doubts(&merged).ok());
        for doubt in brought.unwrap_or_default() {
            if known.contains(&doubt) {
                continue;
            }
            let stands = |l: &&Located<Entry>| matches!(&l.value, Entry::Override(o) if o.override_ == each.override_);
            let path = format!("set.{}", doubt.path);
            let what = format!("with it template `{}`: {}", each.template, doubt.what);
            found.push(place(
                rules,
                &each.override_,
                stands,
                &path,
                what,
                doubt.hint,
            ));
        }
    }
}

/// A template before this one, or one that stays in force, that judges the same, and whose it is.
fn duplicate<'a>(
    template: &Template,
    before: &'a [Template],
    in_force: &'a [Template],
) -> Option<(&'a Template, &'static str)> {
    let same = |other: &&Template| {
        other.template != template.template
            && other.applies_to == template.applies_to
            && other.group_tags() == template.group_tags()
            && other.check == template.check
            && other.only_when == template.only_when
            && other.over == template.over
            && template.levels.iter().all(|(priority, level)| {
                let theirs = other.levels.iter().find(|(p, _)| *p == priority);
                theirs.is_some_and(|(_, other)| {
                    other.check == level.check && other.over == level.over
                })
            })
    };
    let own = before.iter().find(same).map(|other| (other, "template"));
    own.or_else(|| {
        let other = in_force.iter().find(same)?;
        let is_shipped = shipped_templates().contains(other);
        let whose = if is_shipped {
            "the shipped template"
        } else {
            "the running template"
        };
        Some((other, whose))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, points: Option<&str>) -> Vec<String> {
        let files = [("r.yaml".to_owned(), text.to_owned())];
        let rules = Rules::read(&files, None).unwrap();
        let seen = points.map(|points| {
            let mut seen = Seen::default();
            seen.take(points.as_bytes());
            seen
        });
        let found = warnings(&rules, seen.as_ref(), shipped_templates());
        found
            .iter()
            .map(|w| format!("{} {}", w.line, w.what))
            .collect()
    }

    fn rule(name: &str, rest: &str) -> String {
        format!(
            "template: {name}\napplies_to: {{measurement: m, where: {{a: b}}}}\none_alert_per: [host]\n\
             check: v\nover: last of 1m\nlevels:\n  P1: {{above: 90}}\n{rest}"
        )
    }

    #[test]
    fn a_rule_that_can_never_fire_is_told() {
        let text = rule("t", "unit: percent\n").replace("above: 90", "above: 100");
        assert_eq!(
            told(&text, None),
            ["7 it can never fire: no percentage is above 100"]
        );
        let text = rule("t", "").replace("where: {a: b}", "where: {a: b}, where_not: {a: [b, c]}");
        assert_eq!(
            told(&text, None),
            ["2 it can never fire: `where` and `where_not` want opposite values of `a`"]
        );
        let text = rule("t", "").replace("check: v", "check: 5");
        assert_eq!(
            told(&text, None),
            ["7 it can never fire: last of 1m of `5` is always 5"]
        );
    }

    #[test]
    fn what_an_override_makes_of_a_template_is_told_at_the_override() {
        let each = "---\noverride: tight\ntemplate: t\nset: {levels: {P1: {above: 101}}}\n";
        let found = told(&(rule("t", "unit: percent\n") + each), None);
        let what = "with it template `t`: it can never fire: no percentage is above 101";
        assert_eq!(found, [format!("12 {what}")]);
    }

    #[test]
    fn a_duplicate_is_told_with_the_other_s_name() {
        let text = format!("{}---\n{}", rule("a", ""), rule("b", ""));
        assert_eq!(
            told(&text, None),
            ["9 it judges the same as template `a`: each alert would come twice"]
        );
        let shipped = "template: mine\nextends: memory-usage\n";
        let found = told(shipped, None);
        assert!(
            found[0].contains("the shipped template `memory-usage`"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_derived_of_a_tenant_is_missed_by_nobody() {
        let text = rule("t", "")
            .replace(
                "measurement: m, where: {a: b}",
                "measurement: bongsu_census",
            )
            .replace("check: v", "check: hosts_silent");
        assert_eq!(told(&text, Some("m,a=b,host=x v=1 1\n")), [""; 0]);
    }

    #[test]
    fn a_rule_that_matches_no_series_is_told_and_one_that_does_is_not() {
        let text = rule("t", "");
        for (points, what) in [
            ("m,a=b,host=x v=1 1\n", None),
            (
                "other,a=b,host=x v=1 1\n",
                Some("2 no series of measurement `m` was seen"),
            ),
            (
                "m,a=c,host=x v=1 1\n",
                Some("2 none of the 1 series of `m` that were seen has these tags"),
            ),
            (
                "m,a=b v=1 1\n",
                Some("3 no series of `m` that is meant has the tag `host`"),
            ),
            (
                "m,a=b,host=x w=1 1\n",
                Some("4 no series of `m` that is meant has the field `v`"),
            ),
            ("m,a=b,instance=x:9100 v=1 1\n", None),
        ] {
            assert_eq!(
                told(&text, Some(points)).first().map(String::as_str),
                what,
                "{points}"
            );
        }
    }
}
