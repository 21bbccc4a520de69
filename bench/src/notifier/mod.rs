//! What the notifier costs those who wait for it: from an event to the provider's request, and from a question to the
//! list of incidents.

mod delivery;
mod due;
mod events;
mod fill;
mod provider;
mod questions;

use crate::cli::Output;
use crate::contender::Contender;
use crate::product::Product;
use crate::usage;
use ::tests::workdir::Workdir;
use ::tests::{Kafka, Postgres};
use anyhow::Result;
use clap::{Args, ValueEnum};
use model::Priority;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::task::block_in_place;

/// What of the notifier is measured, and how.
#[derive(Debug, Args)]
pub(crate) struct NotifierOptions {
    /// What is measured; by default all
    #[arg(value_enum)]
    kinds: Vec<Kind>,
    /// On which databases; by default both
    #[arg(long, value_enum, value_delimiter = ',')]
    database: Vec<Database>,
    /// Pages of P1 that are timed, one every 250 ms
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pages: u64,
    /// Incidents of P3 a minute beside them, of another tenant, in `storm`
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    storm_per_minute: u64,
    /// They come all at once at the beginning of each minute, as from hosts that are judged on one grid
    #[arg(long)]
    storm_at_once: bool,
    /// Incidents of another tenant whose next step is due at one moment, in `due`
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    due: u64,
    /// Their priority: P1, P2 or P3
    #[arg(long, default_value_t = Priority::P1)]
    due_priority: Priority,
    /// How long the provider takes to answer, in milliseconds
    #[arg(long, default_value_t = 100)]
    answer_ms: u64,
    /// Incidents in the store, in `questions`
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    incidents: u64,
    /// How often each question is asked, in `questions`
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    asks: u64,
    /// How the figures are printed
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    output: Output,
    /// The program that is measured; by default the `bongsu` beside this one
    #[arg(long, value_name = "PATH")]
    bongsu: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// From an event of P1 on the topic of alerts to the provider's request, while nothing else happens
    Idle,
    /// The same while another tenant has a storm of P3
    Storm,
    /// From when the second step of a P1 is due to the provider's request, while another tenant has a storm of due steps
    Due,
    /// List, filter and search, over HTTP, with a million incidents in the store
    Questions,
}

/// Where incidents are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    /// A file in the system's folder for temporary files.
    Sqlite,
    /// A server of the bench's own, as the tests start it: without `fsync`.
    Postgres,
}

/// Times of one thing, in ms.
#[derive(Debug)]
struct Cell {
    what: String,
    times: Vec<f64>,
}

impl Cell {
    fn new(what: impl Into<String>, nanos: impl IntoIterator<Item = i64>) -> Self {
        let mut times: Vec<f64> = nanos.into_iter().map(|n| n as f64 / 1e6).collect();
        times.sort_by(f64::total_cmp);
        Self {
            what: what.into(),
            times,
        }
    }

    /// The time that so many of a hundred did not exceed.
    fn percentile(&self, of_100: usize) -> f64 {
        let last = self.times.len().saturating_sub(1);
        let at = (self.times.len() * of_100).div_ceil(100).saturating_sub(1);
        self.times.get(at.min(last)).copied().unwrap_or(f64::NAN)
    }

    fn print(&self, database: Database, load: f64, output: Output) {
        let name = database
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned());
        let (count, what) = (self.times.len(), &self.what);
        let [p50, p99, most] = [50, 99, 100].map(|of_100| self.percentile(of_100));
        match output {
            Output::Table => println!(
                "{name:<9} {what:<44} p50 {p50:>8.1} ms  p99 {p99:>8.1} ms  most {most:>8.1} ms  \
                 of {count}, load {load:.1}"
            ),
            Output::Json => {
                let cell: Value = json!({
                    "database": name, "cell": what, "count": count, "p50_ms": p50, "p99_ms": p99,
                    "most_ms": most, "load": load,
                });
                println!("{cell}");
            }
        }
    }
}

/// Measures and prints, each cell as soon as it is known.
///
/// # Errors
/// When one of the systems fails.
pub(crate) async fn run(options: &NotifierOptions) -> Result<()> {
    let kinds = match options.kinds.as_slice() {
        [] => Kind::value_variants(),
        some => some,
    };
    let databases = match options.database.as_slice() {
        [] => Database::value_variants(),
        some => some,
    };
    for kind in kinds {
        for database in databases {
            let load = usage::load_average()?;
            let cells = match kind {
                Kind::Idle => Box::pin(delivery::idle(options, *database)).await?,
                Kind::Storm => Box::pin(delivery::storm(options, *database)).await?,
                Kind::Due => Box::pin(due::due(options, *database)).await?,
                Kind::Questions => Box::pin(questions::run(options, *database)).await?,
            };
            for cell in cells {
                cell.print(*database, load, options.output);
            }
        }
    }
    Ok(())
}

/// The systems around the notifier.
struct Site {
    kafka: Kafka,
    product: Product,
    /// None with SQLite.
    server: Option<Postgres>,
    /// Of the database, as the notifier and whoever fills it name it.
    url: String,
    folder: Workdir,
}

impl Site {
    async fn start(options: &NotifierOptions, database: Database, catalogue: &str) -> Result<Self> {
        let kafka = Kafka::start().await;
        let product = Product::find(options.bongsu.as_deref(), kafka.brokers())?;
        block_in_place(|| product.apply(catalogue))?;
        let folder = Workdir::new("notifier-store");
        let (server, url) = match database {
            Database::Sqlite => {
                let file = folder.join("incidents.db");
                (None, format!("sqlite://{}", file.display()))
            }
            Database::Postgres => {
                let server = Postgres::start().await;
                let url = server.database();
                (Some(server), url)
            }
        };
        Ok(Self {
            kafka,
            product,
            server,
            url,
            folder,
        })
    }

    /// Starts the notifier, and waits until it is ready. Returns its base URL, too.
    async fn notifier(&self, provider: &str) -> Result<(Contender, String)> {
        let token = self.folder.write("slack-token", "xoxb-bench");
        let secret = self.folder.write("slack-secret", "bench-signing-secret");
        let database = match self.server {
            None => format!("sqlite: {}", self.folder.join("incidents.db").display()),
            Some(_) => {
                let file = self.folder.write("postgres-url", &self.url);
                format!("postgres_url_file: {}", file.display())
            }
        };
        let settings = format!(
            "{{database: {{{database}}}, slack: {{bot_token_file: {}, signing_secret_file: {}, api_url: '{provider}'}}}}",
            token.display(),
            secret.display(),
        );
        self.product.start("notifier", &settings).await
    }
}

/// Tenants that page in turn, each to a room of its own: a room takes one message a second, and what waits for that is no measure
/// of the notifier.
const CALM: u64 = 16;

/// Who pages the n-th time.
fn calm(n: u64) -> String {
    format!("calm-{}", n % CALM)
}

/// Tenants with a policy and a room of their own: those that page, and one that has a storm. A P1 that nobody takes is told
/// again so long after, where that is given.
fn catalogue(again_after: Option<&str>) -> String {
    let steps = match again_after {
        None => "[{notify: [kim]}]".to_owned(),
        Some(after) => format!("[{{notify: [kim]}}, {{notify: [kim], after: {after}}}]"),
    };
    let tenant = |name: &str, room: u64| {
        format!(
            "---
escalation_policy: {name}
chat: C{room:010}
channels: {{P1: [chat], P2: [chat], P3: [chat]}}
steps: {steps}
---
tenant: {name}
partitions: 1
escalation_policy: {name}
"
        )
    };
    let calm: String = (0..CALM).map(|n| tenant(&calm(n), 100 + n)).collect();
    let parts = 0..fill::STORM_ROOMS;
    let policies = parts.clone().map(|n| {
        format!(
            "---
escalation_policy: part-{n}
chat: C{:010}
channels: {{P1: [chat], P2: [chat], P3: [chat]}}
steps: {steps}
",
            1_000 + n
        )
    });
    let rules =
        parts.map(|n| format!("  - {{when: {{tags: {{part: '{n}'}}}}, to: 'policy:part-{n}'}}\n"));
    // The last is its tenant, to which the rules belong.
    format!(
        "contact: kim\nname: Kim\nslack: U0000000001\n{}{calm}{}routing:\n{}",
        policies.collect::<String>(),
        tenant("stormy", 2),
        rules.collect::<String>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_so_many_did_not_exceed() {
        let cell = Cell::new("x", (1..=200).map(|ms| ms * 1_000_000));
        assert_eq!(cell.percentile(50), 100.0);
        assert_eq!(cell.percentile(99), 198.0);
        assert_eq!(cell.percentile(100), 200.0);
        assert!(Cell::new("none", []).percentile(99).is_nan());
    }
}
