//! The shipped templates over what a real Telegraf sent: each finds its series there, and its check
//! is computed of their fields. `tests/real/record-samples` records the samples.

use super::core_support::{events, tenant};
use evaluator::core::{Plan, Replay};
use model::Span;
use schemas::catalogue::{
    Bundle, BundleContent, Level, Over, PerPriority, Template, Threshold, WhenMissing,
    shipped_templates,
};

/// The template so that each of its groups fires at once, whatever the value is: a condition as
/// `is` says, with windows as short as a sample.
fn eager(template: &Template, is: bool, conditions: bool) -> Template {
    let mut eager = template.clone();
    let short = |over: Over| match over {
        Over::Window { function, .. } => Over::Window {
            function,
            span: Span::from_secs(20),
        },
        Over::TimeUntilZero => Over::EachPoint,
        other => other,
    };
    let truth = template.levels.iter().any(|(_, level)| level.is.is_some());
    let level = Level {
        above: (!truth).then_some(Threshold::Number(-1e18)),
        is: truth.then_some(is),
        ..Level::default()
    };
    eager.levels = PerPriority::default();
    *eager.levels.slot(model::Priority::P3) = Some(level);
    eager.over = template.over.map(short);
    eager.every = Some(Span::from_secs(5));
    eager.interval = Some(Span::from_secs(5));
    eager.when_missing = Some(WhenMissing::Fine);
    eager.missing_after = None;
    eager.close_after = None;
    eager.expire_after = None;
    if !conditions {
        eager.only_when = None;
    }
    eager
}

/// The groups that fire over a sample, with the value of each.
fn fired(template: Template, sample: &str) -> Vec<(String, f64)> {
    let path = format!(
        "{}/../templates/samples/{sample}.influx",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let content = BundleContent {
        templates: vec![template],
        overrides: Vec::new(),
        inventory: Vec::new(),
        partitions: 1,
        tick: Span::from_secs(10),
        lateness: Span::from_secs(30),
    };
    let plan = Plan::compile(&Bundle::new(tenant(), 1, content)).unwrap();
    let mut replay = Replay::new(tenant(), plan);
    let mut actions = replay.take(text.as_bytes());
    // A sample of one moment needs its grid point and the lateness behind it.
    actions.extend(replay.pass(Span::from_secs(60)));
    let mut found: Vec<(String, f64)> = Vec::new();
    for event in events(actions) {
        assert_eq!(event.env.as_deref(), Some("prod"));
        let group: Vec<String> = event
            .group
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let group = group.join(",");
        if event.priority.is_some() && found.iter().all(|(known, _)| *known != group) {
            found.push((group, event.value.unwrap()));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn template(name: &str) -> &'static Template {
    let named = shipped_templates().iter().find(|t| t.template == name);
    named.unwrap_or_else(|| panic!("no template {name}"))
}

#[test]
fn a_template_finds_its_series_in_what_telegraf_sends() {
    let percent = 0.0..=100.0;
    for (name, sample, groups, values) in [
        ("cpu-usage", "cpu", &["host=web-1"][..], percent.clone()),
        ("iowait", "cpu", &["host=web-1"], percent.clone()),
        ("memory-usage", "mem", &["host=web-1"], percent.clone()),
        // The other mount point of the sample is a tmpfs.
        (
            "disk-usage",
            "disk",
            &["host=web-1,path=/"],
            percent.clone(),
        ),
        (
            "inode-usage",
            "disk",
            &["host=web-1,path=/"],
            percent.clone(),
        ),
        // The share that is free; how it falls is of no sample of half a minute.
        (
            "disk-full-soon",
            "disk",
            &["host=web-1,path=/"],
            percent.clone(),
        ),
        ("load", "system", &["host=web-1"], 0.0..=1000.0),
        (
            "tls-expiry",
            "x509_cert",
            &["host=web-1,source=https://localhost:443"],
            19.0..=20.0,
        ),
        (
            "jvm-heap",
            "jolokia2_agent",
            &["host=web-1,jolokia_agent_url=http://127.0.0.1:8080/jolokia"],
            37.5..=37.5,
        ),
        (
            "tomcat-threads",
            "tomcat",
            &[
                "host=web-1,name=http-nio-8080,source=http://127.0.0.1:8080/manager/status/all?XML=true",
            ],
            6.0..=6.0,
        ),
        (
            "apache-workers",
            "apache",
            &["host=web-1,port=80,server=127.0.0.1"],
            percent.clone(),
        ),
        (
            "redis-memory",
            "redis",
            &["host=web-1,port=6379,server=127.0.0.1"],
            0.1..=50.0,
        ),
        ("restart", "system", &["host=web-1"], 0.0..=0.0),
        (
            "process-down",
            "procstat",
            &["filter=billing,host=web-1", "filter=redis,host=web-1"],
            0.0..=1.0,
        ),
        (
            "log-keyword",
            "tail",
            &["host=web-1,path=/var/log/app/app.log"],
            1.0..=2.0,
        ),
        ("net-errors", "net", &["host=web-1,interface=lo"], 0.0..=0.0),
        (
            "pod-restarts",
            "kube_inventory",
            &["container_name=shop,host=web-1,namespace=default,pod_name=shop-6d4cf56db6-abcde"],
            0.0..=0.0,
        ),
        ("agent-loses-data", "internal", &["host=web-1"], 0.0..=0.0),
    ] {
        let found = fired(eager(template(name), true, true), sample);
        let names: Vec<&str> = found.iter().map(|(group, _)| group.as_str()).collect();
        assert_eq!(names, groups, "{name}");
        for (group, value) in found {
            assert!(values.contains(&value), "{name} {group}: {value}");
        }
    }
}

#[test]
fn a_condition_is_read_from_what_telegraf_sends() {
    for (name, sample, bad, good) in [
        (
            "tls-invalid",
            "x509_cert",
            &[][..],
            &["host=web-1,source=https://localhost:443"][..],
        ),
        (
            "container-oom",
            "docker",
            &["container_name=shop,host=web-1"],
            &[],
        ),
        ("ping", "ping", &[], &["host=web-1,url=127.0.0.1"]),
        (
            "http-connect",
            "http_response",
            &["host=web-1,server=http://127.0.0.1:81/"],
            &[
                "host=web-1,server=http://127.0.0.1:8080/broken",
                "host=web-1,server=http://127.0.0.1:8080/health",
            ],
        ),
        (
            "http-status",
            "http_response",
            &["host=web-1,server=http://127.0.0.1:8080/broken"],
            &["host=web-1,server=http://127.0.0.1:8080/health"],
        ),
    ] {
        for (is, groups) in [(true, bad), (false, good)] {
            let found = fired(eager(template(name), is, true), sample);
            let names: Vec<&str> = found.iter().map(|(group, _)| group.as_str()).collect();
            assert_eq!(names, groups, "{name} is {is}");
        }
    }
}

#[test]
fn a_host_without_swap_is_left_out_by_the_condition_alone() {
    assert_eq!(fired(eager(template("swap-usage"), true, true), "swap"), []);
    let all = fired(eager(template("swap-usage"), true, false), "swap");
    assert_eq!(all, [("host=web-1".to_owned(), 0.0)]);
}
