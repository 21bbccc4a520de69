//! `bongsu token` and `bongsu audit`.

use clap::Subcommand;

/// `bongsu token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token, which is shown this once; of one name the two newest are valid, so that it can be rotated
    Add {
        /// What it is for: 1 to 64 of a-z, 0-9 and '-'
        name: String,
        /// viewer, responder, operator or admin
        #[arg(long)]
        role: String,
        /// Tenants that it is for, or `*`
        #[arg(long, value_name = "ID,..", value_delimiter = ',', required = true)]
        tenants: Vec<String>,
        /// How long it is valid, such as 90d; until it is revoked by default
        #[arg(long = "for", value_name = "TIME")]
        lasts: Option<String>,
    },
    /// List the tokens, the newest first
    List,
    /// Revoke tokens: the next request with one of them is refused
    Revoke {
        /// Ids of tokens, or their beginnings
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// `bongsu audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List who did what, the oldest first
    List {
        /// Only entries behind this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
    /// Look whether an entry was changed, taken out or put in; prints the last entry's number and hash, to note elsewhere
    Verify {
        /// `NUMBER:HASH` that was noted before: a log that was cut off or written anew is found by it
        #[arg(long, value_name = "NUMBER:HASH")]
        known: Option<String>,
    },
}
