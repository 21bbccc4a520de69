//! `bongsu oncall`.

use clap::Subcommand;

/// `bongsu oncall`.
#[derive(Debug, Subcommand)]
pub enum Oncall {
    /// Who is on call, and why; in all schedules when none is named
    Show {
        /// The schedule
        schedule: Option<String>,
        /// At that time: 2026-11-21T03:00 on the schedule's clock, or with an offset; now when left out
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Who is on call from when to when
    Shifts {
        /// The schedule
        schedule: String,
        /// From when on; now when left out
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when; 14 days when left out
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
    /// Hours of the next 14 days in which an escalation policy reaches nobody
    Gaps,
    /// Where several layers or overrides have somebody at once in the next 14 days: who answers, and whom they cover
    Overlaps {
        /// The schedule
        schedule: String,
    },
    /// The next 12 weeks as a calendar (iCalendar) for phones and mail programs
    Calendar {
        /// The schedule
        schedule: String,
        /// Only that contact's turns
        #[arg(long, value_name = "CONTACT")]
        person: Option<String>,
    },
}
