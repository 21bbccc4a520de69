//! The read gateway over two real InfluxDB: a query reaches the shards that hold its time, and a tenant
//! reads nothing of another's whatever it writes.

use catalog::{LiveCatalog, Request, publish};
use reqwest::{Client, StatusCode};
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Bundle, parse_yaml};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::net::SocketAddr;
use stream::Embedded;
use tests::Influxdb;
use tests::influxdb::{ORG, TOKEN};
use tests::workdir::Workdir;

/// 2026-01-01T00:00:00Z: from here on points are on the second shard.
const MOVE: i64 = 1_767_225_600;
/// What `globex` has written: no time in an answer can look like it.
const SECRET: i64 = -770_077;

struct World {
    shards: [Influxdb; 2],
    url: String,
    http: Client,
    ctx: Context,
    _folder: Workdir,
}

fn any(_: &Bundle) -> Result<(), Vec<String>> {
    Ok(())
}

fn tenant(id: &str) -> String {
    let hash = Sha256::digest(format!("token-of-{id}").as_bytes());
    let mut hex = String::new();
    for byte in hash {
        write!(hex, "{byte:02x}").unwrap();
    }
    format!("---\ntenant: {id}\ntokens: [{{sha256: {hex}}}]\n")
}

fn declarations(shards: &[Influxdb; 2], token_file: &str) -> String {
    let mut yaml =
        "contact: kim\nname: Kim\nphone: '+821000000001'\n---\nescalation_policy: default\n\
                    steps: [{notify: [kim]}]\n"
            .to_owned();
    for (n, shard) in shards.iter().enumerate() {
        let (n, url) = (n + 1, shard.url());
        write!(
            yaml,
            "---\nshard: s{n}\nurl: {url}\norg: {ORG}\ntoken_file: {token_file}\n"
        )
        .unwrap();
    }
    yaml.push_str(
        "---\nplacement: default\nepochs:\n  - {from: beginning, shards: {s1: 1}}\n  - from: 2026-01-01T00:00:00Z\n    \
         shards: {s1: 0, s2: 1}\n    tenants: {twin: [s1, s2]}\n    replicas: 2\n",
    );
    yaml + &tenant("acme") + &tenant("globex") + &tenant("twin")
}

async fn world() -> World {
    let (one, two) = tokio::join!(Influxdb::start(), Influxdb::start());
    let shards = [one, two];
    let folder = Workdir::new("reads");
    let token_file = folder.join("token");
    std::fs::write(&token_file, TOKEN).unwrap();
    let ctx = Context::new(Shutdown::new());
    let log = Embedded::open(&folder.join("log"), ctx.clock.clone())
        .await
        .unwrap();
    let stream = log.into_stream();
    let yaml = declarations(&shards, &token_file.display().to_string());
    let entries = parse_yaml("test.yaml", &yaml).unwrap();
    let set = entries.into_iter().map(|located| located.value).collect();
    let request = Request {
        set,
        ..Request::default()
    };
    publish(&stream, &request, &any, &Clock::system())
        .await
        .unwrap();
    let catalog = LiveCatalog::follow(stream.clone(), &ctx).await.unwrap();
    let config = router::Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..router::Config::default()
    };
    let running = router::start(config, stream, catalog, ctx.clone())
        .await
        .unwrap();
    let world = World {
        shards,
        url: format!("http://{}", running.address()),
        http: Client::new(),
        ctx,
        _folder: folder,
    };
    world.fill().await;
    world
}

impl World {
    /// Points of three tenants on both sides of the move, each where the consumer puts it.
    async fn fill(&self) {
        let line = |host: &str, at: i64, value: i64| {
            format!("cpu,host={host} v={value}i {}\n", at * 1_000_000_000)
        };
        for (shard, tenant, lines) in [
            (
                0,
                "acme",
                line("a", MOVE - 60, 1) + &line("b", MOVE - 30, 2),
            ),
            (
                1,
                "acme",
                line("a", MOVE + 60, 3) + &line("c", MOVE + 30, 4),
            ),
            (0, "globex", line("secret", MOVE - 60, SECRET)),
            (1, "globex", line("secret", MOVE + 60, SECRET)),
            (0, "twin", line("t", MOVE + 10, 5)),
            (1, "twin", line("t", MOVE + 10, 5)),
        ] {
            self.shards[shard].create_bucket(tenant).await.unwrap();
            let (status, text) = self.shards[shard].write(tenant, &lines).await.unwrap();
            assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
        }
    }

    async fn flux_as(&self, tenant: &str, body: Value) -> (StatusCode, String) {
        let answer = self.http.post(format!("{}/api/v2/query?org=any", self.url));
        let answer = answer.header("authorization", format!("Token token-of-{tenant}"));
        let answer = answer.json(&body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn flux(&self, query: &str) -> (StatusCode, String) {
        self.flux_as("acme", json!({"query": query, "type": "flux"}))
            .await
    }

    async fn influxql_as(&self, tenant: &str, query: &str) -> (StatusCode, Value) {
        let answer = self.http.get(format!("{}/query", self.url));
        let pair = [("q", query), ("epoch", "s"), ("db", tenant)];
        let answer = answer
            .query(&pair)
            .basic_auth("any", Some(format!("token-of-{tenant}")));
        let answer = answer.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn influxql(&self, query: &str) -> (StatusCode, Value) {
        self.influxql_as("acme", query).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ctx.tasks.shutdown().begin();
    }
}

/// The values of a column of Flux's CSV, sorted.
fn column(csv: &str, name: &str) -> Vec<String> {
    let (mut at, mut values) = (None, Vec::new());
    for line in csv.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split(',').collect();
        match at {
            _ if cells.len() < 3 => at = None,
            None => at = cells.iter().position(|cell| *cell == name),
            Some(at) => values.push(cells[at].to_owned()),
        }
    }
    values.sort();
    values
}

const BOTH: &str =
    "from(bucket: \"acme\") |> range(start: 2025-12-31T00:00:00Z, stop: 2026-01-02T00:00:00Z)";

#[tokio::test(flavor = "multi_thread")]
async fn queries_reach_the_shards_that_hold_their_time() {
    let mut world = world().await;
    rows_of_one_shard_and_of_two(&world).await;
    what_grafana_asks_is_answered_over_two_shards(&world).await;
    a_data_source_is_content(&world).await;
    nobody_reads_what_is_anothers(&world).await;
    nothing_writes_and_nothing_leaves(&world).await;
    the_endpoint_says_where_points_are(&world).await;
    the_dashboard_of_hosts_shows_them(&world).await;
    a_replica_answers_for_a_dead_shard(&mut world).await;
}

async fn rows_of_one_shard_and_of_two(world: &World) {
    let early = BOTH.replace("2026-01-02", "2026-01-01");
    let (status, text) = world.flux(&format!("{early} |> mean()")).await;
    assert_eq!(
        (status, column(&text, "_value")),
        (StatusCode::OK, vec!["1".into(), "2".into()]),
        "{text}"
    );
    let (status, text) = world.flux(BOTH).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(column(&text, "_value"), ["1", "2", "3", "4"], "{text}");
    assert_eq!(
        column(&text, "table"),
        ["0", "1", "2", "3"],
        "each table has its number: {text}"
    );
    let (status, text) = world.flux(&format!("{BOTH} |> mean()")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(
        text.contains("mean") && text.contains("s1") && text.contains("s2"),
        "{text}"
    );

    let (status, found) = world.influxql("SELECT v FROM cpu").await;
    let series = &found["results"][0]["series"][0];
    let rows = json!([
        [MOVE - 60, 1],
        [MOVE - 30, 2],
        [MOVE + 30, 4],
        [MOVE + 60, 3]
    ]);
    assert_eq!(
        (status, &series["values"]),
        (StatusCode::OK, &rows),
        "{found}"
    );
    let after = "SELECT sum(v) FROM cpu WHERE time >= '2026-01-01T00:00:00Z'";
    let (_, found) = world.influxql(after).await;
    assert_eq!(
        found["results"][0]["series"][0]["values"][0][1], 7,
        "{found}"
    );
    let (status, found) = world.influxql("SELECT sum(v) FROM cpu").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        found["error"]
            .as_str()
            .unwrap()
            .contains("s1 from the beginning"),
        "{found}"
    );
}

/// What Grafana asks when a data source is tried, for its lists and for its tables: the points are on two shards.
async fn what_grafana_asks_is_answered_over_two_shards(world: &World) {
    let values = async |query: &str| {
        let (status, found) = world.influxql(query).await;
        assert_eq!(status, StatusCode::OK, "{query}: {found}");
        found["results"][0]["series"][0]["values"].clone()
    };
    let limited = "SHOW MEASUREMENTS LIMIT 1";
    assert_eq!(values(limited).await, json!([["cpu"]]));
    let hosts = "SHOW TAG VALUES FROM cpu WITH KEY = \"host\" LIMIT 2";
    assert_eq!(
        values(hosts).await,
        json!([["host", "a"], ["host", "b"]]),
        "the first of both shards together"
    );
    let first = json!([[MOVE - 60, 1], [MOVE - 30, 2]]);
    assert_eq!(values("SELECT v FROM cpu LIMIT 2").await, first);
    let last = json!([[MOVE + 60, 3]]);
    let newest = "SELECT v FROM cpu ORDER BY time DESC LIMIT 1";
    assert_eq!(values(newest).await, last);
    // Seoul's clock is 9 h ahead: this is a minute before the move, and after it without the zone.
    let seoul = "SELECT v FROM cpu WHERE time >= '2026-01-01 08:59:00' AND time < '2026-01-01 09:00:00' tz('Asia/Seoul')";
    assert_eq!(values(seoul).await, first);

    let schema = "import \"influxdata/influxdb/schema\"\n";
    let hosts = "schema.tagValues(bucket: \"acme\", tag: \"host\", start: 2025-12-01T00:00:00Z)";
    let (status, text) = world.flux(&format!("{schema}{hosts}")).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(column(&text, "_value"), ["a", "b", "c"], "{text}");
    let dialect = json!({"query": BOTH, "dialect": {"header": false}});
    let (status, text) = world.flux_as("acme", dialect).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("dialect"), "{text}");
}

async fn a_data_source_is_content(world: &World) {
    let (_, found) = world.influxql("SHOW DATABASES").await;
    assert_eq!(
        found["results"][0]["series"][0]["values"],
        json!([["acme"]])
    );
    let (_, found) = world.influxql("SHOW RETENTION POLICIES on \"acme\"").await;
    assert_eq!(found["results"][0]["series"][0]["values"][0][0], "autogen");
    let (_, found) = world.influxql("SHOW TAG KEYS").await;
    assert_eq!(
        found["results"][0]["series"][0]["values"],
        json!([["host"]]),
        "{found}"
    );
    let (_, found) = world.influxql("SHOW TAG VALUES WITH KEY = host").await;
    let hosts = json!([["host", "a"], ["host", "b"], ["host", "c"]]);
    assert_eq!(found["results"][0]["series"][0]["values"], hosts, "{found}");
    let (status, text) = world.flux("buckets()").await;
    assert_eq!(
        (status, column(&text, "name")),
        (StatusCode::OK, vec!["acme".to_owned()]),
        "{text}"
    );
    let list = world.http.get(format!("{}/api/v2/buckets", world.url));
    let list = list
        .header("authorization", "Token token-of-acme")
        .send()
        .await
        .unwrap();
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["buckets"][0]["name"], "acme");
}

/// What the gateway sees is refused by it; what it cannot see the shard refuses, which knows the tenant by
/// a token that reads one bucket.
async fn nobody_reads_what_is_anothers(world: &World) {
    for query in [
        "from(bucket: \"globex\") |> range(start: 0)",
        "b = \"glo\" + \"bex\"\nfrom(bucket: b) |> range(start: -1000d, stop: -1d)",
        "f = (x) => from(bucket: x)\nf(x: \"globex\") |> range(start: 0)",
        "union(tables: [from(bucket: \"acme\") |> range(start: 2026-01-01T00:00:00Z), \
         from(bucket: \"${\"globex\"}\") |> range(start: 2026-01-01T00:00:00Z)])",
    ] {
        let (status, text) = world.flux(query).await;
        assert!(
            !status.is_success() || !text.contains("secret"),
            "{query}: {status} {text}"
        );
        assert!(!text.contains(&SECRET.to_string()), "{query}: {text}");
    }
    let (status, text) = world
        .flux("from(bucket: \"globex\") |> range(start: 0)")
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        text.contains("not yours: this token reads bucket `acme`"),
        "{text}"
    );
    for query in [
        "SELECT * FROM globex.autogen.cpu",
        "SELECT * FROM \"globex\"..cpu",
        "SHOW TAG VALUES ON globex WITH KEY = host",
    ] {
        let (status, found) = world.influxql(query).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{query}: {found}");
    }
    let answer = world
        .http
        .get(format!("{}/query?db=globex&q=SELECT+*+FROM+cpu", world.url));
    let answer = answer
        .header("authorization", "Token token-of-acme")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let (status, _) = world.flux_as("nobody", json!({"query": BOTH})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, found) = world.influxql_as("globex", "SELECT v FROM cpu").await;
    assert_eq!(
        found["results"][0]["series"][0]["values"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

async fn nothing_writes_and_nothing_leaves(world: &World) {
    for body in [
        json!({"query": format!("{BOTH} |> to(bucket: \"acme\")")}),
        json!({"query": format!("w = to\n{BOTH} |> w(bucket: \"acme\")")}),
        json!({"query": format!("import \"experimental\"\n{BOTH} |> experimental.to(bucket: \"acme\")")}),
        json!({"query": format!("import \"http/requests\"\nrequests.get(url: \"{}\")", world.url)}),
        json!({"query": format!("from(bucket: \"acme\", host: \"{}\")", world.url)}),
        json!({"query": format!("from(bucket: \"acme\", \"ho\\x73t\": \"{}\")", world.url)}),
        json!({"query": BOTH, "extern": {"type": "File"}}),
        json!({"query": BOTH, "type": "influxql"}),
    ] {
        let (status, text) = world.flux_as("acme", body.clone()).await;
        assert!(status.is_client_error(), "{body}: {status} {text}");
    }
    for query in [
        "DROP MEASUREMENT cpu",
        "DELETE FROM cpu",
        "SELECT v INTO x FROM cpu",
    ] {
        let (status, found) = world.influxql(query).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{query}: {found}");
    }
}

async fn the_endpoint_says_where_points_are(world: &World) {
    let url = format!(
        "{}/api/v2/resolve?from=2025-12-31T00:00:00Z&host=a",
        world.url
    );
    let answer = world
        .http
        .get(url)
        .header("authorization", "Token token-of-acme");
    let found: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(found["tenant"], "acme");
    assert_eq!(found["read"], json!(["s1", "s2"]), "{found}");
    assert_eq!(found["spans"][1]["from"], "2026-01-01T00:00:00Z", "{found}");
}

/// What the inputs of a real Telegraf say of a host, of those fields that the dashboard asks for.
fn host_reports(host: &str) -> String {
    let mut text = String::new();
    for n in 1..=6 {
        let at = (MOVE + 100 + n * 10) * 1_000_000_000;
        let all = [
            format!("cpu,cpu=cpu-total,host={host} usage_idle=90,usage_iowait=1"),
            format!("system,host={host} load1=0.5,n_cpus=4i,uptime={}i", n * 10),
            format!("mem,host={host} used_percent=40"),
            format!("swap,host={host} used_percent=1"),
            format!("disk,host={host},path=/ used_percent=50,inodes_used={n}i,inodes_total=100i"),
            format!("diskio,host={host},name=sda write_bytes={n}000i,read_bytes={n}000i"),
            format!("net,host={host},interface=eth0 bytes_recv={n}000i,bytes_sent={n}000i"),
            format!("processes,host={host} total=200i"),
        ];
        for line in all {
            writeln!(text, "{line} {at}").unwrap();
        }
    }
    text
}

/// The chart's dashboard, as Grafana asks for each panel and variable of it.
async fn the_dashboard_of_hosts_shows_them(world: &World) {
    let lines = host_reports("web-1") + &host_reports("web-2");
    let (status, text) = world.shards[1].write("acme", &lines).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "{text}");
    let dashboard = include_str!("../../deploy/helm/bongsu/dashboards/hosts.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let variable = &dashboard["templating"]["list"][1];
    let (_, found) = world.influxql(variable["query"].as_str().unwrap()).await;
    let hosts = &found["results"][0]["series"][0]["values"];
    assert_eq!(
        *hosts,
        json!([["host", "web-1"], ["host", "web-2"]]),
        "{found}"
    );
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let query = panel["targets"][0]["query"].as_str().unwrap();
        let range = format!("time >= {}s AND time < {}s", MOVE + 100, MOVE + 200);
        let query = query
            .replace("$timeFilter", &range)
            .replace("$__interval", "10s")
            .replace("$host", "web-1|web-2");
        let (status, found) = world.influxql(&query).await;
        let series = found["results"][0]["series"].as_array();
        let series = series.unwrap_or_else(|| panic!("{title}: {query}: {status} {found}"));
        assert_eq!(series.len(), 2, "{title}: {found}");
        for one in series {
            let values = one["values"][0].as_array().unwrap();
            assert!(
                values.iter().all(|value| value.is_i64() || value.is_f64()),
                "{title}: {found}"
            );
        }
    }
    assert!(panels.len() >= 10, "{}", panels.len());
}

async fn a_replica_answers_for_a_dead_shard(world: &mut World) {
    let since = "SELECT v FROM cpu WHERE time >= '2026-01-01T00:00:00Z'";
    for dead in [0, 1] {
        world.shards[dead].kill();
        let (status, found) = world.influxql_as("twin", since).await;
        assert_eq!(status, StatusCode::OK, "{found}");
        let rows = &found["results"][0]["series"][0]["values"];
        assert_eq!(*rows, json!([[MOVE + 10, 5]]), "each point once: {found}");
        if dead == 0 {
            world.shards[dead].start_again().await;
        }
    }
    let (status, found) = world.influxql(since).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{found}");
    assert!(found["error"].as_str().unwrap().contains("s2"), "{found}");
    let (status, found) = world
        .influxql("SELECT v FROM cpu WHERE time < '2026-01-01T00:00:00Z'")
        .await;
    assert_eq!(
        status,
        StatusCode::OK,
        "the other shard's time is read: {found}"
    );
}
