//! The contract of a log over a real Kafka: the cases that the embedded log is held to in its own
//! crate.

// The harness is the outside world, and so are its tests.
#![allow(clippy::disallowed_methods)]

use async_trait::async_trait;
use model::{Span, TopicName};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use runtime::Clock;
use std::time::Duration;
use stream::contract::{self, Subject};
use stream::{
    Commit, GroupEvent, JoinSpec, KafkaConfig, Membership, NewRecord, Stream, StreamError,
    TopicPartition, TopicSpec, Topics,
};
use tests::{Kafka, wait};

struct OnKafka<'a> {
    kafka: &'a Kafka,
    stream: Stream,
}

impl<'a> OnKafka<'a> {
    fn make(kafka: &'a Kafka) -> Self {
        let config = KafkaConfig::new([kafka.brokers()]);
        let stream = stream::Kafka::connect(&config, Clock::system())
            .unwrap()
            .into_stream();
        Self { kafka, stream }
    }
}

#[async_trait]
impl Subject for OnKafka<'_> {
    fn stream(&self) -> Stream {
        self.stream.clone()
    }

    async fn again(&mut self) {
        self.stream = Self::make(self.kafka).stream;
    }

    /// Small segments, and compaction of the least of it.
    async fn hurry(&self, topic: &TopicName) {
        let admin: AdminClient<DefaultClientContext> = self.kafka.config().create().unwrap();
        let options = AdminOptions::new();
        let which = ResourceSpecifier::Topic(topic.as_str());
        let described = admin.describe_configs([&which], &options).await.unwrap();
        let described = described.into_iter().next().unwrap().unwrap();
        let mut settings: Vec<(String, String)> = described
            .entries
            .into_iter()
            .filter(|entry| entry.source == ConfigSource::DynamicTopic)
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect();
        for (key, value) in [
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.001"),
            ("max.compaction.lag.ms", "100"),
        ] {
            settings.retain(|(name, _)| name != key);
            settings.push((key.to_owned(), value.to_owned()));
        }
        let mut altered = AlterConfig::new(which);
        for (key, value) in &settings {
            altered = altered.set(key, value);
        }
        for result in admin.alter_configs([&altered], &options).await.unwrap() {
            result.unwrap();
        }
    }
}

/// One node serves all cases: they have topics and groups of their own.
#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_a_log_holds_over_kafka() {
    let kafka = Kafka::start().await;
    macro_rules! cases {
        ($($case:ident)*) => {$(
            let since = std::time::Instant::now();
            println!("{} ...", stringify!($case));
            contract::$case(&mut OnKafka::make(&kafka)).await;
            println!("{} took {:?}", stringify!($case), since.elapsed());
        )*};
    }
    stream::log_contract!(cases);
}

/// What is in flight when the brokers go is not acknowledged, and soon said to be so; members read
/// on when they are back; and a member can leave a group that nobody answers for.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_and_comes_back_loses_nothing() {
    let mut kafka = Kafka::start().await;
    let mut config = KafkaConfig::new([kafka.brokers()]);
    config.delivery_timeout = Span::from_secs(2);
    let stream = stream::Kafka::connect(&config, Clock::system())
        .unwrap()
        .into_stream();
    let place = TopicPartition::new(TopicName::listed("gone").unwrap(), 0);
    let spec = TopicSpec {
        name: place.topic.clone(),
        partitions: 1,
        retention: None,
        compacted: false,
        replicas: 1,
    };
    stream.ensure_topic(&spec).await.unwrap();
    let join = JoinSpec {
        group: "gone".to_owned(),
        topics: Topics::Named(vec![place.topic.clone()]),
        instance: None,
        session_timeout: Duration::from_secs(10),
        prefetch_bytes: 1 << 20,
        headers: true,
    };
    let mut member = stream.join(join).await.unwrap();
    let send = async |value: &'static str| {
        let delivery = stream.send(NewRecord::value(place.clone(), value));
        tokio::time::timeout(Duration::from_secs(8), delivery)
            .await
            .unwrap()
    };
    send("before").await.unwrap();
    assert_eq!(next_value(&mut member, &place).await, "before");

    kafka.kill();
    let lost = send("lost").await.unwrap_err();
    assert!(
        matches!(lost, StreamError::NotAcknowledged { .. }),
        "{lost:?}"
    );

    kafka.start_again().await;
    wait::until(Duration::from_secs(30), async || {
        Ok(send("after").await.ok().map(drop))
    })
    .await
    .unwrap();
    assert_eq!(next_value(&mut member, &place).await, "after");

    kafka.kill();
    let handle = member.handle();
    let left = async {
        tokio::join!(handle.leave(), async {
            while member.next().await.is_some() {}
        })
    };
    tokio::time::timeout(Duration::from_secs(20), left)
        .await
        .expect("nobody waits for a dead broker");
}

/// The value of the next record; partitions are started where the group is, or at the beginning.
async fn next_value(member: &mut Membership, place: &TopicPartition) -> String {
    let next = async {
        loop {
            match member.next().await.unwrap() {
                GroupEvent::Assigned(assigned) => {
                    for (source, commit) in assigned.partitions {
                        let from = commit.map_or(0, |commit| commit.next_offset);
                        member.handle().start(&source, from).await.unwrap();
                    }
                }
                GroupEvent::Batch(batch) => {
                    let record = batch.records().next().unwrap();
                    let commit = Commit {
                        source: place.clone(),
                        next_offset: record.offset + 1,
                        metadata: String::new(),
                    };
                    let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    member.handle().commit(vec![commit]).await.unwrap();
                    return value;
                }
                GroupEvent::Revoked(revoked) => revoked.done(),
                GroupEvent::Lost(_) | GroupEvent::Failed(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), next)
        .await
        .expect("the member reads on")
}
