//! One Kafka node, broker and controller in one, with clients to create topics, send and read back.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::process::{self, Process};
use crate::workdir::Workdir;
use crate::{installed, ports, wait};

/// From the start of the JVM; ten times what it takes on an idle machine.
const START: Duration = Duration::from_secs(90);
const ANSWER: Duration = Duration::from_secs(10);
/// Any 16 bytes do; a node of its own needs no identity beyond its folder.
const CLUSTER_ID: &str = "Ym9uZ3N1LXRlc3RzLWthZg";

/// A record as read back.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The value as text, empty for a tombstone.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// The running node. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    port: u16,
    _folder: Workdir,
}

impl Kafka {
    /// Formats a fresh log folder, starts the node and waits until it answers.
    ///
    /// # Panics
    /// When Kafka is not installed or does not become ready; the message says which and shows its
    /// log.
    pub async fn start() -> Self {
        let home = installed::folder("kafka");
        let folder = Workdir::new("kafka");
        let port = ports::free();
        let settings = folder.write("server.properties", &settings(folder.path(), port));
        let mut format = java(&home);
        format
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(&settings);
        process::run(&mut format).expect("Kafka's log folder can be formatted");
        let mut serve = java(&home);
        serve.arg("kafka.Kafka").arg(&settings);
        let process = Process::start("kafka", serve, folder.join("kafka.log"));
        let mut kafka = Self {
            process,
            port,
            _folder: folder,
        };
        kafka.ready().await;
        kafka
    }

    /// For `bootstrap.servers`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL, as when the machine is lost. What was acknowledged stays, for
    /// [`Kafka::start_again`].
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM: the orderly way down.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.terminate(deadline).await
    }

    /// Starts the node on its old log and its old port.
    ///
    /// # Panics
    /// When it runs, or does not become ready.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.ready().await;
    }

    /// Stops answering without going away, until [`Kafka::resume`].
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Creates a topic; `settings` are topic settings such as `cleanup.policy`.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(ANSWER));
        for result in admin.create_topics([&topic], &options).await? {
            result.map_err(|(topic, code)| anyhow::anyhow!("cannot create {topic}: {code}"))?;
        }
        // The answer comes before every broker serves the partitions.
        let client = self.reader()?;
        wait::until(ANSWER, async || {
            let metadata = client.fetch_metadata(Some(name), Duration::from_secs(2))?;
            let partitions = metadata.topics().first().map(|topic| topic.partitions());
            let led = partitions
                .is_some_and(|all| !all.is_empty() && all.iter().all(|one| one.leader() >= 0));
            Ok(led.then_some(()))
        })
        .await
        .with_context(|| format!("the partitions of {name} have no leader"))
    }

    /// Sends one record with all acknowledgements and returns its partition and offset.
    ///
    /// # Errors
    /// When it is not acknowledged in time.
    pub async fn send(
        &self,
        topic: &str,
        key: Option<&str>,
        value: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<(i32, i64)> {
        let producer: FutureProducer = self.config().set("message.timeout.ms", "9000").create()?;
        let mut sent = OwnedHeaders::new();
        for (key, value) in headers {
            sent = sent.insert(Header {
                key,
                value: Some(*value),
            });
        }
        let mut record = FutureRecord::to(topic).payload(value).headers(sent);
        if let Some(key) = key {
            record = record.key(key);
        }
        let delivery = producer
            .send(record, ANSWER)
            .await
            .map_err(|(error, _)| error)?;
        Ok((delivery.partition, delivery.offset))
    }

    /// Everything that a topic holds, from its beginning, once it is at least `count` records.
    ///
    /// # Errors
    /// When it is fewer at the deadline, or the broker does not answer.
    pub async fn read(&self, topic: &str, count: usize, deadline: Duration) -> Result<Vec<Record>> {
        let reader = self.reader()?;
        let metadata = reader.fetch_metadata(Some(topic), ANSWER)?;
        let partitions = metadata.topics().first().map(|topic| topic.partitions());
        let mut places = TopicPartitionList::new();
        for partition in partitions.unwrap_or_default() {
            places.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
        reader.assign(&places)?;
        let mut records = Vec::new();
        let read = wait::until(deadline, async || {
            while let Some(message) = reader.poll(Duration::from_millis(20)) {
                records.push(Record::from(&message?));
            }
            Ok((records.len() >= count).then_some(()))
        })
        .await;
        read.with_context(|| format!("{topic} holds {} of {count} records", records.len()))?;
        Ok(records)
    }

    /// Everything that a topic holds at this moment; for topics that are not compacted.
    ///
    /// # Errors
    /// When the broker does not answer, or does not hand it all out in time.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<Record>> {
        let count = self.count(topic)?;
        self.read(topic, count, ANSWER).await
    }

    /// How many records a topic holds at this moment; for topics that are not compacted.
    ///
    /// # Errors
    /// When the topic does not exist or the broker does not answer.
    pub fn count(&self, topic: &str) -> Result<usize> {
        let reader = self.reader()?;
        let metadata = reader.fetch_metadata(Some(topic), ANSWER)?;
        let partitions = metadata.topics().first().map(|topic| topic.partitions());
        let mut count = 0;
        for partition in partitions.unwrap_or_default() {
            let (first, end) = reader.fetch_watermarks(topic, partition.id(), ANSWER)?;
            count += end - first;
        }
        Ok(usize::try_from(count)?)
    }

    /// The settings that every client of the tests starts from.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config.set("topic.metadata.refresh.interval.ms", "5000");
        config
    }

    fn reader(&self) -> Result<BaseConsumer> {
        let mut config = self.config();
        config
            .set("group.id", "bongsu-tests")
            .set("enable.auto.commit", "false");
        Ok(config.create()?)
    }

    async fn ready(&mut self) {
        let client = self
            .reader()
            .expect("a client can be made without a broker");
        self.process
            .ready(START, async || {
                let metadata = client.fetch_metadata(None, Duration::from_millis(500))?;
                Ok(!metadata.brokers().is_empty())
            })
            .await;
    }
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let headers = message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| {
                    (
                        header.key.to_owned(),
                        header.value.unwrap_or_default().to_vec(),
                    )
                })
                .collect(),
        }
    }
}

/// Quick to start rather than quick in the long run.
fn java(home: &Path) -> Command {
    let mut command = Command::new(home.join("java"));
    command
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dlog4j2.level=INFO")
        .arg("-cp")
        .arg(home.join("libs/*"));
    command
}

/// What retention, timestamps and compaction are is for the topics' creators to say.
fn settings(folder: &Path, port: u16) -> String {
    let controller = ports::free();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         group.initial.rebalance.delay.ms=0\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=3\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         log.cleaner.dedupe.buffer.size=16777216\n\
         log.cleaner.backoff.ms=500\n\
         log.retention.check.interval.ms=500\n\
         log.initial.task.delay.ms=500\n",
        folder.join("data").display()
    )
}
