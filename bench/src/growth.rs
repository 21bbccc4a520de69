//! Whether a point costs the same with ever more tenants and series. On a full backlog: with little to do each write
//! is small, whoever sends it.

use crate::cli::{GrowthOptions, Manners};
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

/// Measures each step that is wanted.
///
/// # Errors
/// When the systems around the consumer fail.
pub(crate) async fn run(options: &GrowthOptions) -> Result<Report> {
    let common = &options.common;
    let mut report = Report::begin("growth", common.lines())?;
    for (tenants, partitions, series) in STEPS {
        let wanted = (options.tenants.is_empty() || options.tenants.contains(&tenants))
            && (options.series.is_empty() || options.series.contains(&series));
        if !wanted {
            continue;
        }
        let load = Load {
            tenants,
            partitions,
            hosts: (series / u64::from(tenants)).max(1),
            zipf: false,
            ..Load::new(common.lines(), 100)
        };
        let manners = Manners::default();
        let backlog = Backlog::fill(common.bongsu.as_deref(), load, 1, &manners).await?;
        let mut cell = Cell::new(100, "identity");
        (cell.tenants, cell.series) = (Some(tenants), Some(series));
        eprintln!("{tenants} tenants, {series} series");
        let mut outcomes = Vec::new();
        for run in 0..options.runs {
            let group = format!("growth-{run}");
            let measured = Box::pin(backlog.measure_as(&group, Who::Bongsu, "identity"));
            let outcome = Outcome::from(measured.await);
            eprintln!("  {outcome}");
            outcomes.push(outcome);
        }
        Who::Bongsu.note(&mut cell, Outcome::median(outcomes));
        report.cells.push(cell);
    }
    for line in compare(&report.cells) {
        eprintln!("{line}");
    }
    Ok(report)
}

/// What each step costs in multiples of the first, as a whole and while everything flows, and what its start costs.
fn compare(cells: &[Cell]) -> Vec<String> {
    let counted = |cell: &Cell| match &cell.bongsu {
        Outcome::Counted(figures) => Some((cell.title(), *figures, figures.parts?)),
        Outcome::NotCounted { .. } => None,
    };
    let counted: Vec<_> = cells.iter().filter_map(counted).collect();
    let Some((first, whole, flow)) = counted.first().cloned() else {
        return Vec::new();
    };
    let lines = counted.iter().map(|(title, figures, parts)| {
        format!(
            "{title}: {:.2}x of {first}, {:.2}x while it flows; its start costs {} CPU-s",
            figures.cpu_s_per_mpoint / whole.cpu_s_per_mpoint,
            parts.flow_cpu_s_per_mpoint / flow.flow_cpu_s_per_mpoint,
            parts.start_cpu_s,
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Parts;
    use crate::report::Figures;
    use std::time::Duration;

    #[test]
    fn steps_are_compared_with_the_first() {
        let cell = |tenants: u32, cpu: u64, flow: f64| {
            let took = Duration::from_secs(1);
            let parts = Parts {
                flow_cpu_s_per_mpoint: flow,
                start_cpu_s: 0.5,
                lines_per_write: 4_000.0,
            };
            let figures = Figures::new(10_000_000, Duration::from_secs(cpu), took, 1);
            let mut cell = Cell::new(100, "identity");
            (cell.tenants, cell.series) = (Some(tenants), Some(1_000));
            cell.bongsu = Outcome::Counted(figures.with(Some(parts)));
            cell
        };
        let lines = compare(&[cell(1, 2, 0.2), cell(1_000, 3, 0.21)]);
        assert_eq!(
            lines[1],
            "1000 tenants, 1000 series: 1.50x of 1 tenants, 1000 series, 1.05x while it flows; its start costs 0.5 CPU-s"
        );
    }
}
