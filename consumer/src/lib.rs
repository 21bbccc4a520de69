//! The tenant's topic -> the right shard: nothing lost, order kept within a series, offsets
//! committed only behind what is stored or dead-lettered.

mod app;
mod config;
pub mod core;
mod error;
mod io;
mod metrics;

pub use app::{Running, start};
pub use config::Config;
pub use error::{RunError, StartError};
pub use io::ShardSource;
