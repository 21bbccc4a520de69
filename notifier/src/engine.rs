//! The shell around the decisions: locks an incident, asks `core` what to do, keeps it, wakes who
//! must act.

use crate::commands::{Acted, Changed};
use crate::config;
use crate::core::{
    Action, AlarmKind, Around, ChannelKind, DeliveryId, Fate, Incident, Input, Life, Limits,
    Message, Purpose, Route, merge_fate, refusal, step, step_lives,
};
use crate::io::channel::Channels;
use crate::io::directory::People;
use crate::io::store::{Claimed, Loaded, Store, StoreError, Surroundings, Tx};
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use model::{AlertEvent, AlertKind, CaughtUp, IncidentId, TenantId, Timestamp};
use runtime::Clock;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};

/// Changes that a slow subscriber may be behind.
const CHANGES: usize = 1024;

/// What all loops and the handle for people share.
pub struct Engine {
    /// Where incidents are kept.
    pub store: Store,
    /// How people are reached.
    pub channels: Channels,
    /// Who they are.
    pub people: Arc<dyn People>,
    /// What is counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// Told of every change.
    pub changes: broadcast::Sender<Changed>,
    /// How it works.
    pub config: config::Engine,
    /// How its parts are.
    pub pulse: Arc<Pulse>,
    public_url: String,
    life: Life,
    wake_timers: Notify,
    wake_senders: BTreeMap<ChannelKind, Notify>,
}

/// What a transaction did, told once it is durable.
#[derive(Debug, Default)]
pub struct Effects {
    changed: Vec<Changed>,
    actions: Vec<((TenantId, IncidentId), Action)>,
    due: bool,
}

impl Engine {
    /// Puts the parts together; nothing runs yet.
    pub fn new(
        store: Store,
        channels: Channels,
        people: Arc<dyn People>,
        metrics: Metrics,
        clock: Clock,
        pulse: Arc<Pulse>,
        config: &crate::Config,
    ) -> Self {
        let all = ChannelKind::ALL.iter();
        Self {
            store,
            channels,
            people,
            metrics,
            clock,
            changes: broadcast::channel(CHANGES).0,
            pulse,
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            life: life(&config.engine.life),
            config: config.engine.clone(),
            wake_timers: Notify::new(),
            wake_senders: all.map(|kind| (*kind, Notify::new())).collect(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.clock.now_nanos())
    }

    /// Bounds of deliveries.
    pub fn limits(&self) -> Limits {
        Limits {
            give_up_after: self.config.give_up_after,
        }
    }

    /// Wakes the timers: something is due that no decision made due.
    pub fn wake_timers(&self) {
        self.wake_timers.notify_one();
    }

    /// Waits until somebody wakes the timers, or a poll is due.
    pub async fn timers_woken(&self) {
        wait(&self.wake_timers, self.config.poll).await;
    }

    /// Waits until somebody wakes the senders of that channel, or a poll is due.
    pub async fn sender_woken(&self, channel: ChannelKind) {
        match self.wake_senders.get(&channel) {
            Some(woken) => wait(woken, self.config.poll).await,
            None => tokio::time::sleep(self.config.poll.to_std()).await,
        }
    }

    /// Wakes the senders of that channel.
    pub fn wake_sender(&self, channel: ChannelKind) {
        if let Some(woken) = self.wake_senders.get(&channel) {
            woken.notify_one();
        }
    }

    /// A person's action. None when there is no such incident.
    pub async fn act(
        &self,
        id: IncidentId,
        input: Input<'static>,
    ) -> Result<Option<Acted>, StoreError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let Some(mut loaded) = tx.lock(id).await? else {
            return Ok(None);
        };
        let directory = self.people.directory();
        let around = self.around(&mut tx, &loaded.incident, &input).await?;
        let route = directory.route_for(&loaded.incident, &around);
        if let Some(why) = refusal(&loaded.incident, &input, route, now) {
            let incident = loaded.incident.summary();
            return Ok(Some(Acted::Unchanged { incident, why }));
        }
        let mut effects = Effects::default();
        let acknowledges = matches!(input, Input::Acknowledge { .. });
        self.decide(&mut tx, &mut loaded, input, now, &mut effects)
            .await?;
        tx.commit().await?;
        self.tell(effects);
        if acknowledges {
            let after = now.since(loaded.incident.opened_at);
            self.metrics.acknowledged(after);
        }
        Ok(Some(Acted::Done(loaded.incident.summary())))
    }

    /// Applies an event inside a transaction.
    pub async fn take_event(
        &self,
        tx: &mut Tx,
        event: &AlertEvent,
        bytes: &[u8],
        appended_at: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut loaded = tx.lock_for(event, now).await?;
        let digest = hex::encode(&Sha256::digest(bytes)[..16]);
        let seen = tx.remember(event, &digest, appended_at, now).await?;
        let input = Input::Alert {
            event,
            appended_at,
            seen,
        };
        self.decide(tx, &mut loaded, input, now, effects).await
    }

    /// Pages what waited for the word that this partition caught up, inside a transaction.
    pub async fn take_caught_up(
        &self,
        tx: &mut Tx,
        caught_up: &CaughtUp,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let waiting = tx
            .catching_up(&caught_up.tenant, caught_up.partition)
            .await?;
        for id in waiting {
            self.decide_by_id(tx, id, Input::CaughtUp, effects).await?;
        }
        Ok(())
    }

    /// Locks an incident and decides, inside a transaction. None when there is no such incident.
    pub async fn decide_by_id(
        &self,
        tx: &mut Tx,
        id: IncidentId,
        input: Input<'_>,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        if let Some(mut loaded) = tx.lock(id).await? {
            self.decide(tx, &mut loaded, input, self.now(), effects)
                .await?;
        }
        Ok(())
    }

    /// Decides, and keeps what was decided.
    pub async fn decide(
        &self,
        tx: &mut Tx,
        loaded: &mut Loaded,
        input: Input<'_>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let directory = self.people.directory();
        // Way and neighbours are chosen by the facts that the event brings.
        let mut as_it_will_be = loaded.incident.clone();
        if let Input::Alert { event, .. } = &input {
            as_it_will_be.take_facts(event);
        }
        let around = self.around(tx, &as_it_will_be, &input).await?;
        let silences = tx.silences().await?;
        let route = Route {
            silences: &silences,
            ..directory.route_for(&as_it_will_be, &around)
        };
        let actions = step(&mut loaded.incident, input, route, &self.life, now);
        if actions.is_empty() {
            return Ok(());
        }
        tx.save(loaded, &actions, now).await?;
        effects.add(&loaded.incident, actions, now);
        Ok(())
    }

    /// What stands beside the incident, where the decision may depend on it.
    async fn around(
        &self,
        tx: &mut Tx,
        incident: &Incident,
        input: &Input<'_>,
    ) -> Result<Around, StoreError> {
        let matters = match input {
            Input::Alert { event, .. } => {
                !matches!(event.kind, AlertKind::Resolved | AlertKind::Expired)
            }
            Input::Acknowledge { .. } | Input::Close { .. } | Input::Comment { .. } => false,
            _ => true,
        };
        if !matters {
            return Ok(Around::default());
        }
        let mut wanted = incident.wanted(&self.people.directory(), self.now());
        if let Input::Merge { into, .. } = input {
            wanted.get_or_insert_default().id = Some(*into);
        }
        match wanted {
            Some(wanted) => tx.around(incident, &wanted).await,
            None => Ok(Around::default()),
        }
    }

    /// Tells everybody what a durable transaction did.
    pub fn tell(&self, effects: Effects) {
        for ((tenant, incident), action) in effects.actions {
            match action {
                Action::Send(delivery) => self.wake_sender(delivery.channel),
                Action::Alarm(alarm) => {
                    self.metrics.alarm(Some((&tenant, incident)), &alarm);
                }
                Action::Keep => {}
                Action::Record(entry) => tracing::info!(
                    %tenant, incident_id = %incident, kind = entry.kind.as_str(), "{}", entry.text
                ),
            }
        }
        if effects.due {
            self.wake_timers.notify_one();
        }
        for changed in effects.changed {
            // Nobody may be listening.
            drop(self.changes.send(changed));
        }
    }

    /// A provider's later word on a delivery.
    pub async fn report(
        &self,
        id: DeliveryId,
        fate: Fate,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let Some((claimed, current)) = tx.fate_of(id).await? else {
            return Ok(());
        };
        let Some(fate) = merge_fate(current, fate) else {
            return Ok(());
        };
        let mut effects = Effects::default();
        let Some(mut loaded) = tx.lock(claimed.incident).await? else {
            return Ok(());
        };
        let now = self.now();
        if tx.report(id, current, fate, reason.clone(), now).await? {
            loaded.incident.revision += 1;
            tx.save(&loaded, &[], now).await?;
            effects.add(&loaded.incident, Vec::new(), now);
            if fate == Fate::Failed {
                let reason = reason.unwrap_or_default();
                self.undelivered(&mut tx, &claimed, fate, reason, &mut effects)
                    .await?;
            }
        }
        tx.commit().await?;
        self.tell(effects);
        Ok(())
    }

    /// What it means to an incident that a delivery of it will not be made, or may not have been.
    pub async fn undelivered(
        &self,
        tx: &mut Tx,
        claimed: &Claimed,
        fate: Fate,
        reason: String,
        effects: &mut Effects,
    ) -> Result<(), StoreError> {
        let personal = claimed.recipient.contact.is_some();
        let input = Input::Undelivered {
            revision: claimed.revision,
            purpose: claimed.purpose,
            channel: claimed.channel,
            recipient: claimed.recipient.clone(),
            reason,
            others_alive: step_lives(personal, &tx.siblings(claimed).await?),
            // Who may have heard of it hears of its end.
            heard_before: fate == Fate::Unknown || tx.heard_before(claimed).await?,
        };
        self.decide_by_id(tx, claimed.incident, input, effects)
            .await
    }

    /// The message of a delivery.
    pub fn message(&self, claimed: &Claimed, around: Surroundings) -> Message {
        let url = &self.public_url;
        Message {
            delivery: claimed.id,
            purpose: claimed.purpose,
            ack_url: format!("{url}/a/{}", claimed.token),
            incident_url: format!("{url}/incidents/{}", claimed.incident),
            incident: around.incident,
            recipient: claimed.recipient.clone(),
            mentions: claimed.mentions.clone(),
            thread: around.thread,
            possible_repeat: claimed.attempt.possible_repeat,
            note: claimed.note.clone(),
        }
    }

    /// Alarms that no incident's own decision raises.
    pub fn alarm(&self, of: Option<(&TenantId, IncidentId)>, kind: AlarmKind, text: String) {
        self.metrics.alarm(of, &crate::core::Alarm { kind, text });
    }
}

impl Effects {
    /// Adds what was decided for an incident.
    pub fn add(&mut self, incident: &Incident, actions: Vec<Action>, now: Timestamp) {
        self.changed.push(Changed {
            incident: incident.id,
            tenant: incident.tenant.clone(),
            revision: incident.revision,
        });
        self.due |= incident.due_at().is_some_and(|at| at <= now);
        let of = (incident.tenant.clone(), incident.id);
        self.actions
            .extend(actions.into_iter().map(|action| (of.clone(), action)));
    }
}

/// `firing by sms to Kim`, for the timeline.
pub fn what(purpose: Purpose, channel: ChannelKind, name: &str) -> String {
    format!("{} by {channel} to {name}", purpose.as_str())
}

async fn wait(woken: &Notify, poll: model::Span) {
    // Woken or not: there is something to look for.
    tokio::time::timeout(poll.to_std(), woken.notified())
        .await
        .unwrap_or_default();
}

fn life(config: &config::Life) -> Life {
    Life {
        reopen_after: config.reopen_after,
        ack_holds_p1: config.ack_holds_p1,
        ack_holds_p2: config.ack_holds_p2,
        ran_out_again: config.ran_out_again,
        ..Life::default()
    }
}
