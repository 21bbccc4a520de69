//! The tenant's topic -> the right shard: nothing lost, order kept within a series, offsets
//! committed only behind what is stored or dead-lettered.

mod app;
mod config;
pub mod core;
mod error;
mod io;
mod metrics;

/// The conservation account that the metadata of an offset commit holds, for whoever reads it.
pub mod account {
    pub use crate::core::{Account, Fates, ParseAccountError};
}

pub use app::{Running, start};
pub use config::Config;
pub use error::{RunError, StartError};
pub use io::ShardSource;

/// Adds the consumer's metrics to a registry, for who lists them.
pub fn register_metrics(all: &runtime::Metrics) {
    drop(metrics::Metrics::register(all));
}
