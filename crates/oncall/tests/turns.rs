//! Where one answer ends and the next begins: turns and hours on the clock's changes, empty turns, ends of layers, and what lies
//! over what. The second solver of `brute_force.rs` holds the same over two years; here each case can be read.

use jiff::{SignedDuration, Timestamp};
use oncall::{Schedule, calendar, uncovered};
use schemas::catalogue::{Catalogue, parse_yaml};

fn catalogue(text: &str) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for located in parse_yaml("turns.yaml", text).expect("it reads") {
        catalogue.insert(located.value);
    }
    catalogue
}

/// A schedule of New York with these layers and overrides.
fn schedule(body: &str) -> Schedule {
    let text = format!("schedule: noc\ntime_zone: America/New_York\n{body}\n");
    Schedule::compile(&catalogue(&text).schedules["noc"]).expect("it compiles")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// `2026-11-01T05:45 kim`: each span's beginning and people.
fn spans(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let spans = schedule.spans(at(from), at(to));
    let shown = spans.iter().map(|span| {
        let people = match span.duty.people.as_slice() {
            [] => "-".to_owned(),
            people => people.join("+"),
        };
        format!("{} {people}", span.from.strftime("%m-%dT%H:%M"))
    });
    shown.collect()
}

#[test]
fn a_turn_is_handed_over_once_where_the_clock_reads_its_time_twice_or_never() {
    // 01:45 is twice on the first of November; 02:30 is never on the eighth of March.
    let autumn = schedule(
        "layers: [{layer: days, people: [kim, lee], every: 1 day, from: 2026-10-30T01:45}]",
    );
    assert_eq!(
        spans(&autumn, "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z"),
        ["10-31T12:00 lee", "11-01T05:45 kim", "11-02T06:45 lee"]
    );
    // The clock reads ten past one again, and the turn is still the new one.
    for (instant, who) in [
        ("05:44", "lee"),
        ("05:45", "kim"),
        ("06:10", "kim"),
        ("06:45", "kim"),
    ] {
        let instant = at(&format!("2026-11-01T{instant}:00Z"));
        assert_eq!(autumn.at(instant).people, [who], "{instant}");
    }
    let spring = schedule(
        "layers: [{layer: days, people: [kim, lee], every: 1 day, from: 2026-03-06T02:30}]",
    );
    assert_eq!(
        spans(&spring, "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z"),
        ["03-07T12:00 lee", "03-08T07:00 kim", "03-09T06:30 lee"]
    );
}

#[test]
fn hours_hold_while_the_clock_reads_so_and_the_jump_itself_ends_them() {
    let one = schedule(
        "layers: [{layer: early, people: [kim], from: 2026-01-01T00:00, hours: [{from: '01:30', to: '02:30'}]}]",
    );
    // Half past one to two, then the clock reads one again; half past one to half past two.
    assert_eq!(
        spans(&one, "2026-11-01T05:00:00Z", "2026-11-01T08:00:00Z"),
        [
            "11-01T05:00 -",
            "11-01T05:30 kim",
            "11-01T06:00 -",
            "11-01T06:30 kim",
            "11-01T07:30 -"
        ]
    );
    let gaps = one.gaps(at("2026-11-01T05:00:00Z"), at("2026-11-01T08:00:00Z"));
    assert_eq!(gaps.len(), 3);
}

#[test]
fn an_empty_turn_leaves_it_to_the_layer_below_and_says_so_where_there_is_none() {
    let both = schedule(
        "layers:
- {layer: low, people: [park], from: 2026-01-01T00:00, until: 2026-06-03T00:00}
- {layer: high, people: [kim, []], every: 1 day, from: 2026-06-01T00:00}",
    );
    assert_eq!(
        spans(&both, "2026-05-31T12:00:00Z", "2026-06-06T00:00:00Z"),
        [
            "05-31T12:00 park",
            "06-01T04:00 kim",
            "06-02T04:00 park",
            "06-03T04:00 kim",
            "06-04T04:00 -",
            "06-05T04:00 kim"
        ]
    );
    let why = |instant: &str| both.at(at(instant)).why.told_in(both.zone());
    assert_eq!(
        why("2026-06-04T12:00:00Z"),
        "layer high leaves this turn empty"
    );
    // A layer is on until its end, and off at it.
    let ends = schedule(
        "layers: [{layer: low, people: [park], from: 2026-01-01T00:00, until: 2026-06-03T00:00}]",
    );
    assert_eq!(
        spans(&ends, "2026-06-03T03:59:00Z", "2026-06-03T05:00:00Z"),
        ["06-03T03:59 park", "06-03T04:00 -"]
    );
    // An empty turn and no layer behind it are one gap.
    let late = schedule(
        "layers: [{layer: high, people: [kim, []], every: 1 day, from: 2026-06-01T00:00, until: 2026-06-03T00:00}]",
    );
    assert_eq!(
        late.gaps(at("2026-06-01T05:00:00Z"), at("2026-06-05T00:00:00Z")),
        [(at("2026-06-02T04:00:00Z"), at("2026-06-05T00:00:00Z"))]
    );
}

#[test]
fn an_override_without_a_note_says_until_when_alone() {
    let one = schedule(
        "layers: [{layer: later, people: [park], from: 2030-01-01T00:00}]\noverrides: [{from: 2026-06-01T10:00, to: 2026-06-01T12:00, notify: [lee]}]",
    );
    let duty = one.at(at("2026-06-01T15:00:00Z"));
    assert_eq!(
        duty.why.told_in(one.zone()),
        "override until 2026-06-01 12:00"
    );
}

/// Kim always, Lee above by day; the third layer's turn is nobody's, so that at noon nothing changes.
const OVER: &str = "layers:
- {layer: always, people: [kim], from: 2026-01-01T00:00}
- {layer: day, people: [lee], from: 2026-01-01T00:00, hours: [{from: '09:00', to: '18:00'}]}
- {layer: noon, people: [[]], from: 2026-01-01T00:00, hours: [{from: '12:00', to: '13:00'}]}
overrides:
- {from: 2026-06-02T10:00, to: 2026-06-02T11:00, notify: [park]}";

#[test]
fn an_overlap_is_one_while_its_answer_is_one_and_another_where_it_differs() {
    let over = schedule(OVER);
    let shown = |from: &str, to: &str| -> Vec<String> {
        let overlaps = over.overlaps(at(from), at(to));
        let line = |one: &oncall::Overlap<'_>| {
            let covered: Vec<String> = one
                .covered
                .iter()
                .map(|(layer, who)| format!("{layer} {}", who.join("+")))
                .collect();
            let clock = |at: Timestamp| at.strftime("%dT%H").to_string();
            format!(
                "{}-{} {} over {}",
                clock(one.from),
                clock(one.to),
                one.duty.people.join("+"),
                covered.join(", ")
            )
        };
        overlaps.iter().map(line).collect()
    };
    assert_eq!(
        shown("2026-06-01T04:00:00Z", "2026-06-03T04:00:00Z"),
        [
            "01T13-01T22 lee over always kim",
            "02T13-02T14 lee over always kim",
            "02T14-02T15 park over day lee, always kim",
            "02T15-02T22 lee over always kim",
        ]
    );
    // Two overrides at once are an overlap where no layer has anybody.
    let two = schedule(
        "layers: [{layer: later, people: [park], from: 2030-01-01T00:00}]
overrides:
- {from: 2026-06-01T10:00, to: 2026-06-01T12:00, notify: [lee]}
- {from: 2026-06-01T11:00, to: 2026-06-01T13:00, notify: [kim]}",
    );
    let found = two.overlaps(at("2026-06-01T04:00:00Z"), at("2026-06-02T04:00:00Z"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].from, found[0].overrides),
        (at("2026-06-01T15:00:00Z"), 2)
    );
    assert_eq!(found[0].duty.people, ["lee", "kim"]);
}

#[test]
fn schedules_that_take_over_from_each_other_leave_nothing_uncovered() {
    let catalogue = catalogue(
        "schedule: day
time_zone: America/New_York
layers: [{layer: day, people: [kim], from: 2026-01-01T00:00, hours: [{from: '09:00', to: '18:00'}]}]
---
schedule: night
time_zone: America/New_York
layers: [{layer: night, people: [lee], from: 2026-01-01T00:00, hours: [{from: '18:00', to: '09:00'}]}]
---
escalation_policy: both
steps: [{notify: ['schedule:day']}, {notify: ['schedule:night']}]
",
    );
    let week = (at("2026-06-01T00:00:00Z"), at("2026-06-08T00:00:00Z"));
    let both = &catalogue.escalation_policies["both"];
    assert_eq!(uncovered(&catalogue, both, week, SignedDuration::ZERO), []);
}

#[test]
fn a_turn_that_ends_when_the_calendar_begins_is_not_in_it() {
    let over = schedule(OVER);
    let text = calendar(
        &over,
        None,
        (at("2026-06-01T22:00:00Z"), at("2026-06-02T04:00:00Z")),
        Timestamp::UNIX_EPOCH,
    );
    let events: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("SUMMARY"))
        .collect();
    assert_eq!(events, ["SUMMARY:kim on call: noc"]);
}

#[test]
fn a_turn_of_a_month_is_the_same_event_whenever_the_calendar_is_made() {
    let months = schedule(
        "layers: [{layer: months, people: [kim, lee], every: 4 weeks, from: 2026-06-01T09:00}]",
    );
    let stamp = Timestamp::UNIX_EPOCH;
    let asked = (at("2026-06-25T00:00:00Z"), at("2026-06-26T00:00:00Z"));
    let text = calendar(&months, None, asked, stamp);
    let begins = text.lines().find(|line| line.starts_with("DTSTART:"));
    assert_eq!(begins, Some("DTSTART:20260601T130000Z"));
}
