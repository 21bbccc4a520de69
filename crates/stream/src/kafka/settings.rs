//! What topics are set to, asked for many at once.

use super::admin::ANSWER;
use super::client::{Quiet, failure};
use crate::{StreamError, TopicSettings};
use model::{Span, TopicName};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::error::KafkaError;

/// The settings of one topic as the brokers tell them.
pub(super) struct Described(ConfigResource);

/// Asks for the settings of topics that are there. A topic that the brokers leave out is left out.
pub(super) async fn describe(
    admin: &AdminClient<Quiet>,
    topics: &[&TopicName],
) -> Result<Vec<(TopicName, Result<Described, StreamError>)>, StreamError> {
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let asked: Vec<_> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic.as_str()))
        .collect();
    let answered = admin.describe_configs(&asked, &options).await;
    let answered = answered.map_err(|e| failure(&e))?;
    // They answer in the order of the question.
    let each = topics.iter().zip(answered).map(|(topic, answer)| {
        let described = match answer {
            Ok(resource) => Ok(Described(resource)),
            Err(code) => Err(failure(&KafkaError::AdminOp(code))),
        };
        ((*topic).clone(), described)
    });
    Ok(each.collect())
}

impl Described {
    /// As ours, with what the cluster's metadata says.
    pub(super) fn settings(&self, brokers: usize, replicas: usize) -> TopicSettings {
        let get = |name: &str| {
            let value = self.0.get(name).and_then(|entry| entry.value.clone());
            value.unwrap_or_default()
        };
        let positive = |name: &str| get(name).parse::<i64>().ok().filter(|n| *n >= 0);
        let policy = get("cleanup.policy");
        TopicSettings {
            brokers: u32::try_from(brokers).unwrap_or(u32::MAX),
            replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
            min_in_sync: get("min.insync.replicas").parse().unwrap_or(1),
            log_append_time: get("message.timestamp.type") == "LogAppendTime",
            compacted: policy.contains("compact"),
            deletes: policy.contains("delete"),
            retention: positive("retention.ms").map(Span::from_millis),
            retention_bytes: positive("retention.bytes").map(i64::unsigned_abs),
            unclean_election: get("unclean.leader.election.enable") == "true",
        }
    }
}
