//! `bongsu report`.

use clap::Subcommand;

/// `bongsu report`.
#[derive(Debug, Subcommand)]
pub enum Report {
    /// What happened in a month, for a customer: incidents, how fast they were taken and ended, noisy rules (Markdown)
    Monthly {
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Which month, such as 2026-10; the last whole one by default
        #[arg(long, value_name = "YYYY-MM")]
        month: Option<String>,
        /// Where its days begin
        #[arg(long, value_name = "ZONE", default_value = "Asia/Seoul")]
        zone: String,
    },
    /// One incident from its first minute to its last, for who was not there (Markdown)
    Incident {
        /// The incident's id, or its beginning
        id: String,
        /// Of what place the times are
        #[arg(long, value_name = "ZONE", default_value = "Asia/Seoul")]
        zone: String,
    },
}
