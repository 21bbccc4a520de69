//! `bongsu template replay`: the engine over a file of points.

use super::rules::read_rules;
use crate::cli::{Global, Replay as Args};
use crate::failure::{Exit, Failure, Outcome};
use crate::print;
use crate::progress::Progress;
use crate::rows::{Row, Rows};
use evaluator::core::{Action, Replay, Tally, describe, rfc3339};
use evaluator::tools::{Chunks, event_json};
use model::{AlertEvent, AlertKind, Timestamp};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Columns of `-o csv`.
const COLUMNS: [&str; 10] = [
    "at",
    "template",
    "group",
    "kind",
    "priority",
    "value",
    "threshold",
    "incident",
    "event",
    "why",
];
/// 1980-01-01: nobody has points of before. Seconds, milliseconds and microseconds read as nanoseconds are of 1970.
const OLDEST: Timestamp = Timestamp::from_millis(315_532_800_000);
/// Kinds of findings that are told one by one at most.
const MOST_FINDINGS: usize = 20;

pub(super) fn run(global: &Global, args: &Args) -> Outcome {
    let rules = read_rules(&args.templates, args.tenant.as_deref())?;
    let plan = rules
        .plan()
        .map_err(|_| Failure::new(Exit::Findings, "the rules changed while they were read"))?;
    let rows = Rows::new(global.output, &COLUMNS, print::Lines::stdout());
    let mut told = Told::new(args.all, rows);
    let result = replay(
        Replay::new(rules.tenant().clone(), plan),
        open(&args.points)?,
        &mut told,
    );
    match result.and_then(|()| told.end()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("{}: {error}", args.points.display()),
        )),
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(
            Exit::Failed,
            format!("{}: none of its lines can be read", args.points.display()),
        )),
    }
}

/// The file, or standard input for `-`.
pub(super) fn open(path: &Path) -> Outcome<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(Failure::new(
            Exit::Usage,
            format!("cannot read {}: {error}", path.display()),
        )),
    }
}

fn replay(mut replay: Replay, points: impl Read, told: &mut Told) -> io::Result<()> {
    let mut chunks = Chunks::new(points);
    let (mut read, mut progress) = (0, Progress::new("bytes read", None));
    while let Some(lines) = chunks.next_lines()? {
        read += lines.len() as u64;
        progress.at(read);
        told.take(replay.take(lines))?;
    }
    told.refused = replay.refused().to_vec();
    told.ends_at = replay.now();
    told.take(replay.finish())
}

/// What a replay tells: events as they come, the rest at the end.
struct Told {
    all: bool,
    rows: Rows<print::Lines>,
    held_back: u64,
    counts: BTreeMap<Tally, u64>,
    findings: Vec<String>,
    refused: Vec<String>,
    /// When the points end.
    ends_at: Option<Timestamp>,
}

impl Told {
    fn new(all: bool, rows: Rows<print::Lines>) -> Self {
        Self {
            all,
            rows,
            held_back: 0,
            counts: BTreeMap::new(),
            findings: Vec::new(),
            refused: Vec::new(),
            ends_at: None,
        }
    }

    fn take(&mut self, actions: Vec<Action>) -> io::Result<()> {
        for action in actions {
            match action {
                Action::Emit(event) => self.event(&event)?,
                // The replay has taken reports in already.
                Action::Derive(_) | Action::Tags(_) => {}
                Action::Count(counter) => {
                    *self.counts.entry(counter.what).or_default() += counter.n;
                }
                Action::Find(finding) => {
                    let text = format!("{}: {}", finding.kind.as_str(), finding.detail);
                    if self.findings.len() < MOST_FINDINGS && !self.findings.contains(&text) {
                        self.findings.push(text);
                    }
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &AlertEvent) -> io::Result<()> {
        let held_back = matches!(
            event.kind,
            AlertKind::Flapping | AlertKind::Held | AlertKind::Inhibited
        );
        if held_back && !self.all {
            self.held_back += 1;
            return Ok(());
        }
        self.rows.push(&Row {
            line: describe(event),
            object: event_json(event),
        })
    }

    /// The end of the document, and what was counted as a message. Whether any line could be read, if there
    /// were some.
    fn end(mut self) -> io::Result<bool> {
        self.rows.end()?;
        let lines = self.counts.remove(&Tally::Lines).unwrap_or(0);
        let mut text = format!("{lines} lines, {} events", self.rows.written());
        if self.held_back > 0 {
            text.push_str(&format!(
                ", {} held back (--all shows them)",
                self.held_back
            ));
        }
        for (what, n) in &self.counts {
            text.push_str(&format!(", {n} {}", what.as_str().replace('_', " ")));
        }
        for refused in &self.refused {
            text.push_str(&format!("\nrejected: {refused}"));
        }
        for finding in &self.findings {
            text.push_str(&format!("\n{finding}"));
        }
        if let Some(end) = self.ends_at.filter(|end| *end < OLDEST) {
            let end = rfc3339(end);
            text.push_str(&format!(
                "\nthe points end at {end}: their timestamps must be in nanoseconds"
            ));
        }
        print::message(&text);
        let rejected = self.counts.get(&Tally::Rejected).copied().unwrap_or(0);
        Ok(rejected < lines || lines == 0)
    }
}
