//! `bongsu router|consumer|evaluator|notifier`: one service as a process of its own, over Kafka.

use crate::cli::{Global, Listen, NotifierRun};
use crate::failure::{Exit, Failure, Outcome};
use crate::parts;
use crate::reload::{self, Taker};
use crate::settings::{Settings, layers};
use catalog::LiveCatalog;
use runtime::config::Layers;
use runtime::telemetry::LogFilter;
use runtime::{Context, HttpServer, Shutdown};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::{KafkaConfig, Stream};

/// How often pages of code that were not needed since are given back.
const SHED: Duration = Duration::from_secs(60);
/// How long a process may take from SIGTERM to its end.
const DRAIN: Duration = Duration::from_secs(30);

pub(super) async fn router(global: &Global, listen: Listen) -> Outcome {
    let process = Process::begin("router", global, listen.listen, |layers| layers).await?;
    let (_, catalog, ctx) = process.base();
    let clusters = parts::router_clusters(&process.settings, &process.kafka, &ctx.clock)?;
    let running = router::start(process.settings.router.clone(), clusters, catalog, ctx)
        .await
        .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let address = running.address();
    process
        .live(Some(address), vec![router_taker(running)])
        .await
}

pub(super) async fn consumer(global: &Global, listen: Listen) -> Outcome {
    let process = Process::begin("consumer", global, listen.listen, |layers| layers).await?;
    let (stream, catalog, ctx) = process.base();
    let shards = consumer::ShardSource::default();
    let running = consumer::start(
        process.settings.consumer.clone(),
        stream,
        shards,
        catalog,
        ctx,
    )
    .await
    .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    process.live(Some(running.address()), Vec::new()).await
}

pub(super) async fn evaluator(global: &Global, listen: Listen) -> Outcome {
    let process = Process::begin("evaluator", global, listen.listen, |layers| layers).await?;
    let (stream, catalog, ctx) = process.base();
    let running = evaluator::start(process.settings.evaluator.clone(), stream, catalog, ctx)
        .await
        .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    process.live(running.address(), Vec::new()).await
}

pub(super) async fn notifier(global: &Global, run: NotifierRun) -> Outcome {
    let process = Process::begin("notifier", global, run.listen, move |layers| {
        match &run.database_url_file {
            Some(file) => {
                let file = file.display().to_string();
                layers.with(
                    "notifier.database.postgres_url_file",
                    file,
                    "--database-url-file",
                )
            }
            None => layers,
        }
    })
    .await?;
    let (_, catalog, ctx) = process.base();
    let clusters = parts::clusters(&process.settings, &process.kafka, &ctx.clock)?;
    let running = notifier::start(process.settings.notifier.clone(), clusters, catalog, ctx)
        .await
        .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let address = running.address();
    process
        .live(Some(address), vec![notifier_taker(running)])
        .await
}

/// Lets a router take new settings.
pub(super) fn router_taker(running: router::Running) -> Taker {
    let running = Arc::new(running);
    Box::new(move |settings| {
        let (running, config) = (Arc::clone(&running), settings.router.clone());
        Ok(Box::new(move || running.reconfigure(&config)))
    })
}

/// Lets a notifier take new settings.
pub(super) fn notifier_taker(running: notifier::Running) -> Taker {
    Box::new(move |settings| {
        let prepared = running
            .prepare(&settings.notifier)
            .map_err(|error| error.to_string())?;
        let running = running.clone();
        Ok(Box::new(move || running.reconfigure(&prepared)))
    })
}

/// What a process of one service stands on.
struct Process {
    name: &'static str,
    settings: Settings,
    kafka: KafkaConfig,
    stream: Stream,
    catalog: LiveCatalog,
    ctx: Context,
    log: LogFilter,
    /// Reads the configuration again.
    read: Box<dyn Fn() -> Outcome<Settings> + Send + Sync>,
}

impl Process {
    async fn begin(
        name: &'static str,
        global: &Global,
        listen: Option<SocketAddr>,
        more: impl Fn(Layers) -> Layers + Send + Sync + 'static,
    ) -> Outcome<Self> {
        let global = global.clone();
        let read = move || {
            let mut layers = more(layers(&global)?);
            if let Some(address) = listen {
                layers = layers.with(&format!("{name}.listen"), address.to_string(), "--listen");
            }
            Settings::load(&layers)
        };
        let settings = read()?;
        let Some(kafka) = settings.kafka.clone() else {
            return Err(Failure::new(Exit::Usage, format!("a {name} of its own needs a Kafka"))
                .hint("name it with --kafka host:port; without one, `bongsu up` runs everything in one process"));
        };
        let log = start_logs(&settings)?;
        let ctx = Context::new(Shutdown::new());
        stop_on_signal(&ctx);
        crate::metrics::build_info(&ctx.metrics, name);
        answer_early(name, &settings, &ctx).await?;
        let stream = parts::kafka(&kafka, &ctx.clock)?;
        // A router answers while its Kafka is away; the others have nothing to do without.
        let catalog = match name {
            "router" => LiveCatalog::begin(stream.clone(), &ctx),
            // Neither of the two evaluates.
            "consumer" => LiveCatalog::follow_declared(stream.clone(), &ctx)
                .await
                .map_err(|error| parts::catalog_failure(&error))?,
            _ => LiveCatalog::follow(stream.clone(), &ctx)
                .await
                .map_err(|error| parts::catalog_failure(&error))?,
        };
        crate::health::start(&settings.health, name, &stream, &catalog, &ctx);
        Ok(Self {
            name,
            settings,
            kafka,
            stream,
            catalog,
            ctx,
            log,
            read: Box::new(read),
        })
    }

    fn base(&self) -> (Stream, LiveCatalog, Context) {
        (self.stream.clone(), self.catalog.clone(), self.ctx.clone())
    }

    /// Runs until a signal or the end of a task that must live.
    async fn live(self, address: Option<SocketAddr>, takers: Vec<Taker>) -> Outcome {
        reload::start(&self.ctx, &self.settings, self.log, takers, self.read)?;
        let version = env!("CARGO_PKG_VERSION");
        let listens = address.map(|address| address.to_string());
        tracing::info!(
            service = self.name,
            version,
            listens,
            log = self.stream.describe(),
            "started"
        );
        shed_code(&self.ctx);
        drain(&self.ctx, DRAIN).await
    }
}

/// Gives back the pages of code that only the start needed, and later those that are seldom needed.
fn shed_code(ctx: &Context) {
    let order = ctx.tasks.shutdown().clone();
    ctx.tasks
        .spawn("shed code", runtime::OnEnd::Fine, async move {
            let mut tick = tokio::time::interval(SHED);
            loop {
                tokio::select! {
                    () = order.begun() => return Ok::<(), std::io::Error>(()),
                    _ = tick.tick() => heap::give_back_code()?,
                };
            }
        });
}

/// Lets the process say that it lives while its log or its database cannot be reached.
async fn answer_early(name: &str, settings: &Settings, ctx: &Context) -> Outcome {
    let (address, tls) = match name {
        "router" => (Some(settings.router.listen), &settings.router.tls),
        "consumer" => (Some(settings.consumer.listen), &settings.consumer.tls),
        "evaluator" => (settings.evaluator.listen, &settings.evaluator.tls),
        _ => (Some(settings.notifier.listen), &settings.notifier.tls),
    };
    let Some(address) = address else {
        return Ok(());
    };
    HttpServer::wait(ctx, address, tls.as_ref())
        .await
        .map_err(|error| Failure::from_error(Exit::Failed, &error))
}

/// Starts logging as the configuration says.
pub(super) fn start_logs(settings: &Settings) -> Outcome<LogFilter> {
    runtime::telemetry::init_logs(settings.log.format, &settings.log.filter)
        .map_err(|error| Failure::from_error(Exit::Usage, &error))
}

/// Begins the shutdown at SIGINT or SIGTERM; a second signal ends the process at once.
pub(super) fn stop_on_signal(ctx: &Context) {
    let order = ctx.tasks.shutdown().clone();
    ctx.tasks
        .spawn("signals", runtime::OnEnd::Fine, async move {
            use tokio::signal::unix::{SignalKind, signal};
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
                _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
                () = order.begun() => {}
            }
            order.begin();
            Ok::<(), std::io::Error>(())
        });
}

/// Waits for the shutdown and then for the tasks.
pub(super) async fn drain(ctx: &Context, within: Duration) -> Outcome {
    if ctx.tasks.drain(within).await {
        tracing::info!("drained");
        Ok(())
    } else {
        Err(Failure::new(
            Exit::Failed,
            "a task failed or did not end in time; the log says which",
        ))
    }
}
