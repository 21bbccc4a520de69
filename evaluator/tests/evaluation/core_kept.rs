//! How much is kept, and for how long: samples that no later grid point needs are dropped, and so is what has none left.

use super::core_support::{Points, fleet::Fleet, run, short};

const MINUTE: i64 = 60;

/// A rule over all hosts of each service.
fn rule(check: &str, over: &str) -> String {
    format!(
        "template: service\ntitle: \"{{service}}\"\napplies_to: {{measurement: req}}\n\
         one_alert_per: [service]\ncheck: {check}\nover: {over}\ninterval: 10s\n\
         levels: {{P1: {{above: 1000}}}}\nexpire_after: 1d\n"
    )
}

/// What a restart would read, in bytes.
fn state(fleet: &mut Fleet) -> usize {
    let parts = fleet
        .partitions
        .iter_mut()
        .flat_map(|partition| partition.take_dirty(usize::MAX));
    parts
        .map(|(_, bytes)| bytes.map_or(0, |bytes| bytes.len()))
        .sum()
}

#[test]
fn of_a_group_over_hosts_each_host_keeps_what_a_later_report_needs() {
    let held = |until: i64| {
        let points =
            Points::default().every(10, (0, until), "req,host=a,service=s,env=prod ms", 7.0);
        state(&mut Fleet::new(&rule("ms", "average of 5m"), 2).run(&points, until))
    };
    let (early, late) = (held(20 * MINUTE), held(120 * MINUTE));
    assert!(late < early + early / 10, "{early} bytes, then {late}");
}

#[test]
fn a_host_that_left_a_group_over_hosts_keeps_nothing_of_it() {
    // The last sample of a counter of jumps is kept, but not without end.
    for over in ["average of 5m", "jumps above 60 of 5m"] {
        let groups = |until: i64| {
            let points = Points::default()
                .every(
                    10,
                    (0, 20 * MINUTE),
                    "req,host=a,service=s,env=prod ms",
                    7.0,
                )
                .every(10, (0, until), "req,host=b,service=s,env=prod ms", 7.0);
            Fleet::new(&rule("ms", over), 1)
                .run(&points, until)
                .partitions[0]
                .groups()
        };
        // The group itself, and what each of its hosts keeps.
        assert_eq!((groups(20 * MINUTE), groups(40 * MINUTE)), (3, 2), "{over}");
    }
}

#[test]
fn a_point_is_held_against_the_one_before_it_however_long_ago_that_was() {
    let yaml = "template: t\ntitle: t\napplies_to: {measurement: m}\none_alert_per: [host]\n\
                check: delta(v)\nover: each point\ninterval: 60s\nlevels: {P1: {above: 30}}\n";
    let points = Points::default()
        .every(60, (0, 7_200), "beat,host=a,env=prod v", 1.0)
        .at(60, "m,host=a,env=prod v", 10)
        .at(7_200, "m,host=a,env=prod v", 50);
    let events = run(yaml, &points.body(), 40);
    assert_eq!(short(&events), ["firing P1 @7200"]);
    assert_eq!(events[0].value, Some(40.0));
}
