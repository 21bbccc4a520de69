//! The state of a group as a person is told of it: its windows, the clocks of its rungs, and what it waits for.

use super::core_support::{Points, plan, s, tenant};
use evaluator::core::{Explained, Replay};
use model::{Priority, Span};

/// One sample a minute, judged each minute by the average of two.
const LOAD: &str = "template: load\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
     check: v\nunit: percent\nover: average of 2m\nevery: 60s\ninterval: 60s\nlevels:\n  \
     P1: {above: 80, for: 10m}\n  P2: {above: 60, until_below: 50, recover_for: 3m}\n\
     when_missing: P3\n";

/// The state of host `a` once time has passed for `then` behind a value a minute.
fn explained(yaml: &str, values: &[i64], then: i64) -> Explained {
    let mut points = Points::default();
    for (minute, value) in (1..).zip(values) {
        points = points.at(minute * 60, "m,host=a,env=prod v", value);
        points = points.at(minute * 60, "m,host=b,env=prod v", 1);
    }
    let mut replay = Replay::new(tenant(), plan(yaml));
    replay.take(points.body().as_bytes());
    replay.pass(Span::from_secs(then));
    let mut found = replay.explain("load", &[("host".to_owned(), "a".to_owned())]);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn each_rung_says_for_how_long_it_holds_and_what_it_waits_for() {
    let idle = [
        "P1: a value that is above 80 percent",
        "P2: a value that is above 60 percent",
    ];
    let pending = [
        "P1: true for 2m of 10m",
        "P2: fires until it is below 50 percent",
    ];
    let latched = [
        "P1: a value that is above 80 percent",
        "P2: fires until it is below 50 percent",
    ];
    let recovering = [
        "P1: a value that is above 80 percent",
        "P2: recovered for 2m of 3m",
    ];
    for (values, expected) in [
        (vec![10; 5], idle),
        (vec![10, 90, 90, 90, 90], pending),
        (vec![10, 70, 70, 70, 70], latched),
        (vec![10, 70, 70, 70, 10, 10, 10], recovering),
    ] {
        let found = explained(LOAD, &values, 30);
        assert_eq!(
            found.waits_for[found.waits_for.len() - 2..],
            expected,
            "{values:?}"
        );
    }
}

#[test]
fn clocks_of_a_pending_and_of_a_recovering_rung_are_told_as_they_run() {
    let pending = explained(LOAD, &[10, 90, 90, 90, 90], 30);
    let [first, second] = &pending.rungs[..] else {
        panic!("{:?}", pending.rungs);
    };
    assert_eq!(
        (first.priority, second.priority),
        (Priority::P1, Priority::P2)
    );
    // The average of two minutes is above 80 from the third minute on, and above 60 no sooner.
    assert_eq!(
        (first.held, first.latched),
        (Some(Span::from_secs(120)), false)
    );
    assert_eq!((second.held, second.latched), (None, true));
    assert_eq!(
        (first.threshold, second.threshold),
        (Some(80.0), Some(60.0))
    );
    assert_eq!(second.recovers, "below 50 percent");
    let open = pending.open.map(|(_, since, priority)| (since, priority));
    assert_eq!(open, Some((s(180), Priority::P2)));

    let calm = explained(LOAD, &[10, 70, 70, 70, 10, 10, 10], 30);
    assert_eq!(calm.rungs[1].recovering, Some(Span::from_secs(120)));
    assert!(calm.rungs[1].latched && !calm.rungs[0].latched);
}

#[test]
fn a_window_is_told_as_far_as_it_is_gathered_for_the_next_grid_point() {
    let found = explained(LOAD, &[10, 30, 50, 70], 20);
    // Lateness is 30 s: the grid point of the fourth minute has not closed.
    assert_eq!(
        (found.judged, found.next, found.closes),
        (s(180), s(240), s(270))
    );
    assert_eq!((found.clock, found.newest), (s(260), s(240)));
    let window = &found.windows[0];
    assert_eq!(
        (window.check.as_str(), window.over.as_str()),
        ("v", "average of 2m")
    );
    assert_eq!(
        (window.after, window.value, window.samples),
        (Some(s(120)), Some(60.0), 2)
    );
    assert_eq!(window.text, "60 percent");
    assert_eq!(
        found.waits_for[0],
        "the next grid point closes in 10s of the host's time"
    );
    assert_eq!(
        (found.env.as_deref(), found.life, found.open),
        (Some("prod"), "live", None)
    );
    assert_eq!(found.overrides, []);
}

#[test]
fn a_window_without_a_value_says_why() {
    let few = explained(
        &LOAD.replace("interval: 60s", "interval: 10s"),
        &[10, 10, 10],
        30,
    );
    assert_eq!((few.windows[0].value, few.life), (None, "new"));
    assert_eq!(few.windows[0].text, "Unknown: too few samples");
    let waits = &few.waits_for;
    assert!(
        waits
            .iter()
            .any(|wait| wait.starts_with("its window is not half full")),
        "{waits:?}"
    );

    let excluded = LOAD.replace("unit:", "only_when: v > 50\nunit:");
    assert_eq!(
        explained(&excluded, &[60, 60, 10, 10, 10], 30).windows[0].text,
        "the condition does not apply"
    );

    let by_point = LOAD.replace("average of 2m", "each point");
    let found = explained(&by_point, &[10, 90], 30);
    assert_eq!(found.windows[0].text, "judged as each point arrives");
    assert_eq!(
        (found.windows[0].after, found.windows[0].samples),
        (None, 0)
    );
}

#[test]
fn a_group_whose_data_stays_away_is_silent() {
    let mut points = Points::default().every(60, (0, 600), "m,host=a,env=prod v", 10.0);
    points = points.every(60, (0, 1_800), "beat,host=a,env=prod v", 1.0);
    let mut replay = Replay::new(tenant(), plan(LOAD));
    replay.take(points.body().as_bytes());
    let found = replay.explain("load", &[]);
    assert_eq!((found[0].life, found.len()), ("silent", 1));
    let (_, _, priority) = found[0].open.unwrap();
    assert_eq!(priority, Priority::P3);
    let of = |template: &str, host: &str| {
        replay
            .explain(template, &[("host".to_owned(), host.to_owned())])
            .len()
    };
    assert_eq!(
        [of("load", "a"), of("load", "b"), of("other", "a")],
        [1, 0, 0]
    );
}
