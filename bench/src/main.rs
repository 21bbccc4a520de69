//! Benchmarks of the data plane: what a million points cost, beside a real Telegraf.

// A stopwatch that prints: it has a real clock, a thread of its own, and speaks to whoever runs it.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod consumer;
mod contender;
mod lines;
mod product;
mod report;
mod router;
mod sink;
mod tally;
mod telegraf;
mod topic;
mod usage;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Command::Consumer(options) => Box::pin(consumer::run(&options))
            .await?
            .print(options.output),
        Command::Router(options) => Box::pin(router::run(&options)).await?.print(options.output),
        Command::Sink { listen } => {
            sink::serve(listen).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
