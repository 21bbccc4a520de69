//! The life of a partition's task: wait for the claim, restore, evaluate, give back.

use super::begin::{Begin, Known, begin};
use super::evaluation::Evaluation;
use super::{Gained, Order, Services};
use crate::core::{Partition, RestoreError};
use crate::error::PartitionError;
use crate::io::backoff::Backoff;
use crate::io::queue::BatchReceiver;
use crate::io::state::{Chosen, Claimed, InputId, StateKey, Watched};
use std::convert::Infallible;
use stream::{OffsetRange, StreamError, TopicPartition, Verdict};
use tokio::sync::{mpsc, oneshot};

/// How the work on a partition has ended without an error.
#[derive(Debug)]
pub(crate) enum End {
    /// It was given back, or taken away.
    Released,
    /// Another evaluator has claimed it.
    Fenced {
        /// Offset of that claim.
        claim: i64,
    },
}

/// A partition that is ready to be evaluated.
struct Prepared {
    epoch: i64,
    watched: Watched,
    core: Partition,
    earlier: Vec<StateKey>,
    log: OffsetRange,
    from: i64,
}

/// Owns a partition until it is released. One that cannot be evaluated stays owned and silent, so
/// that it is counted and nobody takes it for idle.
pub(super) async fn own(
    services: Services,
    gained: Gained,
    claimed: oneshot::Receiver<Claimed>,
    queue: BatchReceiver,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Result<(), Infallible> {
    let source = gained.source.clone();
    let owned = services.metrics.own();
    let end = live(&services, gained, claimed, queue, &mut orders).await;
    drop(owned);
    let reason = match end {
        Ok(End::Released) => {
            tracing::info!(%source, "partition released");
            return Ok(());
        }
        Ok(End::Fenced { claim }) => {
            services.metrics.fenced();
            tracing::warn!(
                %source, claim,
                "another evaluator has claimed the partition; work on it stops here"
            );
            "fenced"
        }
        Err(error) => {
            tracing::error!(%source, %error, "the partition is not evaluated any more");
            error.reason()
        }
    };
    let _stopped = services.metrics.stopped(reason);
    services.group.pause(&source, true);
    while let Some(order) = orders.recv().await {
        if matches!(order, Order::GiveBack) {
            break;
        }
    }
    Ok(())
}

async fn live(
    services: &Services,
    gained: Gained,
    claimed: oneshot::Receiver<Claimed>,
    queue: BatchReceiver,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> Result<End, PartitionError> {
    // Before a partition is started there is nothing to write and nothing out of range: any order
    // ends it.
    let prepared = tokio::select! {
        biased;
        _ = orders.recv() => return Ok(End::Released),
        prepared = prepare(services, &gained, claimed) => prepared?,
    };
    let Some(prepared) = prepared else {
        return Ok(End::Released);
    };
    let (epoch, from) = (prepared.epoch, prepared.from);
    tracing::info!(source = %gained.source, epoch, from, end = prepared.log.end, "partition owned");
    start(services, &gained.source, from).await?;
    let evaluation = Evaluation::new(
        services,
        &gained,
        (epoch, prepared.watched),
        prepared.core,
        prepared.earlier,
        prepared.log,
        queue,
    );
    Box::pin(evaluation.run(orders)).await
}

/// None when the take-over was given up because the log is closed.
async fn prepare(
    services: &Services,
    gained: &Gained,
    claimed: oneshot::Receiver<Claimed>,
) -> Result<Option<Prepared>, PartitionError> {
    let Ok(claimed) = claimed.await else {
        return Ok(None);
    };
    let chosen = claimed.chosen?;
    let core = restore(services, &gained.input, &chosen).await?;
    let log = offsets(services, &gained.source).await?;
    let known = Known {
        checkpoint: chosen.checkpoint.as_ref().map(|_| core.next_offset()),
        committed: gained.committed.as_ref().map(|commit| commit.next_offset),
        log,
    };
    let from = said(services, &gained.source, begin(known), log)?;
    Ok(Some(Prepared {
        epoch: claimed.epoch,
        watched: claimed.watched,
        core,
        earlier: chosen.earlier,
        log,
        from,
    }))
}

/// The bundle that the state was under may be newer than this process' copy of the catalogue.
async fn restore(
    services: &Services,
    input: &InputId,
    chosen: &Chosen,
) -> Result<Partition, RestoreError> {
    let once = || {
        let parts = chosen.parts.iter().map(|(id, bytes)| (&id[..], &bytes[..]));
        let checkpoint = chosen.checkpoint.as_deref();
        let plans = services.plans.of(input.tenant());
        Partition::restore(
            input.tenant().clone(),
            input.partition(),
            checkpoint,
            parts,
            &plans,
        )
    };
    match once() {
        Err(RestoreError::BundleGone { .. }) => {
            services.plans.settled().await;
            once()
        }
        restored => restored,
    }
}

/// Says what a person should know about where a partition begins.
fn said(
    services: &Services,
    source: &TopicPartition,
    begin: Begin,
    log: OffsetRange,
) -> Result<i64, PartitionError> {
    match begin {
        Begin::Continue { from } | Begin::Afresh { from } => Ok(from),
        Begin::StateMissing { from } => {
            tracing::error!(
                %source, from,
                "the evaluator's state of the partition is gone; its log is evaluated again"
            );
            Ok(from)
        }
        Begin::Lost { from, records } => {
            services.metrics.records_lost(records);
            tracing::error!(
                %source, from, records,
                "records were removed by retention before they were evaluated"
            );
            Ok(from)
        }
        Begin::EndsBelow { known } => Err(PartitionError::LogEndsBelow {
            source_partition: source.clone(),
            end: log.end,
            known,
        }),
    }
}

async fn offsets(services: &Services, source: &TopicPartition) -> Result<OffsetRange, StreamError> {
    let mut backoff = Backoff::default();
    loop {
        match services.stream.offsets(source).await {
            Err(error) if error.verdict() == Verdict::Transient => {
                tracing::warn!(
                    %source, %error,
                    "the log's offsets cannot be read yet; trying again"
                );
                tokio::time::sleep(backoff.next()).await;
            }
            answer => return answer,
        }
    }
}

/// Starts or restarts the reading of a partition.
pub(super) async fn start(
    services: &Services,
    source: &TopicPartition,
    from: i64,
) -> Result<(), StreamError> {
    let mut backoff = Backoff::default();
    loop {
        match services.group.start(source, from).await {
            Err(error) if error.verdict() == Verdict::Transient => {
                tracing::warn!(%source, %error, "the partition cannot be read yet; trying again");
                tokio::time::sleep(backoff.next()).await;
            }
            answer => return answer,
        }
    }
}

/// What a log that refused an offset means: counted loss, or another log.
pub(super) fn out_of_range(
    services: &Services,
    source: &TopicPartition,
    wanted: i64,
    log: OffsetRange,
) -> Result<i64, PartitionError> {
    let known = Known {
        checkpoint: Some(wanted),
        committed: None,
        log,
    };
    said(services, source, begin(known), log)
}
