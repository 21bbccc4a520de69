//! Wires the parts together and starts them.

use crate::commands::Commands;
use crate::config::Config;
use crate::core::ChannelKind;
use crate::engine::Engine;
use crate::error::StartError;
use crate::io::break_glass::BreakGlass;
use crate::io::channel::{ChannelError, Channels};
use crate::io::directory::{LivePeople, People};
use crate::io::heartbeat::Heartbeat;
use crate::io::http::{self, Settings};
use crate::io::intake::{Intake, Reading};
use crate::io::mail_in::{self, Door};
use crate::io::receipts;
use crate::io::sender::Sender;
use crate::io::store::Store;
use crate::io::timers;
use crate::io::watch::{self, Guard};
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use catalog::LiveCatalog;
use model::Span;
use runtime::tls::TlsConfig;
use runtime::{Clock, Context, Handshakes, HttpServer, OnEnd};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use stream::Clusters;
use tokio::net::TcpListener;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a store that is gone may be so before that is an alarm, where no break-glass contacts are named.
const GLASS_AFTER: Span = Span::from_secs(10);

/// A notifier that runs.
#[derive(Debug, Clone)]
pub struct Running {
    address: SocketAddr,
    commands: Commands,
    channels: Channels,
    clock: Clock,
    /// Whether the inbox has its routes.
    inbox: bool,
}

impl Running {
    /// Where API and console listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What people may ask and do, without HTTP between.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Makes the channels of a configuration anew, secrets included: those keys that [`Config::LIVE`] names.
    pub fn prepare(&self, config: &Config) -> Result<Channels, ChannelError> {
        let config = Config {
            inbox: self.inbox,
            ..config.clone()
        };
        Channels::configured(&config, &self.clock)
    }

    /// Sends by these channels from now on.
    pub fn reconfigure(&self, prepared: &Channels) {
        self.channels.replace(prepared);
    }
}

/// Starts a notifier over the alerts of these clusters with the channels that the configuration names.
pub async fn start(
    config: Config,
    clusters: impl Into<Clusters>,
    catalog: LiveCatalog,
    ctx: Context,
) -> Result<Running, StartError> {
    let channels = Channels::configured(&config, &ctx.clock)?;
    let people = Arc::new(LivePeople::new(catalog, channels.clone()));
    start_with(config, clusters, channels, people, ctx).await
}

/// Starts a notifier with these channels and people.
pub async fn start_with(
    config: Config,
    clusters: impl Into<Clusters>,
    channels: Channels,
    people: Arc<dyn People>,
    ctx: Context,
) -> Result<Running, StartError> {
    config.check().map_err(StartError::Config)?;
    // What a policy uses unless it says otherwise.
    for kind in [ChannelKind::Chat, ChannelKind::Sms] {
        if channels.choose(kind, None).is_none() {
            tracing::warn!(channel = %kind, "no provider is configured: pages by it fail");
        }
    }
    let server = HttpServer::bind(&ctx, config.listen, config.tls.as_ref()).await?;
    let address = server.address();
    let settings = Settings::new(&config, address)?;
    let (clusters, metrics) = (clusters.into(), Metrics::new(&ctx.metrics));
    let pulse = Arc::new(Pulse::default());
    let opened = Arc::new(OnceLock::new());
    let guards = watch::Shared {
        people: Arc::clone(&people),
        clock: ctx.clock.clone(),
        metrics: metrics.clone(),
        pulse: Arc::clone(&pulse),
        glass: BreakGlass::new(
            &config,
            channels.clone(),
            metrics.clone(),
            ctx.tasks.clone(),
        )?,
        engine: Arc::clone(&opened),
        blind_after: config.watch.blind_after,
        glass_after: config
            .break_glass
            .as_ref()
            .map_or(GLASS_AFTER, |glass| glass.after),
    };
    let heartbeat = match &config.heartbeat {
        Some(heartbeat) => {
            let (pulse, clock) = (Arc::clone(&pulse), ctx.clock.clone());
            Some(Heartbeat::new(heartbeat, pulse, metrics.clone(), clock)?)
        }
        None => None,
    };
    // Before the store is there: it may not come.
    keep_watch(&guards, heartbeat, &clusters, &ctx);
    let store = open_store(&config, &ctx).await?;
    tracing::info!(%address, store = store.place(), ?channels, "notifier starts");
    let engine = Arc::new(Engine::new(
        store,
        channels.clone(),
        people,
        metrics,
        ctx.clock.clone(),
        pulse,
        &config,
    ));
    spawn(&engine, &clusters, &ctx);
    // Nobody else opens it.
    opened.get_or_init(|| Arc::clone(&engine));
    let commands = Commands::new(engine);
    take_mail(&config, &commands, &ctx).await?;
    let routes = http::all_routes(
        commands.clone(),
        settings,
        ctx.clock.clone(),
        ctx.tasks.clone(),
    );
    server.serve("notifier-http", routes);
    Ok(Running {
        address,
        commands,
        channels,
        clock: ctx.clock,
        inbox: config.inbox,
    })
}

/// Starts the mail server where there is to be one.
async fn take_mail(config: &Config, commands: &Commands, ctx: &Context) -> Result<(), StartError> {
    let Some(mail) = config.mail_in.clone() else {
        return Ok(());
    };
    let bound = TcpListener::bind(mail.listen).await;
    let listener = bound.map_err(|error| {
        let at = mail.listen;
        StartError::Config(format!("`mail_in.listen`: cannot listen at {at}: {error}"))
    })?;
    let follow = |tls: &TlsConfig| Handshakes::follow("notifier-mail", tls, ctx);
    let tls = mail.tls.as_ref().map(follow).transpose();
    let tls = tls.map_err(|error| StartError::Config(format!("`mail_in.tls`: {error}")))?;
    // Who may send without a key, may send without an address that holds one.
    let asks = config.api_token_file.is_some() || config.oidc.is_some();
    let open = !asks && mail.listen.ip().is_loopback();
    let door = Door::new(mail, commands.clone(), open, tls);
    let server = mail_in::run(listener, door, ctx.tasks.clone());
    let must_live = OnEnd::StopsTheProcess;
    ctx.tasks.spawn("notifier mail server", must_live, server);
    Ok(())
}

/// Opens the store; waits while its database is not there yet.
async fn open_store(config: &Config, ctx: &Context) -> Result<Store, StartError> {
    let condition = ctx.health.condition("incidents");
    let mut pause = FIRST_PAUSE;
    loop {
        match Store::open(&config.database).await {
            Ok(store) => {
                condition.ready(store.place());
                return Ok(store);
            }
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "the database of incidents cannot be opened yet");
                condition.not_ready(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = ctx.tasks.shutdown().begun() => return Err(StartError::Stopped),
        }
    }
}

/// Starts what must not fall silent with the rest.
fn keep_watch(
    shared: &watch::Shared,
    heartbeat: Option<Heartbeat>,
    clusters: &Clusters,
    ctx: &Context,
) {
    shared.pulse.expects(timers::AUDITOR);
    let must_live = OnEnd::StopsTheProcess;
    for (name, stream) in clusters.iter() {
        let guard = Guard::new(shared.clone(), name, stream.clone());
        ctx.tasks
            .spawn("notifier watch", must_live, guard.run(ctx.tasks.clone()));
    }
    if let Some(heartbeat) = heartbeat {
        let beats = heartbeat.run(ctx.tasks.shutdown().clone());
        ctx.tasks.spawn("notifier heartbeat", must_live, beats);
    }
}

fn spawn(engine: &Arc<Engine>, clusters: &Clusters, ctx: &Context) {
    let (tasks, order) = (&ctx.tasks, ctx.tasks.shutdown());
    let must_live = OnEnd::StopsTheProcess;
    for kind in ChannelKind::ALL {
        let sender = Sender::new(Arc::clone(engine), *kind, order.clone());
        tasks.spawn("notifier sender", must_live, sender.run());
        let receipts = receipts::run(Arc::clone(engine), *kind, order.clone());
        tasks.spawn("notifier receipts", must_live, receipts);
    }
    let timers = timers::run(Arc::clone(engine), order.clone());
    tasks.spawn("notifier timers", must_live, timers);
    let reports = crate::reports::run(Arc::clone(engine), order.clone());
    tasks.spawn("notifier reports", must_live, reports);
    let keeper = timers::run_keeper(Arc::clone(engine), order.clone());
    tasks.spawn("notifier store", must_live, keeper);
    let linker = timers::run_linker(Arc::clone(engine), order.clone());
    tasks.spawn("notifier audit log", must_live, linker);
    let changes = crate::catalogue_log::run(Arc::clone(engine), order.clone());
    tasks.spawn("notifier catalogue log", must_live, changes);
    let notices = crate::notices::run(Arc::clone(engine), order.clone());
    tasks.spawn("notifier hand-overs", must_live, notices);
    let auditor = timers::run_auditor(Arc::clone(engine), order.clone());
    tasks.spawn("notifier auditor", must_live, auditor);
    if engine.store.is_shared() {
        let watcher = timers::run_watcher(Arc::clone(engine), order.clone());
        tasks.spawn("notifier watcher", must_live, watcher);
    }
    let names = clusters.iter().map(|(name, _)| name);
    let reading = Reading::new(ctx.health.condition("alerts"), names);
    for (name, stream) in clusters.iter() {
        let cluster = (name, stream.clone());
        let intake = Intake::new(Arc::clone(engine), cluster, order.clone(), reading.clone());
        tasks.spawn("notifier intake", must_live, intake.run());
    }
}
