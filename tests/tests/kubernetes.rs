//! The chart before Kubernetes: each object against its schema, and installed, upgraded, rolled back and removed on a real API server
//! whose namespace keeps the `restricted` level of pod security.
//!
//! There is no node: the controllers make the pods, the API server admits them, and the test says of each that it runs.

// The tests are the outside world: they have real clocks and tasks of their own, and show what Helm and runc said.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::installed;
use tests::kubernetes::Kubernetes;
use tests::workdir::Workdir;

/// What the chart makes objects of and Kubernetes does not know by itself; `tests/real/custom-resources` wrote them.
const CUSTOM: [&str; 4] = [
    include_str!("kubernetes/scaledobject.json"),
    include_str!("kubernetes/servicemonitor.json"),
    include_str!("kubernetes/prometheusrule.json"),
    include_str!("kubernetes/httproute.json"),
];

/// What every namespace has.
const ITS_OWN: [&str; 2] = ["ConfigMap/kube-root-ca.crt", "ServiceAccount/default"];

fn custom() -> Vec<Value> {
    let parsed = CUSTOM.map(|text| serde_json::from_str(text).expect("it is JSON"));
    parsed.into()
}

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/bongsu")
}

fn everything() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/everything.yaml")
}

fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(said + &String::from_utf8_lossy(&output.stderr))
    }
}

/// A schema as Kubernetes publishes it, in the dialect of JSON Schema and strict: what it does not name is an error.
fn strict(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(strict),
        Value::Object(map) => {
            let either = map
                .get("format")
                .is_some_and(|format| format == "int-or-string")
                || map.get("x-kubernetes-int-or-string") == Some(&json!(true));
            if either {
                *schema = json!({"type": ["string", "integer"]});
                return;
            }
            // A property may be called "properties": only an object of schemas closes what holds it.
            let closes = map.get("properties").is_some_and(Value::is_object)
                && !map.contains_key("additionalProperties")
                && !map.contains_key("x-kubernetes-preserve-unknown-fields");
            map.values_mut().for_each(strict);
            if closes {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}

/// Writes a schema for each kind, under the name that [`location`] makes of it.
fn write_schemas(folder: &Workdir) {
    let swagger = installed::folder("kubernetes").join("swagger.json");
    let swagger = std::fs::read_to_string(swagger).expect("it can be read");
    let swagger: Value = serde_json::from_str(&swagger).expect("it is JSON");
    let mut definitions = swagger["definitions"].clone();
    strict(&mut definitions);
    // A quantity such as `cpu: 1` may be a number, which the published schema does not say.
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] =
        json!({"type": ["string", "number"]});
    for (name, definition) in definitions.as_object().expect("definitions") {
        let kinds = definition["x-kubernetes-group-version-kind"].as_array();
        for kind in kinds.into_iter().flatten() {
            let text = |key: &str| kind[key].as_str().expect("a name").to_owned();
            let schema = json!({"$ref": format!("_definitions.json#/definitions/{name}")});
            write_schema(
                folder,
                &text("group"),
                &text("version"),
                &text("kind"),
                &schema,
            );
        }
    }
    let definitions = json!({ "definitions": definitions });
    folder.write("_definitions.json", &definitions.to_string());
    for definition in custom() {
        let spec = &definition["spec"];
        let mut schema = spec["versions"][0]["schema"]["openAPIV3Schema"].clone();
        strict(&mut schema);
        schema["properties"]["metadata"] = json!({"type": "object"});
        let text = |value: &Value| value.as_str().expect("a name").to_owned();
        let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
        write_schema(
            folder,
            &group,
            &text(&spec["versions"][0]["name"]),
            &kind,
            &schema,
        );
    }
}

fn write_schema(folder: &Workdir, group: &str, version: &str, kind: &str, schema: &Value) {
    let group = match group.split('.').next() {
        Some("") | None => String::new(),
        Some(first) => format!("-{first}"),
    };
    let name = format!("{}{group}-{version}.json", kind.to_lowercase());
    folder.write(&name, &schema.to_string());
}

fn location(folder: &Workdir) -> String {
    let folder = folder.path().display();
    format!("{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json")
}

#[test]
fn every_object_is_what_its_schema_says() {
    let folder = Workdir::new("kubeconform");
    write_schemas(&folder);
    let kubeconform = installed::folder("kubernetes").join("kubeconform");
    let helm = installed::folder("helm").join("helm");
    let chart = chart();
    let check = |rendered: &str| {
        let file = folder.write("rendered.yaml", rendered);
        let (location, file) = (location(&folder), file.display().to_string());
        let arguments = ["-strict", "-summary", "-schema-location", &location, &file];
        run(&kubeconform, &arguments)
    };
    let mut values = ["demo", "ha", "airgap"]
        .map(|name| chart.join(format!("values-{name}.yaml")))
        .to_vec();
    values.push(everything());
    for values in values {
        let (chart, values) = (chart.display().to_string(), values.display().to_string());
        let rendered = run(
            &helm,
            &[
                "template",
                "bongsu",
                &chart,
                "--kube-version",
                "1.34.0",
                "--values",
                &values,
            ],
        )
        .expect("it renders");
        let told = check(&rendered).unwrap_or_else(|told| panic!("{values}: {told}"));
        assert!(told.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{told}");
        // It bites: one key that no schema knows is found.
        let wrong = rendered.replacen("spec:", "spec:\n  misspelt: 1", 1);
        assert!(
            check(&wrong).is_err(),
            "{values}: a misspelt key was not seen"
        );
    }
}

/// Plays the node: pods run and are ready, those of jobs succeed. Has no end.
async fn node(kubernetes: &Kubernetes) {
    let ready = json!({"type": "Ready", "status": "True"});
    let runs = json!({"status": {"phase": "Running", "conditions": [ready]}});
    let succeeds = json!({"status": {"phase": "Succeeded"}});
    loop {
        let pods = kubernetes.list("/api/v1/namespaces/ops/pods").await;
        for pod in pods.unwrap_or_default() {
            let (metadata, phase) = (&pod["metadata"], &pod["status"]["phase"]);
            if phase == "Pending" {
                let name = metadata["name"].as_str().expect("a name");
                let path = format!("/api/v1/namespaces/ops/pods/{name}/status");
                let of_a_job = metadata["ownerReferences"][0]["kind"] == "Job";
                let status = if of_a_job { &succeeds } else { &runs };
                // A pod that went meanwhile is as good.
                kubernetes.patch(&path, status).await.ok();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Runs Helm and prints what it says. What it installs it waits for: every pod was made and admitted.
async fn helm(kubernetes: &Kubernetes, arguments: &[&str]) {
    let program = installed::folder("helm").join("helm");
    let mut all: Vec<String> = arguments.iter().map(|&each| each.to_owned()).collect();
    all.extend(["--kubeconfig".to_owned(), kubernetes.kubeconfig()]);
    all.extend(["--namespace", "ops", "--wait", "--timeout", "90s"].map(str::to_owned));
    let name = arguments.join(" ");
    let told = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run(&program, &all)
    });
    let told = told.await.expect("it does not panic");
    let told = told.unwrap_or_else(|told| panic!("helm {name}: {told}"));
    if arguments[0] == "install" {
        let next = told.split("The next three commands:\n").nth(1);
        let next =
            next.unwrap_or_else(|| panic!("helm {name} says nothing of what is next: {told}"));
        let commands: Vec<&str> = next
            .lines()
            .filter(|line| line.contains("bongsu"))
            .collect();
        assert_eq!(commands.len(), 3, "{next}");
    }
    // The API server warns of what it would refuse elsewhere, and Helm passes that on.
    assert!(!told.contains("Warning"), "helm {name}: {told}");
    eprintln!("$ helm {name}\n{told}");
    let events = kubernetes.list("/api/v1/namespaces/ops/events").await;
    for event in events.expect("a list") {
        let refused = ["FailedCreate", "FailedUpdate", "FailedDelete"]
            .iter()
            .any(|reason| event["reason"] == *reason);
        assert!(!refused, "{event}");
    }
}

/// What is installed, without what follows from it.
async fn lasting(kubernetes: &Kubernetes) -> Vec<String> {
    let follows = [
        "Pod/",
        "ReplicaSet/",
        "ControllerRevision/",
        "Endpoints/",
        "EndpointSlice/",
        "Secret/sh.helm",
    ];
    let mut objects = kubernetes.objects("ops").await.expect("the objects");
    objects.retain(|object| !follows.iter().any(|prefix| object.starts_with(prefix)));
    objects
}

async fn nothing_is_left(kubernetes: &Kubernetes) {
    let mut left = Vec::new();
    let gone = tests::wait::until(std::time::Duration::from_secs(60), async || {
        left = kubernetes.objects("ops").await?;
        Ok((left == ITS_OWN).then_some(()))
    });
    let gone = gone.await;
    assert!(gone.is_ok(), "left behind: {left:?}");
}

/// The namespace of the tests, the resources that the chart's objects are of, and a proof that the level holds.
async fn prepare(kubernetes: &Kubernetes) {
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    });
    let namespace = json!({"metadata": {"name": "ops", "labels": labels}});
    let made = kubernetes.create("/api/v1/namespaces", &namespace).await;
    made.expect("a namespace");
    for definition in custom() {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let made = kubernetes.create(path, &definition).await;
        made.expect("a definition");
    }
    let groups = [
        "keda.sh/v1alpha1",
        "monitoring.coreos.com/v1",
        "gateway.networking.k8s.io/v1",
    ];
    kubernetes
        .until("the namespace and the resources are there", async || {
            for group in groups {
                kubernetes.get(&format!("/apis/{group}")).await?;
            }
            Ok((kubernetes.objects("ops").await? == ITS_OWN).then_some(()))
        })
        .await;
    let pod = json!({"metadata": {"name": "root"}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    let told = kubernetes.create("/api/v1/namespaces/ops/pods", &pod).await;
    let told = told.expect_err("it is refused").to_string();
    assert!(told.contains("violates PodSecurity"), "{told}");
}

async fn life(kubernetes: &Kubernetes) {
    let (chart, values) = (
        chart().display().to_string(),
        everything().display().to_string(),
    );
    helm(
        kubernetes,
        &["install", "bongsu", &chart, "--values", &values],
    )
    .await;
    let first = lasting(kubernetes).await;

    let upgrade = [
        "upgrade",
        "bongsu",
        &chart,
        "--values",
        &values,
        "--set",
        "router.replicas=2",
    ];
    let set = [
        "--set",
        "autoscaling.router.enabled=false",
        "--set-json",
        r#"config={"log":{"filter":"debug"}}"#,
    ];
    helm(kubernetes, &[&upgrade[..], &set[..]].concat()).await;
    let router = "/apis/apps/v1/namespaces/ops/deployments/bongsu-router";
    let router = kubernetes.get(router).await.expect("it is there");
    assert_eq!(router["status"]["readyReplicas"], 2);
    assert_ne!(lasting(kubernetes).await, first, "the scaler went");

    helm(kubernetes, &["rollback", "bongsu", "1"]).await;
    assert_eq!(lasting(kubernetes).await, first);

    helm(kubernetes, &["uninstall", "bongsu"]).await;
    nothing_is_left(kubernetes).await;

    let values = Path::new(&chart)
        .join("values-demo.yaml")
        .display()
        .to_string();
    helm(
        kubernetes,
        &["install", "bongsu", &chart, "--values", &values],
    )
    .await;
    helm(kubernetes, &["uninstall", "bongsu"]).await;
    nothing_is_left(kubernetes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_installed_upgraded_rolled_back_and_removed_and_leaves_nothing() {
    let kubernetes = Kubernetes::start().await;
    prepare(&kubernetes).await;
    tokio::select! {
        () = life(&kubernetes) => {}
        () = node(&kubernetes) => {}
    }
}
