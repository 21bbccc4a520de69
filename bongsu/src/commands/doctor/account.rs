//! The conservation account in `doctor`: for each partition of each tenant, whether every line that was read has
//! its fate, how far behind the consumer is, and how close the log's retention. A tenant that moved to another cluster may
//! have left records in the one that was its home: they are looked at as well.

use super::Finding;
use consumer::account::{Account, Fates};
use model::{Span, TenantId, Timestamp, TopicName};
use runtime::Clock;
use schemas::catalogue::Catalogue;
use std::collections::BTreeSet;
use std::time::Duration;
use stream::{Clusters, Commit, Stream, StreamError, TopicPartition};

/// How long a tenant's topic keeps records as `tenant add` makes it, where the log does not say what it is set to.
const RETENTION: Span = Span::from_secs(24 * 3_600);
/// The oldest record that is not stored yet may be so old.
const BEHIND_NANOS: i64 = 60 * 1_000_000_000;
/// How long the oldest record is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// From so many partitions on a cluster wants other settings than its defaults.
const MANY_PARTITIONS: u32 = 2_000;

/// What is known of one partition.
struct Part {
    name: String,
    earliest: i64,
    end: i64,
    committed: Option<Commit>,
    /// Time of the oldest record that is not stored.
    oldest: Option<Timestamp>,
    /// How long its topic keeps records; none for ever.
    retention: Option<Span>,
}

/// Findings for every partition of every tenant.
pub(super) async fn accounts(
    catalogue: &Catalogue,
    clusters: &Clusters,
    group: &str,
) -> Vec<Finding> {
    let now = Clock::system().now_nanos();
    let mut findings = Vec::new();
    for (cluster, stream) in clusters.iter() {
        let place = place(clusters, cluster);
        let there: BTreeSet<_> = match stream.topics().await {
            Ok(topics) => topics.into_iter().map(|topic| topic.name).collect(),
            // Said once: each of its tenants would be waited for as long.
            Err(error) => {
                let what = format!("all tenants{place}");
                let advice = "see the check `log`";
                findings.push(Finding::bad("account", what, error.to_string(), advice));
                continue;
            }
        };
        for tenant in catalogue.tenants.values() {
            let topic = TopicName::metrics(&tenant.tenant, 1);
            if tenant.cluster != cluster && !there.contains(&topic) {
                continue;
            }
            match parts(stream, &tenant.tenant, &place, group).await {
                Ok(parts) => findings.extend(parts.iter().flat_map(|part| judge(part, now))),
                Err(error) => findings.push(Finding::bad(
                    "account",
                    format!("{}{place}", tenant.tenant),
                    error.to_string(),
                    "see the check `log`",
                )),
            }
        }
    }
    let tenants = catalogue.tenants.values();
    let partitions: u32 = tenants.map(|tenant| tenant.partitions).sum();
    if partitions >= MANY_PARTITIONS {
        findings.push(Finding::good(
            "partitions",
            "many partitions",
            format!(
                "{partitions} partitions of tenants: brokers want vm.max_map_count and nofile of 1000000, \
                 __consumer_offsets max.message.bytes of 16777216, topics segment.ms of 21600000"
            ),
        ));
    }
    findings
}

/// What is said behind a name of another cluster than the first one: nothing for that.
pub(super) fn place(clusters: &Clusters, cluster: &str) -> String {
    match cluster == clusters.home_name() {
        true => String::new(),
        false => format!(" in {cluster}"),
    }
}

async fn parts(
    stream: &Stream,
    tenant: &TenantId,
    place: &str,
    group: &str,
) -> Result<Vec<Part>, StreamError> {
    let topic = TopicName::metrics(tenant, 1);
    let count = stream.partitions(&topic).await?.unwrap_or(0);
    let sources: Vec<_> = (0..count)
        .map(|n| TopicPartition::new(topic.clone(), n))
        .collect();
    let commits = stream.committed(group, &sources).await?;
    let mut parts = Vec::new();
    for source in sources {
        let range = stream.offsets(&source).await?;
        let committed = commits
            .iter()
            .find(|commit| commit.source == source)
            .cloned();
        let next = committed
            .as_ref()
            .map_or(range.earliest, |commit| commit.next_offset);
        let oldest = if next < range.end {
            oldest(stream, &source, next.max(range.earliest)).await?
        } else {
            None
        };
        parts.push(Part {
            name: format!("{tenant}[{}]{place}", source.partition),
            earliest: range.earliest,
            end: range.end,
            committed,
            oldest,
            retention: Some(RETENTION),
        });
    }
    if parts.iter().any(|part| part.oldest.is_some()) {
        // Who may not ask is told so by the check `topic`.
        if let Ok(Some(settings)) = stream.settings(&topic).await {
            for part in &mut parts {
                part.retention = settings.retention;
            }
        }
    }
    Ok(parts)
}

/// Log time of the record at an offset, or of the first one behind it.
pub(super) async fn oldest(
    stream: &Stream,
    source: &TopicPartition,
    from: i64,
) -> Result<Option<Timestamp>, StreamError> {
    let mut reader = stream.read(source, from).await?;
    match tokio::time::timeout(PATIENCE, reader.next()).await {
        Ok(Some(batch)) => Ok(batch?.records().next().map(|record| record.timestamp)),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// What a partition's figures say.
fn judge(part: &Part, now: i64) -> Vec<Finding> {
    let mut findings = vec![account(part)];
    let next = part
        .committed
        .as_ref()
        .map_or(part.earliest, |commit| commit.next_offset);
    let lag = part.end - next.max(part.earliest);
    let age = part
        .oldest
        .map_or(0, |oldest| now.saturating_sub(oldest.as_nanos()));
    let minutes = age / 60_000_000_000;
    let lost = part
        .committed
        .as_ref()
        .and_then(|commit| commit.metadata.parse::<Account>().ok())
        .map_or(0, |account| account.lost_records);
    if lost > 0 {
        findings.push(Finding::bad(
            "loss",
            part.name.as_str(),
            format!("{lost} records left the log before they were read, since the account began"),
            "they are gone; see `retention` and `lag` for whether more will go",
        ));
    }
    if next < part.earliest {
        findings.push(Finding::bad(
            "loss",
            part.name.as_str(),
            format!(
                "{} records left the log before they were read",
                part.earliest - next
            ),
            "they are gone: run more consumers, or keep the topic longer (retention.ms)",
        ));
    }
    let closing = part.retention.filter(|kept| {
        let kept = i64::try_from(kept.to_std().as_nanos()).unwrap_or(i64::MAX);
        age > 0 && age >= kept / 2
    });
    findings.push(if let Some(kept) = closing {
        Finding::bad(
            "retention",
            part.name.as_str(),
            format!("the oldest of {lag} records not stored is {minutes} min old; the log keeps them {kept}"),
            "mend its shard or run more consumers now; a larger retention.ms buys time",
        )
    } else if age > BEHIND_NANOS {
        Finding::bad(
            "lag",
            part.name.as_str(),
            format!("{lag} records are not stored, the oldest for {} s", age / 1_000_000_000),
            "is the consumer up (/readyz?verbose), and its shard (check `shard`)?",
        )
    } else {
        Finding::good("lag", part.name.as_str(), format!("{lag} records"))
    });
    findings
}

fn account(part: &Part) -> Finding {
    let Some(commit) = &part.committed else {
        return Finding::good("account", part.name.as_str(), "nothing committed yet");
    };
    let Ok(sums) = commit.metadata.parse::<Account>() else {
        let wrong = format!(
            "the commit at {} has no account: `{}`",
            commit.next_offset, commit.metadata
        );
        let advice =
            "somebody else commits for this group: give Bongsu's consumers a group of their own";
        return Finding::bad("account", part.name.as_str(), wrong, advice);
    };
    let Fates {
        stored,
        dead_lettered,
        handed_off,
    } = sums.fates;
    let text = format!(
        "read {}, to be held {} = stored {stored} + dead-lettered {dead_lettered} + handed off {handed_off}",
        sums.read, sums.copies
    );
    if sums.is_balanced() {
        return Finding::good("account", part.name.as_str(), text);
    }
    let missing = sums.copies.abs_diff(sums.fates.sum());
    let advice = format!(
        "keep the log of the consumers and the topic's records up to offset {}: this is a fault of Bongsu",
        commit.next_offset
    );
    let wrong = format!("{text} does not hold: {missing} lines have no fate, or one too many");
    Finding::bad("account", part.name.as_str(), wrong, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(next: i64, metadata: &str, oldest: Option<i64>) -> Part {
        let topic = TopicName::metrics(&TenantId::parse("acme").unwrap(), 1);
        Part {
            name: "acme[0]".to_owned(),
            earliest: 10,
            end: 100,
            committed: Some(Commit {
                source: TopicPartition::new(topic, 0),
                next_offset: next,
                metadata: metadata.to_owned(),
            }),
            oldest: oldest.map(Timestamp::from_nanos),
            retention: Some(RETENTION),
        }
    }

    fn kept(part: Part, retention: Option<Span>) -> Part {
        Part { retention, ..part }
    }

    fn wrong(part: &Part, now: i64) -> Vec<&'static str> {
        let findings = judge(part, now);
        let bad = findings.iter().filter(|finding| finding.state.is_err());
        bad.map(|finding| finding.code).collect()
    }

    #[test]
    fn an_account_in_balance_without_lag_is_well() {
        for metadata in [
            "v1;read=5;stored=4;dead=1;handed=0;replicas=1",
            "v1;read=5;stored=8;dead=1;handed=1;replicas=2;copies=10",
            "v1;read=5;stored=8;dead=1;handed=0;replicas=2;copies=9;lost=0;more=1",
        ] {
            assert!(
                wrong(&part(100, metadata, None), 0).is_empty(),
                "{metadata}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_code() {
        let good = "v1;read=5;stored=5;dead=0;handed=0;replicas=1";
        let hour = 3_600 * 1_000_000_000;
        for (part, codes) in [
            (
                part(100, "v1;read=5;stored=4;dead=0;handed=0;replicas=1", None),
                vec!["account"],
            ),
            (part(100, "", None), vec!["account"]),
            (part(50, good, Some(12 * hour)), vec!["lag"]),
            (part(50, good, Some(0)), vec!["retention"]),
            (
                kept(
                    part(50, good, Some(12 * hour)),
                    Some(Span::from_secs(7_200)),
                ),
                vec!["retention"],
            ),
            (
                kept(part(50, good, Some(0)), Some(Span::from_secs(7 * 86_400))),
                vec!["lag"],
            ),
            (kept(part(50, good, Some(0)), None), vec!["lag"]),
            (part(5, good, Some(13 * hour)), vec!["loss"]),
            (part(100, &format!("{good};lost=2"), None), vec!["loss"]),
        ] {
            assert_eq!(wrong(&part, 13 * hour), codes);
        }
    }
}
