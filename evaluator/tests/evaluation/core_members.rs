//! What hosts contribute to a group that spans them, at the edges: counters that stayed away, edits, tags that are not
//! there.

use super::core_support::{self, Log, Points, bundle, fleet::Fleet, run, short};
use evaluator::core::{Payload, Plan};

const MINUTE: i64 = 60;

/// A rule over all hosts of each service.
fn rule(check: &str, over: &str, level: &str) -> String {
    format!(
        "template: service\ntitle: \"{{service}}\"\napplies_to: {{measurement: req}}\n\
         one_alert_per: [service]\ncheck: {check:?}\nover: {over}\ninterval: 10s\n\
         levels: {{P1: {{{level}}}}}\n"
    )
}

#[test]
fn a_counter_of_one_host_that_stayed_away_makes_the_group_unknown() {
    let line = |host: &str| format!("req,host={host},service=a,env=prod errors");
    let yaml = rule("errors", "delta of 15m", "above: 2000");
    // Many errors of one host at 910; the other one says nothing for a while before.
    let first = |gap: i64| {
        let points = (1..=200).fold(Points::default(), |points, n| {
            let errors = if n > 90 { 5_000 + n } else { n };
            let points = points.at(n * 10, &line("h0"), errors);
            match (400..400 + gap).contains(&(n * 10)) && n > 40 {
                true => points,
                false => points.at(n * 10, &line("h1"), n),
            }
        });
        let events = short(&Fleet::new(&yaml, 2).run(&points, 34 * MINUTE).events);
        events.first().cloned().unwrap_or_default()
    };
    // Five intervals are five steps of the grid here.
    assert_eq!(first(10), "firing P1 @960");
    assert_eq!(first(300), "firing P1 @960");
    // Longer, and what happened then nobody knows, until the window has left it behind.
    assert_eq!(first(310), "firing P1 @1320");
}

#[test]
fn an_edit_of_a_threshold_keeps_what_hosts_have_gathered_and_what_is_open() {
    let yaml = rule("ms", "sum of 10m", "above: 3000");
    let mut log = Log::new(vec![Plan::compile(&bundle(1, &yaml, 30)).unwrap()]);
    log.mark(0, 1);
    for n in 1..=90_i64 {
        if n == 60 {
            let edited = yaml.replace("3000", "2000");
            log.plans
                .insert(Plan::compile(&bundle(2, &edited, 30)).unwrap());
            log.mark(n * 10 - 5, 2);
        }
        let point = Points::default().at(n * 10, "req,host=h0,service=a,env=prod ms", 100);
        log.take(n * 10, Payload::Lines(point.body().as_bytes()));
        for action in log.actions.clone() {
            if let evaluator::core::Action::Derive(report) = action {
                let (at, from, lines) = (report.at, report.from, report.lines.as_str());
                log.take(n * 10, Payload::Derived { at, from, lines });
            }
        }
    }
    let events = core_support::events(log.actions);
    // 5,000 in each ten minutes from the start of the window on: it fires once, and the edit neither closes it nor
    // empties the window.
    assert_eq!(short(&events), ["firing P1 @360"]);
}

#[test]
fn a_point_without_a_tag_of_the_group_is_of_no_group() {
    let yaml = rule("ms", "max of 1m", "above: 1");
    let points = Points::default().every(10, (0, 5 * MINUTE), "req,host=h0,env=prod ms", 5.0);
    assert_eq!(short(&run(&yaml, &points.body(), 120)), [""; 0]);
}

#[test]
fn the_last_samples_of_hosts_to_which_the_rule_does_not_apply_are_a_recovery() {
    let yaml = rule("ms", "2 of the last 3 samples", "above: 100") + "only_when: total > 0\n";
    let line =
        |host: &str, total: i64| format!("req,host={host},service=a,env=prod total={total}i,ms");
    let busy = Points::default().every(10, (0, 10 * MINUTE), &line("h0", 5), 500.0);
    let idle = busy.every(10, (10 * MINUTE, 20 * MINUTE), &line("h0", 0), 500.0);
    let events = |points: &Points| short(&Fleet::new(&yaml, 2).run(points, 20 * MINUTE).events);
    let told = events(&idle);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("resolved -"), "{told:?}");
    // Another host to which it applies keeps the group as it is.
    let other = idle.every(10, (10 * MINUTE, 20 * MINUTE), &line("h1", 5), 500.0);
    assert_eq!(events(&other).len(), 1);
}
