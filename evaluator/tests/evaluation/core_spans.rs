//! Groups without a host: one alert for all hosts of a service, or of a tenant, wherever they lie.

use super::core_support::{
    self, Log, Points, START, bundle, fleet::Fleet, plan, run, s, short, tenant,
};
use evaluator::core::{Action, Partition, Payload, Plan, Replay, template_test};
use model::{AlertEvent, Priority, Span, host_partition};
use schemas::catalogue::{Entry, parse_yaml};

const MINUTE: i64 = 60;

/// A rule over all hosts of each service.
fn rule(check: &str, over: &str, level: &str) -> String {
    format!(
        "template: service\ntitle: \"{{service}}\"\napplies_to: {{measurement: req}}\n\
         one_alert_per: [service]\ncheck: {check:?}\nover: {over}\ninterval: 10s\n\
         levels: {{P1: {{{level}}}}}\n"
    )
}

/// Eight hosts of two services over 40 minutes. From the 10th to the 25th one of them is slow and fails; one of its
/// hosts has its counters reset on the way.
fn requests() -> Points {
    let mut points = Points::default();
    let (mut errors, mut total) = ([0_i64; 8], [0_i64; 8]);
    for at in (10..=40 * MINUTE).step_by(10) {
        for host in 0..8_usize {
            let service = if host < 4 { "a" } else { "b" };
            let bad = service == "a" && (10 * MINUTE..25 * MINUTE).contains(&at);
            if host == 2 && at == 1_000 {
                (errors[host], total[host]) = (0, 0);
            }
            errors[host] += if bad { 20 } else { 1 };
            total[host] += 100;
            let ms = 20 + host as i64 + if bad { 300 } else { at % 7 };
            points = points.at(
                at,
                &format!(
                    "req,host=h{host},service={service},env=prod errors={}i,total={}i,ms",
                    errors[host], total[host]
                ),
                ms,
            );
        }
        points = points.at(at, "cap,host=c0,service=a,env=prod limit", 250);
    }
    points
}

#[test]
fn each_function_says_the_same_however_the_hosts_are_shared_out_over_partitions() {
    for (check, over, level) in [
        (
            "ms",
            "average of 5m",
            "above: 100, until_below: 90, for: 2m",
        ),
        ("ms", "min of 2m", "above: 100"),
        ("ms", "max of 1m", "above: 100"),
        ("ms", "sum of 1m", "above: 5000"),
        ("ms > 100", "count of 5m", "above: 50"),
        ("ms", "last of 1m", "above: 100"),
        ("ms", "quantile 0.9 of 5m", "above: 100"),
        ("errors", "delta of 5m", "above: 300"),
        ("errors", "rate of 5m", "above: 2"),
        ("ms", "change of 5m", "above: 100"),
        ("ms", "2 of the last 3 samples", "above: 100"),
        ("rate(errors) / rate(total)", "average of 5m", "above: 0.05"),
        ("last(ms) - last(cap:limit)", "last of 5m", "above: 0"),
    ] {
        let yaml = rule(check, over, level);
        let points = requests();
        let one = Fleet::new(&yaml, 1).run(&points, 42 * MINUTE).events;
        assert!(
            one.len() >= 2 && one[0].kind.as_str() == "firing",
            "{check} {over}: {:?}",
            short(&one)
        );
        assert_eq!(
            one.last().unwrap().kind.as_str(),
            "resolved",
            "{check} {over}"
        );
        let service = [("service".to_owned(), "a".to_owned())];
        assert!(one.iter().all(|event| event.group == service), "{check}");
        for partitions in [2, 5] {
            let shared = Fleet::new(&yaml, partitions)
                .run(&points, 42 * MINUTE)
                .events;
            assert_eq!(shared, one, "{check} {over}, {partitions} partitions");
        }
        // A file is one partition, and says the same.
        let replayed = run(&yaml, &points.body(), 120);
        let told = |events: &[AlertEvent]| -> Vec<_> {
            let told =
                |event: &AlertEvent| (event.event_id.to_string(), event.value, event.why.clone());
            events.iter().map(told).collect()
        };
        assert_eq!(told(&replayed), told(&one), "{check} {over}");
    }
}

#[test]
fn the_values_are_those_of_all_samples_pooled() {
    let points = |value: fn(i64) -> f64| {
        (0..4).fold(Points::default(), |points, n| {
            points.every(
                10,
                (0, 12 * MINUTE),
                &format!("req,host=h{n},service=a,env=prod v"),
                value(n),
            )
        })
    };
    for (over, expected) in [
        ("average of 5m", 2.5),
        ("sum of 1m", 60.0),
        ("count of 1m", 24.0),
        ("min of 5m", 1.0),
        ("max of 5m", 4.0),
        // Of one time the worst; the level is above, so the highest.
        ("last of 1m", 4.0),
    ] {
        let yaml = rule("v", over, "above: 0.5");
        let events = Fleet::new(&yaml, 3)
            .run(&points(|n| (n + 1) as f64), 13 * MINUTE)
            .events;
        assert_eq!(events[0].value, Some(expected), "{over}");
    }
    // Half of 1, 2, 3 and 4 lie below 2.5; buckets are exact within 0.4 %.
    let yaml = rule("v", "quantile 0.5 of 5m", "above: 0.5");
    let events = Fleet::new(&yaml, 3)
        .run(&points(|n| (n + 1) as f64), 13 * MINUTE)
        .events;
    let median = events[0].value.unwrap();
    assert!((2.0..=3.02).contains(&median), "{median}");
}

#[test]
fn one_alert_per_tenant_is_one_for_all_of_its_hosts() {
    let yaml = rule("ms", "average of 5m", "above: 80").replace("[service]", "[tenant]");
    let yaml = yaml.replace("{service}", "{tenant}");
    let events = Fleet::new(&yaml, 4).run(&requests(), 42 * MINUTE).events;
    assert_eq!(events.len(), 2, "{:?}", short(&events));
    assert_eq!(events[0].group, [("tenant".to_owned(), "acme".to_owned())]);
    assert_eq!(events[0].title, "acme");
}

#[test]
fn a_service_of_which_no_host_reports_follows_the_policy_and_expires() {
    let yaml = rule("ms", "average of 5m", "above: 1000")
        + "when_missing: P2\nmissing_after: 10m\nexpire_after: 2h\n";
    let mut points = Points::default();
    for n in 0..4 {
        points = points.every(
            10,
            (0, 20 * MINUTE),
            &format!("req,host=h{n},service=a,env=prod ms"),
            1.0,
        );
        // The tenant itself lives.
        points = points.every(
            60,
            (0, 200 * MINUTE),
            &format!("req,host=x{n},service=b,env=prod ms"),
            1.0,
        );
    }
    let events = Fleet::new(&yaml, 3).run(&points, 200 * MINUTE).events;
    let of_a: Vec<AlertEvent> = events.into_iter().filter(|e| e.group[0].1 == "a").collect();
    assert_eq!(short(&of_a), ["firing P2 @1800", "expired - @8400"]);
    assert!(
        of_a[0].why.starts_with("no data for 10m"),
        "{}",
        of_a[0].why
    );
    // One host that goes on is enough for the service.
    let points = points.every(
        10,
        (20 * MINUTE, 200 * MINUTE),
        "req,host=h1,service=a,env=prod ms",
        1.0,
    );
    let events = Fleet::new(&yaml, 3).run(&points, 200 * MINUTE).events;
    assert_eq!(short(&events), [""; 0]);
}

#[test]
fn fewer_than_half_of_the_expected_samples_of_all_hosts_are_unknown() {
    for (every, fires) in [(20, true), (30, false)] {
        let points = (0..4).fold(Points::default(), |points, n| {
            points.every(
                every,
                (0, 20 * MINUTE),
                &format!("req,host=h{n},service=a,env=prod ms"),
                500.0,
            )
        });
        let yaml = rule("ms", "average of 5m", "above: 100");
        let events = Fleet::new(&yaml, 2).run(&points, 22 * MINUTE).events;
        assert_eq!(!events.is_empty(), fires, "every {every} s");
    }
}

#[test]
fn hosts_to_which_the_condition_does_not_apply_do_not_count() {
    let yaml = rule("ms", "average of 5m", "above: 100") + "only_when: total > 0\n";
    let line = |n: i64, total: i64| format!("req,host=h{n},service=a,env=prod total={total}i,ms");
    let idle = Points::default().every(10, (0, 20 * MINUTE), &line(0, 0), 10_000.0);
    assert_eq!(
        short(&Fleet::new(&yaml, 2).run(&idle, 21 * MINUTE).events),
        [""; 0]
    );
    let busy = idle.clone().every(10, (0, 20 * MINUTE), &line(1, 5), 50.0);
    assert_eq!(
        short(&Fleet::new(&yaml, 2).run(&busy, 21 * MINUTE).events),
        [""; 0]
    );
    let busy = idle.every(10, (0, 20 * MINUTE), &line(1, 5), 150.0);
    let events = Fleet::new(&yaml, 2).run(&busy, 21 * MINUTE).events;
    assert_eq!(events[0].value, Some(150.0));
}

#[test]
fn a_group_recovers_when_its_condition_applies_to_no_host_and_fires_when_it_does_again() {
    let yaml = rule("ms", "average of 5m", "above: 100") + "only_when: total > 0\n";
    let line = |total: i64| format!("req,host=h0,service=a,env=prod total={total}i,ms");
    let points = Points::default()
        .every(10, (0, 10 * MINUTE), &line(5), 500.0)
        .every(10, (10 * MINUTE, 20 * MINUTE), &line(0), 500.0)
        .every(10, (20 * MINUTE, 30 * MINUTE), &line(5), 500.0);
    let events = Fleet::new(&yaml, 2).run(&points, 30 * MINUTE).events;
    let wanted = ["firing P1 @180", "resolved - @660", "firing P1 @1380"];
    assert_eq!(short(&events), wanted);
    let why = &events[1].why;
    assert!(why.contains("does not apply any more"), "{why}");
}

#[test]
fn the_last_samples_of_all_hosts_are_of_twice_as_many_intervals() {
    let yaml = rule("ms", "2 of the last 3 samples", "above: 100") + "when_missing: resolve\n";
    let points = Points::default()
        .every(
            10,
            (0, 10 * MINUTE),
            "req,host=h0,service=a,env=prod ms",
            500.0,
        )
        .every(
            10,
            (0, 25 * MINUTE),
            "req,host=h1,service=b,env=prod ms",
            1.0,
        );
    let events = Fleet::new(&yaml, 2).run(&points, 25 * MINUTE).events;
    // Six minutes after its last sample nothing is known, three grid points later it is over.
    assert_eq!(short(&events), ["firing P1 @60", "resolved - @1140"]);
}

#[test]
fn a_point_counts_at_its_true_time_when_its_hosts_clock_is_off() {
    // h1 is 100 s ahead: what it shows for 700 is of 600.
    let mut fleet = Fleet::new(&rule("ms", "sum of 1m", "above: 1000"), 1);
    for at in (10..=20 * MINUTE).step_by(10) {
        let value = if at == 10 * MINUTE { 600 } else { 1 };
        for (host, ahead) in [("h0", 0), ("h1", 100)] {
            let line = format!(
                "req,host={host},service=a,env=prod ms={value} {}",
                (START + at + ahead) * 1_000_000_000
            );
            fleet.take(0, s(at), Payload::Lines(line.as_bytes()));
        }
        fleet.tick(at);
    }
    let told = short(&fleet.events);
    assert_eq!(
        told,
        ["firing P1 @600", "resolved - @660"],
        "both 600 lie in one minute"
    );
}

#[test]
fn the_environment_caps_and_a_late_partition_is_waited_for_and_told() {
    let yaml = rule("ms", "average of 5m", "above: 100");
    let points = requests();
    let body = points.body().replace("env=prod", "env=dev");
    let events = run(&yaml, &body, 120);
    assert_eq!(events[0].priority, Some(Priority::P3));
    assert!(
        events[0].why.contains("the most for env dev"),
        "{}",
        events[0].why
    );

    // The second partition says nothing from the 9th minute on.
    let mut fleet = Fleet::new(&yaml, 2);
    for at in (10..=20 * MINUTE).step_by(10) {
        for host in 0..8_i64 {
            let home = host_partition(format!("h{host}").as_bytes(), 2) as usize;
            if home == 1 && at > 9 * MINUTE {
                continue;
            }
            let ms = if at > 10 * MINUTE { 900 } else { 1 };
            let line =
                Points::default().at(at, &format!("req,host=h{host},service=a,env=prod ms"), ms);
            fleet.take(home, s(at), Payload::Lines(line.body().as_bytes()));
        }
        fleet.take(0, s(at), Payload::Tick);
        if at <= 9 * MINUTE {
            fleet.take(1, s(at), Payload::Tick);
        }
    }
    let event = &fleet.events[0];
    assert!(
        event.why.ends_with(": 1 partitions have not reported"),
        "{}",
        event.why
    );
    // What it was computed from came before the tick by which it was judged: 90 s after its grid point and the lateness.
    assert_eq!(event.arrival, event.at.plus(Span::from_secs(30)));
}

#[test]
fn a_restart_from_any_record_gives_the_same_events() {
    let yaml = rule(
        "rate(errors) / rate(total)",
        "average of 5m",
        "above: 0.05, for: 2m, recover_for: 1m",
    );
    let plan_of = || plan(&yaml);
    let mut undisturbed = Replay::new(tenant(), plan_of());
    let mut expected = undisturbed.take(requests().body().as_bytes());
    expected.extend(undisturbed.pass(Span::from_secs(120)));
    let expected = core_support::events(expected);
    assert_eq!(expected.len(), 2);

    let mut log = Log::new(vec![plan_of()]);
    log.mark(0, 1);
    let mut found = Vec::new();
    let mut points = requests().0;
    points.sort_by_key(|(at, _)| *at);
    let mut lines = points.iter().peekable();
    for at in (10..=42 * MINUTE).step_by(10) {
        let mut body = String::new();
        while let Some((_, line)) = lines.next_if(|(when, _)| *when <= at) {
            body += line;
            body.push('\n');
        }
        let mut actions = log.take(at, Payload::Lines(body.as_bytes()));
        while let Some(n) = actions.iter().position(|a| matches!(a, Action::Derive(_))) {
            let Action::Derive(report) = actions.remove(n) else {
                unreachable!()
            };
            let (at_grid, from, lines) = (report.at, report.from, report.lines.as_str());
            actions.extend(log.take(
                at,
                Payload::Derived {
                    at: at_grid,
                    from,
                    lines,
                },
            ));
        }
        found.extend(core_support::events(actions));
        // Another owner goes on from what this one has written.
        let parts = log.partition.take_dirty(usize::MAX);
        saved(&mut log, parts);
    }
    let ids = |events: &[AlertEvent]| -> Vec<_> {
        events
            .iter()
            .map(|e| (e.event_id.to_string(), e.value, e.why.clone()))
            .collect()
    };
    assert_eq!(ids(&found), ids(&expected));
}

thread_local! {
    static STORE: std::cell::RefCell<std::collections::BTreeMap<Vec<u8>, Vec<u8>>> = std::cell::RefCell::default();
}

fn saved(log: &mut Log, parts: Vec<(evaluator::core::PartKey, Option<Vec<u8>>)>) {
    STORE.with_borrow_mut(|store| {
        for (key, bytes) in parts {
            match bytes {
                Some(bytes) => drop(store.insert(key, bytes)),
                None => drop(store.remove(&key)),
            }
        }
        let checkpoint = log.partition.checkpoint();
        let parts = store.iter().map(|(k, v)| (k.as_slice(), v.as_slice()));
        log.partition =
            Partition::restore(tenant(), 0, Some(&checkpoint), parts, &log.plans).unwrap();
    });
}

#[test]
fn when_a_rule_comes_to_span_hosts_what_was_told_of_a_host_ends() {
    let per_host =
        rule("ms", "average of 5m", "above: 100").replace("[service]", "[host, service]");
    let spans = rule("ms", "average of 5m", "above: 100");
    let second = Plan::compile(&bundle(2, &spans, 30)).unwrap();
    let mut log = Log::new(vec![plan(&per_host), second]);
    let hash = |log: &Log, revision: u64| -> String {
        let bundle = bundle(revision, if revision == 1 { &per_host } else { &spans }, 30);
        assert!(log.plans.get(revision, &bundle.hash).is_some());
        bundle.hash
    };
    let first = hash(&log, 1);
    log.take(
        0,
        Payload::BundleMark {
            revision: 1,
            hash: &first,
        },
    );
    for at in (10..=30 * MINUTE).step_by(10) {
        if at == 15 * MINUTE {
            let second = hash(&log, 2);
            log.take(
                at,
                Payload::BundleMark {
                    revision: 2,
                    hash: &second,
                },
            );
        }
        let line = Points::default().at(at, "req,host=h0,service=a,env=prod ms", 500);
        for action in log.take(at, Payload::Lines(line.body().as_bytes())) {
            if let Action::Derive(report) = action {
                let (at_grid, from, lines) = (report.at, report.from, report.lines.as_str());
                let report = Payload::Derived {
                    at: at_grid,
                    from,
                    lines,
                };
                log.take(at, report);
            }
        }
    }
    let events = core_support::events(log.actions);
    let told: Vec<(usize, &str)> = events
        .iter()
        .map(|e| (e.group.len(), e.kind.as_str()))
        .collect();
    assert_eq!(
        told,
        [(2, "firing"), (2, "expired"), (1, "firing")],
        "{:?}",
        short(&events)
    );
}

#[test]
fn a_host_that_has_nothing_else_is_forgotten_after_a_day() {
    let yaml = rule("ms", "average of 5m", "above: 100");
    let mut points = Points::default().at(10, "req,host=gone,service=a,env=prod ms", 1);
    points = points.every(
        60,
        (0, 26 * 60 * MINUTE),
        "req,host=h1,service=a,env=prod ms",
        1.0,
    );
    let fleet = Fleet::new(&yaml, 1).run(&points, 26 * 60 * MINUTE);
    assert_eq!(fleet.partitions[0].hosts(), 1);
}

#[test]
fn what_partitions_report_together_has_a_bound_and_what_is_left_out_is_counted() {
    let yaml = rule("ms", "average of 5m", "above: 100");
    let mut points = Points::default();
    for n in 0..4_000 {
        points = points.at(
            20 + n % 10,
            &format!("req,host=h{n},service=s{n},env=prod ms"),
            1,
        );
    }
    let fleet = Fleet::new(&yaml, 1).run(&points, 5 * MINUTE);
    assert!(fleet.full > 0);
    // They have it together: each of four has a quarter of it.
    let shared = Fleet::new(&yaml, 4).run(&points, 5 * MINUTE);
    assert!(shared.full > 0);
    assert!(shared.largest_report < fleet.largest_report / 3);
    let few = Points(points.0[..500].to_vec());
    assert_eq!(Fleet::new(&yaml, 1).run(&few, 5 * MINUTE).full, 0);
}

#[test]
fn the_state_of_a_group_is_explained_by_what_was_reported_last() {
    let yaml = rule("ms", "average of 5m", "above: 100, for: 10m")
        + "---\noverride: tight\ntemplate: service\nfor: {where: {service: a}}\nset: {levels: {P1: {above: 50}}}\n";
    let fleet = Fleet::new(&yaml, 3).run(&requests(), 15 * MINUTE);
    let tags = [("service".to_owned(), "a".to_owned())];
    let found = fleet.partitions[0].explain("service", &tags);
    assert_eq!(found.len(), 1, "and none of what hosts keep of it");
    let (group, window) = (&found[0], &found[0].windows[0]);
    assert!(window.value.unwrap() > 200.0, "{window:?}");
    assert_eq!(window.samples, 120, "30 of each of 4 hosts");
    assert_eq!(group.rungs[0].threshold, Some(50.0));
    assert_eq!(
        group.overrides,
        [("levels.P1.above".to_owned(), "tight".to_owned())]
    );
    assert!(group.rungs[0].held.is_some(), "{:?}", group.rungs);
    assert_eq!(fleet.partitions[1].explain("service", &tags), []);
}

#[test]
fn what_cannot_be_judged_over_hosts_is_refused_by_name() {
    for (rule, wanted) in [
        (
            rule("ms", "each point", "above: 1"),
            "a group that spans hosts has a window",
        ),
        (
            rule("ms", "time until zero", "below: 4h"),
            "a group that spans hosts has a window",
        ),
        (
            rule("ms", "average of 5m", "above: 1") + "every: 90s\n",
            "at full minutes",
        ),
        (
            rule("ms", "average of 5m", "above: 1") + "shows: ms\n",
            "host by host",
        ),
        (
            rule("ms", "average of 5m", "above: 1")
                + "---\noverride: one\ntemplate: service\nfor: {host: h1}\nset: {levels: {P1: {above: 2}}}\n",
            "chosen by its tags (service), not by host",
        ),
        (
            rule("ms", "average of 5m", "above: 1")
                + "---\noverride: one\ntemplate: service\nfor: {os: linux}\nset: {levels: {P1: {above: 2}}}\n",
            "chosen by its tags (service), not by os",
        ),
        (
            rule("ms", "average of 5m", "above: 1").replace("{service}", "{host}"),
            "`{host}` is neither",
        ),
    ] {
        let errors = Plan::compile(&bundle(1, &rule, 30)).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.contains(wanted)), "{texts:?}");
    }
    let nothing = rule("ms", "average of 5m", "above: 1").replace("[service]", "[]");
    let errors = parse_yaml("t.yaml", &nothing).unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .contains("`[tenant]` one for all of them"),
        "{}",
        errors[0]
    );
}

#[test]
fn a_template_that_spans_hosts_carries_tests() {
    let yaml = rule("ms", "average of 5m", "above: 100, for: 2m")
        + "tests:\n  - {given: \"500 for 15m\", expect: P1}\n  - {given: \"500 for 15m, then 1 for 10m\", expect: resolved}\n  \
           - {given: \"1 for 15m\", expect: nothing}\n";
    for located in parse_yaml("t.yaml", &yaml).unwrap() {
        let Entry::Template(template) = located.value else {
            panic!()
        };
        let reports = template_test(&template, Span::from_secs(30)).unwrap();
        assert_eq!(reports.len(), 3);
        for report in reports {
            assert_eq!(
                report.failure, None,
                "{:?}\n{}",
                report.given, report.timeline
            );
        }
    }
}
