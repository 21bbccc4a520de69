//! Takes deliveries out of the outbox and sends them: each under a lease, each with a recorded
//! fate.

use crate::core::{
    Action, Asked, ChannelKind, Fate, Next, Outcome, Pace, Purpose, Rate, after_asking,
    after_sending, entry, outruns,
};
use crate::engine::{Effects, Engine, what};
use crate::io::channel::Channel;
use crate::io::store::{Claimed, Note, StoreError, Wanted, destination};
use model::{Priority, Span, Timestamp};
use runtime::Shutdown;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};

/// Deliveries taken at a time, so that one destination cannot take all room in one go.
const BATCH: usize = 4;
/// The last lane: everything.
const ALL_LANES: i64 = 3;
/// The lane of pages of P1.
const P1_LANE: i64 = 0;

/// A page of a P1 waits no longer than this for our own pace: then its provider decides, and the next one is there.
const OUTRUNS: Span = Span::from_secs(5);

/// What counts for a delivery that is on its way.
#[derive(Debug, Clone)]
struct Flight {
    destination: String,
    tenant: (bool, String),
}

impl Flight {
    fn of(claimed: &Claimed) -> Self {
        let urgent = is_urgent(claimed.attempt.priority, claimed.purpose);
        Self {
            destination: destination_of(claimed),
            tenant: (urgent, claimed.tenant.clone()),
        }
    }
}

/// The senders of one channel.
pub struct Sender {
    engine: Arc<Engine>,
    channel: ChannelKind,
    order: Shutdown,
    /// Deliveries on their way; each ends with its destination. They are tasks, so that they go on
    /// while more is taken: a flight may hold the connection that taking more waits for.
    flights: JoinSet<Flight>,
    by_destination: BTreeMap<String, usize>,
    /// Flights by whether they are pages of P1 and by tenant.
    by_tenant: BTreeMap<(bool, String), usize>,
    /// How fast pages of P1 go to each destination, and how fast all else does.
    pace_p1: Pace,
    pace: Pace,
}

impl Sender {
    /// Sends over one channel until the order to stop, then lets what is in flight end.
    pub fn new(engine: Arc<Engine>, channel: ChannelKind, order: Shutdown) -> Self {
        let rate = Rate {
            every: engine.config.message_every,
            burst: engine.config.message_burst,
        };
        Self {
            pace_p1: Pace::new(rate),
            pace: Pace::new(rate),
            engine,
            channel,
            order,
            flights: JoinSet::new(),
            by_destination: BTreeMap::new(),
            by_tenant: BTreeMap::new(),
        }
    }

    /// Runs until the order to stop.
    pub async fn run(mut self) -> Result<(), Infallible> {
        let (engine, order) = (Arc::clone(&self.engine), self.order.clone());
        loop {
            if !order.has_begun() {
                if let Err(error) = self.fill().await {
                    tracing::warn!(%error, channel = %self.channel, "the outbox cannot be read");
                }
            } else if self.flights.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(landed) = self.flights.join_next() => self.landed(landed),
                () = engine.sender_woken(self.channel) => {}
                () = order.begun(), if !order.has_begun() => {}
            }
        }
    }

    /// Takes as much as there is room for: what is new, and what somebody left behind.
    async fn fill(&mut self) -> Result<(), StoreError> {
        loop {
            let room = self.room();
            let (now, lease_until) = self.lease();
            let Some((lane, room)) = room else {
                return Ok(());
            };
            let store = self.engine.store.clone();
            if !store.has_work(self.channel, now).await? {
                return Ok(());
            }
            let expired = store
                .claim_expired(self.channel, BATCH.min(room), now, lease_until)
                .await?;
            let wanted = self.wanted(lane, BATCH.min(room), now);
            let ready = store
                .claim_ready(self.channel, &wanted, now, lease_until)
                .await?;
            if expired.is_empty() && ready.is_empty() {
                return Ok(());
            }
            for mut claimed in expired {
                self.assign(&mut claimed);
                let engine = Arc::clone(&self.engine);
                let counts = Flight::of(&claimed);
                self.starts(
                    counts,
                    async move { ask(&engine, &claimed, lease_until).await },
                );
            }
            for mut claimed in ready {
                self.assign(&mut claimed);
                let engine = Arc::clone(&self.engine);
                let counts = Flight::of(&claimed);
                match counts.tenant.0 {
                    true => self.pace_p1.take(&counts.destination, now),
                    false => self.pace.take(&counts.destination, now),
                }
                self.starts(
                    counts,
                    async move { send(&engine, &claimed, lease_until).await },
                );
            }
        }
    }

    /// Says which provider has a delivery, and whose turn is next.
    fn assign(&self, claimed: &mut Claimed) {
        let named = claimed.provider.as_deref();
        if let Some(choice) = self.engine.channels.choose(claimed.channel, named) {
            claimed.attempt.provider = choice.index;
            claimed.attempt.providers = choice.providers;
            claimed.next_provider = Some(choice.next(claimed.attempt.refusals));
            claimed.provider = Some(choice.channel.provider().to_owned());
        }
    }

    fn free(&self) -> usize {
        let most = self.engine.config.in_flight;
        most.saturating_sub(self.flights.len())
    }

    /// The lanes that there is room for, and how much.
    fn room(&self) -> Option<(i64, usize)> {
        let free = self.free();
        let shared = free.saturating_sub(self.engine.config.in_flight_p1);
        match (shared, free) {
            (_, 0) => None,
            (0, free) => Some((P1_LANE, free)),
            (shared, _) => Some((ALL_LANES, shared)),
        }
    }

    /// What there is room for, and no destination that had enough.
    fn wanted(&mut self, lane: i64, limit: usize, now: Timestamp) -> Wanted {
        let names = |pace: &mut Pace| {
            let empty = pace.empty(now);
            empty
                .map(|(destination, _)| destination.to_owned())
                .collect()
        };
        let first = self.engine.channels.choose(self.channel, None);
        Wanted {
            lane,
            limit,
            not_to: self.busy_destinations(),
            paced: names(&mut self.pace),
            paced_p1: names(&mut self.pace_p1),
            not_of: self.busy_tenants(
                false,
                self.free().saturating_sub(self.engine.config.in_flight_p1),
            ),
            not_of_p1: self.busy_tenants(true, self.free()),
            outrun: now.minus(OUTRUNS),
            first_provider: first
                .map_or_else(String::new, |first| first.channel.provider().to_owned()),
        }
    }

    fn lease(&self) -> (Timestamp, Timestamp) {
        let now = self.engine.now();
        (now, now.plus(self.engine.config.lease))
    }

    fn busy_destinations(&self) -> Vec<String> {
        let most = self.engine.config.in_flight_destination;
        self.by_destination
            .iter()
            .filter(|(_, flights)| **flights >= most)
            .map(|(destination, _)| destination.clone())
            .collect()
    }

    /// Tenants with as much in flight as there is room left: whoever comes next finds a place, however many have a storm.
    fn busy_tenants(&self, urgent: bool, room: usize) -> Vec<String> {
        self.by_tenant
            .iter()
            .filter(|((of, _), flights)| *of == urgent && **flights >= room)
            .map(|((_, tenant), _)| tenant.clone())
            .collect()
    }

    fn starts(&mut self, counts: Flight, flight: impl Future<Output = ()> + Send + 'static) {
        let destination = self.by_destination.entry(counts.destination.clone());
        *destination.or_default() += 1;
        *self.by_tenant.entry(counts.tenant.clone()).or_default() += 1;
        self.flights.spawn(async move {
            flight.await;
            counts
        });
    }

    fn landed(&mut self, landed: Result<Flight, JoinError>) {
        let Flight {
            destination,
            tenant,
        } = match landed {
            Ok(counts) => counts,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Only the end of the whole runtime cancels a flight.
            Err(_) => return,
        };
        one_less(&mut self.by_destination, &destination);
        one_less(&mut self.by_tenant, &tenant);
    }
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Where a delivery goes: account, tenant and address.
fn destination_of(claimed: &Claimed) -> String {
    let provider = claimed.provider.as_deref().unwrap_or_default();
    destination(provider, &claimed.tenant, &claimed.recipient.address)
}

/// Whether a message goes in the lane that is kept for pages of P1.
const fn is_urgent(priority: Priority, purpose: Purpose) -> bool {
    matches!(priority, Priority::P1) && purpose.is_page()
}

/// The provider that has a delivery.
pub(super) fn provider(engine: &Engine, claimed: &Claimed) -> Option<Arc<dyn Channel>> {
    let choice = engine
        .channels
        .choose(claimed.channel, claimed.provider.as_deref())?;
    Some(choice.channel)
}

/// One attempt to send.
async fn send(engine: &Engine, claimed: &Claimed, lease_until: Timestamp) {
    let around = match engine.store.surroundings(claimed).await {
        Ok(Some(around)) => around,
        Ok(None) => {
            tracing::error!(delivery = %claimed.id, "a delivery without an incident is left alone");
            return;
        }
        // The lease runs out, and somebody looks at it again.
        Err(error) => {
            tracing::warn!(%error, delivery = %claimed.id, "a delivery cannot be read");
            return;
        }
    };
    let outcome = match provider(engine, claimed) {
        None => Outcome::Refused {
            reason: format!("no provider of {} is configured", claimed.channel),
        },
        // Another may take it over while this one still sends.
        Some(_) if engine.now().plus(engine.config.send_timeout) > lease_until => return,
        Some(channel) => {
            let message = engine.message(claimed, around);
            let attempt = channel.send(&message);
            let within = engine.config.send_timeout;
            tokio::time::timeout(within.to_std(), attempt)
                .await
                .unwrap_or_else(|_| Outcome::Unknown {
                    reason: format!("no answer within {within}"),
                })
        }
    };
    engine
        .metrics
        .notified(claimed.channel, outcome_word(&outcome));
    let next = after_sending(&claimed.attempt, outcome, &engine.limits(), engine.now());
    record(engine, claimed, &next, lease_until).await;
}

/// Asks the provider about a delivery whose outcome is unknown.
async fn ask(engine: &Engine, claimed: &Claimed, lease_until: Timestamp) {
    let asked = match provider(engine, claimed) {
        None => Asked::CannotTell {
            reason: format!("no provider of {} is configured any more", claimed.channel),
        },
        Some(channel) => {
            let address = &claimed.recipient.address;
            let question = channel.ask(&claimed.id, address, claimed.sent_after);
            tokio::time::timeout(engine.config.send_timeout.to_std(), question)
                .await
                .unwrap_or_else(|_| Asked::Retry {
                    reason: format!("no answer within {}", engine.config.send_timeout),
                })
        }
    };
    engine.metrics.notified(claimed.channel, asked_word(&asked));
    let next = after_asking(&claimed.attempt, asked, engine.now());
    record(engine, claimed, &next, lease_until).await;
}

/// Records what came of an attempt. While the lease holds, it is tried again: what is not recorded
/// is asked about or sent twice.
async fn record(engine: &Engine, claimed: &Claimed, next: &Next, lease_until: Timestamp) {
    let mut pause = Duration::from_millis(50);
    loop {
        match record_once(engine, claimed, next).await {
            Ok(true) => return engine.wake_sender(claimed.channel),
            Ok(false) => {
                tracing::warn!(
                    delivery = %claimed.id,
                    "another sender took this delivery over; its own outcome is not recorded"
                );
                return;
            }
            Err(error) => {
                tracing::warn!(%error, delivery = %claimed.id, "an outcome cannot be recorded yet");
                if engine.now() >= lease_until {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

/// What an attempt came to, for the audit log.
fn came_to(next: &Next) -> String {
    match next {
        Next::Settle { fate, reason, .. } => match reason {
            Some(reason) => format!("{}: {reason}", fate.as_str()),
            None => fate.as_str().to_owned(),
        },
        Next::Again { reason, .. } => format!("tried again: {reason}"),
        Next::Ask { reason, .. } => format!("unknown, the provider is asked: {reason}"),
    }
}

async fn record_once(engine: &Engine, claimed: &Claimed, next: &Next) -> Result<bool, StoreError> {
    let now = engine.now();
    let mut tx = engine.store.begin().await?;
    // First the incident, then the delivery: the order of all transactions.
    let Some(mut loaded) = tx.lock(claimed.incident).await? else {
        return Ok(false);
    };
    if !tx.settle(claimed, next, now).await? {
        return Ok(false);
    }
    let provider = provider(engine, claimed).map_or("no provider", |channel| channel.provider());
    let label = what(claimed.purpose, claimed.channel, &claimed.recipient.name);
    if claimed.purpose.is_page() {
        let note = Note {
            kind: "page attempt",
            actor: "bongsu",
            via: provider,
            tenant: Some(&loaded.incident.tenant),
            subject: &claimed.incident.to_string(),
            detail: &format!("{label}: {}", came_to(next)),
        };
        tx.audit(&note, now).await?;
    }
    let entries: Vec<Action> = entry(&label, provider, next)
        .into_iter()
        .map(Action::Record)
        .collect();
    let mut effects = Effects::default();
    loaded.incident.revision += 1;
    tx.save(&loaded, &entries, now).await?;
    effects.add(&loaded.incident, entries, now);
    if let Next::Settle {
        fate: fate @ (Fate::Failed | Fate::Unknown),
        reason,
        ..
    } = next
    {
        let reason = reason.clone().unwrap_or_default();
        engine
            .undelivered(&mut tx, claimed, *fate, reason, &mut effects)
            .await?;
    }
    if let Some(reason) = outruns(&claimed.attempt, next).filter(|_| claimed.purpose.is_page()) {
        tx.mark_late(claimed.id).await?;
        // It may arrive yet: who gets it hears of the end too.
        engine
            .undelivered(&mut tx, claimed, Fate::Unknown, reason, &mut effects)
            .await?;
    }
    tx.commit().await?;
    engine.tell(effects);
    Ok(true)
}

const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Delivered { .. } => "delivered",
        Outcome::Refused { .. } => "refused",
        Outcome::Retry { .. } => "retry",
        Outcome::Unknown { .. } => "unknown",
    }
}

const fn asked_word(asked: &Asked) -> &'static str {
    match asked {
        Asked::Accepted { .. } => "asked_accepted",
        Asked::Delivered { .. } => "asked_delivered",
        Asked::Refused { .. } => "asked_refused",
        Asked::NeverSent => "asked_never_sent",
        Asked::CannotTell { .. } => "asked_cannot_tell",
        Asked::Retry { .. } => "asked_retry",
    }
}
