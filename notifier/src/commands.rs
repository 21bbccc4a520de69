//! What people may ask and do. A cheap handle, shared by the API, the console and chat buttons.

use crate::core::{
    Actor, ChannelKind, DeliveryId, Denied, Fate, IncidentSummary, Input, Message, ProviderRef,
    Purpose, Recipient, Status, Tenants, Times, Via,
};
use crate::engine::Engine;
use model::{IncidentId, Priority, Span, TenantId, Timestamp};
use schemas::catalogue::SYSTEM_TENANT;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Which incidents to list. Empty lists and none mean "any".
#[derive(Debug, Clone)]
pub struct Filter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// In one of these states.
    pub status: Vec<Status>,
    /// Of one of these priorities.
    pub priority: Vec<Priority>,
    /// Of one of these tenants: what whoever asks may see.
    pub within: Tenants,
    /// Whose title, host or template contains this text, upper and lower case alike.
    pub text: Option<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            tenant: None,
            status: Vec::new(),
            priority: Vec::new(),
            within: Tenants::All,
            text: None,
        }
    }
}

/// Which part of a list: newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// At most so many, 1 to 500.
    pub limit: u32,
    /// Those behind this cursor, as [`Listing::next`] gave it.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The incidents, newest opened first.
    pub incidents: Vec<IncidentSummary>,
    /// Where the next part begins; none at the end.
    pub next: Option<String>,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineEntry {
    /// Counts the incident's entries from 1.
    pub ordinal: u64,
    /// When it was written.
    pub at: Timestamp,
    /// A word for machines: `firing`, `acknowledged`, `page`, `skipped`, ...
    pub kind: String,
    /// Who did it, and how; none when it happened by itself.
    pub actor: Option<(Actor, Via)>,
    /// One sentence for people, with the reason.
    pub text: String,
}

/// One delivery with its fate.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRecord {
    /// Its identity.
    pub id: DeliveryId,
    /// Why.
    pub purpose: Purpose,
    /// How.
    pub channel: ChannelKind,
    /// To whom.
    pub recipient: Recipient,
    /// What became of it.
    pub fate: Fate,
    /// Why so: what the provider said last.
    pub reason: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it was sent with the mark "possible repeat".
    pub possible_repeat: bool,
    /// What the provider calls it.
    pub reference: Option<ProviderRef>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When its fate last changed.
    pub updated_at: Timestamp,
}

/// An incident with all that belongs to it.
#[derive(Debug, Clone)]
pub struct IncidentDetail {
    /// The incident.
    pub incident: IncidentSummary,
    /// Its account, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// Its deliveries, oldest first.
    pub deliveries: Vec<DeliveryRecord>,
}

/// What an action of a person came to.
#[derive(Debug, Clone)]
pub enum Acted {
    /// It was done.
    Done(IncidentSummary),
    /// Nothing had to be done: somebody has it already, it is closed already.
    Unchanged {
        /// The incident as it is.
        incident: IncidentSummary,
        /// Why nothing was done, as a sentence.
        why: String,
    },
}

/// Told to subscribers when an incident changed. They read what they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub incident: IncidentId,
    /// Whose.
    pub tenant: TenantId,
    /// Its revision now.
    pub revision: u64,
}

/// The delivery behind the short link of a message.
#[derive(Debug, Clone)]
pub struct LinkTarget {
    /// The incident as it is now.
    pub incident: IncidentSummary,
    /// Which delivery carried the link.
    pub delivery: DeliveryId,
    /// To whom it was sent: the actor when the link is used.
    pub recipient: Recipient,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such incident.
    #[error("there is no incident {0}")]
    NoIncident(IncidentId),
    /// There is no such person.
    #[error("contact `{0}` is not in the catalogue")]
    NoContact(String),
    /// The cursor is not one that a listing gave.
    #[error("`{0}` is not a cursor of a listing")]
    BadCursor(String),
    /// Whoever asks may not do it.
    #[error("{0}")]
    Denied(Denied),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] crate::io::store::StoreError),
}

/// The handle.
#[derive(Clone)]
pub struct Commands {
    engine: Arc<Engine>,
}

impl Commands {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.engine.now()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Lists incidents.
    pub async fn list(&self, filter: &Filter, page: &Page) -> Result<Listing, CommandError> {
        self.engine.store.list(filter, page).await
    }

    /// One incident with its timeline and deliveries.
    pub async fn get(&self, id: IncidentId) -> Result<IncidentDetail, CommandError> {
        let found = self.engine.store.detail(id).await?;
        found.ok_or(CommandError::NoIncident(id))
    }

    /// The deliveries of several incidents, oldest first; incidents without any are left out.
    pub async fn deliveries_of(
        &self,
        incidents: &[IncidentId],
    ) -> Result<BTreeMap<IncidentId, Vec<DeliveryRecord>>, CommandError> {
        Ok(self.engine.store.deliveries_of(incidents).await?)
    }

    /// The last deliveries that were sent, newest first, at most `limit`: what the inbox shows.
    /// Each message is built as its sender builds it, with the incident as it is now.
    pub async fn recent_messages(
        &self,
        limit: u32,
    ) -> Result<Vec<(Message, DeliveryRecord)>, CommandError> {
        let recent = self.engine.store.recently_sent(limit).await?;
        let mut messages = Vec::with_capacity(recent.len());
        for (claimed, record) in recent {
            if let Some(around) = self.engine.store.surroundings(&claimed).await? {
                messages.push((self.engine.message(&claimed, around), record));
            }
        }
        Ok(messages)
    }

    /// Takes an incident: escalation stops until the acknowledgement runs out.
    pub async fn acknowledge(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
    ) -> Result<Acted, CommandError> {
        self.act(id, Input::Acknowledge { actor, via }).await
    }

    /// Closes an incident by hand. While its condition still holds it reopens after 10 minutes,
    /// unless
    /// `until_resolved`.
    pub async fn close(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
        until_resolved: bool,
    ) -> Result<Acted, CommandError> {
        let input = Input::Close {
            actor,
            via,
            until_resolved,
        };
        self.act(id, input).await
    }

    /// Writes a comment into the timeline and the chat.
    pub async fn comment(
        &self,
        id: IncidentId,
        actor: Actor,
        via: Via,
        text: &str,
    ) -> Result<Acted, CommandError> {
        let text = text.to_owned();
        self.act(id, Input::Comment { actor, via, text }).await
    }

    /// Does what a person asks for with an input of the decisions: assign, snooze, merge, priority.
    pub async fn act(&self, id: IncidentId, input: Input<'static>) -> Result<Acted, CommandError> {
        if let Input::Assign { to, .. } = &input
            && !self.engine.people.directory().people.contains_key(to)
            && self.engine.store.summary(id).await?.is_some()
        {
            return Err(CommandError::NoContact(to.clone()));
        }
        self.engine
            .act(id, input)
            .await?
            .ok_or(CommandError::NoIncident(id))
    }

    /// Times to acknowledge and to resolve of what was opened in a period, by tenant and priority.
    pub async fn times(
        &self,
        tenant: Option<&TenantId>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, Priority), Times>, CommandError> {
        Ok(self.engine.store.times(tenant, since, until).await?)
    }

    /// Whether there is such a tenant: of the catalogue, or the one of Bongsu itself.
    pub fn has_tenant(&self, tenant: &TenantId) -> bool {
        let directory = self.engine.people.directory();
        directory.tenants.contains_key(tenant) || tenant.as_str() == SYSTEM_TENANT
    }

    /// The actor behind a member id of the chat: the contact of the catalogue that has it, else
    /// `fallback` as the provider names them.
    pub fn chat_actor(&self, member: &str, fallback: &str) -> Actor {
        let directory = self.engine.people.directory();
        match directory.by_member(member) {
            Some((contact, person)) => Actor {
                name: person.name.clone(),
                contact: Some(contact.to_owned()),
            },
            None => Actor {
                name: fallback.to_owned(),
                contact: None,
            },
        }
    }

    /// What the token of a short link stands for; none when it is unknown.
    pub async fn link_target(&self, token: &str) -> Result<Option<LinkTarget>, CommandError> {
        Ok(self.engine.store.link(token).await?)
    }

    /// What an address on that channel was told of, newest first, each incident once.
    pub async fn told(
        &self,
        channel: ChannelKind,
        address: &str,
        within: Span,
    ) -> Result<Vec<LinkTarget>, CommandError> {
        let since = self.now().minus(within);
        Ok(self.engine.store.told(channel, address, since).await?)
    }

    /// Takes a provider's later word on a delivery (receipt, read, answered). A fate never goes
    /// back.
    pub async fn report(
        &self,
        delivery: DeliveryId,
        fate: Fate,
        reason: Option<String>,
    ) -> Result<(), CommandError> {
        Ok(self.engine.report(delivery, fate, reason).await?)
    }

    /// Every change from now on, also those that another replica made (within a second). A
    /// subscriber that falls behind is told so by the channel and reads the list again.
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.engine.changes.subscribe()
    }
}

impl std::fmt::Debug for Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}
