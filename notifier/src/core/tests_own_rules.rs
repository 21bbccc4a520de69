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
