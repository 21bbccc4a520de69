//! What a catalogue becomes here: people, policies, and what tenants say beside their policy.

use super::directory::{Directory, Problem, RouteTo};
use super::world::{World, kinds, said, tenant};
use super::{Around, ChannelKind, EntryKind, Language, MatchOp, Matcher};
use model::{Priority, Span, TenantId, Timestamp};
use schemas::catalogue::{Catalogue, SYSTEM_TENANT, parse_yaml};
use std::collections::BTreeSet;

const CATALOGUE: &str = "
contact: kim
name: Kim
language: ko
slack: U1
telegram: '77'
phone: '+821011111111'
email: kim@example.com
rules: {P1: [{by: [sms]}, {by: [voice], after: 5m}]}
---
contact: lee
name: Lee
---
escalation_policy: ops
chat: C1
rooms: ['webhook:desk']
channels: {P1: [voice, alimtalk], P2: [email], P3: [telegram]}
acknowledge_within: {P1: 10m, P2: 40m}
steps:
- notify: [kim]
- {notify: [lee], after: 3m, channels: [teams, pagerduty, opsgenie, chat, sms, webhook]}
repeat: 2
ends: closed
---
tenant: acme
escalation_policy: ops
routing:
- {when: {template: backup, priority: [P3], tags: {host: db-1}, text: disk}, to: nobody}
- {when: {template: cpu-usage}, to: policy:other}
- {when: {template: memory}, to: lee}
dependencies:
- {dependency: rack, on: switch-down, hides: {tags: {rack: r1}}, same: [rack]}
grouping: {by: [template], wait: 30s, interval: 5m, cap: 4}
---
tenant: plain
escalation_policy: ops
---
tenant: lost
escalation_policy: missing
routing: [{when: {template: memory}, to: lee}]
";

fn directory() -> Directory {
    let mut catalogue = Catalogue::default();
    for located in parse_yaml("test.yaml", CATALOGUE).expect("it reads") {
        catalogue.insert(located.value);
    }
    Directory::of(&catalogue, BTreeSet::from([ChannelKind::Sms]))
}

#[test]
fn people_have_their_addresses_their_language_and_their_own_rules() {
    let directory = directory();
    assert_eq!(directory.channels, BTreeSet::from([ChannelKind::Sms]));
    let (kim, lee) = (&directory.people["kim"], &directory.people["lee"]);
    assert_eq!((kim.name.as_str(), kim.language), ("Kim", Language::Ko));
    assert_eq!(lee.language, Language::En);
    let addresses: Vec<Option<&str>> = ChannelKind::ALL
        .iter()
        .map(|kind| kim.address(*kind))
        .collect();
    for address in ["U1", "77", "+821011111111", "kim@example.com"] {
        assert!(addresses.contains(&Some(address)), "{address}");
    }
    let rules = kim.own_rules(Priority::P1);
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| (rule.by.clone(), rule.after))
        .collect();
    assert_eq!(
        rules,
        [
            (vec![ChannelKind::Sms], Span::ZERO),
            (vec![ChannelKind::Voice], Span::from_secs(300))
        ]
    );
    assert!(kim.own_rules(Priority::P2).is_empty());
    // The member ids of Slack have letters and those of Telegram have none.
    for (member, contact) in [
        ("U1", Some("kim")),
        ("77", Some("kim")),
        ("U2", None),
        ("", None),
    ] {
        let found = directory.by_member(member).map(|(name, _)| name);
        assert_eq!(found, contact, "{member}");
    }
}

#[test]
fn a_policy_keeps_its_channels_times_steps_rooms_and_what_ends_it() {
    let directory = directory();
    let ops = &directory.policies["ops"];
    assert_eq!(
        ops.channels(Priority::P1),
        [ChannelKind::Voice, ChannelKind::Alimtalk]
    );
    assert_eq!(ops.channels(Priority::P2), [ChannelKind::Email]);
    assert_eq!(ops.channels(Priority::P3), [ChannelKind::Telegram]);
    assert_eq!(
        ops.within[..2],
        [Some(Span::from_secs(600)), Some(Span::from_secs(2_400))]
    );
    assert_eq!(ops.room.as_deref(), Some("C1"));
    assert_eq!(ops.rooms, [(ChannelKind::Webhook, "desk".to_owned())]);
    assert_eq!((ops.repeat, ops.ends), (2, super::Ends::Closed));
    assert_eq!(ops.steps[0].after, None);
    assert_eq!(ops.steps[1].after, Some(Span::from_secs(180)));
    let (chat, sms, hook) = (ChannelKind::Chat, ChannelKind::Sms, ChannelKind::Webhook);
    let (teams, pagerduty, opsgenie) = (
        ChannelKind::Teams,
        ChannelKind::Pagerduty,
        ChannelKind::Opsgenie,
    );
    assert_eq!(
        ops.steps[1].channels,
        [teams, pagerduty, opsgenie, chat, sms, hook]
    );
}

#[test]
fn a_tenant_keeps_its_routing_dependencies_and_grouping_and_one_that_says_nothing_has_none() {
    let directory = directory();
    let care = &directory.care[&tenant()];
    let rule = &care.routing[0].when;
    assert_eq!(rule.template.as_deref(), Some("backup"));
    assert_eq!(rule.priority, [Priority::P3]);
    assert_eq!(rule.tags["host"], "db-1");
    assert_eq!(rule.text.as_deref(), Some("disk"));
    assert_eq!(care.routing[0].to, RouteTo::Nobody);
    assert_eq!(care.routing[1].to, RouteTo::Policy("other".to_owned()));
    // A step of one target, by the channels of the tenant's own policy; of the shipped ones where it has none.
    let step =
        |id: &str, n: usize| match &directory.care[&TenantId::parse(id).unwrap()].routing[n].to {
            RouteTo::Step(policy) => (**policy).clone(),
            other => panic!("{other:?}"),
        };
    for policy in [step("acme", 2), step("lost", 0)] {
        let targets: Vec<String> = policy
            .steps
            .iter()
            .flat_map(|step| &step.notify)
            .map(ToString::to_string)
            .collect();
        assert_eq!(targets, ["lee"]);
    }
    assert_eq!(step("acme", 2).channels(Priority::P2), [ChannelKind::Email]);
    assert_eq!(
        step("lost", 0).channels(Priority::P2),
        [ChannelKind::Sms, ChannelKind::Chat]
    );
    let dependency = &care.dependencies[0];
    assert_eq!(
        (dependency.name.as_str(), dependency.on.as_str()),
        ("rack", "switch-down")
    );
    assert_eq!(dependency.hides.tags["rack"], "r1");
    assert_eq!(dependency.same, ["rack"]);
    let grouping = care.grouping.as_ref().expect("it groups");
    assert_eq!(
        (&*grouping.by, grouping.cap),
        (&["template".to_owned()][..], 4)
    );
    assert_eq!(
        (grouping.wait, grouping.interval),
        (Span::from_secs(30), Span::from_secs(300))
    );
    assert_eq!(
        directory.care.len(),
        2,
        "a tenant that says nothing has no entry"
    );
}

#[test]
fn what_is_wrong_with_the_way_of_a_tenants_pages_is_said_but_of_bongsus_own() {
    let mut directory = directory();
    let known = |id: &str| TenantId::parse(id).unwrap();
    let (acme, lost, nobody, system) = (
        known("acme"),
        known("lost"),
        known("nobody"),
        known(SYSTEM_TENANT),
    );
    assert_eq!(directory.route(&acme).problem, None);
    assert_eq!(
        directory.route(&lost).problem,
        Some(Problem::NothingAtAll("missing"))
    );
    // Who has no policy at all has the times of the contract.
    let within = Priority::ALL.map(|priority| directory.route(&lost).within(priority));
    assert_eq!(
        within,
        [
            Some(Span::from_secs(900)),
            Some(Span::from_secs(3_600)),
            None
        ]
    );
    assert_eq!(
        directory.route(&system).problem,
        Some(Problem::NothingAtAll("default"))
    );
    let ops = directory.policies["ops"].clone();
    directory.policies.insert("default".to_owned(), ops);
    assert_eq!(
        directory.route(&lost).problem,
        Some(Problem::NoPolicy("missing"))
    );
    assert_eq!(
        directory.route(&nobody).problem,
        Some(Problem::NoTenant(&nobody))
    );
    assert_eq!(directory.route(&system).problem, None);
}

#[test]
fn the_rule_that_chose_is_counted_from_one() {
    let mut world = World::new();
    let rules = directory().care[&tenant()].routing.clone();
    world.care().routing = rules;
    let around = Around::default();
    let mut incident = world.incident.clone();
    for (template, rule) in [("cpu-usage", Some(2)), ("memory", Some(3)), ("else", None)] {
        template.clone_into(&mut incident.template);
        assert_eq!(world.directory.route_for(&incident, &around).rule, rule);
    }
}

#[test]
fn what_a_person_or_a_provider_lacks_is_said_once_and_by_what_it_is() {
    let mut world = World::new();
    world.policy().room = None;
    world.policy().channels[0] = vec![
        ChannelKind::Chat,
        ChannelKind::Sms,
        ChannelKind::Email,
        ChannelKind::Telegram,
    ];
    world.policy().steps.truncate(1);
    let lee = world.policy().steps[0].notify[0].clone();
    world.policy().steps[0].notify.push("lee".parse().unwrap());
    assert_ne!(world.policy().steps[0].notify[1], lee);
    world.directory.channels.insert(ChannelKind::Telegram);
    world.person("kim").chat = None;
    world.person("kim").phone = None;
    let actions = world.fires(Priority::P1);
    assert_eq!(said(&actions), ["firing chat LEE", "firing sms LEE"]);
    let skipped: Vec<String> = actions
        .iter()
        .filter_map(|action| match action {
            super::Action::Record(entry) if entry.kind == EntryKind::Skipped => {
                Some(entry.text.clone())
            }
            _ => None,
        })
        .collect();
    let all = skipped.join("\n");
    for part in [
        "KIM has no member id in the chat",
        "KIM has no phone number",
        "KIM has no chat with the bot of Telegram",
        "no provider of email is configured",
    ] {
        assert_eq!(all.matches(part).count(), 1, "{part}: {all}");
    }
}

#[test]
fn who_shares_a_number_gets_a_message_once_by_each_channel() {
    let mut world = World::new();
    world.policy().room = None;
    world.directory.channels.insert(ChannelKind::Voice);
    world.policy().channels[0] = vec![ChannelKind::Sms, ChannelKind::Voice];
    world.policy().steps[0].notify.push("lee".parse().unwrap());
    world.person("lee").phone = world.person("kim").phone.clone();
    assert_eq!(
        said(&world.fires(Priority::P1)),
        ["firing sms KIM", "firing voice KIM"]
    );
    // A room without members' ids says nothing of who is missing: it is told in any case.
    let mut world = World::new();
    world.person("kim").chat = None;
    assert!(!kinds(&world.fires(Priority::P1)).contains(&EntryKind::Skipped));
}

#[test]
fn matchers_are_alike_in_name_way_and_value() {
    let new = |name, op, value| Matcher::new(name, op, value).expect("a matcher");
    let one = new("host", MatchOp::Equal, "web.1");
    assert_eq!(
        (one.name(), one.op(), one.value()),
        ("host", MatchOp::Equal, "web.1")
    );
    // Without the sign of an expression a dot is a dot.
    assert!(one.matches("web.1") && !one.matches("web-1"));
    assert!(new("host", MatchOp::Matches, "web.1").matches("web-1"));
    assert_eq!(one, new("host", MatchOp::Equal, "web.1"));
    for other in [
        new("env", MatchOp::Equal, "web.1"),
        new("host", MatchOp::NotEqual, "web.1"),
        new("host", MatchOp::Equal, "web.2"),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn a_gap_of_the_next_fourteen_days_is_told_and_none_behind_them() {
    let mut catalogue = Catalogue::default();
    let text = "
contact: kim
name: Kim
phone: '+821011111111'
---
schedule: noc
time_zone: UTC
layers: [{layer: all, people: [kim], from: 2026-01-01T00:00, until: 2026-03-01T00:00}]
---
escalation_policy: noc
steps: [{notify: ['schedule:noc']}]
";
    for located in parse_yaml("test.yaml", text).expect("it reads") {
        catalogue.insert(located.value);
    }
    let directory = Directory::of(&catalogue, BTreeSet::new());
    let told = |now| directory.uncovered(Timestamp::from_millis(now)).len();
    // From March on there is nobody: 14 days from 23:00 of 14 February end before that, from 02:00 of the 15th two hours behind it.
    assert_eq!(told(1_771_110_000_000), 0);
    assert_eq!(told(1_771_120_800_000), 1);
}
