//! The real Telegraf in Bongsu's place: its defaults, but for what it needs to lose nothing, to
//! keep moving, and to send the last lines within a second.

use crate::cli::Rival;
use crate::contender::Contender;
use anyhow::Result;
use std::process::Command;
use std::time::Duration;
use tests::workdir::Workdir;
use tests::{installed, ports};

/// Lines that the router's rival may have accepted and not yet delivered: it answers before it
/// delivers, and drops what its buffer does not hold.
pub(crate) const WINDOW: u64 = 50_000;

const START: Duration = Duration::from_secs(30);
/// What `inputs.kafka_consumer` takes at most before the output has it, in messages.
const UNDELIVERED: u64 = 1_000;
/// So many writes have to fit in what is undelivered. With one, as at its defaults, a write that
/// lacks a metric waits for the next flush, and little moves.
const WRITES_UNDERWAY: u64 = 10;
const DEFAULT_BATCH: u64 = 1_000;
/// Bongsu's largest write.
const LARGE_BATCH: u64 = 5_000;

/// How many metrics a write holds.
fn batch(rival: Rival) -> u64 {
    match rival {
        Rival::Telegraf => DEFAULT_BATCH,
        Rival::TelegrafTuned => LARGE_BATCH,
    }
}

/// `inputs.kafka_consumer` to `outputs.influxdb_v2`.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn consumer(
    rival: Rival,
    (brokers, topics, group): (&str, &[String], &str),
    (sink, encoding): (&str, &str),
    lines_per_message: u64,
) -> Result<Contender> {
    let undelivered = UNDELIVERED.max(WRITES_UNDERWAY * batch(rival) / lines_per_message);
    let buffer = undelivered * lines_per_message + batch(rival);
    start(&format!(
        "[agent]\n\
         omit_hostname = true\n\
         flush_interval = \"1s\"\n\
         metric_batch_size = {}\n\
         metric_buffer_limit = {buffer}\n\
         [[inputs.kafka_consumer]]\n\
         brokers = [{brokers:?}]\n\
         topics = {topics:?}\n\
         kafka_version = \"3.6.0\"\n\
         consumer_group = {group:?}\n\
         max_undelivered_messages = {undelivered}\n\
         data_format = \"influx\"\n\
         [[outputs.influxdb_v2]]\n\
         urls = [{sink:?}]\n\
         token = \"bench-sink-token\"\n\
         organization = \"bongsu\"\n\
         bucket = \"bench\"\n\
         content_encoding = {encoding:?}\n",
        batch(rival)
    ))
}

/// `inputs.influxdb_v2_listener` to `outputs.kafka`; and the base URL where it listens.
///
/// # Errors
/// When it cannot be started.
pub(crate) async fn router(
    rival: Rival,
    brokers: &str,
    topic: &str,
) -> Result<(Contender, String)> {
    let listen = format!("127.0.0.1:{}", ports::free());
    let mut contender = start(&format!(
        "[agent]\n\
         omit_hostname = true\n\
         flush_interval = \"1s\"\n\
         metric_batch_size = {}\n\
         metric_buffer_limit = {}\n\
         [[inputs.influxdb_v2_listener]]\n\
         service_address = {listen:?}\n\
         [[outputs.kafka]]\n\
         brokers = [{brokers:?}]\n\
         topic = {topic:?}\n\
         routing_tag = \"host\"\n\
         data_format = \"influx\"\n",
        batch(rival),
        2 * WINDOW,
    ))?;
    contender
        .ready(START, async || {
            Ok(tokio::net::TcpStream::connect(&listen).await.is_ok())
        })
        .await;
    Ok((contender, format!("http://{listen}")))
}

fn start(config: &str) -> Result<Contender> {
    let folder = Workdir::new("telegraf");
    let mut command = Command::new(installed::folder("telegraf").join("telegraf"));
    command
        .arg("--config")
        .arg(folder.write("telegraf.conf", config));
    Contender::start("telegraf", command, folder)
}
