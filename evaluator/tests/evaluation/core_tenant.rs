//! What spans a tenant's hosts and partitions: the inventory, the census, usage and findings.

use super::core_support::{self, Log, Points, bundle, plan, run, s, short, tenant};
use evaluator::core::{Action, Derived, Input, Partition, Payload, Plan, Plans, Replay, step};
use model::{AlertEvent, Span, host_partition};
use schemas::catalogue::Bundle;

const DOWN: &str = include_str!("../../../templates/host-down.yaml");

const INGEST: &str = include_str!("../../../templates/tenant-ingest.yaml");

fn beats(hosts: std::ops::Range<i64>, (from, to): (i64, i64)) -> Points {
    hosts.fold(Points::default(), |points, n| {
        points.every(10, (from, to), &format!("cpu,host=h{n},env=prod v"), 1.0)
    })
}

fn of<'a>(events: &'a [AlertEvent], template: &str) -> Vec<&'a AlertEvent> {
    events.iter().filter(|e| e.template == template).collect()
}

#[test]
fn more_than_thirty_percent_of_at_least_ten_hosts_silent_at_once_is_one_p1() {
    let yaml = format!("{DOWN}---\n{INGEST}");
    for (hosts, silent, fires) in [(10, 4, true), (10, 3, false), (9, 8, false)] {
        let mut points = beats(0..hosts, (0, 600));
        points.0.extend(beats(silent..hosts, (600, 1_500)).0);
        let events = run(&yaml, &points.body(), 40);
        let ingest = of(&events, "tenant-ingest");
        assert_eq!(ingest.len(), usize::from(fires), "{silent} of {hosts}");
        assert_eq!(of(&events, "host-down").len(), silent as usize);
        if let Some(event) = ingest.first() {
            assert_eq!(event.group, [("tenant".to_owned(), "acme".to_owned())]);
            assert_eq!(event.title, "40 percent of the hosts of acme do not report");
        }
    }
}

#[test]
fn hosts_without_the_tags_of_the_standard_are_listed_in_one_event() {
    let yaml = include_str!("../../../templates/tag-compliance.yaml");
    let points = Points::default()
        .every(
            10,
            (0, 5_400),
            "cpu,host=a,env=prod,service=s,os=linux v",
            1.0,
        )
        .every(10, (0, 5_400), "cpu,host=b,env=prod v", 1.0)
        .every(10, (0, 5_400), "cpu,host=c,os=linux v", 1.0);
    let events = run(yaml, &points.body(), 40);
    assert_eq!(events.len(), 1, "{:?}", short(&events));
    assert_eq!(events[0].value, Some(2.0));
    let why = &events[0].why;
    assert!(why.ends_with(": b (service os), c (env service)"), "{why}");
}

#[test]
fn how_many_hosts_keep_to_the_standard_is_told_each_minute() {
    let yaml = include_str!("../../../templates/tag-compliance.yaml");
    let points = Points::default()
        .every(
            10,
            (0, 600),
            "cpu,host=a,env=prod,service=s,os=linux v",
            1.0,
        )
        .every(
            10,
            (0, 600),
            "cpu,host=b,env=prod,service=s,os=linux v",
            1.0,
        )
        .every(10, (0, 600), "cpu,host=c,env=prod v", 1.0)
        .every(10, (300, 600), "mem,host=c,service=s,os=linux v", 1.0);
    let mut replay = Replay::new(tenant(), plan(yaml));
    let mut actions = replay.take(points.body().as_bytes());
    actions.extend(replay.pass(Span::from_secs(120)));
    let seen: Vec<(u64, u64)> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Tags(seen) => Some((seen.hosts, seen.lacking)),
            _ => None,
        })
        .collect();
    assert!(seen.len() >= 9, "{seen:?}");
    assert_eq!(seen[0], (3, 1), "{seen:?}");
    assert_eq!(seen.last(), Some(&(3, 0)), "{seen:?}");
}

#[test]
fn one_point_with_a_tag_of_the_standard_is_enough_and_a_clock_that_is_off_is_no_lack() {
    let yaml = include_str!("../../../templates/tag-compliance.yaml");
    let (all, ahead) = ("env=prod,service=s,os=linux", 600);
    let mut log = Log::new(vec![plan(yaml)]);
    log.mark(0, 1);
    let mut told = Vec::new();
    for n in 1..=60 {
        let mut points = Points::default()
            .at(n * 10, "cpu,host=a,env=prod v", 1.0)
            .at(n * 10 + ahead, &format!("cpu,host=b,{all} v"), 1.0);
        if n == 30 {
            points = points.at(n * 10, "mem,host=a,service=s,os=linux v", 1.0);
        }
        let mut actions = log.take(n * 10, Payload::Lines(points.body().as_bytes()));
        // Reports come back by the log.
        while let Some(action) = actions.pop() {
            match action {
                Action::Derive(Derived { at, from, lines }) => {
                    let lines = &lines;
                    let back = Payload::Derived { at, from, lines };
                    actions.extend(log.take(n * 10, back));
                }
                Action::Tags(seen) => told.push((seen.hosts, seen.lacking)),
                _ => {}
            }
        }
    }
    assert_eq!(told.first(), Some(&(2, 1)), "{told:?}");
    assert_eq!(told.last(), Some(&(2, 0)), "{told:?}");
}

#[test]
fn of_a_tenant_without_hosts_no_compliance_is_told() {
    let yaml = include_str!("../../../templates/tag-compliance.yaml");
    for (hosts, told) in [(0, 0), (1, 1)] {
        let mut log = Log::new(vec![plan(yaml)]);
        log.mark(0, 1);
        let lines = format!(
            "bongsu_census,tenant=acme hosts_known={hosts}i {}\n",
            s(60).as_nanos()
        );
        let (at, from, lines) = (s(60), 0, lines.as_str());
        let actions = log.take(95, Payload::Derived { at, from, lines });
        let tags = |action: &&Action| matches!(action, Action::Tags(_));
        assert_eq!(actions.iter().filter(tags).count(), told, "{hosts}");
    }
}

#[test]
fn usage_is_counted_by_measurement_with_the_time_it_was_first_seen() {
    let yaml = "template: usage\ntitle: t\napplies_to: {measurement: bongsu_usage}\n\
        one_alert_per: [tenant, measurement]\ncheck: points\nover: sum of 10m\n\
        levels: {P3: {above: 100}}\nwhen_missing: fine\n---\n";
    let yaml = yaml.to_owned() + include_str!("../../../templates/new-measurement.yaml");
    const HOUR: i64 = 3_600;
    let points = beats(0..3, (0, 20 * 60))
        .every(60, (20 * 60, 30 * HOUR), "cpu,host=h0,env=prod v", 1.0)
        .every(60, (600, 20 * 60), "mem,host=h0,env=prod v", 1.0)
        .every(60, (26 * HOUR, 30 * HOUR), "swap,host=h0,env=prod v", 1.0);
    let events = run(&yaml, &points.body(), 40);
    let used = of(&events, "usage");
    let measurement = |event: &AlertEvent| event.group[0].1.clone();
    let names: Vec<String> = used.iter().map(|event| measurement(event)).collect();
    assert_eq!(names, ["cpu", "cpu"], "fired and resolved");
    // What came on the tenant's first day is not told as new.
    let new: Vec<(String, &str, i64)> = of(&events, "new-measurement")
        .iter()
        .map(|event| {
            let minutes = event.at.since(s(0)).as_millis() / 60_000;
            (measurement(event), event.kind.as_str(), minutes)
        })
        .collect();
    let swap = |kind, at| ("swap".to_owned(), kind, at);
    assert_eq!(
        new,
        [swap("firing", 26 * 60 + 1), swap("resolved", 27 * 60 + 1)]
    );
}

#[test]
fn a_tenants_points_and_bytes_of_a_day_are_held_against_its_contract() {
    let yaml = [
        include_str!("../../../templates/usage-points.yaml"),
        include_str!("../../../templates/usage-bytes.yaml"),
    ];
    let contract = "---\noverride: acme\ntemplate: usage-points\nfor: {tenant: acme}\n\
        set: {levels: {P3: {above: 4000}}}\n";
    let yaml = yaml.join("---\n") + contract;
    // 3 points a minute: 4,320 a day.
    let points = (0..3).fold(Points::default(), |points, n| {
        let series = format!("m{n},host=h{n},env=prod v");
        points.every(60, (0, 25 * 3_600), &series, 1.0)
    });
    let events = run(&yaml, &points.body(), 40);
    assert_eq!(events.len(), 1, "{:?}", short(&events));
    assert_eq!(events[0].template, "usage-points");
    assert_eq!(events[0].group, [("tenant".to_owned(), "acme".to_owned())]);
    assert!(events[0].value > Some(4_000.0), "{:?}", events[0].value);
}

#[test]
fn what_hosts_send_under_a_derived_name_is_not_judged_as_derived() {
    let points = Points::default().every(
        60,
        (0, 600),
        "bongsu_census,host=h0,tenant=acme hosts_known=20,hosts_silent",
        19.0,
    );
    assert_eq!(short(&run(INGEST, &points.body(), 40)), [""; 0]);
}

fn of_two(yaml: &str) -> Bundle {
    let mut content = bundle(1, yaml, 30).content;
    content.partitions = 2;
    Bundle::new(tenant(), 1, content)
}

/// Reports of two partitions in the first one's log.
/// Arrival, and a report: its grid point, its partition and how many hosts are silent; none: a tick.
type Said = (i64, Option<(i64, u32, i64)>);

fn judged(records: &[Said]) -> Vec<AlertEvent> {
    let bundle = of_two(INGEST);
    let mut plans = Plans::new();
    plans.insert(Plan::compile(&bundle).unwrap());
    let mut partition = Partition::new(tenant(), 0);
    let mut actions = Vec::new();
    let mark = Payload::BundleMark {
        revision: 1,
        hash: &bundle.hash,
    };
    let mut feed = |arrival: i64, payload: Payload<'_>| {
        let offset = partition.next_offset();
        let input = Input {
            offset,
            arrival: s(arrival),
            payload,
        };
        actions.extend(step(&mut partition, input, &plans));
    };
    feed(0, mark);
    for (arrival, report) in records {
        match report {
            None => feed(*arrival, Payload::Tick),
            Some((at, from, silent)) => {
                let lines = format!(
                    "bongsu_census,tenant=acme hosts_known=10i,hosts_silent={silent}i {}\n",
                    s(*at).as_nanos()
                );
                let payload = Payload::Derived {
                    at: s(*at),
                    from: *from,
                    lines: &lines,
                };
                feed(*arrival, payload);
            }
        }
    }
    core_support::events(actions)
}

#[test]
fn a_grid_point_is_judged_when_all_partitions_have_reported_it() {
    let events = judged(&[(95, Some((60, 0, 3))), (97, Some((60, 1, 4)))]);
    assert_eq!(short(&events), ["firing P1 @60"]);
    assert_eq!(events[0].arrival, s(97));
}

#[test]
fn a_repeat_of_a_report_is_dropped() {
    let events = judged(&[
        (95, Some((60, 0, 3))),
        (96, Some((60, 0, 9))),
        (97, Some((60, 1, 1))),
        (98, Some((60, 1, 9))),
    ]);
    assert_eq!(short(&events), [""; 0]);
}

#[test]
fn a_report_from_no_partition_or_of_what_was_judged_is_dropped() {
    let judged_at_97 = [(95, Some((60, 0, 1))), (97, Some((60, 1, 1)))];
    let again = [judged_at_97[0], judged_at_97[1], (200, Some((60, 1, 9)))];
    let stranger = [
        (95, Some((60, 0, 1))),
        (96, Some((60, 2, 9))),
        (97, Some((60, 1, 1))),
    ];
    // As the partition with 9 hosts that are silent would have been heard.
    let heard = [(95, Some((60, 0, 1))), (96, Some((60, 1, 9)))];
    for (records, fires) in [(&again[..], 0), (&stranger, 0), (&heard, 1)] {
        let mut records = records.to_vec();
        records.extend((21..=40).map(|n| (n * 10, None)));
        assert_eq!(judged(&records).len(), fires, "{records:?}");
    }
}

#[test]
fn the_examples_of_all_partitions_are_named_one_after_another() {
    let yaml = "template: f\ntitle: t\napplies_to: {measurement: bongsu_findings}\n\
        one_alert_per: [tenant, kind]\ncheck: hosts\nover: each point\nlevels: {P3: {above: 0}}\n";
    for (first, second, named) in [
        ("a", "b", ": a, b"),
        ("", "b", ": b"),
        ("a", "", ": a"),
        ("a, c", "b", ": a, c, b"),
    ] {
        let mut log = Log::new(vec![plan_of(&of_two(yaml))]);
        log.mark(0, 1);
        for (from, example) in [(0, first), (1, second)] {
            let lines = format!(
                "bongsu_findings,kind=k,tenant=acme hosts=1i,example=\"{example}\" {}\n",
                s(60).as_nanos()
            );
            let (at, lines) = (s(60), lines.as_str());
            log.take(95, Payload::Derived { at, from, lines });
        }
        let events = core_support::events(log.actions);
        assert!(events[0].why.ends_with(named), "{named}: {}", events[0].why);
    }
}

#[test]
fn a_report_that_no_template_reads_leaves_nothing() {
    let mut log = Log::new(vec![plan(DOWN)]);
    log.mark(0, 1);
    let (at, from, lines) = (s(60), 0, "bongsu_census,tenant=acme hosts_known=1i 60\n");
    log.take(95, Payload::Derived { at, from, lines });
    assert_eq!(log.partition.dirty_parts(), 0);
}

#[test]
fn a_partition_that_does_not_report_is_waited_for_and_then_its_last_numbers_count() {
    let mut records = vec![
        (95, Some((60, 0, 1))),
        (96, Some((60, 1, 4))),
        (155, Some((120, 0, 3))),
    ];
    records.extend((16..=25).map(|n| (n * 10, None)));
    let events = judged(&records);
    assert_eq!(short(&events), ["firing P1 @120"]);
    assert_eq!(events[0].arrival, s(240));
    assert!(
        events[0].why.contains("1 partitions have not reported"),
        "{}",
        events[0].why
    );
}

#[test]
fn a_partition_reports_each_grid_point_once_its_arrival_passed_it_by_the_lateness() {
    let mut log = Log::new(vec![plan_of(&of_two(INGEST))]);
    log.mark(0, 1);
    let mut reports = Vec::new();
    for n in 1..=40 {
        for action in log.take(n * 5, Payload::Tick) {
            if let Action::Derive(Derived { at, from, .. }) = action {
                reports.push((at.since(s(0)).as_millis() / 1_000, from, n * 5));
            }
        }
    }
    assert_eq!(reports, [(0, 0, 30), (60, 0, 90), (120, 0, 150)]);
}

fn plan_of(bundle: &Bundle) -> Plan {
    Plan::compile(bundle).unwrap()
}

fn with_inventory(revision: u64, hosts: &[&str], partitions: u32) -> Bundle {
    let mut content = bundle(revision, DOWN, 30).content;
    content.inventory = hosts.iter().map(|host| (*host).to_owned()).collect();
    content.inventory.sort_unstable();
    content.partitions = partitions;
    Bundle::new(tenant(), revision, content)
}

#[test]
fn a_host_of_the_inventory_that_never_reported_is_down_and_ends_when_it_is_retired() {
    let mut log = Log::new(vec![plan_of(&with_inventory(1, &["a", "b"], 1))]);
    log.mark(0, 1);
    for n in 1..=40 {
        let line = Points::default()
            .at(n * 10, "cpu,host=a,env=prod v", 1)
            .body();
        log.take(n * 10, Payload::Lines(line.as_bytes()));
    }
    log.plans.insert(plan_of(&with_inventory(2, &["a"], 1)));
    log.mark(410, 2);
    let events = core_support::events(log.actions.clone());
    assert_eq!(short(&events), ["firing P1 @180", "expired - @410"]);
    assert_eq!(events[0].group, [("host".to_owned(), "b".to_owned())]);
    assert_eq!(log.partition.hosts(), 1);
    // One that still reports stays when it is taken out, and is down once it falls silent.
    log.plans.insert(plan_of(&with_inventory(3, &[], 1)));
    log.mark(415, 3);
    assert_eq!(log.partition.hosts(), 1);
    for n in 42..=80 {
        log.take(n * 10, Payload::Tick);
    }
    let last = core_support::events(log.actions).pop().unwrap();
    assert_eq!(last.kind.as_str(), "firing");
    assert_eq!(last.group, [("host".to_owned(), "a".to_owned())]);
}

#[test]
fn each_host_of_the_inventory_is_expected_in_one_partition() {
    let hosts: Vec<String> = (0..40).map(|n| format!("h{n}")).collect();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let bundle = with_inventory(1, &names, 4);
    let mut plans = Plans::new();
    plans.insert(plan_of(&bundle));
    let mut seen = 0;
    for number in 0..4 {
        let mut partition = Partition::new(tenant(), number);
        let payload = Payload::BundleMark {
            revision: 1,
            hash: &bundle.hash,
        };
        let input = Input {
            offset: 0,
            arrival: s(0),
            payload,
        };
        step(&mut partition, input, &plans);
        let home = |name: &&&str| host_partition(name.as_bytes(), 4) == number;
        assert_eq!(partition.hosts(), names.iter().filter(home).count());
        seen += partition.hosts();
    }
    assert_eq!(seen, 40);
}

/// Hosts that report every 5 minutes, and a host-down rule that knows it.
const SLOW: &str =
    "override: slow\ntemplate: host-down\nfor: {tenant: acme}\nset: {interval: 5m}\n";

#[test]
fn hosts_are_silent_by_the_rule_that_holds_for_them() {
    let points = (0..12).fold(Points::default(), |points, n| {
        points.every(300, (0, 3_600), &format!("m,host=h{n},env=prod v"), 1.0)
    });
    let ingest = |yaml: &str, points: &Points| {
        let events = run(yaml, &points.body(), 1_200);
        short(
            &events
                .into_iter()
                .filter(|e| e.template == "tenant-ingest")
                .collect::<Vec<_>>(),
        )
    };
    let yaml = format!("{DOWN}---\n{INGEST}---\n{SLOW}");
    assert_eq!(ingest(&yaml, &points), ["firing P1 @4500"]);
    // Without the override they are down between their points.
    let yaml = format!("{DOWN}---\n{INGEST}");
    assert_eq!(ingest(&yaml, &points)[0], "firing P1 @420");
}

#[test]
fn a_host_that_reports_as_often_as_its_rule_says_does_not_return_with_each_point() {
    let rule = "template: t\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\nover: last of 5m\n\
                interval: 5m\nlevels:\n  P1: {above: 90}\nwhen_missing: P2\n";
    let points = Points::default()
        .every(300, (0, 3_600), "m,host=a,env=prod v", 1.0)
        .every(300, (0, 7_200), "beat,host=a,env=prod v", 1.0);
    // The window (3600, 3900] is the first that is Unknown; for 3 intervals more nothing is decided.
    for yaml in [rule.to_owned(), format!("{DOWN}---\n{SLOW}---\n{rule}")] {
        let events = run(&yaml, &points.body(), 40);
        assert_eq!(short(&events), ["firing P2 @4800"]);
    }
}
