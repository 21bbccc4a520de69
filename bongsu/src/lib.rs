//! The `bongsu` program: command line, configuration, and the wiring of services; nothing that decides.

mod author;
pub mod cli;
mod commands;
mod control;
mod demo;
mod failure;
mod health;
pub mod metrics;
mod narrator;
mod parts;
mod print;
mod progress;
mod reload;
pub mod rights;
pub mod routes;
mod rows;
mod settings;
mod tokens;
mod words;

pub use failure::{Exit, Failure, Outcome};

/// Runs one command to its end.
pub async fn run(cli: cli::Cli) -> Outcome {
    commands::run(cli).await
}

/// Ends a command line that is none: help and version are results, everything else is an error like those of the commands.
pub fn refused(error: &clap::Error) -> std::process::ExitCode {
    if error.use_stderr() {
        print::refused(error);
        return std::process::ExitCode::from(Exit::Usage as u8);
    }
    print::text(&error.render().to_string());
    std::process::ExitCode::SUCCESS
}

/// Says on standard error why a command failed.
pub fn report(failure: &Failure) {
    print::message(&failure.to_string());
}
