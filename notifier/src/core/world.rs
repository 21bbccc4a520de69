//! A small world for the tests of decisions: one tenant, three people, one policy.

use super::directory::{Care, Directory, Person, Policy, Route, Step};
use super::silence::Silences;
use super::step::{Input, Life, Seen, refusal, step};
use super::{Action, ChannelKind, Delivery, EntryKind, Incident, Language, Purpose};
use super::{Around, Neighbour};
use model::{AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, Span, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const MINUTE: Span = Span::from_secs(60);
pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) struct World {
    pub(super) directory: Directory,
    pub(super) life: Life,
    pub(super) silences: Silences,
    pub(super) incident: Incident,
    pub(super) now: Timestamp,
    /// What is open beside the incident.
    pub(super) around: Around,
}

fn person(name: &str, chat: Option<&str>, phone: Option<&str>) -> (String, Person) {
    let person = Person {
        name: name.to_uppercase(),
        language: Language::Ko,
        chat: chat.map(str::to_owned),
        telegram: None,
        phone: phone.map(str::to_owned),
        email: None,
        own_rules: Default::default(),
    };
    (name.to_owned(), person)
}

pub(super) fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// Kim, then Lee, then Park, with a room; 15 minutes for P1 and 60 for P2.
pub(super) fn directory() -> Directory {
    let step = |name: &str| Step {
        notify: vec![schemas::catalogue::StepTarget::Contact(name.to_owned())],
        after: None,
        channels: Vec::new(),
    };
    let policy = Policy {
        room: Some("C1".to_owned()),
        rooms: Vec::new(),
        channels: [
            vec![ChannelKind::Chat, ChannelKind::Sms],
            vec![ChannelKind::Chat, ChannelKind::Sms],
            vec![ChannelKind::Chat],
        ],
        within: [Some(MINUTE.times(15)), Some(MINUTE.times(60)), None],
        steps: vec![step("kim"), step("lee"), step("park")],
        repeat: 0,
        ends: Default::default(),
    };
    Directory {
        tenants: BTreeMap::from([(tenant(), "ops".to_owned())]),
        care: BTreeMap::new(),
        policies: BTreeMap::from([("ops".to_owned(), policy)]),
        people: BTreeMap::from([
            person("kim", Some("U1"), Some("+821011111111")),
            person("lee", Some("U2"), Some("+821022222222")),
            person("park", Some("U3"), Some("+821033333333")),
        ]),
        roster: Default::default(),
        channels: BTreeSet::from([ChannelKind::Chat, ChannelKind::Sms]),
    }
}

pub(super) fn event(sequence: u64, kind: AlertKind, priority: Option<Priority>) -> AlertEvent {
    let group = vec![("host".to_owned(), "web-1".to_owned())];
    let id = IncidentId::of(Fingerprint::of(&tenant(), "cpu-usage", &group), 0, START);
    AlertEvent {
        event_id: id.event(sequence),
        incident_id: id,
        sequence,
        tenant: tenant(),
        partition: 0,
        template: "cpu-usage".to_owned(),
        group,
        kind,
        priority,
        value: Some(95.0),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        at: START,
        started_at: START,
        arrival: START,
        env: Some("prod".to_owned()),
        title: "CPU usage on web-1".to_owned(),
        title_ko: None,
        why: "average of 5m is 95, above 90 for 5m".to_owned(),
        runbook: None,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            directory: directory(),
            life: Life::default(),
            silences: Silences::default(),
            incident: Incident::unseen(&event(1, AlertKind::Firing, Some(Priority::P1))),
            now: START,
            around: Around::default(),
        }
    }

    pub(super) fn policy(&mut self) -> &mut Policy {
        self.directory.policies.get_mut("ops").unwrap()
    }

    pub(super) fn person(&mut self, name: &str) -> &mut Person {
        self.directory.people.get_mut(name).unwrap()
    }

    pub(super) fn apply(&mut self, input: Input<'_>) -> Vec<Action> {
        let mut as_it_will_be = self.incident.clone();
        if let Input::Alert { event, .. } = &input {
            as_it_will_be.take_facts(event);
        }
        let route = Route {
            silences: &self.silences,
            ..self.directory.route_for(&as_it_will_be, &self.around)
        };
        step(&mut self.incident, input, route, &self.life, self.now)
    }

    /// Why an input changes nothing.
    pub(super) fn refuses(&self, input: &Input<'_>) -> Option<String> {
        let route = self.directory.route_for(&self.incident, &self.around);
        refusal(&self.incident, input, route, self.now)
    }

    /// Another incident of the tenant begins to fire.
    pub(super) fn beside(&mut self, n: u8, template: &str, host: &str, priority: Priority) {
        self.around
            .others
            .push(neighbour(n, template, host, priority));
    }

    pub(super) fn care(&mut self) -> &mut Care {
        self.directory.care.entry(tenant()).or_default()
    }

    /// An event that arrives and is appended now.
    pub(super) fn event(
        &mut self,
        sequence: u64,
        kind: AlertKind,
        priority: Option<Priority>,
    ) -> Vec<Action> {
        self.event_delayed(sequence, kind, priority, Span::ZERO)
    }

    pub(super) fn event_delayed(
        &mut self,
        sequence: u64,
        kind: AlertKind,
        priority: Option<Priority>,
        delay: Span,
    ) -> Vec<Action> {
        let mut event = event(sequence, kind, priority);
        event.arrival = self.now.minus(delay);
        let (appended_at, seen) = (self.now, Seen::Never);
        self.apply(Input::Alert {
            event: &event,
            appended_at,
            seen,
        })
    }

    pub(super) fn fires(&mut self, priority: Priority) -> Vec<Action> {
        self.event(1, AlertKind::Firing, Some(priority))
    }

    /// Lets time pass up to the next deadline and does what is due then.
    pub(super) fn next_deadline(&mut self) -> Vec<Action> {
        self.now = self.incident.due_at().expect("there is a deadline");
        self.apply(Input::Due)
    }
}

pub(super) fn neighbour(n: u8, template: &str, host: &str, priority: Priority) -> Neighbour {
    Neighbour {
        id: IncidentId::from_bytes([n; 16]),
        template: template.to_owned(),
        group: vec![("host".to_owned(), host.to_owned())],
        env: Some("prod".to_owned()),
        priority,
        title: format!("{template} of {host}"),
        speaks: true,
    }
}

pub(super) fn sent(actions: &[Action]) -> Vec<&Delivery> {
    let deliveries = actions.iter().filter_map(|action| match action {
        Action::Send(delivery) => Some(&**delivery),
        _ => None,
    });
    deliveries.collect()
}

/// `firing chat C1`, `escalated sms LEE`, in their order.
pub(super) fn said(actions: &[Action]) -> Vec<String> {
    let line = |delivery: &&Delivery| {
        let (purpose, channel) = (delivery.purpose.as_str(), delivery.channel);
        format!("{purpose} {channel} {}", delivery.recipient.name)
    };
    sent(actions).iter().map(line).collect()
}

pub(super) fn kinds(actions: &[Action]) -> Vec<EntryKind> {
    let entries = actions.iter().filter_map(|action| match action {
        Action::Record(entry) => Some(entry.kind),
        _ => None,
    });
    entries.collect()
}

pub(super) fn alarms(actions: &[Action]) -> usize {
    let alarms = actions
        .iter()
        .filter(|action| matches!(action, Action::Alarm(_)));
    alarms.count()
}

pub(super) fn failed(delivery: &Delivery, others_alive: bool) -> Input<'static> {
    Input::Undelivered {
        revision: delivery.revision,
        purpose: delivery.purpose,
        channel: delivery.channel,
        recipient: delivery.recipient.clone(),
        reason: "bad number".to_owned(),
        others_alive,
        heard_before: false,
    }
}

pub(super) fn is_end(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Resolved | Purpose::Expired)
}
