//! Lists, filters and searches over HTTP, as a console and scripts ask for them.

use super::fill::{HOSTS, TENANTS, fill};
use super::provider::Provider;
use super::{Cell, Database, NotifierOptions, Site, catalogue};
use anyhow::{Context, Result, ensure};
use reqwest::Client;
use runtime::Clock;
use serde_json::Value;
use std::time::Duration;

/// Pages that are turned behind the first, in `next pages`.
const TURNS: u64 = 20;

/// What is asked, and whether there is something to be found.
struct Question {
    what: &'static str,
    /// The query of the n-th time.
    query: fn(u64) -> String,
    found: bool,
}

const QUESTIONS: [Question; 11] = [
    Question {
        what: "list: the newest 50",
        query: |_| String::new(),
        found: true,
    },
    Question {
        what: "list: the newest 50 of a tenant",
        query: |n| format!("tenant=tenant-{}", n % TENANTS),
        found: true,
    },
    Question {
        what: "filter: open or acknowledged",
        query: |_| "state=open,acknowledged".to_owned(),
        found: true,
    },
    Question {
        what: "filter: open P1 of a tenant",
        query: |n| format!("tenant=tenant-{}&state=open&priority=P1", n % TENANTS),
        found: false,
    },
    Question {
        what: "filter: closed P1",
        query: |_| "state=closed&priority=P1".to_owned(),
        found: true,
    },
    Question {
        what: "search: a word of every fourth title",
        query: |_| "q=nearly+full".to_owned(),
        found: true,
    },
    Question {
        what: "search: a host",
        query: |n| format!("q=web-{}", 10_000 + n * 7 % HOSTS),
        found: true,
    },
    Question {
        what: "search: a host of one tenant",
        query: |n| {
            let i = n * 7;
            format!("tenant=tenant-{}&q=web-{}", i % TENANTS, 10_000 + i % HOSTS)
        },
        found: true,
    },
    Question {
        what: "search: Korean",
        query: |_| "q=%EB%94%94%EC%8A%A4%ED%81%AC".to_owned(),
        found: true,
    },
    Question {
        what: "search: what is nowhere",
        query: |n| format!("q=db-{n}-nowhere"),
        found: false,
    },
    Question {
        what: "search: a part for two rare characters",
        query: |_| "q=zz".to_owned(),
        found: false,
    },
];

/// Fills a store and asks.
///
/// # Errors
/// When a system fails, or an answer is not what it should be.
pub(super) async fn run(options: &NotifierOptions, database: Database) -> Result<Vec<Cell>> {
    let site = Site::start(options, database, &catalogue(None)).await?;
    let provider = Provider::start(Duration::ZERO).await?;
    // Makes the tables.
    drop(site.notifier(provider.url()).await?);
    let watch = Clock::system().stopwatch();
    fill(&site.url, options.incidents, Clock::system().now_nanos()).await?;
    eprintln!(
        "{} incidents were filled in within {:.0} s",
        options.incidents,
        watch.elapsed().as_secs_f64()
    );
    let (mut notifier, base) = site.notifier(provider.url()).await?;
    let asker = Asker {
        client: tests::web::client(),
        base: format!("{base}/api/v1/incidents"),
    };
    let mut cells = Vec::new();
    for question in &QUESTIONS {
        let mut times = Vec::new();
        for n in 0..options.asks {
            let (answer, nanos) = asker.ask(&(question.query)(n)).await?;
            let found = answer["incidents"].as_array().context("a list")?;
            ensure!(
                !question.found || !found.is_empty(),
                "{} found nothing",
                question.what
            );
            times.push(nanos);
        }
        cells.push(Cell::new(question.what, times));
    }
    cells.push(Cell::new(
        "list: the pages behind the first",
        asker.turn(options.asks).await?,
    ));
    notifier.look()?;
    Ok(cells)
}

struct Asker {
    client: Client,
    base: String,
}

impl Asker {
    /// The answer, and how long it took in nanoseconds.
    async fn ask(&self, query: &str) -> Result<(Value, i64)> {
        let clock = Clock::system();
        let before = clock.now_nanos();
        let answer = self.client.get(format!("{}?{query}", self.base)).send();
        let body = answer.await?.error_for_status()?.bytes().await?;
        let nanos = clock.now_nanos() - before;
        Ok((serde_json::from_slice(&body)?, nanos))
    }

    /// Turns pages, one tenant after the other.
    async fn turn(&self, asks: u64) -> Result<Vec<i64>> {
        let mut times = Vec::new();
        for tenant in 0..asks.div_ceil(TURNS) {
            let query = format!("tenant=tenant-{}", tenant % TENANTS);
            let (mut page, _) = self.ask(&query).await?;
            for _ in 0..TURNS {
                let Some(next) = page["next"].as_str() else {
                    break;
                };
                let (behind, nanos) = self.ask(&format!("{query}&cursor={next}")).await?;
                times.push(nanos);
                page = behind;
            }
        }
        Ok(times)
    }
}
