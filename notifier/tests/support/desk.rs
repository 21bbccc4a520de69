//! A double of the engine: incidents in memory, and a note of what was done.

use super::sample;
use async_trait::async_trait;
use model::{IncidentId, Priority, Span, TenantId, Timestamp};
use notifier::commands::{
    Acted, Changed, CommandError, DeliveryRecord, Filter, IncidentDetail, LinkTarget, Listing, Page,
};
use notifier::core::{
    Actor, ChannelKind, DeliveryId, Fate, IncidentSummary, Input, Message, Status, Times, Via,
    merge_fate,
};
use notifier::io::http::Desk;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{broadcast, watch};

/// The double. A cheap handle.
#[derive(Clone)]
pub struct FakeDesk(Arc<Inner>);

struct Inner {
    incidents: Mutex<Vec<IncidentDetail>>,
    messages: Mutex<Vec<(Message, DeliveryRecord)>>,
    done: watch::Sender<Vec<String>>,
    changes: broadcast::Sender<Changed>,
}

impl FakeDesk {
    pub fn with(incidents: Vec<IncidentDetail>) -> Self {
        Self(Arc::new(Inner {
            incidents: Mutex::new(incidents),
            messages: Mutex::default(),
            done: watch::Sender::default(),
            changes: broadcast::Sender::new(16),
        }))
    }

    pub fn sample() -> Self {
        Self::with(vec![sample::detail()])
    }

    pub fn show(&self, messages: Vec<(Message, DeliveryRecord)>) {
        *self.0.messages.lock().unwrap() = messages;
    }

    /// What was done so far: `ack <id> <name> <contact> <way>`, `close ...`.
    pub fn done(&self) -> Vec<String> {
        self.0.done.borrow().clone()
    }

    /// Waits until something was done.
    pub async fn wait_done(&self) -> Vec<String> {
        let mut done = self.0.done.subscribe();
        done.wait_for(|done| !done.is_empty())
            .await
            .unwrap()
            .clone()
    }

    pub fn change(&self, number: u8) {
        let changed = Changed {
            incident: IncidentId::from_bytes([number; 16]),
            tenant: TenantId::parse("acme").unwrap(),
            revision: 7,
        };
        assert!(self.0.changes.send(changed).is_ok(), "somebody listens");
    }

    fn act(
        &self,
        id: IncidentId,
        what: String,
        change: impl FnOnce(&mut IncidentSummary),
    ) -> Result<Acted, CommandError> {
        let mut incidents = self.0.incidents.lock().unwrap();
        let found = incidents.iter_mut().find(|detail| detail.incident.id == id);
        let incident = &mut found.ok_or(CommandError::NoIncident(id))?.incident;
        let before = incident.status;
        change(incident);
        let incident = incident.clone();
        if before == incident.status {
            let why = "it is so already".to_owned();
            return Ok(Acted::Unchanged { incident, why });
        }
        self.0.done.send_modify(|done| done.push(what));
        Ok(Acted::Done(incident))
    }
}

#[async_trait]
impl Desk for FakeDesk {
    async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError> {
        if page.after.as_deref().is_some_and(|after| after != "2") {
            return Err(CommandError::BadCursor(
                page.after.clone().unwrap_or_default(),
            ));
        }
        let any = |list_is_empty: bool, holds: bool| list_is_empty || holds;
        let incidents = self.0.incidents.lock().unwrap();
        let found: Vec<_> = incidents
            .iter()
            .map(|detail| detail.incident.clone())
            .filter(|i| filter.within.has(Some(&i.tenant)))
            .filter(|i| any(filter.status.is_empty(), filter.status.contains(&i.status)))
            .filter(|i| {
                any(
                    filter.priority.is_empty(),
                    filter.priority.contains(&i.priority),
                )
            })
            .filter(|i| {
                filter
                    .tenant
                    .as_ref()
                    .is_none_or(|tenant| *tenant == i.tenant)
            })
            .filter(|i| {
                filter
                    .text
                    .as_ref()
                    .is_none_or(|text| i.title.contains(text))
            })
            .collect();
        let limit = page.limit as usize;
        let next = (found.len() > limit).then(|| "2".to_owned());
        Ok(Listing {
            incidents: found.into_iter().take(limit).collect(),
            next,
        })
    }

    async fn get(&self, id: IncidentId) -> Result<IncidentDetail, CommandError> {
        let incidents = self.0.incidents.lock().unwrap();
        let found = incidents.iter().find(|detail| detail.incident.id == id);
        found.cloned().ok_or(CommandError::NoIncident(id))
    }

    async fn deliveries_of(
        &self,
        ids: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<DeliveryRecord>>, CommandError> {
        let incidents = self.0.incidents.lock().unwrap();
        let wanted = incidents
            .iter()
            .filter(|detail| ids.contains(&detail.incident.id));
        Ok(wanted
            .map(|detail| (detail.incident.id, detail.deliveries.clone()))
            .collect())
    }

    async fn recent_messages(
        &self,
        _: u32,
    ) -> Result<Vec<(Message, DeliveryRecord)>, CommandError> {
        Ok(self.0.messages.lock().unwrap().clone())
    }

    async fn acknowledge(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
    ) -> Result<Acted, CommandError> {
        let contact = actor.contact.clone().unwrap_or_default();
        let what = format!("ack {id} {} {contact} {via}", actor.name);
        self.act(id, what, |incident| {
            incident.status = Status::Acknowledged;
            incident.acknowledged = Some((actor, sample::NOW));
        })
    }

    async fn close(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
        until_resolved: bool,
    ) -> Result<Acted, CommandError> {
        let what = format!("close {id} {} {via} {until_resolved}", actor.name);
        self.act(id, what, |incident| {
            incident.status = Status::Closed;
            incident.closed = Some((Some(actor), sample::NOW));
        })
    }

    async fn act(&self, id: IncidentId, input: Input<'static>) -> Result<Acted, CommandError> {
        let incidents = self.0.incidents.lock().unwrap();
        let found = incidents.iter().find(|detail| detail.incident.id == id);
        let incident = found.ok_or(CommandError::NoIncident(id))?.incident.clone();
        self.0
            .done
            .send_modify(|done| done.push(format!("{input:?}")));
        Ok(Acted::Done(incident))
    }

    async fn times(
        &self,
        tenant: Option<&TenantId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, Priority), Times>, CommandError> {
        let asked = {
            let tenant = tenant.map(TenantId::to_string).unwrap_or_default();
            format!("times {tenant} {}", until.since(since))
        };
        self.0.done.send_modify(|done| done.push(asked));
        let times = Times {
            opened: 2,
            to_acknowledge: vec![60.0, 120.0],
            to_resolve: vec![600.0],
        };
        Ok([(("acme".to_owned(), Priority::P1), times)].into())
    }

    fn chat_actor(&self, member: &str, fallback: &str) -> Actor {
        Actor {
            name: fallback.to_owned(),
            contact: (member == "U042").then(|| "kim".to_owned()),
        }
    }

    async fn link_target(&self, token: &str) -> Result<Option<LinkTarget>, CommandError> {
        if token != "good-token" {
            return Ok(None);
        }
        let detail = self.0.incidents.lock().unwrap()[0].clone();
        let delivery = detail.deliveries[1].clone();
        let (incident, recipient) = (detail.incident, delivery.recipient);
        Ok(Some(LinkTarget {
            incident,
            delivery: delivery.id,
            recipient,
        }))
    }

    async fn told(
        &self,
        channel: ChannelKind,
        address: &str,
        _: Span,
    ) -> Result<Vec<LinkTarget>, CommandError> {
        let incidents = self.0.incidents.lock().unwrap();
        let mut told = Vec::new();
        for detail in incidents.iter() {
            let mut own = detail.deliveries.iter();
            let found = own.find(|one| one.channel == channel && one.recipient.address == address);
            told.extend(found.map(|one| LinkTarget {
                incident: detail.incident.clone(),
                delivery: one.id,
                recipient: one.recipient.clone(),
            }));
        }
        Ok(told)
    }

    async fn report(
        &self,
        delivery: DeliveryId,
        fate: Fate,
        reason: Option<String>,
    ) -> Result<(), CommandError> {
        let mut incidents = self.0.incidents.lock().unwrap();
        for record in incidents
            .iter_mut()
            .flat_map(|detail| &mut detail.deliveries)
        {
            if record.id == delivery
                && let Some(fate) = merge_fate(record.fate, fate)
            {
                record.fate = fate;
                record.reason.clone_from(&reason);
                let what = format!("report {fate} {}", reason.as_deref().unwrap_or_default());
                self.0.done.send_modify(|done| done.push(what));
            }
        }
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.0.changes.subscribe()
    }
}
