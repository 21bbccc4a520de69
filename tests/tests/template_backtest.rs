//! `bongsu template backtest` over the history of a real InfluxDB.

use std::path::PathBuf;

use tests::{Bongsu, Influxdb, influxdb};

const RULES: &str = "template: load\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\n\
    over: last of 1m\nlevels:\n  P1: {above: 80}\n  P2: {above: 60}\n";
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

#[tokio::test(flavor = "multi_thread")]
async fn history_is_judged_and_held_against_what_runs_now() {
    let server = Influxdb::start().await;
    server.create_bucket("acme").await.unwrap();
    let line = |n: i64| {
        let value = if (60..120).contains(&n) { 90 } else { 10 };
        let at = (START + 60 * n) * 1_000_000_000;
        format!("m,host=web\\ 1,env=prod v={value},note=\"a \\\"b\\\"\" {at}\n")
    };
    let lines: String = (1..=180).map(line).collect();
    let (status, text) = server.write("acme", &lines).await.unwrap();
    assert!(status.is_success(), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf { file(&folder, name, text) };
    let rules = write("rules.yaml", RULES);
    let lax = write("now.yaml", &RULES.replace("above: 80", "above: 95"));
    let token = write("token", influxdb::TOKEN);
    let svg = folder.path().join("load.svg");
    let paths = [&rules, &lax, &token, &svg].map(|path| path.display().to_string());
    let mut args: Vec<&str> = "template backtest --tenant acme --template load -o jsonl \
        --from 2026-01-01T00:00:00Z --to 2026-01-01T04:00:00Z"
        .split_whitespace()
        .collect();
    args.extend(["--templates", &paths[0], "--against", &paths[1]]);
    args.extend(["--influx", server.url(), "--influx-token-file", &paths[2]]);
    args.extend(["--influx-org", influxdb::ORG]);
    args.extend(["--group", "host=web 1", "--svg", &paths[3]]);
    let out = Bongsu::run(&args, &[]).unwrap();
    let rows: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |priority: &str| rows.iter().find(|row| row["priority"] == priority).unwrap();
    assert_eq!(of("P1")["minutes_firing"], 60.0);
    assert_eq!(of("P1")["minutes_firing_now"], 0.0);
    assert_eq!(of("P2")["minutes_firing_now"], 60.0);
    let picture = std::fs::read_to_string(svg).unwrap();
    assert!(
        picture.contains("<path d=\"M") && picture.contains("P1 80"),
        "{picture}"
    );
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A point a minute, in minutes since the start.
fn lines(minutes: std::ops::Range<i64>, head: impl Fn(i64) -> String) -> String {
    let line = |n: i64| format!("{} {}\n", head(n), (START + 60 * n) * 1_000_000_000);
    minutes.map(line).collect()
}

/// Asks for the history of `acme` in these servers; what was printed, as rows or as what was said.
fn backtest(
    servers: &[&Influxdb],
    rules: &str,
    range: (&str, &str),
) -> Result<Vec<serde_json::Value>, String> {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        file(&folder, "rules.yaml", rules),
        file(&folder, "token", influxdb::TOKEN),
    ];
    let paths = paths.map(|path| path.display().to_string());
    let mut args = vec!["template", "backtest", "--tenant", "acme", "-o", "jsonl"];
    args.extend(["--templates", &paths[0], "--against", &paths[0]]);
    args.extend([
        "--influx-token-file",
        &paths[1],
        "--influx-org",
        influxdb::ORG,
    ]);
    args.extend(["--from", range.0, "--to", range.1]);
    servers
        .iter()
        .for_each(|server| args.extend(["--influx", server.url()]));
    let out = Bongsu::run(&args, &[]).map_err(|error| format!("{error:#}"))?;
    Ok(out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

/// Template, priority and minutes of firing.
fn told(rows: &[serde_json::Value]) -> Vec<(&str, &str, f64)> {
    rows.iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            (
                text("template"),
                text("priority"),
                row["minutes_firing"].as_f64().unwrap(),
            )
        })
        .collect()
}

const ONE_DAY: (&str, &str) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");

#[tokio::test(flavor = "multi_thread")]
async fn history_on_two_shards_is_judged_as_one_and_whatever_a_rule_reads_is_read() {
    let (old, new) = (Influxdb::start().await, Influxdb::start().await);
    for server in [&old, &new] {
        server.create_bucket("acme").await.unwrap();
    }
    // A check that fails from 02:30 to 03:30, and the tenant moves at 03:00. The host is silent from 05:00 to 06:00.
    let http = |n: i64| {
        let result = if (150..210).contains(&n) {
            "timeout"
        } else {
            "success"
        };
        format!("http_response,env=prod,host=web-1,result={result},server=shop response_time=0.1")
    };
    // What is measured comes with one measurement, its limit with another.
    let used = |n: i64| {
        let used = if (60..90).contains(&n) { 95 } else { 10 };
        format!("queue,env=prod,host=web-1 used={used}")
    };
    let size = |_: i64| "pool,env=prod,host=web-1 size=100".to_owned();
    let of = |minutes: std::ops::Range<i64>| {
        [
            lines(minutes.clone(), http),
            lines(minutes.clone(), used),
            lines(minutes, size),
        ]
        .concat()
    };
    for (server, minutes) in [(&old, 0..180), (&new, 180..300), (&new, 360..480)] {
        let (status, text) = server.write("acme", &of(minutes)).await.unwrap();
        assert!(status.is_success(), "{text}");
    }
    let rules = "template: check\napplies_to: {measurement: http_response}\none_alert_per: [host]\n\
        check: result != \"success\"\nover: last of 1m\nlevels: {P1: {is: true}}\n---\n\
        template: queue\napplies_to: {measurement: queue}\none_alert_per: [host]\n\
        check: 100 * last(used) / last(pool:size)\nover: last of 1m\nlevels: {P2: {above: 90}}\n";
    let rows = backtest(&[&old, &new], rules, ONE_DAY).unwrap();
    assert_eq!(told(&rows), [("check", "P1", 60.0), ("queue", "P2", 30.0)]);
    let half = backtest(&[&old], rules, ONE_DAY).unwrap();
    assert_eq!(told(&half), [("check", "P1", 29.0), ("queue", "P2", 30.0)]);

    let down = "template: down\napplies_to: {measurement: any}\none_alert_per: [host]\ncheck: time_since_last_point\n\
        interval: 60s\nlevels: {P1: {above: 5m}}\n";
    let rows = backtest(&[&old, &new], down, ONE_DAY).unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let minutes = rows[0]["minutes_firing"].as_f64().unwrap();
    assert!((50.0..60.0).contains(&minutes), "{minutes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_centuries_is_asked_for_in_few_questions_and_one_without_history_is_said() {
    let server = Influxdb::start().await;
    let all = ("1980-01-01T00:00:00Z", "2199-12-31T00:00:00Z");
    let no_bucket = backtest(&[&server], RULES, ONE_DAY).unwrap_err();
    assert!(no_bucket.contains("acme"), "{no_bucket}");
    server.create_bucket("acme").await.unwrap();
    let empty = backtest(&[&server], RULES, all).unwrap_err();
    assert!(empty.contains("there is no history"), "{empty}");
    let body = lines(0..60, |n| {
        format!("m,env=prod,host=a v={}", if n < 30 { 10 } else { 90 })
    });
    let (status, text) = server.write("acme", &body).await.unwrap();
    assert!(status.is_success(), "{text}");
    let rows = backtest(&[&server], RULES, all).unwrap();
    assert_eq!(told(&rows), [("load", "P1", 29.0)]);
    for (range, said) in [
        (
            ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
            "is not before --to",
        ),
        (
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            "is not before --to",
        ),
        (
            ("0001-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            "before 1980",
        ),
        (
            ("2026-01-01T00:00:00Z", "9999-01-01T00:00:00Z"),
            "after 2200",
        ),
        (
            ("yesterday", "2026-01-01T00:00:00Z"),
            "--from `yesterday` is no instant",
        ),
    ] {
        let refused = backtest(&[&server], RULES, range).unwrap_err();
        assert!(refused.contains(said), "{range:?}: {refused}");
    }
}
