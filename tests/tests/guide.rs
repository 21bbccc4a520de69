//! docs/guide.md: every command of it, in its order, with the real kubectl and Helm against a real API server, and a real `bongsu up`;
//! and its Korean twin has the same commands.

// The tests are the outside world: they have real clocks and tasks of their own, and show what the guide printed.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tests::kubernetes::Kubernetes;
use tests::workdir::Workdir;
use tests::{Bongsu, installed, ports};

/// "In 20 minutes": the commands alone take far less.
const TIME: Duration = Duration::from_secs(300);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace")
}

/// The commands of a page: its fenced blocks of shell.
fn commands(page: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs").join(page)).expect("the page");
    let mut found = String::new();
    for block in text.split("\n```sh\n").skip(1) {
        let (commands, _) = block.split_once("\n```").expect("a block ends");
        found.push_str(commands);
        found.push('\n');
    }
    found
}

/// Plays the node: pods run and are ready. Has no end.
async fn node(kubernetes: &Kubernetes) {
    let ready = json!({"type": "Ready", "status": "True"});
    let runs = json!({"status": {"phase": "Running", "conditions": [ready]}});
    loop {
        let pods = kubernetes.list("/api/v1/namespaces/bongsu/pods").await;
        for pod in pods.unwrap_or_default() {
            if pod["status"]["phase"] == "Pending" {
                let name = pod["metadata"]["name"].as_str().expect("a name");
                let path = format!("/api/v1/namespaces/bongsu/pods/{name}/status");
                // A pod that went meanwhile is as good.
                kubernetes.patch(&path, &runs).await.ok();
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Not on a terminal each line of a log is JSON with an RFC 3339 time, and what is about an incident names it and its tenant.
fn logs_are_for_programs(log: &str) {
    let mut of_incidents = 0;
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let at = line["timestamp"].as_str().expect("a time");
        at.parse::<jiff::Timestamp>().expect("RFC 3339");
        assert!(
            line["level"].is_string() && line["target"].is_string(),
            "{line}"
        );
        if line["incident_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
        {
            assert_eq!(line["tenant"], "acme", "{line}");
            of_incidents += 1;
        }
    }
    assert!(of_incidents > 3, "{of_incidents} lines are about incidents");
}

#[test]
fn both_languages_have_the_same_commands() {
    let korean = commands("guide.ko.md");
    assert_eq!(
        commands("guide.md"),
        korean.replace("--lang ko", "--lang en")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_guide_works() {
    let kubernetes = Kubernetes::start().await;
    let folder = Workdir::new("guide");
    let data = folder.join("data");
    let console = ports::free();
    let up = Bongsu::service("up")
        .args(&["--data-dir", &data.display().to_string()])
        .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
        .env("BONGSU_LOG", "info")
        .env("BONGSU_NOTIFIER__LISTEN", format!("127.0.0.1:{console}"))
        .start()
        .await;
    let router = up.url().rsplit(':').next().expect("a port").to_owned();
    // The ports are the test's own; nothing else is changed.
    let script = commands("guide.md")
        .replace("8186", &router)
        .replace("8189", &console.to_string());
    let script = folder.write("guide.sh", &format!("set -euo pipefail\n{script}"));
    let path = [
        root().join("tests/tests/guide"),
        installed::folder("helm"),
        PathBuf::from("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ];
    let path = path.map(|part| part.display().to_string()).join(":");
    let mut bash = tokio::process::Command::new("bash");
    bash.arg("-x")
        .arg(&script)
        .current_dir(root())
        .env("PATH", path)
        .env("KUBECONFIG", kubernetes.kubeconfig())
        .env("KUBECTL", installed::folder("kubectl").join("kubectl"))
        .env("PORTS", format!("{router} {console}"))
        .env("BONGSU", tests::bongsu::binary())
        .env("DATA", &data)
        .env("no_proxy", "*")
        .kill_on_drop(true);
    let output = tokio::select! {
        output = tokio::time::timeout(TIME, bash.output()) => output,
        () = node(&kubernetes) => unreachable!("a node has no end"),
    };
    let output = output.expect("the guide ends in time").expect("bash runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let steps = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{steps}\n{}", up.log());
    eprintln!("{told}");
    for said in [
        "STATUS: deployed",
        "CPU usage on web-1",
        "P1 open acme",
        "Kim Minji",
        "# Incident: CPU usage on web-1",
        "| Acknowledged | 20",
    ] {
        assert!(told.contains(said), "{said}:\n{told}\n{steps}");
    }
    logs_are_for_programs(&up.log());
    let objects = kubernetes.objects("bongsu").await.expect("the objects");
    assert!(
        objects
            .iter()
            .any(|object| object == "StatefulSet/bongsu-demo"),
        "{objects:?}"
    );
}
