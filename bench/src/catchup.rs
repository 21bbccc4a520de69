//! How long it takes to catch up when a store that was out takes writes again, while lines keep coming.

use crate::cli::{CatchupOptions, Compression, Manners, Output};
use crate::load::Load;
use crate::product::Product;
use crate::sink::Sink;
use crate::steady::{self, Made, Pace};
use crate::usage;
use anyhow::{Context, Result, ensure};
use runtime::Clock;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use tests::{Kafka, wait};
use tokio::task::block_in_place;

/// Seconds of production before the outage; the first of them let every partition be read.
const BEFORE: u64 = 10;
/// Caught up is who is behind by no more than the lines of this time.
const BEHIND: Duration = Duration::from_secs(1);
/// It must not take longer than so many times the outage, and this.
const TIMES: u32 = 3;
const LEAST: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// What came of it.
#[derive(Debug, Serialize)]
struct Catchup {
    bench: &'static str,
    load_before: f64,
    rate: u64,
    outage_s: u64,
    /// Lines that waited when the store came back.
    backlog: u64,
    /// From then until no more than the lines of a second waited.
    seconds: f64,
    /// What was stored in that time.
    points_per_s: f64,
    /// Lines that were stored more than once.
    repeated: u64,
    /// Partitions that were taken away meanwhile.
    rebalances: usize,
}

/// Has an outage, and measures what follows.
///
/// # Errors
/// When one of the systems fails, it does not catch up, or a line is missing in the end.
pub(crate) async fn run(options: &CatchupOptions) -> Result<ExitCode> {
    let load_before = usage::load_average()?;
    let kafka = Kafka::start().await;
    let product = Product::find(options.run.bongsu.as_deref(), kafka.brokers())?;
    let manners = Manners {
        remember: true,
        ..Manners::default()
    };
    let sink = Sink::start(&manners).await?;
    let load = Load {
        compression: Compression::None,
        ..Load::new(0, 1)
    };
    block_in_place(|| product.declare(&[sink.url().to_owned()], &load.tenants()))?;
    let (consumer, _) = product.start("consumer", "{}").await?;
    let topics: Vec<_> = load.topics().into_iter().map(|(topic, _)| topic).collect();
    let made = Made::default();
    let longest = Duration::from_secs(options.outage) * TIMES + LEAST;
    let after = longest.as_secs() / 2;
    let seconds = BEFORE + options.outage + after;
    let producing = steady::produce(&kafka, &topics, Pace::single(options.rate), seconds, &made);
    let watching = async {
        tokio::time::sleep(Duration::from_secs(BEFORE)).await;
        let before = steady::taken_away(&consumer)?;
        sink.outage(true).await?;
        tokio::time::sleep(Duration::from_secs(options.outage)).await;
        let stored = sink.received().await?.tally.lines;
        let backlog = made.tally().lines - stored;
        let from = Clock::system().now_nanos();
        sink.outage(false).await?;
        let behind = options.rate * BEHIND.as_secs();
        loop {
            let received = sink.received().await?.tally.lines;
            let took = Duration::from_nanos(u64::try_from(Clock::system().now_nanos() - from)?);
            if made.tally().lines <= received + behind {
                return Ok((backlog, took, received - stored, before));
            }
            ensure!(
                took < longest,
                "it does not catch up: {received} lines are stored"
            );
            tokio::time::sleep(LOOK).await;
        }
    };
    let (produced, watched) = tokio::join!(producing, watching);
    produced?;
    let (backlog, took, stored, before) = watched?;
    let all = made.tally();
    let received = wait::until(longest, async || {
        let received = sink.received().await?;
        Ok((received.tally == all).then_some(received))
    });
    let received = received
        .await
        .with_context(|| format!("{all} were produced, and did not all arrive"))?;
    let result = Catchup {
        bench: "catchup",
        load_before,
        rate: options.rate,
        outage_s: options.outage,
        backlog,
        seconds: took.as_secs_f64(),
        points_per_s: (stored as f64 / took.as_secs_f64()).round(),
        repeated: received.repeated,
        rebalances: steady::taken_away(&consumer)? - before,
    };
    consumer.stop().await?;
    match options.run.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&result)?),
        Output::Table => println!(
            "{} lines waited after {} s; caught up in {:.1} s at {:.0} points/s; {} repeated, 0 lost, {} rebalances, \
             load before the run {:.1}",
            result.backlog,
            result.outage_s,
            result.seconds,
            result.points_per_s,
            result.repeated,
            result.rebalances,
            result.load_before
        ),
    }
    Ok(ExitCode::SUCCESS)
}
