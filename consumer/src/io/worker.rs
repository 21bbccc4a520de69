//! The group's loop: one owner of all partitions, told by one kind of event.

use super::commit::{self, CommitJob};
use super::event::{Event, Report};
use super::handoff::{Drainer, Handoff};
use super::lane::{READERS, Tools};
use super::part::Part;
use super::retention::Retentions;
use super::{DeadLetters, ShardSource, Shards, start};
use crate::core::{Budget, Flow};
use crate::metrics::Metrics;
use crate::{Config, RunError};
use catalog::{LiveCatalog, TopicJudge};
use model::Timestamp;
use placement::PlacementMap;
use runtime::{Condition, Context, OnEnd};
use schemas::catalogue::Catalogue;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use stream::{GroupHandle, Membership, Revoked, Stream, TopicPartition};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often the budget looks whose lines move.
const BUDGET_TURN: model::Span = model::Span::from_millis(250);

/// What a worker is made of.
pub(crate) struct WorkerParts {
    pub(crate) config: Config,
    pub(crate) stream: Stream,
    pub(crate) membership: Membership,
    pub(crate) catalog: LiveCatalog,
    pub(crate) source: ShardSource,
    /// The catalogue that the placement was compiled from.
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) placement: PlacementMap,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) metrics: Metrics,
    pub(crate) condition: Condition,
    pub(crate) ctx: Context,
}

/// The loop and everything it owns.
pub(crate) struct Worker {
    pub(super) config: Config,
    pub(super) stream: Stream,
    pub(super) handle: GroupHandle,
    pub(super) ctx: Context,
    pub(super) metrics: Metrics,
    pub(super) tools: Tools,
    /// Where lines of a dead shard go; none where that is switched off.
    pub(super) handoff: Option<Handoff>,
    pub(super) condition: Condition,
    source: ShardSource,
    shards: watch::Sender<Arc<Shards>>,
    catalogue: Arc<Catalogue>,
    pub(super) placement: PlacementMap,
    pub(super) parts: HashMap<u64, Part>,
    pub(super) by_source: HashMap<TopicPartition, u64>,
    pub(super) next_part: u64,
    pub(super) budget: Budget,
    pub(super) commits: mpsc::UnboundedSender<CommitJob>,
    pub(super) commits_in_flight: usize,
    /// Deadlines of lanes whose lines wait for company, in their order: all wait equally long.
    pub(super) linger: VecDeque<(Instant, u64, usize)>,
    pub(super) drains: Vec<Drain>,
    pub(super) judge: TopicJudge,
    measuring: Arc<Semaphore>,
    stopping: bool,
}

/// Partitions that are being given back.
pub(super) struct Drain {
    pub(super) parts: Vec<u64>,
    pub(super) revoked: Revoked,
    pub(super) deadline: Instant,
}

/// What the loop waits for.
struct Sources {
    membership: Membership,
    catalog: LiveCatalog,
    reports: mpsc::UnboundedReceiver<Report>,
    commit: Interval,
    refresh: Interval,
    turn: Interval,
}

impl Worker {
    /// Runs until the group is left at the shutdown.
    pub(crate) async fn run(parts: WorkerParts) -> Result<(), RunError> {
        let (reports, reports_in) = mpsc::unbounded_channel();
        let (commits, jobs) = mpsc::unbounded_channel();
        let mut sources = Sources {
            commit: every(parts.config.commit_every),
            refresh: every(parts.config.refresh_every),
            turn: every(BUDGET_TURN),
            membership: parts.membership,
            catalog: parts.catalog,
            reports: reports_in,
        };
        let handle = sources.membership.handle();
        let committer = commit::run(handle.clone(), jobs, reports.clone(), parts.metrics.clone());
        spawn(&parts.ctx, "consumer commits", committer);
        let (shards, shards_out) = watch::channel(Arc::new(Shards::default()));
        let tools = Tools {
            shards: shards_out,
            dead_letters: parts.dead_letters,
            backoff: parts.config.backoff(),
            metrics: parts.metrics.clone(),
            retentions: Retentions::new(parts.stream.clone()),
            clock: parts.ctx.clock.clone(),
            reports,
            readers: Arc::new(Semaphore::new(READERS)),
        };
        let handoff = parts.config.handoff.then(|| {
            let made = Arc::new(Notify::new());
            let drainer = Drainer {
                stream: parts.stream.clone(),
                config: parts.config.clone(),
                tools: tools.clone(),
                ctx: parts.ctx.clone(),
                made: Arc::clone(&made),
            };
            let drainer = Box::pin(drainer.run());
            parts
                .ctx
                .tasks
                .spawn("handoff", OnEnd::StopsTheProcess, drainer);
            Handoff::new(parts.stream.clone(), &parts.config, &tools, made)
        });
        let mut worker = Self {
            tools,
            handoff,
            budget: Budget::new(parts.config.buffer_bytes),
            catalogue: parts.catalogue,
            config: parts.config,
            judge: TopicJudge::new(parts.stream.clone()),
            stream: parts.stream,
            handle,
            ctx: parts.ctx,
            metrics: parts.metrics,
            condition: parts.condition,
            source: parts.source,
            shards,
            placement: parts.placement,
            parts: HashMap::new(),
            by_source: HashMap::new(),
            next_part: 0,
            commits,
            commits_in_flight: 0,
            linger: VecDeque::new(),
            drains: Vec::new(),
            measuring: Arc::new(Semaphore::new(1)),
            stopping: false,
        };
        worker.open_shards();
        let end = loop {
            let event = worker.next(&mut sources).await;
            match worker.on_event(event, &sources.catalog) {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        // Work without a loop that hears of it would only keep the process from ending.
        worker.parts.values().for_each(|part| part.stop.cancel());
        end
    }

    async fn next(&self, sources: &mut Sources) -> Event {
        let linger = self.linger.front().map(|(deadline, ..)| *deadline);
        let drain = self.drains.iter().map(|drain| drain.deadline).min();
        tokio::select! {
            () = self.ctx.tasks.shutdown().begun(), if !self.stopping => Event::Stop,
            Some(report) = sources.reports.recv() => Event::Report(report),
            event = sources.membership.next() => event.map_or(Event::Left, Event::Group),
            () = until(linger) => Event::Linger,
            () = until(drain) => Event::DrainDeadline,
            _ = sources.commit.tick() => Event::Commit,
            _ = sources.refresh.tick() => Event::Refresh,
            _ = sources.turn.tick() => Event::BudgetTurn,
            _ = sources.catalog.changed() => Event::Catalogue,
        }
    }

    /// Reacts to an event. True when the loop is over.
    fn on_event(&mut self, event: Event, catalog: &LiveCatalog) -> Result<bool, RunError> {
        match event {
            Event::Group(event) => self.on_group(event),
            Event::Left if self.stopping => return Ok(true),
            Event::Left => return Err(RunError::MembershipEnded),
            Event::Report(Report::Died(what)) => return Err(RunError::LaneDied(what)),
            Event::Report(report) => self.on_report(report),
            Event::Linger => self.on_linger(),
            Event::Commit => self.commit(),
            Event::Refresh => {
                self.open_shards();
                self.measure_lag();
            }
            Event::BudgetTurn => {
                let flows = self.budget.turn();
                self.flow(flows);
            }
            Event::DrainDeadline => self.check_drains(Instant::now()),
            Event::Catalogue => self.on_catalogue(catalog.current()),
            Event::Stop => {
                self.stopping = true;
                let handle = self.handle.clone();
                self.spawn(
                    "consumer leaves its group",
                    async move { handle.leave().await },
                );
            }
        }
        Ok(false)
    }

    /// Another revision: taken whole, or not at all when its placement cannot be used.
    fn on_catalogue(&mut self, catalogue: Arc<Catalogue>) {
        let revision = catalogue.revision;
        match PlacementMap::compile(&catalogue) {
            Ok(placement) => {
                self.catalogue = catalogue;
                // Shards first: a lane whose shard is gone must find the new route when it says so.
                self.open_shards();
                if placement != self.placement {
                    self.placement = placement;
                    for part in self.parts.values_mut() {
                        part.core.set_route(self.placement.route(&part.tenant));
                    }
                    tracing::info!(revision, "another placement is in force");
                }
                self.condition.ready(format!("revision {revision}"));
            }
            Err(error) => {
                tracing::error!(revision, %error, "placement refused, the last stays in force");
                self.condition
                    .ready(format!("revision {revision} was refused: {error}"));
            }
        }
    }

    /// Opens what is new in the catalogue or has another token.
    fn open_shards(&mut self) {
        let before = Arc::clone(&self.shards.borrow());
        let opened = self
            .source
            .open(&self.catalogue, &before, &self.config, &self.metrics);
        if opened.is_same(&before) {
            return;
        }
        let opened = Arc::new(opened);
        self.shards.send_replace(Arc::clone(&opened));
        self.spawn("greet shards", greet(opened, self.metrics.clone()));
    }

    fn measure_lag(&self) {
        let Ok(permit) = Arc::clone(&self.measuring).try_acquire_owned() else {
            return;
        };
        let now = Timestamp::from_nanos(self.tools.clock.now_nanos());
        let parts = self.parts.values().map(Part::measured).collect();
        let retentions = self.tools.retentions.clone();
        let (stream, metrics) = (self.stream.clone(), self.metrics.clone());
        let work = start::measure(stream, metrics, retentions, now, parts);
        self.spawn("measure lag", async move {
            work.await;
            drop(permit);
        });
    }

    /// Commits what has moved, unless a commit is under way.
    fn commit(&mut self) {
        if self.commits_in_flight > 0 {
            return;
        }
        let marks: Vec<_> = self.parts.values().filter_map(Part::mark).collect();
        if !marks.is_empty() {
            self.send_commit(CommitJob { marks, then: None });
        }
    }

    pub(super) fn send_commit(&mut self, job: CommitJob) {
        self.commits_in_flight += 1;
        // The committing task lives as long as the loop; if it panicked, the revoke is answered by
        // the drop.
        if self.commits.send(job).is_err() {
            tracing::error!("the task that commits is gone");
        }
    }

    /// Pauses and resumes partitions as the budget wants.
    pub(super) fn flow(&self, flows: Vec<Flow>) {
        for flow in flows {
            let (id, paused) = match flow {
                Flow::Pause(id) => (id, true),
                Flow::Resume(id) => (id, false),
                Flow::Hold(held) => {
                    self.handle.hold(held);
                    continue;
                }
            };
            if let Some(part) = self.parts.get(&id) {
                self.handle.pause(&part.source, paused);
            }
        }
        self.metrics.buffered.set(self.budget.held() as i64);
        self.metrics.paused.set(self.budget.paused() as i64);
    }

    pub(super) fn spawn(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        spawn(&self.ctx, name, work);
    }
}

fn spawn(ctx: &Context, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let work = async move {
        work.await;
        Ok::<(), Infallible>(())
    };
    ctx.tasks.spawn(name, OnEnd::Fine, work);
}

fn every(span: model::Span) -> Interval {
    let mut interval = tokio::time::interval(span.to_std());
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Finds out what the shards are, for the log and the metrics.
async fn greet(shards: Arc<Shards>, metrics: Metrics) {
    for (id, entry) in shards.iter() {
        let Ok(shard) = &entry.shard else { continue };
        match shard.ping().await {
            Ok(product) => {
                tracing::info!(shard = %id, %product, "shard answers");
                metrics.shard(id.as_str(), &product.to_string());
            }
            Err(error) => tracing::warn!(shard = %id, %error, "shard does not answer"),
        }
    }
}
