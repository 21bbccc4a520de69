//! The notifier's own watch over a cluster: whether what arrives there is judged, and whether a P1 of its alert topic gets
//! into the store. It reads beside the intake and lives before the store does, so that neither can silence it.

mod reader;

use crate::commands::Commands;
use crate::core::{
    Alarm, AlarmKind, Blind, Emergencies, Found, Part, Says, Sign, StoreSays, Taken, Verdict,
    Waiting, Watch, blind_report, take, verdict,
};
use crate::engine::Engine;
use crate::io::break_glass::BreakGlass;
use crate::io::directory::People;
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use model::{Span, StreamEvent, TenantId, Timestamp, TopicName};
use reader::Heard;
use runtime::{Clock, OnEnd, Shutdown, Tasks};
use schemas::catalogue::SYSTEM_TENANT;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use stream::{Stream, StreamError, TopicPartition};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The integration that the watch's alarms are said to come from.
const SOURCE: &str = "bongsu-watch";
/// Events that may wait for the watch.
const WAITING: usize = 1_024;
/// How often a P1 that waits is looked at.
const CHECK: Duration = Duration::from_secs(1);
/// How long the store may take to say whether it has an event.
const ASK: Duration = Duration::from_secs(2);
/// Between two looks at most.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How often what is blind is reported again, and how long it stays so without that.
const AGAIN: Span = Span::from_secs(60);
const HOLDS: Span = Span::from_secs(600);

/// What the watches of all clusters share.
#[derive(Clone)]
pub struct Shared {
    /// Who there is.
    pub people: Arc<dyn People>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// How the parts are.
    pub pulse: Arc<Pulse>,
    /// Whom a P1 goes to past the store.
    pub glass: BreakGlass,
    /// The engine, once the store is open.
    pub engine: Arc<OnceLock<Arc<Engine>>>,
    /// What is not heard of for so long is blind.
    pub blind_after: Span,
    /// How long the store may be gone before a P1 goes past it.
    pub glass_after: Span,
}

/// The watch over one cluster.
pub struct Guard {
    shared: Shared,
    cluster: String,
    stream: Stream,
    watch: Watch,
    emergencies: Emergencies,
    alarms: BTreeMap<Blind, Told>,
    parts: Option<(Timestamp, BTreeSet<Part>)>,
    /// The topics that are read by now.
    read: BTreeSet<TopicName>,
}

/// What was told of something blind.
#[derive(Debug)]
struct Told {
    since: Timestamp,
    why: String,
    /// When the incident was last reported.
    reported: Option<Timestamp>,
    /// Since when it cannot be.
    failing: Option<Timestamp>,
    past_the_store: bool,
    /// It sees again.
    over: bool,
}

impl Guard {
    /// A watch over the cluster of that name.
    pub fn new(shared: Shared, cluster: &str, stream: Stream) -> Self {
        let now = Timestamp::from_nanos(shared.clock.now_nanos());
        shared.pulse.expects(&part_name(cluster));
        Self {
            watch: Watch::new(cluster, shared.blind_after, now),
            shared,
            cluster: cluster.to_owned(),
            stream,
            emergencies: Emergencies::default(),
            alarms: BTreeMap::new(),
            parts: None,
            read: BTreeSet::new(),
        }
    }

    /// Watches until the order to stop.
    pub async fn run(mut self, tasks: Tasks) -> Result<(), Infallible> {
        let order = tasks.shutdown().clone();
        let (sender, mut heard) = mpsc::channel::<Heard>(WAITING);
        let mut looks = interval(self.patience());
        let mut checks = interval(CHECK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = order.begun() => return Ok(()),
                Some(heard) = heard.recv() => self.take(heard),
                _ = looks.tick() => {
                    self.read(&tasks, &sender, &order).await;
                    self.look().await;
                }
                _ = checks.tick(), if !self.emergencies.is_empty() => self.check().await,
            }
        }
    }

    /// How long anything may take: a look must not come late by its own questions.
    fn patience(&self) -> Duration {
        (self.shared.blind_after.to_std() / 16).min(LONGEST_LOOK)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.shared.clock.now_nanos())
    }

    /// Starts the readers of each topic once it is there.
    async fn read(&mut self, tasks: &Tasks, heard: &mpsc::Sender<Heard>, order: &Shutdown) {
        let health = TenantId::parse(SYSTEM_TENANT).map(|tenant| TopicName::metrics(&tenant, 1));
        let topics = [Some(TopicName::alerts()), health.ok()];
        for topic in topics.into_iter().flatten() {
            if self.read.contains(&topic) {
                continue;
            }
            let asked = timeout(self.patience(), self.stream.partitions(&topic)).await;
            let Ok(Ok(Some(partitions))) = asked else {
                continue;
            };
            for partition in 0..partitions {
                let source = TopicPartition::new(topic.clone(), partition);
                let (stream, heard) = (self.stream.clone(), heard.clone());
                let reads = reader::run(stream, source, heard, order.clone());
                tasks.spawn("notifier watch reader", OnEnd::StopsTheProcess, reads);
            }
            self.read.insert(topic);
        }
    }

    fn take(&mut self, heard: Heard) {
        let now = self.now();
        match heard {
            Heard::Alive(service) => self.watch.learn(Sign::Alive(service), now),
            Heard::Event(_, StreamEvent::CaughtUp(told)) => {
                let part = (told.tenant, told.partition);
                self.watch.learn(Sign::CaughtUp(part), now);
            }
            Heard::Event(source, StreamEvent::Alert(event)) => {
                self.emergencies.take(*event, source, now);
            }
        }
    }

    async fn look(&mut self) {
        let sign = match timeout(self.patience(), self.reached()).await {
            Ok(Ok(parts)) => Sign::Reached(parts),
            Ok(Err(error)) => Sign::Unreached(error.to_string()),
            Err(_) => Sign::Unreached("it does not answer".to_owned()),
        };
        let now = self.now();
        self.watch.learn(sign, now);
        for found in self.watch.look(now) {
            match found {
                Found::Blind { what, since, why } => self.is_blind(what, since, why),
                Found::Sees(what) => {
                    if let Some(told) = self.alarms.get_mut(&what) {
                        told.over = true;
                    }
                }
            }
        }
        self.report(now).await;
        let part = part_name(&self.cluster);
        self.shared.pulse.says(&part, now, self.watch.content());
    }

    /// Asks the cluster; hands out which partitions are to be evaluated there.
    async fn reached(&mut self) -> Result<BTreeSet<Part>, StreamError> {
        let now = self.now();
        let fresh = Span::from_nanos(self.shared.blind_after.as_nanos() / 4);
        if let Some((at, parts)) = &self.parts
            && (Span::ZERO..fresh).contains(&now.since(*at))
        {
            let first = TopicPartition::new(TopicName::alerts(), 0);
            self.stream.offsets(&first).await?;
            return Ok(parts.clone());
        }
        let topics = self.stream.topics().await?;
        let directory = self.shared.people.directory();
        let mut newest = BTreeMap::<TenantId, (u32, u32)>::new();
        for topic in topics {
            if let model::TopicRole::Metrics(tenant, incarnation) = topic.name.role()
                && directory.tenants.contains_key(&tenant)
            {
                let known = newest.entry(tenant).or_default();
                *known = (*known).max((incarnation, topic.partitions));
            }
        }
        let parts = newest.into_iter().flat_map(|(tenant, (_, partitions))| {
            (0..partitions).map(move |partition| (tenant.clone(), partition))
        });
        let parts: BTreeSet<Part> = parts.collect();
        self.parts = Some((now, parts.clone()));
        Ok(parts)
    }

    fn is_blind(&mut self, what: Blind, since: Timestamp, why: String) {
        let known = self.alarms.get_mut(&what).filter(|told| !told.over);
        if let Some(told) = known {
            told.why = why;
            return;
        }
        let kind = AlarmKind::Blind;
        let text = why.clone();
        self.shared.metrics.alarm(None, &Alarm { kind, text });
        let told = Told {
            since,
            why,
            reported: None,
            failing: None,
            past_the_store: false,
            over: false,
        };
        self.alarms.insert(what, told);
    }

    /// Keeps the incidents of what is blind as they are to be; past the store where it takes nothing.
    async fn report(&mut self, now: Timestamp) {
        let mut alarms = std::mem::take(&mut self.alarms);
        for (what, told) in &mut alarms {
            let fresh = told.reported.is_some_and(|at| now.since(at) < AGAIN);
            if fresh && !told.over {
                continue;
            }
            let says = match told.over {
                true => Says::Resolved,
                false => Says::Firing(Some(now.plus(HOLDS))),
            };
            let report = blind_report(&self.cluster, what, told.since, &told.why, says);
            match self.reports(report.clone()).await {
                Ok(()) => (told.reported, told.failing) = (Some(now), None),
                Err(error) => {
                    tracing::error!(%error, %what, "blindness cannot be reported yet");
                    let failing = *told.failing.get_or_insert(now);
                    let gone = now.since(failing) >= self.shared.glass_after;
                    if gone && !told.past_the_store && !told.over {
                        told.past_the_store = self.past_the_store(report, now);
                    }
                }
            }
        }
        // What sees again is over once the store knows, or ends there by itself.
        alarms.retain(|_, told| !told.over || told.failing.is_some());
        self.alarms = alarms;
    }

    async fn reports(&self, report: crate::core::Report) -> Result<(), String> {
        let engine = self
            .shared
            .engine
            .get()
            .ok_or("the store is not open yet")?;
        let tenant = TenantId::parse(SYSTEM_TENANT).map_err(|error| error.to_string())?;
        let commands = Commands::new(Arc::clone(engine));
        let reported = commands.report_alerts(&tenant, SOURCE, vec![report]);
        match timeout(self.patience(), reported).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the store does not answer".to_owned()),
        }
    }

    /// Tells the break-glass contacts of blindness.
    fn past_the_store(&self, report: crate::core::Report, now: Timestamp) -> bool {
        let Ok(tenant) = TenantId::parse(SYSTEM_TENANT) else {
            return false;
        };
        if let Taken::Kept(_, Some(event)) = take(None, &tenant, SOURCE, report, now) {
            let because = crate::core::Because::StoreIsGone;
            self.shared.glass.tell(&event, because);
        }
        true
    }

    /// Looks at the P1 that are not known to be in the store.
    async fn check(&mut self) {
        let (now, after) = (self.now(), self.shared.glass_after);
        let mut gone = false;
        for waiting in self.emergencies.due(after, now) {
            let store = match gone {
                true => StoreSays::Nothing,
                false => self.ask(&waiting, &mut gone).await,
            };
            let source = TopicPartition::new(TopicName::alerts(), waiting.source);
            let mine = self.shared.pulse.is_mine(&self.cluster, &source);
            match verdict(&waiting, store, mine, after, now) {
                Verdict::Wait => continue,
                Verdict::Ordinary => {}
                Verdict::BreakGlass(because) => self.shared.glass.tell(&waiting.event, because),
            }
            self.emergencies.done(waiting.event.event_id);
        }
        let dropped = self.emergencies.dropped();
        if dropped > 0 {
            let kind = AlarmKind::BreakGlass;
            let text = format!("{dropped} P1 more than are looked after stand in the log at once");
            self.shared.metrics.alarm(None, &Alarm { kind, text });
        }
    }

    /// Whether the store has an event. `gone` becomes true where it does not answer at all.
    async fn ask(&self, waiting: &Waiting, gone: &mut bool) -> StoreSays {
        let Some(engine) = self.shared.engine.get() else {
            *gone = true;
            return StoreSays::Nothing;
        };
        let asked = engine.store.has_event(waiting.event.event_id);
        match timeout(ASK, asked).await {
            Ok(Ok(true)) => StoreSays::HasIt,
            Ok(Ok(false)) => self.shared.pulse.has_not(&self.cluster),
            Ok(Err(_)) | Err(_) => {
                *gone = true;
                StoreSays::Nothing
            }
        }
    }
}

fn part_name(cluster: &str) -> String {
    format!("watch over {cluster}")
}
