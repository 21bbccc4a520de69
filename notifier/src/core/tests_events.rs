//! What events of the evaluator do to an incident, case by case.

use super::step::{Input, Seen};
use super::world::{MINUTE, World, alarms, event, kinds, said, sent};
use super::{Action, Actor, AlarmKind, EntryKind, Status, Via, audit};
use model::{AlertKind, Priority};

#[test]
fn sequences_repeats_and_gaps_are_recorded_and_change_nothing_they_should_not() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let before = world.incident.clone();
    let first = event(1, AlertKind::Firing, Some(Priority::P1));
    let table = [
        (Seen::Times(2), vec![EntryKind::Duplicate], 0),
        (Seen::Times(3), vec![], 0),
        (Seen::Otherwise, vec![EntryKind::Duplicate], 1),
        (Seen::Never, vec![EntryKind::OutOfOrder], 0),
    ];
    for (seen, expected, expected_alarms) in table {
        let actions = world.apply(Input::Alert {
            event: &first,
            appended_at: world.now,
            seen,
        });
        assert_eq!(kinds(&actions), expected, "{seen:?}");
        assert_eq!(alarms(&actions), expected_alarms, "{seen:?}");
        world.incident.revision = before.revision;
        assert_eq!(world.incident, before, "{seen:?}");
    }
    let gap = world.event(4, AlertKind::Resolved, None);
    assert!(gap.iter().any(|action| matches!(
        action,
        Action::Alarm(alarm) if alarm.kind == AlarmKind::SequenceGap
    )));
    assert_eq!(world.incident.status, Status::Closed);
    assert_eq!(world.incident.last_sequence, 4);
}

#[test]
fn an_incident_whose_firing_is_missing_pages_all_the_same() {
    for kind in [AlertKind::Raised, AlertKind::Lowered, AlertKind::Reopened] {
        let mut world = World::new();
        let actions = world.event(2, kind, Some(Priority::P1));
        assert_eq!(sent(&actions).len(), 2, "{kind:?}");
        assert!(kinds(&actions).contains(&EntryKind::Gap), "{kind:?}");
    }
}

#[test]
fn what_the_evaluator_holds_back_is_recorded_and_pages_nobody() {
    for kind in [AlertKind::Flapping, AlertKind::Held, AlertKind::Inhibited] {
        let mut world = World::new();
        let actions = world.event(1, kind, Some(Priority::P1));
        assert_eq!(kinds(&actions), [EntryKind::Held], "{kind:?}");
        assert!(sent(&actions).is_empty(), "{kind:?}");
    }
}

#[test]
fn a_late_firing_pages_once_when_the_evaluator_caught_up() {
    let late = MINUTE.times(16);
    let mut world = World::new();
    let p1 = Some(Priority::P1);
    let stored = world.event_delayed(1, AlertKind::Firing, p1, late);
    assert!(sent(&stored).is_empty());
    assert!(kinds(&stored).contains(&EntryKind::Backfilled));
    assert_eq!(world.incident.status, Status::Open);
    assert_eq!(audit(&world.incident, world.now), None);
    assert_eq!(
        said(&world.apply(Input::CaughtUp)),
        ["firing chat C1", "firing sms KIM"]
    );
    assert!(world.apply(Input::CaughtUp).is_empty(), "once");

    let mut world = World::new();
    world.event_delayed(1, AlertKind::Firing, p1, late);
    world.event_delayed(2, AlertKind::Resolved, None, late);
    assert!(
        world.apply(Input::CaughtUp).is_empty(),
        "it was over before"
    );

    let mut world = World::new();
    world.event_delayed(1, AlertKind::Firing, p1, late);
    assert_eq!(
        said(&world.next_deadline()).len(),
        2,
        "it does not wait for ever"
    );
    assert_eq!(world.now.since(super::world::START), MINUTE.times(5));
}

#[test]
fn the_same_incident_reopens_when_it_fires_again() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.event(2, AlertKind::Resolved, None);
    let again = world.event(3, AlertKind::Reopened, Some(Priority::P1));
    assert_eq!(said(&again), ["reopened chat C1", "reopened sms KIM"]);
    assert_eq!(world.incident.status, Status::Open);
}

#[test]
fn going_down_tells_nobody_and_going_up_asks_again() {
    let mut world = World::new();
    world.fires(Priority::P2);
    let (name, contact) = ("Kim".to_owned(), Some("kim".to_owned()));
    world.apply(Input::Acknowledge {
        actor: Actor { name, contact },
        via: Via::Chat,
    });
    let up = world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert_eq!(said(&up), ["raised chat C1", "raised sms KIM"]);
    assert_eq!(
        world.incident.status,
        Status::Open,
        "it was acknowledged as a P2"
    );
    let down = world.event(3, AlertKind::Lowered, Some(Priority::P2));
    assert!(sent(&down).is_empty());
    assert_eq!(kinds(&down), [EntryKind::Lowered]);
    assert!(world.incident.due_at().is_some());
}

#[test]
fn whoever_was_called_for_a_p1_hears_of_the_end_of_a_p1() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.event(2, AlertKind::Lowered, Some(Priority::P2));
    assert_eq!(world.incident.priority, Priority::P2);
    world.event(3, AlertKind::Resolved, None);
    assert_eq!(world.incident.priority, Priority::P1);
    world.event(4, AlertKind::Reopened, Some(Priority::P3));
    world.event(5, AlertKind::Resolved, None);
    assert_eq!(
        world.incident.priority,
        Priority::P3,
        "a new opening counts anew"
    );
}

fn texts(actions: &[Action]) -> Vec<String> {
    let entries = actions.iter().filter_map(|action| match action {
        Action::Record(entry) => Some(entry.text.clone()),
        _ => None,
    });
    entries.collect()
}

fn kim() -> Actor {
    let (name, contact) = ("Kim".to_owned(), Some("kim".to_owned()));
    Actor { name, contact }
}

fn close() -> Input<'static> {
    Input::Close {
        actor: kim(),
        via: Via::Console,
        until_resolved: true,
    }
}

#[test]
fn the_timeline_says_which_event_did_what() {
    let mut world = World::new();
    let fired = texts(&world.fires(Priority::P1));
    assert!(
        fired.contains(&"P1: CPU usage on web-1. average of 5m is 95, above 90 for 5m".to_owned()),
        "{fired:?}"
    );
    let first = event(1, AlertKind::Firing, Some(Priority::P1));
    let again = world.apply(Input::Alert {
        event: &first,
        appended_at: world.now,
        seen: Seen::Times(2),
    });
    assert_eq!(texts(&again), ["event 1 (firing) came again: no-op"]);
    let held = texts(&world.event(2, AlertKind::Flapping, Some(Priority::P1)));
    assert!(
        held[0].starts_with("held back by the evaluator (flapping): average of 5m"),
        "{held:?}"
    );
}

#[test]
fn an_event_that_says_lower_and_is_higher_than_what_was_told_pages() {
    // The event that raised it to P1 is missing.
    let mut world = World::new();
    world.fires(Priority::P3);
    let actions = world.event(3, AlertKind::Lowered, Some(Priority::P2));
    assert_eq!(said(&actions), ["raised chat C1", "raised sms KIM"]);
    assert!(kinds(&actions).contains(&EntryKind::Raised));
    // To what it is already, nobody is told.
    let actions = world.event(4, AlertKind::Lowered, Some(Priority::P2));
    assert_eq!(
        (said(&actions).len(), kinds(&actions)),
        (0, vec![EntryKind::Lowered])
    );
}

#[test]
fn an_incident_that_opens_again_while_it_is_open_tells_only_what_is_new() {
    // Its recovery is among missing events.
    for (before, after, expected) in [
        (Priority::P1, Priority::P1, &[][..]),
        (Priority::P3, Priority::P3, &[]),
        (Priority::P1, Priority::P2, &[]),
        (
            Priority::P2,
            Priority::P1,
            &["reopened chat C1", "reopened sms KIM"],
        ),
    ] {
        let mut world = World::new();
        world.fires(before);
        let actions = world.event(3, AlertKind::Reopened, Some(after));
        assert_eq!(said(&actions), expected, "{before} {after}");
    }
    // Somebody had it: that it was over meanwhile ends that.
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(Input::Acknowledge {
        actor: kim(),
        via: Via::Chat,
    });
    let actions = world.event(3, AlertKind::Reopened, Some(Priority::P1));
    assert_eq!(said(&actions), ["reopened chat C1", "reopened sms KIM"]);
    // Nobody was told by the rules of then, and nothing was to come.
    let mut world = World::new();
    world.care().routing = vec![super::Rule {
        when: super::Selector::default(),
        to: super::RouteTo::Nobody,
    }];
    assert!(said(&world.fires(Priority::P2)).is_empty());
    assert_eq!(world.incident.due_at(), None);
    world.care().routing.clear();
    let actions = world.event(3, AlertKind::Reopened, Some(Priority::P2));
    assert_eq!(said(&actions), ["reopened chat C1", "reopened sms KIM"]);
}

#[test]
fn what_was_closed_opens_when_it_is_raised_and_stays_closed_when_it_is_lowered() {
    let mut world = World::new();
    world.fires(Priority::P2);
    world.apply(close());
    let lowered = world.event(2, AlertKind::Lowered, Some(Priority::P3));
    assert!(said(&lowered).is_empty());
    assert_eq!(world.incident.status, Status::Closed);
    let raised = world.event(3, AlertKind::Raised, Some(Priority::P1));
    assert_eq!(said(&raised), ["raised chat C1", "raised sms KIM"]);
    let reopened = "reopened: it was closed at a lower priority".to_owned();
    assert!(texts(&raised).contains(&reopened), "{:?}", texts(&raised));
    // That what was over fired again is among missing events: it is told late.
    world.event(4, AlertKind::Resolved, None);
    let lowered = world.event(6, AlertKind::Lowered, Some(Priority::P2));
    assert_eq!(said(&lowered), ["reopened chat C1", "reopened sms KIM"]);
    // Of one that nothing has opened yet it is the first word.
    let mut world = World::new();
    let first = world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert_eq!(said(&first), ["firing chat C1", "firing sms KIM"]);
    assert!(!texts(&first).contains(&reopened));
    let mut world = World::new();
    let first = world.event(2, AlertKind::Lowered, Some(Priority::P2));
    assert_eq!(said(&first), ["firing chat C1", "firing sms KIM"]);
}

#[test]
fn an_end_without_a_beginning_closes_it_and_an_opening_is_dated_once() {
    let mut world = World::new();
    world.event(2, AlertKind::Resolved, None);
    assert_eq!(world.incident.closed, Some((None, world.now)));
    let mut world = World::new();
    world.now = world.now.plus(MINUTE);
    let opened = world.now;
    world.fires(Priority::P2);
    assert_eq!(world.incident.opened_at, opened);
    world.now = world.now.plus(MINUTE);
    world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert_eq!(world.incident.opened_at, opened, "it was open");
    world.event(3, AlertKind::Resolved, None);
    world.now = world.now.plus(MINUTE);
    world.event(4, AlertKind::Reopened, Some(Priority::P1));
    assert_eq!(world.incident.opened_at, world.now);
}

#[test]
fn what_waits_for_the_evaluator_and_falls_to_a_p3_pages_for_the_reason_that_it_waited_for() {
    let mut world = World::new();
    world.fires(Priority::P2);
    let late = MINUTE.times(16);
    let raised = world.event_delayed(2, AlertKind::Raised, Some(Priority::P1), late);
    assert!(said(&raised).is_empty());
    world.event(3, AlertKind::Lowered, Some(Priority::P3));
    // Who heard of it before hears of this as well.
    assert_eq!(
        said(&world.apply(Input::CaughtUp)),
        ["raised chat C1", "raised sms KIM"]
    );
}
