//! Wires the loop to the world: waits for what it needs, joins the group, runs, drains.

use crate::io::{DeadLetters, ShardSource, Worker, WorkerParts};
use crate::metrics::Metrics;
use crate::{Config, RunError, StartError};
use catalog::LiveCatalog;
use model::TopicName;
use placement::PlacementMap;
use runtime::{Condition, Context, HttpServer, OnEnd, Served};
use schemas::catalogue::Catalogue;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::{JoinSpec, Membership, Stream, StreamError, Topics};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A consumer that runs.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    address: SocketAddr,
}

impl Running {
    /// Where its HTTP side listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Starts the consumer. It waits for the log, the dead-letter topic and a placement, and is not
/// ready meanwhile; at the shutdown it stores what it has read, commits and leaves the group.
pub async fn start(
    config: Config,
    stream: Stream,
    shards: ShardSource,
    catalog: LiveCatalog,
    ctx: Context,
) -> Result<Running, StartError> {
    config.check().map_err(StartError::Config)?;
    let server = HttpServer::bind(&ctx, config.listen, config.tls.as_ref()).await?;
    let address = server.address();
    let metrics = Metrics::register(&ctx.metrics);
    server.serve("consumer-http", Served::nothing());
    let setup = Setup {
        placement: ctx.health.condition("consumer placement"),
        group: ctx.health.condition("consumer group"),
        config,
        stream,
        shards,
        catalog,
        metrics,
        ctx: ctx.clone(),
    };
    ctx.tasks
        .spawn("consumer", OnEnd::StopsTheProcess, Box::pin(setup.run()));
    Ok(Running { address })
}

/// A catalogue and its placement, checked.
type Placed = (Arc<Catalogue>, PlacementMap);

struct Setup {
    config: Config,
    stream: Stream,
    shards: ShardSource,
    catalog: LiveCatalog,
    metrics: Metrics,
    placement: Condition,
    group: Condition,
    ctx: Context,
}

impl Setup {
    async fn run(mut self) -> Result<(), RunError> {
        let order = self.ctx.tasks.shutdown().clone();
        let prepared = tokio::select! {
            () = order.begun() => return Ok(()),
            prepared = self.prepare() => prepared,
        };
        let ((catalogue, placement), dead_letters, membership) = prepared;
        let worker = WorkerParts {
            config: self.config,
            stream: self.stream,
            membership,
            catalog: self.catalog,
            source: self.shards,
            catalogue,
            placement,
            dead_letters,
            metrics: self.metrics,
            condition: self.placement,
            ctx: self.ctx,
        };
        Worker::run(worker).await
    }

    async fn prepare(&mut self) -> (Placed, DeadLetters, Membership) {
        let partitions = self.dead_letter_partitions().await;
        let dead_letters = DeadLetters::new(
            self.stream.clone(),
            partitions,
            self.config.backoff(),
            self.metrics.clone(),
        );
        // Before the group is joined: a partition without a place for its points would only be
        // held.
        let placement = self.first_placement().await;
        (placement, dead_letters, self.join().await)
    }

    async fn dead_letter_partitions(&self) -> u32 {
        let topic = TopicName::deadletter();
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.stream.partitions(&topic).await {
                Ok(Some(partitions)) => return partitions,
                Ok(None) => format!("waiting for topic `{topic}`"),
                Err(error) => error.to_string(),
            };
            tracing::warn!(why, "not ready to read");
            self.group.not_ready(why);
            wait(&mut pause).await;
        }
    }

    async fn first_placement(&mut self) -> Placed {
        let mut catalogue = self.catalog.current();
        loop {
            match PlacementMap::compile(&catalogue) {
                Ok(placement) => {
                    self.placement
                        .ready(format!("revision {}", catalogue.revision));
                    return (catalogue, placement);
                }
                Err(error) => {
                    tracing::warn!(%error, "no point can be placed yet");
                    self.placement.not_ready(error.to_string());
                }
            }
            catalogue = self.catalog.changed().await;
        }
    }

    async fn join(&self) -> Membership {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_join().await {
                Ok(membership) => {
                    self.group
                        .ready(format!("member of `{}`", self.config.group));
                    return membership;
                }
                Err(error) => {
                    tracing::warn!(%error, "the group cannot be joined yet");
                    self.group.not_ready(error.to_string());
                }
            }
            wait(&mut pause).await;
        }
    }

    async fn try_join(&self) -> Result<Membership, StreamError> {
        let spec = JoinSpec {
            group: self.config.group.clone(),
            topics: Topics::Prefix(TopicName::METRICS_PREFIX),
            // Members come and go with the load; a static one would hold its partitions while away.
            instance: None,
            session_timeout: self.config.session_timeout.to_std(),
            prefetch_bytes: self.config.prefetch_bytes,
            // Lines are in the values alone.
            headers: false,
        };
        self.stream.join(spec).await
    }
}

async fn wait(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}
