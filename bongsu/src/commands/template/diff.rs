//! `bongsu template diff`: files beside what runs.

use super::rules::read_rules;
use super::running::System;
use crate::cli::{Diff as Args, Global};
use crate::failure::Outcome;
use crate::print::{self, Table};
use schemas::catalogue::{Catalogue, Entry, Kind, shipped_templates};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn run(global: &Global, args: &Args) -> Outcome {
    // What does not load is told before what runs is asked.
    let rules = read_rules(&args.path, args.tenant.as_deref())?;
    let system = System::find(global, args.tenant.as_deref()).await?;
    let mut table = Table::new(&["change", "kind", "name", "field", "running", "file"]);
    let mut changes = 0;
    let mut row = |cells: [Value; 6]| {
        changes += 1;
        table.row(cells.into());
    };
    let mut named = BTreeSet::new();
    for entry in rules.entries().filter(|entry| is_rule(entry)) {
        let (kind, name) = (entry.kind().to_string(), entry.name().to_owned());
        let file = fields_of(entry);
        match running(&system.catalogue, entry) {
            None => row([
                "new".into(),
                kind.clone().into(),
                name.clone().into(),
                Value::Null,
                Value::Null,
                Value::Null,
            ]),
            Some(before) => {
                for path in before.keys().chain(file.keys()).collect::<BTreeSet<_>>() {
                    let (was, is) = (before.get(path), file.get(path));
                    if was != is {
                        let text = |value: Option<&Value>| value.cloned().unwrap_or(Value::Null);
                        row([
                            "changed".into(),
                            kind.clone().into(),
                            name.clone().into(),
                            path.clone().into(),
                            text(was),
                            text(is),
                        ]);
                    }
                }
            }
        }
        named.insert((kind, name));
    }
    for (kind, name) in declared(&system.catalogue) {
        if !named.contains(&(kind.clone(), name.clone())) {
            let none = Value::Null;
            row([
                "only running".into(),
                kind.into(),
                name.into(),
                none.clone(),
                none.clone(),
                none,
            ]);
        }
    }
    print::table(&table, global.form());
    print::message(&match changes {
        0 => "the files are what runs".to_owned(),
        n => format!("{n} differences; `bongsu apply -f` takes new and changed ones over"),
    });
    Ok(())
}

fn is_rule(entry: &Entry) -> bool {
    matches!(entry.kind(), Kind::Template | Kind::Override)
}

/// The templates and overrides that the catalogue declares.
fn declared(catalogue: &Catalogue) -> Vec<(String, String)> {
    let all = catalog::declared(catalogue).into_iter();
    all.filter(|(kind, _)| matches!(kind, Kind::Template | Kind::Override))
        .map(|(kind, name)| (kind.to_string(), name))
        .collect()
}

/// The same entry as it runs: as declared, else as shipped.
fn running(catalogue: &Catalogue, entry: &Entry) -> Option<BTreeMap<String, Value>> {
    if let Some(declared) = catalogue.get(entry.kind(), entry.name()) {
        return Some(fields_of(&declared));
    }
    let shipped = shipped_templates().iter();
    let mut shipped =
        shipped.filter(|t| entry.kind() == Kind::Template && t.template == entry.name());
    let shipped = shipped.next()?.clone();
    Some(fields_of(&Entry::Template(Box::new(shipped))))
}

/// Fields by their path: `levels.P1.above`.
fn fields_of(entry: &Entry) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    let value = match entry {
        Entry::Template(template) => serde_json::to_value(template),
        Entry::Override(each) => serde_json::to_value(each),
        _ => Ok(Value::Null),
    };
    flatten(String::new(), value.unwrap_or_default(), &mut fields);
    fields
}

fn flatten(path: String, value: Value, to: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(format!("{path}{dot}{key}"), value, to);
            }
        }
        value => drop(to.insert(path, value)),
    }
}
