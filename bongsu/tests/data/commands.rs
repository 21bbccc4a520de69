//! What the commands say and do.

use crate::support::{Up, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_data_plane_work_beside_a_running_up() {
    runtime::tls::install_provider();
    let up = Up::start().await;
    where_a_line_goes(&up).await;
    lines_as_they_come(&up).await;
    a_dead_letter_goes_back_once(&up).await;
    a_shard_comes_and_goes(&up).await;
}

async fn where_a_line_goes(up: &Up) {
    let line = "cpu,host=web-1 v=1 1767225600000000000";
    let found = up
        .json(&["route", "explain", line, "--tenant", "default"])
        .await;
    assert_eq!(found[0]["shard"], "main", "{found}");
    assert_eq!(found[0]["host"], "web-1");
    assert_eq!(found[0]["time"], "2026-01-01T00:00:00Z");
    assert_eq!(found[0]["epoch"], "beginning");
    let found = up.json(&["resolve", "default", "--from", "-1h"]).await;
    assert_eq!(
        (
            &found[0]["shard"],
            found[0]["replicas"].as_array().unwrap().len()
        ),
        (&json!("main"), 0)
    );
    for (args, code) in [
        (vec!["route", "explain", "cpu v=", "--tenant", "default"], 3),
        (vec!["route", "explain", line, "--tenant", "nobody"], 2),
        (vec!["resolve", "default", "--from", "yesterday"], 2),
        (vec!["dlq", "replay"], 2),
        (vec!["dlq", "show", "no/such/one"], 2),
        (vec!["tap", "nobody"], 2),
        (vec!["tap", "default", "-n", "0", "-o", "json"], 0),
    ] {
        let output = up.run(&args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

async fn lines_as_they_come(up: &Up) {
    let mut tap = up.begin(&[
        "tap", "default", "--grep", "wanted", "-n", "2", "-o", "jsonl",
    ]);
    let mut said = BufReader::new(tap.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.contains("from now on"), "{first}");
    let now = runtime::Clock::system().now_nanos();
    let wanted = [1, 2].map(|n| format!("cpu,host=wanted-{n} v={n} {now}"));
    let lines = format!("cpu,host=a v=1 {now}\n{}\n", wanted[0]);
    assert_eq!(up.write(&lines).await, 204);
    assert_eq!(up.write(&wanted[1]).await, 204);
    let mut out = String::new();
    tap.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(tap.wait().unwrap().success());
    let found: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let lines: Vec<&str> = found
        .iter()
        .map(|object| object["line"].as_str().unwrap())
        .collect();
    assert_eq!(lines, wanted);
}

/// A field that is a number in one line and a text in the next is refused by every store.
async fn a_dead_letter_goes_back_once(up: &Up) {
    let now = runtime::Clock::system().now_nanos();
    let lines = format!("odd,host=a v=1i {now}\nodd,host=a v=\"text\" {}\n", now + 1);
    assert_eq!(up.write(&lines).await, 204);
    until("the line is a dead letter", async || {
        up.json(&["dlq", "list"]).await.as_array().unwrap().len() == 1
    })
    .await;
    let listed = up.json(&["dlq", "list", "--tenant", "default"]).await;
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert!(
        listed[0]["line"]
            .as_str()
            .unwrap()
            .starts_with("odd,host=a v=\"text\""),
        "{listed}"
    );
    let shown = up.json(&["dlq", "show", &id]).await;
    assert_eq!(shown[0]["topic"], "metrics.default", "{shown}");

    let dry = up.json(&["dlq", "replay", "--all", "--dry-run"]).await;
    assert_eq!(dry[0]["result"], "would be put back");
    let back = up
        .json(&["dlq", "replay", "--tenant", "default", "--rate", "1000"])
        .await;
    assert_eq!(back[0]["result"], "put back", "{back}");
    // Judged anew it is as wrong as before: a letter of its own, from its new offset.
    until("it comes back as another", async || {
        let all = up.json(&["dlq", "list"]).await;
        all.as_array().unwrap().len() == 1 && all[0]["id"] != json!(id)
    })
    .await;
    let again = up.json(&["dlq", "replay", &id]).await;
    assert_eq!(again[0]["result"], "was put back before", "{again}");
    assert_eq!(
        up.json(&["dlq", "list", "--all"])
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

async fn a_shard_comes_and_goes(up: &Up) {
    let add = [
        "shard",
        "add",
        "second",
        "--url",
        "http://127.0.0.1:9",
        "--weight",
        "1000",
    ];
    let plan = up.json(&[&add[..], &["--dry-run"]].concat()).await;
    assert!(
        plan.as_array()
            .unwrap()
            .iter()
            .all(|row| row["shards_before"] == json!(["main"])),
        "{plan}"
    );
    assert_eq!(
        up.json(&["shard", "list"]).await.as_array().unwrap().len(),
        1,
        "nothing changed"
    );
    let past = up
        .run(&[&add[..], &["--from", "2020-01-01T00:00:00Z"]].concat())
        .await;
    assert_eq!(past.status.code(), Some(2));

    up.json(&[&add[..], &["--from", "+1h"]].concat()).await;
    let ahead = up.json(&["shard", "list"]).await;
    assert_eq!(ahead[1]["weight"], 1000.0, "{ahead}");
    let now = up.json(&["resolve", "default", "--from", "-1h"]).await;
    assert_eq!(
        now.as_array().unwrap().len(),
        1,
        "the past stays where it is: {now}"
    );
    let later = "cpu,host=a v=1 4102444800000000000";
    let found = up
        .json(&["route", "explain", later, "--tenant", "default"])
        .await;
    assert_eq!(found[0]["shard"], "second", "{found}");

    let early = up.run(&["shard", "drain", "second"]).await;
    assert_eq!(
        early.status.code(),
        Some(2),
        "an epoch begins later already"
    );
    up.json(&["shard", "drain", "second", "--from", "+2h"])
        .await;
    let found = up
        .json(&["route", "explain", later, "--tenant", "default"])
        .await;
    assert_eq!(found[0]["shard"], "main", "{found}");
    let last = up.run(&["shard", "drain", "main", "--from", "+3h"]).await;
    assert_eq!(last.status.code(), Some(3), "the last shard stays");
}
