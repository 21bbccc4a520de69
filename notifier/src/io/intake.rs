//! Takes alert events over from the log: committed to the store first, to the log after.

use crate::core::AlarmKind;
use crate::engine::{Effects, Engine};
use crate::io::store::StoreError;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use model::{StreamEvent, TenantId, Timestamp, TopicName};
use runtime::{Condition, Shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stream::{
    Batch, Commit, GroupEvent, GroupHandle, JoinSpec, Membership, Record, Stream, StreamError,
    TopicPartition, Topics,
};

/// The group in which replicas share the partitions.
pub const GROUP: &str = "bongsu-notifier";

/// Events that are applied before their offset is committed.
const BATCH: usize = 128;
/// Tenants whose events are applied at the same time.
const TENANTS_AT_ONCE: usize = 4;
const SESSION: Duration = Duration::from_secs(10);
const PREFETCH_BYTES: usize = 8 << 20;
/// After this a partition that could not be started is tried again.
const START_AGAIN: Duration = Duration::from_millis(500);
/// How long the store may take to apply a part of a batch.
const ATTEMPT: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An event as it came: what it says, its bytes, when it was appended.
type Arrived<'b> = (StreamEvent, &'b [u8], Timestamp);

/// Whose an event is.
fn tenant_of(event: &StreamEvent) -> &TenantId {
    match event {
        StreamEvent::Alert(event) => &event.tenant,
        StreamEvent::CaughtUp(caught_up) => &caught_up.tenant,
    }
}

/// Which clusters' alert topics are read. Ready while one is: while a cluster is gone, the others'
/// people must not lose their notifier, and whoever is not watched is paged about by the engine.
#[derive(Clone)]
pub struct Reading {
    condition: Condition,
    clusters: Arc<Mutex<BTreeMap<String, Result<(), String>>>>,
}

impl Reading {
    /// None of them is read yet.
    pub fn new<'a>(condition: Condition, clusters: impl Iterator<Item = &'a str>) -> Self {
        let unread = |name: &str| (name.to_owned(), Err("not read yet".to_owned()));
        Self {
            condition,
            clusters: Arc::new(Mutex::new(clusters.map(unread).collect())),
        }
    }

    /// Whether there is one alone.
    fn is_one(&self) -> bool {
        self.lock().len() == 1
    }

    fn say(&self, cluster: &str, state: Result<(), String>) {
        let mut clusters = self.lock();
        if let Some(known) = clusters.get_mut(cluster) {
            *known = state;
        }
        let each = clusters.iter().map(|(name, state)| match state {
            Ok(()) => format!("{name}: reading the alert topic"),
            Err(why) => format!("{name}: {why}"),
        });
        let said = each.collect::<Vec<_>>().join("; ");
        match clusters.values().any(Result::is_ok) {
            true => self.condition.ready(said),
            false => self.condition.not_ready(said),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Result<(), String>>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the alert topic of a cluster as a member of the group.
pub struct Intake {
    engine: Arc<Engine>,
    cluster: String,
    stream: Stream,
    order: Shutdown,
    reading: Reading,
    owned: BTreeSet<TopicPartition>,
    /// Owned and not read yet, with the offset to go on from.
    unstarted: BTreeMap<TopicPartition, Option<i64>>,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Flow {
    Go,
    Stop,
}

impl Intake {
    /// An intake of the cluster of that name.
    pub fn new(
        engine: Arc<Engine>,
        (cluster, stream): (&str, Stream),
        order: Shutdown,
        reading: Reading,
    ) -> Self {
        Self {
            engine,
            cluster: cluster.to_owned(),
            stream,
            order,
            reading,
            owned: BTreeSet::new(),
            unstarted: BTreeMap::new(),
        }
    }

    /// Runs until the order to stop. An error that does not pass ends it, where there is no other
    /// cluster whose people would lose their notifier with that.
    pub async fn run(mut self) -> Result<(), StreamError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.join().await {
                Ok(member) => {
                    pause = FIRST_PAUSE;
                    if self.read(member).await == Flow::Stop {
                        return Ok(());
                    }
                }
                Err(error) if is_final(&error) && self.reading.is_one() => return Err(error),
                Err(error) => {
                    let cluster = &self.cluster;
                    tracing::warn!(%error, cluster, "the alert topic cannot be joined yet");
                    self.reading.say(cluster, Err(error.to_string()));
                }
            }
            if self.rest(&mut pause).await == Flow::Stop {
                return Ok(());
            }
        }
    }

    async fn join(&self) -> Result<Membership, StreamError> {
        let topic = TopicName::alerts();
        if self.stream.partitions(&topic).await?.is_none() {
            return Err(StreamError::UnknownTopic { topic });
        }
        self.stream
            .join(JoinSpec {
                group: GROUP.to_owned(),
                topics: Topics::Named(vec![topic]),
                instance: None,
                session_timeout: SESSION,
                prefetch_bytes: PREFETCH_BYTES,
                headers: false,
            })
            .await
    }

    async fn read(&mut self, mut member: Membership) -> Flow {
        let handle = member.handle();
        self.owned.clear();
        self.unstarted.clear();
        self.reading.say(&self.cluster, Ok(()));
        let order = self.order.clone();
        loop {
            let event = tokio::select! {
                event = member.next() => event,
                () = tokio::time::sleep(START_AGAIN), if !self.unstarted.is_empty() => {
                    self.begin(&handle).await;
                    continue;
                }
                () = order.begun() => {
                    leave(member, &handle).await;
                    return Flow::Stop;
                }
            };
            let flow = match event {
                None => return Flow::Go,
                Some(event) => self.take(event, &handle).await,
            };
            if flow == Flow::Stop {
                leave(member, &handle).await;
                return Flow::Stop;
            }
        }
    }

    async fn take(&mut self, event: GroupEvent, handle: &GroupHandle) -> Flow {
        match event {
            GroupEvent::Assigned(assigned) => {
                for (source, committed) in assigned.partitions {
                    let next = committed.map(|commit| commit.next_offset);
                    self.unstarted.insert(source.clone(), next);
                    self.owned.insert(source);
                }
                self.engine.pulse.owns(&self.cluster, &self.owned);
                self.begin(handle).await;
                Flow::Go
            }
            // Nothing is under way between two events.
            GroupEvent::Revoked(revoked) => {
                self.gives_up(&revoked.partitions);
                revoked.done();
                Flow::Go
            }
            GroupEvent::Lost(lost) => {
                self.gives_up(&lost);
                Flow::Go
            }
            GroupEvent::Batch(batch) if self.owned.contains(batch.source()) => {
                self.take_batch(&batch, handle).await
            }
            GroupEvent::Batch(_) => Flow::Go,
            GroupEvent::Failed(error) => {
                self.failed(error, handle).await;
                Flow::Go
            }
        }
    }

    /// Starts what is not read yet. What cannot be started now is tried again beside the other
    /// events, for one of them may say that the partition is another's by now.
    async fn begin(&mut self, handle: &GroupHandle) {
        for (source, from) in std::mem::take(&mut self.unstarted) {
            match self.start(&source, from, handle).await {
                Ok(()) => {}
                // The event that says so is on its way.
                Err(StreamError::Fenced { .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, %source, "a partition cannot be started yet");
                    self.unstarted.insert(source, from);
                }
            }
        }
    }

    async fn start(
        &self,
        source: &TopicPartition,
        from: Option<i64>,
        handle: &GroupHandle,
    ) -> Result<(), StreamError> {
        let offset = match from {
            Some(offset) => offset,
            None => self.stream.offsets(source).await?.earliest,
        };
        handle.start(source, offset).await
    }

    fn gives_up(&mut self, sources: &[TopicPartition]) {
        for source in sources {
            self.owned.remove(source);
            self.unstarted.remove(source);
        }
        self.engine.pulse.owns(&self.cluster, &self.owned);
    }

    async fn failed(&mut self, error: StreamError, handle: &GroupHandle) {
        if let StreamError::OffsetOutOfRange {
            topic,
            partition,
            wanted,
            earliest,
            ..
        } = &error
        {
            let text =
                format!("alert events {wanted} to {earliest} of {topic}[{partition}] are lost");
            self.engine.alarm(None, AlarmKind::SequenceGap, text);
            self.engine.metrics.event("lost");
            let source = TopicPartition::new(topic.clone(), *partition);
            self.unstarted.insert(source, Some(*earliest));
            self.begin(handle).await;
        } else {
            tracing::warn!(%error, "reading the alert topic");
        }
    }

    /// Applies a batch, then commits its offset. The store's silence stops the reading, never
    /// skips.
    async fn take_batch(&mut self, batch: &Batch, handle: &GroupHandle) -> Flow {
        let records: Vec<Record<'_>> = batch.records().collect();
        for part in records.chunks(BATCH) {
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.attempt(part).await {
                let source = batch.source();
                tracing::error!(error, %source, "alert events cannot be stored yet");
                self.reading.say(&self.cluster, Err(error.clone()));
                self.engine.pulse.store(&self.cluster, Err(error));
                if self.rest(&mut pause).await == Flow::Stop {
                    return Flow::Stop;
                }
            }
            self.reading.say(&self.cluster, Ok(()));
            self.engine.pulse.store(&self.cluster, Ok(()));
            let Some(last) = part.last() else { continue };
            let commit = Commit {
                source: batch.source().clone(),
                next_offset: last.offset + 1,
                metadata: String::new(),
            };
            // What is not committed comes again and changes nothing.
            if let Err(error) = handle.commit(vec![commit]).await {
                tracing::warn!(%error, "an offset of the alert topic was not committed");
            }
        }
        Flow::Go
    }

    /// Applies records, or says why that was not possible. A store behind a dead network never answers: the next attempt is
    /// made over another connection.
    async fn attempt(&self, records: &[Record<'_>]) -> Result<(), String> {
        match tokio::time::timeout(ATTEMPT, self.apply(records)).await {
            Ok(applied) => applied.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "the store did not answer within {} s",
                ATTEMPT.as_secs()
            )),
        }
    }

    /// Applies records: over a database that takes several transactions at once each tenant's in one of its own, so that no
    /// tenant waits for what another one's storm brings.
    async fn apply(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        let mut shares: BTreeMap<Option<TenantId>, Vec<Arrived<'_>>> = BTreeMap::new();
        let apart = self.engine.store.is_shared();
        for record in records {
            let Some(bytes) = record.value else { continue };
            match schemas::alert::decode(bytes) {
                Ok(event) => {
                    let tenant = apart.then(|| tenant_of(&event).clone());
                    let appended_at = record.timestamp;
                    shares
                        .entry(tenant)
                        .or_default()
                        .push((event, bytes, appended_at));
                }
                Err(error) => {
                    let text = format!("record {} of the alert topic: {error}", record.offset);
                    self.engine.alarm(None, AlarmKind::Unreadable, text);
                    self.engine.metrics.event("unreadable");
                }
            }
        }
        let mut applied = Vec::with_capacity(shares.len());
        for share in shares.values() {
            applied.push(self.apply_share(share).boxed());
        }
        futures_util::stream::iter(applied)
            .buffer_unordered(TENANTS_AT_ONCE)
            .try_collect()
            .await
    }

    /// Applies events in their order, in one transaction.
    async fn apply_share(&self, share: &[Arrived<'_>]) -> Result<(), StoreError> {
        let mut tx = self.engine.store.begin().await?;
        let mut effects = Effects::default();
        for (event, bytes, appended_at) in share {
            match event {
                StreamEvent::Alert(event) => {
                    self.engine
                        .take_event(&mut tx, event, bytes, *appended_at, &mut effects)
                        .await?;
                    self.engine.metrics.event(event.kind.as_str());
                }
                StreamEvent::CaughtUp(caught_up) => {
                    self.engine
                        .take_caught_up(&mut tx, caught_up, &mut effects)
                        .await?;
                    self.engine.metrics.event("caught_up");
                }
            }
        }
        tx.commit().await?;
        self.engine.tell(effects);
        Ok(())
    }

    /// Waits, longer each time. Stops when it is asked to.
    async fn rest(&self, pause: &mut Duration) -> Flow {
        let waited = *pause;
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(waited) => Flow::Go,
            () = self.order.begun() => Flow::Stop,
        }
    }
}

/// Leaves the group. Nothing is under way between two events, so what is asked back is given at once: an event that is
/// dropped is answered.
async fn leave(mut member: Membership, handle: &GroupHandle) {
    let give_back = async { while member.next().await.is_some() {} };
    tokio::join!(handle.leave(), give_back);
}

/// Errors that only a person can mend. A topic that is missing may be made yet.
fn is_final(error: &StreamError) -> bool {
    matches!(
        error,
        StreamError::Unauthorized { .. } | StreamError::Unusable { .. } | StreamError::Closed
    )
}
