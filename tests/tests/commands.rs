//! What holds of every command: exit codes, errors with code, cause and hint, forms, languages; on the real program.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::kafka::{Kafka, Plan};
use tests::workdir::Workdir;
use tests::{Bongsu, ports, wait, web};

/// In which a token that was taken away is refused, and a change has arrived.
const SOON: Duration = Duration::from_secs(10);

/// A run of the program: exit code, standard output, standard error.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(tests::bongsu::binary());
    command.args(arguments).stdin(Stdio::null());
    command
        .env_remove("BONGSU_LANG")
        .envs(environment.iter().copied());
    ended(&command.output().expect("it runs"))
}

fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

/// A `bongsu up` whose API wants a token.
async fn guarded(folder: &Workdir) -> (Bongsu, String) {
    let data = folder.join("data").display().to_string();
    let console = format!("127.0.0.1:{}", ports::free());
    let up = Bongsu::service("up")
        .args(&["--data-dir", &data])
        .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
        .env("BONGSU_NOTIFIER__LISTEN", &console)
        .env(
            "BONGSU_NOTIFIER__API_TOKEN_FILE",
            folder.write("token", "right").display().to_string(),
        )
        .start()
        .await;
    (up, format!("http://{console}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_exit_code_has_its_cause_its_word_and_a_hint() {
    let folder = Workdir::new("exits");
    let (_up, api) = guarded(&folder).await;
    let wrong = folder.write("wrong", "wrong").display().to_string();
    let right = folder.join("token").display().to_string();
    let data = folder.join("data").display().to_string();
    let rule = folder.write("rule.yaml", "template: t\ntitle: t\nlevel: {}\n");
    let rule = rule.display().to_string();
    let nobody = format!("127.0.0.1:{}", ports::free());
    let incidents = ["incident", "list", "--api", &api, "--api-token-file"];
    let asked = |token| [&incidents[..], &[token]].concat();
    let duty = folder.write(
        "duty.yaml",
        "schedule: night\nlayers: [{layer: all, people: [you], from: 2026-01-05T09:00}]\n",
    );
    let applied = run(
        &[
            "--data-dir",
            &data,
            "apply",
            "-f",
            &duty.display().to_string(),
        ],
        &[],
    );
    assert_eq!(applied.0, 0, "{applied:?}");
    let oncall = ["--data-dir", &data, "oncall"];
    for (arguments, code, word) in [
        (vec!["config", "check"], 0, ""),
        (asked(right.as_str()), 0, "--state all shows"),
        (
            vec![
                "--data-dir",
                &data,
                "incident",
                "show",
                "ffff",
                "--api",
                &api,
                "--api-token-file",
                &right,
            ],
            2,
            "error[usage]: ",
        ),
        // What the API calls asked wrongly.
        (
            [&asked(&right)[..], &["--state", "bogus"]].concat(),
            2,
            "error[usage]: ",
        ),
        (
            [
                &oncall[..],
                &[
                    "shifts",
                    "night",
                    "--from",
                    "2026-12-02",
                    "--to",
                    "2026-12-01",
                ],
            ]
            .concat(),
            2,
            "is not after `--from`",
        ),
        (
            [&oncall[..], &["calendar", "night", "--person", "nobody"]].concat(),
            2,
            "there is no contact `nobody`",
        ),
        (vec!["import", "opsgenie", &rule], 1, "error[failed]: "),
        (vec!["tenat"], 2, "error[usage]: "),
        (
            vec!["--data-dir", &data, "tap", "defalt"],
            2,
            "error[usage]: ",
        ),
        (vec!["template", "lint", &rule], 3, "error[findings]: "),
        (asked(wrong.as_str()), 4, "error[auth]: "),
        (incidents[..4].to_vec(), 4, "error[auth]: "),
        (
            vec!["--kafka", &nobody, "tenant", "list"],
            5,
            "error[unreachable]: ",
        ),
        (
            vec!["incident", "list", "--api", "http://127.0.0.1:1"],
            5,
            "error[unreachable]: ",
        ),
    ] {
        let (ended, out, told) = run(&arguments, &[]);
        assert_eq!(ended, code, "{arguments:?}: {out}{told}");
        assert!(told.contains(word), "{arguments:?}: {told}");
        let hints = ["hint: ", "tip: ", "did you mean"];
        let hinted = hints.iter().any(|hint| told.contains(hint));
        // What was found is the result itself.
        assert!(code == 0 || code == 3 || hinted, "{arguments:?}: {told}");
        assert!(
            code == 0 || out.is_empty() || code == 3,
            "{arguments:?}: an error is no data: {out}"
        );
    }
    for (arguments, meant) in [
        (vec!["tap", "defalt"], "default"),
        (vec!["tenant", "show", "defualt"], "default"),
        (vec!["notify", "preview", "cpu-usge"], "cpu-usage"),
    ] {
        let (_, _, told) = run(&[&["--data-dir", &data], &arguments[..]].concat(), &[]);
        let meant = format!("did you mean `{meant}`?");
        assert!(told.contains(&meant), "{arguments:?}: {told}");
    }
}

/// How many rows a result has, read as its form says.
#[test]
fn whoever_reads_may_have_seen_enough_and_a_result_that_nothing_takes_is_an_error() {
    let asks = |stdout: Stdio| {
        let mut command = Command::new(tests::bongsu::binary());
        let command = command.args(["template", "docs"]).stdin(Stdio::null());
        let child = command.stdout(stdout).stderr(Stdio::piped()).spawn();
        child.expect("it runs")
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let head = asks(writer.into()).wait_with_output();
    let (code, _, said) = ended(&head.expect("it ends"));
    assert_eq!((code, said.as_str()), (0, ""));
    let full = std::fs::File::create("/dev/full").expect("it is there");
    let (code, _, said) = ended(&asks(full.into()).wait_with_output().expect("it ends"));
    assert_eq!(code, 1, "{said}");
    assert!(said.starts_with("error[failed]: standard output"), "{said}");
}

fn rows(form: &str, text: &str) -> usize {
    match form {
        "json" | "yaml" => {
            let all: Value = serde_saphyr::from_str(text)
                .unwrap_or_else(|error| panic!("{form}: {error}: {text}"));
            all.as_array()
                .unwrap_or_else(|| panic!("{form}: {text}"))
                .len()
        }
        "jsonl" => {
            let each = text.lines().map(serde_json::from_str::<Value>);
            each.map(|row| assert!(row.expect("JSON").is_object()))
                .count()
        }
        // A heading first.
        _ => text.lines().count().saturating_sub(1),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_has_every_form_with_the_same_rows() {
    let folder = Workdir::new("forms");
    let (_up, api) = guarded(&folder).await;
    let token = folder.join("token").display().to_string();
    let data = folder.join("data").display().to_string();
    let points = folder.write("points", "cpu,host=a,cpu=cpu-total usage_idle=1 1\n");
    let points = points.display().to_string();
    let templates = folder.write(
        "t.yaml",
        &std::fs::read_to_string("../templates/cpu-usage.yaml").expect("a template"),
    );
    let templates = templates.display().to_string();
    let lists = [
        "tenant list",
        "tenant show default",
        "tenant usage",
        "incident list --state all",
        "incident times",
        "silence list --state all",
        "token list",
        "audit list",
        "integration list",
        "shard list",
        "dlq list",
        "oncall gaps",
        "oncall show",
        "notify contacts",
        "template list",
        "template test",
        "rights list",
        "config show --origin",
        "resolve default",
        "doctor",
        "notify preview",
        "route explain --tenant default cpu,host=a",
        "template lint T",
        "template diff T",
        "template replay --templates T --points P",
    ];
    for list in lists {
        let words: Vec<&str> = list
            .split(' ')
            .map(|word| match word {
                "T" => templates.as_str(),
                "P" => points.as_str(),
                word if word.starts_with("cpu,") => "cpu,host=a v=1",
                word => word,
            })
            .collect();
        let asked = |form| {
            let more = [
                "--data-dir",
                &data,
                "--api",
                &api,
                "--api-token-file",
                &token,
                "-o",
                form,
            ];
            let (code, out, told) = run(&[&words[..], &more].concat(), &[]);
            assert!(code == 0 || code == 3, "{list} -o {form}: {code} {told}");
            out
        };
        let all = ["json", "jsonl", "yaml", "csv"].map(|form| (form, asked(form)));
        let count = rows("jsonl", &all[1].1);
        for (form, text) in &all {
            // A cell of CSV may hold lines of its own.
            if *form != "csv" || !text.contains("\"") {
                assert_eq!(rows(form, text), count, "{list} -o {form}: {text}");
            }
        }
        asked("table");
    }
}

#[test]
fn korean_is_for_people_and_never_for_scripts() {
    let list = |arguments: &[&str], environment: &[(&str, &str)]| {
        let (code, out, told) = run(&[&["template", "list"], arguments].concat(), environment);
        assert_eq!(code, 0, "{told}");
        out
    };
    let english = list(&[], &[]);
    assert!(english.starts_with("TEMPLATE "), "{english}");
    let korean = list(&["--lang", "ko"], &[]);
    assert!(korean.starts_with("템플릿 "), "{korean}");
    assert_eq!(korean, list(&[], &[("BONGSU_LANG", "ko")]));
    assert_eq!(english, list(&["--lang", "en"], &[("BONGSU_LANG", "ko")]));
    let scripts = ["-o", "json"];
    assert_eq!(
        list(&scripts, &[]),
        list(&["-o", "json", "--lang", "ko"], &[])
    );
    let (code, _, told) = run(&["tenat", "--lang", "ko"], &[]);
    assert!(code == 2 && told.starts_with("error[usage]: "), "{told}");
}

/// The program as a person at a terminal sees it: both outputs are one pseudo-terminal.
fn on_a_terminal(arguments: &str, no_color: bool) -> String {
    let program = tests::bongsu::binary();
    let command = format!("{} {arguments}", program.display());
    let mut script = Command::new("script");
    script
        .args(["-qec", &command, "/dev/null"])
        .stdin(Stdio::null());
    script.env_remove("NO_COLOR").env("TERM", "xterm");
    if no_color {
        script.env("NO_COLOR", "1");
    }
    ended(&script.output().expect("script runs")).1
}

#[test]
fn colours_and_progress_are_for_terminals_and_no_color_ends_them() {
    let colour = "\u{1b}[1m";
    assert!(on_a_terminal("tenat", false).contains('\u{1b}'));
    assert!(
        !on_a_terminal("tenat", true).contains(colour),
        "NO_COLOR holds"
    );
    let (_, out, told) = run(&["tenat"], &[]);
    assert!(!told.contains('\u{1b}') && out.is_empty(), "{told}");

    let folder = Workdir::new("progress");
    let mut points = std::fs::File::create(folder.join("points")).expect("a file");
    for n in 0..50_000_u64 {
        writeln!(
            points,
            "cpu,host=a,cpu=cpu-total usage_idle=90 {}",
            n * 10_000_000_000
        )
        .expect("written");
    }
    let rule = std::fs::read_to_string("../templates/cpu-usage.yaml").expect("a template");
    let rule = folder.write("t.yaml", &rule);
    let replay = format!(
        "template replay --templates {} --points {}",
        rule.display(),
        folder.join("points").display()
    );
    let seen = on_a_terminal(&replay, true);
    assert!(seen.contains("bytes read"), "{seen}");
    let words: Vec<&str> = replay.split(' ').collect();
    let (code, out, told) = run(&words, &[]);
    assert!(
        code == 0 && !told.contains("bytes read") && !out.contains("bytes read"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_answered_by_yes_and_without_it_nothing_happens() {
    let folder = Workdir::new("yes");
    let (_up, _) = guarded(&folder).await;
    let data = folder.join("data").display().to_string();
    let bongsu = |arguments: &[&str]| run(&[&["--data-dir", &data], arguments].concat(), &[]);
    assert_eq!(bongsu(&["tenant", "add", "acme"]).0, 0);
    let (code, _, told) = bongsu(&["tenant", "remove", "acme"]);
    assert!(
        code == 2 && told.contains("nothing was changed") && told.contains("--yes"),
        "{told}"
    );
    assert_eq!(bongsu(&["tenant", "show", "acme"]).0, 0);
    let (code, _, told) = bongsu(&["tenant", "remove", "acme", "--yes", "--lang", "ko"]);
    assert!(code == 0 && told.contains("테넌트 acme"), "{told}");
    assert_eq!(bongsu(&["tenant", "show", "acme"]).0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_a_kafka_that_makes_topics_by_itself() {
    let careless = Plan {
        settings: "auto.create.topics.enable=true",
        ..Plan::default()
    };
    let (good, bad) = tokio::join!(Kafka::start(), Kafka::with(careless));
    let folder = Workdir::new("auto-create");
    let kim = folder.write("kim.yaml", "contact: kim\nname: Kim\n");
    for (kafka, state) in [(good, "ok"), (bad, "WRONG")] {
        let kim = [
            "--kafka",
            &kafka.brokers(),
            "apply",
            "-f",
            &kim.display().to_string(),
        ];
        let (code, _, told) = run(&kim, &[]);
        assert_eq!(code, 0, "{told}");
        let asked = ["--kafka", &kafka.brokers(), "doctor", "-o", "json"];
        let (_, out, told) = run(&asked, &[]);
        let rows: Value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{told}"));
        let rows = rows.as_array().expect("rows").iter();
        let found: Vec<&Value> = rows.filter(|row| row["check"] == "auto-create").collect();
        assert_eq!(found.len(), 1, "{out}");
        assert_eq!(found[0]["state"], state, "{out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bench_sends_what_was_asked_for_and_says_how_it_was_answered() {
    let folder = Workdir::new("bench");
    let (up, _) = guarded(&folder).await;
    let token = folder.join("data/default.token").display().to_string();
    let url = up.url();
    let bench = |more: &[&str]| {
        let asked = ["bench", "--router", &url, "-o", "json", "--seconds", "1"];
        run(&[&asked[..], more].concat(), &[])
    };
    let (code, out, told) = bench(&["--token-file", &token, "--rate", "500"]);
    assert_eq!(code, 0, "{told}");
    let rows: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (&rows[0]["points"], &rows[0]["accepted"]),
        (&500.into(), &500.into()),
        "{out}"
    );
    let taken = up
        .metric("bongsu_router_points_total", "result=\"accepted\"")
        .await;
    assert!(
        taken.expect("a count") >= 501.0,
        "the router counted them, and the first one"
    );
    let forged = folder
        .write("forged", "default.nothing")
        .display()
        .to_string();
    assert_eq!(bench(&["--token-file", &forged]).0, 4);
    let (code, _, _) = run(
        &[
            "bench",
            "--router",
            "http://127.0.0.1:1",
            "--token-file",
            &token,
        ],
        &[],
    );
    assert_eq!(code, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_applied_with_a_diff_refused_by_line_and_pruned_only_when_asked() {
    let kafka = Kafka::start().await;
    let folder = Workdir::new("apply");
    let kim = "contact: kim\nname: Kim\n";
    folder.write(
        "people.yaml",
        &format!("{kim}---\ncontact: lee\nname: Lee\n"),
    );
    let files = folder.path().display().to_string();
    let brokers = kafka.brokers();
    let apply = |more: &[&str]| {
        let asked = ["--kafka", &brokers, "apply", "-o", "csv", "-f", &files];
        let (code, out, told) = run(&[&asked[..], more].concat(), &[]);
        let rows: Vec<String> = out.lines().skip(1).map(str::to_owned).collect();
        (code, rows, told)
    };
    let both = ["added,contact,kim", "added,contact,lee"];
    let (code, rows, told) = apply(&["--dry-run"]);
    assert!(
        code == 0 && rows == both && told.contains("nothing was changed"),
        "{rows:?} {told}"
    );
    let (code, rows, told) = apply(&[]);
    assert!(
        code == 0 && rows == both,
        "a dry run had changed nothing: {rows:?} {told}"
    );
    let (code, rows, _) = apply(&[]);
    assert!(code == 0 && rows.is_empty(), "{rows:?}");

    folder.write("people.yaml", kim);
    let (_, rows, _) = apply(&[]);
    assert!(rows.is_empty(), "nobody asked to prune: {rows:?}");
    let (_, rows, _) = apply(&["--prune", "--dry-run"]);
    assert_eq!(rows, ["removed,contact,lee"]);

    folder.write(
        "wrong.yaml",
        "# One more.\ncontact: park\nname: Park\nphne: '1'\n",
    );
    let (code, _, told) = apply(&["--prune"]);
    assert!(
        code == 3 && told.contains("wrong.yaml:4:1") && told.contains("did you mean `phone`?"),
        "{told}"
    );
    std::fs::remove_file(folder.join("wrong.yaml")).expect("it is there");
    let (code, rows, _) = apply(&["--prune"]);
    assert!(
        code == 0 && rows == ["removed,contact,lee"],
        "what was refused changed nothing: {rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingest_token_that_is_taken_away_is_refused_within_ten_seconds() {
    let folder = Workdir::new("revoked");
    let (up, _) = guarded(&folder).await;
    let data = folder.join("data").display().to_string();
    let bongsu = |arguments: &[&str]| {
        let (code, out, told) = run(
            &[&["--data-dir", &data, "-o", "json"], arguments].concat(),
            &[],
        );
        assert_eq!(code, 0, "{arguments:?}: {told}");
        serde_json::from_str::<Value>(&out).unwrap_or_default()
    };
    let made = |arguments: &[&str]| {
        bongsu(arguments)["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    let write = async |token: &str| {
        let request = web::client().post(format!("{}/api/v2/write", up.url()));
        let request = request.header("authorization", format!("Token {token}"));
        let answer = request.body("cpu,host=a v=1").send().await?;
        anyhow::Ok(answer.status().as_u16())
    };
    let answered = async |token: &str, status: u16| {
        let what = format!("{token} is answered {status}");
        wait::holds(&what, SOON, async || {
            write(token).await.is_ok_and(|said| said == status)
        })
        .await;
    };
    let first = made(&["tenant", "add", "acme"]);
    answered(&first, 204).await;
    let second = made(&["tenant", "rotate", "acme"]);
    answered(&second, 204).await;
    answered(&first, 204).await;
    let third = made(&["tenant", "rotate", "acme"]);
    answered(&third, 204).await;
    answered(&first, 401).await;
    answered(&second, 204).await;
    run(&["--data-dir", &data, "tenant", "suspend", "acme"], &[]);
    wait::holds("nothing of a suspended tenant is taken", SOON, async || {
        write(&third)
            .await
            .is_ok_and(|said| said == 401 || said == 403)
    })
    .await;
    run(&["--data-dir", &data, "tenant", "resume", "acme"], &[]);
    answered(&third, 204).await;
}
