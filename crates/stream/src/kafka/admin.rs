//! Topics and what they hold: asked of the brokers, and made with the settings that they must have.

use super::client::{Quiet, blocking, failure, number};
use super::config::KafkaConfig;
use super::credentials::{Credentials, keyed};
use super::ranges::{ranges, watermarks};
use super::settings::describe;
use crate::{
    Commit, Ensured, OffsetRange, StreamError, TopicInfo, TopicPartition, TopicSettings, TopicSpec,
};
use model::TopicName;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use runtime::Clock;
use runtime::clock::Stopwatch;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long brokers may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// How old what is known of all topics may be.
const FRESH: Duration = Duration::from_secs(5);
/// Between looks whether a new topic has leaders.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Segments are closed at least so often, because ticks keep a segment young.
const SEGMENT_MS: i64 = 6 * 3_600_000;
/// Size of a segment of a compacted topic.
const COMPACTED_SEGMENT_BYTES: u32 = 64 << 20;

/// Topics whose settings are asked for at once.
const TOPICS_A_QUESTION: usize = 500;

type Known = Option<(Stopwatch, Arc<Cluster>)>;

/// What the brokers say of all topics at once: with thousands of partitions that is a large answer, so it is asked for
/// seldom.
struct Cluster {
    brokers: usize,
    /// All topics but Kafka's own.
    topics: HashMap<TopicName, Placed>,
}

/// A topic in its cluster.
#[derive(Clone, Copy)]
struct Placed {
    partitions: u32,
    /// Copies of each record, the fewest of its partitions.
    replicas: usize,
}

/// A client that sends and reads nothing.
pub(super) struct Admin {
    config: KafkaConfig,
    clock: Clock,
    credentials: Arc<Credentials>,
    /// It creates and describes, and asks for metadata and offsets.
    admin: Arc<AdminClient<Quiet>>,
    known: Mutex<Known>,
    /// Clients of groups that never join them, by the group: who asks once asks often.
    groups: Mutex<HashMap<String, Arc<BaseConsumer<Quiet>>>>,
}

impl Admin {
    pub(super) fn new(
        config: &KafkaConfig,
        clock: Clock,
        credentials: &Arc<Credentials>,
    ) -> Result<Self, StreamError> {
        let refused = |error: KafkaError| StreamError::Unusable {
            reason: format!("the Kafka client refuses its configuration: {error}"),
        };
        let client = config.client()?;
        let admin = AdminClient::from_config_and_context(&client, Quiet).map_err(refused)?;
        let admin = Arc::new(admin);
        credentials.keep(keyed(&admin));
        Ok(Self {
            config: config.clone(),
            clock,
            credentials: Arc::clone(credentials),
            admin,
            known: Mutex::new(None),
            groups: Mutex::default(),
        })
    }

    /// All topics but Kafka's own, asked now.
    pub(super) async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError> {
        let known = self.ask().await?;
        let mut topics: Vec<_> = known
            .topics
            .iter()
            .map(|(name, placed)| TopicInfo {
                name: name.clone(),
                partitions: placed.partitions,
            })
            .collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The partitions of a topic, known for at most [`FRESH`].
    pub(super) async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError> {
        let known = self.cluster().await?;
        Ok(known.topics.get(topic).map(|placed| placed.partitions))
    }

    /// All topics, known for at most [`FRESH`].
    async fn cluster(&self) -> Result<Arc<Cluster>, StreamError> {
        let fresh = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known
                .as_ref()
                .filter(|(since, _)| since.elapsed() < FRESH)
                .map(|(_, cluster)| Arc::clone(cluster))
        };
        match fresh {
            Some(cluster) => Ok(cluster),
            None => self.ask().await,
        }
    }

    async fn ask(&self) -> Result<Arc<Cluster>, StreamError> {
        let asking = Arc::clone(&self.admin);
        let since = self.clock.stopwatch();
        let cluster = blocking(move || {
            let metadata = asking
                .inner()
                .fetch_metadata(None, ANSWER)
                .map_err(|e| failure(&e))?;
            let listed = metadata
                .topics()
                .iter()
                .filter(|topic| topic.error().is_none() && !topic.name().starts_with("__"));
            let named = listed.filter_map(|topic| {
                let each = topic.partitions().iter();
                let copies = each.map(|partition| partition.replicas().len()).min();
                let placed = Placed {
                    partitions: u32::try_from(topic.partitions().len()).ok()?,
                    replicas: copies.unwrap_or(0),
                };
                Some((TopicName::listed(topic.name()).ok()?, placed))
            });
            Ok(Arc::new(Cluster {
                brokers: metadata.brokers().len(),
                topics: named.collect(),
            }))
        })
        .await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((since, Arc::clone(&cluster)));
        Ok(cluster)
    }

    pub(super) async fn offsets(
        &self,
        source: &TopicPartition,
    ) -> Result<OffsetRange, StreamError> {
        check(&*self.cluster().await?, source)?;
        let (asking, source) = (Arc::clone(&self.admin), source.clone());
        blocking(move || watermarks(asking.inner(), &source)).await
    }

    /// First and next offsets of many partitions, in their order.
    pub(super) async fn offsets_of(
        &self,
        sources: &[TopicPartition],
    ) -> Vec<Result<OffsetRange, StreamError>> {
        let everywhere = |error: StreamError| sources.iter().map(|_| Err(error.clone())).collect();
        let cluster = match self.cluster().await {
            Ok(cluster) => cluster,
            Err(error) => return everywhere(error),
        };
        let checked: Vec<_> = sources
            .iter()
            .map(|source| check(&cluster, source))
            .collect();
        let there = sources.iter().zip(&checked);
        let there = there.filter(|(_, checked)| checked.is_ok());
        let there: Vec<_> = there.map(|(source, _)| source.clone()).collect();
        let asking = Arc::clone(&self.admin);
        let asked = blocking(move || Ok(ranges(asking.inner(), &there))).await;
        let mut asked = match asked {
            Ok(asked) => asked,
            Err(error) => return everywhere(error),
        };
        let range = |(source, checked): (&TopicPartition, Result<(), StreamError>)| {
            checked.and_then(|()| asked.remove(source).unwrap_or_else(|| Err(unknown(source))))
        };
        sources.iter().zip(checked).map(range).collect()
    }

    /// What a group committed, asked through a client of that group that never joins it.
    pub(super) async fn committed(
        &self,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        let (client, sources) = (self.of_group(group)?, sources.to_vec());
        blocking(move || committed(&client, &sources)).await
    }

    fn of_group(&self, group: &str) -> Result<Arc<BaseConsumer<Quiet>>, StreamError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = groups.get(group) {
            return Ok(Arc::clone(client));
        }
        let mut client = self.config.client()?;
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        let client = BaseConsumer::from_config_and_context(&client, Quiet);
        let client = Arc::new(client.map_err(|e| failure(&e))?);
        self.credentials.keep(keyed(&client));
        groups.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    pub(super) async fn ensure(&self, spec: &TopicSpec) -> Result<Ensured, StreamError> {
        let asking = Arc::clone(&self.admin);
        let name = spec.name.clone();
        let (there, brokers) = blocking(move || {
            let metadata = asking
                .inner()
                .fetch_metadata(None, ANSWER)
                .map_err(|e| failure(&e))?;
            let there = metadata
                .topics()
                .iter()
                .any(|topic| topic.name() == name.as_str());
            Ok((there, metadata.brokers().len()))
        })
        .await?;
        if there {
            return Ok(Ensured::Existed);
        }
        let copies = i32::from(spec.replicas).clamp(1, i32::try_from(brokers).unwrap_or(1).max(1));
        let settings = settings(spec, copies);
        let mut topic = NewTopic::new(
            spec.name.as_str(),
            number(spec.partitions),
            TopicReplication::Fixed(copies),
        );
        for (key, value) in &settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new()
            .operation_timeout(Some(ANSWER))
            .request_timeout(Some(ANSWER));
        let made = self
            .admin
            .create_topics([&topic], &options)
            .await
            .map_err(|e| failure(&e))?;
        match made.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => return Ok(Ensured::Existed),
            Some(Err((_, code))) => return Err(refusal(spec, code)),
            Some(Ok(_)) | None => {}
        }
        self.wait_for_leaders(spec).await?;
        Ok(Ensured::Created)
    }

    /// What topics are set to, in their order; none for one that does not exist.
    pub(super) async fn settings_of(
        &self,
        topics: &[TopicName],
    ) -> Vec<Result<Option<TopicSettings>, StreamError>> {
        // Of all topics: to ask for one by name may make it.
        let cluster = match self.cluster_with(topics).await {
            Ok(cluster) => cluster,
            Err(error) => return topics.iter().map(|_| Err(error.clone())).collect(),
        };
        let there = |topic: &&TopicName| cluster.topics.contains_key(*topic);
        let listed: Vec<_> = topics.iter().filter(there).collect();
        let mut described = HashMap::with_capacity(listed.len());
        for some in listed.chunks(TOPICS_A_QUESTION) {
            match describe(&self.admin, some).await {
                Ok(found) => described.extend(found),
                Err(error) => {
                    described.extend(
                        some.iter()
                            .map(|topic| ((*topic).clone(), Err(error.clone()))),
                    );
                }
            }
        }
        let settings = |topic: &TopicName| {
            let Some(placed) = cluster.topics.get(topic) else {
                return Ok(None);
            };
            match described.remove(topic) {
                Some(Ok(described)) => {
                    Ok(Some(described.settings(cluster.brokers, placed.replicas)))
                }
                Some(Err(error)) => Err(error),
                None => Ok(None),
            }
        };
        topics.iter().map(settings).collect()
    }

    /// The cluster with these topics, as far as they are there.
    async fn cluster_with(&self, topics: &[TopicName]) -> Result<Arc<Cluster>, StreamError> {
        let cluster = self.cluster().await?;
        match topics
            .iter()
            .all(|topic| cluster.topics.contains_key(topic))
        {
            true => Ok(cluster),
            false => self.ask().await,
        }
    }

    /// Whether a broker has `auto.create.topics.enable`; none without the right to ask it.
    pub(super) async fn makes_topics_unasked(&self) -> Result<Option<bool>, StreamError> {
        let asking = Arc::clone(&self.admin);
        let broker = blocking(move || {
            let metadata = asking
                .inner()
                .fetch_metadata(None, ANSWER)
                .map_err(|e| failure(&e))?;
            Ok(metadata.brokers().first().map(|broker| broker.id()))
        });
        let Some(broker) = broker.await? else {
            return Ok(None);
        };
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let asked = [ResourceSpecifier::Broker(broker)];
        let answered = self.admin.describe_configs(&asked, &options).await;
        match answered.map_err(|e| failure(&e))?.into_iter().next() {
            Some(Ok(resource)) => {
                let entry = resource.get("auto.create.topics.enable");
                Ok(entry.map(|entry| entry.value.as_deref() == Some("true")))
            }
            Some(Err(RDKafkaErrorCode::ClusterAuthorizationFailed)) | None => Ok(None),
            Some(Err(code)) => Err(failure(&KafkaError::AdminOp(code))),
        }
    }

    /// The brokers answer before all of them know the topic.
    async fn wait_for_leaders(&self, spec: &TopicSpec) -> Result<(), StreamError> {
        let since = self.clock.stopwatch();
        loop {
            let (asking, name) = (Arc::clone(&self.admin), spec.name.clone());
            let wanted = spec.partitions as usize;
            let led = blocking(move || {
                let metadata = asking
                    .inner()
                    .fetch_metadata(Some(name.as_str()), ANSWER)
                    .map_err(|e| failure(&e))?;
                let partitions = metadata.topics().first().map(|topic| topic.partitions());
                Ok(partitions.is_some_and(|all| {
                    all.len() == wanted && all.iter().all(|partition| partition.leader() >= 0)
                }))
            })
            .await?;
            if led {
                self.known
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                return Ok(());
            }
            if since.elapsed() > ANSWER {
                return Err(StreamError::Unreachable {
                    reason: format!("the partitions of `{}` have no leader yet", spec.name),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Settings of a topic with that many copies.
fn settings(spec: &TopicSpec, copies: i32) -> Vec<(&'static str, String)> {
    let retention_ms = spec.retention.map(|span| span.as_millis().max(1));
    // A third copy may be missing and records are still taken.
    let in_sync = if copies >= 3 { copies - 1 } else { 1 };
    // A record lives at most about a quarter longer than it must.
    let segment_ms = retention_ms.map_or(SEGMENT_MS, |ms| (ms / 4).clamp(100, SEGMENT_MS));
    let mut settings = vec![
        (
            "cleanup.policy",
            if spec.compacted { "compact" } else { "delete" }.to_owned(),
        ),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("min.insync.replicas", in_sync.to_string()),
        ("retention.ms", retention_ms.unwrap_or(-1).to_string()),
        ("segment.ms", segment_ms.to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ];
    if spec.compacted {
        // Who takes over reads it whole: what stands in the newest segment is not compacted, and of the others that much
        // of what was replaced may stand there as well.
        settings.push(("segment.bytes", COMPACTED_SEGMENT_BYTES.to_string()));
        settings.push(("min.cleanable.dirty.ratio", "0.2".to_owned()));
    }
    settings
}

/// Refuses a partition that is not there.
fn check(cluster: &Cluster, source: &TopicPartition) -> Result<(), StreamError> {
    match cluster.topics.get(&source.topic) {
        None => Err(StreamError::UnknownTopic {
            topic: source.topic.clone(),
        }),
        Some(placed) if source.partition >= placed.partitions => Err(unknown(source)),
        Some(_) => Ok(()),
    }
}

fn unknown(source: &TopicPartition) -> StreamError {
    StreamError::UnknownPartition {
        topic: source.topic.clone(),
        partition: source.partition,
    }
}

fn refusal(spec: &TopicSpec, code: RDKafkaErrorCode) -> StreamError {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed => StreamError::Unauthorized {
            reason: format!("making the topic `{}`: {code}", spec.name),
        },
        RDKafkaErrorCode::InvalidPartitions
        | RDKafkaErrorCode::InvalidReplicationFactor
        | RDKafkaErrorCode::InvalidConfig
        | RDKafkaErrorCode::PolicyViolation
        | RDKafkaErrorCode::InvalidTopic => StreamError::Refused {
            topic: spec.name.clone(),
            reason: format!("the brokers refuse to make the topic: {code}"),
        },
        _ => StreamError::Unreachable {
            reason: format!("making the topic `{}`: {code}", spec.name),
        },
    }
}

/// What the consumer's group committed. Blocks.
pub(super) fn committed<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    sources: &[TopicPartition],
) -> Result<Vec<Commit>, StreamError> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked = TopicPartitionList::with_capacity(sources.len());
    for source in sources {
        asked.add_partition(source.topic.as_str(), number(source.partition));
    }
    let answered = consumer
        .committed_offsets(asked, ANSWER)
        .map_err(|e| failure(&e))?;
    let mut found = Vec::new();
    for element in answered.elements() {
        element.error().map_err(|e| failure(&e))?;
        let source = super::client::partition_of(element.topic(), element.partition());
        if let (Some(source), Offset::Offset(next_offset)) = (source, element.offset()) {
            let metadata = element.metadata().to_owned();
            found.push(Commit {
                source,
                next_offset,
                metadata,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Span;

    #[test]
    fn only_a_compacted_topic_closes_its_segments_early_and_cleans_them_often() {
        let of = |compacted: bool| {
            let spec = TopicSpec {
                name: TopicName::evaluator_state(),
                partitions: 1,
                retention: (!compacted).then_some(Span::from_secs(3_600)),
                compacted,
                replicas: 1,
            };
            let settings = settings(&spec, 1);
            let value = |wanted: &str| {
                let found = settings.iter().find(|(key, _)| *key == wanted);
                found.map(|(_, value)| value.clone())
            };
            [
                value("cleanup.policy"),
                value("segment.bytes"),
                value("min.cleanable.dirty.ratio"),
            ]
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(of(true), [said("compact"), said("67108864"), said("0.2")]);
        assert_eq!(of(false), [said("delete"), None, None]);
    }
}
