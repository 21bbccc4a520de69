//! `bongsu template explain`: the state of a group, in a running system or at the end of a file of points.

use super::ask;
use super::replay::open;
use super::rules::read_rules;
use crate::cli::{Explain as Args, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use evaluator::core::{Explained, Replay};
use evaluator::tools::{Chunks, Rules, explained_json, explained_text};
use std::path::Path;

pub(super) async fn run(global: &Global, args: &Args) -> Outcome {
    let tags = args.group.iter().map(|text| tag(text));
    let tags = tags.collect::<Outcome<Vec<_>>>()?;
    match &args.points {
        Some(points) => of_file(global, args, points, &tags),
        None => ask::run(global, args, &tags).await,
    }
}

fn of_file(global: &Global, args: &Args, points: &Path, tags: &[(String, String)]) -> Outcome {
    let rules = match &args.templates {
        Some(path) => read_rules(path, args.tenant.as_deref())?,
        None => Rules::shipped(
            args.tenant
                .as_deref()
                .map(super::rules::parse_tenant)
                .transpose()?,
        ),
    };
    if rules
        .templates()
        .iter()
        .all(|t| t.template != args.template)
    {
        let names: Vec<&str> = rules.templates().iter().map(|t| &*t.template).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no template `{}`", args.template),
        )
        .hint(format!("templates: {}", names.join(", "))));
    }
    let found = states(&rules, &args.template, points, tags)?;
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Findings,
            format!("no group of `{}` has these tags", args.template),
        )
        .hint("`bongsu template lint --points FILE` says why a template matches no series"));
    }
    match global.output {
        Output::Table => {
            for now in &found {
                print::text(&explained_text(now));
            }
        }
        output => {
            let all: Vec<_> = found.iter().map(explained_json).collect();
            print::values(&all, output);
        }
    }
    Ok(())
}

fn states(
    rules: &Rules,
    template: &str,
    points: &Path,
    tags: &[(String, String)],
) -> Outcome<Vec<Explained>> {
    let plan = rules.plan().map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Findings, texts.join("\n"))
    })?;
    let mut replay = Replay::new(rules.tenant().clone(), plan);
    let mut chunks = Chunks::new(open(points)?);
    loop {
        match chunks.next_lines() {
            Ok(Some(lines)) => drop(replay.take(lines)),
            Ok(None) => return Ok(replay.explain(template, tags)),
            Err(error) => {
                let what = format!("{}: {error}", points.display());
                return Err(Failure::new(Exit::Failed, what));
            }
        }
    }
}

pub(super) fn tag(text: &str) -> Outcome<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Failure::new(
            Exit::Usage,
            format!("`{text}` is no tag: write host=web-1"),
        )),
    }
}
