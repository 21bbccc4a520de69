//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a million points cost in each service, on a real Kafka and a store that only counts.
#[derive(Debug, Parser)]
#[command(name = "bench", arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What is measured.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// From a topic to the store: 1 and 100 lines a message, bodies in gzip and as they are
    Consumer(Options),
    /// From HTTP to a topic: bodies of 5,000 lines in gzip
    Router(Options),
    /// The store that only counts, as a process of its own
    #[command(hide = true)]
    Sink {
        /// Where it listens
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// How it is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Lines of each cell
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) lines: u64,
    /// Who runs beside Bongsu, on the same lines and the same sink
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) against: Vec<Rival>,
    /// How the figures are printed
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// The program that is measured; by default the `bongsu` beside this one
    #[arg(long, value_name = "PATH")]
    pub(crate) bongsu: Option<PathBuf>,
}

/// Whom Bongsu is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rival {
    /// Telegraf at its defaults, but for the buffer that it needs to lose nothing
    Telegraf,
    /// Telegraf with batches as large as Bongsu's
    TelegrafTuned,
}

/// Form of the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}
