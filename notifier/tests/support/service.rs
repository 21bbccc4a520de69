//! What a whole notifier of the tests stands on: a folder of its own with a log and a database, and a clock that the test moves.

use super::sample;
use model::{Span, TopicName};
use notifier::config::{Config, Database};
use runtime::Clock;
use stream::{Embedded, Stream, TopicSpec};
use tempfile::TempDir;

pub struct Ground {
    pub folder: TempDir,
    pub clock: Clock,
    /// With the topic of alerts in it.
    pub log: Stream,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(sample::NOW.as_nanos());
        let log = Embedded::open(&folder.path().join("log.redb"), clock.clone())
            .await
            .unwrap()
            .into_stream();
        let spec = TopicSpec {
            name: TopicName::alerts(),
            partitions: 1,
            retention: None,
            compacted: false,
            replicas: 1,
        };
        log.ensure_topic(&spec).await.unwrap();
        Self { folder, clock, log }
    }

    /// A notifier on any free port that looks for work all the time.
    pub fn config(&self) -> Config {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database: Database {
                sqlite: self.folder.path().join("incidents.db"),
                ..Database::default()
            },
            ..Config::default()
        };
        config.engine.poll = Span::from_millis(20);
        config
    }
}
