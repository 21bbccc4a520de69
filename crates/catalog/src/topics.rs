//! The topics that Bongsu needs, as `architecture.md` lists them.

use crate::CatalogError;
use model::{Span, TopicName};
use schemas::catalogue::Catalogue;
use stream::{Ensured, Stream, TopicSpec};

const DAY: Span = Span::from_secs(24 * 3600);

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
    ]
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
        let spec = TopicSpec {
            name: TopicName::metrics(&tenant.tenant, 1),
            partitions: tenant.partitions,
            retention: Some(METRICS_RETENTION),
            compacted: false,
            replicas: 3,
        };
        ensure(stream, &spec).await?;
    }
    Ok(())
}

async fn ensure(stream: &Stream, spec: &TopicSpec) -> Result<(), CatalogError> {
    if stream.ensure_topic(spec).await? == Ensured::Created {
        tracing::info!(topic = %spec.name, partitions = spec.partitions, "topic created");
    }
    Ok(())
}
