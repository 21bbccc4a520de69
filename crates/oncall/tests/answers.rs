//! What a schedule answers, read as a person reads it: who, until when, and why.

use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, Timestamp};
use oncall::{Schedule, calendar, uncovered};
use schemas::catalogue::{Catalogue, Entry, parse_yaml};

const NOC: &str = "
contact: kim
name: Kim
---
contact: lee
name: Lee
---
contact: park
name: Park
---
schedule: noc
time_zone: Asia/Seoul
layers:
- layer: nights
  people: [park]
  from: 2026-01-05T09:00
  hours: [{from: '18:00', to: '09:00'}]
- layer: office
  people: [kim, lee]
  every: 1 week
  from: 2026-01-05T09:00
  hours: [{days: [mon, tue, wed, thu, fri], from: '09:00', to: '18:00', holidays: not}]
overrides:
- {from: 2026-11-24T12:00, to: 2026-11-24T14:00, notify: [lee], note: kim sees a doctor}
---
escalation_policy: default
steps: [{notify: ['schedule:noc']}]
---
escalation_policy: covered
steps: [{notify: ['schedule:noc']}, {notify: [kim]}]
";

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let located = parse_yaml("noc.yaml", NOC).expect("it reads");
    let entries: Vec<Entry> = located.into_iter().map(|located| located.value).collect();
    entries
        .into_iter()
        .for_each(|entry| catalogue.insert(entry));
    catalogue
}

fn noc() -> Schedule {
    Schedule::compile(&catalogue().schedules["noc"]).expect("it compiles")
}

fn seoul(wall: DateTime) -> Timestamp {
    wall.in_tz("Asia/Seoul").expect("a time").timestamp()
}

#[test]
fn the_later_layer_wins_and_where_it_is_off_the_lower_one_answers() {
    let noc = noc();
    let table = [
        // A Monday: the 46th turn since January is Kim's.
        (date(2026, 11, 23).at(9, 0, 0, 0), vec!["kim"]),
        (date(2026, 11, 23).at(17, 59, 59, 0), vec!["kim"]),
        (date(2026, 11, 23).at(18, 0, 0, 0), vec!["park"]),
        (date(2026, 11, 24).at(8, 59, 0, 0), vec!["park"]),
        (date(2026, 11, 24).at(12, 0, 0, 0), vec!["lee"]),
        (date(2026, 11, 24).at(14, 0, 0, 0), vec!["kim"]),
        (date(2026, 11, 30).at(10, 0, 0, 0), vec!["lee"]),
        // Christmas is a holiday: nobody in the office, and nights begin at six.
        (date(2026, 12, 25).at(10, 0, 0, 0), vec![]),
        (date(2026, 12, 25).at(20, 0, 0, 0), vec!["park"]),
    ];
    for (wall, people) in table {
        assert_eq!(noc.at(seoul(wall)).people, people, "at {wall}");
    }
}

#[test]
fn the_answer_says_why() {
    let noc = noc();
    let why = |wall| noc.at(seoul(wall)).why.told_in(noc.zone());
    assert_eq!(
        why(date(2026, 11, 23).at(10, 0, 0, 0)),
        "layer office, turn from 2026-11-23 09:00 to 2026-11-30 09:00"
    );
    assert_eq!(
        why(date(2026, 11, 24).at(13, 0, 0, 0)),
        "override until 2026-11-24 14:00 (kim sees a doctor)"
    );
    assert_eq!(
        why(date(2026, 12, 25).at(10, 0, 0, 0)),
        "no layer covers this time"
    );
}

#[test]
fn hours_with_nobody_are_found_unless_another_target_covers_them() {
    let catalogue = catalogue();
    let week = (
        seoul(date(2026, 11, 23).at(0, 0, 0, 0)),
        seoul(date(2026, 11, 30).at(0, 0, 0, 0)),
    );
    let hour = SignedDuration::from_hours(1);
    let found =
        |name: &str| uncovered(&catalogue, &catalogue.escalation_policies[name], week, hour);
    // The days of the weekend, nine to six.
    let weekend = [28, 29].map(|day| {
        (
            seoul(date(2026, 11, day).at(9, 0, 0, 0)),
            seoul(date(2026, 11, day).at(18, 0, 0, 0)),
        )
    });
    assert_eq!(found("default"), weekend);
    assert_eq!(found("covered"), []);
}

#[test]
fn overlaps_say_who_answers_and_whom_they_cover() {
    let noc = noc();
    let day = (
        seoul(date(2026, 11, 24).at(9, 0, 0, 0)),
        seoul(date(2026, 11, 25).at(9, 0, 0, 0)),
    );
    let found = noc.overlaps(day.0, day.1);
    // Lee stands in for Kim from noon to two; nights and office do not meet.
    assert_eq!(found.len(), 1, "{found:?}");
    let one = &found[0];
    assert_eq!(
        (one.from, one.to),
        (
            seoul(date(2026, 11, 24).at(12, 0, 0, 0)),
            seoul(date(2026, 11, 24).at(14, 0, 0, 0))
        )
    );
    assert_eq!(one.duty.people, ["lee"]);
    assert_eq!(one.covered, [("office", vec!["kim"])]);
    assert_eq!(one.overrides, 1);
}

#[test]
fn a_calendar_holds_each_turn_of_a_person() {
    let week = (
        seoul(date(2026, 11, 24).at(9, 0, 0, 0)),
        seoul(date(2026, 11, 25).at(9, 0, 0, 0)),
    );
    let text = calendar(&noc(), Some("lee"), week, Timestamp::UNIX_EPOCH);
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
}

#[test]
fn a_turn_that_has_begun_is_the_same_event_whenever_the_calendar_is_made() {
    let end = seoul(date(2026, 11, 26).at(9, 0, 0, 0));
    let uids = |hour: i8| -> Vec<String> {
        let from = seoul(date(2026, 11, 25).at(hour, 17, 3, 0));
        let text = calendar(&noc(), None, (from, end), Timestamp::UNIX_EPOCH);
        let lines = text
            .split("\r\n")
            .filter(|line| line.starts_with("UID:") || line.starts_with("DTSTART:"));
        lines.map(str::to_owned).collect()
    };
    let (early, late) = (uids(10), uids(12));
    assert_eq!(early, late);
    assert_eq!(early[1], "DTSTART:20261125T000000Z");
}

#[test]
fn everybody_of_its_layers_and_overrides_may_ever_be_on_call() {
    let noc = noc();
    let people: Vec<_> = noc.people().into_iter().collect();
    assert_eq!(people, ["kim", "lee", "park"]);
}
