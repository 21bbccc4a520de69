//! A Telegraf with the lines that a test gives it, into Kafka or into anything that speaks
//! InfluxDB's write API.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, Process};
use crate::workdir::Workdir;
use crate::{Influxdb, Kafka, influxdb, installed, wait};

const START: Duration = Duration::from_secs(30);
/// Telegraf prints this once its inputs run.
const STARTED: &str = "Loaded outputs";

/// Where the lines go.
#[derive(Clone, Debug)]
pub enum Output {
    /// `outputs.kafka` with `routing_tag = "host"`, as a tenant's agents are told to.
    Kafka {
        /// For `brokers`.
        brokers: String,
        /// The topic, which must exist.
        topic: String,
    },
    /// `outputs.influxdb_v2`, which a router takes as well.
    InfluxdbV2 {
        /// The base URL.
        url: String,
        /// The token.
        token: String,
        /// The organisation.
        org: String,
        /// The bucket.
        bucket: String,
    },
    /// `outputs.influxdb_v2` as a customer's agent has it for Bongsu's routers: their addresses, of
    /// which Telegraf picks one for each write, and the token.
    Routers {
        /// The base URLs.
        urls: Vec<String>,
        /// The tenant's token.
        token: String,
    },
    /// `outputs.file`: what Telegraf sends elsewhere as well, kept for comparison.
    File(PathBuf),
    /// Several at once; each gets every line.
    All(Vec<Output>),
    /// Settings of the test's own, as TOML.
    Other(String),
}

impl Output {
    /// Into a topic of a node of the tests.
    pub fn kafka(kafka: &Kafka, topic: &str) -> Self {
        Self::Kafka {
            brokers: kafka.brokers(),
            topic: topic.to_owned(),
        }
    }

    /// Into a bucket of a server of the tests.
    pub fn influxdb(server: &Influxdb, bucket: &str) -> Self {
        Self::InfluxdbV2 {
            url: server.url().to_owned(),
            token: influxdb::TOKEN.to_owned(),
            org: influxdb::ORG.to_owned(),
            bucket: bucket.to_owned(),
        }
    }

    fn toml(&self) -> String {
        match self {
            Self::Kafka { brokers, topic } => format!(
                "[[outputs.kafka]]\n\
                 brokers = [{brokers:?}]\n\
                 topic = {topic:?}\n\
                 routing_tag = \"host\"\n\
                 startup_error_behavior = \"retry\"\n\
                 required_acks = -1\n\
                 data_format = \"influx\"\n"
            ),
            Self::InfluxdbV2 {
                url,
                token,
                org,
                bucket,
            } => format!(
                "[[outputs.influxdb_v2]]\n\
                 urls = [{url:?}]\n\
                 token = {token:?}\n\
                 organization = {org:?}\n\
                 bucket = {bucket:?}\n"
            ),
            Self::Routers { urls, token } => format!(
                "[[outputs.influxdb_v2]]\n\
                 urls = {urls:?}\n\
                 token = {token:?}\n"
            ),
            Self::File(path) => format!(
                "[[outputs.file]]\n\
                 files = [{path:?}]\n\
                 data_format = \"influx\"\n"
            ),
            Self::All(outputs) => outputs.iter().map(Self::toml).collect(),
            Self::Other(toml) => toml.clone(),
        }
    }
}

/// A Telegraf that reads its points from a file at every interval: rewriting the file steers, for
/// instance, how busy a host's CPU seems to be. Lines without a timestamp get the time of reading.
#[derive(Debug)]
pub struct Telegraf {
    process: Process,
    lines: PathBuf,
    _folder: Workdir,
}

impl Telegraf {
    /// Starts one that sends `lines` every second, from the next full second on, until told
    /// otherwise.
    ///
    /// # Panics
    /// When Telegraf is not installed or does not start.
    pub async fn start(lines: &str, output: &Output) -> Self {
        Self::with_inputs(lines, "", output).await
    }

    /// As [`Telegraf::start`], with inputs of the test's own (TOML) beside the file of lines.
    ///
    /// # Panics
    /// When Telegraf is not installed or does not start.
    pub async fn with_inputs(lines: &str, inputs: &str, output: &Output) -> Self {
        let folder = Workdir::new("telegraf");
        let (command, path) = prepare(&folder, lines, inputs, output);
        let process = Process::start("telegraf", command, folder.join("telegraf.log"));
        let mut telegraf = Self {
            process,
            lines: path,
            _folder: folder,
        };
        telegraf.ready().await;
        telegraf
    }

    /// Gathers and sends `lines` once, and ends (`telegraf --once`).
    ///
    /// # Errors
    /// When Telegraf could not send them.
    ///
    /// # Panics
    /// When Telegraf is not installed.
    pub async fn once(lines: &str, output: &Output) -> Result<()> {
        let folder = Workdir::new("telegraf");
        let (mut command, _) = prepare(&folder, lines, "", output);
        command.arg("--once");
        tokio::task::spawn_blocking(move || process::run(&mut command)).await??;
        Ok(())
    }

    /// What it sends from the next interval on.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set_lines(&self, lines: &str) {
        write_lines(&self.lines, lines);
    }

    /// SIGKILL, as when the host is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM: it sends what it has gathered, and ends.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.terminate(deadline).await
    }

    /// Starts it again after [`Telegraf::kill`].
    ///
    /// # Panics
    /// When it runs, or does not start.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.ready().await;
    }

    /// The end of its log, for messages.
    pub fn tail(&self) -> String {
        self.process.tail()
    }

    async fn ready(&mut self) {
        let log = self.process.log().to_owned();
        self.process
            .ready(START, async || {
                Ok(std::fs::read_to_string(&log)?.contains(STARTED))
            })
            .await;
    }
}

/// The line of a host's CPU as Telegraf's own `cpu` input writes it, with this much of it busy (in
/// percent).
pub fn cpu_line(host: &str, busy: f64) -> String {
    let idle = 100.0 - busy;
    format!("cpu,cpu=cpu-total,host={host} usage_idle={idle},usage_user={busy},usage_system=0\n")
}

/// Waits until a program that Telegraf sends to has what the test wants; shows Telegraf's log when
/// it does not.
///
/// # Panics
/// When the deadline passes before that.
pub async fn delivers(
    telegraf: &Telegraf,
    what: &str,
    deadline: Duration,
    ask: impl AsyncFnMut() -> Result<Option<()>>,
) {
    if let Err(error) = wait::until(deadline, ask).await {
        panic!(
            "telegraf has not delivered {what}: {error:#}\n{}",
            telegraf.tail()
        );
    }
}

fn prepare(folder: &Workdir, lines: &str, inputs: &str, output: &Output) -> (Command, PathBuf) {
    let program = installed::folder("telegraf").join("telegraf");
    let path = folder.join("points.influx");
    write_lines(&path, lines);
    let config = format!(
        "[agent]\n\
         interval = \"1s\"\n\
         round_interval = true\n\
         flush_interval = \"200ms\"\n\
         metric_buffer_limit = 100000\n\
         omit_hostname = true\n\
         [[inputs.file]]\n\
         files = [{path:?}]\n\
         data_format = \"influx\"\n\
         {inputs}\n\
         {}",
        output.toml()
    );
    let config = folder.write("telegraf.conf", &config);
    let mut command = Command::new(program);
    command.arg("--config").arg(config);
    (command, path)
}

/// In one step, so that no reading sees half of it.
fn write_lines(path: &Path, lines: &str) {
    let next = path.with_extension("next");
    let written = std::fs::write(&next, lines).and_then(|()| std::fs::rename(&next, path));
    written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
