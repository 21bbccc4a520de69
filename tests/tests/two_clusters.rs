//! Two real Kafka clusters under one router: a tenant's points go to its home, and a cluster that is gone costs
//! its own tenants alone.

// The tests are the outside world: they have real clocks of their own.
#![allow(clippy::disallowed_methods)]

use model::{
    AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, StreamEvent, TenantId, Timestamp,
};
use reqwest::{Response, StatusCode};
use runtime::Clock;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::workdir::Workdir;
use tests::{Bongsu, Kafka, StandIn, influxdb, wait, web};

const SOON: Duration = Duration::from_secs(30);
/// Within which an agent shall know that its broker is gone.
const ANSWERED: Duration = Duration::from_secs(2);
const CATALOGUE: &str = "\
contact: kim
name: Kim
email: kim@example.org
---
escalation_policy: default
steps: [{notify: [kim]}]
---
tenant: near
---
tenant: far
cluster: b
";

struct World {
    a: Kafka,
    b: Kafka,
    folder: Workdir,
    brokers: String,
}

impl World {
    async fn start() -> Self {
        let (a, b) = tokio::join!(Kafka::start(), Kafka::start());
        let folder = Workdir::new("two-clusters");
        let brokers = a.brokers();
        folder.write("bongsu.yaml", &settings(&b));
        folder.write("catalogue.yaml", CATALOGUE);
        Self {
            a,
            b,
            folder,
            brokers,
        }
    }

    /// A command over both clusters.
    fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let config = self.folder.join("bongsu.yaml").display().to_string();
        let both = ["--config", &config, "--kafka", &self.brokers];
        tokio::task::block_in_place(|| Bongsu::run(&[&both, arguments].concat(), &[]))
    }

    /// Applies a catalogue, with a shard for all.
    fn declare(&self, catalogue: &str, store: &StandIn) {
        let secret = self.folder.write("shard.token", influxdb::TOKEN);
        let shard = format!(
            "---\nshard: s0\nurl: {}\ntoken_file: {}\n---\nplacement: default\n\
             epochs: [{{from: beginning, shards: {{s0: 1}}}}]\n",
            store.url(),
            secret.display()
        );
        let file = self
            .folder
            .write("catalogue.yaml", &(catalogue.to_owned() + &shard));
        let file = file.display().to_string();
        self.run(&["apply", "-f", &file]).unwrap();
    }

    fn token(&self, tenant: &str) -> String {
        let said = self.run(&["tenant", "add", tenant, "-o", "json"]).unwrap();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said["token"].as_str().unwrap().to_owned()
    }

    /// Puts an alert into a cluster, as an evaluator there does.
    async fn send(&self, cluster: &Kafka, tenant: &str, host: u32) {
        let event = schemas::alert::encode(&firing(tenant, host));
        let key = format!("{tenant}/0");
        let sent = cluster.send("bongsu.alerts", Some(&key), &event, &[]);
        sent.await.unwrap();
    }

    /// A command over both clusters that may fail, or that does not end by itself.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tests::bongsu::binary());
        command.arg("--config").arg(self.folder.join("bongsu.yaml"));
        command.args(["--kafka", &self.brokers]).args(arguments);
        command
    }

    fn router(&self) -> tests::bongsu::Builder {
        self.service("router", "")
    }

    /// A service that stands on b alone.
    fn service_in_b(&self, name: &str) -> tests::bongsu::Builder {
        let brokers = self.b.brokers();
        let settings =
            format!("kafka: {{brokers: [{brokers:?}]}}\n{name}:\n  listen: 127.0.0.1:{{port}}\n");
        Bongsu::service(name)
            .file("bongsu.yaml", settings)
            .arg("--config")
            .arg("{dir}/bongsu.yaml")
    }

    /// A service that knows both clusters.
    fn service(&self, name: &str, more: &str) -> tests::bongsu::Builder {
        Bongsu::service(name)
            .file("bongsu.yaml", settings(&self.b) + more)
            .arg("--config")
            .arg("{dir}/bongsu.yaml")
            .arg("--kafka")
            .arg(&self.brokers)
            .arg("--listen")
            .arg("127.0.0.1:{port}")
    }
}

fn settings(b: &Kafka) -> String {
    format!("clusters:\n  b: {{brokers: [\"{}\"]}}\n", b.brokers())
}

async fn write(router: &Bongsu, token: &str, line: &str) -> Response {
    let request = web::client().post(format!("{}/api/v2/write", router.url()));
    let request = request.header("authorization", format!("Token {token}"));
    request.body(line.to_owned()).send().await.unwrap()
}

async fn is_taken(router: &Bongsu, token: &str, line: &str) {
    wait::holds(format!("`{line}` is taken"), SOON, async || {
        write(router, token, line).await.status() == StatusCode::NO_CONTENT
    })
    .await;
}

async fn asked(router: &Bongsu, path: &str) -> StatusCode {
    let answer = web::client().get(format!("{}{path}", router.url())).send();
    answer.await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_points_go_to_its_home_and_a_cluster_that_is_gone_costs_its_own_tenants_alone() {
    let world = World::start().await;
    let file = world.folder.join("catalogue.yaml").display().to_string();
    world.run(&["apply", "-f", &file]).unwrap();
    let (near, far) = (world.token("near"), world.token("far"));
    let router = world.router().start().await;
    is_taken(&router, &near, "m,host=a v=1 1").await;
    is_taken(&router, &far, "m,host=b v=2 2").await;
    let in_a = world.a.read("metrics.near", 1, SOON).await.unwrap();
    let in_b = world.b.read("metrics.far", 1, SOON).await.unwrap();
    assert_eq!(
        (in_a[0].text(), in_b[0].text()),
        ("m,host=a v=1 1\n".into(), "m,host=b v=2 2\n".into())
    );
    let elsewhere = world.a.read_all("metrics.far").await.unwrap_or_default();
    assert!(elsewhere.is_empty(), "`far` has points in a: {elsewhere:?}");
    same_catalogue(&world);

    world.b.pause();
    let asked_at = Instant::now();
    let answer = write(&router, &far, "m,host=b v=3 3").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(asked_at.elapsed() < ANSWERED, "{:?}", asked_at.elapsed());
    assert!(answer.headers().contains_key("retry-after"));
    let unharmed = write(&router, &near, "m,host=a v=4 4").await;
    assert_eq!(unharmed.status(), StatusCode::NO_CONTENT);
    assert_eq!(asked(&router, "/readyz").await, StatusCode::OK);
    let behind = world
        .run(&["tenant", "add", "late"])
        .unwrap_err()
        .to_string();
    assert!(behind.contains("not in every cluster"), "{behind}");

    world.a.pause();
    wait::holds("no cluster answers", SOON, async || {
        asked(&router, "/readyz").await == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    assert_eq!(asked(&router, "/livez").await, StatusCode::OK);

    world.a.resume();
    world.b.resume();
    is_taken(&router, &far, "m,host=b v=5 5").await;
    is_taken(&router, &near, "m,host=a v=6 6").await;
    world.run(&["apply", "-f", &file]).unwrap();
    same_catalogue(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_notifier_reads_the_alerts_of_both_and_goes_on_while_one_is_gone() {
    let world = World::start().await;
    let file = world.folder.join("catalogue.yaml").display().to_string();
    world.run(&["apply", "-f", &file]).unwrap();
    let notifier = world.service("notifier", NOTIFIER).start().await;
    world.send(&world.a, "near", 1).await;
    world.send(&world.b, "far", 1).await;
    for tenant in ["near", "far"] {
        has_incidents(&notifier, tenant, 1).await;
    }
    // The cluster that is gone costs its own tenants alone; what they were told meanwhile is not lost.
    world.b.pause();
    world.send(&world.a, "near", 2).await;
    has_incidents(&notifier, "near", 2).await;
    assert_eq!(asked(&notifier, "/readyz").await, StatusCode::OK);
    world.b.resume();
    world.send(&world.b, "far", 2).await;
    has_incidents(&notifier, "far", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_moves_leaves_nothing_unseen_in_its_former_home() {
    let (world, store) = tokio::join!(World::start(), StandIn::start());
    world.declare(CATALOGUE, &store);
    let far = world.token("far");
    let router = world.router().start().await;
    for n in 1..=3 {
        is_taken(&router, &far, &format!("m,host=b v={n} {n}")).await;
    }
    // Nobody reads in b while the home of `far` becomes a.
    world.declare(&CATALOGUE.replace("cluster: b\n", ""), &store);
    wait::holds("`far` is written to a", SOON, async || {
        write(&router, &far, "m,host=b v=4 4").await;
        let records = world.a.count("metrics.far").unwrap_or_default();
        records > 0
    })
    .await;
    let rows = doctor(&world, "lag");
    assert!(rows["far[0] in b"].ends_with(" records"), "{rows:?}");
    assert_ne!(rows["far[0] in b"], "0 records");
    assert_ne!(rows["far[0]"], "0 records");

    let in_b = world.service_in_b("consumer").start();
    let (_in_a, _in_b) = tokio::join!(world.service("consumer", "").start(), in_b);
    wait::holds("what waited in either is stored", SOON, async || {
        store.count("far") == 4
    })
    .await;
    wait::holds("nothing waits any more", SOON, async || {
        let rows = doctor(&world, "lag");
        rows["far[0] in b"] == "0 records" && rows["far[0]"] == "0 records"
    })
    .await;
    let accounts = doctor(&world, "account");
    assert!(accounts["far[0] in b"].starts_with("read "), "{accounts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_find_the_lines_of_a_tenant_in_its_home() {
    let (world, store) = tokio::join!(World::start(), StandIn::start());
    world.declare(CATALOGUE, &store);
    world.token("near");
    let far = world.token("far");
    let router = world.router().start().await;
    is_taken(&router, &far, "m,host=b v=1 1").await;

    let mut tap = world.command(&["tap", "far", "-n", "1", "-o", "jsonl"]);
    let mut tap = tap.stdout(Stdio::piped()).spawn().unwrap();
    wait::holds("a line is seen", SOON, async || {
        write(&router, &far, "m,host=b v=2 2").await;
        tap.try_wait().unwrap().is_some()
    })
    .await;
    let seen = tap.wait_with_output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen["line"], "m,host=b v=2 2");

    let in_b = world.service_in_b("consumer").start().await;
    let bad = world.b.send("metrics.far", None, b"m,host=b v=", &[]);
    let (partition, offset) = bad.await.unwrap();
    let id = format!("b:far/{partition}/{offset}/1");
    wait::holds("the dead letter is found", SOON, async || {
        let list = world.run(&["dlq", "list", "-o", "csv"]).unwrap();
        list.lines().any(|line| line.starts_with(&id))
    })
    .await;
    let end = world.b.count("metrics.far").unwrap();
    world.run(&["dlq", "replay", &id]).unwrap();
    assert_eq!(world.b.count("metrics.far").unwrap(), end + 1);
    let elsewhere = world.a.count("metrics.far").unwrap_or_default();
    assert_eq!(elsewhere, 0, "its home is b");
    let shown = world.run(&["dlq", "show", &id, "-o", "json"]).unwrap();
    assert!(shown.contains("\"replayed\": true"), "{shown}");
    drop(in_b);

    world.b.pause();
    let accounts = doctor(&world, "account");
    assert!(accounts.contains_key("all tenants in b"), "{accounts:?}");
    assert!(accounts.contains_key("near[0]"), "{accounts:?}");
    world.b.resume();
}

/// What `doctor` says of each thing by one of its checks.
fn doctor(world: &World, check: &str) -> BTreeMap<String, String> {
    let mut doctor = world.command(&["doctor", "-o", "json"]);
    // Its end is a failure: there is no notifier.
    let said = tokio::task::block_in_place(|| doctor.output()).unwrap();
    let rows: Vec<BTreeMap<String, String>> = serde_json::from_slice(&said.stdout).unwrap();
    let of_check = rows.into_iter().filter(|row| row["check"] == check);
    of_check
        .map(|row| (row["what"].clone(), row["detail"].clone()))
        .collect()
}

/// How a notifier of its own stands on nothing else.
const NOTIFIER: &str = "notifier:\n  listen: 127.0.0.1:{port}\n  inbox: true\n  database: {sqlite: \"{dir}/incidents.db\"}\n";

async fn has_incidents(notifier: &Bongsu, tenant: &str, count: usize) {
    let url = format!("{}/api/v1/incidents?tenant={tenant}", notifier.url());
    wait::holds(
        format!("{tenant} has {count} incidents"),
        SOON,
        async || {
            let Ok(answer) = web::client().get(&url).send().await else {
                return false;
            };
            let list: serde_json::Value = answer.json().await.unwrap_or_default();
            list["incidents"].as_array().map_or(0, Vec::len) == count
        },
    )
    .await;
}

/// A P1 of a host, as an evaluator says it.
fn firing(tenant: &str, host: u32) -> StreamEvent {
    let tenant = TenantId::parse(tenant).unwrap();
    let group = vec![("host".to_owned(), format!("web-{host}"))];
    let now = Clock::system().now_nanos();
    let now = Timestamp::from_nanos(now);
    let id = IncidentId::of(Fingerprint::of(&tenant, "cpu-usage", &group), 0, now);
    StreamEvent::Alert(Box::new(AlertEvent {
        event_id: id.event(1),
        incident_id: id,
        sequence: 1,
        tenant,
        partition: 0,
        template: "cpu-usage".to_owned(),
        group,
        kind: AlertKind::Firing,
        priority: Some(Priority::P1),
        value: Some(97.2),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        at: now,
        started_at: now,
        arrival: now,
        env: None,
        title: "CPU usage is critically high".to_owned(),
        title_ko: None,
        why: "average over 5m is 97.2 %, above 90 %".to_owned(),
        runbook: None,
    }))
}

/// Whether both clusters have the same tenants.
fn same_catalogue(world: &World) {
    let of = |brokers: &str| {
        let list = ["--kafka", brokers, "tenant", "list", "-o", "json"];
        tokio::task::block_in_place(|| Bongsu::run(&list, &[])).unwrap()
    };
    assert_eq!(of(&world.brokers), of(&world.b.brokers()));
}
