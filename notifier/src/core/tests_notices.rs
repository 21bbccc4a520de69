//! What is said beside incidents: hand-overs, tests; and what should be mended before it is needed.

use super::hand_over::{HandOver, Open, hand_overs};
use super::notice::{Notice, Said};
use super::tests_duty::schedule;
use super::world::{MINUTE, World, kinds, said, sent};
use super::{ChannelKind, EntryKind, Incident, Status};
use model::{Priority, TenantId, Timestamp};

/// 2026-11-24, nine in the morning in Seoul: a hand-over of the schedule.
const NINE: Timestamp = Timestamp::from_millis(1_795_478_400_000);

fn world() -> World {
    let mut world = World::new();
    let roster = &mut world.directory.roster;
    roster.schedules.insert("noc".to_owned(), schedule());
    let by = vec![ChannelKind::Chat];
    roster.hand_over.insert("noc".to_owned(), by);
    world.policy().steps[1].notify = vec!["schedule:noc".parse().unwrap()];
    world
}

fn the_one(world: &World) -> HandOver {
    let mut found = hand_overs(&world.directory, NINE.minus(MINUTE), NINE);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_hand_over_is_told_at_its_instant_to_who_goes_and_who_comes() {
    let world = world();
    assert_eq!(hand_overs(&world.directory, NINE, NINE.plus(MINUTE)), []);
    let hand_over = the_one(&world);
    assert_eq!(hand_over.at, NINE);
    assert_eq!((hand_over.goes.len(), hand_over.comes.len()), (1, 1));
    let acme = TenantId::parse("acme").unwrap();
    assert!(
        hand_over.tenants.contains(&acme),
        "its policy names the schedule"
    );

    let mut open = Open::default();
    open.add(Priority::P1, 1, ["CPU usage on web-1".to_owned()]);
    open.add(Priority::P2, 9, (0..9).map(|n| format!("disk {n}")));
    let notice = hand_over.notice(&world.directory, &open);
    let people: Vec<&str> = notice.to.iter().map(|said| said.contact.as_str()).collect();
    assert_eq!(people.len(), 2);
    for who in hand_over.goes.iter().chain(&hand_over.comes) {
        assert!(people.contains(&who.as_str()));
    }
    let text = &notice.to[0].text;
    for part in [
        "noc 당직 교대",
        "P1 1, P2 9, P3 0",
        "CPU usage on web-1",
        "disk 3",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("disk 4"), "five are named: {text}");
}

#[test]
fn a_schedule_that_says_nothing_tells_of_no_hand_over() {
    let mut world = world();
    world.directory.roster.hand_over.clear();
    assert_eq!(hand_overs(&world.directory, NINE.minus(MINUTE), NINE), []);
}

#[test]
fn a_notice_is_closed_from_its_beginning_and_says_whom_it_cannot_reach() {
    let mut world = world();
    world.person("lee").phone = None;
    let to = |contact: &str, by: &[ChannelKind]| Said {
        contact: contact.to_owned(),
        by: by.to_vec(),
        text: "a test".to_owned(),
    };
    let notice = Notice {
        key: "test/kim".to_owned(),
        title: "Test".to_owned(),
        title_ko: "시험".to_owned(),
        why: "asked for".to_owned(),
        to: vec![
            to("kim", &[]),
            to("lee", &[ChannelKind::Sms]),
            to("park", &[ChannelKind::Voice]),
            to("nobody", &[]),
        ],
    };
    let event = notice.event(&TenantId::parse("bongsu-system").unwrap(), world.now);
    let again = notice.event(&TenantId::parse("bongsu-system").unwrap(), world.now);
    assert_eq!(
        event.incident_id, again.incident_id,
        "the same is said once"
    );
    let mut incident = Incident::unseen(&event);
    let actions = notice.begin(&mut incident, &world.directory, world.now);
    assert_eq!(said(&actions), ["notice chat KIM", "notice sms KIM"]);
    assert!(
        sent(&actions)
            .iter()
            .all(|one| one.note.as_deref() == Some("a test"))
    );
    let skipped = kinds(&actions)
        .iter()
        .filter(|kind| **kind == EntryKind::Skipped)
        .count();
    assert_eq!(skipped, 3, "no phone, no provider, no contact");
    assert_eq!((incident.status, incident.due_at()), (Status::Closed, None));
}

#[test]
fn hours_with_nobody_and_who_may_be_paged_are_known() {
    let mut world = world();
    assert_eq!(world.directory.uncovered(NINE), Vec::<String>::new());
    // A policy of nothing but a schedule that nobody stands in.
    world
        .policy()
        .steps
        .retain(|step| step.notify[0].to_string() == "schedule:noc");
    assert_eq!(world.directory.uncovered(NINE), Vec::<String>::new());
    assert_eq!(
        world.directory.paged().len(),
        3,
        "kim, lee and park take turns"
    );
    // Before the rotation began, nobody is on call.
    let before = Timestamp::from_millis(1_577_000_000_000);
    let said = world.directory.uncovered(before).join("\n");
    assert!(
        said.contains("policy ops reaches nobody in 1 spans"),
        "{said}"
    );
}
