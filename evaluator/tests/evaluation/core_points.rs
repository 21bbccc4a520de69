//! A point on its way to its groups: whose it is, which rule and environment hold for it, and what is counted of it.

use super::core_support::{self, Log, Points, START, fleet::Fleet, plan, run, s, short};
use evaluator::core::{Action, Input, Payload, Tally, step};

/// Each point above 90 fires.
fn rule(group: &str, rest: &str) -> String {
    format!(
        "template: t\ntitle: t\none_alert_per: [{group}]\ncheck: v\nover: each point\n\
         levels: {{P1: {{above: 90}}}}\nwhen_missing: fine\n{rest}\n"
    )
}

const ANY: &str = "applies_to: {measurement: m}";

/// Points in the order given, each when it says it was.
fn log_of(yaml: &str, points: &[(i64, &str)]) -> Log {
    let mut log = Log::new(vec![plan(yaml)]);
    log.mark(0, 1);
    for (at, line) in points {
        let line = Points::default().at(*at, &format!("{line} v"), 95).body();
        log.take(*at, Payload::Lines(line.as_bytes()));
    }
    log
}

fn counted(log: &Log, tally: Tally) -> u64 {
    let of = |action: &Action| match action {
        Action::Count(counter) if counter.what == tally => counter.n,
        _ => 0,
    };
    log.actions.iter().map(of).sum()
}

#[test]
fn a_point_without_the_tag_host_is_of_the_host_it_names_else_of_its_series() {
    let of_a = "applies_to: {measurement: m, where: {host: a}}";
    for (tags, host) in [
        ("env=prod,host=a", "a"),
        ("env=prod,instance=a:9100", "a"),
        ("rack=r,env=prod,zone=z", "m,env=prod,rack=r,zone=z"),
    ] {
        let body = Points::default()
            .at(60, &format!("m,{tags} v"), 95)
            .at(70, &format!("m,{tags} v"), 95)
            .body();
        let events = run(&rule("host", ANY), &body, 0);
        assert_eq!(short(&events), ["firing P1 @60"], "{tags}");
        assert_eq!(events[0].group, [("host".to_owned(), host.to_owned())]);
        let meant = run(&rule("host", of_a), &body, 0);
        assert_eq!(meant.len(), usize::from(host == "a"), "{tags}");
    }
}

#[test]
fn each_point_that_lacks_a_tag_of_the_group_is_counted() {
    let yaml = rule("host, path", ANY);
    let points: Vec<(i64, &str)> = (1..=4).map(|n| (n * 10, "m,host=a,env=prod")).collect();
    let log = log_of(&yaml, &points);
    assert_eq!(counted(&log, Tally::MissingGroupTag), 4);
    assert_eq!(core_support::events(log.actions), []);
}

#[test]
fn a_series_that_returns_after_its_group_expired_finds_no_other_group_in_its_place() {
    let yaml = rule("host, disk", &format!("{ANY}\nexpire_after: 1h"));
    let points = Points::default()
        .every(10, (0, 7_400), "beat,host=a,env=prod v", 1.0)
        .at(60, "m,host=a,env=prod,disk=old v", 5)
        .at(70, "m,host=a,env=prod,disk=old v", 5)
        .at(7_200, "m,host=a,env=prod,disk=new v", 5)
        .at(7_210, "m,host=a,env=prod,disk=new v", 5)
        .at(7_220, "m,host=a,env=prod,disk=old v", 95);
    let events = run(&yaml, &points.body(), 0);
    assert_eq!(short(&events), ["firing P1 @7220"]);
    let disk = |(key, value): &(String, String)| key == "disk" && value == "old";
    assert!(events[0].group.iter().any(disk), "{:?}", events[0].group);
}

#[test]
fn a_group_whose_tags_choose_another_grid_is_judged_at_its_next_point() {
    let yaml = format!(
        "template: t\ntitle: t\n{ANY}\none_alert_per: [host]\ncheck: v\nover: last of 1m\n\
         every: 5m\ninterval: 10s\nlevels: {{P1: {{above: 90}}}}\n---\n\
         override: fast\ntemplate: t\nfor: {{where: {{service: fast}}}}\nset: {{every: 1m}}\n"
    );
    // The series of the other tag is new to the host, or known to it.
    for known in [false, true] {
        let mut points = Vec::new();
        for at in (10..=400).step_by(10) {
            let fast = at > 100 || known && at == 20;
            let service = if fast { "fast" } else { "slow" };
            points.push((at, format!("m,host=a,env=prod,service={service}")));
        }
        let points: Vec<(i64, &str)> = points.iter().map(|(at, line)| (*at, &**line)).collect();
        let events = core_support::events(log_of(&yaml, &points).actions);
        assert_eq!(short(&events), ["firing P1 @60"], "{known}");
        let arrived = events[0].arrival.as_millis() / 1_000 - START;
        assert_eq!(arrived, 120, "{known}: with the point after the change");
    }
}

#[test]
fn overrides_that_contradict_each_other_are_counted_once_for_a_group() {
    let yaml = rule("host", ANY)
        + "---\noverride: a\ntemplate: t\nfor: {where: {service: s}}\nset: {levels: {P1: {above: 1}}}\n\
           ---\noverride: b\ntemplate: t\nfor: {where: {role: r}}\nset: {levels: {P1: {above: 2}}}\n";
    let line = "m,host=a,env=prod,service=s,role=r";
    let points: Vec<(i64, &str)> = (1..=5).map(|n| (n * 10, line)).collect();
    let mut log = log_of(&yaml, &points);
    // The mark that is repeated each hour is no new bundle.
    log.mark(60, 1);
    assert_eq!(counted(&log, Tally::OverrideConflict), 1);
}

#[test]
fn an_older_point_of_another_environment_does_not_change_the_groups() {
    let limits = "limit_by_env: {prod: P1, dev: P3}";
    for (second, priority) in [(55, "P1"), (60, "P3"), (65, "P3")] {
        let yaml = rule("host", &format!("{ANY}\n{limits}"))
            .replace("each point", "last of 1m\nevery: 60s\ninterval: 30s");
        let points = [(58, "m,host=a,env=prod"), (second, "m,host=a,env=dev")];
        let points: Vec<(i64, &str)> = if second == 60 {
            vec![(60, "m,host=a,env=prod"), points[1]]
        } else {
            points.to_vec()
        };
        let mut log = log_of(&yaml, &points);
        for n in 7..=20 {
            log.take(n * 10, Payload::Tick);
        }
        let events = core_support::events(log.actions);
        let shown = events[0].priority.map(|priority| priority.as_str());
        assert_eq!(shown, Some(priority), "{second}");
    }
}

#[test]
fn a_host_that_sends_only_what_is_joined_has_no_group() {
    let yaml = rule("host", ANY)
        .replace("check: v", "check: v / cap:v")
        .replace("each point", "last of 5m");
    let joined = log_of(
        &yaml,
        &[(60, "cap,host=a,env=prod"), (120, "cap,host=a,env=prod")],
    );
    assert_eq!(joined.partition.groups(), 0);
    let both = log_of(
        &yaml,
        &[(60, "m,host=a,env=prod"), (120, "cap,host=a,env=prod")],
    );
    assert_eq!(both.partition.groups(), 1);
}

#[test]
fn another_series_of_what_is_joined_leaves_the_group_what_it_has() {
    let yaml = "template: t\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [service]\n\
        check: v / cap:v\nover: average of 5m\ninterval: 10s\nlevels: {P1: {above: 1.1, for: 0m}}\n";
    let points = Points::default()
        .every(10, (0, 270), "m,host=a,service=s,env=prod v", 100.0)
        .every(10, (270, 330), "m,host=a,service=s,env=prod v", 300.0)
        .every(10, (0, 330), "cap,host=a,service=s,env=prod,k=x v", 100.0)
        .every(10, (270, 330), "cap,host=a,service=s,env=prod,k=y v", 100.0);
    let events = Fleet::new(yaml, 1).run(&points, 400).events;
    // 27 of 100 and 3 of 300 in the window.
    assert_eq!(short(&events), ["firing P1 @300"]);
    let value = events[0].value.unwrap();
    assert!((value - 1.2).abs() < 1e-9, "{value}");
}

#[test]
fn a_record_is_applied_once_and_one_behind_a_gap_of_the_log_too() {
    let mut log = log_of(&rule("host", ANY), &[(10, "m,host=a,env=prod")]);
    let line = Points::default().at(20, "m,host=b,env=prod v", 95).body();
    // The mark is at 0 and the first point at 1. Offsets leave out what the broker keeps for itself.
    for (offset, applied, next) in [(0, 0, 2), (1, 0, 2), (7, 1, 8), (7, 0, 8)] {
        let payload = Payload::Lines(line.as_bytes());
        let input = Input {
            offset,
            arrival: s(20),
            payload,
        };
        let events = core_support::events(step(&mut log.partition, input, &log.plans));
        assert_eq!(events.len(), applied, "{offset}");
        assert_eq!(log.partition.next_offset(), next, "{offset}");
    }
}
