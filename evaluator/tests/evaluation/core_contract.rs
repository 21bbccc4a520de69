//! Bullets of the contract of evaluation that no other table shows.

use super::core_support::{self, Log, Points, bundle, plan, run, s, short, tenant};
use evaluator::core::{Action, Payload, Plan};
use model::host_partition;
use schemas::catalogue::Bundle;

const DOWN: &str = include_str!("../../../templates/host-down.yaml");

fn rule(name: &str, rest: &str) -> String {
    format!(
        "template: {name}\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [host]\n\
         every: 60s\ninterval: 60s\n{rest}\n"
    )
}

#[test]
fn timers_fire_in_the_order_of_deadline_host_template_and_group() {
    let yaml = format!(
        "{DOWN}---\n{}",
        DOWN.replace("template: host-down", "template: a-down")
    );
    let mut log = Log::new(vec![plan(&yaml)]);
    log.mark(0, 1);
    for host in ["c", "b", "a"] {
        let line = Points::default().at(10, &format!("m,host={host},env=prod v"), 1);
        log.take(10, Payload::Lines(line.body().as_bytes()));
    }
    // One whose clock is 40 s ahead, so that its deadline comes first; its name comes last.
    let line = Points::default().at(50, "m,host=z,env=prod v", 1);
    log.take(10, Payload::Lines(line.body().as_bytes()));
    for n in 2..=40 {
        log.take(n * 10, Payload::Tick);
    }
    let events = core_support::events(log.actions);
    let order: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event.group[0].1, event.template))
        .collect();
    let wanted = ["z", "a", "b", "c"]
        .into_iter()
        .flat_map(|host| ["a-down", "host-down"].map(|template| format!("{host} {template}")));
    assert_eq!(order, wanted.collect::<Vec<_>>());
}

#[test]
fn samples_of_several_series_are_pooled_by_time_and_last_takes_the_worst() {
    let points = |first: f64, second: f64| {
        Points::default()
            .every(60, (0, 300), "m,host=a,env=prod,disk=x v", first)
            .every(60, (0, 300), "m,host=a,env=prod,disk=y v", second)
            .body()
    };
    let average = rule(
        "t",
        "check: v\nover: average of 5m\nlevels: {P1: {above: 50}}",
    );
    assert_eq!(short(&run(&average, &points(90.0, 5.0), 40)), [""; 0]);
    assert_eq!(short(&run(&average, &points(90.0, 15.0), 40)).len(), 1);
    let last = rule("t", "check: v\nover: last of 5m\nlevels: {P1: {above: 80}}");
    assert_eq!(short(&run(&last, &points(5.0, 90.0), 40)).len(), 1);
    assert_eq!(short(&run(&last, &points(90.0, 5.0), 40)).len(), 1);
    let low = rule("t", "check: v\nover: last of 5m\nlevels: {P1: {below: 10}}");
    assert_eq!(short(&run(&low, &points(5.0, 90.0), 40)).len(), 1);
}

#[test]
fn a_formula_within_a_point_is_computed_before_it_is_gathered() {
    let yaml = rule(
        "t",
        "check: used / total\nover: average of 2m\nlevels: {P1: {above: 0.5}}",
    );
    let line = |n: i64, used: i64, total: i64| {
        let at = s(n * 60).as_nanos();
        format!("m,host=a,env=prod used={used},total={total} {at}\n")
    };
    // The mean of 9/10 and 10/100 is 0.5, not above; of sums it would be 19/110; of 9/10 and 11/100 it is 0.505.
    let body = |used: i64| line(1, 0, 10) + &line(2, 9, 10) + &line(3, used, 100) + &line(4, 0, 10);
    assert_eq!(short(&run(&yaml, &body(10), 40)), [""; 0]);
    assert_eq!(short(&run(&yaml, &body(11), 40))[0], "firing P1 @180");
}

#[test]
fn a_division_by_zero_is_no_sample_and_then_the_half_decides() {
    let yaml = rule(
        "t",
        "check: 100 * used / total\nover: max of 4m\nlevels: {P1: {above: 50}}",
    );
    let body = |totals: [i64; 4]| -> String {
        let line = |(n, total): (i64, i64)| {
            format!(
                "m,host=a,env=prod used=9,total={total} {}\n",
                s(n * 60).as_nanos()
            )
        };
        (1..).zip(totals).map(line).collect()
    };
    assert_eq!(
        short(&run(&yaml, &body([0, 0, 10, 10]), 40)),
        ["firing P1 @240"]
    );
    assert_eq!(short(&run(&yaml, &body([0, 0, 0, 10]), 0)), [""; 0]);
}

#[test]
fn a_host_that_returns_is_new_again_before_its_other_data_is_missing() {
    let yaml = format!(
        "{DOWN}---\n{}",
        rule(
            "t",
            "check: v\nover: average of 10m\nlevels: {P1: {above: 50}}\nwhen_missing: P2"
        )
    );
    // The series of the rule is there, then the host is silent; it returns without that series for a while.
    let points = Points::default()
        .every(10, (0, 1_200), "beat,host=a,env=prod v", 1.0)
        .every(60, (0, 1_200), "m,host=a,env=prod v", 1.0)
        .every(10, (1_800, 2_000), "beat,host=a,env=prod v", 1.0);
    let events = run(&yaml, &points.body(), 0);
    let kinds: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event.template.as_str(), event.kind.as_str()))
        .collect();
    assert_eq!(kinds, [("host-down", "firing"), ("host-down", "resolved")]);
}

#[test]
fn what_is_wrong_with_hosts_is_found_by_its_kind() {
    let yaml = "template: f\ntitle: t\napplies_to: {measurement: bongsu_findings}\n\
        one_alert_per: [tenant, kind]\ncheck: hosts\nover: last of 5m\nlevels: {P3: {above: 0}}\n\
        when_missing: fine\n";
    let mut content = bundle(1, yaml, 30).content;
    content.partitions = 2;
    let bundle = Bundle::new(tenant(), 1, content);
    let mut log = Log::new(vec![Plan::compile(&bundle).unwrap()]);
    log.mark(0, 1);
    let home = |wanted: u32| {
        let names = (0..).map(|n| format!("h{n}"));
        let mut here = names.filter(|name| host_partition(name.as_bytes(), 2) == wanted);
        here.next().unwrap()
    };
    let (mine, stray) = (home(0), home(1));
    for n in 1..=30 {
        let all = "env=prod,service=s,os=linux";
        let lines = Points::default()
            .at(n * 10, &format!("m,host={mine},{all} v"), 1)
            .at(n * 10 + 600, &format!("m,host={stray},{all} v"), 1);
        log.take(n * 10, Payload::Lines(lines.body().as_bytes()));
    }
    let mut reports = log.actions.iter().filter_map(|action| match action {
        Action::Derive(report) => Some(report.lines.clone()),
        _ => None,
    });
    let last = reports.next_back().unwrap();
    let of = |kind: &str| {
        let line = last
            .lines()
            .find(|line| line.contains(&format!("kind={kind},")));
        line.unwrap().to_owned()
    };
    assert!(of("missing-tag").contains("hosts=0i"), "{last}");
    let two = of("two-partitions");
    assert!(
        two.contains("hosts=1i") && two.contains(&stray) && two.contains("routing_tag"),
        "{two}"
    );
    let skewed = of("clock-skew");
    assert!(
        skewed.contains("hosts=1i") && skewed.contains(&format!("{stray} (10m)")),
        "{skewed}"
    );
}

#[test]
fn a_clock_that_is_off_by_more_than_two_minutes_is_found() {
    let yaml = "template: f\ntitle: t\napplies_to: {measurement: bongsu_findings}\n\
        one_alert_per: [tenant, kind]\ncheck: hosts\nover: last of 5m\nlevels: {P3: {above: 0}}\n";
    for (off, found) in [
        (120, false),
        (121, true),
        (-120, false),
        (-121, true),
        (-600, true),
    ] {
        let mut log = Log::new(vec![plan(yaml)]);
        log.mark(0, 1);
        let mut last = String::new();
        for n in 1..=12 {
            // A leap of over two minutes at once would not be believed.
            let off = if n == 1 { off.min(60) } else { off };
            let point = Points::default().at(n * 10 + off, "m,host=a,env=prod v", 1);
            for action in log.take(n * 10, Payload::Lines(point.body().as_bytes())) {
                if let Action::Derive(report) = action {
                    last = report.lines;
                }
            }
        }
        let line = last.lines().find(|line| line.contains("kind=clock-skew"));
        let hosts = format!("hosts={}i", u8::from(found));
        assert!(line.unwrap().contains(&hosts), "{off}: {last}");
    }
}

#[test]
fn an_event_is_of_the_grid_point_that_decided_it_and_not_of_when_it_was_computed() {
    let yaml = rule("t", "check: v\nover: last of 1m\nlevels: {P1: {above: 50}}");
    let mut log = Log::new(vec![plan(&yaml)]);
    log.mark(0, 1);
    let points = Points::default().at(60, "m,host=a,env=prod v", 90);
    // A backlog of 10 minutes: it arrives late, and the host goes on.
    let later = Points::default().at(120, "m,host=a,env=prod v", 90);
    log.take(660, Payload::Lines(points.body().as_bytes()));
    log.take(661, Payload::Lines(later.body().as_bytes()));
    let events = core_support::events(log.actions);
    assert_eq!(short(&events), ["firing P1 @60"]);
    assert_eq!(events[0].arrival, s(661));
}
