//! How a run goes: what its start costs, and what a point costs when everything flows.

use crate::report::Figures;
use crate::usage;
use anyhow::Result;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Everything flows when so much of the lines has arrived, in hundredths, and until so much has.
const FLOWS: (u64, u64) = (25, 90);

/// Looks at a run: the process's time so far, and the lines that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Course(Vec<(Duration, u64)>);

/// A run in two parts. What the process has used since it was made is `start_cpu_s + flow_cpu_s_per_mpoint x lines / 10^6`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Parts {
    /// User and system seconds for a million points between a quarter of the lines' arrival and nine tenths.
    pub(crate) flow_cpu_s_per_mpoint: f64,
    /// User and system seconds beside that, since the process was made: its start, the group's, each partition's, and the
    /// last commits.
    pub(crate) start_cpu_s: f64,
    /// Lines of a write, on average.
    pub(crate) lines_per_write: f64,
}

impl Course {
    /// Looks at the process, of which so many lines have arrived.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn look(&mut self, id: u32, lines: u64) -> Result<()> {
        self.0.push((usage::cpu(id)?, lines));
        Ok(())
    }

    /// The parts of a run of so many lines in so many writes; none where there were too few looks.
    pub(crate) fn parts(&self, lines: u64, writes: u64) -> Option<Parts> {
        let reached = |hundredths: u64| {
            self.0
                .iter()
                .find(|(_, at)| *at * 100 >= lines * hundredths)
        };
        let (from, to, last) = (reached(FLOWS.0)?, reached(FLOWS.1)?, self.0.last()?);
        let flowed = to.1.checked_sub(from.1).filter(|flowed| *flowed > 0)?;
        let a_line = to.0.saturating_sub(from.0).as_secs_f64() / flowed as f64;
        let round = |value: f64, to: f64| (value * to).round() / to;
        Some(Parts {
            flow_cpu_s_per_mpoint: round(a_line * 1e6, 1e3),
            start_cpu_s: round(last.0.as_secs_f64() - a_line * lines as f64, 1e2),
            lines_per_write: round(lines as f64 / writes.max(1) as f64, 1.0),
        })
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "its start {} CPU-s, then {} a million points, {} lines a write",
            self.start_cpu_s, self.flow_cpu_s_per_mpoint, self.lines_per_write
        )
    }
}

impl Figures {
    /// With the parts of its run.
    pub(crate) fn with(self, parts: Option<Parts>) -> Self {
        Self { parts, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_what_the_flow_does_not_explain() {
        let mut course = Course::default();
        // A start of 1 s, then 2 microseconds a line; the first quarter is dearer.
        for (ms, lines) in [
            (1_000, 0),
            (3_500, 1_000_000),
            (5_500, 2_000_000),
            (8_700, 3_600_000),
            (9_500, 4_000_000),
        ] {
            course.0.push((Duration::from_millis(ms), lines));
        }
        let parts = course.parts(4_000_000, 1_000).unwrap();
        assert_eq!(parts.flow_cpu_s_per_mpoint, 2.0);
        assert_eq!(parts.start_cpu_s, 1.5);
        assert_eq!(parts.lines_per_write, 4_000.0);
    }

    #[test]
    fn a_run_that_was_hardly_looked_at_has_no_parts() {
        let mut course = Course::default();
        assert_eq!(course.parts(10, 1), None);
        course.0.push((Duration::from_secs(1), 10));
        assert_eq!(course.parts(10, 1), None);
    }
}
