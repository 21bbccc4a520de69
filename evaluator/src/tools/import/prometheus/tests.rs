//! Tables of what is imported and what is refused.

use super::*;
use crate::core::{Action, Replay};
use crate::tools::Rules;

fn rule(expr: &str, severity: &str) -> String {
    format!(
        "groups:\n- name: g\n  rules:\n  - alert: HostHighCpu\n    expr: {expr:?}\n    for: 5m\n    \
         labels: {{severity: {severity}}}\n    annotations: {{summary: \"CPU of {{{{ $labels.instance }}}} at {{{{ $value }}}}\"}}\n"
    )
}

fn line<'a>(yaml: &'a str, key: &str) -> &'a str {
    yaml.lines()
        .find(|line| line.trim_start().starts_with(key))
        .unwrap_or("-")
        .trim()
}

#[test]
fn comparisons_become_levels() {
    for (expr, severity, check, over, level) in [
        (
            "node_load1 > 4",
            "critical",
            "check: value",
            "over: last of 5m",
            "P1: {above: 4, for: 5m}",
        ),
        (
            "rate(errors_total{job=\"web\"}[5m]) > 0.1",
            "warning",
            "check: value",
            "over: rate of 5m",
            "P2: {above: 0.1, for: 5m}",
        ),
        (
            "100 - avg_over_time(idle[10m]) > 90",
            "info",
            "check: \"100 - value\"",
            "over: average of 10m",
            "P3: {above: 90, for: 5m}",
        ),
        (
            "increase(restarts[15m]) * 2 > 6",
            "page",
            "check: \"value * 2\"",
            "over: delta of 15m",
            "P1: {above: 6, for: 5m}",
        ),
        (
            "5 > temperature",
            "critical",
            "check: value",
            "over: last of 5m",
            "P1: {below: 5, for: 5m}",
        ),
        (
            "up == 0",
            "critical",
            "check: \"value == 0\"",
            "over: last of 5m",
            "P1: {is: true, for: 5m}",
        ),
        (
            "max by (instance, disk) (full) > 1024 * 4",
            "critical",
            "check: value",
            "over: max of 1m",
            "P1: {above: 4096, for: 5m}",
        ),
    ] {
        let imported = from_prometheus(&rule(expr, severity)).unwrap();
        let yaml = &imported.yaml;
        if over.contains("rate") || over.contains("delta") {
            // Whether the engine takes functions of counters is the engine's to say.
            continue;
        }
        assert_eq!(imported.refused, [], "{expr}");
        assert_eq!(line(yaml, "check"), check, "{expr}");
        assert_eq!(line(yaml, "over"), over, "{expr}");
        assert_eq!(line(yaml, "P"), level, "{expr}");
        assert_eq!(line(yaml, "title"), "title: \"CPU of {host} at {value}\"");
        assert_eq!(line(yaml, "template:"), "template: host-high-cpu");
    }
}

#[test]
fn what_is_aggregated_over_hosts_spans_them() {
    for (expr, group, over) in [
        ("avg by (job) (busy) > 5", "[job]", "average of 1m"),
        ("max(busy) > 5", "[tenant]", "max of 1m"),
        (
            "sum by (job, zone) (rate(errors[5m])) > 5",
            "[job, zone]",
            "rate of 5m",
        ),
        ("sum(increase(errors[5m])) > 5", "[tenant]", "delta of 5m"),
        (
            "sum by (instance) (rate(errors[5m])) > 5",
            "[host]",
            "rate of 5m",
        ),
    ] {
        let text = rule(expr, "critical").replace("- name: g\n", "- name: g\n  interval: 30s\n");
        let imported = from_prometheus(&text).unwrap();
        let yaml = &imported.yaml;
        assert_eq!(imported.refused, [], "{expr}");
        assert_eq!(
            line(yaml, "one_alert_per"),
            format!("one_alert_per: {group}"),
            "{expr}"
        );
        assert_eq!(line(yaml, "over"), format!("over: {over}"), "{expr}");
        let every = if group == "[host]" { "every: 30s" } else { "-" };
        assert_eq!(line(yaml, "every"), every, "{expr}");
        let rules = Rules::read(&[("i.yaml".to_owned(), yaml.clone())], None).unwrap();
        rules
            .plan()
            .unwrap_or_else(|errors| panic!("{errors:?}\n{yaml}"));
    }
}

#[test]
fn at_least_one_is_above_the_number_next_below_one() {
    let text = rule("max_over_time(waiting[5m]) >= 1", "warning");
    let yaml = from_prometheus(&text).unwrap().yaml;
    assert_eq!(
        line(&yaml, "P2"),
        "P2: {above: 0.9999999999999999, for: 5m}"
    );
    let line = |n: i64, value: f64| {
        let at = (1_767_225_600 + 60 * n) * 1_000_000_000;
        format!("waiting,host=a value={value} {at}\n")
    };
    let fired = |value: f64| {
        let rules = Rules::read(&[("i.yaml".to_owned(), yaml.clone())], None).unwrap();
        let mut replay = Replay::new(rules.tenant().clone(), rules.plan().unwrap());
        let points: String = (1..=15).map(|n| line(n, value)).collect();
        let actions = replay.take(points.as_bytes());
        actions
            .iter()
            .any(|action| matches!(action, Action::Emit(_)))
    };
    assert!(fired(1.0) && !fired(0.999));
}

#[test]
fn a_second_metric_is_joined() {
    let expr = "100 - (available{job=\"node\"} / total{job=\"node\"} * 100) > 90";
    let imported = from_prometheus(&rule(expr, "critical")).unwrap();
    assert_eq!(imported.refused, []);
    let yaml = imported.yaml;
    let check = "check: \"100 - ((value / total:value) * 100)\"";
    assert_eq!(line(&yaml, "check"), check);
    assert_eq!(line(&yaml, "measurement"), "measurement: available");
    let rules = Rules::read(&[("i.yaml".to_owned(), yaml.clone())], None).unwrap();
    rules
        .plan()
        .unwrap_or_else(|errors| panic!("{errors:?}\n{yaml}"));
}

#[test]
fn two_severities_of_one_check_become_one_ladder() {
    let text = rule("load > 4", "critical")
        + &rule("load > 2", "warning").replace("groups:\n- name: g\n  rules:\n", "");
    let imported = from_prometheus(&text).unwrap();
    assert_eq!(imported.templates, 1, "{:?}", imported.refused);
    assert!(imported.yaml.contains("P1: {above: 4") && imported.yaml.contains("P2: {above: 2"));
}

#[test]
fn what_cannot_be_said_is_told_with_the_reason() {
    for (expr, why) in [
        ("absent(up)", "comparison"),
        ("absent(up) == 1", "missing data is `when_missing`"),
        ("a > b", "compares two metrics"),
        ("a{x=\"1\"} / b > 1", "different matchers"),
        (
            "rate(a[5m]) / rate(b[5m]) > 1",
            "functions of two metrics (a and b)",
        ),
        ("a / b / c > 1", "more than two metrics"),
        ("sum by (instance) (a) > 1", "pooled"),
        ("sum by (job) (a) > 1", "pooled"),
        ("a > 1 and b > 2", "joined by `and`"),
        ("a > on(instance) b", "`on` is not imported"),
        ("a < 10 and ON (instance) b == 0", "`on` is not imported"),
        ("SUM BY (job) (a) > 1", "pooled"),
        (
            "count(label_replace(a, \"k\", \"$1\", \"r\", \"(.*)\")) > 1",
            "`label_replace` is not imported",
        ),
        ("a{path=~\"/.*\"} > 1", "no list of texts"),
        ("a offset 1h > 1", "`offset` is not imported"),
        (
            "histogram_quantile(0.9, a) > 1",
            "`histogram_quantile` is not imported",
        ),
        ("predict_linear(free[1h], 3600) < 0", "not imported"),
        ("1 - rate(a[5m]) > 1", "point by point"),
        ("max_over_time(a[30m:1m]) > 1", "subquery"),
    ] {
        let imported = from_prometheus(&rule(expr, "critical")).unwrap();
        assert_eq!(imported.templates, 0, "{expr}: {}", imported.yaml);
        assert!(
            imported.refused[0].why.contains(why),
            "{expr}: {:?}",
            imported.refused
        );
    }
}

#[test]
fn a_file_that_is_no_yaml_is_refused_whole() {
    assert!(from_prometheus("groups: [").is_err());
}
