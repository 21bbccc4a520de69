//! What a rule can never do as it is written is told, with where it stands and what would be right; of a rule that could
//! do it nothing is said.

use super::core_support::bundle;
use evaluator::core::doubts;
use schemas::catalogue::shipped_templates;

/// `key: what can never be -> what would be right` of each doubt.
fn told(yaml: &str) -> Vec<String> {
    let content = bundle(1, yaml, 30).content;
    let found = doubts(&content.templates[0]).unwrap();
    let text = |hint: Option<&str>| hint.map_or_else(String::new, |hint| format!(" -> {hint}"));
    found
        .iter()
        .map(|doubt| format!("{}: {}{}", doubt.path, doubt.what, text(doubt.hint)))
        .collect()
}

fn assert_told(yaml: &str, expected: &str) {
    let expected: &[&str] = if expected.is_empty() {
        &[]
    } else {
        &[expected]
    };
    assert_eq!(told(yaml), expected, "{yaml}");
}

/// A rule of the last minute's `v`, one sample a minute.
fn rule(check: &str, over: &str, level: &str, rest: &str) -> String {
    format!(
        "template: t\napplies_to: {{measurement: m, where: {{a: b, c: [d, e]}}}}\none_alert_per: [host]\n\
         check: {check}\nover: {over}\nlevels:\n  P1: {{{level}}}\n{rest}"
    )
}

const COUNTS: &str = "a window with fewer than half of its samples says nothing: `when_missing: fine` counts from 0, \
                      `when_missing: P1` tells that they stay away";

#[test]
fn a_threshold_outside_of_what_a_value_can_be_is_told() {
    let (fine, percent) = ("when_missing: fine\n", "unit: percent\n");
    for (check, over, level, rest, expected) in [
        ("v", "last of 1m", "above: 90", "", String::new()),
        ("v", "last of 1m", "above: 99", percent, String::new()),
        (
            "v",
            "last of 1m",
            "above: 100",
            percent,
            "levels.P1.above: it can never fire: no percentage is above 100".to_owned(),
        ),
        (
            "v",
            "each point",
            "above: 100",
            percent,
            "levels.P1.above: it can never fire: no percentage is above 100".to_owned(),
        ),
        (
            "v",
            "last of 1m",
            "below: 0",
            percent,
            "levels.P1.below: it can never fire: no percentage is below 0".to_owned(),
        ),
        (
            "v",
            "last of 1m",
            "above: -1",
            percent,
            "levels.P1.above: it always fires: last of 1m of `v` lies between 0 and 100".to_owned(),
        ),
        (
            "v",
            "last of 1m",
            "above: 3",
            percent,
            "levels.P1.above: it can never recover: that is below -2, and last of 1m of `v` lies between 0 and 100 \
             -> write `until_below`"
                .to_owned(),
        ),
        (
            "v",
            "last of 1m",
            "below: 97",
            percent,
            "levels.P1.below: it can never recover: that is above 102, and last of 1m of `v` lies between 0 and 100 \
             -> write `until_above`"
                .to_owned(),
        ),
        // What closes by itself needs no recovery.
        (
            "v",
            "last of 1m",
            "above: 3",
            "unit: percent\nclose_after: 5m\n",
            String::new(),
        ),
        // A change of a percentage may be negative; it is at most 100 up or down.
        ("v", "change of 1h", "below: -20", percent, String::new()),
        (
            "v",
            "change of 1h",
            "above: 100",
            percent,
            "levels.P1.above: it can never fire: no percentage is above 100".to_owned(),
        ),
        // Sums, and what is held against last week, are no percentages of anything.
        ("v", "sum of 1h", "above: 200", percent, String::new()),
        (
            "v",
            "average of 1h",
            "above: 200",
            "unit: percent\ncompared_to: same weekday\n",
            String::new(),
        ),
        ("v", "count of 1m", "above: 90", fine, String::new()),
        (
            "v",
            "count of 10m",
            "below: 0",
            fine,
            "levels.P1.below: it can never fire: count of 10m of `v` is at least 0".to_owned(),
        ),
        // Ten samples are expected; fewer than five are Unknown.
        (
            "v",
            "count of 10m",
            "below: 5",
            "",
            format!("levels.P1.below: it can never fire: count of 10m of `v` is at least 5 -> {COUNTS}"),
        ),
        ("v", "count of 10m", "below: 6", "", String::new()),
        (
            "v",
            "count of 10m",
            "above: 0",
            "",
            format!("levels.P1.above: it always fires: count of 10m of `v` is at least 5 -> {COUNTS}"),
        ),
        // What is true is counted from 0, however many samples there are.
        ("v > 5", "count of 10m", "above: 0", "", String::new()),
        (
            "v",
            "delta of 10m",
            "below: 0",
            "",
            "levels.P1.below: it can never fire: delta of 10m of `v` is at least 0".to_owned(),
        ),
        ("v", "change of 10m", "below: 0", "", String::new()),
        (
            "time",
            "sum of 10m",
            "below: 0",
            "",
            "levels.P1.below: it can never fire: sum of 10m of `time` is at least 0".to_owned(),
        ),
        (
            "-time",
            "sum of 10m",
            "above: 0",
            "",
            "levels.P1.above: it can never fire: sum of 10m of `-time` is at most 0".to_owned(),
        ),
        (
            "5",
            "last of 1m",
            "above: 90",
            "",
            "levels.P1.above: it can never fire: last of 1m of `5` is always 5 -> name a field in `check`".to_owned(),
        ),
        (
            "95",
            "last of 1m",
            "above: 90",
            "",
            "levels.P1.above: it always fires: last of 1m of `95` is always 95 -> name a field in `check`".to_owned(),
        ),
    ] {
        assert_told(&rule(check, over, level, rest), &expected);
    }
}

#[test]
fn what_a_condition_over_tags_and_numbers_comes_to_is_told() {
    let never = "it can never fire: last of 1m of";
    for (check, is, expected) in [
        ("1 == 2", true, "0"),
        ("1 != 2", true, "1"),
        ("a != 'b'", true, "0"),
        ("a != 'b'", false, "0"),
        ("a == 'b'", true, "1"),
        ("a == 'x'", true, "0"),
        // One of two values, or a tag of which `where` says nothing.
        ("c == 'd'", true, ""),
        ("c == 'x'", true, "0"),
        ("other == 'd'", true, ""),
        ("v > 0 and v < 0", true, "0"),
        ("v > 0 and v < 1", true, ""),
        ("v >= 1 or v < 1", true, ""),
    ] {
        let quoted = format!("\"{check}\"");
        let yaml = rule(&quoted, "last of 1m", &format!("is: {is}"), "");
        let name = "-> name a field in `check`";
        let text = match (expected, is) {
            ("", _) => String::new(),
            ("0", true) | ("1", false) => {
                format!("levels.P1.is: {never} `{check}` is always {expected} {name}")
            }
            _ => format!(
                "levels.P1.is: it always fires: last of 1m of `{check}` is always {expected} {name}"
            ),
        };
        assert_told(&yaml, &text);
    }
}

#[test]
fn conditions_windows_and_times_that_contradict_each_other_are_told() {
    let never = "only_when: it can never fire: `only_when` is never true";
    let longer = "`expire_after` must be longer than `missing_after` and 3 intervals";
    for (rest, expected) in [
        ("only_when: max > 0\n", String::new()),
        ("only_when: max > 0 and max < 0\n", never.to_owned()),
        ("only_when: a == 'c'\n", never.to_owned()),
        ("only_when: time < 0\n", never.to_owned()),
        ("interval: 1m\n", String::new()),
        (
            "interval: 5m\n",
            "over: most of its windows say nothing: a sample comes every 5m (`interval`), and a window of 1m without \
             one is Unknown -> make the window at least as long as `interval`"
                .to_owned(),
        ),
        ("interval: 5m\nwhen_missing: fine\n", String::new()),
        ("expire_after: 1m\n", String::new()),
        ("expire_after: 4m\nwhen_missing: P2\n", String::new()),
        (
            "expire_after: 3m\nwhen_missing: P2\n",
            format!(
                "when_missing: missing data is never told: a group is forgotten after 3m, and data counts as missing \
                 after 3m -> {longer}"
            ),
        ),
        (
            "missing_after: 2d\nwhen_missing: resolve\n",
            format!(
                "when_missing: missing data is never told: a group is forgotten after 1d, and data counts as missing \
                 after 2d -> {longer}"
            ),
        ),
        ("missing_after: 2d\n", String::new()),
        (
            "expire_after: 30s\n",
            "over: a window of 1m never holds all that it asks for: a group without data is forgotten after 30s \
             (`expire_after`) -> `expire_after` must be longer than the window"
                .to_owned(),
        ),
    ] {
        assert_told(&rule("v", "last of 1m", "above: 90", rest), &expected);
    }
    // A counter needs no sample in each window: it is held against the one before.
    assert_told(&rule("v", "delta of 1m", "above: 90", "interval: 5m\n"), "");
    // A rung's own window is told at the rung.
    let own = rule(
        "v",
        "last of 5m",
        "above: 90, over: last of 1m",
        "interval: 5m\n",
    );
    assert!(
        told(&own)[0].starts_with("levels.P1.over: most of its windows"),
        "{:?}",
        told(&own)
    );
}

#[test]
fn a_host_that_is_forgotten_before_its_silence_is_long_enough_is_told() {
    let yaml = |threshold: &str, for_: &str| {
        format!(
            "template: down\napplies_to: {{measurement: any}}\none_alert_per: [host]\n\
             check: time_since_last_point\nlevels:\n  P1: {{above: {threshold}, for: {for_}}}\nexpire_after: 1h\n"
        )
    };
    assert_told(&yaml("2m", "0"), "");
    assert_told(&yaml("59m", "59s"), "");
    let never = |secs| {
        format!(
            "levels.P1.above: it can never fire: a host is forgotten after 1h, before {secs} s of silence -> \
             `expire_after` must be longer"
        )
    };
    assert_told(&yaml("1h", "0"), &never(3_600));
    assert_told(&yaml("50m", "11m"), &never(3_660));
}

#[test]
fn a_time_until_zero_is_not_negative_whatever_its_unit() {
    let yaml = |level: &str| {
        rule(
            "v",
            "time until zero",
            level,
            "unit: percent\nonly_when: v > 0\n",
        )
    };
    assert_told(&yaml("below: 4h"), "");
    assert_told(
        &yaml("below: 0s"),
        "levels.P1.below: it can never fire: time until zero of `v` is at least 0",
    );
}

#[test]
fn no_shipped_template_is_doubted() {
    for template in shipped_templates() {
        assert_eq!(doubts(template).unwrap(), [], "{}", template.template);
    }
}
