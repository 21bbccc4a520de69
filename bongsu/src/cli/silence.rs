//! `bongsu silence`.

use clap::{Args, Subcommand};

/// `bongsu silence`.
#[derive(Debug, Subcommand)]
pub enum Silence {
    /// Page nobody about what matches, for a while; says what it covers now
    Add(AddSilence),
    /// Show what a silence would cover now, and make none
    Preview {
        /// host=web-1, env!=prod, host=~"web-.*", host!~db.*; all must match
        #[arg(required = true, value_name = "MATCHER")]
        matchers: Vec<String>,
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
    /// List silences and maintenance windows
    List {
        /// pending, active, expired, or all
        #[arg(long, default_value = "active,pending", value_name = "STATE,..")]
        state: String,
        /// Only of this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
    /// End silences now; what they held back and still fires pages
    Expire {
        /// The silence's id, or its beginning
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// `bongsu silence add`.
#[derive(Debug, Clone, Args)]
pub struct AddSilence {
    /// host=web-1, env!=prod, host=~"web-.*", host!~db.*; all must match. Labels are an incident's tags, and tenant,
    /// template, priority, env
    #[arg(value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Only of this tenant; of every tenant without it
    #[arg(long)]
    pub tenant: Option<String>,
    /// How long: 30m, 2h, 7d
    #[arg(
        long = "for",
        value_name = "DURATION",
        required_unless_present = "until"
    )]
    pub lasts: Option<String>,
    /// Until when, instead: 2026-11-22T06:00:00+09:00
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    pub until: Option<String>,
    /// From when; now without it
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Why
    #[arg(long, short = 'm')]
    pub comment: String,
    /// It is a maintenance window; one of a tenant needs no matcher
    #[arg(long)]
    pub maintenance: bool,
    /// Only at these hours of every week: "sat,sun 02:00-06:00", "every day 22:00-02:00"
    #[arg(long, value_name = "HOURS", requires = "zone")]
    pub weekly: Option<String>,
    /// The zone of these hours: Asia/Seoul
    #[arg(long, value_name = "ZONE", requires = "weekly")]
    pub zone: Option<String>,
    /// Who you are; your login name by default
    #[arg(long, value_name = "NAME", env = "USER")]
    pub by: String,
}
