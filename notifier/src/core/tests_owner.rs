//! Row 24 of the table of faults: no P1 is ever without an owner, whatever the wall clock, the rota or two people at once do.

use super::action::Action;
use super::words::{Actor, Status, Via};
use super::world::{MINUTE, World, alarms};
use super::{Input, Target};
use jiff::civil::date;
use model::{Priority, Span, Timestamp};
use oncall::Schedule;
use schemas::catalogue::{self, Every, EveryUnit, HolidayCalendar, Layer, Turn};
use std::collections::BTreeSet;

/// One of `people` by turns of a day, handed over at half past two, when some clocks are set.
fn schedule(zone: &str, people: &[&[&str]]) -> Schedule {
    let turn = |names: &&[&str]| Turn(names.iter().map(|name| (*name).to_owned()).collect());
    let layer = Layer {
        layer: "days".to_owned(),
        people: people.iter().map(turn).collect(),
        every: Every {
            count: 1,
            unit: EveryUnit::Days,
        },
        from: date(2020, 1, 1).at(2, 30, 0, 0),
        until: None,
        hours: Vec::new(),
    };
    Schedule::compile(&catalogue::Schedule {
        schedule: "noc".to_owned(),
        name: None,
        time_zone: zone.to_owned(),
        holidays: HolidayCalendar::None,
        closed: Vec::new(),
        hand_over: Vec::new(),
        layers: vec![layer],
        overrides: Vec::new(),
    })
    .expect("it compiles")
}

fn world(schedule: Schedule, steps: &[&str]) -> World {
    let mut world = World::new();
    let schedules = &mut world.directory.roster.schedules;
    schedules.insert("noc".to_owned(), schedule);
    let template = world.policy().steps[0].clone();
    let step = |target: &&str| {
        let mut step = template.clone();
        step.notify = vec![target.parse().expect("a target")];
        step
    };
    world.policy().steps = steps.iter().map(step).collect();
    // No room: a room is nobody.
    world.policy().room = None;
    world
}

/// How many people an incident's actions page, each by whatever channels.
fn people(actions: &[Action]) -> usize {
    let personal = |action: &Action| match action {
        Action::Send(delivery) if delivery.purpose.is_page() => delivery.recipient.contact.clone(),
        _ => None,
    };
    let people: BTreeSet<String> = actions.iter().filter_map(personal).collect();
    people.len()
}

/// Whether somebody has it, somebody is being asked and somebody else is next, or somebody is asked within a minute.
fn is_owned(world: &World) -> bool {
    let incident = &world.incident;
    let deadline = incident.due_at();
    match incident.status {
        Status::Closed => true,
        Status::Acknowledged => incident.acknowledged.is_some() && deadline.is_some(),
        Status::Open if incident.escalation.nobody => {
            deadline.is_some_and(|at| at.since(world.now) <= MINUTE)
        }
        Status::Open => deadline.is_some() && incident.escalation.target.is_some(),
    }
}

#[test]
fn at_every_minute_around_both_changes_of_the_clock_a_p1_finds_somebody() {
    // Noon of the day before each change, UTC.
    let changes = [
        ("America/New_York", 1_772_884_800),
        ("America/New_York", 1_793_448_000),
        ("Europe/Berlin", 1_774_699_200),
        ("Europe/Berlin", 1_792_843_200),
        ("Australia/Lord_Howe", 1_775_304_000),
        ("Asia/Seoul", 1_774_699_200),
    ];
    let mut looked = 0;
    for (zone, noon) in changes {
        let schedule = schedule(zone, &[&["kim"], &["lee"], &["park"]]);
        for minute in 0..36 * 60 {
            let mut world = world(schedule.clone(), &["schedule:noc", "schedule:noc"]);
            world.now = Timestamp::from_millis(noon * 1_000).plus(MINUTE.times(minute));
            let paged = people(&world.fires(Priority::P1));
            assert_eq!(paged, 1, "{zone} {minute} min after {noon}");
            assert!(is_owned(&world), "{zone} {minute} min after {noon}");
            looked += 1;
        }
    }
    assert_eq!(looked, 6 * 36 * 60);
}

#[test]
fn a_rota_with_nobody_gives_way_at_once_and_a_policy_with_nobody_never_rests() {
    let nobody = || schedule("Asia/Seoul", &[&[]]);
    let mut gives_way = world(nobody(), &["schedule:noc", "lee"]);
    assert_eq!(
        people(&gives_way.fires(Priority::P1)),
        1,
        "lee hears at once"
    );
    assert!(is_owned(&gives_way));

    let mut never_rests = world(nobody(), &["schedule:noc"]);
    let actions = never_rests.fires(Priority::P1);
    assert_eq!(people(&actions), 0);
    assert!(alarms(&actions) > 0, "those who run Bongsu are told");
    for _ in 0..120 {
        assert!(is_owned(&never_rests), "{:?}", never_rests.incident);
        assert!(alarms(&never_rests.next_deadline()) > 0);
    }
    // Somebody is put on the rota.
    let somebody = schedule("Asia/Seoul", &[&["park"]]);
    let schedules = &mut never_rests.directory.roster.schedules;
    schedules.insert("noc".to_owned(), somebody);
    assert_eq!(people(&never_rests.next_deadline()), 1);
    assert_eq!(
        never_rests.incident.escalation.target,
        Some(Target::Everyone)
    );
    assert!(is_owned(&never_rests));
}

#[test]
fn whichever_of_acknowledgement_and_escalation_comes_first_somebody_has_it() {
    let kim = || Actor {
        name: "KIM".to_owned(),
        contact: Some("kim".to_owned()),
    };
    let acknowledge = || Input::Acknowledge {
        actor: kim(),
        via: Via::Api,
    };
    for escalates_first in [false, true] {
        for rounds in 0..4 {
            let mut world = World::new();
            world.fires(Priority::P1);
            for _ in 0..rounds {
                world.next_deadline();
                assert!(is_owned(&world));
            }
            // Both at the very moment of the deadline.
            world.now = world.incident.due_at().expect("a deadline");
            let mut both = [acknowledge(), Input::Due];
            if escalates_first {
                both.reverse();
            }
            let paged: usize = both.map(|input| people(&world.apply(input))).iter().sum();
            assert_eq!(
                paged > 0,
                escalates_first,
                "after the acknowledgement nobody is paged"
            );
            assert_eq!(world.incident.status, Status::Acknowledged);
            assert!(is_owned(&world));
            // It runs out, its owner says nothing: it is asked for again, and then others are.
            let mut asked = 0;
            for _ in 0..3 {
                asked += people(&world.next_deadline());
                assert!(is_owned(&world));
            }
            assert!(asked >= 2, "{asked}");
        }
    }
}

#[test]
fn an_owner_who_leaves_the_catalogue_leaves_no_p1_behind() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(Input::Acknowledge {
        actor: Actor {
            name: "KIM".to_owned(),
            contact: Some("kim".to_owned()),
        },
        via: Via::Api,
    });
    world.directory.people.remove("kim");
    world.now = world.now.plus(Span::from_secs(3_600));
    let actions = world.apply(Input::Due);
    assert!(people(&actions) >= 1, "others hear at once");
    assert!(is_owned(&world));
}
