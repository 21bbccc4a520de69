//! What people do to an incident: give away, put off, merge, judge anew.

use super::hold::HoldKind;
use super::step::Input;
use super::world::{MINUTE, World, failed, kinds, said, sent};
use super::{Actor, EntryKind, Purpose, Status, Via};
use model::{AlertKind, IncidentId, Priority, Span};

fn kim() -> Actor {
    Actor {
        name: "KIM".to_owned(),
        contact: Some("kim".to_owned()),
    }
}

fn ack() -> Input<'static> {
    Input::Acknowledge {
        actor: kim(),
        via: Via::Console,
    }
}

fn assign(to: &str) -> Input<'static> {
    Input::Assign {
        actor: kim(),
        via: Via::Cli,
        to: to.to_owned(),
    }
}

fn judge(priority: Priority) -> Input<'static> {
    Input::SetPriority {
        actor: kim(),
        via: Via::Api,
        priority,
    }
}

fn snooze(world: &World, minutes: i64) -> Input<'static> {
    Input::Snooze {
        actor: kim(),
        via: Via::Api,
        until: world.now.plus(MINUTE.times(minutes)),
    }
}

fn merge(n: u8) -> Input<'static> {
    Input::Merge {
        actor: kim(),
        via: Via::Api,
        into: IncidentId::from_bytes([n; 16]),
    }
}

#[test]
fn who_is_given_an_incident_is_paged_and_without_an_answer_the_escalation_goes_on() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(ack());
    let actions = world.apply(assign("park"));
    assert_eq!(kinds(&actions), [EntryKind::Assigned, EntryKind::Page]);
    assert_eq!(said(&actions), ["assigned chat PARK", "assigned sms PARK"]);
    assert_eq!(world.incident.status, Status::Open);
    let owner = world.incident.summary().assigned.unwrap();
    assert_eq!(owner.contact.as_deref(), Some("park"));
    let asked_at = world.now;
    let actions = world.next_deadline();
    assert_eq!(world.now.since(asked_at), MINUTE.times(15));
    assert!(
        said(&actions).contains(&"escalated sms LEE".to_owned()),
        "{:?}",
        said(&actions)
    );
}

#[test]
fn a_page_to_the_new_owner_that_cannot_be_delivered_escalates_at_once() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let actions = world.apply(assign("park"));
    let sms = sent(&actions)[1].clone();
    let actions = world.apply(failed(&sms, false));
    assert!(
        said(&actions).contains(&"escalated sms LEE".to_owned()),
        "{:?}",
        said(&actions)
    );
}

#[test]
fn who_takes_it_by_assigning_it_to_themselves_has_acknowledged() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(assign("kim"));
    assert_eq!(world.incident.status, Status::Acknowledged);
    assert_eq!(
        world.incident.ack_runs_out_at,
        Some(world.now.plus(MINUTE.times(60)))
    );
}

#[test]
fn an_incident_is_given_to_people_of_the_catalogue_only() {
    let mut world = World::new();
    world.fires(Priority::P1);
    assert!(
        world
            .refuses(&assign("stranger"))
            .unwrap()
            .contains("stranger")
    );
    assert_eq!(world.apply(assign("stranger")), []);
}

#[test]
fn a_snooze_ends_by_time_and_pages_from_the_first_step() {
    let mut world = World::new();
    world.fires(Priority::P1);
    let actions = world.apply(snooze(&world, 30));
    assert_eq!(kinds(&actions), [EntryKind::Snoozed]);
    assert_eq!(world.incident.status, Status::Acknowledged);
    assert_eq!(
        world.incident.due_at(),
        Some(world.now.plus(MINUTE.times(30)))
    );
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions)[..2], [EntryKind::Released, EntryKind::Page]);
    assert_eq!(
        said(&actions),
        ["snooze_over chat C1", "snooze_over sms KIM"]
    );
    assert_eq!(world.incident.status, Status::Open);
}

#[test]
fn a_snooze_is_bounded_and_ended_by_a_higher_priority_and_by_the_recovery() {
    let mut world = World::new();
    world.fires(Priority::P2);
    assert!(world.refuses(&snooze(&world, 0)).is_some());
    assert!(world.refuses(&snooze(&world, 7 * 24 * 60 + 1)).is_some());
    assert!(world.refuses(&snooze(&world, 7 * 24 * 60)).is_none());
    // A minute that was asked for is a minute, although some of it has passed before it is decided.
    let asked = Input::Snooze {
        actor: kim(),
        via: Via::Api,
        until: world.now.plus(MINUTE).minus(Span::from_millis(40)),
    };
    assert_eq!(world.refuses(&asked), None);
    world.apply(snooze(&world, 60));
    let actions = world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert!(said(&actions).contains(&"raised sms KIM".to_owned()));
    assert_eq!(world.incident.hold, None);
    world.apply(snooze(&world, 60));
    world.event(3, AlertKind::Resolved, None);
    assert_eq!(
        (world.incident.hold.clone(), world.incident.due_at()),
        (None, None)
    );
}

#[test]
fn what_is_merged_pages_no_more_until_the_other_is_over() {
    let mut world = World::new();
    world.fires(Priority::P2);
    world.beside(5, "mysql-down", "db-1", Priority::P1);
    let actions = world.apply(merge(5));
    assert_eq!(kinds(&actions), [EntryKind::Merged]);
    assert_eq!(world.incident.hold.as_ref().unwrap().kind, HoldKind::Merged);
    assert!(world.refuses(&ack()).unwrap().contains("merged into"));
    let actions = world.next_deadline();
    assert_eq!(said(&actions), [""; 0], "still open");
    world.around.others.clear();
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions)[..2], [EntryKind::Released, EntryKind::Page]);
    assert_eq!(said(&actions), ["reopened chat C1", "reopened sms KIM"]);
}

#[test]
fn who_heard_of_a_merged_incident_hears_of_its_end() {
    let mut world = World::new();
    world.fires(Priority::P2);
    world.beside(5, "mysql-down", "db-1", Priority::P1);
    world.apply(merge(5));
    let actions = world.event(2, AlertKind::Resolved, None);
    assert_eq!(said(&actions), ["resolved chat C1", "resolved sms KIM"]);
    assert_eq!(world.incident.status, Status::Closed);
}

#[test]
fn a_merge_hides_nothing_behind_what_is_less_urgent_unknown_or_silent() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.beside(5, "disk-usage", "db-1", Priority::P2);
    assert!(
        world
            .refuses(&merge(5))
            .unwrap()
            .contains("change the priority")
    );
    assert!(world.refuses(&merge(6)).unwrap().contains("no incident"));
    world.around.others[0].priority = Priority::P1;
    assert_eq!(world.refuses(&merge(5)), None);
    world.around.others[0].speaks = false;
    assert!(world.refuses(&merge(5)).unwrap().contains("held back"));
}

#[test]
fn a_priority_set_higher_asks_anew_and_lower_tells_nobody() {
    let mut world = World::new();
    world.fires(Priority::P2);
    world.apply(ack());
    let actions = world.apply(judge(Priority::P1));
    assert_eq!(world.incident.status, Status::Open);
    assert_eq!(kinds(&actions)[0], EntryKind::Raised);
    assert!(said(&actions).contains(&"raised sms KIM".to_owned()));
    let actions = world.apply(judge(Priority::P3));
    assert_eq!(
        (kinds(&actions), said(&actions).len()),
        (vec![EntryKind::Lowered], 0)
    );
    assert_eq!(world.incident.due_at(), None, "a P3 does not escalate");
}

#[test]
fn what_a_person_set_is_not_lowered_by_the_evaluator_alone() {
    let mut world = World::new();
    world.fires(Priority::P2);
    world.apply(judge(Priority::P1));
    let actions = world.event(2, AlertKind::Lowered, Some(Priority::P3));
    assert_eq!(kinds(&actions), [EntryKind::Lowered]);
    assert_eq!(world.incident.priority, Priority::P1);
    assert!(world.incident.due_at().is_some());
}

#[test]
fn an_owner_who_cannot_be_asked_any_more_is_passed_over_at_once() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(ack());
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions), [EntryKind::AckRanOut, EntryKind::Page]);
    assert_eq!(
        said(&actions),
        ["ack_ran_out chat KIM", "ack_ran_out sms KIM"]
    );
    assert_eq!(
        world.incident.escalation.at,
        Some(world.now.plus(Span::from_secs(900)))
    );
    let sms = sent(&actions)[1].clone();
    let actions = world.apply(failed(&sms, false));
    assert!(
        said(&actions).contains(&"escalated sms LEE".to_owned()),
        "{:?}",
        said(&actions)
    );
}

#[test]
fn a_policy_that_ends_when_closed_goes_on_after_an_acknowledgement() {
    let mut world = World::new();
    world.policy().ends = super::Ends::Closed;
    world.fires(Priority::P1);
    world.apply(ack());
    let actions = world.next_deadline();
    assert_eq!(world.incident.status, Status::Acknowledged);
    assert!(said(&actions).contains(&"escalated sms LEE".to_owned()));
    assert!(
        sent(&actions)
            .iter()
            .all(|delivery| delivery.purpose == Purpose::Escalated)
    );
}
