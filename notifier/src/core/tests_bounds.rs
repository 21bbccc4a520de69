//! The edges of what is decided: how long, how often, to whom else, and what is said of it.

use super::action::Action;
use super::step::{Input, Seen};
use super::tests_silence::silence;
use super::world::{MINUTE, START, World, event, failed, kinds, neighbour, said, sent};
use super::{
    Actor, AlarmKind, ChannelKind, EntryKind, Purpose, SilenceKind, SilenceState, Target, Via,
    Weekly,
};
use model::{AlertKind, IncidentId, Priority, Span};
use std::collections::BTreeSet;

const VIA: Via = Via::Console;

fn kim() -> Actor {
    Actor {
        name: "Kim".to_owned(),
        contact: Some("kim".to_owned()),
    }
}

fn ack() -> Input<'static> {
    let (actor, via) = (kim(), VIA);
    Input::Acknowledge { actor, via }
}

fn close(until_resolved: bool) -> Input<'static> {
    Input::Close {
        actor: kim(),
        via: VIA,
        until_resolved,
    }
}

fn assign(to: &str) -> Input<'static> {
    let (actor, via, to) = (kim(), VIA, to.to_owned());
    Input::Assign { actor, via, to }
}

fn merge(into: IncidentId) -> Input<'static> {
    let (actor, via) = (kim(), VIA);
    Input::Merge { actor, via, into }
}

fn judge(priority: Priority) -> Input<'static> {
    Input::SetPriority {
        actor: kim(),
        via: VIA,
        priority,
    }
}

fn snooze() -> Input<'static> {
    Input::Snooze {
        actor: kim(),
        via: VIA,
        until: START.plus(MINUTE.times(30)),
    }
}

fn texts(actions: &[Action]) -> String {
    let entries = actions.iter().filter_map(|action| match action {
        Action::Record(entry) => Some(entry.text.as_str()),
        _ => None,
    });
    entries.collect::<Vec<_>>().join("\n")
}

fn ghost() -> schemas::catalogue::StepTarget {
    "ghost".parse().expect("a target")
}

#[test]
fn an_action_that_changes_nothing_is_refused_with_its_reason() {
    let other = neighbour(5, "mysql-down", "db-1", Priority::P1);
    let fired = || {
        let mut world = World::new();
        world.around.others.push(other.clone());
        world.fires(Priority::P1);
        world
    };
    let after = |input: Input<'_>| {
        let mut world = fired();
        world.apply(input);
        world
    };
    let itself = merge(fired().incident.id);
    let table = [
        ("open", fired(), judge(Priority::P1), Some("a P1 already")),
        ("open", fired(), itself, Some("into itself")),
        ("open", fired(), close(false), None),
        ("acknowledged", after(ack()), ack(), Some("Kim has it")),
        ("merged", after(merge(other.id)), ack(), Some("merged into")),
        ("merged", after(merge(other.id)), snooze(), Some("merged")),
        (
            "merged",
            after(merge(other.id)),
            merge(other.id),
            Some("merged"),
        ),
        ("merged", after(merge(other.id)), assign("lee"), None),
        ("snoozed", after(snooze()), merge(other.id), None),
        ("closed", after(close(false)), ack(), Some("it is closed")),
        (
            "closed",
            after(close(false)),
            assign("lee"),
            Some("is closed"),
        ),
        ("closed", after(close(false)), snooze(), Some("is closed")),
        (
            "closed",
            after(close(false)),
            merge(other.id),
            Some("is closed"),
        ),
        (
            "closed",
            after(close(false)),
            judge(Priority::P2),
            Some("is closed"),
        ),
        (
            "closed",
            after(close(false)),
            close(false),
            Some("closed already"),
        ),
        // To close it until it is resolved still says something new; once.
        ("closed", after(close(false)), close(true), None),
        (
            "for good",
            after(close(true)),
            close(true),
            Some("closed already"),
        ),
    ];
    for (state, mut world, input, why) in table {
        let refused = world.refuses(&input);
        let case = format!("{state}: {input:?}: {refused:?}");
        assert_eq!(refused.is_some(), why.is_some(), "{case}");
        assert!(
            refused
                .unwrap_or_default()
                .contains(why.unwrap_or_default())
        );
        assert_eq!(world.apply(input).is_empty(), why.is_some(), "{case}");
    }
}

#[test]
fn a_condition_that_is_over_is_not_closed_until_resolved() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.event(2, AlertKind::Resolved, None);
    assert!(world.refuses(&close(true)).is_some());
}

#[test]
fn each_change_counts_a_revision_and_each_delivery_its_ordinal_and_nothing_else_does() {
    let mut world = World::new();
    let mut all: Vec<_> = sent(&world.fires(Priority::P1))
        .into_iter()
        .cloned()
        .collect();
    assert_eq!(world.incident.revision, 1);
    for revision in 2..=3 {
        all.extend(sent(&world.next_deadline()).into_iter().cloned());
        assert_eq!(world.incident.revision, revision);
    }
    let ordinals: Vec<u64> = all.iter().map(|delivery| delivery.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3, 4, 5, 6]);
    let ids: BTreeSet<String> = all.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(ids.len(), 6, "a room that is told three times is told");
    let before = world.incident.clone();
    let first = event(1, AlertKind::Firing, Some(Priority::P1));
    world.apply(Input::Alert {
        event: &first,
        appended_at: world.now,
        seen: Seen::Times(3),
    });
    assert_eq!(world.incident, before);
}

#[test]
fn an_acknowledgement_holds_an_hour_for_a_p1_eight_for_a_p2_and_for_ever_for_a_p3() {
    for (priority, minutes) in [
        (Priority::P1, Some(60)),
        (Priority::P2, Some(8 * 60)),
        (Priority::P3, None),
    ] {
        let mut world = World::new();
        world.fires(priority);
        world.apply(ack());
        let until = minutes.map(|minutes| START.plus(MINUTE.times(minutes)));
        assert_eq!(world.incident.due_at(), until, "{priority}");
    }
}

#[test]
fn an_event_is_late_when_it_was_decided_more_than_a_quarter_of_an_hour_behind() {
    for (minutes, late) in [(2, false), (15, false), (16, true)] {
        let mut world = World::new();
        let p1 = Some(Priority::P1);
        let actions = world.event_delayed(1, AlertKind::Firing, p1, MINUTE.times(minutes));
        assert_eq!(said(&actions).is_empty(), late, "{minutes}");
    }
}

#[test]
fn a_p1_whose_policy_ran_out_is_told_every_hour_and_a_p2_a_last_time() {
    for (priority, again) in [(Priority::P1, Some(MINUTE.times(60))), (Priority::P2, None)] {
        let mut world = World::new();
        world.fires(priority);
        for _ in 0..2 {
            world.next_deadline();
        }
        let actions = world.next_deadline();
        assert!(kinds(&actions).contains(&EntryKind::RanOut));
        let due = again.map(|again| world.now.plus(again));
        assert_eq!(world.incident.due_at(), due, "{priority}");
    }
}

#[test]
fn when_nobody_of_the_policy_can_be_called_the_room_is() {
    let mut world = World::new();
    for step in &mut world.policy().steps {
        step.notify = vec![ghost()];
    }
    let actions = world.fires(Priority::P1);
    assert_eq!(said(&actions), ["firing chat C1", "ran_out chat C1"]);
    assert!(!world.incident.escalation.nobody);
}

#[test]
fn a_p3_that_its_step_reaches_nobody_with_gives_way_to_the_next_and_then_rests() {
    let mut world = World::new();
    world.policy().room = None;
    world.policy().steps[0].notify = vec![ghost()];
    assert_eq!(said(&world.fires(Priority::P3)), ["firing chat LEE"]);
    assert_eq!(world.incident.due_at(), None);
}

#[test]
fn what_is_raised_is_told_to_everybody_who_heard_of_it_before() {
    let mut world = World::new();
    world.fires(Priority::P2);
    world.next_deadline();
    let raised = world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert_eq!(
        said(&raised),
        ["raised chat C1", "raised sms KIM", "raised sms LEE"]
    );
}

#[test]
fn a_page_says_by_which_step_and_the_owner_is_asked_in_words_of_its_own() {
    let mut world = World::new();
    let first = world.fires(Priority::P1);
    assert!(texts(&first).contains("step 1: firing by chat C1, sms KIM"));
    let second = world.next_deadline();
    assert!(texts(&second).contains("step 2: escalated by chat C1, sms LEE"));
    world.apply(ack());
    let asked = texts(&world.next_deadline());
    assert!(asked.contains("asked whether it is still in hand: chat KIM, sms KIM"));
    let given = texts(&world.apply(assign("park")));
    assert!(given.contains("assigned by chat PARK, sms PARK"), "{given}");
}

#[test]
fn every_room_and_whoever_has_no_room_is_kept_up_to_date() {
    let mut world = World::new();
    world.directory.channels.insert(ChannelKind::Teams);
    world.policy().rooms = vec![(ChannelKind::Teams, "ops".to_owned())];
    world.fires(Priority::P1);
    let told = said(&world.apply(ack()));
    assert_eq!(told, ["acknowledged chat C1", "acknowledged teams ops"]);
    let mut world = World::new();
    world.policy().room = None;
    world.fires(Priority::P1);
    assert_eq!(said(&world.apply(ack())), ["acknowledged chat KIM"]);
}

/// A round that begins again keeps its pace; within one, and before the first step, it does not.
#[test]
fn what_cannot_be_delivered_goes_on_at_once_within_a_round_only() {
    // The steps of the policy, how many deadlines before the page that fails, and what follows.
    for (steps, deadlines, next) in [
        (2, 0, Some("escalated sms LEE")),
        (2, 1, None),
        (2, 2, Some("escalated sms LEE")),
        (2, 3, Some("ran_out sms KIM")),
        (1, 0, None),
    ] {
        let mut world = World::new();
        world.policy().repeat = 1;
        world.policy().steps.truncate(steps);
        let mut actions = world.fires(Priority::P1);
        for _ in 0..deadlines {
            actions = world.next_deadline();
        }
        let due = world.incident.due_at();
        let sms = sent(&actions)[1].clone();
        let case = format!("{steps} {deadlines}");
        let follows = said(&world.apply(failed(&sms, false)));
        match next {
            Some(next) => assert!(
                follows.iter().any(|said| said == next),
                "{case} {follows:?}"
            ),
            None => assert_eq!((follows.len(), world.incident.due_at()), (0, due), "{case}"),
        }
    }
    // Given to somebody before its first page.
    let mut world = World::new();
    let until = START.plus(MINUTE);
    world.silences.0.push(silence("host=web-1", START, until));
    world.fires(Priority::P1);
    world.silences.0.clear();
    world.apply(ack());
    let given = world.apply(assign("park"));
    assert_eq!(world.incident.escalation.target, Some(Target::Step(0)));
    let sms = sent(&given)[1].clone();
    let follows = said(&world.apply(failed(&sms, false)));
    assert_eq!(follows, ["firing chat C1", "firing sms KIM"]);
}

#[test]
fn a_merge_names_the_incident_that_it_goes_into() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.beside(4, "disk-usage", "db-2", Priority::P1);
    world.beside(5, "mysql-down", "db-1", Priority::P1);
    let into = IncidentId::from_bytes([5; 16]);
    let merged = texts(&world.apply(merge(into)));
    assert!(merged.contains("(mysql-down of db-1) by Kim"), "{merged}");
}

#[test]
fn a_silence_says_who_why_and_how_long_in_whole_seconds() {
    let mut silences = super::Silences(vec![silence("host=web-1", START, START.plus(MINUTE))]);
    let incident = super::Incident::unseen(&event(1, AlertKind::Firing, Some(Priority::P1)));
    let labels = super::Labels::from(&incident);
    for (kind, passed, reason) in [
        (
            SilenceKind::Silence,
            0,
            "silenced by Kim (disk swap; s-1): nobody is paged for 1m",
        ),
        (
            SilenceKind::Silence,
            1,
            "silenced by Kim (disk swap; s-1): nobody is paged for 1m",
        ),
        (
            SilenceKind::Maintenance,
            30_000,
            "maintenance by Kim (disk swap; s-1): nobody is paged for 30s",
        ),
    ] {
        silences.0[0].spec.kind = kind;
        let now = START.plus(Span::from_millis(passed));
        let quiet = silences.quiet(&labels, now).expect("it holds");
        assert_eq!(quiet.reason(now), reason);
    }
}

#[test]
fn a_silence_holds_from_its_first_instant_up_to_its_end() {
    let instant = Span::from_millis(1);
    let end = START.plus(MINUTE);
    let spec = silence("host=web-1", START, end).spec;
    for (now, state) in [
        (START.minus(instant), SilenceState::Pending),
        (START, SilenceState::Active),
        (end.minus(instant), SilenceState::Active),
        (end, SilenceState::Expired),
    ] {
        assert_eq!(spec.state(now), state, "{now:?}");
        let holds = (state == SilenceState::Active).then_some(end);
        assert_eq!(spec.holds_until(now), holds, "{now:?}");
    }
}

#[test]
fn the_most_that_a_silence_may_have_is_taken() {
    let mut spec = silence("host=web-1", START, START.plus(MINUTE)).spec;
    spec.matchers = vec![spec.matchers[0].clone(); 32];
    spec.author = "김".repeat(100);
    spec.comment = "김".repeat(1_000);
    assert_eq!(spec.check(START), Ok(()));
    spec.comment.push('김');
    assert_eq!(spec.check(START), Err(super::BadSilence::Words));
    spec.comment.pop();
    let later = START.plus(MINUTE.times(2));
    assert_eq!(spec.check(later), Err(super::BadSilence::Past));
}

#[test]
fn weekly_hours_may_end_at_midnight_and_know_their_zone() {
    let weekly = Weekly::parse("fri 22:00-24:00", "Asia/Seoul").expect("hours");
    assert_eq!(weekly.zone(), "Asia/Seoul");
    assert_eq!(weekly.to_string(), "fri 22:00-24:00");
    for (hours, is_right) in [
        // Is it the night to friday or that to saturday?
        ("fri 24:00-02:00", false),
        ("fri 00:00-02:00", true),
        ("fri 22:00-00:00", true),
        ("fri 00:00-24:00", true),
        ("fri 00:00-00:00", false),
        ("fri 24:00-24:00", false),
        ("fri 22:00-24:01", false),
        ("fri 22:00-23:60", false),
    ] {
        assert_eq!(Weekly::parse(hours, "UTC").is_ok(), is_right, "{hours}");
    }
}

#[test]
fn what_was_closed_by_hand_says_by_whom_and_when_it_opens_again() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.apply(close(false));
    let said = texts(&world.next_deadline());
    assert!(
        said.contains("closed by Kim 10m ago, and the condition still holds: reopened"),
        "{said}"
    );
}

#[test]
fn a_page_that_was_not_delivered_is_an_alarm_but_for_a_p3_and_only_it_is_forgotten() {
    for (priority, alarmed) in [
        (Priority::P1, true),
        (Priority::P2, true),
        (Priority::P3, false),
    ] {
        let mut world = World::new();
        let fired = world.fires(priority);
        let chat = sent(&fired)[0].clone();
        let told = world.incident.told.len();
        let actions = world.apply(failed(&chat, true));
        let alarm = actions.iter().any(|action| match action {
            Action::Alarm(alarm) => alarm.kind == AlarmKind::Undelivered,
            _ => false,
        });
        assert_eq!(alarm, alarmed, "{priority}");
        assert_eq!(world.incident.told.len(), told - 1, "{priority}");
    }
    // Another address of the same channel, and the same address by another channel, have heard.
    let mut world = World::new();
    world.directory.channels.insert(ChannelKind::Voice);
    world.policy().room = None;
    world.policy().channels[0] = vec![ChannelKind::Sms, ChannelKind::Voice];
    world.policy().steps[0].notify.push("lee".parse().unwrap());
    let fired = world.fires(Priority::P1);
    world.apply(failed(sent(&fired)[0], true));
    let left: Vec<_> = world
        .incident
        .told
        .iter()
        .map(|told| (told.channel, told.recipient.name.as_str()))
        .collect();
    let (sms, voice) = (ChannelKind::Sms, ChannelKind::Voice);
    assert_eq!(left, [(sms, "LEE"), (voice, "KIM"), (voice, "LEE")]);
}

#[test]
fn a_purpose_is_read_by_its_word_and_a_delivery_is_shown_by_its_id() {
    for purpose in Purpose::ALL {
        assert_eq!(Purpose::parse(purpose.as_str()), Ok(purpose));
    }
    assert!(Purpose::parse("fire").is_err());
    let id = World::new().fires(Priority::P1);
    let id = sent(&id)[0].id;
    assert_eq!(format!("{id:?}"), id.to_string());
    assert_eq!(id.to_string().len(), 32);
}
