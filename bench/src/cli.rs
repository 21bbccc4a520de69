//! The command line.

use crate::evaluator::EvaluatorOptions;
use crate::notifier::NotifierOptions;
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
    /// From topics to the store: 1 and 100 lines a message, bodies in gzip and as they are
    Consumer(ConsumerOptions),
    /// From HTTP to a topic: bodies of 5,000 lines in gzip
    Router(Options),
    /// What a point costs the consumer with ever more tenants and series, on a full backlog
    Growth(GrowthOptions),
    /// What one shard that is dead, or answers in 10 s, does to the points of the others
    Isolation(IsolationOptions),
    /// Whether the consumer's memory stays flat over an hour's worth of lines, read at full speed
    Memory(MemoryOptions),
    /// How long it takes to catch up when a store that was out takes writes again
    Catchup(CatchupOptions),
    /// How old points are when they are stored, at a steady rate
    Latency(LatencyOptions),
    /// What one real InfluxDB takes from the consumer, and what it needs for that
    Shard(ShardOptions),
    /// What a point costs the evaluator, and a series in memory
    Evaluator(EvaluatorOptions),
    /// From an event to the provider's request, and how long a question to a million incidents takes
    Notifier(NotifierOptions),
    /// How many lines a core scans, and copies into the buffers of eight shards
    Scan,
    /// The store that only counts, as a process of its own
    #[command(hide = true)]
    Sink(SinkOptions),
    /// A consumer that only counts, as a process of its own
    #[command(hide = true)]
    Count(CountOptions),
}

/// How it is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Lines of each cell; by default 3,000,000
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    lines: Option<u64>,
    /// 1,000,000 lines a cell instead
    #[arg(long, conflicts_with = "lines")]
    short: bool,
    /// Who runs beside Bongsu, on the same lines and the same sink
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) against: Vec<Rival>,
    /// How the figures are printed
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Where a plot of them is written, as SVG
    #[arg(long, value_name = "PATH")]
    pub(crate) plot: Option<PathBuf>,
    /// The program that is measured; by default the `bongsu` beside this one
    #[arg(long, value_name = "PATH")]
    pub(crate) bongsu: Option<PathBuf>,
}

impl Options {
    /// Lines of each cell.
    pub(crate) fn lines(&self) -> u64 {
        let usual = if self.short { 1_000_000 } else { 3_000_000 };
        self.lines.unwrap_or(usual)
    }
}

/// The load of the growth.
#[derive(Debug, Args)]
pub(crate) struct GrowthOptions {
    #[command(flatten)]
    pub(crate) common: Options,
    /// Only steps of these tenants; by default all of 1, 10, 100 and 1000
    #[arg(long, value_delimiter = ',')]
    pub(crate) tenants: Vec<u32>,
    /// Only steps of these series; by default all of 1000, 100000 and 1000000
    #[arg(long, value_delimiter = ',')]
    pub(crate) series: Vec<u64>,
    /// Runs of each step, on the same topics; the median counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) runs: u32,
}

/// The consumer's load and its store.
#[derive(Debug, Args)]
pub(crate) struct ConsumerOptions {
    #[command(flatten)]
    pub(crate) common: Options,
    /// Compression of the topics
    #[arg(long, value_enum, default_value = "lz4")]
    pub(crate) compression: Compression,
    /// Lines of a message, two cells each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) lines_per_message: Vec<u64>,
    /// Tenants, each with a topic of 12 partitions; their loads fall as 1/n (Zipf)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) tenants: u32,
    /// Shards, each a sink of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) shards: u32,
    #[command(flatten)]
    pub(crate) manners: Manners,
}

/// What is measured, and how its figures are printed.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// How the figures are printed
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// The program that is measured; by default the `bongsu` beside this one
    #[arg(long, value_name = "PATH")]
    pub(crate) bongsu: Option<PathBuf>,
}

/// The isolation's load.
#[derive(Debug, Args)]
pub(crate) struct IsolationOptions {
    /// Lines a second, all shards together
    #[arg(long, default_value_t = 20_000)]
    pub(crate) rate: u64,
    /// Seconds of each run
    #[arg(long, default_value_t = 45)]
    pub(crate) seconds: u64,
    /// Runs without and with the fault, in turns
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// What is wrong with the first shard
    #[arg(long, value_enum, default_value = "dead")]
    pub(crate) fault: ShardFault,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// The lines of the memory's run: 40 tenants, 4 shards.
#[derive(Debug, Args)]
pub(crate) struct MemoryOptions {
    /// Points a second
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: u64,
    /// So many minutes' worth of them
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) minutes: u64,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// The outage, and the load over it.
#[derive(Debug, Args)]
pub(crate) struct CatchupOptions {
    /// Lines a second, all the time
    #[arg(long, default_value_t = 20_000)]
    pub(crate) rate: u64,
    /// Seconds for which the store takes nothing
    #[arg(long, default_value_t = 60)]
    pub(crate) outage: u64,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// The steady rate.
#[derive(Debug, Args)]
pub(crate) struct LatencyOptions {
    /// Lines a second
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(50..))]
    pub(crate) rate: u64,
    /// Lines of a message
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) lines_per_message: u64,
    /// Seconds of the run
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// The backlog for a real InfluxDB.
#[derive(Debug, Args)]
pub(crate) struct ShardOptions {
    /// Lines of the backlog
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) lines: u64,
    /// Hosts; each is a series of four fields
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) hosts: u64,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What is wrong with a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShardFault {
    /// Nobody listens
    Dead,
    /// It answers in 10 s
    Slow,
}

/// How a sink behaves.
#[derive(Debug, Clone, Args)]
pub(crate) struct Manners {
    /// How long the sink waits before it answers a write, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(crate) wait_ms: u64,
    /// What the sink does to every tenth write, or to some lines
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) fault: SinkFault,
    /// Whether the sink counts a line that comes again once
    #[arg(long, hide = true)]
    pub(crate) remember: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            wait_ms: 0,
            fault: SinkFault::None,
            remember: false,
        }
    }
}

/// What a sink does to every tenth write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SinkFault {
    /// Takes it as all others
    None,
    /// 503 with `Retry-After: 1`
    Unavailable,
    /// 500
    Error,
    /// Never answers
    Hang,
    /// 422 to a write that holds one of the twenty lines of a million that it refuses; the others are stored
    Unprocessable,
}

/// The sink's process.
#[derive(Debug, Args)]
pub(crate) struct SinkOptions {
    /// Where it listens
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) manners: Manners,
}

/// The process that counts.
#[derive(Debug, Args)]
pub(crate) struct CountOptions {
    /// The broker
    #[arg(long)]
    pub(crate) brokers: String,
    /// The topics, all with 12 partitions
    #[arg(long, value_delimiter = ',')]
    pub(crate) topics: Vec<String>,
    /// How many lines there are
    #[arg(long)]
    pub(crate) lines: u64,
}

/// Compression of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// None
    None,
    /// lz4
    Lz4,
    /// zstd
    Zstd,
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
