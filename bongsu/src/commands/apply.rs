//! `bongsu apply`: the catalogue from files.

use super::{Access, settings, yaml_files};
use crate::cli::{Apply, Global};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use catalog::{Published, Request};
use schemas::catalogue::{Catalogue, Entry, Located, check_catalogue, locate, parse_yaml};

pub(super) async fn run(global: &Global, apply: Apply) -> Outcome {
    let mut files = Vec::new();
    for path in &apply.files {
        files.extend(yaml_files(path)?);
    }
    let located = parse(&files)?;
    let access = Access::open(&settings(global)?).await?;
    check(&access.catalogue().await?, &located, apply.prune)?;
    let request = Request {
        set: located.into_iter().map(|located| located.value).collect(),
        prune: apply.prune,
        keep: true,
        dry_run: apply.dry_run,
        ..Request::default()
    };
    let published = access.publish(request).await?;
    print::table(&differences(&published), global.form());
    print::message(&match (published.changes.is_empty(), apply.dry_run) {
        (true, _) => format!(
            "nothing to change; revision {} is in force",
            published.revision
        ),
        (false, true) => format!(
            "nothing was changed: this was a dry run over revision {}",
            published.revision
        ),
        (false, false) => format!("revision {} is in force", published.revision),
    });
    Ok(())
}

/// Reads all files and collects every error, so that one run shows them all.
pub(super) fn parse(files: &[(String, String)]) -> Outcome<Vec<Located<Entry>>> {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for (name, text) in files {
        match parse_yaml(name, text) {
            Ok(entries) => good.extend(entries),
            Err(errors) => wrong.extend(errors.iter().map(ToString::to_string)),
        }
    }
    if wrong.is_empty() {
        Ok(good)
    } else {
        Err(Failure::new(Exit::Findings, wrong.join("\n")))
    }
}

/// Checks the whole that would come out, and names file and line of what is wrong.
fn check(current: &Catalogue, located: &[Located<Entry>], prune: bool) -> Outcome {
    let mut after = if prune {
        Catalogue::default()
    } else {
        current.clone()
    };
    for entry in located {
        after.insert(current.with_kept(&entry.value));
    }
    let flaws = check_catalogue(&after);
    if flaws.is_empty() {
        return Ok(());
    }
    let text: Vec<String> = locate(flaws, located)
        .iter()
        .map(ToString::to_string)
        .collect();
    Err(Failure::new(Exit::Findings, text.join("\n")).hint("nothing was changed"))
}

/// The differences as a result.
pub(super) fn differences(published: &Published) -> Table {
    let mut table = Table::new(&["change", "kind", "name"]);
    for change in &published.changes {
        table.row(vec![
            change.what.as_str().into(),
            change.kind.to_string().into(),
            change.name.clone().into(),
        ]);
    }
    table
}
