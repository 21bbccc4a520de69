//! Apache Kafka behind the interface of a log, by librdkafka.

mod access;
mod admin;
mod client;
mod config;
mod consumer;
mod credentials;
mod fetchers;
mod gather;
mod leaders;
mod member;
mod producer;
mod ranges;
mod reader;
mod security;
mod settings;
mod state;
mod steer;
mod watch;
mod wire;

pub use access::{Access, Grant, Operation, Pattern, Quota, Resource, Rights};
pub use config::{Compression, KafkaConfig};
pub use security::{Mechanism, Protocol, Security};

use crate::pump::Pump;
use crate::{
    Commit, Delivery, Ensured, JoinSpec, Log, Membership, NewRecord, OffsetRange, PartitionReader,
    Stream, StreamError, TopicInfo, TopicPartition, TopicSettings, TopicSpec, Topics,
};
use admin::Admin;
use async_trait::async_trait;
use client::{blocking, failure};
use consumer::Polling;
use credentials::{Credentials, keyed};
use fetchers::{Fetchers, Plan};
use member::{Behind, Members, Port, Shared};
use model::TopicName;
use producer::Sender;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use reader::Reader;
use runtime::{Clock, OnEnd, Shutdown, Tasks};
use state::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use watch::Watch;

/// Events that may wait for a member; a batch is up to 512 KiB, or one record.
const EVENTS: usize = 4;
/// Batches that may wait for a reader without a group.
const READER_BATCHES: usize = 2;
/// Heartbeats in a session time-out, at least; a rebalance is learned of by them.
const HEARTBEATS: u32 = 4;
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Of the session time-out, what a member may take to give partitions back.
const PATIENCE: f32 = 0.8;

/// A Kafka cluster.
pub struct Kafka {
    config: KafkaConfig,
    clock: Clock,
    admin: Admin,
    sender: Arc<Sender>,
    credentials: Arc<Credentials>,
    members: Members,
    tasks: Tasks,
}

impl Kafka {
    /// Makes the clients. The brokers need not answer yet: calls fail as unreachable until they do.
    pub fn connect(config: &KafkaConfig, clock: Clock) -> Result<Self, StreamError> {
        let credentials = Arc::new(Credentials::new(&config.security)?);
        // Tasks of its own: the client must outlive the services that drain into it.
        let tasks = Tasks::new(Shutdown::new());
        if credentials.has_login() {
            let following = Credentials::follow(Arc::downgrade(&credentials));
            tasks.spawn("kafka-credentials", OnEnd::Fine, async move {
                following.await;
                Ok::<(), StreamError>(())
            });
        }
        let sender = Arc::new(Sender::new(config, &clock, &credentials)?);
        let following = leaders::follow(Arc::downgrade(&sender));
        tasks.spawn("kafka-leaders", OnEnd::Fine, async move {
            following.await;
            Ok::<(), StreamError>(())
        });
        Ok(Self {
            admin: Admin::new(config, clock.clone(), &credentials)?,
            sender,
            config: config.clone(),
            clock,
            credentials,
            members: Members::default(),
            tasks,
        })
    }

    /// As the handle that services take.
    pub fn into_stream(self) -> Stream {
        Arc::new(self)
    }

    /// How many topics there are for a member to read now; none are known while no broker answers, and it joins all the same.
    async fn topics_of(&self, topics: &Topics) -> usize {
        match topics {
            Topics::Named(names) => names.len(),
            Topics::Prefix(prefix) => {
                let all = self.admin.topics().await.unwrap_or_default();
                let names = all.iter().map(|topic| topic.name.as_str());
                names.filter(|name| name.starts_with(prefix)).count()
            }
        }
    }

    fn member_config(&self, spec: &JoinSpec, plan: &Plan) -> Result<ClientConfig, StreamError> {
        let mut client = self.config.consumer(&spec.group, plan.prefetch_of_one(0))?;
        let heartbeat = HEARTBEAT.min(spec.session_timeout / HEARTBEATS);
        client
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set(
                "session.timeout.ms",
                spec.session_timeout.as_millis().to_string(),
            )
            .set(
                "heartbeat.interval.ms",
                heartbeat.as_millis().max(1).to_string(),
            );
        if let Some(instance) = &spec.instance {
            client.set("group.instance.id", instance);
        }
        Ok(client)
    }

    fn subscribe(&self, spec: &JoinSpec, plan: &Plan) -> Result<BaseConsumer<Watch>, StreamError> {
        let client = self.member_config(spec, plan)?;
        let consumer =
            BaseConsumer::from_config_and_context(&client, Watch::default()).map_err(|error| {
                StreamError::Unusable {
                    reason: format!("the Kafka client refuses its configuration: {error}"),
                }
            })?;
        let pattern;
        let topics = match &spec.topics {
            Topics::Prefix(prefix) => {
                pattern = format!("^{}.*", prefix.replace('.', "\\."));
                vec![pattern.as_str()]
            }
            Topics::Named(names) => names.iter().map(TopicName::as_str).collect(),
        };
        consumer.subscribe(&topics).map_err(|e| failure(&e))?;
        Ok(consumer)
    }

    fn spawn_thread(
        &self,
        name: &'static str,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), StreamError> {
        self.tasks
            .spawn_thread(name, body)
            .map_err(|error| StreamError::Unusable {
                reason: format!("cannot start the thread {name}: {error}"),
            })
    }
}

#[async_trait]
impl Log for Kafka {
    fn send(&self, record: NewRecord) -> Delivery {
        self.sender.send(record)
    }

    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured, StreamError> {
        self.admin.ensure(spec).await
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError> {
        self.admin.topics().await
    }

    async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError> {
        self.admin.partitions(topic).await
    }

    async fn settings(&self, topic: &TopicName) -> Result<Option<TopicSettings>, StreamError> {
        let mut found = self.admin.settings_of(std::slice::from_ref(topic)).await;
        found.pop().unwrap_or(Ok(None))
    }

    async fn settings_of(
        &self,
        topics: &[TopicName],
    ) -> Vec<Result<Option<TopicSettings>, StreamError>> {
        self.admin.settings_of(topics).await
    }

    async fn makes_topics_unasked(&self) -> Result<Option<bool>, StreamError> {
        self.admin.makes_topics_unasked().await
    }

    async fn offsets(&self, source: &TopicPartition) -> Result<OffsetRange, StreamError> {
        self.admin.offsets(source).await
    }

    async fn offsets_of(
        &self,
        sources: &[TopicPartition],
    ) -> Vec<Result<OffsetRange, StreamError>> {
        self.admin.offsets_of(sources).await
    }

    async fn committed(
        &self,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        match self.members.of(group) {
            Some(member) => {
                let sources = sources.to_vec();
                blocking(move || admin::committed(&member, &sources)).await
            }
            None => self.admin.committed(group, sources).await,
        }
    }

    async fn read(
        &self,
        source: &TopicPartition,
        from: i64,
    ) -> Result<PartitionReader, StreamError> {
        let range = self.admin.offsets(source).await?;
        if !(range.earliest..=range.end).contains(&from) {
            return Err(reader::out_of_range(source, from, range));
        }
        let (batches, receiver) = mpsc::channel(READER_BATCHES);
        let (config, source) = (self.config.clone(), source.clone());
        let reader = blocking(move || Reader::new(&config, source, from, batches)).await?;
        self.credentials.keep(reader.client());
        self.spawn_thread("kafka-reader", move || reader.run())?;
        Ok(PartitionReader::new(receiver))
    }

    async fn join(&self, spec: JoinSpec) -> Result<Membership, StreamError> {
        let plan = Plan {
            config: self.config.clone(),
            credentials: Arc::clone(&self.credentials),
            group: spec.group.clone(),
            prefetch_bytes: spec.prefetch_bytes,
            topics: self.topics_of(&spec.topics).await,
        };
        let consumer = Arc::new(self.subscribe(&spec, &plan)?);
        let fetchers = Fetchers::new(plan, Arc::clone(&consumer))?;
        self.credentials.keep(keyed(&consumer));
        let (events, receiver) = mpsc::channel(EVENTS);
        let (controls, controlled) = mpsc::unbounded_channel();
        let (own_orders, orders) = std::sync::mpsc::channel();
        let shared = Shared::new(spec.group, Arc::clone(&consumer), own_orders.clone());
        let shared = Arc::new(shared);
        self.members.keep(&shared);
        let pump = Pump {
            backstage: Behind(Arc::clone(&shared)),
            patience: spec.session_timeout.mul_f32(PATIENCE),
            controls: controlled,
            events: events.clone(),
        };
        self.tasks.spawn("kafka-member", OnEnd::Fine, async move {
            pump.run().await;
            Ok::<(), StreamError>(())
        });
        let polling = Polling {
            fetchers,
            headers: spec.headers,
            consumer,
            shared: Arc::clone(&shared),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            runtime: tokio::runtime::Handle::current(),
            orders,
            own_orders,
            controls,
            events,
            state: State::of(spec.prefetch_bytes),
        };
        self.spawn_thread("kafka-consumer", move || polling.run())?;
        Ok(Membership::new(receiver, Arc::new(Port(shared))))
    }

    async fn flush(&self, within: Duration) -> Result<(), StreamError> {
        let sender = Arc::clone(&self.sender);
        blocking(move || sender.flush(within)).await
    }

    fn describe(&self) -> String {
        format!("kafka {}", self.config.brokers.join(","))
    }
}
