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
