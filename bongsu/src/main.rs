//! Parse, run, exit code.

use bongsu::cli::Cli;
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    heap::give_back_soon();
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
