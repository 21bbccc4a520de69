//! A consumer in its world: an embedded log, shards that answer as told, a catalogue that can
//! change.

mod fake;

pub(crate) use fake::{Fake, Mode};

use catalog::{LiveCatalog, Request};
use consumer::core::Account;
use consumer::{Config, Running, ShardSource};
use model::{Span, TenantId, TopicName};
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::parse_yaml;
use std::path::PathBuf;
use std::time::Duration;
use stream::{Commit, Embedded, NewRecord, Stream, TopicPartition};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const GROUP: &str = "bongsu-consumer";
/// A time for points.
pub(crate) const AT: i64 = 1_700_000_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) stream: Stream,
    dir: tempfile::TempDir,
}

/// A consumer of the world and what stops it.
pub(crate) struct Consumer {
    pub(crate) running: Running,
    pub(crate) ctx: Context,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = Embedded::open(&dir.path().join("log.redb"), Clock::system()).await;
        let stream = log.unwrap().into_stream();
        catalog::ensure_topics(&stream).await.unwrap();
        let world = Self { stream, dir };
        std::fs::write(world.path("token"), "t0ken\n").unwrap();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A shard's declaration.
    pub(crate) fn shard(&self, id: &str, url: &str) -> String {
        let token = self.path("token");
        format!(
            "---\nshard: {id}\nurl: \"{url}\"\ntoken_file: {}\n",
            token.display()
        )
    }

    /// Publishes tenant `acme` of so many partitions, and the documents given, in place of what
    /// was.
    pub(crate) async fn apply(&self, partitions: u32, documents: &[String]) {
        let text = format!(
            "tenant: acme\npartitions: {partitions}\n{}",
            documents.concat()
        );
        let entries = parse_yaml("test.yaml", &text).expect("the catalogue of a test is valid");
        let shipped =
            "escalation_policy: default\nsteps: [{notify: [kim]}]\n---\ncontact: kim\nname: Kim\n";
        let people = parse_yaml("people.yaml", shipped).expect("the people of a test are valid");
        let request = Request {
            set: entries
                .into_iter()
                .chain(people)
                .map(|located| located.value)
                .collect(),
            prune: true,
            ..Request::default()
        };
        let clock = Clock::system();
        let published = catalog::publish(&self.stream, &request, &|_| Ok(()), &clock);
        published.await.unwrap();
    }

    /// Shards by name and address, all with the same weight, one a tenant.
    pub(crate) async fn place(&self, partitions: u32, per_tenant: u32, shards: &[(&str, &str)]) {
        let mut documents: Vec<_> = shards.iter().map(|(id, url)| self.shard(id, url)).collect();
        let weights: Vec<_> = shards.iter().map(|(id, _)| format!("{id}: 1.0")).collect();
        documents.push(format!(
            "---\nplacement: default\nshards_per_tenant: {per_tenant}\nepochs: [{{from: beginning, \
             shards: {{{}}}}}]\n",
            weights.join(", ")
        ));
        self.apply(partitions, &documents).await;
    }

    pub(crate) async fn start(&self) -> Consumer {
        self.start_with(config(), ShardSource::servers()).await
    }

    pub(crate) async fn start_with(&self, config: Config, shards: ShardSource) -> Consumer {
        let ctx = Context::new(Shutdown::new());
        let live = LiveCatalog::follow(self.stream.clone(), &ctx)
            .await
            .unwrap();
        let running = consumer::start(config, self.stream.clone(), shards, live, ctx.clone());
        let running = running.await.unwrap();
        Consumer { running, ctx }
    }

    /// Appends a record of lines and waits until it is acknowledged.
    pub(crate) async fn append(&self, partition: u32, lines: &str) -> i64 {
        let record = NewRecord::value(source(partition), lines.to_owned());
        self.stream.send(record).await.unwrap().offset
    }

    /// Appends a record without a value, as a tick is.
    pub(crate) async fn tick(&self, partition: u32) {
        let mut record = NewRecord::value(source(partition), Vec::new());
        record.value = None;
        record.headers = vec![("bongsu".to_owned(), "tick".into())];
        self.stream.send(record).await.unwrap();
    }

    pub(crate) async fn committed(&self, partition: u32) -> Option<Commit> {
        let commits = self
            .stream
            .committed(GROUP, &[source(partition)])
            .await
            .unwrap();
        commits.into_iter().next()
    }

    pub(crate) async fn committed_offset(&self, partition: u32) -> i64 {
        self.committed(partition)
            .await
            .map_or(0, |commit| commit.next_offset)
    }

    /// Waits until everything before the end of the partition is committed.
    pub(crate) async fn all_committed(&self, partition: u32) {
        let end = self.stream.offsets(&source(partition)).await.unwrap().end;
        eventually("all is committed", async || {
            self.committed_offset(partition).await == end
        })
        .await;
    }

    /// Keys, values and headers of the dead letters so far.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let topic = TopicPartition::new(TopicName::deadletter(), 0);
        let end = self.stream.offsets(&topic).await.unwrap().end;
        let mut letters = Vec::new();
        let mut reader = self.stream.read(&topic, 0).await.unwrap();
        while (letters.len() as i64) < end {
            let batch = reader.next().await.unwrap().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            letters.extend(batch.records().map(|record| {
                DeadLetter {
                    key: text(record.key.unwrap()),
                    line: text(record.value.unwrap()),
                    headers: record
                        .headers()
                        .map(|(key, value)| (key.to_owned(), text(value)))
                        .collect(),
                }
            }));
        }
        letters
    }
}

#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) key: String,
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl DeadLetter {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Consumer {
    /// Stops it as SIGTERM does, and says whether it was done in time.
    pub(crate) async fn stop(self) -> bool {
        self.ctx.tasks.shutdown().begin();
        self.ctx.tasks.drain(Duration::from_secs(25)).await
    }

    /// What its HTTP side answers.
    pub(crate) async fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(self.running.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: consumer\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The value of a metric with exactly these labels, 0 when it is not there.
    pub(crate) fn metric(&self, name_and_labels: &str) -> f64 {
        let page = self.ctx.metrics.render();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

/// The configuration of tests: as shipped, but quicker.
pub(crate) fn config() -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        linger: Span::from_millis(5),
        retry_first: Span::from_millis(10),
        retry_most: Span::from_millis(200),
        commit_every: Span::from_millis(30),
        write_timeout: Span::from_millis(400),
        refresh_every: Span::from_millis(100),
        ..Config::default()
    }
}

pub(crate) fn source(partition: u32) -> TopicPartition {
    let acme = TenantId::parse("acme").unwrap();
    TopicPartition::new(TopicName::metrics(&acme, 1), partition)
}

/// Looks until it holds.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    within(PATIENCE, what, holds).await;
}

/// As [`eventually`], for what takes long on a busy machine.
pub(crate) async fn within(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(patience, looking).await.is_err() {
        panic!("not in {patience:?}: {what}");
    }
}

/// `n` lines of hosts `h0`..`h9` with values from `first` on.
pub(crate) fn lines(first: usize, n: usize) -> String {
    let line = |v: usize| format!("m,host=h{} v={v} {}\n", v % 10, AT + v as i64);
    (first..first + n).map(line).collect()
}

pub(crate) fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

pub(crate) async fn account(world: &World, partition: u32) -> Account {
    let commit = world
        .committed(partition)
        .await
        .expect("something is committed");
    commit.metadata.parse().unwrap()
}
