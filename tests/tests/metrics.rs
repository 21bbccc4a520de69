//! docs/metrics.md against running services, and the chart's alerts and dashboards against docs/metrics.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::{Bongsu, installed, ports, wait, web};

const SOON: Duration = Duration::from_secs(60);

/// A metric as a page or a service says it: type and labels.
type Metric = (String, BTreeSet<String>);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of docs/metrics.md.
fn documented() -> BTreeMap<String, Metric> {
    let page = std::fs::read_to_string(root().join("docs/metrics.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| `bongsu_"));
    let found: BTreeMap<String, Metric> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let labels = cells[4]
                .split(',')
                .map(|label| label.trim().trim_matches('`'));
            let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
            assert!(!cells[3].is_empty() && !cells[5].is_empty(), "{row}");
            let name = cells[1].trim_matches('`').to_owned();
            (name, (cells[2].to_owned(), labels.collect()))
        })
        .collect();
    assert!(
        found.len() > 40,
        "only {} metrics are documented",
        found.len()
    );
    found
}

/// What a service says at `/metrics`.
fn told(text: &str) -> BTreeMap<String, Metric> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            found.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            continue;
        }
        let Some((name, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|ending| {
                name.strip_suffix(ending)
                    .filter(|name| found.contains_key(*name))
            })
            .unwrap_or(name);
        let (_, known) = found
            .get_mut(name)
            .expect("a type stands before its values");
        let names = labels.split('"').step_by(2);
        let names = names.filter_map(|text| text.trim_start_matches(',').strip_suffix('='));
        known.extend(names.filter(|label| *label != "le").map(str::to_owned));
    }
    found
}

#[tokio::test]
async fn running_services_have_the_metrics_that_are_documented_and_no_other() {
    let documented = documented();
    let up = Bongsu::service("up")
        .args(&["--demo", "--data-dir", "{dir}/data"])
        .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
        .env(
            "BONGSU_NOTIFIER__LISTEN",
            format!("127.0.0.1:{}", ports::free()),
        )
        .start()
        .await;
    let read = async || {
        let answer = web::client()
            .get(format!("{}/metrics", up.url()))
            .send()
            .await;
        answer.expect("an answer").text().await.expect("a text")
    };
    // Metrics with labels appear with their first value.
    wait::holds("points are stored and evaluated", SOON, async || {
        let text = read().await;
        [
            "bongsu_consumer_points_stored_total{",
            "bongsu_eval_points_total{",
        ]
        .iter()
        .all(|name| text.contains(name))
    })
    .await;
    let found = told(&read().await);
    assert!(found.len() > 30, "{found:?}");
    for (name, metric) in &found {
        let page = documented.get(name);
        assert_eq!(
            Some(metric),
            page,
            "{name}: what runs, and what is documented"
        );
    }
    for (name, (_, labels)) in &documented {
        assert!(
            found.contains_key(name) || !labels.is_empty(),
            "{name} is documented and has no labels, but does not appear"
        );
    }
}

/// The names of metrics in an expression, without what a histogram appends.
fn names(expression: &str, known: &BTreeMap<String, Metric>) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression
        .split(|c| !word(c))
        .filter(|word| word.starts_with("bongsu_"));
    words
        .map(|word| {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|ending| word.strip_suffix(ending));
            let base = base.filter(|base| {
                known
                    .get(*base)
                    .is_some_and(|(kind, _)| kind == "histogram")
            });
            if base.is_none() {
                let histogram = known.get(word).is_some_and(|(kind, _)| kind == "histogram");
                assert!(
                    !histogram,
                    "{expression}: a histogram has no value of its own"
                );
            }
            base.unwrap_or(word).to_owned()
        })
        .collect()
}

/// The labels that an expression groups by.
fn grouped(expression: &str) -> BTreeSet<String> {
    let lists = expression.split("by (").skip(1);
    let lists = lists.filter_map(|rest| rest.split(')').next());
    lists
        .flat_map(|list| list.split(','))
        .map(|label| label.trim().to_owned())
        .collect()
}

fn check(place: &str, expression: &str, known: &BTreeMap<String, Metric>) {
    let used = names(expression, known);
    assert!(!used.is_empty(), "{place}: {expression}");
    let mut labels = BTreeSet::from(["le".to_owned()]);
    for name in used {
        let (_, of_metric) = known
            .get(&name)
            .unwrap_or_else(|| panic!("{place}: there is no metric `{name}`"));
        labels.extend(of_metric.iter().cloned());
    }
    for label in grouped(expression) {
        assert!(
            labels.contains(&label),
            "{place}: `{label}` is no label in {expression}"
        );
    }
}

#[test]
fn alerts_and_dashboards_ask_for_metrics_and_labels_that_exist_and_each_alert_has_a_runbook() {
    let known = documented();
    let chart = root().join("deploy/helm/bongsu");
    let values = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/everything.yaml");
    let render = Command::new(installed::folder("helm").join("helm"))
        .args(["template", "bongsu"])
        .arg(&chart)
        .args([
            "--kube-version",
            "1.31.0",
            "--show-only",
            "templates/monitoring.yaml",
            "--values",
        ])
        .arg(&values)
        .output()
        .expect("helm runs");
    assert!(
        render.status.success(),
        "{}",
        String::from_utf8_lossy(&render.stderr)
    );
    let text = String::from_utf8(render.stdout).expect("UTF-8");
    let (mut alerts, mut panels) = (0, 0);
    for document in text.split("\n---\n") {
        let document: Value = serde_saphyr::from_str(document).expect("YAML");
        for rule in document["spec"]["groups"][0]["rules"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let alert = rule["alert"].as_str().expect("a name");
            check(alert, rule["expr"].as_str().expect("an expression"), &known);
            let runbook = rule["annotations"]["runbook_url"]
                .as_str()
                .unwrap_or_default();
            let file = runbook.rsplit('/').next().unwrap_or_default();
            let path = root().join("docs/runbooks").join(file);
            assert!(
                !file.is_empty() && path.is_file(),
                "{alert}: no runbook at {}",
                path.display()
            );
            alerts += 1;
        }
        for (file, dashboard) in document["data"].as_object().into_iter().flatten() {
            let dashboard: Value =
                serde_json::from_str(dashboard.as_str().expect("a text")).expect("JSON");
            for panel in dashboard["panels"].as_array().into_iter().flatten() {
                for target in panel["targets"].as_array().into_iter().flatten() {
                    let Some(expression) = target["expr"].as_str() else {
                        continue;
                    };
                    // A dashboard of a tenant's hosts asks for the tenant's own metrics.
                    if expression.contains("bongsu_") {
                        check(file, expression, &known);
                        panels += 1;
                    }
                }
            }
        }
    }
    assert!(
        alerts >= 6 && panels >= 12,
        "{alerts} alerts, {panels} panels"
    );
}
