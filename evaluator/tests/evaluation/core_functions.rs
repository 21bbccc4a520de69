//! Functions of windows, formulas within a point and across points, each as a table.

use super::core_support::{self, Points, run, short};

/// One sample a minute, judged each minute.
fn rule(check: &str, over: &str, levels: &str, rest: &str) -> String {
    format!(
        "template: t\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [host]\n\
         check: {check}\nover: {over}\nevery: 60s\ninterval: 60s\nlevels: {{{levels}}}\n{rest}\n"
    )
}

fn minutes(values: &[f64]) -> Points {
    series(Points::default(), "m,host=a,env=prod v", values)
}

fn series(points: Points, name: &str, values: &[f64]) -> Points {
    let each = values.iter().enumerate();
    each.fold(points, |points, (n, value)| {
        points.at((n as i64 + 1) * 60, name, value)
    })
}

/// Kind, priority, time and value of each event.
fn seen(yaml: &str, points: &Points) -> Vec<String> {
    let events = run(yaml, &points.body(), 40);
    let values = events.iter().map(|event| event.value);
    let texts = short(&events).into_iter().zip(values);
    texts
        .map(|(text, value)| match value {
            Some(value) => format!("{text} {}", (value * 1e6).round() / 1e6),
            None => text,
        })
        .collect()
}

#[test]
fn each_function_of_a_window_has_its_value() {
    for (over, level, values, expected) in [
        (
            "average of 3m",
            "above: 4",
            vec![1., 2., 9.],
            "firing P1 @180 4",
        ),
        (
            "min of 3m",
            "above: 4",
            vec![5., 6., 7.],
            "firing P1 @120 5",
        ),
        (
            "max of 3m",
            "above: 4",
            vec![1., 5., 1.],
            "firing P1 @120 5",
        ),
        (
            "sum of 3m",
            "above: 10",
            vec![3., 3., 5.],
            "firing P1 @180 11",
        ),
        (
            "count of 3m",
            "above: 2",
            vec![0., 0., 0.],
            "firing P1 @180 3",
        ),
        (
            "last of 3m",
            "above: 4",
            vec![1., 1., 5.],
            "firing P1 @180 5",
        ),
        (
            "quantile 0.5 of 3m",
            "above: 4",
            vec![1., 9., 5.],
            "firing P1 @120 5",
        ),
        (
            "quantile 1 of 3m",
            "above: 8",
            vec![1., 9., 5.],
            "firing P1 @120 9",
        ),
        (
            "delta of 3m",
            "above: 10",
            vec![100., 105., 112.],
            "firing P1 @180 12",
        ),
        (
            "rate of 3m",
            "above: 0.1",
            vec![100., 105., 114.],
            "firing P1 @180 0.116667",
        ),
        (
            "change of 3m",
            "below: -5",
            vec![100., 95., 90.],
            "firing P1 @180 -10",
        ),
        (
            "jumps above 60 of 1h",
            "above: 1",
            vec![100., 200., 150., 300.],
            "",
        ),
    ] {
        let level = level.replace("above: 4", "above: 3.9");
        let yaml = rule("v", over, &format!("P1: {{{level}}}"), "");
        let events = seen(&yaml, &minutes(&values));
        let first = events.first().map_or("", String::as_str);
        assert_eq!(first, expected, "{over} {values:?} {events:?}");
    }
}

#[test]
fn a_counter_that_is_reset_counts_its_new_value_and_the_sample_before_the_window() {
    let yaml = rule("v", "delta of 2m", "P1: {above: 25}", "");
    // The window (60, 180] has 30 and 20; the sample at 60 counts too: 20 and a reset of 20.
    let events = seen(&yaml, &minutes(&[10., 30., 20.]));
    assert_eq!(events, ["firing P1 @180 40"]);
}

#[test]
fn a_gap_of_over_five_intervals_makes_a_counter_unknown() {
    let yaml = rule("v", "delta of 20m", "P1: {above: 5}", "when_missing: fine");
    let near =
        Points::default()
            .at(60, "m,host=a,env=prod v", 10)
            .at(360, "m,host=a,env=prod v", 20);
    assert_eq!(seen(&yaml, &near), ["firing P1 @360 10"]);
    let far = Points::default()
        .at(60, "m,host=a,env=prod v", 10)
        .at(361, "m,host=a,env=prod v", 20)
        .at(420, "m,host=a,env=prod v", 20);
    assert_eq!(seen(&yaml, &far), [""; 0]);
}

#[test]
fn two_of_the_last_three_samples_are_true_when_two_are_bad_and_false_when_fewer_are() {
    let yaml = rule("v", "2 of the last 3 samples", "P1: {above: 5}", "");
    for (values, expected) in [
        (vec![1., 9., 1., 9.], vec!["firing P1 @240 9"]),
        (vec![9., 9.], vec!["firing P1 @120 9"]),
        (
            vec![9., 9., 1., 1.],
            vec!["firing P1 @120 9", "resolved - @240 1"],
        ),
        (vec![9., 1., 1., 9.], vec![]),
        (vec![9.], vec![]),
    ] {
        assert_eq!(seen(&yaml, &minutes(&values)), expected, "{values:?}");
    }
    // At most 3 samples within 6 intervals: older ones do not count.
    let old = Points::default()
        .at(60, "m,host=a,env=prod v", 9)
        .every(60, (60, 480), "beat,host=a,env=prod v", 1.0)
        .at(480, "m,host=a,env=prod v", 9);
    assert_eq!(seen(&yaml, &old), [""; 0]);
    let near = Points::default()
        .at(60, "m,host=a,env=prod v", 9)
        .at(360, "m,host=a,env=prod v", 9);
    assert_eq!(seen(&yaml, &near), ["firing P1 @360 9"]);
}

#[test]
fn half_of_the_samples_of_a_number_suffice_for_a_recovery() {
    let yaml = rule("v", "3 of the last 4 samples", "P1: {above: 5}", "");
    let points = minutes(&[9., 9., 9.]).every(60, (180, 700), "beat,host=a,env=prod v", 1.0);
    // The window of 8 intervals is (60, 540]: two samples are left, and fewer than three are bad.
    assert_eq!(
        seen(&yaml, &points),
        ["firing P1 @180 9", "resolved - @540 9"]
    );
}

#[test]
fn of_two_newest_points_the_one_to_which_the_rule_does_not_apply_decides() {
    for over in ["last of 3m", "2 of the last 3 samples"] {
        let yaml = rule("v", over, "P1: {above: 5}", "only_when: w > 0");
        for (second, applies) in [("9,w=0", false), ("9,w=1", true)] {
            let points = (1..=4).fold(Points::default(), |points, n| {
                let of = |k: &str| format!("m,host=a,env=prod,k={k} v");
                points
                    .at(n * 60, &of("x"), "9,w=1")
                    .at(n * 60, &of("y"), second)
            });
            assert_eq!(!seen(&yaml, &points).is_empty(), applies, "{over}");
        }
    }
}

#[test]
fn a_condition_over_tags_is_counted_and_judged_by_samples() {
    let http = |results: &[&str]| {
        let each = results.iter().enumerate();
        each.fold(Points::default(), |points, (n, result)| {
            let series = format!("m,host=a,env=prod,server=s,result={result} code");
            points.at((n as i64 + 1) * 60, &series, 0)
        })
    };
    let bad = "\"result != 'success'\"";
    let yaml = rule(bad, "2 of the last 3 samples", "P1: {is: true}", "");
    let ok = "success";
    assert_eq!(
        seen(&yaml, &http(&[ok, "timeout", ok, "address_error", ok, ok])),
        ["firing P1 @240 1", "resolved - @300 0"]
    );
    let yaml = rule(bad, "count of 3m", "P1: {above: 1}", "");
    assert_eq!(
        seen(&yaml, &http(&[ok, "timeout", "timeout"])),
        ["firing P1 @180 2"]
    );
}

#[test]
fn a_text_field_is_compared_like_a_tag() {
    let yaml = rule(
        "\"health == 'unhealthy'\"",
        "each point",
        "P2: {is: true}",
        "",
    );
    let points = Points::default()
        .at(60, "m,host=a,env=prod health", "\"healthy\"")
        .at(120, "m,host=a,env=prod health", "\"unhealthy\"")
        .at(180, "m,host=a,env=prod health", "\"healthy\"");
    assert_eq!(
        seen(&yaml, &points),
        ["firing P2 @120 1", "resolved - @180 0"]
    );
}

#[test]
fn sparse_data_that_is_fine_counts_from_zero() {
    let yaml = rule("1", "count of 5m", "P1: {above: 0}", "when_missing: fine");
    let points = minutes(&[1.]).every(60, (60, 600), "beat,host=a,env=prod v", 1.0);
    assert_eq!(
        seen(&yaml, &points),
        ["firing P1 @60 1", "resolved - @360 0"]
    );
}

#[test]
fn fewer_than_half_of_the_expected_samples_are_unknown() {
    let yaml = rule("v", "average of 6m", "P1: {above: 5}", "");
    assert_eq!(seen(&yaml, &minutes(&[9., 9.])), [""; 0]);
    assert_eq!(seen(&yaml, &minutes(&[9., 9., 9.])), ["firing P1 @180 9"]);
}

#[test]
fn rates_of_two_counters_are_divided_after_they_are_gathered() {
    let yaml = rule(
        "100 * rate(err_in + err_out) / rate(packets)",
        "rate of 3m",
        "P2: {above: 1}",
        "unit: percent",
    );
    let mut points = Points::default();
    for (n, (err, packets)) in [(0, 1000), (0, 2000), (15, 3000), (30, 4000)]
        .iter()
        .enumerate()
    {
        let value = format!("{err},err_out=0,packets={packets}");
        points = points.at((n as i64 + 1) * 60, "m,host=a,env=prod err_in", value);
    }
    // Over (60, 180], with the sample before: 30 of 3,000.
    assert_eq!(seen(&yaml, &points), [""; 0]);
    let yaml = yaml.replace("above: 1", "above: 0.9");
    assert_eq!(seen(&yaml, &points), ["firing P2 @240 1"]);
    // No packets: a division by zero is no value.
    let idle = Points::default()
        .at(60, "m,host=a,env=prod err_in", "1,err_out=0,packets=5")
        .at(120, "m,host=a,env=prod err_in", "9,err_out=0,packets=5");
    assert_eq!(seen(&yaml, &idle), [""; 0]);
}

#[test]
fn series_of_one_group_are_increased_each_by_itself() {
    let yaml = rule("v", "delta of 2m", "P1: {above: 14}", "");
    let points = series(
        Points::default(),
        "m,host=a,env=prod,if=x v",
        &[1000., 1005., 1010.],
    );
    let points = series(points, "m,host=a,env=prod,if=y v", &[1., 2., 8.]);
    assert_eq!(seen(&yaml, &points), ["firing P1 @180 17"]);
}

#[test]
fn a_counter_whose_thing_changes_its_tags_is_one_and_those_side_by_side_are_several() {
    let yaml = rule("v", "delta of 10m", "P1: {above: 0}", "");
    let value = |points: &Points| {
        let events = run(&yaml, &points.body(), 40);
        events.last().and_then(|event| event.value)
    };
    // A container that waits and runs in turns was started three times, not six times.
    let in_turns = (1..=7).fold(Points::default(), |points, n| {
        let state = if n % 2 == 0 { "waiting" } else { "running" };
        points.at(
            n * 60,
            &format!("m,host=a,env=prod,state={state} v"),
            n.min(4),
        )
    });
    assert_eq!(value(&in_turns), Some(3.0));
    // User and idle time come together.
    let together = (1..=5).fold(Points::default(), |points, n| {
        let of = |points: Points, state: &str, v: i64| {
            points.at(n * 60, &format!("m,host=a,env=prod,state={state} v"), v)
        };
        of(of(points, "user", 100 * n), "idle", 1_000 * n)
    });
    assert_eq!(value(&together), Some(4_400.0));
}

#[test]
fn a_formula_across_measurements_is_joined_on_the_group_key() {
    let yaml = rule("100 * v / cap:total", "last of 5m", "P1: {above: 90}", "");
    let join = |values: &[f64], totals: &[f64]| {
        series(minutes(values), "cap,host=a,env=prod total", totals)
    };
    assert_eq!(
        seen(&yaml, &join(&[80., 95.], &[100., 100.])),
        ["firing P1 @120 95"]
    );
    // Another host's total is not joined.
    let other = series(
        minutes(&[95., 95., 95.]),
        "cap,host=b total",
        &[100., 100., 100.],
    );
    assert_eq!(seen(&yaml, &other), [""; 0]);
    // No older than 2 intervals, else Unknown.
    let stale = join(&[10., 10., 95., 95.], &[100.]);
    assert_eq!(seen(&yaml, &stale), ["firing P1 @180 95"]);
    let stale = join(&[10., 10., 10., 95.], &[100.]);
    assert_eq!(seen(&yaml, &stale), [""; 0]);
    // A value of another tag set of the same measurement is joined by a function.
    let yaml = rule(
        "last(used) / last(total)",
        "last of 5m",
        "P1: {above: 0.9}",
        "",
    );
    let points = series(Points::default(), "m,host=a,env=prod,k=x used", &[80., 95.]);
    let points = series(points, "m,host=a,env=prod,k=y total", &[100., 100.]);
    assert_eq!(seen(&yaml, &points), ["firing P1 @120 0.95"]);
}

#[test]
fn three_lines_of_one_timestamp_are_one_point() {
    // As Telegraf's `system` input sends them.
    let yaml = rule("load15 / n_cpus", "last of 1m", "P1: {above: 4}", "");
    let points = Points::default()
        .at(60, "m,host=a,env=prod load15", "10")
        .at(60, "m,host=a,env=prod n_cpus", "2i")
        .at(60, "m,host=a,env=prod uptime_format", "\"3 days\"");
    assert_eq!(seen(&yaml, &points), ["firing P1 @60 5"]);
}

#[test]
fn a_restart_is_a_boot_time_that_moves_forward_and_closes_by_itself() {
    let yaml = "template: restart\ntitle: t\napplies_to: {measurement: system}\n\
        one_alert_per: [host]\ncheck: change(time - uptime)\nover: each point\nevery: 60s\n\
        interval: 60s\nlevels:\n  P1: {above: 2, check: time - uptime, over: jumps above 60 of 1h}\n  \
        P2: {above: 60}\nclose_after: 15m\nwhen_missing: fine\n";
    let host = "system,host=a,env=prod uptime";
    let mut points = Points::default().every(60, (0, 300), "cpu,host=a v", 1.0);
    for n in 1..=5 {
        points = points.at(n * 60, host, format!("{}i", 86_400 + n * 60));
    }
    // Down for 20 minutes, which is longer than any window of an interval or five.
    for n in 25..=45 {
        points = points.at(n * 60, host, format!("{}i", (n - 24) * 60));
    }
    let once: Vec<String> = short(&run(yaml, &points.body(), 40));
    assert_eq!(once, ["firing P2 @1500", "resolved - @2400"]);
    for restart in 1..=2 {
        let at = 2_700 + restart * 300;
        points = points.at(at, host, "10i");
    }
    let events = short(&run(yaml, &points.body(), 40));
    assert_eq!(events[2..], ["reopened P2 @3000", "raised P1 @3300"]);
}

#[test]
fn what_a_formula_cannot_say_is_refused_by_name() {
    for (check, over, error) in [
        (
            "average(v)",
            "each point",
            "over each point a check knows delta, rate and change",
        ),
        (
            "v / cap:total",
            "each point",
            "points of two measurements do not come together",
        ),
        (
            "last(v / cap:total)",
            "last of 5m",
            "points of two measurements meet only after",
        ),
        (
            "rate(v)",
            "2 of the last 3 samples",
            "samples are counted of one point each",
        ),
        ("median(v)", "last of 5m", "there is no function `median`"),
    ] {
        let yaml = rule(check, over, "P1: {above: 1}", "");
        let errors = evaluator::core::Plan::compile(&core_support::bundle(1, &yaml, 30))
            .map(drop)
            .unwrap_err();
        assert!(errors[0].what.contains(error), "{check}: {}", errors[0]);
    }
}

#[test]
fn what_a_rule_shows_beside_its_value_is_told_and_decides_nothing() {
    let shipped = include_str!("../../../templates/load.yaml");
    let yaml = &shipped.replacen("every:", "shows: load15 - load1\nevery:", 1);
    let line = |load1: i64| format!("system,host=a,env=prod load1={load1},n_cpus=2i,load15");
    let growing = Points::default().every(10, (0, 1_200), &line(9), 6.5);
    let events = run(yaml, &growing.body(), 40);
    assert_eq!(short(&events), ["firing P2 @780"]);
    let why = &events[0].why;
    assert!(why.ends_with(": P2; load15 - load1 is -2.5"), "{why}");
    let passing = Points::default().every(10, (0, 1_200), &line(1), 6.5);
    let events = run(yaml, &passing.body(), 40);
    assert!(
        events[0].why.ends_with("; load15 - load1 is 5.5"),
        "{}",
        events[0].why
    );
    // An agent that does not send it is judged all the same.
    let without = passing.body().replace("load1=1,", "");
    let events = run(yaml, &without, 40);
    assert_eq!(short(&events), ["firing P2 @780"]);
    assert!(!events[0].why.contains("load1 is"), "{}", events[0].why);
}

#[test]
fn the_largest_of_negative_values_is_negative() {
    let yaml = rule("v", "max of 3m", "P1: {below: -4}", "");
    assert_eq!(
        seen(&yaml, &minutes(&[-7., -5., -9.]))
            .first()
            .map(String::as_str),
        Some("firing P1 @120 -5")
    );
}

#[test]
fn samples_of_several_series_at_one_time_are_one_of_the_last() {
    let yaml = rule("v", "2 of the last 3 samples", "P1: {above: 4}", "");
    let two = |values: &[f64]| {
        let points = series(Points::default(), "m,host=a,env=prod,cpu=0 v", values);
        series(points, "m,host=a,env=prod,cpu=1 v", values)
    };
    // Both are bad in one minute: that is one bad sample, not two.
    assert_eq!(seen(&yaml, &two(&[1., 1., 5.])), [""; 0]);
    assert_eq!(seen(&yaml, &two(&[1., 5., 5.])), ["firing P1 @180 5"]);
}

#[test]
fn time_in_a_formula_over_windows_is_that_of_the_grid_point() {
    let yaml = rule("time - last(v)", "last of 5m", "P1: {above: 100}", "");
    let boot = f64::from(u32::try_from(core_support::START).unwrap()) + 30.0;
    let events = seen(&yaml, &minutes(&[boot; 4]));
    assert_eq!(events, ["firing P1 @180 150"]);
}

#[test]
fn an_event_has_the_value_and_the_threshold_of_the_rung_that_decided_it() {
    let levels = "P1: {above: 80, until_below: 70}, P2: {above: 60, until_below: 50}";
    let yaml = rule("v", "last of 1m", levels, "");
    let events = run(&yaml, &minutes(&[65., 90., 65., 40.]).body(), 40);
    let told: Vec<_> = events.iter().map(|e| (e.value, e.threshold)).collect();
    assert_eq!(
        told,
        [
            (Some(65.), Some(60.)),
            (Some(90.), Some(80.)),
            (Some(65.), Some(70.)),
            (Some(40.), Some(50.)),
        ]
    );
}
