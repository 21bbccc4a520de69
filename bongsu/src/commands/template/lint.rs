//! `bongsu template lint`: what is wrong in rules, and what cannot be meant so.

use super::replay::open;
use super::rules::{rule_files, snippet};
use super::running::System;
use crate::cli::{Global, Lint as Args, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use evaluator::tools::{Chunks, Rules, Seen, warnings};
use schemas::catalogue::{CatalogueError, shipped_templates};
use std::path::Path;

pub(super) async fn run(global: &Global, args: &Args) -> Outcome {
    let files = rule_files(&args.path)?;
    let (errors, warned) = match check(&files) {
        Err(errors) => (errors, Vec::new()),
        Ok(rules) => (Vec::new(), warned(global, args, &rules).await?),
    };
    show(global.output, &errors, &warned, &files);
    match (errors.len(), warned.len()) {
        (0, 0) => {
            print::message("nothing found");
            Ok(())
        }
        (errors, warned) => Err(Failure::new(
            Exit::Findings,
            format!("{errors} errors, {warned} warnings"),
        )),
    }
}

async fn warned(global: &Global, args: &Args, rules: &Rules) -> Outcome<Vec<CatalogueError>> {
    if args.running {
        let system = System::find(global, args.tenant.as_deref()).await?;
        let (seen, since) = system.series().await?;
        let (series, runs) = (seen.len(), system.rules()?);
        let (tenant, revision) = (&system.tenant, system.catalogue.revision);
        print::message(&format!(
            "held against {series} series of `{tenant}` ({since}) and the rules of revision {revision}"
        ));
        return Ok(warnings(rules, Some(&seen), runs.templates()));
    }
    let seen = args.points.as_deref().map(read).transpose()?;
    match &seen {
        Some(seen) => print::message(&format!("held against {} series", seen.len())),
        None => print::message(
            "not checked: whether the rules match series that are sent \
             (--running asks the running system, --points FILE gives points of the last day)",
        ),
    }
    Ok(warnings(rules, seen.as_ref(), shipped_templates()))
}

fn check(files: &[(String, String)]) -> Result<Rules, Vec<CatalogueError>> {
    let rules = Rules::read(files, None)?;
    rules.plan()?;
    Ok(rules)
}

fn read(path: &Path) -> Outcome<Seen> {
    let mut chunks = Chunks::new(open(path)?);
    let mut seen = Seen::default();
    loop {
        match chunks.next_lines() {
            Ok(Some(lines)) => seen.take(lines),
            Ok(None) => return Ok(seen),
            Err(error) => {
                let what = format!("{}: {error}", path.display());
                return Err(Failure::new(Exit::Failed, what));
            }
        }
    }
}

fn show(
    output: Output,
    errors: &[CatalogueError],
    warned: &[CatalogueError],
    files: &[(String, String)],
) {
    let errors = errors.iter().map(|error| ("error", error));
    let all = errors.chain(warned.iter().map(|warning| ("warning", warning)));
    if output == Output::Table {
        for (word, found) in all {
            print::text(&format!("{word}: {}\n", snippet(found, files)));
        }
        return;
    }
    let mut table = Table::new(&["severity", "file", "line", "column", "what", "hint"]);
    for (word, found) in all {
        table.row(vec![
            word.into(),
            found.file.clone().into(),
            found.line.into(),
            found.column.into(),
            found.what.clone().into(),
            found.hint.clone().into(),
        ]);
    }
    print::table(&table, output);
}
