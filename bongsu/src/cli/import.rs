//! `bongsu import`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `bongsu import`.
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// The system that it comes from
    #[arg(value_enum)]
    pub system: System,
    /// File with what its API gave out (JSON)
    pub file: PathBuf,
}

/// The systems that can be moved from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// Grafana OnCall
    GrafanaOncall,
    /// Opsgenie
    Opsgenie,
    /// GoAlert
    Goalert,
}
