//! The topics that Bongsu needs, as `architecture.md` lists them.

use crate::CatalogError;
use model::{ShardId, Span, TopicName};
use schemas::catalogue::{Catalogue, Tenant};
use stream::{Ensured, Stream, TopicSpec};

const DAY: Span = Span::from_secs(24 * 3600);

/// How long lines wait for a shard that is down.
pub const HANDOFF_RETENTION: Span = DAY.times(7);

/// Partitions of what waits for a shard, and of how far that is drained. Lanes share them.
const HANDOFF_PARTITIONS: u32 = 4;

/// How long points stay in a tenant's topic.
pub(crate) const METRICS_RETENTION: Span = DAY;

/// Bongsu's own topics. Three copies where there are three brokers.
pub fn internal_topics() -> Vec<TopicSpec> {
    let topic = |name, partitions, retention| TopicSpec {
        name,
        partitions,
        retention,
        compacted: retention.is_none(),
        replicas: 3,
    };
    vec![
        topic(TopicName::catalog(), 1, None),
        topic(TopicName::alerts(), 4, Some(DAY.times(7))),
        topic(TopicName::evaluator_state(), 4, None),
        topic(TopicName::deadletter(), 1, Some(DAY.times(7))),
        topic(TopicName::handoff_state(), HANDOFF_PARTITIONS, None),
    ]
}

/// The topic in which lines wait for a shard that is down. Made when a consumer first writes to the
/// shard.
pub fn handoff_topic(shard: &ShardId) -> TopicSpec {
    TopicSpec {
        name: TopicName::handoff(shard),
        partitions: HANDOFF_PARTITIONS,
        retention: Some(HANDOFF_RETENTION),
        compacted: false,
        replicas: 3,
    }
}

/// The topic of a tenant's points.
pub fn tenant_topic(tenant: &Tenant) -> TopicSpec {
    points_topic(TopicName::metrics(&tenant.tenant, 1), tenant.partitions)
}

/// A topic of points as it is to be set, whoever's it is.
pub fn points_topic(name: TopicName, partitions: u32) -> TopicSpec {
    TopicSpec {
        name,
        partitions,
        retention: Some(METRICS_RETENTION),
        compacted: false,
        replicas: 3,
    }
}

/// Makes Bongsu's own topics where they are missing.
pub async fn ensure_topics(stream: &Stream) -> Result<(), CatalogError> {
    for spec in internal_topics() {
        ensure(stream, &spec).await?;
    }
    Ok(())
}

/// Makes the topics of the tenants whose home is the cluster of that name, where they are missing.
pub async fn ensure_tenant_topics(
    stream: &Stream,
    cluster: &str,
    catalogue: &Catalogue,
) -> Result<(), CatalogError> {
    let tenants = catalogue.tenants.values();
    for tenant in tenants.filter(|tenant| tenant.cluster == cluster) {
        ensure(stream, &tenant_topic(tenant)).await?;
    }
    Ok(())
}

async fn ensure(stream: &Stream, spec: &TopicSpec) -> Result<(), CatalogError> {
    if stream.ensure_topic(spec).await? == Ensured::Created {
        tracing::info!(topic = %spec.name, partitions = spec.partitions, "topic created");
    }
    Ok(())
}
