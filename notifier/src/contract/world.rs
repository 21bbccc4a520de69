//! One log, one database, a clock, two channels, and replicas that can be killed.

use super::recorder::Recorder;
use crate::app::start_with;
use crate::commands::{Commands, DeliveryRecord, Filter, IncidentDetail, Page};
use crate::config::{Config, Database};
use crate::core::{Actor, ChannelKind, Directory, Fate, Language, Message, Person, Policy, Step};
use crate::engine::Engine;
use crate::io::channel::{Channel, Channels};
use crate::io::store::Store;
use crate::metrics::Metrics;
use model::{
    AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, Span, StreamEvent, TenantId,
    Timestamp, TopicName,
};
use runtime::{Clock, Context, Shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stream::{Embedded, NewRecord, Stream, TopicPartition, TopicSpec};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Longer than any case needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a state that tells nobody of its changes.
const LOOK: Duration = Duration::from_millis(10);

/// Everything but the replicas.
pub struct World {
    /// What every replica is started with.
    pub config: Config,
    /// Text messages.
    pub sms: Arc<Recorder>,
    /// Chat messages.
    pub chat: Arc<Recorder>,
    pub(super) clock: Clock,
    stream: Stream,
    directory: Arc<Directory>,
}

/// A notifier on threads of its own.
pub struct Replica {
    /// What people may ask of it and do.
    pub commands: Commands,
    metrics: runtime::Metrics,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Replica {
    /// As `kill -9`: nothing is finished, nothing is written any more once this returns.
    pub fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            tokio::task::block_in_place(|| runtime.shutdown_timeout(PATIENCE));
        }
    }

    /// Attempts by text message that a provider took, as this replica knows.
    pub(super) fn accepted(&self) -> f64 {
        let name = "bongsu_notifications_total{channel=\"sms\",result=\"accepted\"} ";
        let text = self.metrics.render();
        let mut found = text.lines().filter_map(|line| line.strip_prefix(name));
        found
            .next()
            .and_then(|count| count.parse().ok())
            .unwrap_or(0.0)
    }

    /// Waits until it knows of so many.
    pub(super) async fn until_accepted(&self, count: f64) {
        let looks = async {
            while self.accepted() < count {
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, looks).await;
        waited.expect("it is answered in time");
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.end();
    }
}

/// Room, first and second person of a tenant whose number is `n`.
fn policy(n: usize) -> Policy {
    let step = |name: &str| Step {
        notify: vec![schemas::catalogue::StepTarget::Contact(format!(
            "{name}{n}"
        ))],
        after: None,
        channels: Vec::new(),
    };
    let both = vec![ChannelKind::Chat, ChannelKind::Sms];
    Policy {
        room: Some(format!("C{n}")),
        rooms: Vec::new(),
        channels: [both.clone(), both, vec![ChannelKind::Chat]],
        within: [
            Some(Span::from_secs(900)),
            Some(Span::from_secs(3600)),
            None,
        ],
        steps: vec![step("first"), step("second")],
        repeat: 0,
        ends: Default::default(),
    }
}

fn person(name: &str, n: usize) -> (String, Person) {
    let contact = format!("{name}{n}");
    let person = Person {
        name: contact.clone(),
        language: Language::En,
        chat: Some(format!("U-{contact}")),
        telegram: None,
        phone: Some(format!("phone-{contact}")),
        email: None,
        own_rules: Default::default(),
    };
    (contact, person)
}

/// Two tenants, `acme` (0) and `globex` (1), each with its room, people and policy.
fn directory() -> Directory {
    let mut directory = Directory {
        tenants: BTreeMap::new(),
        care: BTreeMap::new(),
        policies: BTreeMap::new(),
        people: BTreeMap::new(),
        roster: Default::default(),
        channels: BTreeSet::from([ChannelKind::Chat, ChannelKind::Sms]),
    };
    for (n, name) in ["acme", "globex"].into_iter().enumerate() {
        let tenant = TenantId::parse(name).expect("a name");
        directory.tenants.insert(tenant, name.to_owned());
        directory.policies.insert(name.to_owned(), policy(n));
        directory
            .people
            .extend([person("first", n), person("second", n)]);
    }
    directory
}

impl World {
    /// A world over that database, with its log in `folder`.
    pub async fn new(folder: &Path, database: Database) -> Self {
        let clock = Clock::manual(START.as_nanos());
        let stream = Embedded::open(&folder.join("log.redb"), clock.clone())
            .await
            .expect("the log opens")
            .into_stream();
        let spec = TopicSpec {
            name: TopicName::alerts(),
            partitions: 4,
            retention: None,
            compacted: false,
            replicas: 1,
        };
        stream.ensure_topic(&spec).await.expect("the topic is made");
        let mut config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database,
            ..Config::default()
        };
        config.engine.poll = Span::from_millis(20);
        config.engine.audit_every = Span::from_millis(50);
        // The clock stands still: what is not about the pace has no pace.
        config.engine.message_burst = 100_000;
        Self {
            config,
            sms: Arc::default(),
            chat: Arc::default(),
            clock,
            stream,
            directory: Arc::new(directory()),
        }
    }

    /// Starts a replica.
    pub async fn replica(&self) -> Replica {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("threads");
        let channels: [(ChannelKind, Arc<dyn Channel>); 2] = [
            (ChannelKind::Sms, Arc::clone(&self.sms) as Arc<dyn Channel>),
            (
                ChannelKind::Chat,
                Arc::clone(&self.chat) as Arc<dyn Channel>,
            ),
        ];
        let ctx = Context::at(self.clock.clone(), Shutdown::new());
        let metrics = ctx.metrics.clone();
        let starts = start_with(
            self.config.clone(),
            Arc::clone(&self.stream),
            Channels::new(channels),
            Arc::new(Arc::clone(&self.directory)),
            ctx,
        );
        let running = runtime.spawn(starts).await.expect("no panic");
        Replica {
            commands: running.expect("it starts").commands().clone(),
            metrics,
            runtime: Some(runtime),
        }
    }

    /// The engine of a replica of which nothing runs.
    pub(super) async fn engine(&self) -> Engine {
        let store = Store::open(&self.config.database).await;
        Engine::new(
            store.expect("the store opens"),
            Channels::default(),
            Arc::new(Arc::clone(&self.directory)),
            Metrics::new(&runtime::Metrics::default()),
            self.clock.clone(),
            Arc::default(),
            &self.config,
        )
    }

    /// Moves the clock.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Event `sequence` of host `n` of a tenant, arrived now.
    pub fn event(
        &self,
        tenant: &str,
        n: usize,
        sequence: u64,
        kind: AlertKind,
        priority: Option<Priority>,
    ) -> AlertEvent {
        let tenant = TenantId::parse(tenant).expect("a name");
        let group = vec![("host".to_owned(), format!("web-{n}"))];
        let id = IncidentId::of(Fingerprint::of(&tenant, "cpu-usage", &group), 0, START);
        AlertEvent {
            event_id: id.event(sequence),
            incident_id: id,
            sequence,
            tenant,
            partition: 0,
            template: "cpu-usage".to_owned(),
            title: format!("CPU usage on web-{n}"),
            title_ko: Some(format!("web-{n} CPU 사용률")),
            group,
            kind,
            priority,
            value: Some(97.5),
            threshold: priority.map(|_| 90.0),
            unit: "percent".to_owned(),
            at: START,
            started_at: START,
            arrival: Timestamp::from_nanos(self.clock.now_nanos()),
            env: None,
            why: "average of 5m is 97.5, above 90 for 5m".to_owned(),
            runbook: None,
        }
    }

    /// Appends to the alert topic, all of a tenant in one partition.
    pub async fn append(&self, tenant: &str, value: Vec<u8>) {
        let partition = u32::try_from(tenant.len() % 4).expect("small");
        let target = TopicPartition::new(TopicName::alerts(), partition);
        let sent = self.stream.send(NewRecord::value(target, value)).await;
        sent.expect("it is appended");
    }

    /// Appends an event.
    pub async fn emit(&self, event: &AlertEvent) {
        let bytes = schemas::alert::encode(&StreamEvent::Alert(Box::new(event.clone())));
        self.append(event.tenant.as_str(), bytes).await;
    }

    /// Host `n` of a tenant begins to fire.
    pub async fn fires(&self, tenant: &str, n: usize, priority: Priority) -> IncidentId {
        let event = self.event(tenant, n, 1, AlertKind::Firing, Some(priority));
        self.emit(&event).await;
        event.incident_id
    }

    /// It is over.
    pub async fn recovers(&self, tenant: &str, n: usize, sequence: u64) {
        let event = self.event(tenant, n, sequence, AlertKind::Resolved, None);
        self.emit(&event).await;
    }
}

/// Waits until an incident, read again and again, is as wanted.
pub(super) async fn until(
    commands: &Commands,
    id: IncidentId,
    wanted: impl Fn(&IncidentDetail) -> bool,
) -> IncidentDetail {
    let looks = async {
        loop {
            if let Ok(detail) = commands.get(id).await
                && wanted(&detail)
            {
                return detail;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looks).await {
        Ok(detail) => detail,
        Err(_) => panic!("in vain: {:#?}", commands.get(id).await),
    }
}

/// Waits until whatever was sent is recorded, so that moving the clock ends no lease under way.
pub(super) async fn until_recorded(commands: &Commands) {
    let looks = async {
        let under_way = |(_, record): &(Message, DeliveryRecord)| record.fate == Fate::Sending;
        while commands
            .recent_messages(500)
            .await
            .map_or(true, |recent| recent.iter().any(under_way))
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, looks).await;
    waited.expect("it is recorded in time");
}

/// Waits until there are so many incidents.
pub(super) async fn until_listed(commands: &Commands, count: usize) {
    let page = Page {
        limit: 500,
        after: None,
    };
    let looks = async {
        while commands
            .list(&Filter::default(), &page)
            .await
            .map_or(0, |listing| listing.incidents.len())
            < count
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, looks).await;
    waited.expect("they are stored in time");
}

/// The kinds of an incident's timeline.
pub(super) fn kinds(detail: &IncidentDetail) -> Vec<&str> {
    detail
        .timeline
        .iter()
        .map(|entry| entry.kind.as_str())
        .collect()
}

/// Somebody who acts.
pub(super) fn first() -> Actor {
    Actor {
        name: "first0".to_owned(),
        contact: Some("first0".to_owned()),
    }
}
