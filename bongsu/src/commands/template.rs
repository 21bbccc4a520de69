//! `bongsu template`: the threshold templates and the tests inside them.

use super::{apply, yaml_files};
use crate::cli::{Global, Template as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use evaluator::core::template_test;
use model::Span;
use schemas::catalogue::{Entry, Template, shipped_templates};
use std::path::Path;

/// How late points of a test may be: the default of a tenant.
const LATENESS: Span = Span::from_secs(30);

pub(super) fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::List => {
            let mut table = Table::new(&["template", "title", "measurement", "tests"]);
            for template in shipped_templates() {
                table.row(vec![
                    template.template.clone().into(),
                    template.title.clone().into(),
                    template
                        .applies_to
                        .as_ref()
                        .map(|to| to.measurement.clone())
                        .into(),
                    template.tests.len().into(),
                ]);
            }
            print::table(&table, global.output);
            Ok(())
        }
        Command::Test { path } => test(global, path.as_deref()),
    }
}

fn test(global: &Global, path: Option<&Path>) -> Outcome {
    let templates = match path {
        Some(path) => read(path)?,
        None => shipped_templates().to_vec(),
    };
    let mut table = Table::new(&["template", "given", "expected", "result"]);
    let (mut passed, mut failed) = (0, 0);
    for template in &templates {
        if template.tests.is_empty() {
            print::message(&format!("{}: has no tests", template.template));
        }
        let reports = template_test(template, LATENESS).map_err(|errors| {
            let why: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Failure::new(Exit::Findings, why.join("\n"))
        })?;
        for report in reports {
            match &report.failure {
                None => passed += 1,
                Some(found) => {
                    failed += 1;
                    print::message(&format!(
                        "{}: given {}: expected {}, but {found}\n{}",
                        report.template, report.given, report.expect, report.timeline
                    ));
                }
            }
            table.row(vec![
                report.template.into(),
                report.given.into(),
                report.expect.to_string().into(),
                if report.failure.is_none() {
                    "ok"
                } else {
                    "FAILED"
                }
                .into(),
            ]);
        }
    }
    print::table(&table, global.output);
    print::message(&format!("{passed} passed, {failed} failed"));
    match (passed + failed, failed) {
        (0, _) => Err(Failure::new(
            Exit::Findings,
            "there is no test in these templates",
        )),
        (_, 0) => Ok(()),
        _ => Err(Failure::new(
            Exit::Findings,
            format!("{failed} tests of templates failed"),
        )),
    }
}

fn read(path: &Path) -> Outcome<Vec<Template>> {
    let located = apply::parse(&yaml_files(path)?)?;
    Ok(located
        .into_iter()
        .filter_map(|located| match located.value {
            Entry::Template(template) => Some(*template),
            _ => None,
        })
        .collect())
}
