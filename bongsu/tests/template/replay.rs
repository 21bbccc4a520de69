//! `bongsu template replay`.

use crate::support::template;
use serde_json::{Value, json};

const LADDER: &str = "template: load\napplies_to: {measurement: m}\none_alert_per: [host]\n\
    check: v\nover: last of 1m\nlevels:\n  P1: {above: 80, until_below: 70}\n  \
    P2: {above: 70, until_below: 60}\n  P3: {above: 60, until_below: 50}\n";

/// A value a minute from 2026-01-01T00:01:00Z on.
fn a_minute(values: &[f64]) -> String {
    let line = |(n, value): (i64, &f64)| {
        let at = (1_767_225_600 + 60 * n) * 1_000_000_000;
        format!("m,host=web-1,env=prod v={value} {at}\n")
    };
    (1..).zip(values).map(line).collect()
}

#[test]
fn the_ladder_is_told_as_objects_with_their_keys_in_order() {
    let points = a_minute(&[61.0, 73.0, 64.0, 85.0, 62.0, 56.0, 47.0]);
    let args = [
        "replay",
        "--templates",
        "t",
        "--points",
        "p.lp",
        "-o",
        "jsonl",
    ];
    let ran = template(&args, &[("t/load.yaml", LADDER), ("p.lp", &points)], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let short = |event: &Value| {
        json!([
            event["at"],
            event["kind"],
            event["priority"],
            event["value"],
            event["threshold"]
        ])
    };
    let found: Vec<Value> = ran.objects().iter().map(short).collect();
    let wanted = [
        json!(["2026-01-01T00:01:00Z", "firing", "P3", 61.0, 60.0]),
        json!(["2026-01-01T00:02:00Z", "raised", "P2", 73.0, 70.0]),
        json!(["2026-01-01T00:04:00Z", "raised", "P1", 85.0, 80.0]),
        json!(["2026-01-01T00:05:00Z", "lowered", "P2", 62.0, 70.0]),
        json!(["2026-01-01T00:06:00Z", "lowered", "P3", 56.0, 60.0]),
        json!(["2026-01-01T00:07:00Z", "resolved", null, 47.0, 50.0]),
    ];
    assert_eq!(found, wanted);
    let first = &ran.objects()[0];
    assert_eq!(first["template"], "load");
    assert_eq!(first["group"], json!({"host": "web-1"}));
    let line = ran.out.lines().next().unwrap();
    let keys = [
        "at",
        "template",
        "group",
        "kind",
        "priority",
        "value",
        "threshold",
        "incident",
        "event",
        "why",
    ];
    let places: Vec<usize> = keys
        .iter()
        .map(|key| line.find(&format!("\"{key}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn the_same_file_gives_the_same_bytes_from_standard_input() {
    let points = a_minute(&[85.0, 90.0, 10.0]);
    let files = [("load.yaml", LADDER), ("p.lp", points.as_str())];
    let of = |points: &'static str, stdin: &str| {
        let args = [
            "replay",
            "--templates",
            "load.yaml",
            "--points",
            points,
            "-o",
            "jsonl",
        ];
        template(&args, &files, stdin).out
    };
    let from_file = of("p.lp", "");
    assert_eq!(from_file.lines().count(), 2);
    assert_eq!(of("-", &points), from_file);
}

#[test]
fn a_comment_sets_the_arrival_and_ticks_end_thirty_seconds_after_the_last_point() {
    let down = "template: down\napplies_to: {measurement: any}\none_alert_per: [host]\n\
        check: time_since_last_point\ninterval: 10s\nlevels:\n  P1: {above: 2m}\n";
    let fired = |text: &str| {
        let args = [
            "replay",
            "--templates",
            "d.yaml",
            "--points",
            "-",
            "-o",
            "jsonl",
        ];
        let ran = template(&args, &[("d.yaml", down)], text);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let at = |event: &Value| event["at"].as_str().unwrap_or("-").to_owned();
        ran.objects().iter().map(at).collect::<Vec<_>>()
    };
    let point = "m,host=a,env=prod v=1 1767225600000000000\n";
    assert_eq!(fired(point), [""; 0]);
    // 180 s of log time, and the lateness of 30 s behind them.
    let later = format!("{point}# arrival=1767225780000000000\n");
    assert_eq!(fired(&later), ["2026-01-01T00:03:00Z"]);
}

#[test]
fn rules_that_are_wrong_are_refused_with_their_source() {
    let wrong = LADDER.replace("over: last of 1m", "over: mean of 1m");
    let args = ["replay", "--templates", "t.yaml", "--points", "-"];
    let ran = template(&args, &[("t.yaml", &wrong)], "");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("t.yaml:5"), "{}", ran.err);
    assert!(ran.err.contains("5 | over: mean of 1m"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_question() {
    let args = ["replay", "--templates", "t.yaml", "--points", "none.lp"];
    let ran = template(&args, &[("t.yaml", LADDER)], "");
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("none.lp"), "{}", ran.err);
}

#[test]
fn lines_that_cannot_be_read_are_told_and_the_others_are_judged_wherever_they_stand() {
    let ran_of = |text: &str| {
        let args = [
            "replay",
            "--templates",
            "l.yaml",
            "--points",
            "-",
            "-o",
            "jsonl",
        ];
        template(&args, &[("l.yaml", LADDER)], text)
    };
    let good = a_minute(&[85.0]);
    for bad in [
        "m,host=web-1 v=high 1767225600000000000\n",
        // It has no time, and no line before it from which it could have one.
        "m,host=web-1 v=99\n",
        "no line protocol\n",
    ] {
        for text in [format!("{bad}{good}"), format!("{good}no line protocol\n")] {
            let ran = ran_of(&text);
            assert_eq!((ran.code, ran.objects().len()), (0, 1), "{}", ran.err);
            assert!(
                ran.err.contains("2 lines, 1 events, 1 rejected"),
                "{}",
                ran.err
            );
            assert!(ran.err.contains("\nrejected: `"), "{}", ran.err);
        }
        let ran = ran_of(bad);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(
            ran.err.contains("-: none of its lines can be read"),
            "{}",
            ran.err
        );
    }
    // A line without a timestamp behind one that has one is of that time.
    let ran = ran_of(&format!("{good}m,host=web-1,env=prod v=95\n"));
    assert!(ran.err.contains("2 lines, 1 events"), "{}", ran.err);
    let ran = ran_of("");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
}

#[test]
fn timestamps_in_seconds_are_taken_for_what_they_are_and_said_to_be_so() {
    let args = ["replay", "--templates", "l.yaml", "--points", "-"];
    let ran = template(&args, &[("l.yaml", LADDER)], "m,host=a v=9 1767225600\n");
    let told =
        "the points end at 1970-01-01T00:00:01.7672256Z: their timestamps must be in nanoseconds";
    assert!(ran.err.contains(told), "{}", ran.err);
}
