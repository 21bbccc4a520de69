//! How old points are when they are stored: one tenant, a steady rate, a sink that answers at once.
//!
//! A line bears the time at which it was made; its age is taken when the sink answers 204. So what the producer needs to
//! make a burst and to send it (a linger of 5 ms) counts too. Run it at half of what `bench consumer` prints for p99 at half load.

use crate::cli::{Compression, LatencyOptions, Manners, Output};
use crate::load::Load;
use crate::product::Product;
use crate::sink::Sink;
use crate::steady::{self, Made, Pace};
use crate::usage;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::process::ExitCode;
use std::time::Duration;
use tests::{Kafka, wait};
use tokio::task::block_in_place;

/// Seconds in which every partition comes to be read, and the bucket known.
const WARM: u64 = 5;
/// For the last lines to arrive.
const LAST: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug, Serialize)]
struct Latency {
    bench: &'static str,
    load_before: f64,
    rate: u64,
    lines_per_message: u64,
    seconds: u64,
    /// What the producer kept up with, lines a second.
    produced_per_s: f64,
    p99_ms: u64,
    cpu_s_per_mpoint: f64,
    peak_rss_mb: f64,
}

/// Sends at a steady rate and asks the sink how old the lines were.
///
/// # Errors
/// When one of the systems fails, or a line is missing in the end.
pub(crate) async fn run(options: &LatencyOptions) -> Result<ExitCode> {
    let load_before = usage::load_average()?;
    let kafka = Kafka::start().await;
    let product = Product::find(options.run.bongsu.as_deref(), kafka.brokers())?;
    let sink = Sink::start(&Manners::default()).await?;
    let load = Load {
        compression: Compression::None,
        ..Load::new(0, options.lines_per_message)
    };
    block_in_place(|| product.declare(&[sink.url().to_owned()], &load.tenants()))?;
    let (mut consumer, _) = product.start("consumer", "{}").await?;
    let topics: Vec<_> = load.topics().into_iter().map(|(topic, _)| topic).collect();
    let pace = Pace {
        rate: options.rate,
        lines_per_message: options.lines_per_message,
    };
    let made = Made::default();
    steady::produce(&kafka, &topics, pace, WARM, &made).await?;
    arrived(&sink, &made).await?;
    sink.forget().await?;
    let (from, made) = (consumer.look()?, Made::default());
    steady::produce(&kafka, &topics, pace, options.seconds, &made).await?;
    let until = consumer.look()?;
    arrived(&sink, &made).await?;
    let received = sink.received().await?;
    let figures = consumer.figures(made.tally().lines, from, received.last_nanos)?;
    consumer.stop().await?;
    let result = Latency {
        bench: "latency",
        load_before,
        rate: options.rate,
        lines_per_message: options.lines_per_message,
        seconds: options.seconds,
        produced_per_s: (made.tally().lines as f64 * 1e9 / (until.nanos - from.nanos) as f64)
            .round(),
        p99_ms: received.p99_ms.context("nothing was stored")?,
        cpu_s_per_mpoint: figures.cpu_s_per_mpoint,
        peak_rss_mb: figures.peak_rss_mb,
    };
    ensure!(
        result.produced_per_s > 0.9 * options.rate as f64,
        "the producer made {} lines a second only: ask for less with --rate",
        result.produced_per_s
    );
    match options.run.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&result)?),
        Output::Table => println!(
            "{} points/s for {} s, {} lines a message: p99 {} ms from the making to the 204; {} CPU-s a million points, \
             peak {} MB, load before the run {:.1}",
            result.produced_per_s,
            result.seconds,
            result.lines_per_message,
            result.p99_ms,
            result.cpu_s_per_mpoint,
            result.peak_rss_mb,
            result.load_before
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the sink has what was made, and nothing else.
async fn arrived(sink: &Sink, made: &Made) -> Result<()> {
    let all = made.tally();
    let received = wait::until(LAST, async || {
        Ok((sink.received().await?.tally == all).then_some(()))
    });
    received
        .await
        .with_context(|| format!("{all} were produced, and did not all arrive"))
}
