//! What every log must do: the cases that run alike over the embedded log and over a real Kafka.
//!
//! Behind the feature `contract`. A case panics with what was wrong.

mod group;
mod log;
mod member;

pub use group::{
    a_pause_ends_with_the_assignment, commits_of_a_partition_given_back_are_fenced,
    groups_resume_at_their_commit_with_its_metadata, many_topics_are_read_and_handed_over_as_few,
    new_topics_are_found_by_their_prefix, nothing_is_read_before_start_nor_while_paused,
    offsets_out_of_range_are_said, rebalances_hand_over_without_loss_or_repeat,
    slow_readers_bound_memory,
};
pub use log::{
    acknowledged_records_are_durable, compaction_keeps_the_newest_of_each_key,
    many_are_asked_about_at_once, records_of_a_partition_keep_their_order,
    records_that_cannot_be_taken_are_refused, retention_removes_old_records,
    time_of_a_partition_never_runs_backwards, topics_say_what_they_are_set_to,
};

use crate::{Appended, Ensured, NewRecord, Stream, TopicPartition, TopicSpec};
use async_trait::async_trait;
use model::{Span, TopicName};
use std::time::Duration;

/// Hands the names of all cases to a macro, so that no log is held to fewer than another.
#[macro_export]
macro_rules! log_contract {
    ($each:ident) => {
        $each! {
            records_of_a_partition_keep_their_order
            acknowledged_records_are_durable
            compaction_keeps_the_newest_of_each_key
            retention_removes_old_records
            time_of_a_partition_never_runs_backwards
            topics_say_what_they_are_set_to
            many_are_asked_about_at_once
            records_that_cannot_be_taken_are_refused
            groups_resume_at_their_commit_with_its_metadata
            nothing_is_read_before_start_nor_while_paused
            a_pause_ends_with_the_assignment
            new_topics_are_found_by_their_prefix
            rebalances_hand_over_without_loss_or_repeat
            many_topics_are_read_and_handed_over_as_few
            commits_of_a_partition_given_back_are_fenced
            offsets_out_of_range_are_said
            slow_readers_bound_memory
        }
    };
}

/// A log under test.
#[async_trait]
pub trait Subject: Send {
    /// The log.
    fn stream(&self) -> Stream;

    /// The log as somebody else finds it: its file opened again, or another client.
    async fn again(&mut self);

    /// Has the log look after the topic at once where it would take its time.
    async fn hurry(&self, topic: &TopicName);
}

/// Everything awaited here comes in seconds; a log that is wrong hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// A topic of the case's own.
struct Topic {
    stream: Stream,
    name: TopicName,
}

impl Topic {
    async fn make(subject: &dyn Subject, name: &str, partitions: u32) -> Self {
        Self::make_as(
            subject,
            name,
            partitions,
            Some(Span::from_secs(86_400)),
            false,
        )
        .await
    }

    async fn make_as(
        subject: &dyn Subject,
        name: &str,
        partitions: u32,
        retention: Option<Span>,
        compacted: bool,
    ) -> Self {
        let stream = subject.stream();
        let name = TopicName::listed(name).expect("the name is legal");
        let spec = TopicSpec {
            name: name.clone(),
            partitions,
            retention,
            compacted,
            replicas: 3,
        };
        let made = within("making a topic", stream.ensure_topic(&spec)).await;
        assert_eq!(made.expect("the topic can be made"), Ensured::Created);
        let again = stream
            .ensure_topic(&spec)
            .await
            .expect("the topic is there");
        assert_eq!(again, Ensured::Existed);
        Self { stream, name }
    }

    fn partition(&self, partition: u32) -> TopicPartition {
        TopicPartition::new(self.name.clone(), partition)
    }

    async fn send(&self, partition: u32, value: impl Into<bytes::Bytes>) -> Appended {
        let record = NewRecord::value(self.partition(partition), value);
        let sent = within("an acknowledgement", self.stream.send(record)).await;
        sent.expect("the record is taken")
    }

    /// Sends numbers as text, all in flight together.
    async fn send_numbers(&self, partition: u32, numbers: std::ops::Range<u32>) {
        let deliveries: Vec<_> = numbers
            .map(|n| {
                let record = NewRecord::value(self.partition(partition), n.to_string());
                self.stream.send(record)
            })
            .collect();
        for delivery in deliveries {
            within("an acknowledgement", delivery)
                .await
                .expect("the record is taken");
        }
    }
}

/// Key and value of a record as text.
type Pair = (Option<String>, Option<String>);

/// Reads `count` records without a group.
async fn read(
    stream: &Stream,
    source: &TopicPartition,
    from: i64,
    count: usize,
) -> Vec<(i64, Pair)> {
    let mut reader = stream
        .read(source, from)
        .await
        .expect("the offset is there");
    let mut found = Vec::new();
    while found.len() < count {
        let batch = within("a batch", reader.next())
            .await
            .expect("the log is open");
        let text =
            |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        for record in batch.expect("the batch can be read").records() {
            found.push((record.offset, (text(record.key), text(record.value))));
        }
    }
    found
}
