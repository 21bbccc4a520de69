//! `bongsu template`: threshold templates, the tests inside them, and points judged by them.

mod replay;
mod rules;
mod test;

use crate::cli::{Global, Template as Command};
use crate::failure::Outcome;
use crate::print::{self, Table};
use schemas::catalogue::shipped_templates;

pub(super) fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::List => {
            list(global);
            Ok(())
        }
        Command::Test { path } => test::run(global, path.as_deref()),
        Command::Replay(replay) => replay::run(global, &replay),
    }
}

fn list(global: &Global) {
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
}
