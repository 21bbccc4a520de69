//! The commands of the data plane beside a running `bongsu up`, which alone may open its log.

// The tests are the outside world: they have real clocks.
#![allow(clippy::disallowed_methods)]

use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use serde_json::Value;
use tests::bongsu::binary;
use tests::workdir::Workdir;
use tests::{Bongsu, ports, wait, web};

const SOON: Duration = Duration::from_secs(20);

struct Up {
    bongsu: Bongsu,
    data: String,
    token: String,
    folder: Workdir,
}

impl Up {
    async fn start() -> Self {
        let folder = Workdir::new("commands");
        let data = folder.join("data").display().to_string();
        let bongsu = Bongsu::service("up")
            .arg("--data-dir")
            .arg(&data)
            .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
            .env(
                "BONGSU_NOTIFIER__LISTEN",
                format!("127.0.0.1:{}", ports::free()),
            )
            .start()
            .await;
        let token = std::fs::read_to_string(folder.join("data/default.token"));
        Self {
            bongsu,
            data,
            token: token.expect("`up` wrote its token").trim().to_owned(),
            folder,
        }
    }

    /// What a command prints, as rows.
    fn rows(&self, command: &[&str]) -> Vec<Value> {
        let more = ["--data-dir", &self.data, "-o", "json"];
        let text = Bongsu::run(&[command, &more].concat(), &[]).expect("the command succeeds");
        serde_json::from_str(&text).expect("it prints rows as JSON")
    }

    /// A command that may end in any way.
    fn ran(&self, command: &[&str]) -> Output {
        let mut process = Command::new(binary());
        let process = process.args(command).args(["--data-dir", &self.data]);
        process.output().expect("it runs")
    }

    async fn write(&self, lines: &str) {
        let url = format!("{}/api/v2/write?bucket=any&org=any", self.bongsu.url());
        let request = web::client().post(url).body(lines.to_owned());
        let token = format!("Token {}", self.token);
        let answer = request.header("authorization", token).send().await;
        let status = answer.expect("the router answers").status();
        assert_eq!(status, StatusCode::NO_CONTENT);
    }

    /// The rows of a command once they are `many`.
    async fn rows_of(&self, many: usize, command: &[&str]) -> Vec<Value> {
        let rows = wait::until(SOON, async || {
            let rows = self.rows(command);
            Ok((rows.len() == many).then_some(rows))
        });
        rows.await
            .unwrap_or_else(|error| panic!("{command:?}: {error:#}\n{}", self.bongsu.log()))
    }

    /// The state of each finding of `doctor` with that code.
    fn doctor(&self, code: &str) -> Vec<String> {
        let rows = self.rows(&["doctor"]);
        let rows = rows.iter().filter(|row| row["check"] == code);
        rows.map(|row| format!("{}: {}", row["state"], row["detail"]))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_log_of_a_running_up() {
    let up = Up::start().await;

    // The embedded store keeps a month.
    let since = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("it is later than 1970");
    let now = since.as_nanos();
    let line = &*format!("cpu,host=web-1 v=1 {now}");
    let wrong = &*format!("cpu,host=web-1 v=\"one\" {}", now + 1);
    let placed = up.rows(&["route", "explain", "--tenant", "default", line]);
    assert_eq!(
        (&placed[0]["shard"], &placed[0]["host"]),
        (&"main".into(), &"web-1".into())
    );
    assert_eq!(up.rows(&["shard", "list"])[0]["shard"], "main");
    assert_eq!(up.rows(&["resolve", "default"])[0]["shard"], "main");
    assert_eq!(up.rows(&["dlq", "list"]), Vec::<Value>::new());

    let tap = Bongsu::service("tap")
        .arg("default")
        .arg("-n")
        .arg("1")
        .arg("--data-dir")
        .arg(&up.data)
        .start_unready();
    wait::holds("tap listens", SOON, async || {
        tap.log().contains("from now on")
    })
    .await;
    up.write(line).await;
    wait::holds("tap shows the line", SOON, async || {
        tap.log().contains(line)
    })
    .await;

    // The field is a number in the store now: it never takes a text.
    up.write(wrong).await;
    let letters = up.rows_of(1, &["dlq", "list"]).await;
    let id = letters[0]["id"]
        .as_str()
        .expect("a letter has an id")
        .to_owned();
    let letter = &up.rows(&["dlq", "show", &id])[0];
    assert_eq!(
        (&letter["tenant"], &letter["shard"]),
        (&"default".into(), &"main".into())
    );
    assert_eq!(letter["line"], wrong);

    let replay = ["dlq", "replay", &id];
    let results = |rows: Vec<Value>| rows[0]["result"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        results(up.rows(&[&replay[..], &["--dry-run"]].concat())),
        "would be put back"
    );
    assert_eq!(results(up.rows(&replay)), "put back");
    assert_eq!(results(up.rows(&replay)), "was put back before");
    // It is judged anew, and is as wrong as before.
    let again = up.rows_of(1, &["dlq", "list"]).await;
    assert_ne!(again[0]["id"], letters[0]["id"]);
    assert_eq!(up.rows(&["dlq", "list", "--all"]).len(), 2);

    let account = "read 3, to be held 3 = stored 1 + dead-lettered 2 + handed off 0";
    wait::holds("the account tells every line's fate", SOON, async || {
        up.doctor("account")
            .iter()
            .any(|told| told == &format!("\"ok\": \"{account}\""))
    })
    .await;
    assert_eq!(up.doctor("lag"), ["\"ok\": \"0 records\""]);
    assert_eq!(
        up.doctor("oncall"),
        ["\"ok\": \"reaches somebody for the next 14 days\""]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_and_revoked_and_the_audit_log_is_verified() {
    let up = Up::start().await;
    let beside = |command: &[&str]| {
        let more = ["--data-dir", &up.data];
        Bongsu::run(&[command, &more].concat(), &[])
    };
    let add = [
        "token",
        "add",
        "ci",
        "--role",
        "viewer",
        "--tenants",
        "default",
    ];
    let token = beside(&add).expect("a token");
    assert!(token.trim().starts_with("bongsu_api_"), "{token}");
    let listed = up.rows(&["token", "list"]);
    assert_eq!(listed.len(), 1);
    let id = listed[0]["id"].as_str().expect("an id");
    let head = beside(&["audit", "verify"]).expect("it is whole");
    beside(&["token", "revoke", id]).expect("it is revoked");
    assert!(up.rows(&["token", "list"])[0]["revoked"].is_string());
    let kinds = up.rows(&["audit", "list"]);
    let kinds = kinds.iter().map(|row| row["kind"].as_str());
    let of_tokens = |kind: &Option<&str>| kind.is_some_and(|kind| kind.starts_with("token"));
    let kinds: Vec<_> = kinds.filter(of_tokens).collect();
    assert_eq!(kinds, [Some("token made"), Some("token revoked")]);
    beside(&["audit", "verify", "--known", head.trim()]).expect("it grew, and is whole");
    let other = format!("1:{}", "0".repeat(64));
    let rewritten = beside(&["audit", "verify", "--known", &other]).expect_err("another log");
    assert!(
        rewritten.to_string().contains("written anew"),
        "{rewritten:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changed_the_catalogue_stands_in_the_audit_log_with_what_and_through_what() {
    let up = Up::start().await;
    let beside = |command: &[&str]| {
        let more = ["--data-dir", &up.data];
        Bongsu::run(&[command, &more].concat(), &[])
    };
    let file = up.folder.join("minji.yaml");
    let declared = |phone: &str| {
        let text = format!("contact: minji\nname: Minji\nphone: '{phone}'\n");
        std::fs::write(&file, text).expect("a file");
        let path = file.display().to_string();
        beside(&["apply", "-f", &path]).expect("it is applied");
    };
    declared("+821000000001");
    declared("+821000000002");
    beside(&["tenant", "add", "acme"]).expect("a tenant is added");
    // The notifier follows the catalogue.
    let changes = wait::until(SOON, async || {
        let rows = up.rows(&["audit", "list"]);
        let of_catalogue = |row: &Value| {
            let kind = row["kind"].as_str().unwrap_or_default();
            kind.starts_with("catalogue")
        };
        let rows: Vec<Value> = rows.into_iter().filter(of_catalogue).collect();
        let all = rows.iter().any(|row| row["subject"] == "tenant/acme");
        Ok(all.then_some(rows))
    });
    let changes = changes.await.expect("the tenant is in the log");
    let of = |subject: &str| -> Vec<&Value> {
        let rows = changes.iter().filter(|row| row["subject"] == subject);
        rows.collect()
    };
    let minji = of("contact/minji");
    let kinds: Vec<_> = minji.iter().map(|row| row["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("catalogue added"), Some("catalogue changed")]);
    let text = |row: &Value, field: &str| row[field].as_str().expect("a text").to_owned();
    assert!(text(minji[1], "detail").contains(": phone; sha256 "));
    let log = changes.iter().map(Value::to_string).collect::<String>();
    assert!(!log.contains("8210000"), "no value is in it");
    // The hash before is the hash after of the entry before.
    let hash = text(minji[0], "detail");
    let hash = hash.rsplit(' ').next().expect("a hash");
    assert!(text(minji[1], "detail").contains(&format!("{hash} before")));
    let acme = of("tenant/acme");
    assert_eq!(acme[0]["tenant"], "acme");
    for row in minji.iter().chain(&acme) {
        assert!(text(row, "actor").contains('@'), "{row}");
        assert_eq!(row["via"], "command line");
    }
    let first = of("tenant/default");
    assert_eq!(first[0]["via"], "up");
    beside(&["audit", "verify"]).expect("it is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_refuses_its_token_is_told_of_before_points_go_there() {
    let (up, influxdb) = tokio::join!(Up::start(), tests::Influxdb::start());
    let token = |name: &str, text: &str| {
        let file = up.folder.join(name);
        std::fs::write(&file, text).expect("it can be written");
        file.display().to_string()
    };
    let (good, bad) = (
        token("good", tests::influxdb::TOKEN),
        token("bad", "nobody"),
    );
    let url = influxdb.url();
    let add = |file: &str, org: &str, more: &[&str]| {
        let line = [
            "shard",
            "add",
            "two",
            "--url",
            url,
            "--org",
            org,
            "--token-file",
            file,
        ];
        let done = up.ran(&[&line[..], more].concat());
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let org = tests::influxdb::ORG;
    let dry = ["--dry-run"];
    assert!(!add(&good, org, &dry).contains("warning"));
    for (file, org, why) in [
        (&bad, org, "refused to let the token in"),
        (&good, "nowhere", "`nowhere`"),
        (&"/nowhere/token".to_owned(), org, "/nowhere/token"),
    ] {
        let said = add(file, org, &dry);
        assert!(
            said.contains("warning: shard `two`") && said.contains(why),
            "{said}"
        );
    }
    add(&bad, org, &["--from", "+1h"]);
    let looked = up.ran(&["doctor", "-o", "json"]);
    let rows: Vec<Value> = serde_json::from_slice(&looked.stdout).expect("it prints rows");
    let of_two = rows
        .iter()
        .find(|row| row["what"] == "two")
        .expect("it looks at it");
    assert_eq!(of_two["state"], "WRONG", "{of_two}");
    let detail = of_two["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("refused to let the token in"), "{detail}");
}
