//! From an alert event to a person who acts: incidents, paging, escalation, API and console.

pub mod app;
mod catalogue_log;
pub mod commands;
pub mod config;
#[cfg(feature = "contract")]
pub mod contract;
pub mod core;
pub mod engine;
pub mod error;
pub mod io;
pub mod metrics;
pub mod notices;
pub mod pulse;
pub mod reports;
pub mod silences;

pub use app::{Running, start};
pub use config::Config;
pub use error::StartError;

/// Adds the notifier's metrics to a registry, for who lists them.
pub fn register_metrics(all: &runtime::Metrics) {
    drop(metrics::Metrics::new(all));
}
