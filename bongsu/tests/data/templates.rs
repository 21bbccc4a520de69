//! `bongsu template` beside a running `up`: what runs is asked, and files are held against it.

use crate::support::{Up, until};
use std::process::Output;

const OWN: &str = "template: queue\ntitle: Queue of {host}\napplies_to: {measurement: queue}\none_alert_per: [host]\n\
    check: depth\nover: last of 1m\ninterval: 10s\nlevels:\n  P2: {above: 100}\n---\n\
    override: slow\ntemplate: queue\nfor: {host: web-1}\nset: {levels: {P2: {above: 50}}}\n";

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_system_is_asked_for_groups_rules_and_series() {
    runtime::tls::install_provider();
    let up = Up::start().await;
    let file = up.file("queue.yaml", OWN);
    let diff = up.json(&["template", "diff", &file]).await;
    let new: Vec<&str> = diff
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(new, ["queue", "slow"]);
    up.json(&["apply", "-f", &file]).await;
    assert_eq!(
        up.json(&["template", "diff", &file]).await,
        serde_json::json!([])
    );

    // A change of a threshold, and an override that is taken out of the file.
    let changed = OWN
        .split("---")
        .next()
        .unwrap()
        .replace("above: 100", "above: 80");
    let changed = up.file("changed.yaml", &changed);
    let diff = up.json(&["template", "diff", &changed]).await;
    assert_eq!(diff[0]["field"], "levels.P2.above");
    assert_eq!(
        (&diff[0]["running"], &diff[0]["file"]),
        (&100.0.into(), &80.0.into())
    );
    assert_eq!(
        (&diff[1]["change"], &diff[1]["name"]),
        (&"only running".into(), &"slow".into())
    );

    let lines = format!(
        "queue,host=web-1,env=prod depth=60 {}\n",
        runtime::Clock::system().now_nanos()
    );
    assert_eq!(up.write(&lines).await, 204);
    let explain = ["template", "explain", "queue", "--group", "host=web-1"];
    until("the group is known", async || {
        up.run(&explain).await.status.success()
    })
    .await;
    let now = up.json(&explain).await;
    assert_eq!(now[0]["group"], serde_json::json!({"host": "web-1"}));
    assert_eq!(now[0]["partition"], 0);
    assert_eq!(
        now[0]["overrides"],
        serde_json::json!({"levels.P2.above": "slow"})
    );
    assert_eq!(now[0]["rungs"][0]["fires"], "above 50");
    let (code, text) = said(&up.run(&explain).await);
    assert!(
        code == Some(0) && text.contains("levels.P2.above is set by slow"),
        "{text}"
    );

    let (code, text) = said(
        &up.run(&["template", "explain", "queue", "--group", "host=x"])
            .await,
    );
    assert!(
        code == Some(3) && text.contains("no group of `queue`"),
        "{text}"
    );
    let (code, text) = said(&up.run(&["template", "explain", "nothing"]).await);
    assert!(
        code == Some(2) && text.contains("templates: agent-loses-data"),
        "{text}"
    );

    // The same rule under another name, and one of a measurement that nobody sends.
    let other = OWN
        .split("---")
        .next()
        .unwrap()
        .replace("template: queue", "template: mine");
    let silent = other
        .replace("template: mine", "template: silent")
        .replace("measurement: queue", "measurement: cue");
    let file = up.file("other.yaml", &format!("{other}---\n{silent}"));
    let (code, text) = said(&up.run(&["template", "lint", &file, "--running"]).await);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("the running template `queue`"), "{text}");
    assert!(
        text.contains("no series of measurement `cue` was seen"),
        "{text}"
    );
    assert!(!text.contains("`queue` was seen"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_judged_beside_the_rules_that_run() {
    runtime::tls::install_provider();
    let up = Up::start().await;
    let file = up.file("queue.yaml", OWN);
    up.json(&["apply", "-f", &file]).await;
    let tried = up.file(
        "tried.yaml",
        &OWN.replace("above: 100", "above: 1000")
            .replace("above: 50", "above: 500"),
    );
    let begin = 1_767_225_600_u64;
    let line = |n: u64| {
        format!(
            "queue,host=web-1,env=prod depth=60 {}\n",
            (begin + 10 * n) * 1_000_000_000
        )
    };
    let points = up.file("points.influx", &(0..120).map(line).collect::<String>());
    let args = [
        "template",
        "backtest",
        "--templates",
        &tried,
        "--running",
        "--points",
        &points,
    ];
    let rows = up.json(&args).await;
    let queue = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["template"] == "queue")
        .unwrap();
    assert_eq!(queue["incidents_a_week"], 0.0);
    assert!(
        queue["incidents_a_week_now"].as_f64() > Some(0.0),
        "{queue}"
    );
}
