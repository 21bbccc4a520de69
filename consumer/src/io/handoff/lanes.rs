//! One partition of a handoff topic: its lanes, drained each in order and all side by side.

use super::super::deadletter::DeadLetter;
use super::super::deliver::{Delivered, Delivery, Left};
use super::super::lane::Tools;
use crate::core::handoff::{Admission, Envelope, LaneId, LaneState, LaneSums};
use crate::core::{Chunk, Filling};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use model::{ShardId, Timestamp};
use runtime::{Context, OnEnd};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use stream::{Batch, Commit, GroupHandle, NewRecord, Stream, StreamError, TopicPartition, Verdict};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Bytes of records that may wait here; then the partition is paused.
const MOST_BYTES: usize = 2 << 20;
const COMMIT: Duration = Duration::from_millis(200);
const MEASURE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(500);

/// What the group tells a partition.
pub(super) enum Order {
    Batch(Batch),
    /// Commit and end.
    GiveBack(oneshot::Sender<()>),
    /// Records are gone.
    OutOfRange {
        wanted: i64,
        earliest: i64,
    },
}

/// A record that waits in its lane.
struct Item {
    offset: i64,
    envelope: Envelope,
    lines: Bytes,
}

/// What is to be done with a record.
enum Work {
    Lines(Chunk),
    /// Its value, and how many lines it should have.
    Unreadable(Bytes, usize),
}

#[derive(Default)]
struct Lane {
    state: LaneState,
    /// Former drainers whose records of the state are to be taken out.
    older: BTreeSet<u64>,
    waiting: VecDeque<Item>,
    /// The state with the record that is being written; what is saved meanwhile must not know of it.
    writing: Option<LaneState>,
}

/// A record's lines are done: which lane, and how many are stored and dead-lettered.
type Done = (LaneId, u64, u64);
/// A record of the state was acknowledged, or not: the offset that waits for it.
type Saved = (i64, LaneId, Result<(), StreamError>);

pub(super) struct Lanes {
    source: TopicPartition,
    shard: ShardId,
    state: TopicPartition,
    stream: Stream,
    handle: GroupHandle,
    tools: Tools,
    ctx: Context,
    work: CancellationToken,
    epoch: u64,
    lanes: HashMap<LaneId, Lane>,
    /// Offsets read whose effect is not durable, and when the log took them.
    open: BTreeMap<i64, Timestamp>,
    next: i64,
    /// Offset of the next record, a little ago.
    end: i64,
    committed: i64,
    bytes: usize,
    paused: bool,
    saves: FuturesUnordered<BoxFuture<'static, Saved>>,
    done: mpsc::UnboundedSender<Done>,
    done_in: mpsc::UnboundedReceiver<Done>,
}

impl Lanes {
    pub(super) fn new(
        (source, shard, state): (TopicPartition, ShardId, TopicPartition),
        stream: Stream,
        handle: GroupHandle,
        tools: Tools,
        ctx: Context,
        stop: CancellationToken,
    ) -> Self {
        let (done, done_in) = mpsc::unbounded_channel();
        // The work may be stopped before the partition is committed a last time.
        let work = stop.child_token();
        Self {
            source,
            shard,
            state,
            stream,
            handle,
            tools,
            ctx,
            work,
            epoch: 0,
            lanes: HashMap::new(),
            open: BTreeMap::new(),
            next: 0,
            end: 0,
            committed: -1,
            bytes: 0,
            paused: false,
            saves: FuturesUnordered::new(),
            done,
            done_in,
        }
    }

    /// Drains until it is told to give the partition back.
    pub(super) async fn run(
        mut self,
        commit: Option<Commit>,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) {
        let given_back = tokio::select! {
            () = self.begin(commit) => None,
            said = give_back(&mut orders) => Some(said),
        };
        if given_back.is_some() {
            return;
        }
        let (mut tick, mut measure) = (every(COMMIT), every(MEASURE));
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Batch(batch)) => self.take(&batch),
                    Some(Order::OutOfRange { wanted, earliest }) => self.lose(wanted, earliest).await,
                    Some(Order::GiveBack(said)) => {
                        // Work under way is read again by the next drainer.
                        self.work.cancel();
                        self.commit().await;
                        let (shard, partition) = (self.shard.as_str(), self.source.partition);
                        self.tools.metrics.forget_handoff(shard, partition);
                        said.send(()).unwrap_or_default();
                        return;
                    }
                    None => return,
                },
                Some((lane, stored, dead)) = self.done_in.recv() => self.written(&lane, stored, dead),
                Some(saved) = self.saves.next() => self.saved(saved),
                _ = tick.tick() => self.commit().await,
                _ = measure.tick() => self.measure().await,
            }
        }
    }

    /// Takes an epoch higher than any before with a commit, reads the state, and begins to read.
    async fn begin(&mut self, commit: Option<Commit>) {
        let before = commit
            .as_ref()
            .map_or(0, |commit| epoch_of(&commit.metadata));
        let now = u64::try_from(self.tools.clock.now_millis()).unwrap_or(0);
        self.epoch = now.max(before + 1);
        loop {
            match self
                .try_begin(commit.as_ref().map(|commit| commit.next_offset))
                .await
            {
                Ok(()) => return,
                Err(error) => {
                    self.tools.metrics.log_error("handoff");
                    tracing::warn!(source = %self.source, %error, "the handoff cannot be drained yet");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn try_begin(&mut self, from: Option<i64>) -> Result<(), StreamError> {
        let from = match from {
            Some(from) => from,
            None => self.stream.offsets(&self.source).await?.earliest,
        };
        self.next = from;
        self.handle.commit(vec![self.mark(from)]).await?;
        self.committed = from;
        self.load().await?;
        self.handle.start(&self.source, from).await
    }

    /// Reads how far each lane is: of each the record of the newest drainer.
    async fn load(&mut self) -> Result<(), StreamError> {
        let readers = Arc::clone(&self.tools.readers);
        let turn = readers.acquire().await;
        let _turn = turn.map_err(|_| StreamError::Closed)?;
        let range = self.stream.offsets(&self.state).await?;
        let (mut at, mut reader) = (range.earliest, None);
        let own = format!("{}|", self.source.topic);
        while at < range.end {
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(self.stream.read(&self.state, at).await?),
            };
            // A compacted topic may end before its end: its last records may be gone.
            let Ok(batch) = tokio::time::timeout(AGAIN * 4, reader.next()).await else {
                break;
            };
            let batch = batch.ok_or(StreamError::Closed)??;
            for record in batch.records() {
                at = record.offset + 1;
                let text = |bytes| std::str::from_utf8(bytes).ok();
                let lane = record
                    .key
                    .and_then(text)
                    .and_then(|key| key.strip_prefix(&own));
                let lane = lane.and_then(|lane| lane.rsplit_once('|')?.0.parse().ok());
                let state = record
                    .value
                    .and_then(text)
                    .and_then(|text| text.parse().ok());
                let (Some(lane), Some(state)) = (lane, state) else {
                    continue;
                };
                let known = self.lanes.entry(lane).or_default();
                let state: LaneState = state;
                known.older.insert(state.epoch);
                if state.epoch >= known.state.epoch {
                    known.state = state;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, batch: &Batch) {
        let mut lanes = BTreeSet::new();
        for record in batch.records() {
            self.next = record.offset + 1;
            let envelope = Envelope::read(record.key, |name| record.header(name));
            let envelope = match envelope {
                Ok(envelope) => envelope,
                Err(error) => {
                    self.tools.metrics.log_error("handoff");
                    tracing::error!(source = %self.source, offset = record.offset, %error, "left out");
                    continue;
                }
            };
            let lines = Bytes::copy_from_slice(record.value.unwrap_or_default());
            self.bytes += lines.len();
            self.open.insert(record.offset, record.timestamp);
            let lane = envelope.lane.clone();
            let item = Item {
                offset: record.offset,
                envelope,
                lines,
            };
            self.lanes
                .entry(lane.clone())
                .or_default()
                .waiting
                .push_back(item);
            lanes.insert(lane);
        }
        for lane in lanes {
            self.pump(&lane);
        }
        self.flow();
    }

    /// Goes on with a lane until a record of it is on its way.
    fn pump(&mut self, id: &LaneId) {
        loop {
            let Some(lane) = self.lanes.get_mut(id).filter(|lane| lane.writing.is_none()) else {
                return;
            };
            let Some(item) = lane.waiting.front() else {
                return;
            };
            let mut state = lane.state;
            let from = match state.admit(&item.envelope) {
                Admission::Write { from } => from,
                Admission::Pass => {
                    lane.state = state;
                    let item = lane.waiting.pop_front();
                    if let Some(item) = item {
                        self.bytes -= item.lines.len();
                        self.save(id, item.offset);
                    }
                    continue;
                }
            };
            let work = match chunk_of(item, from) {
                Some(chunk) => Work::Lines(chunk),
                // What was split into lines once is split so again: somebody else wrote it.
                None => Work::Unreadable(item.lines.clone(), item.envelope.origins.len() - from),
            };
            lane.writing = Some(state);
            self.launch(id.clone(), work);
            return;
        }
    }

    fn launch(&self, lane: LaneId, work: Work) {
        let Some(tenant) = lane.topic.tenant() else {
            return;
        };
        let source = TopicPartition::new(lane.topic.clone(), lane.partition);
        let (tools, done, stop) = (self.tools.clone(), self.done.clone(), self.work.clone());
        let (shard, own) = (self.shard.clone(), self.source.clone());
        let work = async move {
            let (stored, dead) = match work {
                Work::Lines(chunk) => {
                    let lines = chunk.len();
                    let delivery = Delivery {
                        source,
                        tenant,
                        shard,
                        chunk,
                        patience: None,
                    };
                    let dead = deliver(&delivery, &tools).await;
                    (lines - dead, dead)
                }
                Work::Unreadable(lines, count) => {
                    let reason = format!("a record of {own} whose lines are not those it names");
                    tools
                        .dead_letters
                        .write(vec![letter(source, &shard, lines, reason)])
                        .await;
                    (0, count)
                }
            };
            // Without the partition's task there is nobody to tell.
            drop(done.send((lane, stored as u64, dead as u64)));
        };
        self.ctx
            .tasks
            .spawn("drain a lane", OnEnd::Fine, async move {
                stop.run_until_cancelled(work).await;
                Ok::<(), Infallible>(())
            });
    }

    fn written(&mut self, id: &LaneId, stored: u64, dead: u64) {
        let Some(lane) = self.lanes.get_mut(id) else {
            return;
        };
        if let (Some(mut state), Some(item)) = (lane.writing.take(), lane.waiting.pop_front()) {
            state.drained(&item.envelope, stored, dead);
            lane.state = state;
            self.bytes -= item.lines.len();
            self.save(id, item.offset);
        }
        self.pump(id);
        self.flow();
    }

    /// Sends the lane's state; the record at that offset is done when it is acknowledged.
    fn save(&mut self, id: &LaneId, offset: i64) {
        let Some(lane) = self.lanes.get_mut(id) else {
            return;
        };
        lane.state.epoch = self.epoch;
        let key = |epoch: u64| format!("{}|{id}|{epoch}", self.source.topic);
        let value = Some(lane.state.to_string().into());
        let record = NewRecord::keyed(self.state.clone(), key(self.epoch), value);
        let delivery = self.stream.send(record);
        for older in std::mem::take(&mut lane.older) {
            // Behind the new record: one of both is always there. If it stays, it is older.
            let older = NewRecord::keyed(self.state.clone(), key(older), None);
            drop(self.stream.send(older));
        }
        let lane = id.clone();
        self.saves.push(Box::pin(
            async move { (offset, lane, delivery.await.map(drop)) },
        ));
    }

    fn saved(&mut self, (offset, lane, result): Saved) {
        match result {
            Ok(()) => {
                self.open.remove(&offset);
            }
            Err(error) => {
                self.tools.metrics.log_error("handoff");
                tracing::warn!(%lane, %error, "the lane's state was not acknowledged, trying again");
                self.save(&lane, offset);
            }
        }
    }

    async fn lose(&mut self, wanted: i64, earliest: i64) {
        let gone = u64::try_from(earliest - wanted).unwrap_or(0);
        tracing::error!(source = %self.source, wanted, earliest, lost_records = gone, "records of the handoff are gone before they were drained");
        self.tools.metrics.handoff_lost(self.shard.as_str(), gone);
        self.next = self.next.max(earliest);
        if let Err(error) = self.handle.start(&self.source, earliest).await {
            tracing::warn!(source = %self.source, %error, "the handoff cannot be read");
        }
    }

    fn mark(&self, next_offset: i64) -> Commit {
        Commit {
            source: self.source.clone(),
            next_offset,
            metadata: format!("v1;epoch={}", self.epoch),
        }
    }

    /// The first offset that is not done.
    fn position(&self) -> i64 {
        let first = self.open.first_key_value();
        first.map_or(self.next, |(offset, _)| *offset)
    }

    async fn commit(&mut self) {
        let position = self.position();
        if position == self.committed {
            return;
        }
        match self.handle.commit(vec![self.mark(position)]).await {
            Ok(()) => self.committed = position,
            Err(error) => {
                self.tools.metrics.log_error("handoff");
                let again = error.verdict() == Verdict::Transient;
                tracing::warn!(source = %self.source, %error, again, "the handoff was not committed");
            }
        }
    }

    /// Shows how much waits, how old it is, and the account.
    async fn measure(&mut self) {
        match self.stream.offsets(&self.source).await {
            Ok(range) => self.end = range.end,
            Err(error) => {
                tracing::debug!(source = %self.source, %error, "what waits is not known");
            }
        }
        let mut sums = LaneSums::default();
        for lane in self.lanes.values() {
            sums.add(&lane.state.sums);
        }
        let waiting = (self.end - self.position()).max(0);
        let now = self.tools.clock.now_nanos();
        let age = self.open.first_key_value().map_or(0, |(_, taken)| {
            now.saturating_sub(taken.as_nanos()).max(0) / 1_000_000_000
        });
        let used = self.tools.retentions.used(&self.source, age).await;
        let (shard, partition) = (self.shard.as_str(), self.source.partition);
        self.tools
            .metrics
            .handoff(shard, partition, &sums, (waiting, age, used));
    }

    fn flow(&mut self) {
        let wanted = match self.paused {
            true => self.bytes > MOST_BYTES / 2,
            false => self.bytes > MOST_BYTES,
        };
        if wanted != self.paused {
            self.paused = wanted;
            self.handle.pause(&self.source, wanted);
        }
    }
}

/// Writes a record's lines until each is stored or dead-lettered; how many are dead-lettered.
async fn deliver(delivery: &Delivery, tools: &Tools) -> usize {
    let mut shards = tools.shards.clone();
    loop {
        let Delivered { dead, left } = delivery.write(tools).await;
        if !matches!(left, Some((_, Left::Gone))) {
            return dead.len();
        }
        tracing::error!(shard = %delivery.shard, "lines wait for a shard that is not in the catalogue: declare it again, or they go with the retention of its handoff topic");
        if shards.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The lines of a record from one on.
fn chunk_of(item: &Item, from: usize) -> Option<Chunk> {
    let mut filling = Filling::default();
    let mut lines = 0;
    for line in schemas::line::scan(&item.lines) {
        let origin = item.envelope.origins.get(lines)?;
        if lines >= from {
            filling.push(0, (origin.offset, origin.number), line.ok()?.raw(), None);
        }
        lines += 1;
    }
    (lines == item.envelope.origins.len()).then(|| filling.seal())
}

fn letter(source: TopicPartition, shard: &ShardId, line: Bytes, reason: String) -> DeadLetter {
    DeadLetter {
        source,
        offset: 0,
        number: 0,
        shard: Some(shard.to_string()),
        line,
        kind: "unparseable",
        reason,
    }
}

fn every(span: Duration) -> Interval {
    let mut interval = tokio::time::interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn epoch_of(metadata: &str) -> u64 {
    let epoch = metadata
        .strip_prefix("v1;epoch=")
        .and_then(|epoch| epoch.parse().ok());
    epoch.unwrap_or(0)
}

/// Waits for the order to give back; records before it are read again by the next drainer.
async fn give_back(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        if let Order::GiveBack(said) = order {
            said.send(()).unwrap_or_default();
            return;
        }
    }
}
