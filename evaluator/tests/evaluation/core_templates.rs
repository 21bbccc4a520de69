//! What a template means where it says nothing, where it is new, and the tests that it carries.

use super::core_support::{Log, Points, bundle, plan, run, s, short};
use evaluator::core::{Payload, Plan, TestReport, template_test};
use model::Span;

/// One sample a minute of the field `v`.
fn rule(check: &str, over: &str, levels: &str, rest: &str) -> String {
    format!(
        "template: t\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [host]\ncheck: {check}\n\
         over: {over}\ninterval: 60s\nlevels: {{{levels}}}\n{rest}"
    )
}

fn down(rest: &str) -> String {
    format!(
        "template: down\ntitle: down\napplies_to: {{measurement: any}}\none_alert_per: [host]\n\
         check: time_since_last_point\nlevels: {{P1: {{above: 2m}}}}\n{rest}"
    )
}

fn minutes(values: &[f64]) -> Points {
    let each = (1..).zip(values);
    each.fold(Points::default(), |points, (n, value)| {
        points.at(n * 60, "m,host=a,env=prod v", value)
    })
}

#[test]
fn above_zero_recovers_at_zero_unless_another_recovery_is_said() {
    for (rest, recovery, values, expected) in [
        (
            "",
            "",
            vec![1., 0.],
            vec!["firing P1 @60", "resolved - @120"],
        ),
        (
            "",
            ", until_below: -1",
            vec![1., 0., -2.],
            vec!["firing P1 @60", "resolved - @180"],
        ),
        (
            // 5 points inside, as all percentages.
            "unit: percent\n",
            "",
            vec![1., 0., -6.],
            vec!["firing P1 @60", "resolved - @180"],
        ),
    ] {
        let levels = format!("P1: {{above: 0{recovery}}}");
        let yaml = rule("v", "last of 1m", &levels, rest);
        let events = run(&yaml, &minutes(&values).body(), 40);
        assert_eq!(short(&events), expected, "{rest} {recovery}");
    }
}

#[test]
fn a_condition_over_gathered_values_may_have_any_window() {
    let yaml = rule("sum(v) > 5", "average of 2m", "P1: {is: true}", "");
    let events = run(&yaml, &minutes(&[2., 2., 4., 1.]).body(), 40);
    assert_eq!(short(&events), ["firing P1 @180", "resolved - @240"]);
}

#[test]
fn a_template_that_comes_reads_series_that_are_known_already() {
    let one = rule("v", "last of 1m", "P1: {above: 1000}", "");
    let two = format!(
        "{one}---\n{}",
        rule("v", "last of 1m", "P1: {above: 1}", "").replace("template: t", "template: u")
    );
    let mut log = Log::new(vec![plan(&one)]);
    log.mark(0, 1);
    let take = |log: &mut Log, at: i64| {
        let body = Points::default().at(at, "m,host=a,env=prod v", 5).body();
        log.take(at, Payload::Lines(body.as_bytes()));
    };
    take(&mut log, 60);
    log.plans
        .insert(Plan::compile(&bundle(2, &two, 30)).unwrap());
    log.mark(61, 2);
    take(&mut log, 120);
    log.take(160, Payload::Tick);
    let events = super::core_support::events(log.actions);
    assert_eq!(short(&events), ["firing P1 @120"]);
    assert_eq!(events[0].at, s(120));
}

fn carried(yaml: &str, tests: &[(&str, &str)]) -> Vec<TestReport> {
    let tests = tests
        .iter()
        .map(|(given, expect)| format!("  - {{given: {given}, expect: {expect}}}\n"));
    let yaml = format!("{yaml}tests:\n{}", tests.collect::<String>());
    let content = bundle(1, &yaml, 30).content;
    template_test(&content.templates[0], Span::from_secs(30)).unwrap()
}

fn pass(reports: &[TestReport]) {
    for report in reports {
        assert_eq!(
            report.failure, None,
            "{}\n{}",
            report.given, report.timeline
        );
    }
}

#[test]
fn a_host_down_template_carries_tests() {
    pass(&carried(
        &down(""),
        &[
            ("\"1 for 5m\"", "nothing"),
            ("\"1 for 5m, then silence for 5m\"", "P1"),
            (
                "\"1 for 5m, then silence for 5m, then 1 for 2m\"",
                "resolved",
            ),
        ],
    ));
}

#[test]
fn a_template_over_what_is_derived_carries_tests() {
    let yaml = rule(
        "hosts_silent",
        "last of 2m",
        "P1: {above: 3}",
        "when_missing: P2\n",
    )
    .replace("measurement: m", "measurement: bongsu_census")
    .replace("[host]", "[tenant]");
    pass(&carried(
        &yaml,
        &[
            ("\"2 for 5m\"", "nothing"),
            ("\"5 for 5m\"", "P1"),
            ("\"5 for 5m, then 1 for 5m\"", "resolved"),
            ("\"1 for 5m, then gap for 30m\"", "P2"),
        ],
    ));
}
