//! The Kafka clusters as the router sees them: which topics they have, and whether they take anything.

use super::answer::Refusal;
use crate::error::StartError;
use crate::metrics::Metrics;
use model::TopicName;
use runtime::{Condition, Shutdown};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use stream::{Clusters, Stream, StreamError};

/// How often the clusters are asked for their topics.
const LOOK: Duration = Duration::from_secs(2);
/// How long they may take to answer before they count as gone.
const ANSWER: Duration = Duration::from_secs(2);

/// One cluster.
pub(super) struct Cluster {
    name: String,
    stream: Stream,
    topics: RwLock<Arc<HashMap<TopicName, u32>>>,
    /// Records that were sent and are not answered yet.
    unanswered: AtomicUsize,
    /// Whether the last answer was a failure.
    failing: AtomicBool,
}

/// All clusters by their names. A cheap handle.
#[derive(Clone)]
pub(crate) struct Known(Arc<BTreeMap<String, Arc<Cluster>>>);

impl Known {
    pub(crate) fn new(clusters: &Clusters) -> Self {
        let all = clusters.iter().map(|(name, stream)| {
            let cluster = Cluster {
                name: name.to_owned(),
                stream: Arc::clone(stream),
                topics: RwLock::default(),
                unanswered: AtomicUsize::new(0),
                failing: AtomicBool::new(false),
            };
            (name.to_owned(), Arc::new(cluster))
        });
        Self(Arc::new(all.collect()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.0.get(name)
    }

    /// Looks at the topics of all clusters again and again. Ready while one cluster answers: while a single one is
    /// gone, the tenants of the others must not lose their router.
    pub(crate) async fn watch(
        self,
        condition: Condition,
        metrics: Metrics,
        order: Shutdown,
    ) -> Result<(), StartError> {
        loop {
            let looks = self.0.values().map(|cluster| cluster.look());
            let looked = futures_util::future::join_all(looks).await;
            let mut said = Vec::new();
            for (cluster, looked) in self.0.values().zip(&looked) {
                metrics.cluster(&cluster.name, looked.is_ok());
                said.push(match looked {
                    Ok(topics) => format!("{}: {topics} topics", cluster.stream.describe()),
                    Err(error) => format!("{}: {error}", cluster.stream.describe()),
                });
            }
            let said = said.join("; ");
            if looked.iter().any(Result::is_ok) {
                condition.ready(said);
            } else {
                condition.not_ready(said);
            }
            tokio::select! {
                () = order.begun() => return Ok(()),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

impl Cluster {
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    async fn look(&self) -> Result<usize, StreamError> {
        let asked = tokio::time::timeout(ANSWER, self.stream.topics()).await;
        let topics = asked.unwrap_or_else(|_| {
            Err(StreamError::Unreachable {
                reason: format!("no answer within {} s", ANSWER.as_secs()),
            })
        })?;
        let topics = topics.into_iter().map(|info| (info.name, info.partitions));
        let topics: HashMap<TopicName, u32> = topics.collect();
        let count = topics.len();
        *self.topics.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(topics);
        Ok(count)
    }

    /// Partitions of a topic, at most some seconds old. Only one that was not there at the last look is asked for.
    pub(super) async fn partitions(
        &self,
        topic: &TopicName,
        within: Duration,
    ) -> Result<u32, Refusal> {
        let known = {
            let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
            topics.get(topic).copied()
        };
        if let Some(partitions) = known {
            return Ok(partitions);
        }
        let asked = tokio::time::timeout(within, self.stream.partitions(topic)).await;
        asked
            .map_err(|_| Refusal::Unavailable("the log does not answer in time".to_owned()))?
            .map_err(|error| Refusal::Unavailable(format!("the log does not answer: {error}")))?
            .ok_or_else(|| {
                let name = &self.name;
                Refusal::Unavailable(format!(
                    "topic `{topic}` is missing in cluster `{name}`; `bongsu apply` makes it"
                ))
            })
    }

    /// Whether nothing is taken now: the last answer was a failure, and a record that tries again is under way.
    /// Until it is answered, more would only fill the memory.
    pub(super) fn is_stalled(&self) -> bool {
        self.failing.load(Ordering::Relaxed) && self.unanswered.load(Ordering::Relaxed) > 0
    }

    /// A record is on its way.
    pub(super) fn sent(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// The fate of a record is known. Says so in the log when it is another than that of the last.
    pub(super) fn answered(&self, topic: &TopicName, outcome: &Result<(), StreamError>) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
        let failed = outcome.is_err();
        if self.failing.swap(failed, Ordering::Relaxed) == failed {
            return;
        }
        let cluster = &self.name;
        match outcome {
            Ok(()) => tracing::info!(cluster, "the log takes records again"),
            Err(error) => tracing::warn!(cluster, %topic, %error, "the log did not take a record"),
        }
    }
}
