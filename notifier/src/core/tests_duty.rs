//! Whom steps mean that name a schedule or a team, and what waits for the hours of a contract.

use super::action::{Action, EntryKind};
use super::duty::Roster;
use super::world::{MINUTE, START, World, event, tenant};
use super::{ChannelKind, Input, Seen};
use jiff::civil::date;
use model::{AlertKind, Priority, Span, TenantId, Timestamp};
use oncall::Schedule;
use schemas::catalogue::{self, Catalogue, Every, EveryUnit, HolidayCalendar, Layer};
use schemas::catalogue::{StepTarget, Turn, parse_yaml};
use std::collections::BTreeMap;

/// Kim, Lee and Park by turns of a day, handed over at nine in Seoul.
pub(super) fn schedule() -> Schedule {
    let turn = |name: &str| Turn(vec![name.to_owned()]);
    let layer = Layer {
        layer: "days".to_owned(),
        people: vec![turn("kim"), turn("lee"), turn("park")],
        every: Every {
            count: 1,
            unit: EveryUnit::Days,
        },
        from: date(2020, 1, 1).at(9, 0, 0, 0),
        until: None,
        hours: Vec::new(),
    };
    Schedule::compile(&catalogue::Schedule {
        schedule: "noc".to_owned(),
        name: None,
        time_zone: "Asia/Seoul".to_owned(),
        holidays: HolidayCalendar::Kr,
        closed: Vec::new(),
        hand_over: Vec::new(),
        layers: vec![layer],
        overrides: Vec::new(),
    })
    .expect("it compiles")
}

fn world(steps: &[&str]) -> World {
    let mut world = World::new();
    let roster = &mut world.directory.roster;
    roster.schedules.insert("noc".to_owned(), schedule());
    let dba = vec!["kim".to_owned(), "lee".to_owned(), "park".to_owned()];
    roster.teams.insert("dba".to_owned(), dba);
    let template = world.policy().steps[0].clone();
    world.policy().steps = steps
        .iter()
        .map(|targets| {
            let mut step = template.clone();
            let words = targets.split(' ');
            step.notify = words.map(|word| word.parse().expect("a target")).collect();
            step
        })
        .collect();
    world
}

fn fire(world: &mut World, priority: Priority) -> Vec<Action> {
    let event = event(1, AlertKind::Firing, Some(priority));
    world.apply(Input::Alert {
        event: &event,
        appended_at: world.now,
        seen: Seen::Never,
    })
}

/// Names of those who get a message of their own.
fn paged(actions: &[Action]) -> Vec<String> {
    let mut names: Vec<String> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Send(delivery) => delivery.recipient.contact.clone(),
            _ => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

fn texts(actions: &[Action], kind: EntryKind) -> Vec<String> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Record(entry) if entry.kind == kind => Some(entry.text.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_schedule_names_who_is_on_call_at_the_time_of_the_page_and_the_timeline_says_why() {
    let mut world = world(&["schedule:noc", "schedule:noc"]);
    let on_call = |at: Timestamp| {
        let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).expect("a time");
        schedule().at(at).people[0].to_owned()
    };
    let actions = fire(&mut world, Priority::P1);
    assert_eq!(paged(&actions), [on_call(START)]);
    let page = texts(&actions, EntryKind::Page).join("\n");
    assert!(page.contains("schedule noc has"), "{page}");
    assert!(page.contains("layer days"), "{page}");
    // A day later the next of the rotation is called.
    world.now = START.plus(MINUTE.times(24 * 60));
    let actions = world.apply(Input::Due);
    let later = on_call(world.now);
    assert_ne!(later, on_call(START));
    assert_eq!(paged(&actions), [later]);
}

#[test]
fn a_team_is_told_as_a_whole_and_one_of_it_by_a_draw_that_does_not_repeat() {
    let mut whole = world(&["team:dba"]);
    assert_eq!(
        paged(&fire(&mut whole, Priority::P1)),
        ["kim", "lee", "park"]
    );
    let mut drawn = world(&["one-of:dba", "one-of:dba", "one-of:dba"]);
    let mut last = paged(&fire(&mut drawn, Priority::P1));
    assert_eq!(last.len(), 1);
    for _ in 0..2 {
        drawn.now = drawn.now.plus(MINUTE.times(15));
        let next = paged(&drawn.apply(Input::Due));
        assert_eq!(next.len(), 1);
        assert_ne!(next, last);
        last = next;
    }
}

#[test]
fn all_before_calls_again_whoever_was_called() {
    let mut world = world(&["kim", "lee", "all-before park"]);
    assert_eq!(paged(&fire(&mut world, Priority::P1)), ["kim"]);
    world.now = world.now.plus(MINUTE.times(15));
    assert_eq!(paged(&world.apply(Input::Due)), ["lee"]);
    world.now = world.now.plus(MINUTE.times(15));
    assert_eq!(paged(&world.apply(Input::Due)), ["kim", "lee", "park"]);
}

#[test]
fn a_step_with_nobody_on_call_is_skipped_at_once_and_says_so() {
    for (target, why) in [
        (
            "schedule:nights",
            "schedule `nights` is not in the catalogue",
        ),
        ("team:dbas", "team `dbas` is not in the catalogue"),
        ("one-of:dbas", "team `dbas` is not in the catalogue"),
    ] {
        let mut world = world(&[target, "lee"]);
        let actions = fire(&mut world, Priority::P1);
        assert_eq!(paged(&actions), ["lee"], "{target}");
        let skipped = texts(&actions, EntryKind::Skipped).join("\n");
        assert!(skipped.contains(why), "{target}: {skipped}");
    }
}

/// What stands in the catalogue is what steps, contracts and hand-overs go by.
#[test]
fn schedules_teams_contracts_and_hand_overs_come_from_the_catalogue() {
    let layers = "layers: [{layer: days, people: [kim, lee], from: 2020-01-01T09:00}]";
    let around_the_clock = format!(
        "---\ntenant: acme\n---\nteam: dba\nmembers: [kim, park]\n\
         ---\nschedule: noc\nhand_over: [chat, sms]\n{layers}\n---\nschedule: db\n{layers}\n"
    );
    let roster = |text: &str| {
        let mut catalogue = Catalogue::default();
        for entry in parse_yaml("test", text).expect("it can be read") {
            catalogue.insert(entry.value);
        }
        Roster::of(&catalogue)
    };
    let without = roster(&around_the_clock);
    let names: Vec<&str> = without.schedules.keys().map(String::as_str).collect();
    assert_eq!(names, ["db", "noc"]);
    assert_eq!(without.teams["dba"], ["kim", "park"]);
    let told = BTreeMap::from([("noc".to_owned(), vec![ChannelKind::Chat, ChannelKind::Sms])]);
    assert_eq!(without.hand_over, told);
    assert_eq!(without.opens_at(&tenant(), SATURDAY), None);

    let with = roster(&format!(
        "{around_the_clock}---\ntenant: globex\ncontract: 8x5\n"
    ));
    let globex = TenantId::parse("globex").expect("a tenant");
    for (whose, now, opens) in [
        (&globex, SATURDAY, Some(MONDAY_MORNING)),
        (&globex, MONDAY_MORNING, None),
        (&tenant(), SATURDAY, None),
    ] {
        assert_eq!(with.opens_at(whose, now), opens, "{whose}");
    }
}

/// Saturday 2026-11-21 12:00 in Seoul.
const SATURDAY: Timestamp = Timestamp::from_nanos(1_795_230_000_000_000_000);
/// Monday 2026-11-23 09:00 in Seoul.
const MONDAY_MORNING: Timestamp = Timestamp::from_nanos(1_795_392_000_000_000_000);

fn office_world() -> World {
    let mut world = world(&["kim", "lee"]);
    world.now = SATURDAY;
    world.directory.roster.office = Schedule::office_hours("Asia/Seoul", "office").ok();
    world.directory.roster.office_tenants.insert(tenant());
    world
}

#[test]
fn out_of_the_contracts_hours_a_p2_waits_for_the_morning_and_the_timeline_says_so() {
    let mut world = office_world();
    let actions = fire(&mut world, Priority::P2);
    assert_eq!(paged(&actions), Vec::<String>::new());
    let said = texts(&actions, EntryKind::OutOfHours);
    assert_eq!(
        said,
        ["out of the hours of the contract (8x5): a P2 waits 1d21h, until they begin"]
    );
    assert_eq!(world.incident.escalation.at, Some(MONDAY_MORNING));
    world.now = MONDAY_MORNING;
    assert_eq!(paged(&world.apply(Input::Due)), ["kim"]);
    // Nobody reads milliseconds.
    let mut world = office_world();
    world.now = MONDAY_MORNING.minus(Span::from_millis(61_304));
    let actions = fire(&mut world, Priority::P3);
    let said = texts(&actions, EntryKind::OutOfHours);
    assert_eq!(
        said,
        ["out of the hours of the contract (8x5): a P3 waits 1m2s, until they begin"]
    );
}

#[test]
fn out_of_the_contracts_hours_a_p1_pages_at_once() {
    let mut world = office_world();
    assert_eq!(paged(&fire(&mut world, Priority::P1)), ["kim"]);
}

#[test]
fn a_tenant_with_a_contract_around_the_clock_never_waits() {
    let mut world = office_world();
    world.directory.roster.office_tenants.clear();
    assert_eq!(paged(&fire(&mut world, Priority::P2)), ["kim"]);
}

#[test]
fn office_hours_leave_out_the_substitute_holiday() {
    let mut roster = Roster {
        office: Schedule::office_hours("Asia/Seoul", "office").ok(),
        ..Roster::default()
    };
    roster.office_tenants.insert(tenant());
    // Monday 2026-10-05 10:00 in Seoul stands in for the third of October.
    let monday = Timestamp::from_nanos(1_791_162_000_000_000_000);
    let opens = roster.opens_at(&tenant(), monday).expect("it is closed");
    // Tuesday 2026-10-06 09:00 in Seoul.
    assert_eq!(opens.as_nanos(), 1_791_244_800_000_000_000);
}

#[test]
fn what_is_no_target_is_refused_with_what_can_be_written() {
    let error = "group:dba".parse::<StepTarget>().expect_err("no such kind");
    assert!(error.contains("`schedule:NAME`"), "{error}");
}
