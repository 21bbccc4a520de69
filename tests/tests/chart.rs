//! The Helm chart: what it renders, that each of its values has an effect, and that what it renders is safe and is accepted by the
//! program. A render that is meant to change is blessed with `INSTA_UPDATE=always`, the chart's README with `BLESS=1`.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::workdir::Workdir;
use tests::{Bongsu, installed};

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/bongsu")
}

fn everything() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/everything.yaml")
}

fn helm(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(installed::folder("helm").join("helm"))
        .args(arguments)
        .output()
        .expect("helm runs");
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).expect("helm prints UTF-8"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Renders the chart with a file of values and settings of the form `path=JSON`.
fn render(values: &Path, set: &[String]) -> Result<String, String> {
    let (chart, values) = (chart().display().to_string(), values.display().to_string());
    let mut arguments = vec!["template", "bongsu", &chart, "--namespace", "ops"];
    arguments.extend(["--kube-version", "1.31.0", "--values", &values]);
    arguments.extend(set.iter().flat_map(|each| ["--set-json", each.as_str()]));
    helm(&arguments)
}

fn documents(rendered: &str) -> Vec<Value> {
    rendered
        .split("\n---\n")
        .map(|text| serde_saphyr::from_str::<Value>(text).expect("the render is YAML"))
        .filter(|document| !document.is_null())
        .collect()
}

/// The pods of a render, by kind and name of what makes them.
fn pods(documents: &[Value]) -> BTreeMap<(String, String), Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    documents
        .iter()
        .filter(|document| document["spec"]["template"]["spec"].is_object())
        .map(|document| {
            let named = (text(&document["kind"]), text(&document["metadata"]["name"]));
            (named, document["spec"]["template"]["spec"].clone())
        })
        .collect()
}

#[test]
fn lint_finds_nothing_and_each_values_file_renders_as_it_is_known() {
    for name in ["demo", "ha", "airgap"] {
        let values = chart().join(format!("values-{name}.yaml"));
        let (chart, file) = (chart().display().to_string(), values.display().to_string());
        helm(&["lint", "--strict", &chart, "--values", &file])
            .unwrap_or_else(|told| panic!("values-{name}.yaml: {told}"));
        let rendered = render(&values, &[]).expect("it renders");
        insta::assert_snapshot!(format!("chart_{name}"), rendered);
    }
}

#[test]
fn what_is_missing_or_misspelt_is_told_by_name() {
    for (set, expected) in [
        ("kafka.brokers=[]", "kafka.brokers: name the brokers"),
        (r#"kafka.brokrs=["k:9092"]"#, "'brokrs' not allowed"),
        (
            r#"database.existingSecret="""#,
            "database.existingSecret: name a secret",
        ),
        (
            r#"auth.existingSecret="""#,
            "auth.existingSecret: name a secret",
        ),
        (
            r#"kafka.security.existingSecret="""#,
            "kafka.security.existingSecret: name a secret",
        ),
        ("router.replicas=0", "/router/replicas"),
        (r#"kafka.compression="gzip""#, "/kafka/compression"),
    ] {
        let told = render(&everything(), &[set.to_owned()]).expect_err(set);
        assert!(told.contains(expected), "{set}: {told}");
    }
}

#[test]
fn every_pod_keeps_the_restricted_pod_security_standard_and_can_be_probed_and_drained() {
    for values in [everything(), chart().join("values-demo.yaml")] {
        let documents = documents(&render(&values, &[]).expect("it renders"));
        for ((kind, name), pod) in pods(&documents) {
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true, "{name}");
            assert_eq!(
                security["seccompProfile"]["type"], "RuntimeDefault",
                "{name}"
            );
            for container in pod["containers"].as_array().expect("containers") {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{name}");
                assert!(container["resources"]["requests"].is_object(), "{name}");
                if kind == "Job" {
                    continue;
                }
                let probe = |which: &str| container[which]["httpGet"]["path"].clone();
                assert_eq!(probe("livenessProbe"), "/livez", "{name}");
                assert_eq!(probe("readinessProbe"), "/readyz", "{name}");
                let grace = pod["terminationGracePeriodSeconds"].as_u64();
                assert!(grace.is_some_and(|grace| grace > 30), "{name}");
            }
        }
    }
}

/// The spec of an object of a render.
fn spec<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = documents
        .iter()
        .find(|each| each["kind"] == kind && each["metadata"]["name"] == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name}"))["spec"]
}

#[test]
fn what_scales_by_load_has_no_replicas_of_its_own_and_never_ends_at_none() {
    let on = documents(&render(&everything(), &[]).expect("it renders"));
    let off = ["router", "consumer", "evaluator"];
    let off = off.map(|part| format!("autoscaling.{part}.enabled=false"));
    let off = documents(&render(&everything(), &off).expect("it renders"));
    for (kind, part, scaler, fewest) in [
        (
            "Deployment",
            "router",
            "HorizontalPodAutoscaler",
            "minReplicas",
        ),
        ("StatefulSet", "consumer", "ScaledObject", "minReplicaCount"),
        (
            "StatefulSet",
            "evaluator",
            "ScaledObject",
            "minReplicaCount",
        ),
    ] {
        let name = format!("bongsu-{part}");
        assert!(spec(&on, kind, &name).get("replicas").is_none(), "{name}");
        let fewest = spec(&on, scaler, &name)[fewest].as_u64();
        assert!(
            fewest.is_some_and(|fewest| fewest >= 1),
            "{name}: {fewest:?}"
        );
        assert_eq!(spec(&off, kind, &name)["replicas"], 3, "{name}");
    }
    assert_eq!(spec(&on, "Deployment", "bongsu-notifier")["replicas"], 2);
    let told = render(&everything(), &["autoscaling.consumer.min=0".to_owned()]);
    assert!(
        told.expect_err("zero")
            .contains("/autoscaling/consumer/min")
    );
}

#[test]
fn an_image_that_is_named_by_its_digest_is_pulled_by_it() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let set = format!("image={}", json!({"digest": digest, "tag": "9"}));
    let documents = documents(&render(&everything(), &[set]).expect("it renders"));
    for ((_, name), pod) in pods(&documents) {
        let image = pod["containers"][0]["image"].as_str().expect("an image");
        assert!(image.ends_with(&format!("@{digest}")), "{name}: {image}");
    }
}

#[test]
fn a_change_of_the_configuration_rolls_the_pods() {
    let sums = |set: &[String]| {
        let rendered = render(&everything(), set).expect("it renders");
        let lines = rendered
            .lines()
            .filter(|line| line.contains("checksum/config"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = sums(&[]);
    let after = sums(&[r#"config={"log":{"filter":"debug"}}"#.to_owned()]);
    assert_eq!(before.len(), 4);
    assert!(before.iter().zip(&after).all(|(a, b)| a != b));
}

#[test]
fn the_program_accepts_the_configuration_and_the_catalogue_that_are_rendered() {
    for values in [
        chart().join("values-ha.yaml"),
        chart().join("values-demo.yaml"),
    ] {
        let folder = Workdir::new("chart-config");
        let documents = documents(&render(&values, &[]).expect("it renders"));
        let data = |key: &str| {
            let mut found = documents
                .iter()
                .filter_map(|each| each["data"][key].as_str());
            found.next().map(str::to_owned)
        };
        let file = folder.write(
            "bongsu.yaml",
            &data("bongsu.yaml").expect("a configuration"),
        );
        let file = file.display().to_string();
        Bongsu::run(&["--config", &file, "config", "check"], &[]).expect("it is accepted");
        if let Some(catalogue) = data("catalogue.yaml") {
            schemas::catalogue::parse_yaml("catalogue.yaml", &catalogue)
                .unwrap_or_else(|told| panic!("{told:?}"));
        }
    }
}

/// A value of the same type that means something else.
fn other(path: &str, value: &Value) -> Value {
    let listed = match path {
        "image.pullPolicy" => Some(json!("Never")),
        "kafka.compression" => Some(json!("zstd")),
        "kafka.security.protocol" => Some(json!("sasl_plaintext")),
        "kafka.security.mechanism" => Some(json!("scram-sha-256")),
        "router.serviceType" | "notifier.serviceType" => Some(json!("NodePort")),
        "storage.shards" => Some(json!([{"name": "other", "url": "http://other:8086"}])),
        "tenants" => Some(json!([{"contact": "kim", "name": "Kim"}])),
        "extraObjects" => Some(json!([{"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "more"}}])),
        "topologySpreadConstraints" => Some(json!([])),
        "kafka.brokers" => Some(json!(["other:9092"])),
        "global.imagePullSecrets" => Some(json!(["pull"])),
        "notify.secrets" => Some(json!(["more"])),
        "route.parentRefs" => Some(json!([{"name": "other"}])),
        "config" => Some(json!({"log": {"filter": "debug"}})),
        _ => None,
    };
    listed.unwrap_or_else(|| match value {
        Value::Bool(on) => json!(!on),
        Value::Number(number) => json!(number.as_u64().expect("a whole number") + 1),
        Value::String(_) => json!("changed"),
        Value::Array(_) if path.ends_with("Ports") => json!([4711]),
        Value::Array(_) => json!([{"key": "changed", "operator": "Exists"}]),
        Value::Object(_) => json!({"changed": "changed"}),
        Value::Null => panic!("{path} has no value"),
    })
}

/// Every key that has a value of its own, with that value.
fn leaves(path: &str, schema: &Value, values: &Value, found: &mut Vec<(String, Value)>) {
    match schema["properties"].as_object() {
        Some(keys) => {
            for (key, schema) in keys {
                let path = format!("{path}{}{key}", if path.is_empty() { "" } else { "." });
                leaves(&path, schema, &values[key], found);
            }
        }
        None => found.push((path.to_owned(), values.clone())),
    }
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_saphyr::from_str(&text).expect("it is YAML")
}

fn merge(onto: &mut Value, from: &Value) {
    match (onto, from) {
        (Value::Object(onto), Value::Object(from)) => {
            for (key, value) in from {
                merge(onto.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (onto, from) => *onto = from.clone(),
    }
}

/// What a key is changed on: a few count only where another one has a value.
fn base(path: &str) -> (PathBuf, Vec<String>) {
    let without = |part: &str| vec![format!("autoscaling.{part}.enabled=false")];
    match path {
        "demo.data" | "demo.storage" | "demo.storageClass" => {
            (chart().join("values-demo.yaml"), Vec::new())
        }
        "router.replicas" => (everything(), without("router")),
        "consumer.replicas" => (everything(), without("consumer")),
        "evaluator.replicas" => (everything(), without("evaluator")),
        _ => (everything(), Vec::new()),
    }
}

#[test]
fn every_key_of_the_values_changes_what_is_rendered() {
    let schema = std::fs::read_to_string(chart().join("values.schema.json")).expect("a file");
    let schema: Value = serde_json::from_str(&schema).expect("it is JSON");
    let mut values = yaml(&chart().join("values.yaml"));
    merge(&mut values, &yaml(&everything()));
    let mut keys = Vec::new();
    leaves("", &schema, &values, &mut keys);
    assert!(keys.len() > 90, "only {} keys were found", keys.len());
    let lanes = 4;
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let keys = &keys;
            scope.spawn(move || {
                for (path, value) in keys.iter().skip(lane).step_by(lanes) {
                    let (file, mut set) = base(path);
                    let before = render(&file, &set).expect("it renders");
                    set.push(format!("{path}={}", other(path, value)));
                    let after = render(&file, &set).unwrap_or_else(|told| panic!("{path}: {told}"));
                    assert_ne!(before, after, "{path} has no effect");
                }
            });
        }
    });
}

const README: &str = "# Bongsu on Kubernetes

Kafka, InfluxDB and PostgreSQL are not part of the chart, and it makes neither passwords nor custom resources of its own.
`values-demo.yaml` runs everything in one pod, `values-ha.yaml` is a start for production, `values-airgap.yaml` for a cluster without the
internet.

```sh
kubectl create secret generic bongsu-api --from-literal=token=\"$(openssl rand -hex 32)\"
helm install bongsu deploy/helm/bongsu --values deploy/helm/bongsu/values-demo.yaml
```

## Values

| key | default | what |
|---|---|---|
";

/// One row for each documented key of `values.yaml`, in its order.
fn rows(text: &str, values: &Value) -> String {
    let (mut rows, mut path, mut told) = (String::new(), Vec::new(), None);
    for line in text.lines() {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        if let Some(what) = content.strip_prefix("# -- ") {
            told = Some(what);
            continue;
        }
        let Some((key, _)) = content
            .split_once(':')
            .filter(|_| !content.starts_with(['#', '-']))
        else {
            continue;
        };
        path.truncate(depth);
        path.push(key);
        if let Some(what) = told.take() {
            let value = values.pointer(&format!("/{}", path.join("/")));
            let default = match value {
                Some(Value::Object(map)) if !map.is_empty() => String::new(),
                Some(value) => format!("`{value}`"),
                None => panic!("{} has no value", path.join(".")),
            };
            writeln!(rows, "| `{}` | {default} | {what} |", path.join(".")).expect("a string");
        }
    }
    rows
}

#[test]
fn the_charts_readme_lists_every_value() {
    let text = std::fs::read_to_string(chart().join("values.yaml")).expect("a file");
    let readme = format!(
        "{README}{}",
        rows(&text, &yaml(&chart().join("values.yaml")))
    );
    let file = chart().join("README.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &readme).expect("it can be written");
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        known == readme,
        "write it anew: BLESS=1 cargo test -p tests --test chart"
    );
}

/// The paths of a section of docs/routes.md, and whether each is for whoever is inside alone.
fn routes(section: &str) -> Vec<(String, bool)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/routes.md");
    let text = std::fs::read_to_string(file).expect("the routes are documented");
    let section = text.split("\n## ").find(|each| each.starts_with(section));
    let rows = section.expect("the section is there").lines();
    let rows = rows.filter_map(|row| row.split('|').nth(2).zip(row.split('|').nth(3)));
    rows.filter(|(path, _)| path.contains('/'))
        .map(|(path, who)| {
            let inside = ["whoever the network lets in", "same machine"];
            (
                path.trim_matches([' ', '`']).to_owned(),
                inside.iter().any(|each| who.contains(each)),
            )
        })
        .collect()
}

/// Whether a rule of an ingress or a route lets a path in, as Kubernetes compares them: by whole elements.
fn lets_in(rules: &[(String, String)], path: &str) -> bool {
    rules.iter().any(|(kind, value)| match kind.as_str() {
        "Exact" => path == value,
        _ => path == value || path.starts_with(&format!("{value}/")),
    })
}

#[test]
fn the_world_reaches_what_is_for_it_and_neither_metrics_nor_readiness_nor_reload() {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rendered = render(&everything(), &[]).expect("it renders");
    let mut seen = 0;
    for document in documents(&rendered) {
        let (kind, name) = (text(&document["kind"]), text(&document["metadata"]["name"]));
        let mut rules: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for rule in document["spec"]["rules"].as_array().into_iter().flatten() {
            match kind.as_str() {
                "Ingress" => {
                    let paths = rule["http"]["paths"].as_array().expect("it has paths");
                    let to = text(&paths[0]["backend"]["service"]["name"]);
                    let paths = paths.iter();
                    let paths = paths.map(|each| (text(&each["pathType"]), text(&each["path"])));
                    rules.push((to, paths.collect()));
                }
                "HTTPRoute" => {
                    let paths = rule["matches"].as_array().expect("it has matches").iter();
                    let paths = paths.map(|each| &each["path"]);
                    let paths = paths.map(|path| (text(&path["type"]), text(&path["value"])));
                    rules.push((name.clone(), paths.collect()));
                }
                _ => {}
            }
        }
        for (to, rules) in rules {
            seen += 1;
            let section = match to.ends_with("-router") {
                true => "Router",
                false => "Notifier",
            };
            for (path, inside) in routes("Every service") {
                assert!(!lets_in(&rules, &path), "{kind} to {to}: {path}, {inside}");
            }
            for (path, inside) in routes(section) {
                assert_eq!(lets_in(&rules, &path), !inside, "{kind} to {to}: {path}");
            }
        }
    }
    assert_eq!(seen, 4, "two of an Ingress and two HTTPRoutes");
}
