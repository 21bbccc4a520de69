//! `bongsu template`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `bongsu template`.
#[derive(Debug, Subcommand)]
pub enum Template {
    /// Run the tests inside the templates
    Test {
        /// A file or folder; the shipped templates when left out
        path: Option<PathBuf>,
    },
    /// Judge a file of points by templates, and print the events; needs no running system
    Replay(Replay),
    /// List the shipped templates
    List,
}

/// `bongsu template replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A file, or a folder whose *.yaml are read: templates, overrides, and the tenant's evaluation and inventory
    #[arg(long, value_name = "DIR")]
    pub templates: PathBuf,
    /// Line protocol with timestamps in nanoseconds; `-` is standard input. The file's order is the log's, and a
    /// line `# arrival=<ns>` sets the arrival of what follows
    #[arg(long, value_name = "FILE")]
    pub points: PathBuf,
    /// Whose points they are; left out: the one tenant that the folder declares, else `default`
    #[arg(long)]
    pub tenant: Option<String>,
    /// Also print what is held back: events of kind flapping, held and inhibited
    #[arg(long)]
    pub all: bool,
}
