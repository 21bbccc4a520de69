//! The figures as bars, in SVG.

use crate::report::{Outcome, Report};
use std::fmt::Write as _;

const ROW: usize = 22;
const LEFT: usize = 300;
const WIDTH: usize = 560;
const COLORS: [&str; 3] = ["#1f6feb", "#8b949e", "#c9d1d9"];

/// One bar a contender and cell: CPU-seconds for a million points.
pub(crate) fn svg(report: &Report) -> String {
    let mut rows = Vec::new();
    for cell in &report.cells {
        for (n, (name, outcome)) in cell.outcomes().into_iter().enumerate() {
            if let Outcome::Counted(figures) = outcome {
                let label = format!("{}, {name}", cell.title());
                rows.push((label, figures.cpu_s_per_mpoint, COLORS[n % COLORS.len()]));
            }
        }
    }
    let most = rows
        .iter()
        .map(|row| row.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = (rows.len() + 2) * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <text x=\"8\" y=\"18\" font-weight=\"bold\">{}: CPU-seconds for a million points, load {:.1} before the run</text>\n",
        LEFT + WIDTH + 80,
        report.bench,
        report.load_before,
    );
    for (n, (label, value, color)) in rows.iter().enumerate() {
        let (y, width) = ((n + 1) * ROW + 8, value / most * WIDTH as f64);
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{color}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{value:.2}</text>",
            LEFT - 8,
            y + 13,
            ROW - 6,
            LEFT as f64 + width + 6.0,
            y + 13,
        )
        .expect("a string takes what is written");
    }
    svg.push_str("</svg>\n");
    svg
}
