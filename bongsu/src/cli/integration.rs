//! `bongsu integration`.

use clap::Subcommand;
use std::path::PathBuf;

/// `bongsu integration`.
#[derive(Debug, Subcommand)]
pub enum Integration {
    /// Let another system send alerts for a tenant; its key is shown once, with the lines for it
    Add {
        /// Its name: 1 to 64 of a-z, 0-9 and '-'
        name: String,
        /// Whose alerts they are
        #[arg(long)]
        tenant: String,
        /// alertmanager, alertmanager-webhook, pagerduty, standard, heartbeat, email or webhook
        #[arg(long, value_name = "FORMAT")]
        format: String,
        /// Of a heartbeat: how often it comes at least, such as 5m
        #[arg(long, value_name = "DURATION")]
        every: Option<String>,
        /// Of a webhook: file with its mapping (minijinja)
        #[arg(long, value_name = "FILE")]
        mapping: Option<PathBuf>,
        /// Make a new key although there is one; the older of two goes
        #[arg(long)]
        new_key: bool,
    },
    /// What a mapping makes of a request's body; nothing is sent and nothing opened
    Preview {
        /// File with the mapping
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        /// File with the body (JSON)
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
    },
    /// List the integrations
    List,
    /// Take an integration out: its keys open nothing any more
    Revoke {
        /// Its name
        name: String,
    },
}
