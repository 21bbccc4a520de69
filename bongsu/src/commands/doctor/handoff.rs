//! The handoff in `doctor`: what waits for each shard, since when, how close the retention of its topic is, and whether
//! the accounts of the lanes hold.

use super::Finding;
use super::account::{oldest, place};
use catalog::HANDOFF_RETENTION;
use consumer::core::handoff::{LaneState, LaneSums};
use model::{ShardId, Timestamp, TopicName};
use runtime::Clock;
use schemas::catalogue::Catalogue;
use std::collections::HashMap;
use std::time::Duration;
use stream::{Clusters, Stream, StreamError, TopicPartition};

/// A record may wait so long before it is a finding: a lane's drainer may just be changing.
const BEHIND_NANOS: i64 = 60 * 1_000_000_000;
/// How long the state is waited for: a compacted partition may end before its end.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of a shard's handoff.
struct Waiting {
    records: i64,
    /// Log time of the oldest record that waits.
    oldest: Option<Timestamp>,
    sums: LaneSums,
    /// Lanes whose accounts do not hold.
    odd: Vec<String>,
}

/// A finding or two for the handoff of every shard, in every cluster.
pub(super) async fn lanes(catalogue: &Catalogue, clusters: &Clusters, group: &str) -> Vec<Finding> {
    let now = Clock::system().now_nanos();
    let mut findings = Vec::new();
    for (cluster, stream) in clusters.iter() {
        let states = match states(stream).await {
            Ok(states) => states,
            Err(error) => {
                let advice = "see the check `log`";
                findings.push(Finding::bad("handoff", cluster, error.to_string(), advice));
                continue;
            }
        };
        let place = place(clusters, cluster);
        for shard in catalogue.shards.keys() {
            let what = format!("{shard}{place}");
            match waiting(stream, shard, group, &states).await {
                Ok(Some(waiting)) => findings.extend(judge(&what, &waiting, now)),
                // No consumer has written to it yet.
                Ok(None) => {}
                Err(error) => {
                    let advice = "see the check `log`";
                    findings.push(Finding::bad("handoff", what, error.to_string(), advice));
                }
            }
        }
    }
    findings
}

/// The newest state of each lane, by the key without the epoch.
type States = HashMap<String, LaneState>;

async fn states(stream: &Stream) -> Result<States, StreamError> {
    let topic = TopicName::handoff_state();
    let mut states = States::new();
    for partition in 0..stream.partitions(&topic).await?.unwrap_or(0) {
        let source = TopicPartition::new(topic.clone(), partition);
        let range = stream.offsets(&source).await?;
        let (mut at, mut reader) = (range.earliest, None);
        while at < range.end {
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(stream.read(&source, at).await?),
            };
            let Ok(Some(batch)) = tokio::time::timeout(PATIENCE, reader.next()).await else {
                break;
            };
            for record in batch?.records() {
                at = record.offset + 1;
                let text = |bytes| std::str::from_utf8(bytes).ok();
                let lane = record
                    .key
                    .and_then(text)
                    .and_then(|key| key.rsplit_once('|'));
                let state: Option<LaneState> = record
                    .value
                    .and_then(text)
                    .and_then(|value| value.parse().ok());
                if let (Some((lane, _)), Some(state)) = (lane, state) {
                    let known = states.entry(lane.to_owned()).or_insert(state);
                    if state.epoch >= known.epoch {
                        *known = state;
                    }
                }
            }
        }
    }
    Ok(states)
}

async fn waiting(
    stream: &Stream,
    shard: &ShardId,
    group: &str,
    states: &States,
) -> Result<Option<Waiting>, StreamError> {
    let topic = TopicName::handoff(shard);
    let Some(count) = stream.partitions(&topic).await? else {
        return Ok(None);
    };
    let sources: Vec<_> = (0..count)
        .map(|n| TopicPartition::new(topic.clone(), n))
        .collect();
    let commits = stream.committed(group, &sources).await?;
    let mut found = Waiting {
        records: 0,
        oldest: None,
        sums: LaneSums::default(),
        odd: Vec::new(),
    };
    for source in &sources {
        let range = stream.offsets(source).await?;
        let commit = commits.iter().find(|commit| commit.source == *source);
        let next = commit.map_or(range.earliest, |commit| commit.next_offset);
        let next = next.max(range.earliest);
        if next < range.end {
            found.records += range.end - next;
            let oldest = oldest(stream, source, next).await?;
            found.oldest = match (found.oldest, oldest) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    let own = format!("{topic}|");
    for (lane, state) in states {
        if let Some(lane) = lane.strip_prefix(&own) {
            found.sums.add(&state.sums);
            if !state.sums.is_balanced() {
                found.odd.push(format!("{lane}: {state}"));
            }
        }
    }
    Ok(Some(found))
}

fn judge(what: &str, waiting: &Waiting, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for odd in &waiting.odd {
        findings.push(Finding::bad(
            "account",
            what,
            format!("the account of a lane in its handoff does not hold: {odd}"),
            "keep the log of the consumers and the records of `bongsu.handoff.state`: this is a fault of Bongsu",
        ));
    }
    let records = waiting.records;
    let age = waiting
        .oldest
        .map_or(0, |oldest| now.saturating_sub(oldest.as_nanos()));
    let minutes = age / 60_000_000_000;
    if age.saturating_mul(2) >= HANDOFF_RETENTION.as_nanos() {
        findings.push(Finding::bad(
            "retention",
            what,
            format!(
                "the oldest of {records} records that wait for it is {minutes} min old; its handoff keeps them {HANDOFF_RETENTION}"
            ),
            "bring the shard back now; a larger retention.ms of its handoff topic buys time",
        ));
    } else if age > BEHIND_NANOS {
        findings.push(Finding::bad(
            "handoff",
            what,
            format!("{records} records wait for it, the oldest for {minutes} min"),
            "bring the shard back (check `shard`); they are written in order then. Is a consumer up?",
        ));
    } else {
        let LaneSums {
            read,
            stored,
            dead_lettered,
            repeated,
            fenced,
        } = waiting.sums;
        findings.push(Finding::good(
            "handoff",
            what,
            format!(
                "{records} records wait; drained {read} lines = stored {stored} + dead-lettered {dead_lettered} + \
                 repeated {repeated} + of a former owner {fenced}"
            ),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_a_finding_by_its_age_and_an_odd_account_always() {
        let hour = 3_600 * 1_000_000_000;
        let codes = |oldest: Option<i64>, odd: &[&str]| {
            let waiting = Waiting {
                records: 3,
                oldest: oldest.map(Timestamp::from_nanos),
                sums: LaneSums::default(),
                odd: odd.iter().map(|&odd| odd.to_owned()).collect(),
            };
            let findings = judge("s1", &waiting, 100 * hour);
            let each = findings.iter().map(|f| (f.code, f.state.is_ok()));
            each.collect::<Vec<_>>()
        };
        assert_eq!(codes(None, &[]), [("handoff", true)]);
        assert_eq!(codes(Some(100 * hour - 1), &[]), [("handoff", true)]);
        assert_eq!(codes(Some(99 * hour), &[]), [("handoff", false)]);
        assert_eq!(codes(Some(16 * hour), &[]), [("retention", false)]);
        let odd = codes(None, &["x"]);
        assert_eq!(odd, [("account", false), ("handoff", true)]);
    }
}
