//! `bongsu template backtest`: what rules would have said over history, beside what others did.

use super::history;
use super::replay::open;
use super::rules::{parse_tenant, read_rules};
use super::running::System;
use crate::cli::{Backtest as Args, Global};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use evaluator::core::Plan;
use evaluator::tools::{Backtest, Chunks, Figures, Picture, Rules};
use model::{Priority, Span, Timestamp};
use std::collections::BTreeSet;
use std::path::Path;

const WEEK: Span = Span::from_secs(7 * 86_400);
/// Columns of the picture in a terminal.
const COLUMNS: usize = 100;

pub(super) async fn run(global: &Global, args: &Args) -> Outcome {
    let tenant = args.tenant.as_deref();
    let read = |path: &Option<std::path::PathBuf>| match path {
        Some(path) => read_rules(path, tenant),
        None => Ok(Rules::shipped(tenant.map(parse_tenant).transpose()?)),
    };
    let rules = read(&args.templates)?;
    let against = match args.running {
        true => System::find(global, tenant).await?.rules()?,
        false => read(&args.against)?,
    };
    let mut run = Run {
        tested: start(&rules)?,
        now: start(&against)?,
        watched: args.watched()?,
        picture: Picture::new(Span::from_secs(60)),
    };
    match &args.points {
        Some(path) => run.file(path)?,
        None => {
            let wanted = read_by(&rules)?.zip(read_by(&against)?);
            let wanted = wanted.map(|(tested, now)| tested.into_iter().chain(now).collect());
            history::read(args, wanted, rules.tenant(), |lines| run.take(lines)).await?;
        }
    }
    run.report(global, args)
}

fn start(rules: &Rules) -> Outcome<Backtest> {
    Ok(Backtest::new(rules.tenant().clone(), plan(rules)?))
}

fn plan(rules: &Rules) -> Outcome<Plan> {
    rules.plan().map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Findings, texts.join("\n"))
    })
}

/// The measurements whose points rules read; none: all of them.
fn read_by(rules: &Rules) -> Outcome<Option<BTreeSet<String>>> {
    let plan = plan(rules)?;
    let names = plan.measurements();
    Ok(names.map(|names| names.into_iter().map(str::to_owned).collect()))
}

struct Run {
    tested: Backtest,
    now: Backtest,
    /// The template and tags of the group that is drawn.
    watched: Option<Watched>,
    picture: Picture,
}

impl Run {
    fn file(&mut self, path: &Path) -> Outcome {
        let mut chunks = Chunks::new(open(path)?);
        loop {
            match chunks.next_lines() {
                Ok(Some(lines)) => self.take(lines),
                Ok(None) => return Ok(()),
                Err(error) => {
                    let what = format!("{}: {error}", path.display());
                    return Err(Failure::new(Exit::Failed, what));
                }
            }
        }
    }

    fn take(&mut self, lines: &[u8]) {
        self.now.take(lines);
        let Some((template, tags)) = &self.watched else {
            return self.tested.take(lines);
        };
        // Line by line, so that the picture sees each minute.
        for line in schemas::line::scan(lines).flatten() {
            self.tested.take(line.raw());
            let Some(at) = line.timestamp().map(Timestamp::from_nanos) else {
                continue;
            };
            if self.picture.is_due(at)
                && let Some(now) = self.tested.replay().explain(template, tags).first()
            {
                self.picture.add(at, now);
            }
        }
    }

    fn report(&self, global: &Global, args: &Args) -> Outcome {
        let covered = self.tested.covered();
        let weeks = covered.as_secs_f64() / WEEK.as_secs_f64();
        if weeks <= 0.0 {
            return Err(Failure::new(
                Exit::Findings,
                "there is no history of two points",
            ));
        }
        let (tested, now) = (self.tested.figures(), self.now.figures());
        let keys: BTreeSet<&(String, Priority)> = tested.keys().chain(now.keys()).collect();
        let mut table = Table::new(&[
            "template",
            "priority",
            "incidents_a_week",
            "minutes_firing",
            "incidents_a_week_now",
            "minutes_firing_now",
        ]);
        for key in keys {
            let of = |all: &std::collections::BTreeMap<(String, Priority), Figures>| {
                let figures = all.get(key).copied().unwrap_or_default();
                (
                    round(figures.incidents as f64 / weeks),
                    round(figures.firing.as_secs_f64() / 60.0),
                )
            };
            let ((incidents, minutes), (before, minutes_before)) = (of(&tested), of(&now));
            table.row(vec![
                key.0.clone().into(),
                key.1.as_str().into(),
                incidents.into(),
                minutes.into(),
                before.into(),
                minutes_before.into(),
            ]);
        }
        print::table(&table, global.form());
        print::message(&format!("{covered} of history"));
        self.draw(args)
    }

    fn draw(&self, args: &Args) -> Outcome {
        if self.watched.is_none() {
            return Ok(());
        }
        if self.picture.is_empty() {
            return Err(Failure::new(
                Exit::Findings,
                "that group has no value to draw",
            ));
        }
        match &args.svg {
            Some(path) => std::fs::write(path, self.picture.svg()).map_err(|error| {
                let what = format!("cannot write {}: {error}", path.display());
                Failure::new(Exit::Failed, what)
            }),
            None => {
                print::message(&self.picture.blocks(COLUMNS));
                Ok(())
            }
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A template, and the tags of one of its groups.
type Watched = (String, Vec<(String, String)>);

impl Args {
    /// The group that is drawn.
    fn watched(&self) -> Outcome<Option<Watched>> {
        let tags = self.group.iter().map(|text| super::explain::tag(text));
        let tags = tags.collect::<Outcome<Vec<_>>>()?;
        match (&self.template, tags.is_empty()) {
            (Some(template), _) => Ok(Some((template.clone(), tags))),
            (None, true) if self.svg.is_none() => Ok(None),
            (None, _) => Err(Failure::new(
                Exit::Usage,
                "which template is drawn: --template NAME",
            )),
        }
    }
}
