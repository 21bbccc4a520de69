//! `bongsu tenant usage`: what each tenant has sent, from the account that the consumer keeps with its offsets.

use super::{id_of, known};
use crate::cli::Global;
use crate::commands::Access;
use crate::failure::Outcome;
use crate::parts::log_failure;
use crate::print::{self, Table};
use crate::settings::Settings;
use consumer::account::Account;
use model::TopicName;
use schemas::catalogue::Tenant;
use serde_json::Value;
use stream::{Stream, StreamError, TopicPartition};

pub(super) async fn run(
    global: &Global,
    settings: &Settings,
    access: &Access,
    tenant: Option<&str>,
) -> Outcome {
    let catalogue = access.catalogue().await?;
    let asked = match tenant {
        Some(name) => vec![known(&catalogue, name)?.tenant],
        None => catalogue.tenants.keys().cloned().collect(),
    };
    let clusters = access.clusters();
    let mut table = Table::new(&[
        "tenant",
        "lines_read",
        "stored",
        "dead_lettered",
        "handed_off",
        "records_waiting",
        "points_per_s_limit",
        "bytes_per_s_limit",
    ]);
    for id in asked {
        let tenant = &catalogue.tenants[&id_of(id.as_str())?];
        let Some(stream) = clusters.get(&tenant.cluster) else {
            continue;
        };
        let group = &settings.consumer.group;
        let (sum, waiting) = account(stream, tenant, group)
            .await
            .map_err(|e| log_failure(&e))?;
        table.row(vec![
            id.as_str().into(),
            sum.read.into(),
            sum.fates.stored.into(),
            sum.fates.dead_lettered.into(),
            sum.fates.handed_off.into(),
            waiting.into(),
            tenant.limits.points_per_s.map_or(Value::Null, Value::from),
            tenant.limits.bytes_per_s.map_or(Value::Null, Value::from),
        ]);
    }
    print::table(&table, global.form());
    Ok(())
}

/// The sums over the partitions of a tenant, and the records behind them.
async fn account(
    stream: &Stream,
    tenant: &Tenant,
    group: &str,
) -> Result<(Account, i64), StreamError> {
    let topic = TopicName::metrics(&tenant.tenant, 1);
    let count = stream.partitions(&topic).await?.unwrap_or(0);
    let sources: Vec<_> = (0..count)
        .map(|n| TopicPartition::new(topic.clone(), n))
        .collect();
    let (mut sum, mut waiting) = (Account::default(), 0);
    let commits = stream.committed(group, &sources).await?;
    for source in &sources {
        let range = stream.offsets(source).await?;
        let commit = commits.iter().find(|commit| commit.source == *source);
        let next = commit.map_or(range.earliest, |commit| commit.next_offset);
        waiting += (range.end - next).max(0);
        if let Some(account) = commit.and_then(|commit| commit.metadata.parse::<Account>().ok()) {
            sum.add(&account);
        }
    }
    Ok((sum, waiting))
}
