//! Whether the consumer's memory stays flat: an hour's worth of lines, read at full speed.

use crate::cli::{Compression, Manners, MemoryOptions, Output};
use crate::consumer::Backlog;
use crate::contender::Who;
use crate::load::Load;
use crate::report::{Figures, TENTHS};
use crate::usage;
use anyhow::{Context, Result};
use serde::Serialize;
use std::process::ExitCode;

const TENANTS: u32 = 40;
const SHARDS: u32 = 4;
const LINES_PER_MESSAGE: u64 = 100;

#[derive(Debug, Serialize)]
struct Memory {
    bench: &'static str,
    load_before: f64,
    /// Points a second of which these are the minutes' worth.
    rate: u64,
    minutes: u64,
    lines: u64,
    #[serde(flatten)]
    figures: Figures,
    /// The peak of the second half by that of the first.
    second_half: f64,
}

/// Fills the topics and has the consumer empty them.
///
/// # Errors
/// When one of the systems fails, or a line does not arrive.
pub(crate) async fn run(options: &MemoryOptions) -> Result<ExitCode> {
    let load_before = usage::load_average()?;
    let lines = options.rate * options.minutes * 60;
    let load = Load {
        tenants: TENANTS,
        compression: Compression::Lz4,
        ..Load::new(lines, LINES_PER_MESSAGE)
    };
    let manners = Manners::default();
    let backlog = Backlog::fill(options.run.bongsu.as_deref(), load, SHARDS, &manners).await?;
    let figures = Box::pin(backlog.measure(Who::Bongsu, "gzip")).await?;
    let tenths = figures
        .rss_mb_by_tenth
        .context("the run is too short: give it more minutes")?;
    let peak = |half: &[f64]| half.iter().copied().fold(0.0, f64::max);
    let (first, second) = tenths.split_at(TENTHS / 2);
    let memory = Memory {
        bench: "memory",
        load_before,
        rate: options.rate,
        minutes: options.minutes,
        lines,
        figures,
        second_half: (peak(second) / peak(first) * 100.0).round() / 100.0,
    };
    match options.run.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&memory)?),
        Output::Table => println!(
            "{lines} lines, {} minutes of {} points/s, {TENANTS} tenants, {SHARDS} shards, gzip: {} CPU-s a million \
             points, {} points/s\npeak {} MB; by tenth of the run {tenths:?}; second half {:.2}x the first; load before \
             the run {:.1}",
            memory.minutes,
            memory.rate,
            figures.cpu_s_per_mpoint,
            figures.points_per_s,
            figures.peak_rss_mb,
            memory.second_half,
            memory.load_before
        ),
    }
    Ok(ExitCode::SUCCESS)
}
