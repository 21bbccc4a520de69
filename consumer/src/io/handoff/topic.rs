//! The topics of the handoff, made when they are first needed.

use catalog::handoff_topic;
use model::ShardId;
use std::collections::HashMap;
use stream::{Stream, StreamError, TopicSpec};
use tokio::sync::Mutex;

pub(super) struct Topics {
    stream: Stream,
    known: Mutex<HashMap<ShardId, u32>>,
}

impl Topics {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            known: Mutex::default(),
        }
    }

    /// The partitions of a shard's topic, which is there then.
    pub(super) async fn partitions(&self, shard: &ShardId) -> Result<u32, StreamError> {
        let mut known = self.known.lock().await;
        if let Some(partitions) = known.get(shard) {
            return Ok(*partitions);
        }
        let partitions = ensure(&self.stream, &handoff_topic(shard)).await?;
        known.insert(shard.clone(), partitions);
        Ok(partitions)
    }
}

/// Makes a topic where it is missing, and says how many partitions it has.
pub(super) async fn ensure(stream: &Stream, spec: &TopicSpec) -> Result<u32, StreamError> {
    stream.ensure_topic(spec).await?;
    let partitions = stream.partitions(&spec.name).await?;
    partitions.ok_or_else(|| StreamError::UnknownTopic {
        topic: spec.name.clone(),
    })
}
