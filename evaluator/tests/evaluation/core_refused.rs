//! What a template or an override cannot say: refused with the place and what was meant; and what is just within.

use super::core_support::{Points, bundle, run, short};
use evaluator::core::{Plan, Plans, template_test, unreadable_tests};
use model::Span;

/// A rule of the last minute's `v`.
fn rule(check: &str, over: &str, levels: &str, rest: &str) -> String {
    format!(
        "template: t\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [host]\n\
         check: {check:?}\nover: {over}\ninterval: 60s\nlevels: {{{levels}}}\n{rest}\n"
    )
}

/// What is wrong with a catalogue; empty where nothing is.
fn wrong(yaml: &str) -> String {
    let compiled = Plan::compile(&bundle(1, yaml, 30));
    let errors = compiled.map(drop).err().unwrap_or_default();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

#[test]
fn what_a_rule_cannot_mean_is_refused_at_its_key() {
    let above = "P1: {above: 1}";
    let weekday = "compared_to: same weekday";
    let two_windows = "P2: {above: 2}, P3: {above: 1, over: average of 1h}";
    for (yaml, expected) in [
        (rule("v", "last of 1m", above, ""), ""),
        (rule("v", "last of 1m", above, "only_when: w > 0"), ""),
        (rule("v", "last of 1m", above, "only_when: w"), ""),
        (
            rule("v", "last of 1m", above, "only_when: w + 1"),
            "template t, only_when: a condition is needed",
        ),
        (
            rule("v + 1", "last of 1m", "P1: {is: true}", ""),
            "template t, check: `is` needs a condition",
        ),
        (rule("v", "last of 1m", "P1: {is: true}", ""), ""),
        (
            rule("v > 1", "average of 5m", "P1: {is: true}", ""),
            "template t, over: a condition has no average",
        ),
        (rule("v > 1", "max of 5m", "P1: {is: true}", ""), ""),
        (
            rule("v > 1", "last of 1m", above, ""),
            "template t, check: a condition is true or false",
        ),
        (rule("v > 1", "count of 5m", above, ""), ""),
        // 20,000 steps of 10 s.
        (
            rule(
                "v",
                "max of 200000s",
                above,
                "every: 10s\nexpire_after: 30d",
            ),
            "",
        ),
        (
            rule(
                "v",
                "max of 200001s",
                above,
                "every: 10s\nexpire_after: 30d",
            ),
            "template t, over: the window is longer than 20000 steps or samples",
        ),
        // What looks at the past has one past.
        (
            rule(
                "v",
                "average of 5m",
                "P2: {above: 2}, P3: {above: 1}",
                weekday,
            ),
            "",
        ),
        (
            rule("v", "average of 5m", two_windows, weekday),
            "template t, levels: levels that look at the past have one check and one window",
        ),
        (rule("v", "average of 5m", two_windows, ""), ""),
        (
            rule(
                "v",
                "time until zero",
                "P2: {below: 1h}, P3: {below: 4h, check: w}",
                "",
            ),
            "template t, levels: levels that look at the past have one check and one window",
        ),
        (
            rule("v", "each point", above, weekday),
            "template t, compared_to: what is compared is a window",
        ),
        (
            rule("v", "each point", above, "shows: w"),
            "template t, shows: what is shown beside a value is gathered by the window of `over`",
        ),
        (
            rule("v", "last of 1m", above, "shows: w").replace("[host]", "[service]"),
            "template t, shows: what is shown beside a value is gathered by the window of `over`",
        ),
        (rule("v", "last of 1m", above, "shows: w"), ""),
    ] {
        let found = wrong(&yaml);
        assert_eq!(found.is_empty(), expected.is_empty(), "{yaml}\n{found}");
        assert!(found.starts_with(expected), "{yaml}\n{found}");
    }
}

#[test]
fn an_override_is_refused_wherever_it_would_hold_and_touches_only_its_template() {
    let base = rule("v", "last of 1m", "P1: {above: 10}", "");
    let other = base.replace("template: t", "template: u");
    let each = |of: &str, rest: &str| format!("---\noverride: o\ntemplate: {of}\n{rest}\n");
    let broken = each("t", "for: {host: elsewhere}\nset: {check: \"v +\"}");
    let found = wrong(&(base.clone() + &broken));
    assert!(
        found.starts_with("override o, template t, check: "),
        "{found}"
    );
    // The override of another template lowers no threshold of this one.
    let lower = each("u", "set: {levels: {P1: {above: 1}}}");
    let yaml = format!("{base}---\n{other}{lower}");
    let points = Points::default().at(60, "m,host=a,env=prod v", 5);
    let events = run(&yaml, &points.body(), 40);
    assert_eq!(short(&events), ["firing P1 @60"]);
    assert_eq!(events[0].template, "u");
}

#[test]
fn ticks_and_lateness_have_their_least() {
    let yaml = rule("v", "last of 1m", "P1: {above: 1}", "");
    for (tick, lateness, expected) in [
        (10, 0, ""),
        (1, 30, ""),
        (0, 30, "tick: the tick period must be longer than 0"),
        (10, -1, "lateness: the lateness must not be negative"),
    ] {
        let mut bundle = bundle(1, &yaml, lateness);
        bundle.content.tick = Span::from_secs(tick);
        let errors = Plan::compile(&bundle).map(drop).err().unwrap_or_default();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts.join("\n"), expected, "{tick} {lateness}");
    }
}

#[test]
fn a_plan_that_is_forgotten_is_not_found_again() {
    let yaml = rule("v", "last of 1m", "P1: {above: 1}", "");
    let mut plans = Plans::new();
    let plan = Plan::compile(&bundle(1, &yaml, 30)).unwrap();
    let hash = plan.hash().to_owned();
    plans.insert(plan);
    assert!(plans.get(1, &hash).is_some());
    assert!(plans.get(1, "another").is_none());
    plans.remove(1);
    assert!(plans.get(1, &hash).is_none() && plans.newest().is_none());
}

#[test]
fn tests_of_a_template_that_cannot_be_read_are_told_by_their_place() {
    let yaml = rule(
        "v",
        "last of 1m",
        "P1: {above: 1}",
        "tests:\n  - {given: \"5 for 3m\", expect: P1}\n  - {given: \"5 for ever\", expect: P1}\n  \
         - {given: [{series: \"m,bad tag\", v: \"5 for 3m\"}], expect: P1}\n  \
         - {given: [{series: \"m,host=x\", v: \"5 for 3m\"}], expect: P1}",
    );
    let content = bundle(1, &yaml, 30).content;
    let template = &content.templates[0];
    let found = unreadable_tests(template);
    let places: Vec<usize> = found.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [1, 2], "{found:?}");
    assert!(
        found[0].1.contains("`ever` is not a duration"),
        "{}",
        found[0].1
    );
    assert!(found[1].1.contains("is no series"), "{}", found[1].1);
    let errors = template_test(template, Span::from_secs(30)).unwrap_err();
    assert!(
        errors[0].to_string().starts_with("template t, tests: "),
        "{}",
        errors[0]
    );
}
