//! The figures, as a table and as JSON.

use crate::cli::Output;
use crate::course::Parts;
use crate::usage;
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// One run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What was measured: `consumer` or `router`.
    pub(crate) bench: &'static str,
    /// Lines of each cell.
    pub(crate) lines: u64,
    /// The machine's cores.
    pub(crate) cores: usize,
    /// How many processes wanted one of them, in the minute before the run.
    pub(crate) load_before: f64,
    /// What nobody can beat on this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ceilings: Vec<Ceiling>,
    /// The cells.
    pub(crate) cells: Vec<Cell>,
}

/// The figure of something that does only a part of the work.
#[derive(Debug, Serialize)]
pub(crate) struct Ceiling {
    /// What it is.
    pub(crate) what: &'static str,
    /// Lines of a message, where messages are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lines_per_message: Option<u64>,
    /// Encoding of the bodies, where some are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<&'static str>,
    /// User and system seconds for a million points, where the work is a process of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_s_per_mpoint: Option<f64>,
    /// Points a second.
    pub(crate) points_per_s: f64,
}

/// One load, and what each contender needed for it.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    /// Lines of a Kafka message, or of an HTTP body for the router.
    pub(crate) lines_per_message: u64,
    /// `gzip` or `identity`: of the body of a write.
    pub(crate) encoding: &'static str,
    /// Tenants of the load, where they differ between cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenants: Option<u32>,
    /// Series of the load, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) series: Option<u64>,
    /// Bongsu's figures.
    pub(crate) bongsu: Outcome,
    /// Telegraf's at its defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) telegraf: Option<Outcome>,
    /// Telegraf's with batches as large as Bongsu's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) telegraf_tuned: Option<Outcome>,
}

/// What came of a contender's run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Outcome {
    /// Every line arrived once, and the run counts.
    Counted(Figures),
    /// It does not count.
    NotCounted {
        /// Why.
        not_counted: String,
    },
}

/// The cost of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// User and system seconds for a million points.
    pub(crate) cpu_s_per_mpoint: f64,
    /// The largest resident size, in 10^6 bytes.
    pub(crate) peak_rss_mb: f64,
    /// From the first fetch or post to the last line's arrival.
    pub(crate) points_per_s: f64,
    /// The largest resident size in each tenth of that time, where it was looked at in each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_mb_by_tenth: Option<[f64; TENTHS]>,
    /// Its start and its flow, where they are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<Parts>,
}

/// So many parts of a run are told apart.
pub(crate) const TENTHS: usize = 10;

impl Figures {
    /// The figures of `lines` lines.
    pub(crate) fn new(lines: u64, cpu: Duration, took: Duration, peak_rss: u64) -> Self {
        let lines = lines as f64;
        let round = |value: f64, to: f64| (value * to).round() / to;
        Self {
            cpu_s_per_mpoint: round(cpu.as_secs_f64() / lines * 1e6, 1e3),
            peak_rss_mb: round(peak_rss as f64 / 1e6, 10.0),
            points_per_s: (lines / took.as_secs_f64()).round(),
            rss_mb_by_tenth: None,
            parts: None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted(figures) => {
                write!(
                    f,
                    "{} CPU-s a million points, {} MB, {} points/s",
                    figures.cpu_s_per_mpoint, figures.peak_rss_mb, figures.points_per_s
                )?;
                figures.parts.map_or(Ok(()), |parts| write!(f, "; {parts}"))
            }
            Self::NotCounted { not_counted } => write!(f, "not counted: {not_counted}"),
        }
    }
}

impl Outcome {
    /// The one in the middle by its CPU time; one that does not count is the outcome of all.
    pub(crate) fn median(mut outcomes: Vec<Self>) -> Self {
        outcomes.sort_by(|one, other| one.cpu().total_cmp(&other.cpu()));
        let counts = |outcome: &Self| matches!(outcome, Self::Counted(_));
        let middle = match outcomes.last() {
            Some(last) if counts(last) => (outcomes.len() - 1) / 2,
            _ => outcomes.len().saturating_sub(1),
        };
        outcomes.swap_remove(middle)
    }

    fn cpu(&self) -> f64 {
        match self {
            Self::Counted(figures) => figures.cpu_s_per_mpoint,
            Self::NotCounted { .. } => f64::INFINITY,
        }
    }
}

impl From<Result<Figures>> for Outcome {
    fn from(run: Result<Figures>) -> Self {
        match run {
            Ok(figures) => Self::Counted(figures),
            Err(error) => Self::NotCounted {
                not_counted: format!("{error:#}"),
            },
        }
    }
}

impl Report {
    /// A report without cells yet. The machine is looked at now, before there is work.
    ///
    /// # Errors
    /// When the kernel does not tell its load.
    pub(crate) fn begin(bench: &'static str, lines: u64) -> Result<Self> {
        Ok(Self {
            bench,
            lines,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: usage::load_average()?,
            ceilings: Vec::new(),
            cells: Vec::new(),
        })
    }

    /// Prints it, and writes the plot that was asked for. The run has failed where a contender's run does not count.
    ///
    /// # Errors
    /// When the plot cannot be written.
    pub(crate) fn print(&self, output: Output, plot: Option<&Path>) -> Result<ExitCode> {
        if let Some(path) = plot {
            let written = std::fs::write(path, crate::plot::svg(self));
            written.with_context(|| format!("the plot {}", path.display()))?;
        }
        match output {
            Output::Json => println!("{}", serde_json::to_string_pretty(self)?),
            Output::Table => print!("{}", self.table()),
        }
        let outcomes = self.cells.iter().flat_map(Cell::outcomes);
        let counted = outcomes
            .into_iter()
            .all(|(_, outcome)| matches!(outcome, Outcome::Counted(_)));
        Ok(if counted {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// What the first two columns hold.
    fn columns(&self) -> (&'static str, &'static str) {
        match self.cells.first().and_then(|cell| cell.tenants) {
            Some(_) => ("tenants", "series"),
            None => ("lines/msg", "encoding"),
        }
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{}: {} lines a cell, {} cores, load before the run {:.1}\n\n\
             {:>10}  {:<8}  {:<14}  {:>14}  {:>11}  {:>10}  {:>6}\n",
            self.bench,
            self.lines,
            self.cores,
            self.load_before,
            self.columns().0,
            self.columns().1,
            "",
            "CPU-s/Mpoint",
            "peak RSS MB",
            "points/s",
            "CPU",
        );
        for cell in &self.cells {
            cell.rows(&mut text);
        }
        for ceiling in &self.ceilings {
            ceiling.row(&mut text);
        }
        text
    }
}

impl Ceiling {
    fn row(&self, text: &mut String) {
        let cpu = self.cpu_s_per_mpoint.map(|cpu| format!("{cpu:.3}"));
        let messages = self.lines_per_message.map(|lines| lines.to_string());
        writeln!(
            text,
            "{:>10}  {:<8}  {:<14}  {:>14}  {:>11}  {:>10.0}  {}",
            messages.unwrap_or_default(),
            self.encoding.unwrap_or_default(),
            "ceiling",
            cpu.unwrap_or_default(),
            "",
            self.points_per_s,
            self.what,
        )
        .expect("a string takes what is written");
    }
}

impl Cell {
    /// What the load is, in a few words.
    pub(crate) fn title(&self) -> String {
        match (self.tenants, self.series) {
            (Some(tenants), Some(series)) => format!("{tenants} tenants, {series} series"),
            _ => format!("{} lines, {}", self.lines_per_message, self.encoding),
        }
    }

    /// A cell that nobody has run yet.
    pub(crate) fn new(lines_per_message: u64, encoding: &'static str) -> Self {
        Self {
            lines_per_message,
            encoding,
            tenants: None,
            series: None,
            bongsu: Outcome::NotCounted {
                not_counted: "it did not run".to_owned(),
            },
            telegraf: None,
            telegraf_tuned: None,
        }
    }

    pub(crate) fn outcomes(&self) -> Vec<(&'static str, &Outcome)> {
        let rivals = [
            ("telegraf", &self.telegraf),
            ("telegraf tuned", &self.telegraf_tuned),
        ];
        let rivals = rivals
            .into_iter()
            .filter_map(|(name, outcome)| Some((name, outcome.as_ref()?)));
        std::iter::once(("bongsu", &self.bongsu))
            .chain(rivals)
            .collect()
    }

    fn rows(&self, text: &mut String) {
        for (name, outcome) in self.outcomes() {
            let load = match (self.tenants, self.series) {
                (Some(tenants), Some(series)) => format!("{tenants:>10}  {series:<8}"),
                _ => format!("{:>10}  {:<8}", self.lines_per_message, self.encoding),
            };
            let start = format!("{load}  {name:<14}");
            let row = match outcome {
                Outcome::Counted(figures) => format!(
                    "{start}  {:>14.3}  {:>11.1}  {:>10.0}  {:>6}",
                    figures.cpu_s_per_mpoint,
                    figures.peak_rss_mb,
                    figures.points_per_s,
                    self.ratio(figures),
                ),
                Outcome::NotCounted { .. } => format!("{start}  {outcome}"),
            };
            writeln!(text, "{row}").expect("a string takes what is written");
        }
    }

    /// How many times Bongsu's CPU time it is.
    fn ratio(&self, figures: &Figures) -> String {
        match &self.bongsu {
            Outcome::Counted(own) if own.cpu_s_per_mpoint > 0.0 => {
                format!("{:.1}x", figures.cpu_s_per_mpoint / own.cpu_s_per_mpoint)
            }
            Outcome::Counted(_) | Outcome::NotCounted { .. } => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(cpu: u64) -> Outcome {
        let (cpu, took) = (Duration::from_secs(cpu), Duration::from_secs(4));
        Outcome::Counted(Figures::new(2_000_000, cpu, took, 50_000_000))
    }

    fn report(telegraf: Outcome) -> Report {
        let cell = Cell {
            lines_per_message: 100,
            encoding: "gzip",
            tenants: None,
            series: None,
            bongsu: counted(1),
            telegraf: Some(telegraf),
            telegraf_tuned: None,
        };
        Report {
            bench: "consumer",
            lines: 2_000_000,
            cores: 4,
            load_before: 0.5,
            ceilings: Vec::new(),
            cells: vec![cell],
        }
    }

    #[test]
    fn the_json_has_the_agreed_form() {
        let json = serde_json::to_value(report(counted(12))).unwrap();
        let cell = &json["cells"][0];
        assert_eq!(cell["lines_per_message"], 100);
        assert_eq!(
            cell["telegraf"],
            serde_json::json!({
                "cpu_s_per_mpoint": 6.0, "peak_rss_mb": 50.0, "points_per_s": 500_000.0,
            })
        );
        assert!(cell.get("telegraf_tuned").is_none());
    }

    #[test]
    fn the_table_compares_and_says_what_does_not_count() {
        let table = report(counted(12)).table();
        assert!(table.contains("12.0x"), "{table}");
        let lost = Outcome::NotCounted {
            not_counted: "a line is missing".to_owned(),
        };
        let report = report(lost);
        assert!(report.table().contains("not counted: a line is missing"));
        assert_eq!(
            report.print(Output::Table, None).unwrap(),
            ExitCode::FAILURE
        );
    }
}
