//! Row 14 of the faults: points that come late and out of order, inside of the bound and outside of it.

use super::core_support::{Log, START, events, plan};
use evaluator::core::{Action, Payload, Tally};
use model::AlertEvent;
use proptest::prelude::*;

const RULES: &str = "template: cpu\ntitle: \"{host}\"\napplies_to: {measurement: cpu}\n\
     one_alert_per: [host]\ncheck: usage\nunit: percent\nover: average of 1m\nevery: 60s\n\
     interval: 10s\nlevels:\n  P1: {above: 90, for: 1m}\n  P2: {above: 60}\n";

/// A host's points come every so many seconds.
const EVERY: i64 = 10;
/// A point that is delayed by no more than this lies inside of the lateness of 30 s, whatever comes before it.
const INSIDE: i64 = 25;
/// One that is delayed by so much never does, where its host goes on: a point 40 s newer has come by then.
const OUTSIDE: i64 = 70;
const LAST: usize = 176;

/// Usage in each minute, and for each point by how much it is delayed and whether another one of its time, with
/// another value, comes far too late.
type Host = (Vec<u8>, Vec<(i64, bool)>);

fn host() -> impl Strategy<Value = Host> {
    let minutes = prop::collection::vec(prop_oneof![Just(20_u8), Just(75), Just(97)], 30);
    let points = prop::collection::vec((0..=INSIDE, prop::bool::weighted(0.1)), 180);
    (minutes, points)
}

/// Whether a point is repeated too late. Never three of them without a good one between: that would be a clock that
/// has jumped.
fn is_repeated(point: usize, wanted: bool) -> bool {
    wanted && point.is_multiple_of(4) && point <= LAST
}

/// Arrival in seconds, and the line. `late`: with delays, and the points that come too late.
fn lines(hosts: &[Host], late: bool) -> Vec<(i64, String)> {
    let mut lines = Vec::new();
    for (n, (minutes, points)) in hosts.iter().enumerate() {
        for (point, (delay, repeated)) in (1..).zip(points) {
            let at = i64::try_from(point).unwrap() * EVERY;
            let usage = minutes[usize::try_from((at - 1) / 60).unwrap()];
            let line = |series: &str, usage: u8| {
                let nanos = (START + at) * 1_000_000_000;
                format!("cpu,env=prod,host=h{n}{series} usage={usage} {nanos}\n")
            };
            lines.push((at + if late { *delay } else { 0 }, line("", usage)));
            if late && is_repeated(point, *repeated) {
                lines.push((at + OUTSIDE, line(",of=yesterday", 120 - usage)));
            }
        }
    }
    lines.sort();
    lines
}

/// The events, but for their arrival, and how many points were late.
fn evaluated(lines: &[(i64, String)]) -> (Vec<AlertEvent>, u64) {
    let mut log = Log::new(vec![plan(RULES)]);
    log.mark(0, 1);
    for (arrival, line) in lines {
        log.take(*arrival, Payload::Lines(line.as_bytes()));
    }
    for tick in 1..=20 {
        log.take(1_900 + tick * 10, Payload::Tick);
    }
    let late = |action: &Action| match action {
        Action::Count(counter) if counter.what == Tally::Late => counter.n,
        _ => 0,
    };
    let late = log.actions.iter().map(late).sum();
    let mut events = events(log.actions);
    for event in &mut events {
        event.arrival = event.at;
    }
    // Hosts close their windows when their own points come.
    events.sort_by_key(|event| (event.group.clone(), event.sequence, event.at));
    (events, late)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_of_order_counts_inside_of_the_bound_and_is_counted_outside(
        hosts in prop::collection::vec(host(), 1..4),
    ) {
        let (in_order, none) = evaluated(&lines(&hosts, false));
        let (out_of_order, late) = evaluated(&lines(&hosts, true));
        prop_assert_eq!(in_order, out_of_order);
        let repeated = |host: &Host| {
            let points = (1..).zip(&host.1);
            points.filter(|(n, point)| is_repeated(*n, point.1)).count()
        };
        let repeated: usize = hosts.iter().map(repeated).sum();
        prop_assert_eq!((none, late), (0, repeated as u64));
    }
}
