//! A router over the embedded log, and a log that can be told not to answer.

// Each file of tests uses its part of it.
#![allow(dead_code, unreachable_pub)]

use async_trait::async_trait;
use catalog::{LiveCatalog, Request, publish};
use model::{TenantId, TopicName};
use reqwest::{Client, Response};
use router::Config;
use runtime::{Context, Shutdown};
use schemas::catalogue::{Bundle, parse_yaml};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stream::{
    Commit, Delivery, Embedded, Ensured, JoinSpec, Log, Membership, NewRecord, OffsetRange,
    PartitionReader, Stream, StreamError, TopicInfo, TopicPartition, TopicSpec,
};

pub(crate) const TOKEN: &str = "bongsu_acme_0123456789";
/// SHA-256 of [`TOKEN`], as `printf %s bongsu_acme_0123456789 | sha256sum` prints it.
pub(crate) const HASH: &str = "c6a18cd4a73d07d6783d4eec8f1674f4f2afc0cc7216c493588aef317304039f";
/// The token of the tenant `beta`, and its hash.
pub(crate) const OTHER: &str = "bongsu_beta_0123456789";
const OTHER_HASH: &str = "88d233860930808ef67f2952700b7b55a6ea31cdde422664d9eed4816749351f";

const PEOPLE: &str = "contact: kim\nname: Kim\nphone: '+821000000001'\n---\nescalation_policy: default\nsteps: [{notify: [kim]}]\n";

pub(crate) struct World {
    pub(crate) stream: Stream,
    pub(crate) silence: Silence,
    pub(crate) url: String,
    pub(crate) http: Client,
    ctx: Context,
    _folder: tempfile::TempDir,
}

fn any(_: &Bundle) -> Result<(), Vec<String>> {
    Ok(())
}

/// What a tenant declares beside its id and token.
pub(crate) async fn declare(stream: &Stream, yaml: &str) {
    let entries = parse_yaml("test.yaml", yaml).unwrap();
    let set = entries.into_iter().map(|located| located.value).collect();
    let request = Request {
        set,
        ..Request::default()
    };
    publish(stream, &request, &any, &runtime::Clock::system())
        .await
        .unwrap();
}

pub(crate) async fn world(config: Config) -> World {
    world_of(config, "").await
}

/// A router; `more` is what `acme` declares beside its topic and token.
pub(crate) async fn world_of(config: Config, more: &str) -> World {
    runtime::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let ctx = Context::new(Shutdown::new());
    let log = Embedded::open(&folder.path().join("log"), ctx.clock.clone())
        .await
        .unwrap();
    let silence = Silence::default();
    let stream: Stream = Arc::new(Gate {
        log: log.into_stream(),
        silence: silence.clone(),
    });
    let beta = format!("tenant: beta\npartitions: 3\ntokens: [{{sha256: {OTHER_HASH}}}]\n");
    declare(&stream, &format!("{PEOPLE}---\n{}---\n{beta}", acme(more))).await;
    let catalog = LiveCatalog::follow(stream.clone(), &ctx).await.unwrap();
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..config
    };
    let running = router::start(config, stream.clone(), catalog, ctx.clone())
        .await
        .unwrap();
    World {
        stream,
        silence,
        url: format!("http://{}", running.address()),
        http: Client::new(),
        ctx,
        _folder: folder,
    }
}

/// The declaration of the tenant `acme`.
pub(crate) fn acme(more: &str) -> String {
    format!("tenant: acme\npartitions: 3\ntokens: [{{sha256: {HASH}}}]\n{more}\n")
}

impl World {
    pub(crate) async fn write(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.write_as(TOKEN, path, body).await
    }

    pub(crate) async fn write_as(
        &self,
        token: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let request = self.http.post(format!("{}{path}", self.url)).body(body);
        request
            .header("authorization", format!("Token {token}"))
            .send()
            .await
            .unwrap()
    }

    /// Writes again and again until the answer has that status.
    pub(crate) async fn until(&self, status: u16, body: &str) {
        let answered = async {
            while self.write("/api/v2/write", body.to_owned()).await.status() != status {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), answered)
            .await
            .unwrap_or_else(|_| panic!("{status} is answered within 10 s"));
    }

    /// The value of a metric, by the whole of its name and labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = self.http.get(format!("{}/metrics", self.url)).send().await;
        let page = page.unwrap().text().await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Every record of the topic of `acme`, partition by partition.
    pub(crate) async fn records(&self) -> Vec<String> {
        let mut records = Vec::new();
        for partition in 0..3 {
            let topic = TopicName::metrics(&TenantId::parse("acme").unwrap(), 1);
            let source = TopicPartition::new(topic, partition);
            let range = self.stream.offsets(&source).await.unwrap();
            let mut reader = self.stream.read(&source, range.earliest).await.unwrap();
            let mut next = range.earliest;
            while next < range.end {
                let batch = reader.next().await.unwrap().unwrap();
                for record in batch.records() {
                    next = record.offset + 1;
                    assert_eq!(record.key, None, "a packed record has no key");
                    let text = std::str::from_utf8(record.value.unwrap()).unwrap();
                    records.push(text.to_owned());
                }
            }
        }
        records
    }

    /// Every line of that topic.
    pub(crate) async fn lines(&self) -> Vec<String> {
        let records = self.records().await;
        let lines = records.iter().flat_map(|record| record.lines());
        lines.map(str::to_owned).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ctx.tasks.shutdown().begin();
    }
}

/// Topics whose records are taken and never answered.
#[derive(Clone, Default)]
pub(crate) struct Silence(Arc<Mutex<Silent>>);

#[derive(Default)]
struct Silent {
    topics: HashSet<String>,
    /// The ends of the deliveries, so that they stay open.
    kept: Vec<tokio::sync::oneshot::Sender<Result<stream::Appended, StreamError>>>,
}

impl Silence {
    /// From now on records of the topic are swallowed.
    pub(crate) fn begin(&self, topic: &str) {
        self.0.lock().unwrap().topics.insert(topic.to_owned());
    }

    /// From now on all is answered again; what was swallowed has failed.
    pub(crate) fn end(&self) {
        let mut silent = self.0.lock().unwrap();
        silent.topics.clear();
        silent.kept.clear();
    }

    fn swallow(&self, topic: &TopicName) -> Option<Delivery> {
        let mut silent = self.0.lock().unwrap();
        if !silent.topics.contains(topic.as_str()) {
            return None;
        }
        let (answer, delivery) = Delivery::pending();
        silent.kept.push(answer);
        Some(delivery)
    }
}

/// The log behind [`Silence`].
struct Gate {
    log: Stream,
    silence: Silence,
}

#[async_trait]
impl Log for Gate {
    fn send(&self, record: NewRecord) -> Delivery {
        match self.silence.swallow(&record.target.topic) {
            Some(delivery) => delivery,
            None => self.log.send(record),
        }
    }
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured, StreamError> {
        self.log.ensure_topic(spec).await
    }
    async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError> {
        self.log.topics().await
    }
    async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError> {
        self.log.partitions(topic).await
    }
    async fn offsets(&self, source: &TopicPartition) -> Result<OffsetRange, StreamError> {
        self.log.offsets(source).await
    }
    async fn committed(
        &self,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        self.log.committed(group, sources).await
    }
    async fn read(
        &self,
        source: &TopicPartition,
        from: i64,
    ) -> Result<PartitionReader, StreamError> {
        self.log.read(source, from).await
    }
    async fn join(&self, spec: JoinSpec) -> Result<Membership, StreamError> {
        self.log.join(spec).await
    }
    async fn flush(&self, within: Duration) -> Result<(), StreamError> {
        self.log.flush(within).await
    }
    fn describe(&self) -> String {
        self.log.describe()
    }
}
