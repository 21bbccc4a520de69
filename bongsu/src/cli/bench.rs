//! `bongsu bench`.

use clap::Args;
use std::path::PathBuf;

/// `bongsu bench`.
#[derive(Debug, Clone, Args)]
pub struct Bench {
    /// File with the ingest token of a tenant; its topic and shards take the points as any others
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,
    /// Address of the router; the running `up` when left out
    #[arg(long, value_name = "URL")]
    pub router: Option<String>,
    /// Points a second
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How many hosts send: bench-1, bench-2, ...; each point is one of `bongsu_bench`
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub hosts: u32,
    /// Requests that may be under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub connections: u8,
}
