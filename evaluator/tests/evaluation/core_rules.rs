//! The ladder, `for`, Unknown, recovery, missing data: the examples of the contract as tables.

use super::core_support::{self, Points, run, s, short, timeline};
use evaluator::core::Payload;
use model::AlertKind;

/// One sample a minute, judged each minute by its last value.
fn rule(levels: &str, rest: &str) -> String {
    format!(
        "template: load\ntitle: \"load of {{host}}\"\napplies_to: {{measurement: m}}\n\
        one_alert_per: [host]\n\
         check: v\nover: last of 1m\nevery: 60s\ninterval: 60s\nlevels:\n{levels}\n{rest}\n"
    )
}

fn minutes(values: &[f64]) -> Points {
    values
        .iter()
        .enumerate()
        .fold(Points::default(), |points, (n, value)| {
            points.at((n as i64 + 1) * 60, "m,host=a,env=prod v", value)
        })
}

const LADDER: &str = "  P3: {above: 60, until_below: 50}\n  P2: {above: 70, until_below: 60}\n  \
                      P1: {above: 80, until_below: 70}";

#[test]
fn the_ladder_is_at_the_middle_rung_after_its_fifth_sample_and_resolved_at_its_last() {
    let events = run(
        &rule(LADDER, ""),
        &minutes(&[61., 73., 64., 85., 62., 56., 47.]).body(),
        40,
    );
    assert_eq!(
        short(&events),
        [
            "firing P3 @60",
            "raised P2 @120",
            "raised P1 @240",
            "lowered P2 @300",
            "lowered P3 @360",
            "resolved - @420",
        ]
    );
    insta::assert_snapshot!(timeline(&events));
    let last = events.last().unwrap();
    assert_eq!(
        (last.value, last.threshold, last.sequence),
        (Some(47.0), Some(50.0), 6)
    );
    assert!(
        events
            .iter()
            .all(|event| event.incident_id == events[0].incident_id)
    );
    assert!(events.iter().all(|event| event.started_at == s(60)));
}

#[test]
fn a_jump_goes_straight_to_the_final_priority() {
    let events = run(&rule(LADDER, ""), &minutes(&[10., 99., 10.]).body(), 40);
    assert_eq!(short(&events), ["firing P1 @120", "resolved - @180"]);
}

#[test]
fn for_is_measured_from_the_first_grid_point_that_was_true() {
    for (for_, values, expected) in [
        // 5m on a 60 s grid needs six true ones.
        ("5m", vec![95.; 5], vec![]),
        ("5m", vec![95.; 6], vec!["firing P1 @360"]),
        ("0", vec![95.], vec!["firing P1 @60"]),
        ("1s", vec![95.], vec![]),
        ("1s", vec![95., 95.], vec!["firing P1 @120"]),
        (
            "2m",
            vec![95., 95., 50., 95., 95., 95.],
            vec!["firing P1 @360"],
        ),
        // Strict: 90 is not above 90.
        ("0", vec![90., 90.], vec![]),
    ] {
        let yaml = rule(
            &format!("  P1: {{above: 90, for: {for_}, until_below: 85}}"),
            "",
        );
        let events = run(&yaml, &minutes(&values).body(), 40);
        assert_eq!(short(&events), expected, "for {for_}, {values:?}");
    }
}

#[test]
fn recovery_has_its_defaults_is_strict_and_applies_only_once_firing() {
    for (level, unit, values, expected) in [
        // 5 points inside for percentages.
        (
            "above: 90",
            "unit: percent",
            vec![95., 86., 85., 84.],
            vec!["firing P1 @60", "resolved - @240"],
        ),
        (
            "below: 10",
            "unit: percent",
            vec![5., 14., 15., 16.],
            vec!["firing P1 @60", "resolved - @240"],
        ),
        // The threshold itself otherwise.
        (
            "above: 90",
            "",
            vec![95., 90., 89.],
            vec!["firing P1 @60", "resolved - @180"],
        ),
        (
            "above: 90, until_below: 85, recover_for: 1m",
            "",
            vec![95., 80., 88., 80., 80.],
            vec!["firing P1 @60", "resolved - @300"],
        ),
        // A pending rule ends below its threshold, not below its recovery.
        (
            "above: 90, until_below: 50, for: 2m",
            "",
            vec![95., 95., 80., 95., 95.],
            vec![],
        ),
    ] {
        let yaml = rule(&format!("  P1: {{{level}}}"), unit);
        let events = run(&yaml, &minutes(&values).body(), 40);
        assert_eq!(short(&events), expected, "{level} {unit} {values:?}");
    }
}

#[test]
fn a_step_from_unknown_to_true_counts_as_one_step() {
    let yaml = rule("  P1: {above: 90, for: 3m}", "");
    // Samples at 1, 2, 5 and 6 min: Unknown at 3 and 4 neither advances nor resets.
    let points = [1, 2, 5, 6].iter().fold(Points::default(), |points, n| {
        points.at(n * 60, "m,host=a,env=prod v", 95)
    });
    assert_eq!(short(&run(&yaml, &points.body(), 40)), ["firing P1 @360"]);
}

#[test]
fn unknown_for_three_intervals_drops_a_pending_rule_and_keeps_a_firing_one() {
    let beat = |points: Points, to| points.every(60, (0, to), "beat,host=a,env=prod v", 1.0);
    let pending = rule("  P1: {above: 90, for: 3m}", "");
    // Unknown at 3, 4, 5, 6 min: 3 intervals at 6 min.
    let points = [1, 2, 7, 8, 9, 10]
        .iter()
        .fold(Points::default(), |points, n| {
            points.at(n * 60, "m,host=a,env=prod v", 95)
        });
    assert_eq!(
        short(&run(&pending, &beat(points, 660).body(), 40)),
        ["firing P1 @600"]
    );

    let firing = rule("  P1: {above: 90}", "");
    let points = minutes(&[95.]).at(1200, "m,host=a,env=prod v", 10);
    let events = run(&firing, &beat(points, 1200).body(), 40);
    assert_eq!(short(&events), ["firing P1 @60", "resolved - @1200"]);
}

#[test]
fn missing_data_follows_its_policy() {
    let beat = |points: Points| points.every(60, (0, 1200), "beat,host=a,env=prod v", 1.0);
    for (policy, values, expected) in [
        ("follow host-down", vec![10., 10.], vec![]),
        ("fine", vec![10., 10.], vec![]),
        // Unknown from 3 min on, for 3 intervals at 6 min.
        ("P2", vec![10., 10.], vec!["firing P2 @360"]),
        // Joins the incident of the thresholds, at the higher of the two.
        (
            "P2",
            vec![95., 95.],
            vec!["firing P3 @60", "raised P2 @360"],
        ),
        (
            "resolve",
            vec![95., 95.],
            vec!["firing P3 @60", "resolved - @360"],
        ),
        ("follow host-down", vec![95., 95.], vec!["firing P3 @60"]),
    ] {
        let yaml = rule("  P3: {above: 90}", &format!("when_missing: {policy}"));
        let events = run(&yaml, &beat(minutes(&values)).body(), 40);
        assert_eq!(short(&events), expected, "{policy} {values:?}");
    }
    // Data that comes back ends what its absence began.
    let yaml = rule("  P3: {above: 90}", "when_missing: P2");
    let points = beat(minutes(&[10., 10.])).at(600, "m,host=a,env=prod v", 10);
    let events = run(&yaml, &points.body(), 40);
    assert_eq!(
        short(&events),
        ["firing P2 @360", "resolved - @600", "reopened P2 @840"]
    );
    insta::assert_snapshot!(timeline(&events));
}

#[test]
fn a_group_whose_window_was_never_half_full_is_not_missing() {
    let yaml = rule("  P3: {above: 90}", "when_missing: P2").replace("last of 1m", "average of 5m");
    let points = minutes(&[10.]).every(60, (0, 1200), "beat,host=a,env=prod v", 1.0);
    assert_eq!(short(&run(&yaml, &points.body(), 40)), [""; 0]);
}

#[test]
fn the_missing_data_of_a_host_that_is_silent_is_the_hosts() {
    let yaml = rule("  P3: {above: 90}", "when_missing: P2") + "---\n" + HOST_DOWN;
    let events = run(&yaml, &minutes(&[10., 10., 10.]).body(), 900);
    let kinds: Vec<&str> = events.iter().map(|event| event.template.as_str()).collect();
    assert_eq!(kinds, ["host-down"]);
}

const HOST_DOWN: &str = "template: host-down\ntitle: \"{host} does not report\"\n\
     applies_to: {measurement: any}\none_alert_per: [host]\ncheck: time_since_last_point\n\
     interval: 10s\nlevels:\n  P1: {above: 2m}\n";

#[test]
fn a_silent_host_is_down_within_the_bound_of_the_contract() {
    for last in [600, 607, 613, 659] {
        let points = Points::default().every(1, (0, last), "cpu,host=a,env=prod v", 1.0);
        let bound = 120 + 60 + 30 + 10;
        let events = run(HOST_DOWN, &points.body(), bound);
        assert_eq!(events.len(), 1, "last point at {last}");
        let (at, arrival) = (
            events[0].at.since(s(last)),
            events[0].arrival.since(s(last)),
        );
        let secs = |span: model::Span| span.as_millis() / 1_000;
        assert!(
            secs(at) > 120 && secs(at) <= 180,
            "{last}: decided at +{at}"
        );
        assert!(secs(arrival) <= bound, "{last}: known at +{arrival}");
        assert_eq!(events[0].kind, AlertKind::Firing);
    }
}

#[test]
fn a_host_that_is_down_recovers_with_its_first_point_and_expires_after_a_week() {
    let points = Points::default()
        .every(10, (0, 600), "cpu,host=a,env=prod v", 1.0)
        .every(10, (1000, 1100), "cpu,host=a,env=prod v", 1.0);
    let events = run(HOST_DOWN, &points.body(), 8 * 86_400);
    assert_eq!(
        short(&events),
        [
            "firing P1 @780",
            "resolved - @1020",
            "firing P1 @1260",
            "expired - @605940"
        ]
        .map(|text| text.replace("firing P1 @1260", "reopened P1 @1260"))
    );
    insta::assert_snapshot!(timeline(&events));
}

#[test]
fn a_firing_within_ten_minutes_of_the_recovery_is_the_same_incident() {
    let yaml = rule("  P1: {above: 90}", "");
    let mut values = vec![95., 10.];
    values.extend([10.; 9]);
    values.push(95.);
    let events = run(&yaml, &minutes(&values).body(), 40);
    assert_eq!(
        short(&events),
        ["firing P1 @60", "resolved - @120", "reopened P1 @720"]
    );
    assert_eq!(events[2].incident_id, events[0].incident_id);
    assert_eq!((events[2].sequence, events[2].started_at), (3, s(60)));

    values.insert(2, 10.);
    let events = run(&yaml, &minutes(&values).body(), 40);
    assert_eq!(
        short(&events),
        ["firing P1 @60", "resolved - @120", "firing P1 @780"]
    );
    assert_ne!(events[2].incident_id, events[0].incident_id);
}

#[test]
fn an_environment_caps_what_is_shown_and_a_missing_one_does_not() {
    for (env, expected) in [
        (
            ",env=prod",
            vec!["firing P3 @60", "raised P1 @120", "resolved - @180"],
        ),
        (",env=dev", vec!["firing P3 @60", "resolved - @180"]),
        (
            ",env=stg",
            vec!["firing P3 @60", "raised P2 @120", "resolved - @180"],
        ),
        (
            "",
            vec!["firing P3 @60", "raised P1 @120", "resolved - @180"],
        ),
    ] {
        let yaml = rule(LADDER, "limit_by_env: {stg: P2}");
        let points = minutes(&[61., 99., 10.]).body().replace(",env=prod", env);
        assert_eq!(short(&run(&yaml, &points, 40)), expected, "{env}");
    }
}

#[test]
fn an_event_like_incident_closes_by_itself() {
    let yaml = rule("  P2: {is: true}", "close_after: 15m\nwhen_missing: fine")
        .replace("over: last of 1m", "over: each point")
        .replace("check: v", "check: v > 1");
    let points = minutes(&[0., 5., 0.]).at(600, "m,host=a,env=prod v", 0);
    let events = run(&yaml, &points.body(), 1200);
    assert_eq!(short(&events), ["firing P2 @120", "resolved - @1020"]);
    insta::assert_snapshot!(timeline(&events));
}

#[test]
fn whatever_resolves_an_incident_its_event_has_the_current_value() {
    let back = minutes(&[1., 1., 1.])
        .every(60, (180, 900), "beat,host=a,env=prod v", 1.0)
        .at(900, "m,host=a,env=prod v", 7.0);
    let events = run(
        &rule("  P1: {above: 90}", "when_missing: P2"),
        &back.body(),
        40,
    );
    assert_eq!(short(&events), ["firing P2 @420", "resolved - @900"]);
    assert_eq!((events[0].value, events[1].value), (None, Some(7.0)));
    let closed = rule("  P2: {above: 90}", "close_after: 5m");
    let events = run(&closed, &minutes(&[95., 3., 3., 3., 3., 4.]).body(), 40);
    assert_eq!(short(&events), ["firing P2 @60", "resolved - @360"]);
    assert_eq!(events[1].value, Some(4.0));
}

#[test]
fn a_group_without_data_expires_and_is_never_called_resolved() {
    let yaml = rule("  P1: {above: 90}", "expire_after: 1h");
    let points = minutes(&[95.]).every(60, (60, 7200), "beat,host=a,env=prod v", 1.0);
    let events = run(&yaml, &points.body(), 40);
    assert_eq!(short(&events), ["firing P1 @60", "expired - @3660"]);
}

#[test]
fn an_override_with_short_times_fires_fast() {
    let yaml = include_str!("../../../templates/cpu-usage.yaml").to_owned()
        + r#"---
override: demo
template: cpu-usage
set:
  every: 5s
  interval: 1s
  over: average of 10s
  levels: {P1: {for: 10s}, P2: {for: 10s, recover_for: 0}, P3: {for: 10s}}
"#;
    let mut replay = evaluator::core::Replay::new(
        core_support::tenant(),
        evaluator::core::Plan::compile(&core_support::bundle(1, &yaml, 2)).unwrap(),
    );
    let points = Points::default()
        .every(
            1,
            (0, 60),
            "cpu,host=a,cpu=cpu-total,env=prod usage_idle",
            80.0,
        )
        .every(
            1,
            (60, 120),
            "cpu,host=a,cpu=cpu-total,env=prod usage_idle",
            2.0,
        )
        .every(
            1,
            (120, 160),
            "cpu,host=a,cpu=cpu-total,env=prod usage_idle",
            80.0,
        );
    let events = core_support::events(replay.take(points.body().as_bytes()));
    insta::assert_snapshot!(timeline(&events));
    let fired = events
        .iter()
        .find(|event| event.priority.is_some_and(|p| p.as_str() == "P1"))
        .unwrap();
    assert_eq!(
        fired.arrival.since(fired.at).as_millis(),
        2_000,
        "the lateness, and nothing more"
    );
}

#[test]
fn a_record_of_avro_is_judged_as_its_lines_are() {
    let judged = |body: &[u8]| {
        let mut log = core_support::Log::new(vec![core_support::plan(&rule(LADDER, ""))]);
        log.mark(0, 1);
        log.take(0, Payload::Lines(body));
        log.take(10, Payload::Tick);
        (format!("{:?}", log.actions), log.partition.hosts())
    };
    let avro: &[u8] = include_bytes!("../../../schemas/golden/avro/metrics.avro");
    let mut scratch = Vec::new();
    let lines = schemas::metrics_avro::lines_of_record(avro, &mut scratch).lines;
    assert_eq!(judged(avro), judged(lines));
    assert_eq!(judged(avro).1, 3);
    assert!(judged(&avro[..20]).0.contains("Rejected"));
}

#[test]
fn a_missing_env_is_told_once_with_the_first_event_of_its_group() {
    let yaml = rule(LADDER, "");
    for (series, told) in [("env=prod,", 0), ("", 1)] {
        let mut log = core_support::Log::new(vec![core_support::plan(&yaml)]);
        log.mark(0, 1);
        let series = format!("m,{series}host=a v");
        for minute in 1..=90 {
            let value = if minute / 20 % 2 == 0 { 1 } else { 90 };
            let line = Points::default().at(minute * 60, &series, value).body();
            log.take(minute * 60, Payload::Lines(line.as_bytes()));
        }
        let missing = log.actions.iter().filter(|action| match action {
            evaluator::core::Action::Find(finding) => {
                finding.kind == evaluator::core::FindingKind::MissingTag
                    && finding.host.as_deref() == Some("a")
            }
            _ => false,
        });
        let missing = missing.count();
        let events = core_support::events(log.actions);
        assert!(events.len() > 2, "{:?}", short(&events));
        assert_eq!(missing, told, "{series}");
    }
}
