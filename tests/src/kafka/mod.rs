//! Kafka, one node or a cluster of them, with clients to create topics, send and read back.

mod groups;
mod node;
mod record;
pub mod secured;

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

pub use node::Node;
use node::Ports;
pub use record::Record;

use crate::proxy::Proxy;
use crate::wait;

/// From the start of the JVM; ten times what it takes on an idle machine.
const START: Duration = Duration::from_secs(90);
const ANSWER: Duration = Duration::from_secs(10);

/// What is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Nodes, each broker and controller in one. Bongsu's and Kafka's own topics have a copy on each, up to three,
    /// and three copies want two in sync.
    pub nodes: usize,
    /// Whether each node stands behind a [`Proxy`] for everybody but the tests' own clients.
    pub proxied: bool,
    /// Whether each node also has a listener with TLS, SCRAM and access rules, at [`Kafka::secured`].
    pub secured: bool,
    /// More settings for every node, a line each.
    pub settings: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            nodes: 1,
            proxied: false,
            secured: false,
            settings: "",
        }
    }
}

/// The running cluster, mostly of one node.
#[derive(Debug)]
pub struct Kafka {
    nodes: Vec<Node>,
}

impl Kafka {
    /// Starts one node and waits until it answers.
    ///
    /// # Panics
    /// When Kafka is not installed or does not become ready; the message says which and shows its
    /// log.
    pub async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    /// Formats fresh log folders, starts the nodes and waits until all of them are in the cluster.
    ///
    /// # Panics
    /// As [`Kafka::start`].
    pub async fn with(plan: Plan) -> Self {
        let mut ports = Vec::new();
        for _ in 0..plan.nodes {
            ports.push(Ports::find(plan.proxied, plan.secured).await);
        }
        let numbered = (1..).zip(&ports);
        let voters: Vec<_> = numbered.map(|(id, ports)| ports.voter(id)).collect();
        let shared = shared_settings(&voters, plan.settings);
        let nodes = (1..).zip(ports);
        let nodes = nodes.map(|(id, ports)| Node::start(id, ports, &shared));
        let mut kafka = Self {
            nodes: nodes.collect(),
        };
        kafka.ready().await;
        kafka
    }

    /// For `bootstrap.servers` of whoever is not of the tests.
    pub fn brokers(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(Node::address).collect();
        addresses.join(",")
    }

    /// The listener with TLS, SCRAM and access rules.
    ///
    /// # Panics
    /// When the plan had none.
    pub fn secured(&self) -> String {
        let secured = self.nodes[0].secured.as_ref();
        secured.expect("the cluster was started secured").address()
    }

    /// File with the authority that signed the certificate of [`Kafka::secured`].
    ///
    /// # Panics
    /// When the plan had no such listener.
    pub fn authority(&self) -> &Path {
        let secured = self.nodes[0].secured.as_ref();
        secured.expect("the cluster was started secured").ca()
    }

    /// The proxy before a node.
    ///
    /// # Panics
    /// When the plan had none.
    pub fn proxy(&self, node: usize) -> &Proxy {
        let proxy = self.nodes[node].proxy.as_ref();
        proxy.expect("the cluster was started behind proxies")
    }

    /// SIGKILL to every node, as when the machine is lost. What was acknowledged stays, for
    /// [`Kafka::start_again`].
    pub fn kill(&mut self) {
        for node in &mut self.nodes {
            node.process.kill();
        }
    }

    /// SIGKILL to one node.
    pub fn kill_node(&mut self, node: usize) {
        self.nodes[node].process.kill();
    }

    /// Waits until a node leads no partition of a topic any more, as the others know it: before that nobody can send to
    /// its partitions.
    ///
    /// # Errors
    /// When it still does after so long.
    pub async fn leads_nothing(&self, node: usize, topic: &str, within: Duration) -> Result<()> {
        let reader = self.reader()?;
        let id = i32::try_from(node + 1)?;
        wait::until(within, async || {
            let metadata = reader.fetch_metadata(Some(topic), Duration::from_secs(1))?;
            let mut partitions = metadata
                .topics()
                .iter()
                .flat_map(|topic| topic.partitions());
            Ok(partitions
                .all(|one| one.leader() != id && one.leader() >= 0)
                .then_some(()))
        })
        .await
        .with_context(|| format!("node {node} still leads partitions of {topic}"))
    }

    /// Starts a killed node and waits until it has its part of the cluster again: every replica in sync.
    ///
    /// # Panics
    /// When it runs, or does not become ready.
    pub async fn start_node_again(&mut self, node: usize) {
        self.nodes[node].process.start_again();
        self.ready().await;
        let reader = self.reader().expect("a client can be made");
        let in_sync = wait::until(START, async || {
            let metadata = reader.fetch_metadata(None, ANSWER)?;
            let topics = metadata.topics().iter();
            let mut partitions = topics.flat_map(|topic| topic.partitions());
            Ok(partitions
                .all(|one| one.isr().len() == one.replicas().len())
                .then_some(()))
        });
        in_sync
            .await
            .unwrap_or_else(|error| panic!("node {node} does not come into sync: {error:#}"));
    }

    /// SIGTERM to every node: the orderly way down. The status of the first.
    ///
    /// # Errors
    /// When one still runs at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let ends = self.nodes.iter_mut();
        let ends = ends.map(|node| node.process.terminate(deadline));
        let ends = futures_util::future::try_join_all(ends).await?;
        ends.into_iter().next().context("there are nodes")
    }

    /// Starts every node on its old log and its old ports.
    ///
    /// # Panics
    /// When one runs, or does not become ready.
    pub async fn start_again(&mut self) {
        for node in &mut self.nodes {
            node.process.start_again();
        }
        self.ready().await;
    }

    /// Every node stops answering without going away, until [`Kafka::resume`].
    pub fn pause(&self) {
        for node in &self.nodes {
            node.process.pause();
        }
    }

    /// Ends a pause.
    pub fn resume(&self) {
        for node in &self.nodes {
            node.process.resume();
        }
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
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.copies()));
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

    /// What a group has committed of a topic's partitions, with its metadata; none where it has not.
    ///
    /// # Errors
    /// When the topic does not exist or the broker does not answer.
    pub fn committed(&self, group: &str, topic: &str) -> Result<Vec<(i32, i64, String)>> {
        let client: BaseConsumer = self.config().set("group.id", group).create()?;
        let metadata = client.fetch_metadata(Some(topic), ANSWER)?;
        let partitions = metadata.topics().first().map(|topic| topic.partitions());
        let mut asked = TopicPartitionList::new();
        for partition in partitions.unwrap_or_default() {
            asked.add_partition(topic, partition.id());
        }
        let answered = client.committed_offsets(asked, ANSWER)?;
        let elements = answered.elements();
        let committed = elements.iter().filter_map(|element| {
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some((element.partition(), offset, element.metadata().to_owned()))
        });
        Ok(committed.collect())
    }

    /// Changes settings of a topic, and forgets those that are not named.
    ///
    /// # Errors
    /// When the broker refuses or does not answer.
    pub async fn set_topic(&self, name: &str, settings: &[(&str, &str)]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in settings {
            change = change.set(key, value);
        }
        for result in admin.alter_configs([&change], &AdminOptions::new()).await? {
            result.map_err(|(_, code)| anyhow::anyhow!("cannot change {name}: {code}"))?;
        }
        Ok(())
    }

    /// The first offset of a partition that is still there, and the one behind the last.
    ///
    /// # Errors
    /// When the topic does not exist or the broker does not answer.
    pub fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        Ok(self.reader()?.fetch_watermarks(topic, partition, ANSWER)?)
    }

    /// The settings that every client of the tests starts from; such a client passes no proxy.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        let direct: Vec<_> = self.nodes.iter().map(Node::direct).collect();
        config.set("bootstrap.servers", direct.join(","));
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

    fn copies(&self) -> i32 {
        i32::try_from(self.nodes.len().min(3)).expect("a small number")
    }

    async fn ready(&mut self) {
        let client = self
            .reader()
            .expect("a client can be made without a broker");
        let all = self.nodes.len();
        let process = &mut self.nodes[0].process;
        process
            .ready(START, async || {
                let metadata = client.fetch_metadata(None, Duration::from_millis(500))?;
                Ok(metadata.brokers().len() == all)
            })
            .await;
    }
}

/// What all nodes are told. What retention, timestamps and compaction are is for the topics' creators to say.
fn shared_settings(voters: &[String], more: &str) -> String {
    let copies = voters.len().min(3);
    let in_sync = copies.div_ceil(2);
    format!(
        "controller.quorum.voters={}\n\
         auto.create.topics.enable=false\n\
         group.initial.rebalance.delay.ms=0\n\
         offsets.topic.replication.factor={copies}\n\
         offsets.topic.num.partitions=3\n\
         transaction.state.log.replication.factor={copies}\n\
         transaction.state.log.min.isr={in_sync}\n\
         share.coordinator.state.topic.replication.factor={copies}\n\
         share.coordinator.state.topic.min.isr={in_sync}\n\
         log.cleaner.dedupe.buffer.size=16777216\n\
         log.cleaner.backoff.ms=500\n\
         log.retention.check.interval.ms=500\n\
         log.initial.task.delay.ms=500\n\
         {more}\n",
        voters.join(",")
    )
}
