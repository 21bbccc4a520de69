//! What a bundle may say, and what is refused with which words; the tests that templates carry.

use super::core_support::{self, Log, Points, bundle, plan, run, s, short};
use evaluator::core::{Action, FindingKind, Partition, Payload, Plan, Plans, Tally, template_test};
use model::Span;
use schemas::catalogue::{shipped_templates, system_templates};

#[test]
fn the_shipped_templates_pass_their_own_tests() {
    for template in shipped_templates().iter().chain(system_templates()) {
        for report in template_test(template, Span::from_secs(30)).unwrap() {
            let failure = report.failure.unwrap_or_default();
            assert!(
                failure.is_empty(),
                "{}: {failure}\n{}",
                report.given,
                report.timeline
            );
        }
    }
}

fn template(rest: &str) -> String {
    format!(
        "template: t\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [host]\n\
        check: v\nover: last of 1m\n\
         interval: 60s\nlevels: {{P1: {{above: 1}}}}\n{rest}"
    )
}

#[test]
fn a_test_that_fails_says_what_was_found_with_a_timeline() {
    let yaml =
        template("tests:\n  - {given: \"5 for 3m, then gap for 5m, then 0 for 2m\", expect: P1}\n");
    let content = bundle(1, &yaml, 30).content;
    let reports = template_test(&content.templates[0], Span::from_secs(30)).unwrap();
    assert_eq!(
        reports[0].failure.as_deref(),
        Some("at the end it is resolved")
    );
    insta::assert_snapshot!(reports[0].timeline);
}

#[test]
fn what_this_version_does_not_evaluate_is_refused_by_name() {
    for (yaml, error) in [
        (
            template("").replace("check: v", "check: irate(a) / irate(b)"),
            "template t, check: `irate(a) / irate(b)`, column 1: there is no function `irate`",
        ),
        (
            template("compared_to: yesterday\n"),
            "template t, compared_to: `yesterday` is not one of",
        ),
        (
            template("").replace("check: v", "check: \"v +\""),
            "template t, check: `v +`, column 4: the expression ends",
        ),
        (
            template("").replace("title: t", "title: \"{path}\""),
            "template t, title: `{path}` is neither",
        ),
        (
            template("").replace("check: v", "check: v > 1"),
            "template t, check: a condition is true or false: write `is: true`",
        ),
        (
            template("")
                .replace("{above: 1}", "{is: true}")
                .replace("last of", "average of"),
            "template t, over: a condition has no average",
        ),
        (
            template("").replace("check: v\nover: last of 1m", "check: time_since_last_point"),
            "template t, applies_to: `time_since_last_point` is of a host",
        ),
        (
            template("---\noverride: o\ntemplate: t\nset: {check: \"(v\"}\n"),
            "override o, template t, check: `(v`, column 3",
        ),
    ] {
        let errors = Plan::compile(&bundle(1, &yaml, 30)).map(drop).unwrap_err();
        let text = errors[0].to_string();
        assert!(text.starts_with(error), "{yaml}\n{text}");
    }
}

#[test]
fn overrides_are_merged_by_rank_and_chosen_by_tags() {
    let yaml = template(
        "---\noverride: all\ntemplate: t\nset: {levels: {P1: {above: 10}}}\n\
         ---\noverride: shop\ntemplate: t\nfor: {where: {service: shop}}\n\
         set: {levels: {P1: {above: 20}}}\n\
         ---\noverride: one\ntemplate: t\nfor: {host: c}\nset: {levels: {P1: {above: 30}}}\n",
    );
    for (tags, value, fires) in [
        ("host=a", 10, false),
        ("host=a", 11, true),
        ("host=b,service=shop", 20, false),
        ("host=b,service=shop", 21, true),
        ("host=c,service=shop", 30, false),
        ("host=c,service=shop", 31, true),
    ] {
        let points = Points::default().at(60, &format!("m,{tags},env=prod v"), value);
        let events = run(&yaml, &points.body(), 60);
        assert_eq!(!events.is_empty(), fires, "{tags} {value}");
    }
}

#[test]
fn a_mark_is_followed_only_if_the_catalogue_holds_what_it_says() {
    let mut log = Log::new(vec![plan(&template(""))]);
    let hash = log.plans.newest().unwrap().hash().to_owned();
    for (revision, hash) in [(1, "00"), (7, hash.as_str())] {
        let actions = log.take(0, Payload::BundleMark { revision, hash });
        let forged = |action: &Action| match action {
            Action::Find(finding) => finding.kind == FindingKind::ForgedMark,
            Action::Emit(_) | Action::Count(_) | Action::Derive(_) | Action::Tags(_) => false,
        };
        assert!(actions.iter().any(forged));
        assert!(
            actions
                .iter()
                .any(|a| matches!(a, Action::Count(c) if c.what == Tally::ForgedMark))
        );
        assert_eq!(log.partition.newest_revision(), None);
    }
    log.mark(1, 1);
    assert_eq!(log.partition.newest_revision(), Some(1));
}

#[test]
fn an_edit_keeps_the_state_is_judged_at_the_next_grid_point_and_never_goes_back() {
    let edited = template("").replace("above: 1", "above: 50");
    let mut log = Log::new(vec![plan(&template(""))]);
    log.mark(0, 1);
    let first_hash = log.plans.newest().unwrap().hash().to_owned();
    for n in 1..=3 {
        take_point(&mut log, n * 60, 40);
    }
    log.plans
        .insert(Plan::compile(&bundle(2, &edited, 30)).unwrap());
    log.mark(190, 2);
    for n in 4..=8 {
        take_point(&mut log, n * 60, 40);
    }
    let stale = log.take(
        500,
        Payload::BundleMark {
            revision: 1,
            hash: &first_hash,
        },
    );
    assert!(matches!(stale[..], [Action::Count(counter)] if counter.what == Tally::StaleMark));
    let events = core_support::events(log.actions);
    assert_eq!(short(&events), ["firing P1 @60", "resolved - @180"]);
}

fn take_point(log: &mut Log, at: i64, value: i64) {
    let line = Points::default()
        .at(at, "m,host=a,env=prod v", value)
        .body();
    log.take(at, Payload::Lines(line.as_bytes()));
}

#[test]
fn a_template_that_is_taken_away_closes_its_incidents_without_a_recovery() {
    let mut log = Log::new(vec![plan(&template(""))]);
    log.mark(0, 1);
    take_point(&mut log, 60, 40);
    take_point(&mut log, 120, 40);
    let other = template("").replace("template: t", "template: u");
    log.plans
        .insert(Plan::compile(&bundle(2, &other, 30)).unwrap());
    assert_eq!(log.partition.templates(), ["t"]);
    log.mark(130, 2);
    assert_eq!(log.partition.templates(), ["u"]);
    assert_eq!(log.partition.partitions(), 1);
    let events = core_support::events(log.actions);
    assert_eq!(short(&events), ["firing P1 @60", "expired - @120"]);
    assert_eq!((events[0].sequence, events[1].sequence), (1, 2));
    assert!(
        events[1].why.contains("not in the catalogue"),
        "{}",
        events[1].why
    );
}

#[test]
fn an_outage_of_the_log_is_never_taken_for_silence() {
    let yaml = include_str!("../../../templates/host-down.yaml");
    let mut log = Log::new(vec![plan(yaml)]);
    log.mark(0, 1);
    let beat = |log: &mut Log, at: i64, arrival: i64| {
        let line = Points::default().at(at, "cpu,host=a,env=prod v", 1).body();
        log.take(arrival, Payload::Lines(line.as_bytes()));
    };
    for n in 1..=30 {
        beat(&mut log, n * 10, n * 10);
    }
    // Two hours without a record, then the host's points again; and a laptop that slept, with ticks
    // around it.
    beat(&mut log, 7_500, 7_500);
    log.take(7_510, Payload::Tick);
    log.take(20_000, Payload::Tick);
    beat(&mut log, 20_001, 20_001);
    assert_eq!(core_support::events(log.actions), []);
}

#[test]
fn a_leap_of_a_century_costs_no_century_of_grid_points() {
    let yaml = template("when_missing: P2\n");
    let mut log = Log::new(vec![plan(
        &(yaml + "---\n" + include_str!("../../../templates/host-down.yaml")),
    )]);
    log.mark(0, 1);
    for (n, at) in [i64::MIN, 0, s(0).as_nanos()].into_iter().enumerate() {
        let line = format!("m,host=a,env=prod v=5 {at}\n");
        log.take(n as i64, Payload::Lines(line.as_bytes()));
    }
    take_point(&mut log, 120, 40);
    assert!(core_support::events(log.actions).len() <= 4);
}

#[test]
fn what_cannot_be_used_is_counted_and_never_a_panic() {
    let mut log = Log::new(vec![plan(
        &template("only_when: w != 0\n").replace("check: v", "check: v / w"),
    )]);
    log.mark(0, 1);
    let body = format!(
        "m,host=a v=1,w=2 {at}\nm,host=a v=1,w=2 {at}\nm,host=a v=1,w=2 {late}\n\
        m,host=a v=1,w=2 {ahead}\nnonsense\n\
         m v=1,w=2\nm,host=b v=\"text\" {at}\n",
        at = s(100).as_nanos(),
        late = s(69).as_nanos(),
        ahead = s(300).as_nanos(),
    );
    let actions = log.take(100, Payload::Lines(body.as_bytes()));
    let counted: Vec<(&str, u64)> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Count(counter) => Some((counter.what.as_str(), counter.n)),
            Action::Emit(_) | Action::Find(_) | Action::Derive(_) | Action::Tags(_) => None,
        })
        .collect();
    assert_eq!(
        counted,
        [
            ("lines", 7),
            ("rejected", 1),
            ("late", 1),
            ("quarantined", 1),
            ("absent", 1),
            ("replaced", 1)
        ]
    );
}

#[test]
fn damaged_state_is_an_error_that_names_the_part() {
    let mut log = Log::new(vec![plan(&template(""))]);
    log.mark(0, 1);
    take_point(&mut log, 60, 40);
    let parts = log.partition.take_dirty(usize::MAX);
    let (key, bytes) = &parts[0];
    let bytes = bytes.clone().unwrap();
    for n in 0..bytes.len() {
        let part = [(key.as_slice(), &bytes[..n])];
        let error = Partition::restore(core_support::tenant(), 0, None, part, &log.plans).map(drop);
        assert!(error.unwrap_err().to_string().contains("h/a"), "{n}");
    }
    let checkpoint = log.partition.checkpoint();
    let gone = Partition::restore(
        core_support::tenant(),
        0,
        Some(&checkpoint),
        [],
        &Plans::new(),
    );
    assert!(
        gone.map(drop)
            .unwrap_err()
            .to_string()
            .contains("bundle revision 1")
    );
}
