//! What a partition does when the log around it misbehaves.

use super::harness::{CATALOGUE, Member, World, acme, config, cpu, input, long_ago, within};
use async_trait::async_trait;
use evaluator::GROUP;
use model::TopicName;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stream::{
    Commit, Delivery, Ensured, JoinSpec, Log, Membership, NewRecord, OffsetRange, PartitionReader,
    Stream, StreamError, TopicInfo, TopicPartition, TopicSpec,
};

/// A log that refuses the alert events of `acme/0` while it is told to.
struct Refusing {
    inner: Stream,
    refuses: AtomicBool,
}

#[async_trait]
impl Log for Refusing {
    fn send(&self, record: NewRecord) -> Delivery {
        let concerned = record.target.topic == TopicName::alerts()
            && record.key.as_deref() == Some(b"acme/0".as_slice());
        if concerned && self.refuses.load(Ordering::SeqCst) {
            return Delivery::failed(StreamError::NotAcknowledged {
                reason: "refused by the test".to_owned(),
            });
        }
        self.inner.send(record)
    }
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured, StreamError> {
        self.inner.ensure_topic(spec).await
    }
    async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError> {
        self.inner.topics().await
    }
    async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError> {
        self.inner.partitions(topic).await
    }
    async fn offsets(&self, source: &TopicPartition) -> Result<OffsetRange, StreamError> {
        self.inner.offsets(source).await
    }
    async fn committed(
        &self,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        self.inner.committed(group, sources).await
    }
    async fn read(
        &self,
        source: &TopicPartition,
        from: i64,
    ) -> Result<PartitionReader, StreamError> {
        self.inner.read(source, from).await
    }
    async fn join(&self, spec: JoinSpec) -> Result<Membership, StreamError> {
        self.inner.join(spec).await
    }
    async fn flush(&self, within: Duration) -> Result<(), StreamError> {
        self.inner.flush(within).await
    }
    fn describe(&self) -> String {
        self.inner.describe()
    }
}

async fn committed(world: &World, partition: u32) -> Option<i64> {
    let commits = world
        .stream
        .committed(GROUP, &[input(partition)])
        .await
        .unwrap();
    commits.first().map(|commit| commit.next_offset)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_not_acknowledged_hold_up_their_partition_only() {
    let world = World::open(CATALOGUE).await;
    let refusing = Arc::new(Refusing {
        inner: world.stream.clone(),
        refuses: AtomicBool::new(false),
    });
    let stream: Stream = refusing.clone();
    let mut few = config();
    few.events_in_flight = 4;
    let member = Member::start(&stream, few).await;
    let mut alerts = [world.alerts(0).await, world.alerts(1).await];
    for each in &mut alerts {
        each.until_caught_up(0).await;
    }
    refusing.refuses.store(true, Ordering::SeqCst);
    let start = long_ago(&world);
    let mut first_event = 0;
    for host in 0..40 {
        for partition in 0..2 {
            let lines = cpu(&format!("web-{host}"), start, (0, 300), 95.0);
            let offset = world.produce(partition, &lines).await;
            first_event = if host == 0 && partition == 0 {
                offset
            } else {
                first_event
            };
        }
    }
    alerts[1]
        .until("the other partition", |alerts| {
            alerts.tells("cpu-usage web-39 firing P1")
        })
        .await;
    within("the other partition's checkpoint", async {
        while committed(&world, 1).await.is_none_or(|next| next < 30) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(
        committed(&world, 0)
            .await
            .is_none_or(|next| next <= first_event)
    );
    refusing.refuses.store(false, Ordering::SeqCst);
    alerts[0]
        .until("all events", |alerts| {
            alerts.tells("cpu-usage web-39 firing P1")
        })
        .await;
    assert_eq!(alerts[0].distinct().len(), 40);
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_below_the_checkpoint_is_an_alarm_and_a_stop() {
    let world = World::open(CATALOGUE).await;
    let member = Member::start(&world.stream, config()).await;
    let mut alerts = world.alerts(0).await;
    alerts.until_caught_up(0).await;
    member.stop().await;
    // The group has been told of an offset that the log does not have.
    let mut ahead = world
        .stream
        .join(JoinSpec {
            group: GROUP.to_owned(),
            topics: stream::Topics::Named(vec![TopicName::metrics(&acme(), 1)]),
            instance: None,
            session_timeout: Duration::from_secs(10),
            prefetch_bytes: 1 << 20,
            headers: true,
        })
        .await
        .unwrap();
    let group = ahead.handle();
    let Some(stream::GroupEvent::Assigned(_)) = within("an assignment", ahead.next()).await else {
        panic!("the member gains the partitions first");
    };
    let commit = Commit {
        source: TopicPartition::new(TopicName::metrics(&acme(), 1), 0),
        next_offset: 1_000_000,
        metadata: String::new(),
    };
    group.commit(vec![commit]).await.unwrap();
    drop(ahead);
    let member = Member::start(&world.stream, config()).await;
    let stopped = "bongsu_eval_partitions_stopped{reason=\"log_ends_below_checkpoint\"}";
    member.until(stopped, 1.0).await;
    member.stop().await;
}
