//! What holds whatever happens: random lives of an incident.

use super::directory::{Care, Dependency, Grouping, RouteTo, Rule, Selector};
use super::own_rules::OwnRule;
use super::step::{Input, Seen};
use super::tests_silence::silence;
use super::world::{MINUTE, World, event, failed, is_end, neighbour};
use super::{
    Action, Actor, Around, ChannelKind, Delivery, Finding, Labels, Purpose, Status, Via, audit,
};
use model::{AlertKind, Priority, Span};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
enum Happening {
    Event(AlertKind, Priority, bool),
    Repeat,
    Skip,
    Ack,
    Close(bool),
    Comment,
    CaughtUp,
    Pass(i64),
    Deadline,
    Fail(usize, bool),
    Orphaned,
    LosePolicy,
    LosePhones,
    Silence(i64),
    EndSilences,
    Assign(bool),
    Snooze(i64),
    Merge,
    Priority(Priority),
    Beside(&'static str, Priority, bool),
    Leader(Option<Priority>),
    Alone,
}

fn happening() -> impl Strategy<Value = Happening> {
    let kind = prop::sample::select(vec![
        AlertKind::Firing,
        AlertKind::Reopened,
        AlertKind::Raised,
        AlertKind::Lowered,
        AlertKind::Resolved,
        AlertKind::Expired,
        AlertKind::Held,
    ]);
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let (judged, theirs) = (priority.clone(), priority.clone());
    let leads = prop::option::of(priority.clone());
    let template = prop::sample::select(vec!["host-down", "mysql-down"]);
    prop_oneof![
        8 => (kind, priority, prop::bool::weighted(0.2))
            .prop_map(|(kind, priority, late)| Happening::Event(kind, priority, late)),
        1 => Just(Happening::Repeat),
        1 => Just(Happening::Skip),
        3 => Just(Happening::Ack),
        2 => any::<bool>().prop_map(Happening::Close),
        1 => Just(Happening::Comment),
        1 => Just(Happening::CaughtUp),
        3 => (0_i64..90).prop_map(Happening::Pass),
        6 => Just(Happening::Deadline),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(n, alive)| Happening::Fail(n, alive)),
        1 => Just(Happening::Orphaned),
        1 => Just(Happening::LosePolicy),
        1 => Just(Happening::LosePhones),
        2 => (1_i64..200).prop_map(Happening::Silence),
        1 => Just(Happening::EndSilences),
        2 => any::<bool>().prop_map(Happening::Assign),
        2 => (0_i64..300).prop_map(Happening::Snooze),
        2 => Just(Happening::Merge),
        2 => judged.prop_map(Happening::Priority),
        3 => (template, theirs, prop::bool::weighted(0.8))
            .prop_map(|(template, priority, speaks)| Happening::Beside(template, priority, speaks)),
        2 => leads.prop_map(Happening::Leader),
        3 => Just(Happening::Alone),
    ]
}

struct Life {
    world: World,
    sequence: u64,
    deliveries: Vec<Delivery>,
}

fn actor() -> Actor {
    Actor {
        name: "Kim".to_owned(),
        contact: Some("kim".to_owned()),
    }
}

impl Life {
    fn new() -> Self {
        let mut world = World::new();
        *world.care() = Care {
            routing: vec![Rule {
                when: Selector {
                    priority: vec![Priority::P2, Priority::P1],
                    text: Some("RAISED BY".to_owned()),
                    ..Selector::default()
                },
                to: RouteTo::Nobody,
            }],
            dependencies: vec![Dependency {
                name: "needs-db".to_owned(),
                on: "mysql-down".to_owned(),
                hides: Selector::default(),
                same: vec!["env".to_owned()],
            }],
            grouping: Some(Grouping {
                by: vec!["template".to_owned()],
                wait: Span::from_secs(30),
                interval: MINUTE.times(5),
                cap: 3,
            }),
        };
        world.directory.channels.insert(ChannelKind::Voice);
        let rule = |by: &[ChannelKind], after| OwnRule {
            by: by.to_vec(),
            after: MINUTE.times(after),
        };
        let rules = vec![
            rule(&[ChannelKind::Sms], 0),
            rule(&[ChannelKind::Voice], 7),
            rule(&[ChannelKind::Chat, ChannelKind::Sms], 20),
        ];
        world.person("lee").own_rules = [rules.clone(), rules, Vec::new()];
        Self {
            world,
            sequence: 0,
            deliveries: Vec::new(),
        }
    }

    fn happens(&mut self, what: &Happening) -> Vec<Action> {
        let (actor, via) = (actor(), Via::Api);
        let world = &mut self.world;
        match what {
            Happening::Event(kind, priority, late) => {
                self.sequence += 1;
                let over = matches!(kind, AlertKind::Resolved | AlertKind::Expired);
                let delay = if *late { MINUTE.times(20) } else { Span::ZERO };
                let priority = (!over).then_some(*priority);
                world.event_delayed(self.sequence, *kind, priority, delay)
            }
            Happening::Repeat => {
                let again = event(self.sequence.max(1), AlertKind::Firing, Some(Priority::P1));
                world.apply(Input::Alert {
                    event: &again,
                    appended_at: world.now,
                    seen: Seen::Times(2),
                })
            }
            Happening::Skip => {
                self.sequence += 1;
                Vec::new()
            }
            Happening::Ack => world.apply(Input::Acknowledge { actor, via }),
            Happening::Close(until_resolved) => world.apply(Input::Close {
                actor,
                via,
                until_resolved: *until_resolved,
            }),
            Happening::Comment => world.apply(Input::Comment {
                actor,
                via,
                text: "looking".to_owned(),
            }),
            Happening::CaughtUp => world.apply(Input::CaughtUp),
            Happening::Pass(minutes) => {
                world.now = world.now.plus(MINUTE.times(*minutes));
                world.apply(Input::Due)
            }
            Happening::Deadline if world.incident.due_at().is_some() => world.next_deadline(),
            Happening::Deadline => Vec::new(),
            Happening::Fail(n, alive) => match self.deliveries.len() {
                0 => Vec::new(),
                len => world.apply(failed(&self.deliveries[n % len], *alive)),
            },
            Happening::Orphaned => world.apply(Input::Orphaned),
            Happening::Silence(minutes) => {
                let ends_at = world.now.plus(MINUTE.times(*minutes));
                let silence = silence("host=web-1", world.now, ends_at);
                world.silences.0.push(silence);
                Vec::new()
            }
            Happening::EndSilences => {
                world.silences.0.clear();
                world.apply(Input::Due)
            }
            Happening::Assign(known) => {
                let to = if *known { "lee" } else { "nobody" }.to_owned();
                world.apply(Input::Assign { actor, via, to })
            }
            Happening::Snooze(minutes) => {
                let until = world.now.plus(MINUTE.times(*minutes));
                world.apply(Input::Snooze { actor, via, until })
            }
            Happening::Merge => {
                let into = world.around.others.first().map(|other| other.id);
                let into = into.unwrap_or(world.incident.id);
                world.apply(Input::Merge { actor, via, into })
            }
            Happening::Priority(priority) => world.apply(Input::SetPriority {
                actor,
                via,
                priority: *priority,
            }),
            Happening::Beside(template, priority, speaks) => {
                let mut other = neighbour(7, template, "web-1", *priority);
                other.speaks = *speaks;
                world.around.others = vec![other];
                Vec::new()
            }
            Happening::Leader(priority) => {
                world.around.leader =
                    priority.map(|priority| neighbour(9, "cpu-usage", "web-2", priority));
                world.around.news.joined += 1;
                Vec::new()
            }
            Happening::Alone => {
                world.around = Around::default();
                Vec::new()
            }
            Happening::LosePolicy => {
                world.directory.policies.clear();
                Vec::new()
            }
            Happening::LosePhones => {
                for person in world.directory.people.values_mut() {
                    person.phone = None;
                }
                Vec::new()
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_open_p1_always_has_a_future_and_every_page_its_reason(
        happenings in prop::collection::vec(happening(), 1..40)
    ) {
        let mut life = Life::new();
        // Who heard a page and has not heard of the end; a failed page may be struck off.
        let mut heard = BTreeSet::<(ChannelKind, String)>::new();
        let mut ids = BTreeSet::new();
        for what in &happenings {
            let before = life.world.incident.clone();
            let actions = life.happens(what);
            let incident = &life.world.incident;
            if actions.is_empty() {
                prop_assert_eq!(&before, incident, "nothing said, but changed by {:?}", what);
            } else {
                prop_assert_eq!(before.revision + 1, incident.revision);
            }
            prop_assert_ne!(audit(incident, life.world.now), Some(Finding::Orphaned), "{:?}", what);
            if incident.status == Status::Closed && !incident.firing {
                prop_assert_eq!(incident.due_at(), None);
            }
            // What own rules promised is sent, still to come, or ended by what somebody did.
            let ended = incident.status != Status::Open || incident.hold.is_some()
                || incident.priority == Priority::P3;
            for promised in before.follow_ups.iter().filter(|_| !ended) {
                let kept = incident.follow_ups.iter().any(|still| {
                    (&still.contact, still.channel) == (&promised.contact, promised.channel)
                        && (still.at <= promised.at || still.held)
                });
                let done = promised.at <= life.world.now || matches!(what, Happening::Fail(..));
                prop_assert!(kept || done, "{:?} took away {:?}", what, promised);
            }
            let quiet = life.world.silences.quiet(&Labels::from(incident), life.world.now);
            let mut recorded = false;
            let mut told_of_the_end = BTreeSet::new();
            for action in &actions {
                match action {
                    Action::Record(_) => recorded = true,
                    Action::Alarm(_) | Action::Keep => {}
                    Action::Send(delivery) => {
                        prop_assert!(recorded, "a message without a reason before it");
                        prop_assert!(ids.insert(delivery.id), "one id for two deliveries");
                        let to = (delivery.channel, delivery.recipient.address.clone());
                        if delivery.purpose.is_page() {
                            // Whom a person gives it to hears of it in any case.
                            let given = delivery.purpose == Purpose::Assigned;
                            prop_assert!(quiet.is_none() || given, "paged while it is silenced");
                            heard.insert(to);
                        } else if is_end(delivery.purpose) {
                            told_of_the_end.insert(to);
                        }
                        life.deliveries.push((**delivery).clone());
                    }
                }
            }
            if let Happening::Fail(..) = what {
                let told: BTreeSet<_> = life.world.incident.told.iter()
                    .map(|told| (told.channel, told.recipient.address.clone())).collect();
                heard.retain(|to| told.contains(to));
            }
            if matches!(what, Happening::Event(AlertKind::Resolved | AlertKind::Expired, ..)) {
                prop_assert_eq!(&told_of_the_end, &heard);
                heard.clear();
            }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_actions(
        happenings in prop::collection::vec(happening(), 1..30)
    ) {
        let (mut one, mut other) = (Life::new(), Life::new());
        for what in &happenings {
            let (a, b) = (one.happens(what), other.happens(what));
            prop_assert_eq!(&a, &b);
            for action in a {
                if let Action::Send(delivery) = action {
                    one.deliveries.push((*delivery).clone());
                    other.deliveries.push(*delivery);
                }
            }
        }
        prop_assert_eq!(one.world.incident, other.world.incident);
    }
}
