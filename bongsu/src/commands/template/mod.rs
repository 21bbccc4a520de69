//! `bongsu template`: threshold templates, the tests inside them, and points judged by them.

mod ask;
mod backtest;
mod diff;
mod explain;
mod history;
mod import;
mod lint;
mod replay;
mod rules;
mod running;
mod test;

use crate::cli::{Global, Template as Command};
use crate::failure::Outcome;
use crate::print::{self, Table};
use evaluator::tools::{Language, template_page};
use schemas::catalogue::{shipped_templates, system_templates};

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::List => {
            list(global);
            Ok(())
        }
        Command::Test { path } => test::run(global, path.as_deref()),
        Command::Docs => {
            print::text(&template_page(
                global.say(Language::English, Language::Korean),
            ));
            Ok(())
        }
        Command::Backtest(args) => backtest::run(global, &args).await,
        Command::Explain(args) => explain::run(global, &args).await,
        Command::Diff(args) => diff::run(global, &args).await,
        Command::Import { file } => import::run(&file),
        Command::Lint(args) => lint::run(global, &args).await,
        Command::Replay(replay) => replay::run(global, &replay),
    }
}

fn list(global: &Global) {
    let mut table = Table::new(&["template", "title", "measurement", "tests"]);
    for template in shipped_templates().iter().chain(system_templates()) {
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
    print::table(&table, global.form());
}
