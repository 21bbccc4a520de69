//! Tables of what is imported and what is refused.

use super::*;

const CPU: &str = "var warning = 80\nvar data = stream\n    |from()\n        .measurement('cpu')\n        \
    .where(lambda: \"cpu\" == 'cpu-total')\n        .groupBy('host')\n    |window()\n        .period(5m)\n        \
    .every(1m)\n    |mean('usage_idle')\n        .as('idle')\n    |eval(lambda: 100 - \"idle\")\n        \
    .as('used')\n// who is told\ndata\n    |alert()\n        .message('CPU of {{ index .Tags \"host\" }}')\n        \
    .warn(lambda: \"used\" > warning)\n        .crit(lambda: \"used\" > 90)\n        \
    .critReset(lambda: \"used\" < 85)\n        .slack()\n";

#[test]
fn a_threshold_alert_becomes_a_template_with_its_ladder() {
    let imported = from_tickscript("cpu-alert", CPU).unwrap();
    assert_eq!(imported.refused, []);
    let yaml = &imported.yaml;
    for line in [
        "template: cpu-alert",
        "title: \"CPU of {host}\"",
        "  measurement: cpu",
        "    cpu: [cpu-total]",
        "one_alert_per: [host]",
        "check: \"100 - usage_idle\"",
        "over: average of 5m",
        "every: 1m",
        "  P1: {above: 90, until_below: 85}",
        "  P2: {above: 80}",
    ] {
        assert!(yaml.lines().any(|found| found == line), "{line}\n{yaml}");
    }
    assert!(
        imported.notes[0].contains("escalation policy"),
        "{:?}",
        imported.notes
    );
}

#[test]
fn what_is_computed_before_it_is_gathered_is_the_check() {
    let script = "stream\n|from().measurement('cpu').groupBy('host', 'zone')\n|window().period(10m).every(1m)\n\
        |eval(lambda: 100.0 - \"usage_idle\").as('used')\n|mean('used').as('used')\n\
        |alert().id('x').message('{{ .ID }} of {{ index .Tags \"zone\" }} is {{ .Level }}, not {{ .Unknown }}')\n\
        .crit(lambda: \"used\" >= 90)";
    let yaml = from_tickscript("cpu", script).unwrap().yaml;
    for line in [
        "check: \"100.0 - usage_idle\"",
        "over: average of 10m",
        "  P1: {above: 89.99999999999999}",
        "title: \"cpu of {zone} is {priority}, not\"",
    ] {
        assert!(yaml.lines().any(|found| found == line), "{line}\n{yaml}");
    }
}

#[test]
fn what_cannot_be_said_is_told_with_the_reason() {
    for (script, why) in [
        (
            "stream\n|from().measurement('m')\n|derivative('v')\n|alert().crit(lambda: \"v\" > 1)",
            "`derivative` is not imported",
        ),
        (
            "stream\n|from().measurement('m')\n|window().period(5m)\n|min('v').as('v')\n\
             |eval(lambda: 100 - \"v\").as('w')\n|alert().crit(lambda: \"w\" > 1)",
            "computes with what `min` has gathered",
        ),
        (
            "stream\n|from().measurement('m')\n|alert().crit(lambda: \"v\" > 1 AND \"w\" > 2)",
            "two conditions",
        ),
        (
            "stream\n|from().measurement('m').where(lambda: \"a\" =~ /x/)\n|alert().crit(lambda: \"v\" > 1)",
            "more than tags",
        ),
        (
            "stream\n|from().measurement('m')\n|mean('v')\n|alert().crit(lambda: \"mean\" > 1)",
            "`|window()`",
        ),
        (
            "stream\n|from().measurement('m')\n|alert().crit(lambda: sigma(\"v\") > 3)",
            "not imported",
        ),
    ] {
        let imported = from_tickscript("t", script).unwrap();
        assert!(
            imported
                .refused
                .first()
                .is_some_and(|r| r.why.contains(why)),
            "{script}: {imported:?}"
        );
    }
    assert!(from_tickscript("t", "var x = 1").is_err());
}

#[test]
fn what_is_grouped_without_a_host_spans_hosts_where_it_has_a_window() {
    for (grouped, window, group, every) in [
        (
            ".groupBy('service')",
            ".every(1m)",
            "one_alert_per: [service]",
            "every: 1m",
        ),
        ("", ".every(10s)", "one_alert_per: [tenant]", "-"),
        (
            ".groupBy('host', 'zone')",
            ".every(10s)",
            "one_alert_per: [host, zone]",
            "every: 10s",
        ),
        (
            ".groupBy(*)",
            ".every(1m)",
            "one_alert_per: [host]",
            "every: 1m",
        ),
    ] {
        let script = format!(
            "stream\n|from().measurement('m'){grouped}\n|window().period(5m){window}\n|mean('v')\n\
             |alert().crit(lambda: \"mean\" > 1)"
        );
        let imported = from_tickscript("t", &script).unwrap();
        let line = |key: &str| {
            let mut lines = imported.yaml.lines();
            lines.find(|line| line.starts_with(key)).unwrap_or("-")
        };
        assert_eq!(
            (line("one_alert_per"), line("every")),
            (group, every),
            "{imported:?}"
        );
    }
    let script =
        "stream\n|from().measurement('m').groupBy('service')\n|alert().crit(lambda: \"v\" > 1)";
    let imported = from_tickscript("t", script).unwrap();
    assert!(
        imported.yaml.contains("one_alert_per: [host, service]"),
        "{imported:?}"
    );
    assert!(imported.notes[0].contains("needs a window"), "{imported:?}");
}
