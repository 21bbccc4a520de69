//! What another incident does to this one: explains it, or tells of its group; and where rules route it.

use super::directory::{Dependency, Grouping, RouteTo, Rule, Selector};
use super::hold::HoldKind;
use super::world::{MINUTE, World, alarms, event, kinds, neighbour, said};
use super::{Action, ChannelKind, EntryKind, Finding, News, Reason, audit};
use model::{AlertKind, Priority, Span};

fn host_down(priority: Priority) -> World {
    let mut world = World::new();
    let mut down = event(1, AlertKind::Firing, Some(priority));
    down.template = "host-down".to_owned();
    world.incident = super::Incident::unseen(&down);
    world
}

fn hold(world: &World) -> Option<HoldKind> {
    world.incident.hold.as_ref().map(|hold| hold.kind)
}

#[test]
fn a_host_that_is_down_hides_what_else_it_says_and_the_timeline_says_why() {
    let mut world = World::new();
    world.beside(7, "host-down", "web-1", Priority::P1);
    let actions = world.fires(Priority::P1);
    assert_eq!(kinds(&actions), [EntryKind::Firing, EntryKind::Inhibited]);
    assert!(said(&actions).is_empty());
    assert_eq!(audit(&world.incident, world.now), None::<Finding>);
    let why = &world.incident.hold.as_ref().unwrap().why;
    assert!(why.contains("host-down of web-1"), "{why}");
    assert_eq!(
        kinds(&world.next_deadline()),
        [],
        "it is still down: nothing new to say"
    );
    world.around.others.clear();
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions)[..2], [EntryKind::Released, EntryKind::Page]);
    assert_eq!(said(&actions), ["firing chat C1", "firing sms KIM"]);
}

#[test]
fn another_host_a_lower_priority_and_one_that_is_held_itself_hide_nothing() {
    for (host, priority, speaks) in [
        ("web-2", Priority::P1, true),
        ("web-1", Priority::P2, true),
        ("web-1", Priority::P1, false),
    ] {
        let mut world = World::new();
        let mut other = neighbour(7, "host-down", host, priority);
        other.speaks = speaks;
        world.around.others.push(other);
        assert!(
            !said(&world.fires(Priority::P1)).is_empty(),
            "{host} {priority} {speaks}"
        );
    }
}

#[test]
fn a_host_that_goes_down_stops_the_escalation_of_what_it_explains() {
    let mut world = World::new();
    world.fires(Priority::P1);
    world.beside(7, "host-down", "web-1", Priority::P1);
    let actions = world.next_deadline();
    assert_eq!(
        (kinds(&actions), said(&actions).len()),
        (vec![EntryKind::Inhibited], 0)
    );
    let actions = world.event(2, AlertKind::Resolved, None);
    assert_eq!(said(&actions), ["resolved chat C1", "resolved sms KIM"]);
}

#[test]
fn a_silent_host_waits_30_s_for_the_word_that_its_tenant_is_silent() {
    let mut world = host_down(Priority::P1);
    let fired_at = world.now;
    let actions = world.fires(Priority::P1);
    assert_eq!(kinds(&actions), [EntryKind::Firing, EntryKind::Waits]);
    let actions = world.next_deadline();
    assert_eq!(world.now.since(fired_at), Span::from_secs(30));
    assert_eq!(said(&actions), ["firing chat C1", "firing sms KIM"]);

    let mut world = host_down(Priority::P1);
    world.fires(Priority::P1);
    world.beside(7, "tenant-ingest", "", Priority::P1);
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions), [EntryKind::Inhibited]);
    assert_eq!(hold(&world), Some(HoldKind::Inhibited));
}

#[test]
fn a_silent_tenant_hides_no_host_that_paged_before() {
    let mut world = host_down(Priority::P1);
    world.fires(Priority::P1);
    world.next_deadline();
    world.beside(7, "tenant-ingest", "", Priority::P1);
    assert!(said(&world.next_deadline()).contains(&"escalated sms LEE".to_owned()));
}

#[test]
fn a_declared_dependency_hides_what_it_names_where_the_tags_agree() {
    for (same, template, hidden) in [
        ("env", "mysql-down", true),
        ("host", "mysql-down", false),
        ("env", "disk-usage", false),
    ] {
        let mut world = World::new();
        world.care().dependencies.push(Dependency {
            name: "web-needs-db".to_owned(),
            on: "mysql-down".to_owned(),
            hides: Selector {
                template: Some("cpu-usage".to_owned()),
                ..Selector::default()
            },
            same: vec![same.to_owned()],
        });
        world.beside(7, template, "db-1", Priority::P1);
        let actions = world.fires(Priority::P2);
        assert_eq!(said(&actions).is_empty(), hidden, "{same} {template}");
        if hidden {
            assert!(world.incident.hold.unwrap().why.contains("web-needs-db"));
        }
    }
}

/// What a store is asked for beside an incident: were it less, nothing above would hide anything in real life.
#[test]
fn what_could_explain_an_incident_or_share_its_group_is_looked_for_and_nothing_else() {
    let templates = |world: &World| {
        let wanted = world.incident.wanted(&world.directory, world.now);
        wanted.map_or_else(Vec::new, |wanted| wanted.templates)
    };
    let down = ("host-down".to_owned(), Some("web-1".to_owned()));
    let mut world = World::new();
    assert_eq!(templates(&world), std::slice::from_ref(&down));
    for (hides, same, found) in [
        ("cpu-usage", "env", Some(None)),
        ("cpu-usage", "host", Some(Some("web-1".to_owned()))),
        ("disk-usage", "host", None),
    ] {
        world.care().dependencies = vec![Dependency {
            name: "web-needs-db".to_owned(),
            on: "mysql-down".to_owned(),
            hides: Selector {
                template: Some(hides.to_owned()),
                ..Selector::default()
            },
            same: vec![same.to_owned()],
        }];
        let found = found.map(|host| ("mysql-down".to_owned(), host));
        let all: Vec<_> = [down.clone()].into_iter().chain(found).collect();
        assert_eq!(templates(&world), all, "{hides} {same}");
    }
    let world = host_down(Priority::P1);
    assert_eq!(templates(&world), [("tenant-ingest".to_owned(), None)]);
    let mut world = World::new();
    world.incident.template = "tenant-ingest".to_owned();
    assert_eq!(world.incident.wanted(&world.directory, world.now), None);
}

#[test]
fn the_titles_that_joined_a_group_are_asked_for_when_its_digest_is_due() {
    let mut world = grouped();
    let wanted = |world: &World| world.incident.wanted(&world.directory, world.now);
    let group = wanted(&world).unwrap().group;
    assert!(group.is_some_and(|group| group.starts_with("template=cpu-usage env=")));
    let due = world.now.plus(MINUTE);
    world.incident.digest_at = Some(due);
    for (now, news) in [
        (due.minus(Span::from_secs(1)), None),
        (due, Some(2)),
        (due.plus(MINUTE), Some(2)),
    ] {
        world.now = now;
        assert_eq!(wanted(&world).unwrap().news, news);
    }
}

fn grouped() -> World {
    let mut world = World::new();
    world.care().grouping = Some(Grouping {
        by: vec!["template".to_owned(), "env".to_owned()],
        wait: Span::from_secs(30),
        interval: MINUTE.times(5),
        cap: 2,
    });
    world
}

#[test]
fn the_first_of_a_group_waits_and_tells_of_those_that_join() {
    let mut world = grouped();
    let actions = world.fires(Priority::P2);
    assert_eq!(kinds(&actions), [EntryKind::Firing, EntryKind::Waits]);
    assert_eq!(
        world.incident.grouped_by.as_deref(),
        Some("template=cpu-usage env=prod")
    );
    let actions = world.next_deadline();
    assert_eq!(said(&actions), ["firing chat C1", "firing sms KIM"]);
    assert_eq!(world.next_deadline(), [Action::Keep], "nobody joined");
    world.around.news = News {
        joined: 2,
        titles: vec![
            "CPU usage on web-2".to_owned(),
            "CPU usage on web-3".to_owned(),
        ],
        counts: vec![("cpu-usage".to_owned(), Priority::P2, 2)],
    };
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions), [EntryKind::Digest]);
    assert_eq!(said(&actions), ["digest chat C1", "digest sms KIM"]);
}

#[test]
fn what_has_none_of_the_tags_of_its_group_belongs_to_none() {
    let mut world = grouped();
    for (by, group) in [
        (vec!["service"], None),
        (vec!["service", "rack"], None),
        (vec!["service", "host"], Some("service= host=web-1")),
    ] {
        let by = by.into_iter().map(str::to_owned).collect();
        world.care().grouping.as_mut().expect("it groups").by = by;
        let mut one = World::new();
        one.directory = world.directory.clone();
        let actions = one.fires(Priority::P2);
        assert_eq!(one.incident.grouped_by.as_deref(), group);
        let waits = kinds(&actions).contains(&EntryKind::Waits);
        assert_eq!(waits, group.is_some(), "it waits for nobody");
        if waits {
            one.next_deadline();
        }
        assert_eq!(one.incident.digest_at.is_some(), group.is_some());
        let wanted = one.incident.wanted(&one.directory, one.now);
        let looked_for = wanted.and_then(|wanted| wanted.group);
        assert_eq!(looked_for.as_deref(), group);
    }
}

#[test]
fn a_storm_beyond_the_cap_is_a_digest_of_numbers() {
    let mut news = News {
        joined: 2,
        titles: vec!["a".to_owned(), "b".to_owned()],
        counts: vec![("cpu-usage".to_owned(), Priority::P3, 2)],
    };
    assert_eq!(news.told(2), "2 more: a; b");
    news.joined = 10_000;
    news.counts[0].2 = 10_000;
    assert_eq!(news.told(2), "digest of 10000 more: 10000 P3 of cpu-usage");
}

#[test]
fn who_joins_a_group_does_not_page_and_pages_when_nobody_tells_of_it_any_more() {
    let mut world = grouped();
    world.around.leader = Some(neighbour(9, "cpu-usage", "web-9", Priority::P2));
    let actions = world.fires(Priority::P3);
    assert_eq!(kinds(&actions), [EntryKind::Firing, EntryKind::Grouped]);
    world.around.leader = None;
    let actions = world.next_deadline();
    let why = "nobody tells of its group any more: it pages itself";
    assert_eq!(released(&actions), [why]);
    assert!(!said(&actions).is_empty());
}

fn released(actions: &[Action]) -> Vec<&str> {
    let entries = actions.iter().filter_map(|action| match action {
        Action::Record(entry) if entry.kind == EntryKind::Released => Some(entry.text.as_str()),
        _ => None,
    });
    entries.collect()
}

#[test]
fn what_holds_back_is_looked_at_every_minute_for_a_p1_and_every_five_for_others() {
    for (priority, minutes) in [(Priority::P1, 1), (Priority::P2, 5), (Priority::P3, 5)] {
        let mut world = World::new();
        world.beside(7, "host-down", "web-1", Priority::P1);
        world.fires(priority);
        for _ in 0..2 {
            let again = world.now.plus(MINUTE.times(minutes));
            assert_eq!(world.incident.due_at(), Some(again), "{priority}");
            // There is nothing to say, and yet the store is to keep when it is looked at next.
            assert_eq!(world.next_deadline(), [Action::Keep], "{priority}");
        }
    }
}

#[test]
fn the_timeline_says_who_else_explains_it_when_the_first_is_over() {
    let mut world = World::new();
    world.beside(7, "host-down", "web-1", Priority::P1);
    world.fires(Priority::P1);
    world.around.others = vec![neighbour(8, "host-down", "web-1", Priority::P1)];
    let actions = world.next_deadline();
    assert_eq!(kinds(&actions), [EntryKind::Inhibited]);
    let by = world.incident.hold.as_ref().and_then(|hold| hold.by);
    assert_eq!(by, Some(world.around.others[0].id));
    world.around.others.clear();
    let why = "what explained it is over, and this is not: it pages";
    assert_eq!(released(&world.next_deadline()), [why]);
}

#[test]
fn what_waited_pages_for_the_reason_that_it_began_to_wait() {
    let mut world = host_down(Priority::P1);
    world.fires(Priority::P1);
    world.next_deadline();
    world.event(2, AlertKind::Resolved, None);
    let actions = world.event(3, AlertKind::Reopened, Some(Priority::P1));
    assert_eq!(kinds(&actions), [EntryKind::Reopened, EntryKind::Waits]);
    let actions = world.next_deadline();
    assert_eq!(said(&actions), ["reopened chat C1", "reopened sms KIM"]);
}

#[test]
fn a_p1_neither_waits_for_a_group_nor_hides_in_one_of_lower_priority() {
    for leader in [None, Some(neighbour(9, "cpu-usage", "web-9", Priority::P2))] {
        let mut world = grouped();
        world.around.leader = leader;
        assert_eq!(
            said(&world.fires(Priority::P1)),
            ["firing chat C1", "firing sms KIM"]
        );
    }
}

#[test]
fn rules_route_by_priority_tag_and_text_and_the_first_holds() {
    let rule = |when: Selector, to: RouteTo| Rule { when, to };
    let mut world = World::new();
    let mut night = world.policy().clone();
    night.room = None;
    night.steps = vec![super::Step {
        notify: vec![schemas::catalogue::StepTarget::Contact("park".to_owned())],
        after: None,
        channels: vec![ChannelKind::Sms],
    }];
    world
        .directory
        .policies
        .insert("night".to_owned(), night.clone());
    let by_text = Selector {
        text: Some("AVERAGE OF 5M".to_owned()),
        priority: vec![Priority::P2],
        tags: [("host".to_owned(), "web-1".to_owned())].into(),
        ..Selector::default()
    };
    let p3 = Selector {
        priority: vec![Priority::P3],
        ..Selector::default()
    };
    world.care().routing = vec![
        rule(by_text, RouteTo::Policy("night".to_owned())),
        rule(p3, RouteTo::Step(Box::new(night))),
        rule(Selector::default(), RouteTo::Nobody),
    ];
    let mut other = World::new();
    other.directory = world.directory.clone();
    let actions = world.fires(Priority::P2);
    assert_eq!(said(&actions), ["firing sms PARK"]);
    let ways = |actions: &[Action]| {
        let routed = actions.iter().filter_map(|action| match action {
            Action::Record(entry) if entry.kind == EntryKind::Routed => Some(entry.text.clone()),
            _ => None,
        });
        routed.collect::<Vec<_>>()
    };
    let to_policy = "routing rule 1 of the tenant: it goes to the policy `night`";
    assert_eq!(ways(&actions), [to_policy]);
    let actions = other.fires(Priority::P3);
    assert_eq!(said(&actions), ["firing sms PARK"]);
    let to_person = "routing rule 2 of the tenant: it goes to park";
    assert_eq!(ways(&actions), [to_person]);
}

#[test]
fn a_rule_to_nobody_is_recorded_and_never_holds_for_a_p1() {
    let mut world = World::new();
    world.care().routing = vec![Rule {
        when: Selector::default(),
        to: RouteTo::Nobody,
    }];
    let actions = world.fires(Priority::P2);
    assert_eq!(kinds(&actions), [EntryKind::Firing, EntryKind::Routed]);
    assert_eq!((said(&actions).len(), alarms(&actions)), (0, 0));
    let actions = world.event(2, AlertKind::Raised, Some(Priority::P1));
    assert!(said(&actions).contains(&"raised sms KIM".to_owned()));
}

#[test]
fn a_rule_to_a_policy_that_is_gone_falls_back_to_the_tenants_own_and_says_so() {
    let mut world = World::new();
    world.care().routing = vec![Rule {
        when: Selector::default(),
        to: RouteTo::Policy("gone".to_owned()),
    }];
    let actions = world.fires(Priority::P1);
    assert!(kinds(&actions).contains(&EntryKind::Misconfigured));
    assert!(said(&actions).contains(&"firing sms KIM".to_owned()));
}

#[test]
fn a_reason_names_who_explains_it() {
    let by = neighbour(7, "host-down", "web-1", Priority::P1);
    let reason = Reason::Grouped { by: &by };
    assert!(
        reason.to_string().contains("host-down of web-1"),
        "{reason}"
    );
    assert_eq!(reason.by(), by.id);
}
