//! What happens to an incident, case by case.

use super::step::Input;
use super::world::{MINUTE, World, alarms, failed, kinds, said, sent};
use super::{Actor, EntryKind, Finding, Purpose, Status, Target, Via, audit};
use model::{AlertKind, Priority, Span};

fn kim() -> Actor {
    Actor {
        name: "Kim".to_owned(),
        contact: Some("kim".to_owned()),
    }
}

fn ack() -> Input<'static> {
    Input::Acknowledge {
        actor: kim(),
        via: Via::Chat,
    }
}

fn close(until_resolved: bool) -> Input<'static> {
    Input::Close {
        actor: kim(),
        via: Via::Console,
        until_resolved,
    }
}

#[test]
fn a_p1_pages_the_room_and_the_first_person_then_the_next_until_everyone() {
    let mut world = World::new();
    assert_eq!(
        said(&world.fires(Priority::P1)),
        ["firing chat C1", "firing sms KIM"]
    );
    let mut story = Vec::new();
    for _ in 0..4 {
        let before = world.now;
        story.push(said(&world.next_deadline()).join(", "));
        assert!(world.now.since(before) >= MINUTE.times(15));
    }
    assert_eq!(
        story,
        [
            "escalated chat C1, escalated sms LEE",
            "escalated chat C1, escalated sms PARK",
            "ran_out chat C1, ran_out sms KIM, ran_out sms LEE, ran_out sms PARK",
            "ran_out chat C1, ran_out sms KIM, ran_out sms LEE, ran_out sms PARK",
        ]
    );
}

#[test]
fn the_person_who_is_to_act_is_called_by_name_in_the_room() {
    let mut world = World::new();
    let fired = world.fires(Priority::P1);
    assert_eq!(sent(&fired)[0].mentions[0].address, "U1");
    assert!(sent(&fired)[1].mentions.is_empty());
    let escalated = world.next_deadline();
    assert_eq!(sent(&escalated)[0].mentions[0].address, "U2");
}

#[test]
fn a_p2_ends_with_a_last_call_and_a_p3_goes_to_chat_once() {
    let mut world = World::new();
    world.fires(Priority::P2);
    for _ in 0..3 {
        world.next_deadline();
    }
    assert_eq!(world.incident.due_at(), None);
    let mut world = World::new();
    assert_eq!(said(&world.fires(Priority::P3)), ["firing chat C1"]);
    assert_eq!(world.incident.due_at(), None);
}

#[test]
fn a_step_of_its_own_pace_and_repeats_are_kept() {
    let mut world = World::new();
    world.policy().repeat = 1;
    world.policy().steps.truncate(2);
    world.policy().steps[1].after = Some(MINUTE);
    world.fires(Priority::P1);
    let begun = world.now;
    let mut minutes = Vec::new();
    for _ in 0..4 {
        let said = said(&world.next_deadline());
        minutes.push((
            world.now.since(begun).as_millis() / 60_000,
            said.last().unwrap().clone(),
        ));
    }
    let expected = [
        (1, "escalated sms LEE"),
        (16, "escalated sms KIM"),
        (17, "escalated sms LEE"),
        (32, "ran_out sms LEE"),
    ];
    assert_eq!(minutes, expected.map(|(at, what)| (at, what.to_owned())));
}

#[test]
fn a_step_that_reaches_nobody_is_skipped_at_once_and_says_so() {
    let mut world = World::new();
    world.policy().steps[0].notify = vec!["ghost".parse().expect("a target")];
    let actions = world.fires(Priority::P1);
    // The room hears of it in any case; the second person is paged without a wait.
    assert_eq!(
        said(&actions),
        ["firing chat C1", "escalated chat C1", "escalated sms LEE"]
    );
    let skipped = kinds(&actions)
        .iter()
        .filter(|kind| **kind == EntryKind::Skipped)
        .count();
    assert_eq!(skipped, 2, "who is missing, and that the step is skipped");
    assert!(alarms(&actions) >= 2);
}

#[test]
fn a_later_step_that_reaches_nobody_gives_way_at_once_though_others_were_told_before() {
    let mut world = World::new();
    world.policy().steps[1].notify = vec!["ghost".parse().expect("a target")];
    world.fires(Priority::P1);
    let actions = world.next_deadline();
    assert_eq!(said(&actions), ["escalated chat C1", "escalated sms PARK"]);
    assert!(kinds(&actions).contains(&EntryKind::Skipped));
}

#[test]
fn a_person_without_a_phone_is_called_in_the_room_and_it_is_said() {
    let mut world = World::new();
    world.person("kim").phone = None;
    let actions = world.fires(Priority::P1);
    assert_eq!(said(&actions), ["firing chat C1"]);
    assert!(kinds(&actions).contains(&EntryKind::Skipped));
    assert_eq!(world.incident.escalation.target, Some(Target::Step(1)));
}

#[test]
fn a_tenant_without_a_policy_uses_the_default_or_raises_an_alarm_every_minute() {
    let mut world = World::new();
    let ops = world.directory.policies.remove("ops").unwrap();
    let actions = world.fires(Priority::P1);
    assert!(said(&actions).is_empty());
    assert!(kinds(&actions).contains(&EntryKind::Misconfigured));
    let again = world.next_deadline();
    assert_eq!(kinds(&again), [], "the timeline says it once");
    assert_eq!(alarms(&again), 1);
    world.directory.policies.insert("default".to_owned(), ops);
    let mended = world.next_deadline();
    assert!(said(&mended).contains(&"ran_out sms KIM".to_owned()));
}

#[test]
fn who_was_told_of_the_firing_is_told_of_the_recovery_and_nobody_else() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.next_deadline();
    world.apply(ack());
    let over = world.event(2, AlertKind::Resolved, None);
    assert_eq!(
        said(&over),
        ["resolved chat C1", "resolved sms KIM", "resolved sms LEE"]
    );
    assert_eq!(world.incident.status, Status::Closed);
    assert_eq!(world.incident.due_at(), None);
    assert!(said(&world.event(3, AlertKind::Resolved, None)).is_empty());
}

#[test]
fn who_could_not_be_reached_is_not_told_of_the_recovery() {
    let mut world = World::new();
    let fired = world.fires(Priority::P1);
    let sms = sent(&fired)[1].clone();
    let advanced = world.apply(failed(&sms, false));
    assert_eq!(said(&advanced), ["escalated chat C1", "escalated sms LEE"]);
    let over = world.event(2, AlertKind::Resolved, None);
    assert_eq!(said(&over), ["resolved chat C1", "resolved sms LEE"]);
}

#[test]
fn a_failed_message_advances_only_the_step_that_is_waited_for() {
    let mut world = World::new();
    let fired = world.fires(Priority::P1);
    let sms = sent(&fired)[1].clone();
    assert!(
        said(&world.apply(failed(&sms, true))).is_empty(),
        "another still may reach"
    );
    world.next_deadline();
    let target = world.incident.escalation.target;
    assert!(
        said(&world.apply(failed(&sms, false))).is_empty(),
        "an old step"
    );
    assert_eq!(world.incident.escalation.target, target);
}

#[test]
fn failures_of_the_last_call_do_not_spin() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let mut last = Vec::new();
    for _ in 0..3 {
        last = world.next_deadline();
    }
    let due = world.incident.due_at();
    for delivery in sent(&last) {
        assert!(said(&world.apply(failed(delivery, false))).is_empty());
    }
    assert_eq!(world.incident.due_at(), due);
}

#[test]
fn an_acknowledgement_stops_the_escalation_until_it_runs_out_and_its_owner_is_asked() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let acked = world.apply(ack());
    assert_eq!(said(&acked), ["acknowledged chat C1"]);
    assert!(world.refuses(&ack()).is_some());
    let asked = world.next_deadline();
    assert_eq!(world.now.since(super::world::START), MINUTE.times(60));
    assert_eq!(
        said(&asked),
        ["ack_ran_out chat KIM", "ack_ran_out sms KIM"]
    );
    assert_eq!(world.incident.status, Status::Open);
    let on = world.next_deadline();
    assert_eq!(said(&on), ["escalated chat C1", "escalated sms LEE"]);
}

#[test]
fn escalation_goes_on_at_once_when_the_owner_cannot_be_asked() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let actor = Actor {
        name: "someone".to_owned(),
        contact: None,
    };
    let via = Via::Api;
    world.apply(Input::Acknowledge { actor, via });
    let on = world.next_deadline();
    assert_eq!(said(&on), ["escalated chat C1", "escalated sms LEE"]);
}

#[test]
fn closed_by_hand_while_it_fires_it_reopens_after_ten_minutes_unless_until_resolved() {
    let mut world = World::new();
    world.fires(Priority::P1);
    assert_eq!(said(&world.apply(close(false))), ["closed chat C1"]);
    let again = world.next_deadline();
    assert_eq!(world.now.since(super::world::START), MINUTE.times(10));
    assert_eq!(said(&again), ["reopened chat C1", "reopened sms KIM"]);
    assert_eq!(world.incident.status, Status::Open);

    world.apply(close(true));
    assert_eq!(world.incident.due_at(), None);
    let over = world.event(2, AlertKind::Resolved, None);
    assert_eq!(said(&over), ["resolved chat C1", "resolved sms KIM"]);
}

#[test]
fn a_recovery_before_the_ten_minutes_leaves_it_closed() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(close(false));
    world.event(2, AlertKind::Resolved, None);
    assert_eq!(world.incident.due_at(), None);
    assert_eq!(world.incident.status, Status::Closed);
    let by = world
        .incident
        .closed
        .as_ref()
        .and_then(|(by, _)| by.as_ref());
    assert_eq!(by.map(|actor| actor.name.as_str()), Some("Kim"));
}

#[test]
fn the_auditor_finds_a_p1_without_a_future_and_pages_everyone() {
    let mut world = World::new();
    world.fires(Priority::P1);
    assert_eq!(audit(&world.incident, world.now), None);
    // A minute late is not stuck yet.
    let due = world.now.plus(MINUTE.times(16));
    assert_eq!(audit(&world.incident, due), None);
    let late = world.now.plus(MINUTE.times(17));
    assert_eq!(
        audit(&world.incident, late),
        Some(Finding::Overdue(MINUTE.times(2)))
    );
    world.incident.escalation.at = None;
    assert_eq!(audit(&world.incident, world.now), Some(Finding::Orphaned));
    // Only a P1 owes a future.
    let mut lesser = world.incident.clone();
    lesser.priority = Priority::P2;
    assert_eq!(audit(&lesser, world.now), None);
    let actions = world.apply(Input::Orphaned);
    assert_eq!(sent(&actions).len(), 4);
    assert_eq!(sent(&actions)[0].purpose, Purpose::RanOut);
    assert_eq!(audit(&world.incident, world.now), None);
    assert!(world.apply(Input::Orphaned).is_empty());
}

#[test]
fn a_comment_goes_to_the_room_with_its_author() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let actions = world.apply(Input::Comment {
        actor: kim(),
        via: Via::Console,
        text: "restarted it".to_owned(),
    });
    assert_eq!(said(&actions), ["comment chat C1"]);
    assert_eq!(sent(&actions)[0].note.as_deref(), Some("Kim: restarted it"));
}

#[test]
fn without_a_room_people_get_direct_messages() {
    let mut world = World::new();
    world.policy().room = None;
    let fired = world.fires(Priority::P1);
    assert_eq!(said(&fired), ["firing chat KIM", "firing sms KIM"]);
    assert_eq!(sent(&fired)[0].recipient.address, "U1");
}

#[test]
fn a_policy_cut_short_under_way_ends_in_the_last_call() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.next_deadline();
    world.policy().steps.truncate(1);
    assert_eq!(
        said(&world.next_deadline()),
        ["ran_out chat C1", "ran_out sms KIM"]
    );
}

#[test]
fn a_wait_of_nothing_is_no_flood() {
    let mut world = World::new();
    world.policy().within = [Some(Span::ZERO); 3];
    world.policy().repeat = 2;
    world.life.ran_out_again = Span::ZERO;
    let actions = world.fires(Priority::P1);
    assert!(sent(&actions).len() < 40);
    assert!(world.incident.due_at().unwrap() > world.now);
}
