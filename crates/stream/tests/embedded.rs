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

stream::log_contract!(cases);
