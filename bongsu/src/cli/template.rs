//! `bongsu template`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `bongsu template`.
#[derive(Debug, Subcommand)]
pub enum Template {
    /// Run the tests inside the templates
    Test {
        /// A file or folder; the shipped templates when left out
        path: Option<PathBuf>,
    },
    /// Say what is wrong in templates and what cannot be meant so; ends with 3 when something is
    Lint(Lint),
    /// Show what applying a file or folder would change in the rules that run, field by field
    Diff(Diff),
    /// Judge a file of points by templates, and print the events; needs no running system
    Replay(Replay),
    /// Judge history by templates: incidents a week and minutes firing, beside what runs now
    Backtest(Backtest),
    /// Show the state of a template's groups now: windows, rungs, timers, what it waits for, which override set what
    Explain(Explain),
    /// Print Prometheus alerting rules or a Kapacitor script as templates, and say what could not be expressed
    Import {
        /// Prometheus rules (YAML), or a TICKscript whose name ends in .tick
        file: PathBuf,
    },
    /// List the shipped templates
    List,
    /// Print the page of the shipped templates (Markdown)
    Docs,
}

/// `bongsu template replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A file, or a folder whose *.yaml are read: templates, overrides, and the tenant's evaluation and inventory
    #[arg(long, value_name = "DIR")]
    pub templates: PathBuf,
    /// Line protocol with timestamps in nanoseconds; `-` is standard input. The file's order is the log's, and a
    /// line `# arrival=<ns>` sets the arrival of what follows
    #[arg(long, value_name = "FILE")]
    pub points: PathBuf,
    /// Whose points they are; left out: the one tenant that the folder declares, else `default`
    #[arg(long)]
    pub tenant: Option<String>,
    /// Also print what is held back: events of kind flapping, held and inhibited
    #[arg(long)]
    pub all: bool,
}

/// `bongsu template backtest`.
#[derive(Debug, Clone, Args)]
pub struct Backtest {
    /// The rules that are tried: a file, or a folder whose *.yaml are read; the shipped ones when left out
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// The rules that run now, from a file or folder; the shipped ones when left out
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    /// Take the rules that run now from the running system's catalogue
    #[arg(long, conflicts_with = "against")]
    pub running: bool,
    /// From then on (2026-01-01T00:00:00Z)
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<String>,
    /// Until then
    #[arg(long, value_name = "INSTANT")]
    pub to: Option<String>,
    /// URL of an InfluxDB that holds some of the history, once for each
    #[arg(long, value_name = "URL")]
    pub influx: Vec<String>,
    /// File with its token: one for all, or once for each
    #[arg(long, value_name = "FILE")]
    pub influx_token_file: Vec<PathBuf>,
    /// Its organization
    #[arg(long, value_name = "NAME", default_value = "bongsu")]
    pub influx_org: String,
    /// The bucket; the tenant's name when left out
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Line protocol instead of an InfluxDB, as for `replay`
    #[arg(long, value_name = "FILE", conflicts_with = "influx")]
    pub points: Option<PathBuf>,
    /// The template of which a group is drawn
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
    /// A tag of that group
    #[arg(long, value_name = "TAG=VALUE")]
    pub group: Vec<String>,
    /// Where the picture goes; in the terminal when left out
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Whose points they are
    #[arg(long)]
    pub tenant: Option<String>,
}

/// `bongsu template explain`.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// Name of the template
    pub template: String,
    /// A tag of the group; all groups that have it are shown
    #[arg(long, value_name = "TAG=VALUE")]
    pub group: Vec<String>,
    /// A running evaluator, once for each; a name with many addresses is all of them. The running `up` when left
    /// out. The token is that of `evaluator.operator_token_file`
    #[arg(long, value_name = "URL")]
    pub evaluator: Vec<String>,
    /// Ask a file instead of a running system: line protocol with timestamps in nanoseconds, as for `replay`
    #[arg(long, value_name = "FILE", conflicts_with = "evaluator")]
    pub points: Option<PathBuf>,
    /// With --points: a file, or a folder whose *.yaml are read; the shipped templates when left out
    #[arg(long, value_name = "DIR", requires = "points")]
    pub templates: Option<PathBuf>,
    /// Whose groups; `default` when left out
    #[arg(long)]
    pub tenant: Option<String>,
}

/// `bongsu template lint`.
#[derive(Debug, Clone, Args)]
pub struct Lint {
    /// A file or folder
    #[arg(value_name = "DIR")]
    pub path: PathBuf,
    /// Points of the last day (line protocol, `-` is standard input): warn of rules that match no series of them
    #[arg(long, value_name = "FILE")]
    pub points: Option<PathBuf>,
    /// Warn of rules that match no series of the running system's last day, or judge the same as a rule that runs
    #[arg(long, conflicts_with = "points")]
    pub running: bool,
    /// With --running: whose series and rules; `default` when left out
    #[arg(long)]
    pub tenant: Option<String>,
}

/// `bongsu template diff`.
#[derive(Debug, Clone, Args)]
pub struct Diff {
    /// A file or folder
    #[arg(value_name = "DIR")]
    pub path: PathBuf,
    /// Whose rules; `default` when left out
    #[arg(long)]
    pub tenant: Option<String>,
}
