//! Benchmarks of the data plane: what a million points cost, beside a real Telegraf.

// A stopwatch that prints: it has a real clock, a thread of its own, and speaks to whoever runs it.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod catchup;
mod ceilings;
mod cli;
mod consumer;
mod contender;
mod course;
mod evaluator;
mod growth;
mod isolation;
mod latency;
mod lines;
mod load;
mod memory;
mod notifier;
mod plot;
mod product;
mod report;
mod router;
mod scan;
mod shard;
mod sink;
mod steady;
mod tally;
mod telegraf;
mod topic;
mod usage;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Consumer(options) => {
            let report = Box::pin(consumer::run(&options)).await?;
            report.print(options.common.output, options.common.plot.as_deref())
        }
        Command::Router(options) => {
            let report = Box::pin(router::run(&options)).await?;
            report.print(options.output, options.plot.as_deref())
        }
        Command::Growth(options) => {
            let report = Box::pin(growth::run(&options)).await?;
            report.print(options.common.output, options.common.plot.as_deref())
        }
        Command::Isolation(options) => Box::pin(isolation::run(&options)).await,
        Command::Memory(options) => Box::pin(memory::run(&options)).await,
        Command::Catchup(options) => Box::pin(catchup::run(&options)).await,
        Command::Latency(options) => Box::pin(latency::run(&options)).await,
        Command::Shard(options) => Box::pin(shard::run(&options)).await,
        Command::Evaluator(options) => Box::pin(evaluator::run(&options))
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::Notifier(options) => Box::pin(notifier::run(&options))
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::Scan => scan::run().map(|()| ExitCode::SUCCESS),
        Command::Sink(options) => sink::serve(options).await.map(|()| ExitCode::SUCCESS),
        Command::Count(options) => ceilings::count(&options).map(|()| ExitCode::SUCCESS),
    }
}
