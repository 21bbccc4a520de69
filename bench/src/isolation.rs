//! What one shard that is dead, or answers in 10 s, does to the points of the others.
//!
//! Four tenants, each with its own shard, at a steady rate far below what the consumer can do. A line bears the time at
//! which it was made; its age is taken when the sink answers 204. So the time in the producer (a linger of 5 ms) counts too.

use crate::cli::{Compression, IsolationOptions, Manners, Output, ShardFault};
use crate::load::Load;
use crate::product::Product;
use crate::sink::Sink;
use crate::steady::{self, Made, Pace};
use crate::usage;
use anyhow::{Context, Result};
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use tests::{Kafka, ports};
use tokio::task::block_in_place;

const SHARDS: usize = 4;
/// After the last line, until it is looked at what has arrived.
const SETTLE: Duration = Duration::from_secs(2);

/// One run.
#[derive(Debug, Serialize)]
struct Run {
    /// Whether the first shard had its fault.
    fault: bool,
    /// The age that 99 % of the other shards' lines did not exceed when they were stored, the worst shard's.
    p99_ms: u64,
    /// Lines that the other shards stored.
    stored: u64,
    /// Partitions that were taken away while it ran.
    rebalances: usize,
}

#[derive(Debug, Serialize)]
struct Isolation {
    bench: &'static str,
    load_before: f64,
    /// Medians.
    p99_ms_without: u64,
    p99_ms_with: u64,
    /// The second by the first.
    ratio: f64,
    rebalances: usize,
    runs: Vec<Run>,
}

/// Measures without and with the fault, in turns.
///
/// # Errors
/// When one of the systems fails.
pub(crate) async fn run(options: &IsolationOptions) -> Result<ExitCode> {
    let load_before = usage::load_average()?;
    let mut runs = Vec::new();
    for _ in 0..options.runs {
        for fault in [false, true] {
            let run = Box::pin(once(options, fault)).await?;
            eprintln!(
                "fault {fault}: p99 {} ms, {} rebalances",
                run.p99_ms, run.rebalances
            );
            runs.push(run);
        }
    }
    let median = |fault| {
        let mut all: Vec<_> = runs.iter().filter(|run| run.fault == fault).collect();
        all.sort_by_key(|run| run.p99_ms);
        all[all.len() / 2].p99_ms
    };
    let (without, with) = (median(false), median(true));
    let result = Isolation {
        bench: "isolation",
        load_before,
        p99_ms_without: without,
        p99_ms_with: with,
        ratio: with as f64 / without.max(1) as f64,
        rebalances: runs.iter().map(|run| run.rebalances).sum(),
        runs,
    };
    match options.run.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&result)?),
        Output::Table => println!(
            "p99 of the other shards: {without} ms without, {with} ms with the fault ({:.2}x), \
             {} rebalances, load before the run {:.1}",
            result.ratio, result.rebalances, result.load_before
        ),
    }
    Ok(ExitCode::SUCCESS)
}

async fn once(options: &IsolationOptions, fault: bool) -> Result<Run> {
    let kafka = Kafka::start().await;
    let product = Product::find(options.run.bongsu.as_deref(), kafka.brokers())?;
    let (mut sinks, mut urls) = (Vec::new(), Vec::new());
    for n in 0..SHARDS {
        let faulty = fault && n == 0;
        if faulty && options.fault == ShardFault::Dead {
            urls.push(format!("http://127.0.0.1:{}", ports::free()));
            continue;
        }
        let manners = Manners {
            wait_ms: if faulty { 10_000 } else { 0 },
            ..Manners::default()
        };
        let sink = Sink::start(&manners).await?;
        urls.push(sink.url().to_owned());
        if n > 0 {
            sinks.push(sink);
        }
    }
    let load = Load {
        tenants: SHARDS as u32,
        compression: Compression::None,
        ..Load::new(0, 1)
    };
    let tenants = load.tenants();
    let own: Vec<_> = tenants
        .iter()
        .enumerate()
        .map(|(n, (tenant, _))| format!("{tenant}: [sink-{n}]"))
        .collect();
    let epoch = format!("    tenants: {{{}}}\n", own.join(", "));
    block_in_place(|| product.declare_placed(&urls, &tenants, &epoch))?;
    let (mut consumer, _) = product.start("consumer", "{}").await?;
    let topics: Vec<_> = load.topics().into_iter().map(|(topic, _)| topic).collect();
    let made = Made::default();
    // Every partition is read, every bucket known, before the clock starts.
    steady::produce(&kafka, &topics, Pace::single(options.rate), 5, &made).await?;
    for sink in &sinks {
        sink.forget().await?;
    }
    let before = steady::taken_away(&consumer)?;
    steady::produce(
        &kafka,
        &topics,
        Pace::single(options.rate),
        options.seconds,
        &made,
    )
    .await?;
    tokio::time::sleep(SETTLE).await;
    consumer.look()?;
    let rebalances = steady::taken_away(&consumer)? - before;
    let (mut p99_ms, mut stored) = (0, 0);
    for sink in &sinks {
        let received = sink.received().await?;
        p99_ms = p99_ms.max(
            received
                .p99_ms
                .context("a sound shard has stored nothing")?,
        );
        stored += received.tally.lines;
    }
    // With a dead shard there is something left to do; how long that takes is not measured here.
    drop(consumer);
    Ok(Run {
        fault,
        p99_ms,
        stored,
        rebalances,
    })
}
