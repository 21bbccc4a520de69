//! What is said to one person and is about no incident: a test, a code, a hand-over.
//!
//! Each is carried by an incident of its own, closed from its beginning, so that it goes the way of every page: the outbox, the
//! lanes, the providers; and its fate is seen where every fate is seen.

use super::action::{Action, Delivery, Entry, EntryKind};
use super::directory::{Directory, Person};
use super::incident::Incident;
use super::message::{DeliveryId, Purpose, Recipient};
use super::words::{ChannelKind, Language, Status};
use model::{AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, TenantId, Timestamp};
use std::collections::BTreeSet;

/// Template of the incidents that carry them.
pub const NOTICE_TEMPLATE: &str = "bongsu-notice";

/// Something to be said to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What makes it one of its kind: the same key at the same time is the same notice, and is said once.
    pub key: String,
    /// What it is, for lists; says nothing that only its reader may know.
    pub title: String,
    /// The same in Korean.
    pub title_ko: String,
    /// Who asked for it, or what made it due.
    pub why: String,
    /// What is said, to whom, how.
    pub to: Vec<Said>,
}

/// What is said to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The contact.
    pub contact: String,
    /// By these channels; empty: by every one that reaches them.
    pub by: Vec<ChannelKind>,
    /// In their language.
    pub text: String,
}

impl Notice {
    /// The event that makes its incident, whose id follows from key and time.
    pub fn event(&self, tenant: &TenantId, at: Timestamp) -> AlertEvent {
        let group = vec![("notice".to_owned(), self.key.clone())];
        let fingerprint = Fingerprint::of(tenant, NOTICE_TEMPLATE, &group);
        let id = IncidentId::of(fingerprint, 0, at);
        AlertEvent {
            event_id: id.event(1),
            incident_id: id,
            sequence: 1,
            tenant: tenant.clone(),
            partition: 0,
            template: NOTICE_TEMPLATE.to_owned(),
            group,
            kind: AlertKind::Firing,
            // As quick as news of a P2, and never in the way of a P1.
            priority: Some(Priority::P2),
            value: None,
            threshold: None,
            unit: String::new(),
            at,
            started_at: at,
            arrival: at,
            env: None,
            title: self.title.clone(),
            title_ko: Some(self.title_ko.clone()),
            why: self.why.clone(),
            runbook: None,
        }
    }

    /// What is to be done with its incident, which was made by [`Notice::event`] and has seen nothing yet.
    pub fn begin(
        &self,
        incident: &mut Incident,
        directory: &Directory,
        now: Timestamp,
    ) -> Vec<Action> {
        incident.revision += 1;
        incident.status = Status::Closed;
        incident.opened_at = now;
        incident.closed = Some((None, now));
        let mut actions = vec![record(EntryKind::Notice, self.why.clone())];
        for said in &self.to {
            let (ways, missing) = ways(directory, said);
            actions.extend(
                missing
                    .into_iter()
                    .map(|text| record(EntryKind::Skipped, text)),
            );
            for (channel, recipient) in ways {
                incident.deliveries += 1;
                actions.push(Action::Send(Box::new(Delivery {
                    id: DeliveryId::of(
                        incident.id,
                        incident.revision,
                        Purpose::Notice,
                        channel,
                        &recipient.address,
                    ),
                    ordinal: incident.deliveries,
                    revision: incident.revision,
                    purpose: Purpose::Notice,
                    channel,
                    recipient,
                    mentions: Vec::new(),
                    note: Some(said.text.clone()),
                    priority: incident.priority,
                })));
            }
        }
        actions
    }
}

fn record(kind: EntryKind, text: String) -> Action {
    Action::Record(Entry {
        kind,
        actor: None,
        text,
    })
}

/// The ways to a person, each address by a channel once, and why others are none.
fn ways(directory: &Directory, said: &Said) -> (Vec<(ChannelKind, Recipient)>, Vec<String>) {
    let Some(person) = directory.people.get(&said.contact) else {
        let text = format!("contact `{}` is not in the catalogue", said.contact);
        return (Vec::new(), vec![text]);
    };
    let wanted: BTreeSet<ChannelKind> = match said.by.as_slice() {
        [] => reachable(directory, person),
        by => by.iter().copied().collect(),
    };
    let (mut ways, mut missing) = (Vec::new(), Vec::new());
    if wanted.is_empty() {
        missing.push(format!(
            "no channel with a provider reaches {}",
            person.name
        ));
    }
    for channel in wanted {
        if !directory.channels.contains(&channel) {
            missing.push(format!("no provider of {channel} is configured"));
        } else if let Some(recipient) = person.recipient(&said.contact, channel) {
            ways.push((channel, recipient));
        } else {
            missing.push(format!("{} has no address for {channel}", person.name));
        }
    }
    (ways, missing)
}

/// The channels that reach a person: they have an address, and it has a provider.
fn reachable(directory: &Directory, person: &Person) -> BTreeSet<ChannelKind> {
    let all = directory.channels.iter().copied();
    all.filter(|channel| person.address(*channel).is_some())
        .collect()
}

/// The words of a test.
pub fn test_text(language: Language) -> &'static str {
    match language {
        Language::En => "This is a test. Nothing is wrong, and nothing is to be done.",
        Language::Ko => "시험 발송입니다. 장애가 아니며 조치할 것이 없습니다.",
    }
}

/// The words that carry a code.
pub fn code_text(language: Language, code: &str) -> String {
    match language {
        Language::En => format!("Your code is {code}. It proves that this number is yours."),
        Language::Ko => format!("인증번호 {code}. 본인 번호임을 확인합니다."),
    }
}
