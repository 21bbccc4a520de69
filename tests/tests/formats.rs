//! What agents send besides line protocol, from real senders into a real InfluxDB: Prometheus by remote write 1.0 and
//! 2.0, Telegraf as JSON and by InfluxDB's old API, OpenTelemetry SDKs as they were recorded.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::telegraf::Output;
use tests::workdir::Workdir;
use tests::{Bongsu, Influxdb, Prometheus, Telegraf, influxdb, ports, wait, web};

const SOON: Duration = Duration::from_secs(30);
/// A series that changes with every scrape.
const BYTES: &str = "process_resident_memory_bytes";

/// `bongsu up` over a real InfluxDB, with one tenant.
struct World {
    bongsu: Bongsu,
    store: Influxdb,
    token: String,
    _folder: Workdir,
}

impl World {
    async fn start() -> Self {
        let store = Influxdb::start().await;
        let folder = Workdir::new("formats");
        let data = folder.join("data").display().to_string();
        let token = folder.write("influxdb.token", influxdb::TOKEN);
        let console = ports::free();
        let bongsu = Bongsu::service("up")
            .arg("--data-dir")
            .arg(&data)
            .arg("--influx")
            .arg(store.url())
            .arg("--influx-token-file")
            .arg(token.display().to_string())
            .arg("--influx-org")
            .arg(influxdb::ORG)
            .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
            // By itself `up` says only what is wrong.
            .env("BONGSU_LOG", "info")
            .env("BONGSU_NOTIFIER__LISTEN", format!("127.0.0.1:{console}"))
            .start()
            .await;
        let added = [
            "--data-dir",
            &data,
            "--output",
            "json",
            "tenant",
            "add",
            "acme",
        ];
        let added = Bongsu::run(&added, &[]).expect("a tenant is added");
        let added: Value = serde_json::from_str(&added).expect("the answer is JSON");
        let token = added["token"].as_str().expect("it has a token").to_owned();
        Self {
            bongsu,
            store,
            token,
            _folder: folder,
        }
    }

    /// Values of a field by time in nanoseconds.
    async fn stored(&self, filter: &str) -> Result<BTreeMap<i64, f64>> {
        let flux = format!(
            "from(bucket: \"acme\") |> range(start: 0, stop: 2200-01-01T00:00:00Z) \
             |> filter(fn: (r) => {filter}) |> map(fn: (r) => ({{nanos: int(v: r._time), value: float(v: r._value)}}))"
        );
        let rows = self.store.query(&flux).await?;
        let read = |row: &BTreeMap<String, String>| {
            let nanos = row.get("nanos").context("a time")?.parse()?;
            Ok((nanos, row.get("value").context("a value")?.parse()?))
        };
        rows.iter().map(read).collect()
    }

    async fn holds(&self, what: &str, filter: &str, values: usize) {
        let enough = wait::until(SOON, async || {
            let found = self.stored(filter).await?;
            Ok((found.len() >= values).then_some(()))
        });
        if let Err(error) = enough.await {
            panic!("{what}: {error:#}\n{}", self.bongsu.log());
        }
    }
}

/// The samples of a series as Prometheus itself has them, by time in nanoseconds.
async fn scraped(prometheus: &Prometheus, series: &str) -> BTreeMap<i64, f64> {
    let result = prometheus
        .query(&format!("{series}[10m]"))
        .await
        .expect("a result");
    let values = result
        .iter()
        .flat_map(|series| series["values"].as_array().into_iter().flatten());
    let sample = |value: &Value| {
        let seconds = value[0].as_f64().expect("a time");
        let text = value[1].as_str().expect("a value");
        let nanos = (seconds * 1e3).round() as i64 * 1_000_000;
        (nanos, text.parse().expect("a number"))
    };
    values.map(sample).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_is_stored_to_the_sample_by_both_versions_of_remote_write() {
    let world = World::start().await;
    let url = world.bongsu.url();
    let target = |version: &str, path: &str, rest: &str| {
        format!(
            "- url: {url}{path}\n  name: {version}\n  authorization: {{credentials: {}}}\n  \
             queue_config: {{batch_send_deadline: 1s}}\n  \
             write_relabel_configs: [{{target_label: version, replacement: {version}}}]\n{rest}",
            world.token
        )
    };
    let targets = target("v1", "/api/v1/prom/write", "")
        + &target(
            "v2",
            "/api/v1/write",
            "  protobuf_message: io.prometheus.write.v2.Request\n",
        );
    let mut prometheus = Prometheus::start(&targets).await;
    for version in ["v1", "v2"] {
        let filter = format!(
            "r._measurement == \"{BYTES}\" and r._field == \"value\" and r.version == \"{version}\" and r.host == \"127.0.0.1\""
        );
        world.holds("five scrapes are stored", &filter, 5).await;
    }
    let sent = scraped(&prometheus, BYTES).await;
    let failed = prometheus
        .query("prometheus_remote_storage_samples_failed_total{remote_name=\"v1\"}")
        .await
        .expect("a result");
    assert_eq!(failed[0]["value"][1], "0", "{}", prometheus.tail());
    prometheus.terminate(SOON).await.expect("it ends");
    for version in ["v1", "v2"] {
        let filter = format!("r._measurement == \"{BYTES}\" and r.version == \"{version}\"");
        wait::holds("what Prometheus scraped is stored", SOON, async || {
            let stored = world.stored(&filter).await.unwrap_or_default();
            sent.iter().all(|(at, value)| stored.get(at) == Some(value))
        })
        .await;
    }
    assert!(sent.len() >= 5);
    let log = prometheus.log();
    assert!(!log.contains("non-recoverable"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn telegraf_and_opentelemetry_are_stored_whichever_way_they_write() {
    let world = World::start().await;
    let (url, token) = (world.bongsu.url(), &world.token);
    let json = format!(
        "[[outputs.http]]\nurl = \"{url}/api/v1/metrics?precision=ns\"\ndata_format = \"json\"\n\
         json_timestamp_units = \"1ns\"\n[outputs.http.headers]\nAuthorization = \"Token {token}\"\n"
    );
    let old = format!(
        "[[outputs.influxdb]]\nurls = [\"{url}\"]\nusername = \"any\"\npassword = \"{token}\"\n\
         database = \"ignored\"\n"
    );
    for (name, output) in [("json", json), ("old", old)] {
        let lines = format!("m,host=web-1,way={name} v=1.5\nm,host=web-2,way={name} v=2.5\n");
        Telegraf::once(&lines, &Output::Other(output))
            .await
            .expect("Telegraf sends");
        for host in ["web-1", "web-2"] {
            let filter = format!("r.way == \"{name}\" and r.host == \"{host}\"");
            world.holds(name, &filter, 1).await;
        }
    }
    let write = format!("{url}/api/v2/write?org=others&bucket=others");
    let write = web::client().post(write).bearer_auth(token);
    let answer = write.body("m,host=web-1 v=3").send().await;
    assert_eq!(answer.expect("an answer").status(), 204);
    for (kind, packing, name) in [
        ("application/x-protobuf", "gzip", "python.pb.gz"),
        ("application/json", "identity", "javascript.json"),
    ] {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/golden/otlp");
        let body = std::fs::read(golden.join(name)).expect("a recorded request");
        let request = web::client().post(format!("{url}/v1/metrics")).body(body);
        let request = request
            .header("content-type", kind)
            .header("content-encoding", packing);
        let answer = request.bearer_auth(token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{name}");
    }
    for host in ["web-1", "web-2"] {
        let filter = format!(
            "r._measurement == \"orders\" and r._field == \"counter\" and r.host == \"{host}\""
        );
        world
            .holds("OpenTelemetry's counter is stored", &filter, 1)
            .await;
    }
    let said = world.bongsu.log();
    let ignored = said.matches("`org`, `bucket` and `db` of writes are ignored");
    assert_eq!(ignored.count(), 1, "said once, whoever writes: {said}");
}
