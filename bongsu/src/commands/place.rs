//! `bongsu resolve` and `bongsu route explain`: where points are and where a line goes, with the reason.

use super::{Access, settings};
use crate::cli::{Global, Resolve};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use model::{ShardId, TenantId, Timestamp, host_partition};
use placement::{PlacementMap, Resolved};
use router::core::read::time;
use runtime::Clock;
use schemas::catalogue::{Catalogue, EpochStart};
use schemas::line::scan;

/// A tenant of the catalogue.
pub(super) fn tenant_of(catalogue: &Catalogue, id: &str) -> Outcome<TenantId> {
    let tenant =
        TenantId::parse(id).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    if catalogue.tenants.contains_key(&tenant) {
        return Ok(tenant);
    }
    let known = catalogue.tenants.keys().map(TenantId::as_str);
    Err(Failure::no_such("tenant", id, known, "bongsu tenant list"))
}

pub(super) fn map_of(catalogue: &Catalogue) -> Outcome<PlacementMap> {
    PlacementMap::compile(catalogue).map_err(|error| Failure::from_error(Exit::Failed, &error))
}

/// A time as people and the catalogue write it.
pub(super) fn time_text(nanos: i64) -> String {
    match nanos {
        i64::MIN => "beginning".to_owned(),
        _ => EpochStart::At(Timestamp::from_nanos(nanos)).to_string(),
    }
}

fn instant(name: &str, text: &str, now: i64) -> Outcome<i64> {
    time::given(text, now).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("--{name}: `{text}` is no time"))
            .hint("write a time such as 2026-01-31T00:00:00Z, `-1h`, `now` or `beginning`")
    })
}

fn names(shards: &[ShardId]) -> Vec<String> {
    shards
        .iter()
        .map(|shard| shard.as_str().to_owned())
        .collect()
}

pub(super) async fn resolve(global: &Global, asked: Resolve) -> Outcome {
    let catalogue = Access::open(&settings(global)?).await?.catalogue().await?;
    let tenant = tenant_of(&catalogue, &asked.tenant)?;
    let now = Clock::system().now_nanos();
    let (from, to) = (
        instant("from", &asked.from, now)?,
        instant("to", &asked.to, now)?,
    );
    let resolved = map_of(&catalogue)?.resolve(&tenant, from, to, asked.host.as_deref());
    print::table(&rows(&resolved), global.form());
    match resolved.cover(|_| true) {
        Ok(shards) => print::message(&format!("a read asks {}", names(&shards).join(", "))),
        Err(error) => print::message(&error.to_string()),
    }
    Ok(())
}

/// A row for each group of hosts in each epoch.
fn rows(resolved: &Resolved) -> Table {
    let mut table = Table::new(&["epoch", "from", "to", "shard", "replicas", "why"]);
    for span in &resolved.spans {
        for group in &span.groups {
            table.row(vec![
                time_text(span.epoch).into(),
                time_text(span.from).into(),
                time_text(span.to).into(),
                group.shards.first().map(ShardId::as_str).into(),
                names(group.shards.get(1..).unwrap_or_default()).into(),
                span.why.to_string().into(),
            ]);
        }
    }
    table
}

pub(super) async fn explain(global: &Global, line: &str, tenant: &str) -> Outcome {
    let catalogue = Access::open(&settings(global)?).await?.catalogue().await?;
    let tenant = tenant_of(&catalogue, tenant)?;
    let first = match scan(line.as_bytes()).next() {
        Some(Ok(first)) => first,
        Some(Err(bad)) => {
            let cause = format!("this is no line protocol: {}", bad.reason);
            return Err(Failure::new(Exit::Findings, cause)
                .hint("a line is `measurement,tag=value field=1 1767225600000000000`"));
        }
        None => return Err(Failure::new(Exit::Usage, "the line is empty")),
    };
    let now = Clock::system().now_nanos();
    let own = first.timestamp();
    let nanos = own.unwrap_or(now);
    let host = first.host();
    let map = map_of(&catalogue)?;
    let resolved = map.resolve(
        &tenant,
        nanos,
        nanos,
        Some(host.as_deref().unwrap_or_default()),
    );
    let groups = map.resolve(&tenant, nanos, nanos, None);
    let Some((span, group)) = resolved
        .spans
        .first()
        .and_then(|span| Some((span, span.groups.first()?)))
    else {
        return Err(Failure::new(
            Exit::Failed,
            "the placement has no epoch for that time",
        ));
    };
    let partitions = catalogue
        .tenants
        .get(&tenant)
        .map_or(1, |tenant| tenant.partitions);
    let partition = host
        .as_deref()
        .map_or(0, |host| host_partition(host.as_bytes(), partitions));
    let spread = groups.spans.first().map_or(1, |span| span.groups.len());
    let mut why = span.why.to_string();
    if spread > 1 {
        why.push_str(&format!("; the host decides among {spread}"));
    }
    let time = match own {
        Some(nanos) => time_text(nanos),
        None => format!(
            "{} (the line has none: that of its record)",
            time_text(nanos)
        ),
    };
    let mut table = Table::new(&[
        "tenant",
        "host",
        "time",
        "partition",
        "epoch",
        "shard",
        "replicas",
        "why",
    ]);
    table.row(vec![
        tenant.as_str().into(),
        host.as_deref().into(),
        time.into(),
        format!("{partition} of {partitions}").into(),
        time_text(span.epoch).into(),
        group.shards.first().map(ShardId::as_str).into(),
        names(group.shards.get(1..).unwrap_or_default()).into(),
        why.into(),
    ]);
    print::table(&table, global.form());
    Ok(())
}
