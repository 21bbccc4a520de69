//! The contract of a log, and what only a file can suffer, over the embedded log.

use async_trait::async_trait;
use model::TopicName;
use runtime::Clock;
use stream::contract::{self, Subject};
use stream::{Embedded, Stream};
use tempfile::TempDir;

struct OnFile {
    folder: TempDir,
    stream: Option<Stream>,
}

impl OnFile {
    async fn make() -> Self {
        let mut subject = Self {
            folder: tempfile::tempdir().unwrap(),
            stream: None,
        };
        subject.again().await;
        subject
    }
}

#[async_trait]
impl Subject for OnFile {
    fn stream(&self) -> Stream {
        self.stream.clone().unwrap()
    }

    async fn again(&mut self) {
        self.stream = None;
        let path = self.folder.path().join("log.redb");
        let log = Embedded::open(&path, Clock::system()).await.unwrap();
        self.stream = Some(log.into_stream());
    }

    /// Compaction is immediate, and retention looks as often as the topic wants.
    async fn hurry(&self, _topic: &TopicName) {}
}

macro_rules! cases {
    ($($case:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            contract::$case(&mut OnFile::make().await).await;
        }
    )*};
}

cases! {
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
    commits_of_a_partition_given_back_are_fenced
    offsets_out_of_range_are_said
    slow_readers_bound_memory
}
