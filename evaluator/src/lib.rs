//! Points to alert events: `core` decides, the rest brings it records and takes its answers away.

pub mod core;
pub mod tools;

mod app;
mod config;
mod error;
mod io;
mod metrics;

pub use app::{GROUP, Running, start};
pub use config::Config;
pub use error::{FreshError, StartError};
pub use io::fresh;
pub use io::http::table as routes;

/// Adds the evaluator's metrics to a registry, for who lists them.
pub fn register_metrics(all: &runtime::Metrics) {
    drop(metrics::Metrics::register(all));
}
