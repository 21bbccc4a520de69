//! A router over the embedded log, with one tenant.

// Each file of tests uses its part of it.
#![allow(dead_code, unreachable_pub)]

use catalog::{LiveCatalog, Request, publish};
use model::{TenantId, TopicName};
use reqwest::Client;
use router::Config;
use runtime::{Context, Shutdown};
use schemas::catalogue::{Bundle, parse_yaml};
use std::net::SocketAddr;
use stream::{Embedded, Stream, TopicPartition};

pub const TOKEN: &str = "bongsu_acme_0123456789";
/// SHA-256 of [`TOKEN`], as `printf %s bongsu_acme_0123456789 | sha256sum` prints it.
const HASH: &str = "c6a18cd4a73d07d6783d4eec8f1674f4f2afc0cc7216c493588aef317304039f";

pub struct World {
    pub stream: Stream,
    pub url: String,
    pub http: Client,
    ctx: Context,
    _folder: tempfile::TempDir,
}

fn any(_: &Bundle) -> Result<(), Vec<String>> {
    Ok(())
}

pub async fn declare(stream: &Stream, yaml: &str) {
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

pub async fn world(config: Config) -> World {
    runtime::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let ctx = Context::new(Shutdown::new());
    let log = Embedded::open(&folder.path().join("log"), ctx.clock.clone())
        .await
        .unwrap();
    let stream = log.into_stream();
    let people = "contact: kim\nname: Kim\nphone: '+821000000001'\n---\nescalation_policy: default\nsteps: [{notify: [kim]}]\n";
    let tenant = format!("tenant: acme\npartitions: 3\ntokens: [{{sha256: {HASH}}}]\n");
    declare(&stream, &format!("{people}---\n{tenant}")).await;
    let catalog = LiveCatalog::follow(stream.clone(), &ctx).await.unwrap();
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..config
    };
    let running = router::start(config, stream.clone(), catalog, ctx.clone())
        .await
        .unwrap();
    let url = format!("http://{}", running.address());
    World {
        stream,
        url,
        http: Client::new(),
        ctx,
        _folder: folder,
    }
}

impl World {
    /// Every line of the tenant's topic, partition by partition.
    pub async fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
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
                    let text = std::str::from_utf8(record.value.unwrap()).unwrap();
                    lines.extend(text.lines().map(str::to_owned));
                }
            }
        }
        lines
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ctx.tasks.shutdown().begin();
    }
}
