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
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
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
