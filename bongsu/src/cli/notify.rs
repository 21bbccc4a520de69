//! `bongsu notify`.

use clap::{Subcommand, ValueEnum};

/// `bongsu notify`.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// What every channel would say, in Korean and English; text messages with their bytes of EUC-KR
    Preview {
        /// A shipped template
        #[arg(default_value = "cpu-usage")]
        template: String,
        /// How urgent
        #[arg(long, default_value = "P1", value_name = "PRIORITY")]
        priority: String,
        /// Why it is sent: firing, escalated, resolved, ...
        #[arg(long, default_value = "firing", value_name = "PURPOSE")]
        purpose: String,
        /// Only in that language
        #[arg(long, value_enum)]
        lang: Option<Tongue>,
        /// Only of that channel, such as sms
        #[arg(long, value_name = "CHANNEL")]
        channel: Option<String>,
    },
}

/// The languages of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tongue {
    /// Korean
    Ko,
    /// English
    En,
}
