//! A person's own rules: at once, later, and what ends them.

use super::own_rules::OwnRule;
use super::step::Input;
use super::tests_silence::silence;
use super::world::{MINUTE, World, failed, kinds, said, sent};
use super::{Action, Actor, ChannelKind, EntryKind, Via};
use model::{AlertKind, Priority, Span};

/// Kim is told by text at once, by voice after 5 minutes, by mail after 20.
fn world() -> World {
    let mut world = World::new();
    world
        .directory
        .channels
        .extend([ChannelKind::Voice, ChannelKind::Email]);
    let rule = |by, after| OwnRule {
        by: vec![by],
        after: MINUTE.times(after),
    };
    let rules = vec![
        rule(ChannelKind::Sms, 0),
        rule(ChannelKind::Voice, 5),
        rule(ChannelKind::Email, 20),
    ];
    let kim = world.person("kim");
    kim.email = Some("kim@example.com".to_owned());
    kim.own_rules = [rules, Vec::new(), Vec::new()];
    world
}

fn ack(name: &str) -> Input<'static> {
    Input::Acknowledge {
        actor: Actor {
            name: name.to_uppercase(),
            contact: Some(name.to_owned()),
        },
        via: Via::Console,
    }
}

fn texts(actions: &[Action]) -> Vec<String> {
    let entries = actions.iter().filter_map(|action| match action {
        Action::Record(entry) => Some(entry.text.clone()),
        _ => None,
    });
    entries.collect()
}

#[test]
fn a_person_is_told_by_their_own_rules_and_the_next_step_does_not_cancel_them() {
    let mut world = world();
    let actions = world.fires(Priority::P1);
    assert_eq!(said(&actions), ["firing chat C1", "firing sms KIM"]);
    assert_eq!(
        sent(&actions)[0].mentions.len(),
        1,
        "called by name in the room"
    );
    let text = texts(&actions).join("\n");
    assert!(
        text.contains("KIM by voice after 5m; KIM by email after 20m"),
        "{text}"
    );

    assert_eq!(said(&world.next_deadline()), ["firing voice KIM"]);
    assert_eq!(
        said(&world.next_deadline()),
        ["escalated chat C1", "escalated sms LEE"],
        "the policy's next step after 15 minutes"
    );
    assert_eq!(said(&world.next_deadline()), ["firing email KIM"]);
    // Who was told by any of them hears of the end.
    let over = said(&world.event(2, AlertKind::Resolved, None));
    for told in [
        "resolved voice KIM",
        "resolved email KIM",
        "resolved sms KIM",
    ] {
        assert!(over.iter().any(|said| said == told), "{over:?}");
    }
}

#[test]
fn own_rules_end_when_somebody_has_it_or_it_is_over() {
    for how in 0..4 {
        let mut world = world();
        world.fires(Priority::P1);
        assert_eq!(world.incident.follow_ups.len(), 2);
        let actor = Actor {
            name: "LEE".to_owned(),
            contact: None,
        };
        let via = Via::Api;
        match how {
            0 => world.apply(ack("lee")),
            1 => world.event(2, AlertKind::Resolved, None),
            2 => world.apply(Input::Close {
                actor,
                via,
                until_resolved: false,
            }),
            _ => world.apply(Input::SetPriority {
                actor,
                via,
                priority: Priority::P3,
            }),
        };
        assert!(world.incident.follow_ups.is_empty(), "{how}");
    }
}

#[test]
fn who_is_paged_again_is_still_called_when_they_should_be_first() {
    let mut world = world();
    // Every step tells Kim, three minutes apart: a call after five minutes must not wait for ever.
    let policy = world.policy();
    let mut step = policy.steps[0].clone();
    step.after = Some(MINUTE.times(3));
    policy.steps = vec![policy.steps[0].clone(), step.clone(), step];
    world.fires(Priority::P1);
    let begun = world.now;
    let mut called = None;
    while called.is_none() {
        let actions = world.next_deadline();
        if said(&actions)
            .iter()
            .any(|said| said.ends_with("voice KIM"))
        {
            called = Some(world.now.since(begun));
        }
    }
    assert_eq!(called, Some(MINUTE.times(5)));
}

#[test]
fn a_message_that_cannot_be_delivered_brings_the_next_rule_at_once() {
    let mut world = world();
    world.policy().room = None;
    let actions = world.fires(Priority::P1);
    // Nobody else was told by this step.
    let actions = world.apply(failed(sent(&actions)[0], false));
    assert_eq!(said(&actions), ["firing voice KIM"], "and Lee waits");
    let actions = world.apply(failed(sent(&actions)[0], false));
    assert_eq!(said(&actions), ["firing email KIM"]);
    let actions = world.apply(failed(sent(&actions)[0], false));
    assert_eq!(
        said(&actions),
        ["escalated chat LEE", "escalated sms LEE"],
        "nothing is left of Kim's rules"
    );
}

#[test]
fn own_rules_that_cannot_begin_leave_the_channels_of_the_policy() {
    let mut world = world();
    world.person("kim").phone = None;
    let actions = world.fires(Priority::P1);
    let text = texts(&actions).join("\n");
    assert!(
        text.contains("own rules of KIM begin with nothing that reaches them"),
        "{text}"
    );
    assert!(
        sent(&actions)[0]
            .mentions
            .iter()
            .any(|who| who.name == "KIM")
    );
    // A step that names its channels is obeyed to the letter.
    let mut world = self::world();
    world.policy().steps[0].channels = vec![ChannelKind::Email];
    assert_eq!(said(&world.fires(Priority::P1)), ["firing email KIM"]);
    assert!(world.incident.follow_ups.is_empty());
}

#[test]
fn a_silence_holds_what_own_rules_would_send_and_its_end_sends_it() {
    let mut world = world();
    world.fires(Priority::P1);
    let until = world.now.plus(MINUTE.times(8));
    world
        .silences
        .0
        .push(silence("host=web-1", world.now, until));
    let actions = world.next_deadline();
    assert!(said(&actions).is_empty());
    assert_eq!(kinds(&actions), [EntryKind::Silenced]);
    let mut said_once = 0;
    while said(&world.next_deadline()).is_empty() {
        said_once += 1;
    }
    assert_eq!(world.now, until);
    assert_eq!(
        said_once, 2,
        "looked at every minute, in case it is ended early"
    );
}

#[test]
fn who_is_given_an_incident_is_told_by_their_own_rules() {
    let mut world = world();
    world.fires(Priority::P1);
    world.apply(ack("lee"));
    let actor = Actor {
        name: "LEE".to_owned(),
        contact: Some("lee".to_owned()),
    };
    let actions = world.apply(Input::Assign {
        actor,
        via: Via::Api,
        to: "kim".to_owned(),
    });
    assert_eq!(said(&actions), ["assigned sms KIM"]);
    assert_eq!(
        world.incident.follow_ups[0].at.since(world.now),
        Span::from_secs(300)
    );
    assert_eq!(said(&world.next_deadline()), ["assigned voice KIM"]);
}

#[test]
fn an_earlier_promise_takes_the_place_of_a_later_one_and_of_nothing_else() {
    let mut world = world();
    let kim = world.person("kim").own_rules[0].clone();
    // As a P2 Kim is called after 30 minutes, as a P1 after 5; Lee always after 30.
    let mut slow = kim.clone();
    slow[1].after = MINUTE.times(30);
    slow.truncate(2);
    world.person("kim").own_rules[1] = slow.clone();
    world.person("lee").own_rules = [slow.clone(), slow, Vec::new()];
    world.policy().steps[0].notify.push("lee".parse().unwrap());
    world.fires(Priority::P2);
    let begun = world.now;
    world.now = begun.plus(MINUTE);
    world.event(2, AlertKind::Raised, Some(Priority::P1));
    let promised: Vec<(String, ChannelKind, Span)> = world
        .incident
        .follow_ups
        .iter()
        .map(|each| (each.contact.clone(), each.channel, each.at.since(begun)))
        .collect();
    assert_eq!(
        promised,
        [
            ("kim".to_owned(), ChannelKind::Voice, MINUTE.times(6)),
            ("kim".to_owned(), ChannelKind::Email, MINUTE.times(21)),
            ("lee".to_owned(), ChannelKind::Voice, MINUTE.times(30)),
        ]
    );
}

#[test]
fn a_follow_up_whose_time_has_passed_is_sent_at_the_next_look() {
    let mut world = world();
    world.fires(Priority::P1);
    let due = world.incident.due_at().expect("a call is to come");
    world.now = due.minus(Span::from_secs(1));
    assert!(said(&world.apply(Input::Due)).is_empty());
    world.now = due.plus(Span::from_secs(1));
    assert_eq!(said(&world.apply(Input::Due)), ["firing voice KIM"]);
}

#[test]
fn out_of_the_contracts_hours_own_rules_wait_for_the_morning_unless_it_is_a_p1() {
    for (priority, expected) in [
        (Priority::P1, &["firing voice KIM"][..]),
        (Priority::P2, &[]),
    ] {
        let mut world = world();
        world.person("kim").own_rules[1] = world.person("kim").own_rules[0].clone();
        // The page goes out within the hours, and the call would come when they are over.
        let roster = &mut world.directory.roster;
        roster.office = oncall::Schedule::office_hours("Asia/Seoul", "office").ok();
        roster.office_tenants.insert(super::world::tenant());
        // Friday 2027-01-15, 17:57 in Seoul.
        world.now = model::Timestamp::from_millis(1_800_003_420_000);
        world.fires(priority);
        let actions = world.next_deadline();
        assert_eq!(said(&actions), expected, "{priority}");
        if priority == Priority::P2 {
            assert_eq!(kinds(&actions), [EntryKind::OutOfHours]);
            let until = world.incident.follow_ups[0].at;
            assert!(
                until.since(world.now) > MINUTE.times(60),
                "on Monday: {until:?}"
            );
        }
    }
}

#[test]
fn a_follow_up_is_left_out_only_where_the_same_page_goes_the_same_way_at_that_moment() {
    // The policy's second step comes when Kim is to be called.
    for (who, channel, calls) in [
        ("kim", ChannelKind::Voice, &["escalated voice KIM"][..]),
        (
            "kim",
            ChannelKind::Sms,
            &["escalated sms KIM", "firing voice KIM"],
        ),
        (
            "lee",
            ChannelKind::Voice,
            &["escalated voice LEE", "firing voice KIM"],
        ),
    ] {
        let mut world = world();
        let step = &mut world.policy().steps[1];
        step.after = Some(MINUTE.times(5));
        step.channels = vec![channel];
        step.notify = vec![who.parse().unwrap()];
        world.fires(Priority::P1);
        let mut found = said(&world.next_deadline());
        found.retain(|line| !line.contains("chat"));
        assert_eq!(found, calls, "{who} {channel}");
    }
}

#[test]
fn a_message_of_another_person_or_one_that_a_silence_holds_is_not_brought_forward() {
    let mut world = world();
    world.policy().room = None;
    world.policy().steps[0].notify.push("lee".parse().unwrap());
    let fired = world.fires(Priority::P1);
    let of_lee = sent(&fired)
        .into_iter()
        .find(|delivery| delivery.recipient.name == "LEE" && delivery.channel == ChannelKind::Sms)
        .expect("Lee has a phone");
    let actions = world.apply(failed(of_lee, false));
    assert!(
        !said(&actions).contains(&"firing voice KIM".to_owned()),
        "{:?}",
        said(&actions)
    );

    let mut world = self::world();
    world.policy().room = None;
    let fired = world.fires(Priority::P1);
    let until = world.now.plus(MINUTE.times(30));
    let all = silence("host=web-1", world.now, until);
    world.silences.0.push(all);
    world.next_deadline();
    assert!(world.incident.follow_ups[0].held);
    let held = world.incident.follow_ups[0].clone();
    world.apply(failed(sent(&fired)[0], false));
    assert!(
        world.incident.follow_ups.contains(&held),
        "{:?}",
        world.incident.follow_ups
    );
}

#[test]
fn a_page_that_fails_when_the_next_is_due_anyway_brings_no_other_forward() {
    for late in [0, 1] {
        let mut world = world();
        let fired = world.fires(Priority::P1);
        let to_kim = sent(&fired)[1].clone();
        // The call is due, and nobody has looked since; the mail is to come at 20 minutes.
        world.now = world.now.plus(MINUTE.times(5 + late));
        let actions = world.apply(failed(&to_kim, true));
        assert_eq!(said(&actions), ["firing voice KIM"], "{late} minutes late");
        let left = &world.incident.follow_ups;
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].at.since(super::world::START), MINUTE.times(20));
    }
}

#[test]
fn own_rules_that_fell_away_hold_no_escalation_up() {
    let mut world = world();
    world.policy().room = None;
    let fired = world.fires(Priority::P1);
    world.directory.channels.remove(&ChannelKind::Voice);
    let actions = world.apply(failed(sent(&fired)[0], false));
    assert!(
        said(&actions).contains(&"escalated sms LEE".to_owned()),
        "{:?}",
        said(&actions)
    );
}

#[test]
fn who_is_called_by_name_in_the_room_is_who_the_room_is_told_with() {
    // With rules of their own and the room among the channels they are called there as well.
    let mut world = world();
    let fired = world.fires(Priority::P1);
    assert_eq!(sent(&fired)[0].mentions.len(), 1);
    // Without the room among the channels of the page nobody is.
    let mut world = self::world();
    world.policy().channels[0] = vec![ChannelKind::Sms];
    let fired = world.fires(Priority::P1);
    assert_eq!(said(&fired), ["firing sms KIM"]);
    // Without a room they get what they asked for and nothing beside.
    let mut world = self::world();
    world.policy().room = None;
    assert_eq!(said(&world.fires(Priority::P1)), ["firing sms KIM"]);
}
