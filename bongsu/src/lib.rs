//! The `bongsu` program: command line, configuration, and the wiring of services; nothing that decides.

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
mod reload;
pub mod rights;
pub mod routes;
mod settings;
mod tokens;

pub use failure::{Exit, Failure, Outcome};

/// Runs one command to its end.
pub async fn run(cli: cli::Cli) -> Outcome {
    commands::run(cli).await
}

/// Says on standard error why a command failed.
pub fn report(failure: &Failure) {
    print::message(&failure.to_string());
}
