//! The topics in `doctor`: whether each is there, with its partitions, and set as what it holds needs it.

use super::Finding;
use super::account::place;
use catalog::{handoff_topic, internal_topics, tenant_topic};
use schemas::catalogue::Catalogue;
use std::collections::BTreeMap;
use stream::{Clusters, Stream, StreamError, TopicSpec};

/// Findings for every topic of every cluster.
pub(super) async fn all(catalogue: &Catalogue, clusters: &Clusters) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (cluster, stream) in clusters.iter() {
        let place = place(clusters, cluster);
        match of_cluster(catalogue, cluster, stream, &place).await {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(Finding::bad(
                "topic",
                format!("topics{place}"),
                error.to_string(),
                "see the check `log`; describing a topic wants the right DescribeConfigs",
            )),
        }
    }
    findings
}

async fn of_cluster(
    catalogue: &Catalogue,
    cluster: &str,
    stream: &Stream,
    place: &str,
) -> Result<Vec<Finding>, StreamError> {
    let topics = stream.topics().await?.into_iter();
    let there: BTreeMap<_, _> = topics.map(|topic| (topic.name, topic.partitions)).collect();
    let mut findings = Vec::new();
    match stream.makes_topics_unasked().await? {
        Some(true) => findings.push(Finding::bad(
            "auto-create",
            format!("brokers{place}"),
            "a topic that somebody misspells is made, with settings that nobody chose",
            "set auto.create.topics.enable=false on every broker",
        )),
        Some(false) => findings.push(Finding::good(
            "auto-create",
            format!("brokers{place}"),
            "topics are made by those alone who mean to",
        )),
        None => {}
    }
    for spec in internal_topics() {
        let name = format!("{}{place}", spec.name);
        match there.get(&spec.name) {
            Some(n) if *n == spec.partitions => {
                let partitions = format!("{n} partitions");
                findings.extend(settings(stream, &spec, name, partitions).await?);
            }
            Some(n) => findings.push(Finding::bad(
                "topic",
                name,
                format!("has {n} partitions, {} are wanted", spec.partitions),
                "a topic keeps its number of partitions: make it anew while all services stand",
            )),
            None => findings.push(Finding::bad(
                "topic",
                name,
                "does not exist",
                "any service or `bongsu apply` makes it",
            )),
        }
    }
    let tenants = catalogue.tenants.values();
    let tenants = tenants
        .filter(|tenant| tenant.cluster == cluster)
        .map(|tenant| tenant_topic(tenant));
    let handoffs = catalogue.shards.keys().map(handoff_topic);
    // Whether a tenant's topic is there is the check `tenant`; that of a handoff is made when it is first needed.
    for spec in tenants.chain(handoffs) {
        if there.contains_key(&spec.name) {
            let name = format!("{}{place}", spec.name);
            findings.extend(settings(stream, &spec, name, "set as it should".to_owned()).await?);
        }
    }
    Ok(findings)
}

async fn settings(
    stream: &Stream,
    spec: &TopicSpec,
    name: String,
    well: String,
) -> Result<Vec<Finding>, StreamError> {
    let found = stream.settings(&spec.name).await?;
    let flaws = found.map_or_else(Vec::new, |found| spec.flaws(&found));
    if flaws.is_empty() {
        return Ok(vec![Finding::good("topic", name, well)]);
    }
    let finding =
        |flaw: stream::TopicFlaw| Finding::bad(flaw.code, name.clone(), flaw.wrong, flaw.advice);
    Ok(flaws.into_iter().map(finding).collect())
}
