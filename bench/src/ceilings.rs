//! What nobody can beat here: a consumer that only counts, and a generator against the sink alone.

use crate::cli::CountOptions;
use crate::contender::{Contender, cell_time};
use crate::lines;
use crate::load::Load;
use crate::report::Ceiling;
use crate::sink::Sink;
use crate::tally::Tally;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use flate2::write::GzEncoder;
use kafka_batch::{BatchQueue, Polled};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use runtime::Clock;
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tests::workdir::Workdir;
use tests::{Kafka, web};

/// Messages of one call.
const TAKE: usize = 4096;
const POLL: Duration = Duration::from_millis(5);
/// What the counting process says when it has all lines.
const DONE: &str = "counted all";
/// Lines of a body that is posted to the sink alone, and how many bodies at a time.
const BODY_LINES: u64 = 5_000;
const POSTS: u64 = 8;
/// Bodies of that run.
const BODIES: u64 = 160;

/// Reads a backlog in a process of its own, which only counts lines.
///
/// # Errors
/// When it does not count them all.
pub(crate) async fn counting(kafka: &Kafka, load: &Load) -> Result<Ceiling> {
    let topics: Vec<_> = load.topics().into_iter().map(|(topic, _)| topic).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["count", "--brokers", &kafka.brokers()]);
    command.args([
        "--topics",
        &topics.join(","),
        "--lines",
        &load.lines.to_string(),
    ]);
    let mut process = Contender::start("counting consumer", command, Workdir::new("count"))?;
    let from = process.look()?;
    let mut seen = 0;
    let all = process.until_logged(cell_time(load.lines), DONE, &mut seen);
    all.await.context("the counting consumer")?;
    let figures = process.figures(load.lines, from, seen)?;
    process.stop().await?;
    Ok(Ceiling {
        what: "a consumer that only counts",
        lines_per_message: Some(load.lines_per_message),
        encoding: None,
        cpu_s_per_mpoint: Some(figures.cpu_s_per_mpoint),
        points_per_s: figures.points_per_s,
    })
}

/// The counting process. It stays when it is done, so that it can be looked at.
///
/// # Errors
/// When Kafka's client cannot be made.
pub(crate) fn count(options: &CountOptions) -> Result<()> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("group.id", "bongsu-bench-ceiling")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("fetch.max.bytes", "1048576")
        .set("fetch.message.max.bytes", "262144")
        .set("queued.max.messages.kbytes", "8192");
    let consumer: Arc<BaseConsumer> = Arc::new(config.create()?);
    let queue = BatchQueue::new(Arc::clone(&consumer), TAKE);
    let mut queue = queue.context("the client makes no queue")?;
    let mut places = TopicPartitionList::new();
    for topic in &options.topics {
        for partition in 0..lines::PARTITIONS.cast_signed() {
            ensure!(
                queue.attach(topic, partition),
                "{topic} has no partition {partition}"
            );
            places.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
    }
    consumer.assign(&places)?;
    let mut seen = 0;
    while seen < options.lines {
        // Serves the client's errors; messages come through the queue.
        if let Some(Err(error)) = consumer.poll(Duration::ZERO) {
            eprintln!("{error}");
        }
        queue.take(POLL, |polled| match polled {
            Polled::Run(run) => {
                for message in run.messages() {
                    let value = message.value().unwrap_or_default();
                    seen += value.iter().filter(|byte| **byte == b'\n').count() as u64;
                }
            }
            Polled::Failed(code) => eprintln!("{code}"),
        });
    }
    println!("{DONE}");
    loop {
        std::thread::park();
    }
}

/// Posts bodies to a sink as fast as it takes them.
///
/// # Errors
/// When it refuses one.
pub(crate) async fn sink_alone(sink: &Sink, encoding: &'static str) -> Result<Ceiling> {
    sink.forget().await?;
    let mut bodies = Vec::new();
    for n in 0..POSTS {
        let mut text = Vec::new();
        let first = n * BODY_LINES;
        (first..first + BODY_LINES).for_each(|line| lines::write(line, lines::HOSTS, &mut text));
        let body: Bytes = if encoding == "gzip" {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&text)?;
            encoder.finish()?.into()
        } else {
            text.into()
        };
        bodies.push(body);
    }
    let from = Clock::system().now_nanos();
    let mut posts = tokio::task::JoinSet::new();
    for body in bodies {
        let url = format!(
            "{}/api/v2/write?org=bongsu&bucket=bench&precision=ns",
            sink.url()
        );
        posts.spawn(async move {
            let client = web::client();
            for _ in 0..BODIES / POSTS {
                let post = client.post(&url).header("content-encoding", encoding);
                let answer = post.body(body.clone()).send().await?;
                ensure!(
                    answer.status() == 204,
                    "the sink answers {}",
                    answer.status()
                );
            }
            Ok(())
        });
    }
    posts.join_all().await.into_iter().collect::<Result<()>>()?;
    let received = sink.received().await?;
    let (lines, took) = (received.tally, received.last_nanos - from);
    ensure!(
        lines != Tally::default() && took > 0,
        "the sink took nothing"
    );
    Ok(Ceiling {
        what: "a generator against the sink alone",
        lines_per_message: None,
        encoding: Some(encoding),
        cpu_s_per_mpoint: None,
        points_per_s: (lines.lines as f64 / took as f64 * 1e9).round(),
    })
}
