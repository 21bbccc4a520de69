//! What one real InfluxDB takes from the consumer: the figure from which the number of shards follows.

use crate::cli::{Compression, Output, ShardOptions};
use crate::contender::{Contender, cell_time};
use crate::load::Load;
use crate::product::{Product, TENANT};
use crate::topic::{self, Follow};
use crate::usage;
use anyhow::{Context, Result, ensure};
use runtime::Clock;
use serde::Serialize;
use std::process::ExitCode;
use tests::{Influxdb, Kafka, influxdb};
use tokio::task::block_in_place;

const LINES_PER_MESSAGE: u64 = 100;

/// What came of it.
#[derive(Debug, Serialize)]
struct Shard {
    bench: &'static str,
    load_before: f64,
    lines: u64,
    hosts: u64,
    /// From the consumer's start to the commit of the last line.
    points_per_s: f64,
    consumer_cpu_s_per_mpoint: f64,
    influxdb_cpu_s_per_mpoint: f64,
    /// In 10^6 bytes.
    influxdb_peak_rss_mb: f64,
    /// Of log and shards, before InfluxDB has compacted them.
    influxdb_bytes_a_point: f64,
}

/// Has the consumer empty a topic into an InfluxDB.
///
/// # Errors
/// When one of the systems fails, or a point is missing in the end.
pub(crate) async fn run(options: &ShardOptions) -> Result<ExitCode> {
    let load_before = usage::load_average()?;
    let kafka = Kafka::start().await;
    let influx = Influxdb::start().await;
    let id = influx.id().context("InfluxDB has no process id")?;
    let product = Product::find(options.run.bongsu.as_deref(), kafka.brokers())?;
    let load = Load {
        compression: Compression::Lz4,
        hosts: options.hosts,
        ..Load::new(options.lines, LINES_PER_MESSAGE)
    };
    let stores = [influx.url().to_owned()];
    block_in_place(|| {
        product.declare_stores(&stores, influxdb::TOKEN, &load.tenants(), "")?;
        topic::fill(&kafka, &load)
    })?;
    let follow = Follow::new(&kafka, load.topics(), "bench-shard")?;
    let before = usage::cpu(id)?;
    let from = Clock::system().now_nanos();
    let (mut consumer, _) = product.start("consumer", "{group: bench-shard}").await?;
    committed(&mut consumer, &follow, options.lines).await?;
    let took = (Clock::system().now_nanos() - from) as f64 / 1e9;
    let mpoints = options.lines as f64 / 1e6;
    let influxdb = usage::cpu(id)?.saturating_sub(before).as_secs_f64();
    let own = consumer.look()?.cpu.as_secs_f64();
    consumer.stop().await?;
    let stored = influx
        .count(
            TENANT,
            "r._measurement == \"cpu\" and r._field == \"usage_idle\"",
        )
        .await?;
    ensure!(
        stored == options.lines,
        "InfluxDB holds {stored} of {} points",
        options.lines
    );
    let rounded = |figure: f64| (figure * 100.0).round() / 100.0;
    let result = Shard {
        bench: "shard",
        load_before,
        lines: options.lines,
        hosts: options.hosts,
        points_per_s: (options.lines as f64 / took).round(),
        consumer_cpu_s_per_mpoint: rounded(own / mpoints),
        influxdb_cpu_s_per_mpoint: rounded(influxdb / mpoints),
        influxdb_peak_rss_mb: rounded(usage::peak_rss(id)? as f64 / 1e6),
        influxdb_bytes_a_point: rounded(influx.disk_bytes()? as f64 / options.lines as f64),
    };
    match options.run.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&result)?),
        Output::Table => println!(
            "{} points of {} hosts into one InfluxDB: {} points/s; CPU-s a million points: InfluxDB {}, consumer {}; \
             InfluxDB's peak {} MB, {} bytes a point on the disk; load before the run {:.1}",
            result.lines,
            result.hosts,
            result.points_per_s,
            result.influxdb_cpu_s_per_mpoint,
            result.consumer_cpu_s_per_mpoint,
            result.influxdb_peak_rss_mb,
            result.influxdb_bytes_a_point,
            result.load_before
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the group has committed all that the topic holds.
async fn committed(consumer: &mut Contender, follow: &Follow, lines: u64) -> Result<()> {
    let ends = block_in_place(|| follow.ends())?;
    consumer
        .until(cell_time(lines), async || {
            Ok(block_in_place(|| follow.committed())? == ends)
        })
        .await
        .context("the lag is not zero")
}
