//! `bongsu template test`: the tests inside the templates.

use super::rules::read_rules;
use crate::cli::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use evaluator::core::template_test;
use evaluator::tools::Rules;
use std::path::Path;

pub(super) fn run(global: &Global, path: Option<&Path>) -> Outcome {
    let rules = match path {
        Some(path) => read_rules(path, None)?,
        None => Rules::shipped(None),
    };
    let lateness = rules.bundle().content.lateness;
    let mut table = Table::new(&["template", "given", "expected", "result"]);
    let (mut passed, mut failed) = (0, 0);
    for template in rules.templates() {
        if template.tests.is_empty() {
            print::message(&format!("{}: has no tests", template.template));
        }
        let reports = template_test(template, lateness).map_err(|errors| {
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
                report.given.to_string().into(),
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
    print::table(&table, global.form());
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
