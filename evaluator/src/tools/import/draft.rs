//! A template in the making.

use model::Priority;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How a level is held against its check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Compare {
    Above(f64),
    Below(f64),
    True,
}

/// One level.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rung {
    pub(super) compare: Compare,
    pub(super) for_: Option<String>,
    pub(super) recover_for: Option<String>,
    pub(super) until: Option<f64>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) about: Option<String>,
    pub(super) title: Option<String>,
    pub(super) runbook: Option<String>,
    pub(super) measurement: String,
    pub(super) where_: BTreeMap<String, Vec<String>>,
    pub(super) where_not: BTreeMap<String, Vec<String>>,
    pub(super) group: Vec<String>,
    pub(super) check: String,
    pub(super) over: String,
    pub(super) every: Option<String>,
    pub(super) levels: BTreeMap<Priority, Rung>,
}

impl Draft {
    /// Whether both judge the same values of the same groups.
    fn judges_as(&self, other: &Self) -> bool {
        self.measurement == other.measurement
            && self.where_ == other.where_
            && self.where_not == other.where_not
            && self.group == other.group
            && self.check == other.check
            && self.over == other.over
    }

    /// Whether a level of `other` has its place in this ladder: a more urgent one is stricter.
    fn takes(&self, priority: Priority, rung: &Rung) -> bool {
        self.levels.iter().all(|(known, own)| {
            let (upper, lower) = match known.cmp(&priority) {
                std::cmp::Ordering::Greater => (own, rung),
                std::cmp::Ordering::Less => (rung, own),
                std::cmp::Ordering::Equal => return false,
            };
            match (upper.compare, lower.compare) {
                (Compare::Above(a), Compare::Above(b)) => a > b,
                (Compare::Below(a), Compare::Below(b)) => a < b,
                _ => false,
            }
        })
    }

    /// The template as a document.
    pub(super) fn yaml(&self) -> String {
        let mut text = String::new();
        for line in self.about.iter().flat_map(|about| about.lines()) {
            line_to(&mut text, format_args!("# {line}"));
        }
        line_to(&mut text, format_args!("template: {}", quoted(&self.name)));
        for (key, value) in [("title", &self.title), ("runbook", &self.runbook)] {
            if let Some(value) = value {
                line_to(&mut text, format_args!("{key}: {}", quoted(value)));
            }
        }
        line_to(&mut text, format_args!("applies_to:"));
        line_to(
            &mut text,
            format_args!("  measurement: {}", quoted(&self.measurement)),
        );
        for (key, tags) in [("where", &self.where_), ("where_not", &self.where_not)] {
            if !tags.is_empty() {
                line_to(&mut text, format_args!("  {key}:"));
            }
            for (tag, values) in tags {
                line_to(
                    &mut text,
                    format_args!("    {}: {}", quoted(tag), list(values)),
                );
            }
        }
        line_to(
            &mut text,
            format_args!("one_alert_per: {}", list(&self.group)),
        );
        line_to(&mut text, format_args!("check: {}", quoted(&self.check)));
        line_to(&mut text, format_args!("over: {}", self.over));
        if let Some(every) = &self.every {
            line_to(&mut text, format_args!("every: {every}"));
        }
        line_to(&mut text, format_args!("levels:"));
        for (priority, rung) in self.levels.iter().rev() {
            line_to(&mut text, format_args!("  {priority}: {{{}}}", rung.yaml()));
        }
        text
    }
}

impl Rung {
    fn yaml(&self) -> String {
        let (mut text, until) = match self.compare {
            Compare::Above(threshold) => (format!("above: {threshold}"), "until_below"),
            Compare::Below(threshold) => (format!("below: {threshold}"), "until_above"),
            Compare::True => ("is: true".to_owned(), ""),
        };
        if let (Some(threshold), false) = (self.until, until.is_empty()) {
            text.push_str(&format!(", {until}: {threshold}"));
        }
        for (key, span) in [("for", &self.for_), ("recover_for", &self.recover_for)] {
            if let Some(span) = span {
                text.push_str(&format!(", {key}: {span}"));
            }
        }
        text
    }
}

fn line_to(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(values: &[String]) -> String {
    let texts: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", texts.join(", "))
}

/// Levels of the same check become one ladder: one incident, not one a level.
pub(super) fn merge_ladders(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut merged: Vec<Draft> = Vec::new();
    for draft in drafts {
        let home = merged.iter_mut().find(|known| {
            known.judges_as(&draft) && draft.levels.iter().all(|(p, rung)| known.takes(*p, rung))
        });
        match home {
            Some(home) => home.levels.extend(draft.levels),
            None => merged.push(draft),
        }
    }
    // Names that are left twice.
    for n in 1..merged.len() {
        let mut count = 1;
        let name = merged[n].name.clone();
        while merged[..n].iter().any(|other| other.name == merged[n].name) {
            count += 1;
            merged[n].name = format!("{name}-{count}");
        }
    }
    merged
}
