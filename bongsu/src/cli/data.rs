//! The commands of the data plane: where points go, what could not be stored, and what comes in.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `bongsu dlq`.
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// List dead letters: lines that no shard will ever take as they are
    List {
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// At most so many, the newest
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        lines: usize,
        /// Also those that were put back
        #[arg(long)]
        all: bool,
    },
    /// One dead letter with all that is known about it
    Show {
        /// The dead letter's id, as `list` prints it
        id: String,
    },
    /// Put lines back to their tenant's topic, each once; they are judged anew
    Replay(DlqReplay),
}

/// `bongsu dlq replay`.
#[derive(Debug, Clone, Args)]
pub struct DlqReplay {
    /// Ids as `list` prints them; without one, --tenant or --all says which
    pub ids: Vec<String>,
    /// All of this tenant
    #[arg(long, conflicts_with = "ids")]
    pub tenant: Option<String>,
    /// All of everybody
    #[arg(long, conflicts_with_all = ["ids", "tenant"])]
    pub all: bool,
    /// Lines a second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Say what would be put back, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `bongsu route`.
#[derive(Debug, Subcommand)]
pub enum Route {
    /// Say where a line goes and why: partition, epoch, shard, replicas
    Explain {
        /// Line protocol with its time in nanoseconds; now where it has none
        line: String,
        /// Whose line
        #[arg(long)]
        tenant: String,
    },
}

/// `bongsu shard`.
#[derive(Debug, Subcommand)]
pub enum Shard {
    /// List the shards, with what the newest epoch gives them
    List,
    /// Add a shard: points from a moment ahead on are spread over it too; what is stored stays
    Add(AddShard),
    /// Take a shard out: points from a moment ahead on go elsewhere; what is stored is still read from it
    Drain(DrainShard),
}

/// When a change of the placement begins.
#[derive(Debug, Clone, Args)]
pub struct FromWhen {
    /// When the new epoch begins: a time ahead, or how far ahead, such as `+5m`
    #[arg(
        long,
        value_name = "TIME",
        default_value = "+1m",
        allow_hyphen_values = true
    )]
    pub from: String,
    /// Print the plan, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `bongsu shard add`.
#[derive(Debug, Clone, Args)]
pub struct AddShard {
    /// 1 to 40 of a-z, 0-9 and '-'
    pub shard: String,
    /// `http://host:port`; left out for a shard that is declared already
    #[arg(long)]
    pub url: Option<String>,
    /// The organization that holds the buckets
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// File with its token, at the same place for every consumer and router
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Its failure domain
    #[arg(long)]
    pub zone: Option<String>,
    /// Its share beside the others'
    #[arg(long, default_value_t = 1.0)]
    pub weight: f64,
    /// When it begins.
    #[command(flatten)]
    pub when: FromWhen,
}

/// `bongsu shard drain`.
#[derive(Debug, Clone, Args)]
pub struct DrainShard {
    /// Which
    pub shard: String,
    /// When it begins.
    #[command(flatten)]
    pub when: FromWhen,
}

/// `bongsu tap`.
#[derive(Debug, Clone, Args)]
pub struct Tap {
    /// Whose lines
    pub tenant: String,
    /// Only lines that hold this text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// Stop after so many lines; without it, at Ctrl-C
    #[arg(short = 'n', long, value_name = "N")]
    pub lines: Option<u64>,
}

/// `bongsu resolve`.
#[derive(Debug, Clone, Args)]
pub struct Resolve {
    /// Whose points
    pub tenant: String,
    /// First moment: a time, `-1h`, or `beginning`
    #[arg(
        long,
        value_name = "TIME",
        default_value = "beginning",
        allow_hyphen_values = true
    )]
    pub from: String,
    /// Last moment: a time, `-1h`, or `now`
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now",
        allow_hyphen_values = true
    )]
    pub to: String,
    /// Only of this host
    #[arg(long)]
    pub host: Option<String>,
}
