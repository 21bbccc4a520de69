//! Whether a point costs the same with ever more tenants and series. On a full backlog: with little to do each write
//! is small, whoever sends it.

use crate::cli::{Manners, Options};
use crate::consumer::Backlog;
use crate::contender::Who;
use crate::load::Load;
use crate::report::{Cell, Outcome, Report};
use anyhow::Result;

/// Tenants, partitions of each, and series of all together.
const STEPS: [(u32, u32, u64); 6] = [
    (1, 12, 1_000),
    (10, 12, 1_000),
    (100, 1, 1_000),
    (1_000, 1, 1_000),
    (1, 12, 100_000),
    (1, 12, 1_000_000),
];

/// Measures each step.
///
/// # Errors
/// When the systems around the consumer fail.
pub(crate) async fn run(options: &Options) -> Result<Report> {
    let mut report = Report::begin("growth", options.lines())?;
    for (tenants, partitions, series) in STEPS {
        let load = Load {
            tenants,
            partitions,
            hosts: (series / u64::from(tenants)).max(1),
            zipf: false,
            ..Load::new(options.lines(), 100)
        };
        let manners = Manners::default();
        let backlog = Backlog::fill(options.bongsu.as_deref(), load, 1, &manners).await?;
        let mut cell = Cell::new(100, "identity");
        (cell.tenants, cell.series) = (Some(tenants), Some(series));
        eprintln!("{tenants} tenants, {series} series");
        let outcome = Outcome::from(Box::pin(backlog.measure(Who::Bongsu, "identity")).await);
        eprintln!("  {outcome}");
        Who::Bongsu.note(&mut cell, outcome);
        report.cells.push(cell);
    }
    Ok(report)
}
