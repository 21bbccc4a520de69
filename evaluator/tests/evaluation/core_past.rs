//! What looks at more than a window: trends, seasons, flapping, and clocks that jump.

use super::core_support::{self, Log, Points, START, bundle, plan, run, s, short};
use evaluator::core::{Action, FindingKind, Payload, Plan};
use std::fmt::Write as _;

const DISK: &str = "template: disk-full-soon\ntitle: t\napplies_to: {measurement: disk}\n\
     one_alert_per: [host, path]\ncheck: 100 * free / total\nunit: percent\n\
     over: time until zero\nonly_when: 100 * free / total < 40\nevery: 60s\ninterval: 60s\n\
     levels:\n  P1: {below: 4h, for: 30m}\n  P2: {below: 24h, for: 30m}\n";

/// A disk of 100 with that much free in each minute.
fn disk(free: impl Fn(i64) -> f64, minutes: i64) -> String {
    let line = |n: i64| {
        let at = (START + n * 60) * 1_000_000_000;
        format!(
            "disk,host=a,path=/,env=prod free={},total=100 {at}\n",
            free(n)
        )
    };
    (1..=minutes).map(line).collect()
}

#[test]
fn a_disk_that_fills_is_told_hours_before_with_the_time_left_and_the_slope() {
    // A point every 15 minutes: from 39 % free, empty after 585 minutes.
    let events = run(DISK, &disk(|n| 39.0 - n as f64 / 15.0, 500), 40);
    let found = short(&events);
    // 12 spans are 166 minutes; then less than 24 h are left, for 30 minutes.
    assert_eq!(found[0], "firing P2 @11760");
    assert!(found[1].starts_with("raised P1"), "{found:?}");
    let raised = &events[1];
    // Below 4 h from minute 345 on.
    assert_eq!(raised.at.since(s(0)).as_millis() / 60_000, 345 + 1 + 30);
    let left = raised.value.unwrap();
    assert!((left / 60.0 - (585.0 - 376.0)).abs() < 1.0, "{left}");
    assert_eq!(raised.unit, "seconds");
    assert!(
        raised.why.contains("changing by -4 an hour"),
        "{}",
        raised.why
    );
}

#[test]
fn below_the_use_that_matters_a_trend_is_a_recovery_and_a_clean_up_keeps_the_incident() {
    let falls = |n: i64| 39.0 - n as f64 / 15.0;
    // Deleted down to 30 % free: the trend starts again, the incident stays.
    let events = run(
        DISK,
        &disk(|n| if n > 400 { 30.0 } else { falls(n) }, 500),
        40,
    );
    assert_eq!(short(&events).last().unwrap(), "raised P1 @22560");
    // To 60 % free: over.
    let events = run(
        DISK,
        &disk(|n| if n > 400 { 60.0 } else { falls(n) }, 500),
        40,
    );
    assert_eq!(short(&events).last().unwrap(), "resolved - @24060");
    // A disk that is not above 60 % used is none of its business.
    let events = run(DISK, &disk(|n| 90.0 - n as f64 / 15.0, 500), 40);
    assert_eq!(short(&events), [""; 0]);
}

#[test]
fn a_trend_recovers_at_one_and_a_half_times_its_horizon() {
    let events = run(
        DISK,
        &disk(
            |n| {
                if n < 400 {
                    39.0 - n as f64 / 15.0
                } else {
                    12.4
                }
            },
            900,
        ),
        40,
    );
    assert_eq!(events.last().unwrap().kind.as_str(), "resolved");
    let left = events.last().unwrap().value.unwrap();
    assert!(left > 36.0 * 3_600.0, "{left}");
}

const FLAPS: &str = "template: t\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
     check: v\nover: last of 1m\nevery: 60s\ninterval: 60s\n\
     levels: {P1: {above: 95}, P3: {above: 50}}\n";

fn minutes(values: impl IntoIterator<Item = f64>) -> String {
    let each = values.into_iter().enumerate();
    let at = |n: usize| (n as i64 + 1) * 60;
    each.fold(Points::default(), |points, (n, v)| {
        points.at(at(n), "m,host=a,env=prod v", v)
    })
    .body()
}

#[test]
fn a_flapping_incident_stays_open_at_its_peak_and_one_resolved_follows() {
    // Up and down ten times, then quiet.
    let values = (0..20).map(|n| if n % 2 == 0 { 60.0 } else { 10.0 });
    let events = run(FLAPS, &minutes(values.chain([10.0; 30])), 40);
    let kinds: Vec<String> = short(&events);
    // Five changes are told; the sixth makes more than 30 %.
    assert_eq!(
        kinds[..5],
        [
            "firing P3 @60",
            "resolved - @120",
            "reopened P3 @180",
            "resolved - @240",
            "reopened P3 @300"
        ]
    );
    let held = &kinds[5..kinds.len() - 1];
    assert!(
        held.len() > 10 && held.iter().all(|k| k.starts_with("flapping P3")),
        "{kinds:?}"
    );
    assert!(kinds.last().unwrap().starts_with("resolved -"));
    for event in &events {
        let tells = event.why.contains("; held back: it flaps (");
        assert_eq!(tells, event.kind.as_str() == "flapping", "{}", event.why);
    }
    let last = events.last().unwrap();
    assert!(last.why.contains("does not flap any more"), "{}", last.why);
    assert_eq!(last.value, Some(10.0), "what it reads when it is over");
    // Every event has the next number, so that none is taken for another.
    let numbers: Vec<u64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_escalation_passes_while_it_flaps() {
    let values = (0..14).map(|n| if n % 2 == 0 { 60.0 } else { 10.0 });
    let events = run(FLAPS, &minutes(values.chain([99.0, 10.0])), 40);
    let kinds = short(&events);
    assert_eq!(
        kinds[kinds.len() - 2..],
        ["raised P1 @900", "flapping P1 @960"]
    );
}

#[test]
fn unknown_is_no_change_for_flapping() {
    // Gaps between the changes: the score counts evaluations, not minutes.
    let mut points = Points::default().every(60, (0, 6_000), "beat,host=a,env=prod v", 1.0);
    for n in 0..12 {
        let value = if n % 2 == 0 { 60 } else { 10 };
        points = points.at(60 + n * 120, "m,host=a,env=prod v", value);
    }
    let events = run(FLAPS, &points.body(), 40);
    assert!(events.iter().any(|event| event.kind.as_str() == "flapping"));
}

/// A log of a host whose clock shows `skew(n)` more than the log's at gather `n`, every 10 s.
fn skewed(yaml: &str, skew: impl Fn(i64) -> i64, value: impl Fn(i64) -> i64, gathers: i64) -> Log {
    let mut log = Log::new(vec![Plan::compile(&bundle(1, yaml, 30)).unwrap()]);
    log.mark(0, 1);
    for n in 1..=gathers {
        let line = Points::default()
            .at(n * 10 + skew(n), "m,host=a,env=prod v", value(n))
            .body();
        log.take(n * 10, Payload::Lines(line.as_bytes()));
        // Another host proves nothing about this one.
        let line = Points::default()
            .at(n * 10, "m,host=b,env=prod v", 1)
            .body();
        log.take(n * 10, Payload::Lines(line.as_bytes()));
    }
    log
}

const CLOCK: &str = "template: v\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
     check: v\nover: average of 1m\nevery: 60s\ninterval: 10s\nlevels: {P1: {above: 50, for: 1m}}\n\
     when_missing: P2\n---\n";

fn with_down() -> String {
    CLOCK.to_owned() + include_str!("../../../templates/host-down.yaml")
}

#[test]
fn a_clock_that_is_off_by_minutes_or_an_hour_gives_no_false_event_and_misses_none() {
    for off in [-3_600, -600, 600, 3_600] {
        let log = skewed(&with_down(), |_| off, |n| if n > 60 { 90 } else { 1 }, 120);
        let skews = log.actions.iter().filter(|action| match action {
            Action::Find(finding) => finding.kind == FindingKind::ClockSkew,
            _ => false,
        });
        // One that is behind from its first point on never jumped.
        assert_eq!(skews.count(), usize::from(off > 0), "{off}");
        let events = core_support::events(log.actions);
        assert_eq!(events.len(), 1, "{off}: {:?}", short(&events));
        assert_eq!(events[0].kind.as_str(), "firing");
        // By the host's clock, which is what its points are stored under.
        let at = events[0].at.since(s(off)).as_millis() / 1_000;
        assert!((660..=780).contains(&at), "{off}: {at}");
    }
}

#[test]
fn a_clock_that_jumps_is_adopted_after_three_gathers_and_what_is_open_stays_open() {
    for jump in [-3_600, 3_600] {
        let skew = |n: i64| if n > 60 { jump } else { 0 };
        let log = skewed(&with_down(), skew, |n| if n < 120 { 90 } else { 1 }, 160);
        let events = core_support::events(log.actions);
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(
            kinds,
            ["firing", "resolved"],
            "{jump}: {:?}",
            short(&events)
        );
        assert_eq!(events[0].incident_id, events[1].incident_id);
        let end = events[1].at.since(s(jump)).as_millis() / 1_000;
        assert!((1_200..=1_320).contains(&end), "{jump}: {end}");
    }
}

#[test]
fn a_new_incident_after_a_jump_back_has_another_identity() {
    let skew = |n: i64| if n > 60 { -600 } else { 0 };
    // The same event time twice: 90 at 300..400 before the jump, and after it again.
    let value = |n: i64| match n {
        20..40 | 80..100 => 90,
        _ => 1,
    };
    let events = core_support::events(skewed(&with_down(), skew, value, 160).actions);
    let fired: Vec<_> = events
        .iter()
        .filter(|e| e.kind.as_str() == "firing")
        .collect();
    assert!(!fired.is_empty());
    let mut ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "no two events have one id");
}

#[test]
fn a_buffer_that_is_flushed_is_late_and_no_jump() {
    let mut log = Log::new(vec![plan(&with_down())]);
    log.mark(0, 1);
    let mut text = String::new();
    for n in 1..=360 {
        let at = (START + n * 10) * 1_000_000_000;
        writeln!(text, "m,host=a,env=prod v=1 {at}").unwrap();
    }
    let line = Points::default().at(4_000, "m,host=a,env=prod v", 1).body();
    log.take(4_000, Payload::Lines(line.as_bytes()));
    for part in text.as_bytes().chunks(text.len() / 3 + 1) {
        log.take(4_001, Payload::Lines(part));
    }
    let skew =
        |action: &Action| matches!(action, Action::Find(f) if f.kind == FindingKind::ClockSkew);
    assert!(!log.actions.iter().any(skew));
}

#[test]
fn growth_is_held_against_the_same_weekday() {
    let yaml = "template: growth\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
        check: v\nover: average of 1h\nevery: 1h\ninterval: 1h\ncompared_to: same weekday\n\
        levels: {P3: {above: 50}}\n";
    let hours = |values: &dyn Fn(i64) -> f64, n: i64| {
        (1..=n)
            .fold(Points::default(), |points, n| {
                points.at(n * 3_600, "m,host=a,env=prod v", values(n))
            })
            .body()
    };
    // A week like the one before, then twice as much.
    let events = run(
        yaml,
        &hours(
            &|n| {
                if n > 2 * 168 + 5 {
                    200.0
                } else {
                    100.0 + n as f64 % 7.0
                }
            },
            3 * 168,
        ),
        40,
    );
    assert_eq!(events[0].kind.as_str(), "firing");
    assert_eq!(
        events[0].at.since(s(0)).as_millis() / 3_600_000,
        2 * 168 + 6
    );
    assert_eq!(events[0].unit, "percent");
}

#[test]
fn what_is_unusual_for_this_hour_is_held_for_three_weeks_and_told_at_p3_after() {
    let yaml = "template: unusual\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
        check: v\nover: average of 1h\nevery: 1h\ninterval: 1h\n\
        compared_to: same hour of the week\nlevels: {P3: {above: 6, until_below: 3}}\n";
    let usual = |n: i64| {
        if n % 24 == 9 {
            1_000.0
        } else {
            100.0 + (n * 7 % 11) as f64
        }
    };
    let spike = |n: i64| {
        if n == 2 * 168 + 30 || n == 4 * 168 + 30 {
            700.0
        } else {
            usual(n)
        }
    };
    let body = (1..=5 * 168)
        .fold(Points::default(), |points, n| {
            points.at(n * 3_600, "m,host=a,env=prod v", spike(n))
        })
        .body();
    let events = run(yaml, &body, 40);
    let kinds: Vec<(&str, i64)> = events
        .iter()
        .map(|e| {
            (
                e.kind.as_str(),
                e.at.since(s(0)).as_millis() / 3_600_000 % 168,
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [("held", 30), ("held", 31), ("firing", 30), ("resolved", 31)]
    );
    for event in &events {
        let tells = event
            .why
            .ends_with("; held back: it only watches in its first 3 weeks");
        assert_eq!(tells, event.kind.as_str() == "held", "{}", event.why);
        assert_eq!(event.unit, "deviations");
    }
    let p1 = yaml.replace("P3:", "P1:");
    let errors = Plan::compile(&bundle(1, &p1, 30)).map(drop).unwrap_err();
    assert!(errors[0].what.contains("at most P3"), "{}", errors[0]);
}

#[test]
fn a_time_beyond_all_calendars_is_never_believed_however_long_it_stays() {
    let yaml = "template: t\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\nover: last of 1m\n\
                levels:\n  P1: {above: 90}\n";
    let nanos = |at: model::Timestamp| at.as_nanos();
    // Gathers that would be adopted, at the end of what 64 bits can count.
    let mut body = String::new();
    for n in 1..=12 {
        let far = i64::MAX.saturating_sub((6 - n) * 60_000_000_000);
        let arrival = nanos(s(n * 60));
        body.push_str(&format!(
            "# arrival={arrival}\nm,host=a,env=prod v=95 {far}\n"
        ));
    }
    assert_eq!(short(&run(yaml, &body, 40)), [""; 0]);
    // In a file such a time moves no other host's.
    let points =
        Points::default()
            .at(60, "m,host=b,env=prod v", 1)
            .at(120, "m,host=b,env=prod v", 95);
    let body = format!("m,host=a,env=prod v=95 {}\n{}", i64::MAX, points.body());
    let body = body + &format!("m,host=a,env=prod v=95 {}\n", i64::MAX);
    assert_eq!(short(&run(yaml, &body, 40)), ["firing P1 @120"]);
}
