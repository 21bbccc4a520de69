//! What evaluation costs: the engine alone, over standard input, and evaluators as processes over a real Kafka.

mod engine;
mod feed;
mod latency;
mod load;
mod site;
mod state;
mod takeover;
mod told;

use crate::cli::Output;
use crate::product;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tokio::task::block_in_place;

/// What of the evaluator is measured, and how.
#[derive(Debug, Args)]
pub(crate) struct EvaluatorOptions {
    /// What is measured; by default all
    #[arg(value_enum)]
    kinds: Vec<Kind>,
    /// A twentieth of the points; of `latency` 25 s
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
    /// From the record that decides an event to the event on `bongsu.alerts`, at 100,000 points/s, over a real Kafka
    Latency,
    /// A partition of 100,000 groups whose evaluator is killed: how long until another one evaluates it
    Takeover,
    /// Bytes of state a second with a million live series
    State,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Matched => "matched",
            Self::Memory => "memory",
            Self::MemoryMatched => "memory-matched",
            Self::Replay => "replay",
            Self::Latency => "latency",
            Self::Takeover => "takeover",
            Self::State => "state",
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
pub(crate) async fn run(options: &EvaluatorOptions) -> Result<()> {
    let bongsu = product::binary(options.bongsu.as_deref())?;
    let kinds = match options.kinds.as_slice() {
        [] => Kind::value_variants(),
        some => some,
    };
    for kind in kinds {
        let cell = match (kind, engine::run_of(*kind, options.short)) {
            (_, Some(run)) => block_in_place(|| run.measure(&bongsu, kind.name()))?,
            (Kind::Takeover, None) => Box::pin(takeover::run(options)).await?,
            (Kind::State, None) => Box::pin(state::run(options)).await?,
            (_, None) => Box::pin(latency::run(options)).await?,
        };
        cell.print(options.output);
    }
    Ok(())
}

/// Of sorted times the one that so many of a hundred did not exceed.
fn percentile(sorted: &[f64], of_100: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() * of_100).div_ceil(100).saturating_sub(1);
    sorted.get(at.min(last)).copied().unwrap_or(f64::NAN)
}

impl Cell {
    fn print(&self, output: Output) {
        match output {
            Output::Table => {
                println!("{}", self.name);
                for figure in &self.figures {
                    let digits = if figure.value < 1_000.0 { 2 } else { 0 };
                    println!(
                        "  {:<26} {:>14.digits$} {}",
                        figure.what, figure.value, figure.unit
                    );
                }
            }
            Output::Json => {
                let figures = self.figures.iter().map(|f| {
                    (
                        f.what
                            .replace(", ", "_")
                            .replace(": ", "_")
                            .replace([' ', '-'], "_"),
                        json!(f.value),
                    )
                });
                let mut cell: Map<String, Value> = figures.collect();
                cell.insert("cell".to_owned(), json!(self.name));
                println!("{}", Value::Object(cell));
            }
        }
    }
}
