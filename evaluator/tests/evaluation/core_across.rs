//! Groups without a host at their edges: grids slower than the reports, reports of another shape, and what ends.

use super::core_support::{Points, START, fleet::Fleet, s, short};
use evaluator::core::Payload;

const MINUTE: i64 = 60;

/// A rule over all hosts of each service.
fn rule(rest: &str) -> String {
    format!(
        "template: service\ntitle: \"{{service}}\"\napplies_to: {{measurement: req}}\n\
         one_alert_per: [service]\ncheck: ms\nover: average of 5m\ninterval: 10s\n{rest}\n"
    )
}

/// A sample each ten seconds in (from, to], of a host and a service.
fn requests(points: Points, minutes: (i64, i64), of: &str, ms: f64) -> Points {
    let span = (minutes.0 * MINUTE, minutes.1 * MINUTE);
    points.every(10, span, &format!("req,{of},env=prod ms"), ms)
}

#[test]
fn a_rule_whose_grid_is_slower_than_the_reports_is_judged_at_its_own_grid_points() {
    let yaml = rule("every: 5m\nlevels: {P1: {above: 100, for: 10m}}");
    let points = requests(Points::default(), (0, 10), "host=a,service=s", 7.0);
    let points = requests(points, (10, 40), "host=a,service=s", 300.0);
    let fleet = Fleet::new(&yaml, 1).run(&points, 40 * MINUTE);
    // True at minute 15 for the first time.
    assert_eq!(short(&fleet.events), ["firing P1 @1500"]);
    // All have reported, and nothing else is said.
    assert!(
        !fleet.events[0].why.contains("have not reported"),
        "{}",
        fleet.events[0].why
    );
}

#[test]
fn a_reported_group_whose_tags_are_not_those_of_the_rule_is_none() {
    // As a partition reports that follows an edit of `one_alert_per` later than the others.
    for (tag, groups) in [("g.service", 1), ("g.zone", 0)] {
        let mut fleet = Fleet::new(&rule("levels: {P1: {above: 100}}"), 1);
        let at = (START + 60) * 1_000_000_000;
        let lines = format!(
            "bongsu_partial,{tag}=x,rule=0,template=service p0=\"n=1 s=7.0\",newest={at}i {at}\n"
        );
        let report = Payload::Derived {
            at: s(60),
            from: 0,
            lines: &lines,
        };
        fleet.take(0, s(61), report);
        let fleet = fleet.run(&Points::default(), 5 * MINUTE);
        assert_eq!(fleet.partitions[0].groups(), groups, "{tag}");
    }
}

#[test]
fn what_expires_is_forgotten_and_takes_nothing_else_with_it() {
    let yaml = rule("levels: {P1: {above: 100}}\nexpire_after: 1h");
    let points = requests(Points::default(), (0, 20), "host=a,service=gone", 7.0);
    let points = requests(points, (0, 120), "host=b,service=busy", 300.0);
    let fleet = Fleet::new(&yaml, 1).run(&points, 120 * MINUTE);
    assert_eq!(fleet.events.len(), 1, "{:?}", short(&fleet.events));
    // The group that is busy, and what its host keeps of it.
    assert_eq!(fleet.partitions[0].groups(), 2);
}
