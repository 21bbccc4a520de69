//! Takes alert events over from the log: committed to the store first, to the log after.
//!
//! It reads ahead of what it applies, so that a tenant's event need not wait for those of others that stand before it.

use crate::core::{AlarmKind, Arrived, Backlog};
use crate::engine::{Effects, Engine};
use crate::io::store::StoreError;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use model::{StreamEvent, TenantId, TopicName};
use runtime::{Condition, Shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stream::{
    Batch, Commit, GroupEvent, GroupHandle, JoinSpec, Membership, Stream, StreamError,
    TopicPartition, Topics,
};

/// The group in which replicas share the partitions.
pub const GROUP: &str = "bongsu-notifier";

/// Events that are applied before offsets are committed.
const SHARE: usize = 128;
/// Batches that are read between two shares.
const READS: usize = 8;
/// With so many events waiting, some 1 KiB each, nothing more is read.
const MOST_WAITING: usize = 16_384;
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
    backlog: Backlog<TopicPartition>,
    /// Taken from the backlog and not applied yet.
    share: Vec<Arrived<TopicPartition>>,
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
            backlog: Backlog::default(),
            share: Vec::new(),
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
        self.backlog = Backlog::default();
        self.share.clear();
        self.reading.say(&self.cluster, Ok(()));
        let order = self.order.clone();
        let mut again = tokio::time::interval(START_AGAIN);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut reads, mut pause) = (0, FIRST_PAUSE);
        loop {
            let waits = !self.share.is_empty() || !self.backlog.is_empty();
            let reads_on = !waits || (reads < READS && self.backlog.len() < MOST_WAITING);
            let event = tokio::select! {
                biased;
                () = order.begun() => {
                    leave(member, &handle).await;
                    return Flow::Stop;
                }
                _ = again.tick(), if !self.unstarted.is_empty() => {
                    self.begin(&handle).await;
                    continue;
                }
                event = member.next(), if reads_on => event,
                () = std::future::ready(()), if waits => {
                    reads = 0;
                    if self.apply_share(&handle, &mut pause).await == Flow::Stop {
                        leave(member, &handle).await;
                        return Flow::Stop;
                    }
                    continue;
                }
            };
            reads += 1;
            match event {
                None => return Flow::Go,
                Some(event) => self.take(event, &handle).await,
            }
        }
    }

    async fn take(&mut self, event: GroupEvent, handle: &GroupHandle) {
        match event {
            GroupEvent::Assigned(assigned) => {
                for (source, committed) in assigned.partitions {
                    let next = committed.map(|commit| commit.next_offset);
                    self.unstarted.insert(source.clone(), next);
                    self.owned.insert(source);
                }
                self.engine.pulse.owns(&self.cluster, &self.owned);
                self.begin(handle).await;
            }
            // No transaction is under way between two events.
            GroupEvent::Revoked(revoked) => {
                self.gives_up(&revoked.partitions);
                revoked.done();
            }
            GroupEvent::Lost(lost) => self.gives_up(&lost),
            GroupEvent::Batch(batch) if self.owned.contains(batch.source()) => {
                self.read_batch(&batch);
                if self.share.is_empty() && self.backlog.is_empty() {
                    self.commit(handle).await;
                }
            }
            GroupEvent::Batch(_) => {}
            GroupEvent::Failed(error) => self.failed(error, handle).await,
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
            self.backlog.forget(source);
            self.share.retain(|arrived| arrived.source != *source);
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

    /// Puts a batch behind what waits.
    fn read_batch(&mut self, batch: &Batch) {
        let source = batch.source();
        for record in batch.records() {
            let event = record.value.map(schemas::alert::decode);
            match (event, record.value) {
                (Some(Ok(event)), Some(bytes)) => self.backlog.push(Arrived {
                    source: source.clone(),
                    offset: record.offset,
                    event,
                    bytes: bytes.to_vec(),
                    appended_at: record.timestamp,
                }),
                (Some(Err(error)), _) => {
                    let text = format!("record {} of the alert topic: {error}", record.offset);
                    self.engine.alarm(None, AlarmKind::Unreadable, text);
                    self.engine.metrics.event("unreadable");
                    self.backlog.pass(source, record.offset);
                }
                _ => self.backlog.pass(source, record.offset),
            }
        }
    }

    /// Applies the next share of what waits, then commits up to where all is applied. The store's silence stops the
    /// reading once the backlog is full, and never skips.
    async fn apply_share(&mut self, handle: &GroupHandle, pause: &mut Duration) -> Flow {
        if self.share.is_empty() {
            self.share = self.backlog.take(SHARE);
        }
        if let Err(error) = self.attempt().await {
            let cluster = &self.cluster;
            tracing::error!(error, cluster, "alert events cannot be stored yet");
            self.reading.say(cluster, Err(error.clone()));
            self.engine.pulse.store(cluster, Err(error));
            return self.rest(pause).await;
        }
        *pause = FIRST_PAUSE;
        self.reading.say(&self.cluster, Ok(()));
        self.engine.pulse.store(&self.cluster, Ok(()));
        self.backlog.done(&self.share);
        self.share.clear();
        self.commit(handle).await;
        Flow::Go
    }

    /// Commits what is applied. What is not committed comes again and changes nothing.
    async fn commit(&mut self, handle: &GroupHandle) {
        let positions = self.backlog.positions().into_iter();
        let commits: Vec<Commit> = positions
            .map(|(source, next_offset)| Commit {
                source,
                next_offset,
                metadata: String::new(),
            })
            .collect();
        if !commits.is_empty()
            && let Err(error) = handle.commit(commits).await
        {
            tracing::warn!(%error, "offsets of the alert topic were not committed");
        }
    }

    /// Applies the share, or says why that was not possible. A store behind a dead network never answers: the next attempt
    /// is made over another connection.
    async fn attempt(&self) -> Result<(), String> {
        match tokio::time::timeout(ATTEMPT, self.apply()).await {
            Ok(applied) => applied.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "the store did not answer within {} s",
                ATTEMPT.as_secs()
            )),
        }
    }

    /// Applies the share: over a database that takes several transactions at once each tenant's part in one of its own, so
    /// that no tenant waits for what another one's storm brings.
    async fn apply(&self) -> Result<(), StoreError> {
        let apart = self.engine.store.is_shared();
        let mut parts: BTreeMap<Option<&TenantId>, Vec<&Arrived<TopicPartition>>> = BTreeMap::new();
        for arrived in &self.share {
            let tenant = apart.then(|| arrived.tenant());
            parts.entry(tenant).or_default().push(arrived);
        }
        let mut applied = Vec::with_capacity(parts.len());
        for part in parts.values() {
            applied.push(self.apply_part(part).boxed());
        }
        futures_util::stream::iter(applied)
            .buffer_unordered(TENANTS_AT_ONCE)
            .try_collect()
            .await
    }

    /// Applies events in their order, in one transaction.
    async fn apply_part(&self, part: &[&Arrived<TopicPartition>]) -> Result<(), StoreError> {
        let mut tx = self.engine.store.begin().await?;
        let mut effects = Effects::default();
        for arrived in part {
            match &arrived.event {
                StreamEvent::Alert(event) => {
                    let (bytes, at) = (&arrived.bytes, arrived.appended_at);
                    self.engine
                        .take_event(&mut tx, event, bytes, at, &mut effects)
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

/// Leaves the group. No transaction is under way between two events, so what is asked back is given at once: an event that
/// is dropped is answered.
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
