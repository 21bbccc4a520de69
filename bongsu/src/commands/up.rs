//! `bongsu up`: everything in one process; what is not given is embedded.

use super::service::{drain, notifier_taker, router_taker, start_logs, stop_on_signal};
use super::tenant::telegraf_lines;
use crate::author;
use crate::cli::{Global, Up};
use crate::control;
use crate::demo::Demo;
use crate::failure::{Exit, Failure, Outcome};
use crate::health;
use crate::narrator;
use crate::parts::{self, DataDir, Running};
use crate::print;
use crate::reload::{self, Taker};
use crate::settings::{Settings, layers_over};
use crate::tokens;
use catalog::{LiveCatalog, Request};
use consumer::ShardSource;
use model::TenantId;
use runtime::config::Layers;
use runtime::tls::TlsConfig;
use runtime::{Context, OnEnd, Shutdown};
use schemas::catalogue::{Catalogue, Entry, parse_yaml};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use stream::Stream;

/// How long each service may take to finish. The whole is bound by the services' own, shorter deadlines.
const DRAIN: Duration = Duration::from_secs(30);

/// What an empty catalogue begins with.
const FIRST: &str = include_str!("../../first.yaml");

pub(super) async fn run(global: &Global, up: Up) -> Outcome {
    let (settings, dir) = configure(global, &up)?;
    let log = start_logs(&settings)?;
    dir.create()?;
    let base = Context::new(Shutdown::new());
    stop_on_signal(&base);
    crate::metrics::build_info(&base.metrics, "up");
    let stream = match &settings.kafka {
        Some(kafka) => parts::kafka(kafka, &base.clock)?,
        None => parts::embedded_log(&dir, &base.clock).await?,
    };
    say_what_is_embedded(&settings, &dir, &stream);
    let demo = if up.demo {
        Some(Demo::prepare(dir.path())?)
    } else {
        None
    };
    let token = seed(&stream, &settings, &up, &dir, demo.as_ref(), &base).await?;
    let catalog = LiveCatalog::follow(stream.clone(), &base)
        .await
        .map_err(|error| parts::catalog_failure(&error))?;
    let (services, takers) = Services::start(&settings, &stream, &catalog, &dir, &base).await?;
    let (own, asked) = (global.clone(), up.clone());
    let read = move || configure(&own, &asked).map(|(settings, _)| settings);
    reload::start(&base, &settings, log, takers, read)?;
    let running = announce(&dir, &stream, &services, &settings, &base).await?;
    greet(&running, token.as_deref(), &dir, global);
    health::start(&settings.health, "up", &stream, &catalog, &base);
    narrator::start(&running, global.form().lang, &base);
    if let Some(demo) = demo {
        demo.start(&running.router, &base);
    }
    base.tasks.shutdown().begun().await;
    print::message("stopping: finishing what is under way");
    let good = services.stop().await;
    dir.withdraw();
    let rest = drain(&base, DRAIN).await;
    flush(&stream).await;
    if good {
        rest
    } else {
        Err(Failure::new(
            Exit::Failed,
            "a service failed; the log says which",
        ))
    }
}

/// The configuration under the defaults that fit one process: an inbox where no provider is named, everything
/// in the data folder.
fn configure(global: &Global, up: &Up) -> Outcome<(Settings, DataDir)> {
    let name = if up.demo { "bongsu-demo" } else { "bongsu" };
    let first = Settings::load(&layers_over(Layers::new(), global)?)?;
    let dir = DataDir::of(&first, name);
    let base = Layers::new()
        .with("notifier.inbox", true, "default of `up`")
        .with(
            "notifier.database.sqlite",
            dir.incidents().display().to_string(),
            "default of `up`",
        )
        .with("consumer.listen", "127.0.0.1:0", "default of `up`")
        .with("evaluator.listen", "127.0.0.1:0", "default of `up`")
        .with("log.filter", "warn", "default of `up`");
    let mut layers = layers_over(base, global)?;
    if let Some(url) = &up.database {
        // A password may stand in it, and secrets are read from files only.
        let file = dir.path().join("postgres.url");
        dir.create()?;
        parts::write_private(&file, url)?;
        let file = file.display().to_string();
        layers = layers.with("notifier.database.postgres_url_file", file, "--database");
    }
    Ok((Settings::load(&layers)?, dir))
}

fn say_what_is_embedded(settings: &Settings, dir: &DataDir, stream: &Stream) {
    let place = dir.path().display();
    if settings.kafka.is_none() {
        tracing::info!(
            log = stream.describe(),
            "embedded log: for one machine, up to some 1,000 points/s"
        );
    }
    tracing::info!(data_dir = %place, "embedded parts keep everything here");
}

/// Gives an empty catalogue a shard, a placement, a person, a policy and a tenant; adds the demo's
/// declarations. Hands out the token of the tenant `default`.
async fn seed(
    stream: &Stream,
    settings: &Settings,
    up: &Up,
    dir: &DataDir,
    demo: Option<&Demo>,
    base: &Context,
) -> Outcome<Option<String>> {
    let fail = |error: catalog::CatalogError| parts::catalog_failure(&error);
    catalog::ensure_topics(stream).await.map_err(fail)?;
    let catalogue = catalog::snapshot(stream).await.map_err(fail)?;
    let mut set = Vec::new();
    let token_file = dir.path().join("default.token");
    if catalogue.tenants.is_empty() && settings.kafka.is_none() {
        let tenant = TenantId::parse("default").map_err(|error| internal(&error))?;
        let token = tokens::new_token(&tenant)?;
        parts::write_private(&token_file, &token)?;
        set.extend(first_entries(&token)?);
    }
    set.extend(first_shard(&catalogue, up)?);
    if let Some(demo) = demo {
        set.extend(demo.entries.iter().cloned());
    }
    if !set.is_empty() {
        let request = Request {
            set,
            author: author::of_program("up"),
            ..Request::default()
        };
        catalog::publish(stream, &request, &parts::validate, &base.clock)
            .await
            .map_err(fail)?;
    }
    Ok(std::fs::read_to_string(token_file)
        .ok()
        .map(|token| token.trim_end().to_owned()))
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::from_error(Exit::Failed, error)
}

/// The person, the policy and the tenant of `first.yaml`.
fn first_entries(token: &str) -> Outcome<Vec<Entry>> {
    let located = parse_yaml("first.yaml", FIRST).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Failed, text.join("\n"))
    })?;
    let mut entries: Vec<Entry> = located.into_iter().map(|located| located.value).collect();
    for entry in &mut entries {
        if let Entry::Tenant(tenant) = entry
            && tenant.tenant.as_str() == "default"
        {
            tenant.tokens = vec![tokens::hashed(token, "made by `up`")];
        }
    }
    Ok(entries)
}

/// A shard and a placement, where the catalogue has none: the InfluxDB that was given, else the embedded store.
fn first_shard(catalogue: &Catalogue, up: &Up) -> Outcome<Vec<Entry>> {
    if !catalogue.shards.is_empty() {
        return Ok(Vec::new());
    }
    let shard = match (&up.influx, &up.influx_token_file) {
        (Some(url), Some(file)) => {
            let file = std::path::absolute(file).map_err(|error| internal(&error))?;
            format!(
                "shard: main\nurl: {url:?}\norg: {:?}\ntoken_file: {:?}\n",
                up.influx_org,
                file.display().to_string()
            )
        }
        _ => "shard: main\nurl: embedded\n".to_owned(),
    };
    let placement = "placement: default\nepochs: [{from: beginning, shards: {main: 1}}]\n";
    let located = parse_yaml("shards", &format!("{shard}---\n{placement}")).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Usage, text.join("\n"))
    })?;
    Ok(located.into_iter().map(|located| located.value).collect())
}

/// The four services, each under an order to stop of its own.
struct Services {
    parts: Vec<Context>,
    router_address: SocketAddr,
    notifier_address: SocketAddr,
    evaluator_address: Option<SocketAddr>,
}

impl Services {
    async fn start(
        settings: &Settings,
        stream: &Stream,
        catalog: &LiveCatalog,
        dir: &DataDir,
        base: &Context,
    ) -> Outcome<(Self, Vec<Taker>)> {
        let parts: Vec<Context> = (0..4).map(|_| base.part()).collect();
        let shards = ShardSource::with_embedded(points(&dir.points()).await?);
        consumer::start(
            settings.consumer.clone(),
            stream.clone(),
            shards,
            catalog.clone(),
            parts[1].clone(),
        )
        .await
        .map_err(|error| internal(&error))?;
        let evaluator = evaluator::start(
            settings.evaluator.clone(),
            stream.clone(),
            catalog.clone(),
            parts[2].clone(),
        )
        .await
        .map_err(|error| internal(&error))?;
        let alerts = match &settings.kafka {
            Some(kafka) => parts::clusters(settings, kafka, &base.clock)?,
            None => stream.clone().into(),
        };
        let notifier = notifier::start(
            settings.notifier.clone(),
            alerts,
            catalog.clone(),
            parts[3].clone(),
        )
        .await
        .map_err(|error| internal(&error))?;
        // The way in opens last, when all behind it stands.
        let clusters = match &settings.kafka {
            Some(kafka) => parts::router_clusters(settings, kafka, &base.clock)?,
            None => stream.clone().into(),
        };
        let router = router::start(
            settings.router.clone(),
            clusters,
            catalog.clone(),
            parts[0].clone(),
        )
        .await
        .map_err(|error| internal(&error))?;
        for part in &parts {
            let (part, whole) = (part.tasks.shutdown().clone(), base.tasks.shutdown().clone());
            base.tasks.spawn("service-watch", OnEnd::Fine, async move {
                // A service that ends by itself ends the process.
                part.begun().await;
                whole.begin();
                Ok::<(), String>(())
            });
        }
        let services = Self {
            parts,
            router_address: router.address(),
            notifier_address: notifier.address(),
            evaluator_address: evaluator.address(),
        };
        let takers = vec![router_taker(router), notifier_taker(notifier)];
        Ok((services, takers))
    }

    /// Waits for all, in the order of the line; false when one failed.
    async fn stop(self) -> bool {
        let mut good = true;
        for part in self.parts {
            good &= part.tasks.drain(DRAIN).await;
        }
        good
    }
}

async fn points(path: &Path) -> Outcome<influx::Embedded> {
    influx::Embedded::open(path)
        .await
        .map_err(|error| internal(&error))
}

async fn announce(
    dir: &DataDir,
    stream: &Stream,
    services: &Services,
    settings: &Settings,
    base: &Context,
) -> Outcome<Running> {
    let nobody = TenantId::parse("control").map_err(|error| internal(&error))?;
    let token = tokens::new_token(&nobody)?;
    let control = control::open(stream, &token, base).await?;
    let running = Running {
        pid: std::process::id(),
        control: format!("http://{control}"),
        token,
        console: url(services.notifier_address, settings.notifier.tls.as_ref()),
        router: url(services.router_address, settings.router.tls.as_ref()),
        evaluator: services
            .evaluator_address
            .map(|address| url(address, settings.evaluator.tls.as_ref())),
    };
    dir.announce(&running)?;
    Ok(running)
}

/// How a listener is reached.
pub(super) fn url(address: SocketAddr, tls: Option<&TlsConfig>) -> String {
    let scheme = if tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

fn greet(running: &Running, token: Option<&str>, dir: &DataDir, global: &Global) {
    let dir = dir.path().display();
    let head = global.say(
        format!("Bongsu is up. Everything is kept in {dir}; Ctrl-C stops it."),
        format!("봉수가 실행 중입니다. 모든 것은 {dir}에 보관됩니다. Ctrl-C로 멈춥니다."),
    );
    let (console, router) = (&running.console, &running.router);
    let [at_console, at_inbox, at_router, at_alerts] = global.say(
        ["console", "inbox  ", "router ", "alerts "],
        ["콘솔  ", "수신함", "라우터", "알림  "],
    );
    let also = global.say(
        "Alertmanager's API: Prometheus and amtool",
        "Alertmanager API: Prometheus, amtool",
    );
    print::message(&format!(
        "{head}\n\n  {at_console}  {console}/\n  {at_inbox}  {console}/inbox\n  {at_router}  {router}/\n  \
         {at_alerts}  {console}/alertmanager  ({also})\n"
    ));
    if let Some(token) = token {
        let lines = telegraf_lines(router, token);
        let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
        let joins = global.say(
            "A real Telegraf joins (as tenant `default`) with these lines:",
            "실제 Telegraf는 다음 설정으로 (테넌트 `default`로) 합류합니다:",
        );
        print::message(&format!("{joins}\n\n{lines}"));
    }
}

async fn flush(stream: &Stream) {
    if let Err(error) = stream.flush(Duration::from_secs(5)).await {
        tracing::error!(%error, "the log did not take everything before the end");
    }
}
