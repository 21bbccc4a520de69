//! HTTP in, the tenant's topic out: a line is accepted only when the log has it.

pub mod core;

mod app;
mod config;
mod error;
mod io;
mod metrics;

pub use app::{Running, start};
pub use config::Config;
pub use error::StartError;

/// The table of the router's routes, those of readers among them.
pub fn routes() -> Vec<runtime::Declared> {
    let mut table = io::http::table().table();
    table.extend(io::read::table().table());
    table
}

/// Adds the router's metrics to a registry, for who lists them.
pub fn register_metrics(all: &runtime::Metrics) {
    drop(metrics::Metrics::register(all));
}
