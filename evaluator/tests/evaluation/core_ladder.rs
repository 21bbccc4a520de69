//! What rungs, histories and clocks hold at their edges. Each test is here because a change of one thing in the core went
//! unnoticed without it (`make mutants`).

use super::core_support::{self, Log, Points, bundle, run, short};
use evaluator::core::{Payload, Plan};
use model::{AlertEvent, AlertKind};

/// One sample a minute, judged each minute by its last value.
fn rule(levels: &str, rest: &str) -> String {
    format!(
        "template: load\ntitle: \"load of {{host}}\"\napplies_to: {{measurement: m}}\n\
         one_alert_per: [host]\ncheck: v\nover: last of 1m\nevery: 60s\ninterval: 60s\n\
         levels:\n{levels}\n{rest}\n"
    )
}

/// A value a minute, from the first on.
fn minutes(field: &str, values: &[f64]) -> Points {
    let series = format!("m,host=a,env=prod {field}");
    let numbered = (1..).zip(values);
    numbered.fold(Points::default(), |points, (n, value)| {
        points.at(n * 60, &series, value)
    })
}

#[test]
fn latching_a_rung_latches_those_below_whatever_their_own_time() {
    // P2 alone would take 10 minutes to fire.
    let levels = "  P1: {above: 80, until_below: 70}\n  P2: {above: 60, for: 10m, until_below: 50}";
    let events = run(
        &rule(levels, ""),
        &minutes("v", &[90., 65., 65., 40.]).body(),
        40,
    );
    assert_eq!(
        short(&events),
        ["firing P1 @60", "lowered P2 @120", "resolved - @240"]
    );
}

#[test]
fn a_rung_that_recovers_begins_again_when_one_above_it_latches() {
    let levels = "  P1: {above: 80, until_below: 70, check: w}\n  \
                  P2: {above: 60, until_below: 50, recover_for: 2m}";
    // P2 has been recovered for a minute when P1 latches by its own check, and for one more afterwards.
    let points = minutes("v", &[65., 40., 40., 40., 40., 40.])
        .0
        .into_iter()
        .chain(minutes("w", &[0., 0., 90., 0., 0., 0.]).0);
    let events = run(&rule(levels, ""), &Points(points.collect()).body(), 40);
    assert_eq!(
        short(&events),
        [
            "firing P2 @60",
            "raised P1 @180",
            "lowered P2 @240",
            "resolved - @360"
        ]
    );
}

#[test]
fn what_closes_by_itself_counts_from_its_last_true_rung_whichever_that_is() {
    for (one, other) in [("P1", "P3"), ("P3", "P1")] {
        let levels = format!("  {one}: {{above: 50}}\n  {other}: {{above: 50, check: w}}");
        let yaml = rule(&levels, "close_after: 5m");
        let points = minutes("v", &[90., 90., 0., 0., 0., 0., 0., 0., 0.])
            .0
            .into_iter()
            .chain(minutes("w", &[0.; 9]).0);
        let events = run(&yaml, &Points(points.collect()).body(), 40);
        assert_eq!(
            short(&events),
            [format!("firing {one} @60"), "resolved - @420".to_owned()],
            "{one} is true, {other} is not"
        );
    }
}

#[test]
fn a_rung_that_an_edit_takes_away_holds_nothing() {
    let both = rule("  P1: {above: 80}\n  P2: {above: 60}", "");
    let lower = rule("  P2: {above: 60}", "");
    let mut log = Log::new(vec![Plan::compile(&bundle(1, &both, 30)).unwrap()]);
    log.mark(0, 1);
    for n in 1..=8 {
        if n == 4 {
            let edited = Plan::compile(&bundle(2, &lower, 30)).unwrap();
            log.plans.insert(edited);
            log.mark(n * 60 - 20, 2);
        }
        let line = Points::default()
            .at(n * 60, "m,host=a,env=prod v", 90)
            .body();
        log.take(n * 60, Payload::Lines(line.as_bytes()));
    }
    let events = core_support::events(log.actions);
    assert_eq!(short(&events), ["firing P1 @60", "lowered P2 @240"]);
    let why = &events[1].why;
    assert!(why.starts_with("now P2, by an edit of the rule"), "{why}");
}

#[test]
fn minutes_of_which_nothing_is_known_do_not_calm_what_flaps() {
    let yaml = rule("  P1: {above: 50}", "");
    let mut points = Points::default().every(60, (0, 6_000), "beat,host=a,env=prod v", 1.0);
    for n in 1..=12 {
        let value = if n % 2 == 0 { 10 } else { 90 };
        points = points.at(n * 60, "m,host=a,env=prod v", value);
    }
    // Nothing for half an hour, then calm: by evaluations it flaps until 15 calm ones have passed.
    for n in 42..=70 {
        points = points.at(n * 60, "m,host=a,env=prod v", 10);
    }
    let events = run(&yaml, &points.body(), 40);
    let ended = short(&events).pop().unwrap();
    assert!(ended.starts_with("resolved"), "{events:#?}");
    let at = events
        .last()
        .unwrap()
        .at
        .since(core_support::s(0))
        .as_millis()
        / 60_000;
    assert!((50..60).contains(&at), "it was calm at minute {at}");
}

#[test]
fn what_fires_stays_while_nothing_is_known_and_begins_its_recovery_anew() {
    let yaml = rule("  P1: {above: 80, until_below: 70, recover_for: 5m}", "");
    let mut points = minutes("v", &[90., 40., 40.]);
    points = points.every(60, (0, 1_800), "beat,host=a,env=prod v", 1.0);
    // Ten minutes without a value, which are more than three intervals, and then calm from minute 15 on.
    points = points.every(60, (840, 1_800), "m,host=a,env=prod v", 40.0);
    let events = run(&yaml, &points.body(), 40);
    assert_eq!(short(&events), ["firing P1 @60", "resolved - @1200"]);
}

#[test]
fn a_rule_without_windows_misses_its_points_after_three_intervals() {
    let yaml = rule("  P1: {above: 50, over: each point}", "when_missing: P2")
        .replace("over: last of 1m\n", "");
    let points = Points::default()
        .every(60, (0, 1_800), "beat,host=a,env=prod v", 1.0)
        .every(60, (0, 600), "m,host=a,env=prod v", 10.0);
    let events = run(&yaml, &points.body(), 40);
    // The last point is of 600; Unknown from more than an interval on, 720, and then for three.
    assert_eq!(short(&events), ["firing P2 @900"]);
}

/// All events of points that come as records of their own, without ticks between them.
fn leaping(yaml: &str, points: &[(i64, i64)]) -> Vec<String> {
    let mut log = Log::new(vec![Plan::compile(&bundle(1, yaml, 30)).unwrap()]);
    log.mark(0, 1);
    for (at, value) in points {
        let point = Points::default().at(*at, "m,host=a,env=prod v", value);
        log.take(*at, Payload::Lines(point.body().as_bytes()));
    }
    short(&core_support::events(log.actions))
}

#[test]
fn a_host_that_leaps_ahead_is_still_judged_by_what_its_windows_hold() {
    let yaml = "template: slow\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
                check: v\nover: average of 5m\nevery: 60s\ninterval: 5m\n\
                levels: {P1: {above: 90}}\nwhen_missing: fine\n";
    let points = [(100, 10), (130, 95), (3_600, 10), (3_700, 10)];
    // At 420 the calm sample has left the window and the busy one has not.
    let events = leaping(yaml, &points);
    assert_eq!(events.first().map(String::as_str), Some("firing P1 @420"));
}

#[test]
fn a_rule_that_was_about_to_fire_begins_again_behind_a_leap() {
    let yaml = rule("  P1: {above: 50, for: 10m}", "");
    let before = (1..=4).map(|n| (n * 60, 90));
    let after = (60..=80).map(|n| (n * 60, 90));
    let events = leaping(&yaml, &before.chain(after).collect::<Vec<_>>());
    // Unknown for three intervals and more: the four minutes before the leap count no more.
    assert_eq!(events, ["firing P1 @4200"]);
}

#[test]
fn what_flaps_is_told_of_its_openings_and_closings_and_of_nothing_between() {
    let yaml = rule("  P1: {above: 50}", "");
    let swings = (0..12).map(|n| if n % 2 == 0 { 90. } else { 10. });
    let values: Vec<f64> = swings.chain([10.; 30]).collect();
    let events = run(&yaml, &minutes("v", &values).body(), 40);
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.kind == AlertKind::Flapping)
        .collect();
    // Six changes begin it; each of the other six is told once, and no evaluation of the calm behind them.
    let minute = |event: &AlertEvent| event.at.since(core_support::s(0)).as_millis() / 60_000;
    let minutes: Vec<_> = told.iter().map(|event| minute(event)).collect();
    assert_eq!(minutes, [6, 7, 8, 9, 10, 11, 12]);
    // An opening says what fires, a closing what has recovered.
    for event in told {
        let says = if minute(event) % 2 == 1 {
            "above"
        } else {
            "below"
        };
        assert!(event.why.contains(says), "{}", event.why);
    }
}

#[test]
fn of_points_that_are_judged_one_by_one_an_older_one_is_passed_over_and_the_last_of_a_time_counts()
{
    let yaml = rule("  P1: {above: 50, over: each point}", "").replace("over: last of 1m\n", "");
    for (points, expected) in [
        (vec![(60, 90), (50, 10)], vec!["firing P1 @60"]),
        (vec![(60, 10), (60, 90)], vec!["firing P1 @60"]),
        (
            vec![(60, 90), (70, 10)],
            vec!["firing P1 @60", "resolved - @70"],
        ),
    ] {
        let lines = points.iter().map(|(at, value)| {
            Points::default()
                .at(*at, "m,host=a,env=prod v", value)
                .body()
        });
        let events = run(&yaml, &lines.collect::<String>(), 0);
        assert_eq!(short(&events), expected, "{points:?}");
    }
}

#[test]
fn samples_of_another_check_do_not_count_for_an_edited_one() {
    let yaml = rule("  P1: {above: 50}", "").replace("last of 1m", "average of 10m");
    let mut log = Log::new(vec![Plan::compile(&bundle(1, &yaml, 30)).unwrap()]);
    log.mark(0, 1);
    for n in 1..=20 {
        if n == 10 {
            let edited = yaml.replace("check: v", "check: w");
            let edited = Plan::compile(&bundle(2, &edited, 30)).unwrap();
            log.plans.insert(edited);
            log.mark(n * 60 - 20, 2);
        }
        let line = Points::default().at(n * 60, "m,host=a,env=prod v=10,w", 90);
        log.take(n * 60, Payload::Lines(line.body().as_bytes()));
    }
    // Five of `w` are half of the window; with nine of `v` among them it would be below 50 at first.
    let events = core_support::events(log.actions);
    assert_eq!(short(&events), ["firing P1 @840"]);
    assert_eq!(events[0].value, Some(90.0));
}
