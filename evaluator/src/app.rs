//! Wires the evaluator: waits for its topics, joins its group, serves its health.

use crate::config::Config;
use crate::error::StartError;
use crate::io::dispatch::Dispatcher;
use crate::io::http::routes;
use crate::io::partition::Services;
use crate::io::plans::PlanBook;
use crate::io::questions::Desk;
use crate::io::state::{Budget, Followers, StateTopic};
use crate::metrics::Metrics;
use catalog::LiveCatalog;
use model::TopicName;
use runtime::{Condition, Context, HttpServer, OnEnd, Secret};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::{JoinSpec, Membership, Stream, StreamError, Topics};

/// The group that evaluators read tenants' topics in.
pub const GROUP: &str = "bongsu-evaluator";

const PAUSE: Duration = Duration::from_secs(1);

/// An evaluator that was started. It ends with the tasks of its context.
#[derive(Debug)]
pub struct Running {
    address: Option<SocketAddr>,
}

impl Running {
    /// Where it serves health and metrics, when it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

/// Starts an evaluator. It answers at once and is ready once the log is; until then it tries again.
pub async fn start(
    config: Config,
    stream: Stream,
    catalog: LiveCatalog,
    ctx: Context,
) -> Result<Running, StartError> {
    config.check()?;
    let token = config.operator_token_file.as_deref();
    let token = token.map(Secret::from_file).transpose()?;
    let desk = Desk::default();
    let address = match config.listen {
        None => None,
        Some(address) => {
            let server = HttpServer::bind(&ctx, address, config.tls.as_ref()).await?;
            let address = server.address();
            server.serve("evaluator-http", routes(desk.clone(), token));
            Some(address)
        }
    };
    let condition = ctx.health.condition("evaluator");
    let metrics = Metrics::register(&ctx.metrics);
    let tasks = ctx.tasks.clone();
    let evaluating = evaluate(config, stream, catalog, ctx, condition, (metrics, desk));
    tasks.spawn("evaluator", OnEnd::StopsTheProcess, Box::pin(evaluating));
    Ok(Running { address })
}

async fn evaluate(
    config: Config,
    stream: Stream,
    catalog: LiveCatalog,
    ctx: Context,
    condition: Condition,
    (metrics, desk): (Metrics, Desk),
) -> Result<(), StreamError> {
    let order = ctx.tasks.shutdown().clone();
    let joining = async {
        let alerts = partitions(&stream, TopicName::alerts(), &condition).await?;
        let state = partitions(&stream, TopicName::evaluator_state(), &condition).await?;
        let membership = join(&config, &stream, &condition).await?;
        Ok::<_, StreamError>((alerts, state, membership))
    };
    let (alerts_partitions, state_partitions, membership) = tokio::select! {
        () = order.begun() => return Ok(()),
        joined = joining => joined?,
    };
    let followers = Followers::new(stream.clone(), ctx.tasks.clone());
    let member = config
        .instance
        .clone()
        .unwrap_or_else(|| "dynamic".to_owned());
    let services = Services {
        state: StateTopic::new(stream.clone(), state_partitions, followers, member),
        state_budget: Arc::new(Budget::new(config.state_bytes_per_second)),
        group: membership.handle(),
        alerts_partitions,
        plans: PlanBook::follow(catalog, &ctx.tasks, metrics.clone()),
        desk,
        metrics,
        clock: ctx.clock,
        tasks: ctx.tasks,
        config: Arc::new(config),
        stream,
    };
    Dispatcher::new(services, condition).run(membership).await
}

/// How many partitions a topic has; waits until it is there.
async fn partitions(
    stream: &Stream,
    topic: TopicName,
    condition: &Condition,
) -> Result<u32, StreamError> {
    loop {
        match stream.partitions(&topic).await {
            Ok(Some(partitions)) => return Ok(partitions),
            Ok(None) => waits(condition, &format!("topic `{topic}` does not exist yet")).await,
            Err(StreamError::Closed) => return Err(StreamError::Closed),
            Err(error) => waits(condition, &error.to_string()).await,
        }
    }
}

async fn join(
    config: &Config,
    stream: &Stream,
    condition: &Condition,
) -> Result<Membership, StreamError> {
    loop {
        let spec = JoinSpec {
            group: GROUP.to_owned(),
            topics: Topics::Prefix(TopicName::METRICS_PREFIX),
            instance: config.instance.clone(),
            session_timeout: config.session_timeout.to_std(),
            prefetch_bytes: config.prefetch_bytes,
            headers: true,
        };
        match stream.join(spec).await {
            Err(StreamError::Closed) => return Err(StreamError::Closed),
            Err(error) => waits(condition, &error.to_string()).await,
            joined => return joined,
        }
    }
}

async fn waits(condition: &Condition, why: &str) {
    tracing::warn!(why, "the evaluator cannot start yet; trying again");
    condition.not_ready(why);
    tokio::time::sleep(PAUSE).await;
}
