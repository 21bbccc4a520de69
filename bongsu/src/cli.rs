//! The command line: what can be asked for, and nothing that does it.

mod bench;
mod data;
mod import;
mod integration;
mod notify;
mod oncall;
#[cfg(test)]
mod page;
mod report;
mod silence;
mod template;
mod tenant;
mod token;

pub use bench::Bench;
pub use data::{AddShard, Dlq, DlqReplay, DrainShard, FromWhen, Resolve, Route, Shard, Tap};
pub use import::{Import, System};
pub use integration::Integration;
pub use notify::Notify;
pub use oncall::Oncall;
pub use report::Report;
pub use silence::{AddSilence, Silence};
pub use template::{Backtest, Diff, Explain, Lint, Replay, Template};
pub use tenant::{AddTenant, Agents, RemoveTenant, Rights, RotateTenant, Tenant};
pub use token::{Audit, Token};

use crate::rights::Service;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Bongsu takes metrics from many customers' agents, stores them, judges them, and reaches the right person.
#[derive(Debug, Parser)]
#[command(
    name = "bongsu",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file (YAML). Flags win over BONGSU_ variables, which win over the file
    #[arg(
        long,
        short = 'c',
        global = true,
        env = "BONGSU_CONFIG",
        value_name = "FILE"
    )]
    pub config: Option<PathBuf>,
    /// How results are printed; messages go to standard error
    #[arg(
        long,
        short = 'o',
        global = true,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Output,
    /// Language of what is printed for people; a report is Korean and everything else English where nothing is said.
    /// Errors, hints, logs and what scripts read are English always
    #[arg(long, global = true, value_enum, env = "BONGSU_LANG")]
    pub lang: Option<Lang>,
    /// Answer every question with yes, for scripts
    #[arg(long, global = true)]
    pub yes: bool,
    /// What is logged, for example `info` or `info,router=debug`
    #[arg(long, global = true, env = "BONGSU_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Where the embedded parts keep everything
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Kafka brokers, instead of the embedded log
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT,..",
        value_delimiter = ','
    )]
    pub kafka: Vec<String>,
    /// Address of the notifier's API, for `incident` and `silence`; found by itself on this machine
    #[arg(long, global = true, value_name = "URL")]
    pub api: Option<String>,
    /// File with the token for that API
    #[arg(long, global = true, value_name = "FILE")]
    pub api_token_file: Option<PathBuf>,
    /// File with the authorities (PEM) of that API's certificate, besides the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub api_ca_file: Option<PathBuf>,
}

impl Global {
    /// How results are printed.
    pub(crate) fn form(&self) -> Form {
        Form {
            output: self.output,
            lang: self.lang.unwrap_or(Lang::En),
        }
    }

    /// The text in the language that was asked for.
    pub(crate) fn say<T>(&self, en: T, ko: T) -> T {
        self.form().lang.pick(en, ko)
    }
}

/// Form and language of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) output: Output,
    pub(crate) lang: Lang,
}

impl From<Output> for Form {
    fn from(output: Output) -> Self {
        Self {
            output,
            lang: Lang::En,
        }
    }
}

/// A language of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Korean
    Ko,
    /// English
    En,
}

impl Lang {
    /// The one in this language.
    pub(crate) fn pick<T>(self, en: T, ko: T) -> T {
        match self {
            Self::Ko => ko,
            Self::En => en,
        }
    }
}

/// Form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// One YAML document.
    Yaml,
    /// Comma separated values with a line of headings (RFC 4180).
    Csv,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in this process; parts that are not given are embedded and need no configuration
    Up(Up),
    /// Run router replicas: metrics over HTTP to the tenant's topic
    Router(Listen),
    /// Run consumer replicas: the tenants' topics to the InfluxDB shards
    Consumer(Listen),
    /// Run evaluator replicas: points to alert events
    Evaluator(Listen),
    /// Run notifier replicas: alert events to incidents and people; API and console
    Notifier(NotifierRun),
    /// Bring the catalogue (tenants, shards, templates, contacts, policies) to what files say
    Apply(Apply),
    /// Write the catalogue and the incidents to a file, as of one moment; nothing has to stop for it
    Backup(Backup),
    /// Bring the catalogue and the incidents back from such a file; notifiers have to be stopped
    Restore(Restore),
    /// Tenants: customers with a topic, a token and a contract
    #[command(subcommand)]
    Tenant(Tenant),
    /// Incidents: see, acknowledge, give away, put off, merge, judge, close
    #[command(subcommand)]
    Incident(Incident),
    /// A month or an incident as Markdown, for people who were not there
    #[command(subcommand)]
    Report(Report),
    /// Other systems that send alerts: Prometheus, Alertmanager, PagerDuty's events, heartbeats
    #[command(subcommand)]
    Integration(Integration),
    /// Silences and maintenance windows: who is not paged, until when, and why
    #[command(subcommand)]
    Silence(Silence),
    /// Tokens of the API: what programs and commands ask the notifier with
    #[command(subcommand)]
    Token(Token),
    /// The audit log: who did what, and whether it was changed
    #[command(subcommand)]
    Audit(Audit),
    /// Who is paged when, and why
    #[command(subcommand)]
    Oncall(Oncall),
    /// What people are told: a preview of every channel
    #[command(subcommand)]
    Notify(Notify),
    /// Moving in: people, schedules and policies of another system as a catalogue file
    Import(Import),
    /// Threshold templates
    #[command(subcommand)]
    Template(Template),
    /// Say which shards hold a tenant's points of a time
    Resolve(Resolve),
    /// Where a line goes
    #[command(subcommand)]
    Route(Route),
    /// Shards: see, add, take out
    #[command(subcommand)]
    Shard(Shard),
    /// Dead letters: lines that could not be stored
    #[command(subcommand)]
    Dlq(Dlq),
    /// Print the lines of a tenant as they come
    Tap(Tap),
    /// The configuration that is in force
    #[command(subcommand)]
    Config(Config),
    /// Check every dependency and say what to do
    Doctor(Doctor),
    /// Send points at a steady rate to a running router, and say how it answered
    Bench(Bench),
    /// What each service needs of a Kafka with access rules
    #[command(subcommand)]
    Rights(Rights),
    /// Print the JSON Schema of a catalogue kind, or of all
    Schema {
        /// tenant, shard, placement, template, override, contact, escalation_policy, schedule, team or integration
        kind: Option<String>,
    },
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `bongsu up`.
#[derive(Debug, Clone, Args)]
pub struct Up {
    /// Add three synthetic tenants and a host whose load rises and falls
    #[arg(long)]
    pub demo: bool,
    /// URL of an InfluxDB, instead of the embedded metrics store
    #[arg(long, value_name = "URL", requires = "influx_token_file")]
    pub influx: Option<String>,
    /// File with its token
    #[arg(long, value_name = "FILE")]
    pub influx_token_file: Option<PathBuf>,
    /// Its organization
    #[arg(long, value_name = "NAME", default_value = "bongsu")]
    pub influx_org: String,
    /// URL of a PostgreSQL (postgres://user:password@host:port/name), instead of the embedded SQLite
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// A service that listens.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}

/// `bongsu notifier`.
#[derive(Debug, Clone, Args)]
pub struct NotifierRun {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// File that holds the URL of a PostgreSQL, which all notifiers share
    #[arg(long, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
}

/// `bongsu backup`.
#[derive(Debug, Clone, Args)]
pub struct Backup {
    /// The file to write; readable by its owner alone
    pub file: PathBuf,
    /// File that holds the URL of the PostgreSQL with the incidents
    #[arg(long, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
}

/// `bongsu restore`.
#[derive(Debug, Clone, Args)]
pub struct Restore {
    /// A file that `bongsu backup` has written
    pub file: PathBuf,
    /// File that holds the URL of the PostgreSQL for the incidents
    #[arg(long, value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Also where there are incidents already: the backup comes in their place
    #[arg(long)]
    pub replace: bool,
}

/// `bongsu apply`.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    /// A file, a folder whose *.yaml are read, or - for standard input
    #[arg(short = 'f', long = "file", value_name = "DIR", required = true)]
    pub files: Vec<PathBuf>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also remove what the files do not name
    #[arg(long)]
    pub prune: bool,
}

/// `bongsu incident`.
#[derive(Debug, Subcommand)]
pub enum Incident {
    /// List incidents, the most urgent first
    List {
        /// open, acknowledged, closed, or all
        #[arg(long, default_value = "open,acknowledged", value_name = "STATE,..")]
        state: String,
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Only of these priorities
        #[arg(long, value_name = "P1,..")]
        priority: Option<String>,
        /// Only those whose title, host or template contains this text
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
    /// How fast incidents were taken and ended (MTTA, MTTR), by tenant and priority
    Times {
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Opened since this time, RFC 3339; 30 days ago by default
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Opened before this time, RFC 3339; now by default
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// One incident with its timeline
    Show {
        /// The incident's id, or its beginning
        id: String,
    },
    /// Say that you take care of it
    Ack {
        /// The incident's id, or its beginning
        id: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
    },
    /// Give it to a contact, who is paged; without an answer escalation goes on
    Assign {
        /// The incident's id, or its beginning
        id: String,
        /// Name of the contact in the catalogue
        #[arg(long, value_name = "CONTACT")]
        to: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
    },
    /// Write into its timeline and its chat room
    Comment {
        /// The incident's id, or its beginning
        id: String,
        /// What
        text: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
    },
    /// Put it off; it pages again when the time is over
    Snooze {
        /// The incident's id, or its beginning
        id: String,
        /// How long, such as 30m or 4h; 7d at most
        #[arg(long = "for", value_name = "TIME")]
        span: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
    },
    /// Say that it is the same as another; it pages no more while that one is open
    Merge {
        /// The incident's id, or its beginning
        id: String,
        /// The incident that stays
        #[arg(long, value_name = "ID")]
        into: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
    },
    /// Judge it anew: higher asks everybody anew, lower tells nobody
    Priority {
        /// The incident's id, or its beginning
        id: String,
        /// P1, P2 or P3
        priority: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
    },
    /// Close it by hand
    Close {
        /// The incident's id, or its beginning
        id: String,
        /// Who you are; your login name by default
        #[arg(long, value_name = "NAME", env = "USER")]
        by: String,
        /// Do not reopen while the condition lasts
        #[arg(long)]
        until_resolved: bool,
    },
}

/// `bongsu doctor`.
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// Check what this service's user may do in Kafka, with the login of the configuration, and nothing else
    #[arg(long = "as", value_name = "SERVICE")]
    pub service: Option<Service>,
}

/// `bongsu config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the configuration; secrets are shown by their file only
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Check the configuration and say what is wrong
    Check,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
