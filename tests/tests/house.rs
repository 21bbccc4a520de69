//! The rules of the house: which crate may see which, and what never stands in a core.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate of the workspace and those of it that it may depend on (dev-dependencies excepted).
const ARROWS: [(&str, &[&str]); 18] = [
    ("model", &[]),
    ("schemas", &["model"]),
    ("runtime", &["model"]),
    ("kafka-batch", &[]),
    ("heap", &[]),
    ("stream", &["model", "runtime", "kafka-batch"]),
    ("influx", &["model", "runtime"]),
    ("catalog", &["model", "schemas", "runtime", "stream"]),
    ("placement", &["model", "schemas"]),
    ("oncall", &["model", "schemas"]),
    ("router", SERVICE),
    ("consumer", SERVICE),
    ("evaluator", SERVICE),
    ("notifier", SERVICE),
    (
        "bongsu",
        &[
            "model",
            "schemas",
            "runtime",
            "stream",
            "influx",
            "catalog",
            "placement",
            "oncall",
            "router",
            "consumer",
            "evaluator",
            "notifier",
            "heap",
        ],
    ),
    ("tests", ANY),
    ("bench", ANY),
    ("fuzz", ANY),
];
const SERVICE: &[&str] = &[
    "model",
    "schemas",
    "runtime",
    "stream",
    "influx",
    "catalog",
    "placement",
    "oncall",
];
const ANY: &[&str] = &[
    "model",
    "kafka-batch",
    "schemas",
    "runtime",
    "stream",
    "influx",
    "catalog",
    "placement",
    "oncall",
    "router",
    "consumer",
    "evaluator",
    "notifier",
    "bongsu",
    "tests",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace is there")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn the_arrows_between_crates_point_inwards() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = text(&package["name"]);
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("crate `{name}` has no place in ARROWS"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = text(&dependency["name"]);
            let only_in_tests = dependency["kind"] == "dev";
            if ours.contains(to) && !only_in_tests && !may.contains(&to) {
                wrong.push(format!("{name} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the house forbids: {wrong:?}");
}

#[test]
fn only_the_stream_crate_speaks_kafka() {
    for package in metadata()["packages"].as_array().expect("packages") {
        let uses = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .any(|dependency| dependency["name"] == "rdkafka" && dependency["kind"] != "dev");
        let name = text(&package["name"]);
        assert!(
            !uses || matches!(name, "stream" | "kafka-batch" | "bench" | "tests"),
            "{name} uses rdkafka"
        );
    }
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            // What a build makes is nobody's source.
            if !path.ends_with("target") {
                rust_files(&path, into);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn a_core_decides_without_io() {
    const FORBIDDEN: [&str; 9] = [
        "tokio::", "rdkafka", "reqwest", "sqlx", "axum", "std::fs", "std::net", "async fn",
        ".await",
    ];
    let mut files = Vec::new();
    for service in ["router", "consumer", "evaluator", "notifier"] {
        rust_files(&root().join(service).join("src/core"), &mut files);
    }
    assert!(files.len() >= 8, "every service has a core");
    let mut wrong = Vec::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source file");
        for (number, line) in source.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = FORBIDDEN.iter().find(|word| code.contains(**word)) {
                wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "a core does I/O:\n{}", wrong.join("\n"));
}

/// The table of routes is the only way to a router: `HttpServer::serve` takes nothing else, and nothing else makes one.
#[test]
fn a_router_is_built_from_the_table_of_routes_alone() {
    let mut files = Vec::new();
    for folder in [
        "bongsu/src",
        "router/src",
        "consumer/src",
        "evaluator/src",
        "notifier/src",
        "crates",
    ] {
        rust_files(&root().join(folder), &mut files);
    }
    files.retain(|file| !file.ends_with("crates/runtime/src/routes.rs"));
    let mut wrong = Vec::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source file");
        for (number, line) in source.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let makes = [
                "axum::Router",
                "Router::new()",
                "axum::routing",
                "hyper::server",
                "axum::serve(",
            ];
            let server = file.ends_with("crates/runtime/src/http.rs");
            let found = makes.iter().find(|word| code.contains(**word));
            if let Some(word) = found.filter(|word| !(server && **word == "axum::serve(")) {
                wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "a route beside the table:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_service_has_the_same_skeleton() {
    for service in ["router", "consumer", "evaluator", "notifier"] {
        for room in [
            "lib.rs",
            "config.rs",
            "app.rs",
            "error.rs",
            "metrics.rs",
            "core",
            "io",
        ] {
            let path = root().join(service).join("src").join(room);
            assert!(path.exists(), "{service} lacks {room}");
        }
    }
}

#[test]
fn a_file_is_a_room_with_one_purpose() {
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for folder in [
        "bongsu",
        "router",
        "consumer",
        "evaluator",
        "notifier",
        "schemas",
        "crates",
        "tests",
        "bench",
        "fuzz/src",
        "mutants/src",
        "fuzz/fuzz_targets",
    ] {
        rust_files(&root().join(folder), &mut files);
    }
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source file");
        if !source.starts_with("//!") {
            wrong.push(format!(
                "{}: does not begin by saying what it is for",
                file.display()
            ));
        }
        if source.lines().count() > 600 {
            wrong.push(format!("{}: over 600 lines", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_main_is_longer_than_sixty_lines() {
    let main = std::fs::read_to_string(root().join("bongsu/src/main.rs")).expect("main.rs");
    assert!(main.lines().count() <= 60);
}

/// The tables of `docs/` name the test of each promise. A name is what stands in backticks, behind the last `::`, and has the length
/// of a sentence; what is shorter is a module, a file or a command.
#[test]
fn every_test_that_a_table_names_exists() {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    let mut functions = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source file");
        let names = source.split("fn ").skip(1);
        functions.extend(names.map(|rest| {
            let end = rest.find(|letter: char| !is_of_a_name(letter));
            rest[..end.unwrap_or(rest.len())].to_owned()
        }));
    }
    let (mut named, mut unknown) = (0, Vec::new());
    for entry in std::fs::read_dir(root().join("docs")).expect("the docs") {
        let path = entry.expect("a file of the docs").path();
        if !path.to_string_lossy().ends_with("-tests.md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a table of tests");
        for quoted in text.split('`').skip(1).step_by(2) {
            let name = quoted.rsplit("::").next().unwrap_or(quoted);
            if !name.chars().all(is_of_a_name) || name.matches('_').count() < 3 {
                continue;
            }
            named += 1;
            if !functions.contains(name) {
                unknown.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(named > 200, "the tables name {named} tests only");
    assert!(unknown.is_empty(), "no such test:\n{}", unknown.join("\n"));
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
}
