//! `bongsu notify`.

use clap::Subcommand;

/// `bongsu notify`.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// What every channel would say, in both languages or that of --lang; text messages with their bytes of EUC-KR
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
        /// Only of that channel, such as sms
        #[arg(long, value_name = "CHANNEL")]
        channel: Option<String>,
    },
    /// A real test to a person, by the way of every page; prints what became of it
    Test {
        /// The contact's name in the catalogue
        contact: String,
        /// Only by these channels, such as sms; by default every one that reaches the person
        #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
        channel: Vec<String>,
        /// How many seconds to wait for the providers
        #[arg(long, default_value_t = 30, value_name = "SECONDS")]
        wait: u64,
    },
    /// Proves whose a phone is: sends a code to it, or takes the code that came
    Verify {
        /// The contact's name in the catalogue
        contact: String,
        /// How the code goes there: sms, voice or alimtalk
        #[arg(long, default_value = "sms", value_name = "CHANNEL")]
        channel: String,
        /// The code that came
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// How many seconds to wait for the provider
        #[arg(long, default_value_t = 30, value_name = "SECONDS")]
        wait: u64,
    },
    /// Contacts, whether their phones are verified, and what should be mended before it is needed
    Contacts,
}
