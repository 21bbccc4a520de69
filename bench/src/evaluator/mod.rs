//! What evaluation costs: the engine alone, over standard input.

mod engine;
mod load;

use crate::cli::Output;
use crate::product;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What of the evaluator is measured, and how.
#[derive(Debug, Args)]
pub(crate) struct EvaluatorOptions {
    /// What is measured; by default all
    #[arg(value_enum)]
    kinds: Vec<Kind>,
    /// A twentieth of the points
    #[arg(long)]
    short: bool,
    /// How the figures are printed
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    output: Output,
    /// The program that is measured; by default the `bongsu` beside this one
    #[arg(long, value_name = "PATH")]
    bongsu: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Points to which no template applies but host-down, every 10 s
    Unmatched,
    /// Points that a template applies to, every 10 s
    Matched,
    /// A million series of 50,000 hosts, a point a minute: how much memory they take
    Memory,
    /// The same, each of them of a template
    MemoryMatched,
    /// 24 hours of 1,000 hosts with 20 series each, a point a minute
    Replay,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Matched => "matched",
            Self::Memory => "memory",
            Self::MemoryMatched => "memory-matched",
            Self::Replay => "replay",
        }
    }
}

/// What was measured of one kind.
#[derive(Debug)]
struct Cell {
    name: &'static str,
    figures: Vec<Figure>,
}

#[derive(Debug)]
struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
}

impl Figure {
    const fn new(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self { what, value, unit }
    }
}

/// Measures and prints, each kind as soon as it is known.
///
/// # Errors
/// When the program is not there, or what it does is not what it should do.
pub(crate) fn run(options: &EvaluatorOptions) -> Result<()> {
    let bongsu = product::binary(options.bongsu.as_deref())?;
    let kinds = match options.kinds.as_slice() {
        [] => Kind::value_variants(),
        some => some,
    };
    for kind in kinds {
        let cell = engine::runs(*kind, options.short).measure(&bongsu, kind.name())?;
        cell.print(options.output);
    }
    Ok(())
}

impl Cell {
    fn print(&self, output: Output) {
        match output {
            Output::Table => {
                println!("{}", self.name);
                for figure in &self.figures {
                    let digits = if figure.value < 1_000.0 { 2 } else { 0 };
                    println!(
                        "  {:<20} {:>14.digits$} {}",
                        figure.what, figure.value, figure.unit
                    );
                }
            }
            Output::Json => {
                let figures = self
                    .figures
                    .iter()
                    .map(|f| (f.what.replace([' ', '-'], "_"), json!(f.value)));
                let mut cell: Map<String, Value> = figures.collect();
                cell.insert("cell".to_owned(), json!(self.name));
                println!("{}", Value::Object(cell));
            }
        }
    }
}
