//! `bongsu backup` and `restore`: an incident that is open goes on paging after everything else was lost.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods)]

mod e2e;

use std::path::Path;

use e2e::catalogue::{self, ACME_TOKEN, Rooms};
use e2e::console::Console;
use e2e::oracle::{HOST, Oracle};
use e2e::{LONG, SOON};
use serde_json::Value;
use tests::workdir::Workdir;
use tests::{Bongsu, Postgres, ports, wait};

/// `bongsu up` on a data folder.
async fn up(data: &Path, more: &[&str]) -> (Bongsu, Console) {
    let console = ports::free();
    let url = format!("http://127.0.0.1:{console}");
    let bongsu = Bongsu::service("up")
        .args(&["--data-dir", &data.display().to_string()])
        .args(more)
        .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
        .env("BONGSU_NOTIFIER__LISTEN", format!("127.0.0.1:{console}"))
        .env("BONGSU_NOTIFIER__PUBLIC_URL", &url)
        .start()
        .await;
    (bongsu, Console::new(vec![url]))
}

/// Whom an incident's delivered messages by text went to.
fn called(incident: &Value) -> Vec<String> {
    let deliveries = incident["deliveries"].as_array().into_iter().flatten();
    let texts = deliveries.filter(|each| each["channel"] == "sms" && each["fate"] == "delivered");
    let mut names: Vec<String> = texts
        .map(|each| {
            let word = |name: &str| each[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", word("to"), word("purpose"))
        })
        .collect();
    names.sort();
    names
}

/// The lines of a backup that are rows or declarations, in an order of their own.
fn content(backup: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(backup).expect("a backup");
    let lines = text
        .lines()
        .filter(|line| !line.contains("bongsu-backup") && !line.starts_with("{\"end\""));
    // The revision of the catalogue goes on, and the time of a silence's count with it.
    let lines = lines.map(|line| {
        let mut value: Value = serde_json::from_str(line).expect("JSON");
        if let Some(declaration) = value["declaration"]["value"].as_str() {
            let mut declared: Value = serde_json::from_str(declaration).expect("JSON");
            declared["revision"] = Value::Null;
            value["declaration"]["value"] = declared;
        }
        value.to_string()
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_incident_pages_on_after_a_restore_on_the_same_log_and_on_a_new_machine() {
    let folder = Workdir::new("backup");
    let data = folder.join("data");
    let (mut first, console) = up(&data, &[]).await;
    let rooms = Rooms {
        acme: "C0000000001".to_owned(),
        beta: "C0000000002".to_owned(),
    };
    let files = catalogue::write_people_and_tenants(&folder, &rooms, catalogue::PATIENT);
    let run = |arguments: &[&str]| Bongsu::run(arguments, &[]);
    let place = data.display().to_string();
    run(&[
        "apply",
        "-f",
        &files.display().to_string(),
        "--data-dir",
        &place,
    ])
    .expect("it can be applied");
    let oracle = Oracle::start(vec![first.url()], ACME_TOKEN, None);
    oracle.has_been_calm().await;
    oracle.busy();
    let kim = |incident: &Value| called(incident) == ["Kim Minji firing"];
    let open = console.wait_for("acme", HOST, "paged", LONG, kim).await;
    let id = open["id"].as_str().expect("an id").to_owned();

    // While everything runs, to a file for its owner alone.
    let file = folder.join("bongsu.backup");
    let path = file.display().to_string();
    run(&["backup", &path, "--data-dir", &place]).expect("a backup of a running system");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&file).expect("a file").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let refused = run(&["restore", &path, "--data-dir", &place]).expect_err("`up` runs");
    assert!(
        format!("{refused:#}").contains("`bongsu up` runs on this data folder"),
        "{refused:#}"
    );

    // The database is lost; the log is not.
    first.terminate(SOON).await.expect("it stops");
    for lost in ["incidents.db", "incidents.db-wal", "incidents.db-shm"] {
        std::fs::remove_file(data.join(lost)).ok();
    }
    run(&["restore", &path, "--data-dir", &place]).expect("a restore");
    let again = folder.join("again.backup");
    run(&["backup", &again.display().to_string(), "--data-dir", &place]).expect("a backup");
    assert_eq!(
        content(&file),
        content(&again),
        "what was restored is what was kept"
    );
    let refused = run(&["restore", &path, "--data-dir", &place]).expect_err("it holds incidents");
    assert!(
        format!("{refused:#}").contains("holds incidents already"),
        "{refused:#}"
    );
    first.start_again().await;
    let lee = |incident: &Value| {
        incident["id"] == id.as_str() && called(incident).contains(&"Lee Jian escalated".to_owned())
    };
    let escalated = console.wait_for("acme", HOST, "escalated", LONG, lee).await;
    assert!(
        called(&escalated).contains(&"Kim Minji firing".to_owned()),
        "{escalated:#}"
    );
    oracle.calm();
    let over = |incident: &Value| incident["state"] == "closed";
    let closed = console.wait_for("acme", HOST, "closed", LONG, over).await;
    assert_eq!(closed["id"], id.as_str());
    oracle.stop().await;
    first.terminate(SOON).await.expect("it stops");

    // Everything is lost: another machine, and another kind of database.
    let postgres = Postgres::start().await;
    let database_url = postgres.database();
    let url = folder.write("postgres.url", &database_url);
    let other = folder.join("other");
    let place = other.display().to_string();
    let database = [
        "--data-dir",
        &place,
        "--database-url-file",
        &url.display().to_string(),
    ]
    .map(str::to_owned);
    let with_database = |arguments: &[&str]| {
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(database.iter().map(String::as_str));
        Bongsu::run(&all, &[])
    };
    with_database(&["restore", &path]).expect("a restore on a new machine");
    let there = folder.join("postgres.backup");
    with_database(&["backup", &there.display().to_string()]).expect("a backup of PostgreSQL");
    assert_eq!(
        content(&file),
        content(&there),
        "PostgreSQL holds what SQLite did"
    );
    let (mut second, console) = up(&other, &["--database", &database_url]).await;
    let escalated = console.wait_for("acme", HOST, "escalated", LONG, lee).await;
    assert_eq!(
        called(&escalated),
        ["Kim Minji firing", "Lee Jian escalated"]
    );
    // The tokens of agents came along.
    let taken = async || {
        let request = tests::web::client().post(format!("{}/api/v2/write", second.url()));
        let request = request.header("authorization", format!("Token {ACME_TOKEN}"));
        let answer = request.body("cpu,host=new v=1\n").send().await;
        answer.is_ok_and(|answer| answer.status().as_u16() == 204)
    };
    wait::holds("an agent's token is known", SOON, taken).await;
    second.terminate(SOON).await.expect("it stops");
    // Back again, over what is there.
    with_database(&["restore", &path, "--replace"]).expect("a restore over another");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_tokens_leave_those_that_commands_made() {
    let folder = Workdir::new("apply-tokens");
    let data = folder.join("data");
    let (up, _) = up(&data, &[]).await;
    let place = data.display().to_string();
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--data-dir", &place, "-o", "json"]);
        Bongsu::run(&all, &[]).expect("the command succeeds")
    };
    let made: Value = serde_json::from_str(&run(&["tenant", "add", "globex"])).expect("JSON");
    let token = made["token"].as_str().expect("a token").to_owned();
    let write = async || {
        let request = tests::web::client().post(format!("{}/api/v2/write", up.url()));
        let request = request.header("authorization", format!("Token {token}"));
        let answer = request.body("cpu,host=a v=1\n").send().await;
        answer.expect("an answer").status().as_u16()
    };
    wait::holds("the token is known", SOON, async || write().await == 204).await;
    // As a repository has it, which knows no tokens.
    let file = folder.write("globex.yaml", "tenant: globex\nname: Globex\n");
    let applied = run(&["apply", "-f", &file.display().to_string()]);
    assert!(applied.contains("changed"), "{applied}");
    let shown = run(&["tenant", "show", "globex"]);
    assert!(shown.contains("Globex"), "{shown}");
    assert_eq!(write().await, 204, "the file took the token away");
    let again = run(&["apply", "-f", &file.display().to_string()]);
    assert_eq!(
        again.trim(),
        "[]",
        "a file that was applied changes nothing"
    );
    // Neither does it let a tenant write again that was suspended.
    run(&["tenant", "suspend", "globex"]);
    run(&["apply", "-f", &file.display().to_string()]);
    wait::holds("it is suspended still", SOON, async || write().await == 401).await;
    run(&["tenant", "resume", "globex"]);
    wait::holds("it writes again", SOON, async || write().await == 204).await;
}
