//! Parse, run, exit code.

use bongsu::cli::Cli;
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: heap::Jemalloc = heap::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(other) => return bongsu::refused(&other),
    };
    match Box::pin(bongsu::run(cli)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            bongsu::report(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
