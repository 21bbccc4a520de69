//! What is said beside incidents: hand-overs, tests; and what should be mended before it is needed.

use super::hand_over::{HandOver, Open, hand_overs};
use super::notice::{Notice, Said, code_text, test_text};
use super::tests_duty::schedule;
use super::world::{MINUTE, World, kinds, said, sent};
use super::{ChannelKind, EntryKind, Incident, Language, Status};
use model::{Priority, Span, TenantId, Timestamp};
use oncall::Schedule;
use schemas::catalogue::{Catalogue, parse_yaml};

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
    let order: Vec<(u64, u64)> = sent(&actions)
        .iter()
        .map(|one| (one.revision, one.ordinal))
        .collect();
    assert_eq!(order, [(1, 1), (1, 2)]);
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
fn who_stands_in_a_policy_and_cannot_be_reached_by_its_channels_is_known() {
    let mut world = world();
    world.policy().channels[0] = vec![ChannelKind::Sms, ChannelKind::Voice];
    let people = &mut world.directory.people;
    for person in people.values_mut() {
        person.phone = Some("+821000000000".to_owned());
    }
    assert_eq!(world.directory.out_of_reach(), Vec::<String>::new());
    let kim = world.directory.people.get_mut("kim").expect("kim");
    kim.phone = None;
    kim.email = Some("kim@example.com".to_owned());
    let said = world.directory.out_of_reach();
    let expected =
        "policy ops pages KIM by sms, voice, and none of these has an address in the contact `kim`";
    assert_eq!(said, [expected]);
    // A rule of their own, or a step with channels of its own, is a way as well.
    let own = super::OwnRule {
        by: vec![ChannelKind::Email],
        after: Span::ZERO,
    };
    let kim = world.directory.people.get_mut("kim").expect("kim");
    kim.own_rules[0] = vec![own];
    assert_eq!(world.directory.out_of_reach(), Vec::<String>::new());
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

#[test]
fn the_words_of_a_test_and_of_a_code_are_in_the_readers_language() {
    assert!(test_text(Language::En).contains("This is a test"));
    assert!(test_text(Language::Ko).contains("시험"));
    let (english, korean) = (
        code_text(Language::En, "042017"),
        code_text(Language::Ko, "042017"),
    );
    assert!(english.contains("code is 042017"), "{english}");
    assert!(korean.contains("인증번호 042017"), "{korean}");
}

#[test]
fn nobody_may_hand_over_or_take_over_and_who_stays_is_told_of_no_hand_over() {
    let layer = |hours: &str| {
        format!("- {{layer: days, people: [kim], every: 1 day, from: 2020-01-01T09:00{hours}}}")
    };
    let found = |hours: &str, at: Timestamp| {
        let text = format!(
            "schedule: noc\ntime_zone: Asia/Seoul\nlayers:\n{}\n",
            layer(hours)
        );
        let mut catalogue = Catalogue::default();
        for located in parse_yaml("noc.yaml", &text).expect("it reads") {
            catalogue.insert(located.value);
        }
        let mut world = world();
        let noc = Schedule::compile(&catalogue.schedules["noc"]).expect("it compiles");
        world
            .directory
            .roster
            .schedules
            .insert("noc".to_owned(), noc);
        let found = hand_overs(&world.directory, at.minus(MINUTE), at);
        let why = |one: &HandOver| one.notice(&world.directory, &Open::default()).why;
        found.iter().map(why).collect::<Vec<_>>()
    };
    // Each day another turn of the same person.
    assert_eq!(found("", NINE), Vec::<String>::new());
    // Nine to five: nobody, then Kim, then nobody.
    let hours = ", hours: [{from: '09:00', to: '17:00'}]";
    let begins = found(hours, NINE);
    assert!(
        begins[0].starts_with("schedule noc: nobody hands over to KIM: "),
        "{begins:?}"
    );
    let ends = found(hours, NINE.plus(MINUTE.times(8 * 60)));
    assert!(
        ends[0].starts_with("schedule noc: KIM hands over to nobody: "),
        "{ends:?}"
    );
}
