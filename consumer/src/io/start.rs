//! Begins to read partitions that were assigned, and measures how far behind they are.

use super::event::Report;
use super::retention::{Retentions, YOUNG_S};
use crate::metrics::Metrics;
use futures_util::StreamExt as _;
use model::{TenantId, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;
use stream::{Commit, GroupHandle, Stream, StreamError, TopicPartition, Verdict};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Partitions that are asked about, or claimed, one by one at once: each question holds a thread.
const AT_ONCE: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A partition to begin with.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) part: u64,
    pub(crate) source: TopicPartition,
    /// Where to go on; none for the earliest record there is.
    pub(crate) from: Option<i64>,
    /// The metadata of a commit that comes before the first record; none when that is done.
    pub(crate) claim: Option<String>,
    pub(crate) stop: CancellationToken,
}

/// Begins with all of them; one that cannot be begun is reported.
pub(crate) async fn begin(
    stream: Stream,
    handle: GroupHandle,
    mut beginnings: Vec<Beginning>,
    reports: mpsc::UnboundedSender<Report>,
) {
    find_out(&stream, &mut beginnings).await;
    claim_together(&handle, &mut beginnings).await;
    // Those that only need to be told start all together; each question of the others holds a thread.
    let asks = beginnings
        .iter()
        .filter(|one| one.from.is_none() || one.claim.is_some());
    let at_once = if asks.count() > 0 {
        AT_ONCE
    } else {
        beginnings.len().max(1)
    };
    let each = |beginning: Beginning| {
        let (stream, handle, reports) = (stream.clone(), handle.clone(), reports.clone());
        async move {
            let stop = beginning.stop.clone();
            let begun = stop
                .run_until_cancelled(begin_one(&stream, &handle, &beginning))
                .await;
            if let Some(Err(error)) = begun {
                let part = beginning.part;
                // Without a loop there is nobody to tell.
                drop(reports.send(Report::NotStarted { part, error }));
            }
        }
    };
    futures_util::stream::iter(beginnings)
        .for_each_concurrent(at_once, each)
        .await;
}

/// Asks where those begin that nobody has read before. What is not answered now is asked again by itself.
async fn find_out(stream: &Stream, beginnings: &mut [Beginning]) {
    let unknown =
        |beginning: &&mut Beginning| beginning.from.is_none() && !beginning.stop.is_cancelled();
    let mut unknown: Vec<_> = beginnings.iter_mut().filter(unknown).collect();
    let sources: Vec<_> = unknown.iter().map(|one| one.source.clone()).collect();
    if sources.is_empty() {
        return;
    }
    let ranges = stream.offsets_of(&sources).await;
    for (beginning, range) in unknown.iter_mut().zip(ranges) {
        beginning.from = range.ok().map(|range| range.earliest);
    }
}

/// Claims all partitions whose beginning is known with one commit: a member may get hundreds at once. Where that fails
/// each is claimed by itself.
async fn claim_together(handle: &GroupHandle, beginnings: &mut [Beginning]) {
    let known = |beginning: &Beginning| {
        let (claim, from) = (beginning.claim.as_ref()?, beginning.from?);
        (!beginning.stop.is_cancelled()).then(|| claim_of(beginning, claim, from))
    };
    let claims: Vec<_> = beginnings.iter().filter_map(known).collect();
    if claims.len() < 2 {
        return;
    }
    match handle.commit(claims).await {
        Ok(()) => {
            for beginning in beginnings.iter_mut().filter(|one| one.from.is_some()) {
                beginning.claim = None;
            }
        }
        Err(error) => tracing::debug!(%error, "the partitions are claimed one by one"),
    }
}

fn claim_of(beginning: &Beginning, claim: &str, from: i64) -> Commit {
    Commit {
        source: beginning.source.clone(),
        next_offset: from,
        metadata: claim.to_owned(),
    }
}

async fn begin_one(
    stream: &Stream,
    handle: &GroupHandle,
    beginning: &Beginning,
) -> Result<(), StreamError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let from = match beginning.from {
            Some(offset) => Ok(offset),
            None => stream
                .offsets(&beginning.source)
                .await
                .map(|range| range.earliest),
        };
        let begun = match from {
            Ok(offset) => begin_at(handle, beginning, offset).await,
            Err(error) => Err(error),
        };
        match begun {
            Err(error) if may_pass(&error) => {
                tracing::warn!(source = %beginning.source, %error, "cannot be read yet");
            }
            end => return end,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether waiting helps. A partition that was assigned is there: a broker that knows nothing of its topic has not heard of it yet. One that
/// was deleted is taken back, and waiting ends with that.
fn may_pass(error: &StreamError) -> bool {
    error.verdict() == Verdict::Transient || matches!(error, StreamError::UnknownTopic { .. })
}

async fn begin_at(
    handle: &GroupHandle,
    beginning: &Beginning,
    offset: i64,
) -> Result<(), StreamError> {
    if let Some(claim) = &beginning.claim {
        let claim = claim_of(beginning, claim, offset);
        handle.commit(vec![claim]).await?;
    }
    handle.start(&beginning.source, offset).await
}

/// A partition whose lag is asked for.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) tenant: TenantId,
    pub(crate) source: TopicPartition,
    /// The next offset that is not done; none before anything is known.
    pub(crate) next_offset: Option<i64>,
    /// Log time of the oldest record that was read and is not done.
    pub(crate) oldest: Option<Timestamp>,
    /// Cancelled when the partition was given back.
    pub(crate) stop: CancellationToken,
}

/// Sets the lag of each partition: records behind the position that is done, the age of the first, and how much of
/// its retention that is.
pub(crate) async fn measure(
    stream: Stream,
    metrics: Metrics,
    retentions: Retentions,
    now: Timestamp,
    parts: Vec<Measured>,
) {
    let sources: Vec<_> = parts.iter().map(|part| part.source.clone()).collect();
    let ranges = stream.offsets_of(&sources).await;
    let age = |part: &Measured| {
        part.oldest.map_or(0, |oldest| {
            now.as_nanos().saturating_sub(oldest.as_nanos()).max(0) / 1_000_000_000
        })
    };
    let old = parts.iter().filter(|part| age(part) >= YOUNG_S);
    let topics: BTreeSet<_> = old.map(|part| part.source.topic.clone()).collect();
    retentions.refresh(topics.into_iter().collect()).await;
    for (part, range) in parts.iter().zip(ranges) {
        let source = &part.source;
        let range = match range {
            Ok(_) if part.stop.is_cancelled() => continue,
            Ok(range) => range,
            Err(error) => {
                tracing::debug!(%source, %error, "the lag is not known");
                continue;
            }
        };
        let from = part.next_offset.unwrap_or(range.earliest);
        let records = (range.end - from).max(0);
        let age = age(part);
        let used = retentions.used(source, age).await;
        if !part.stop.is_cancelled() {
            metrics.lag(&part.tenant, source.partition, (records, age, used));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_a_broker_has_not_heard_of_yet_is_waited_for() {
        let topic = model::TopicName::deadletter();
        assert!(may_pass(&StreamError::UnknownTopic { topic }));
        let reason = "no".to_owned();
        assert!(!may_pass(&StreamError::Unusable { reason }));
    }
}
