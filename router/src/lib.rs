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
