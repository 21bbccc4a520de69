//! The topics of the handoff, made when they are first needed.

use catalog::handoff_topic;
use model::ShardId;
use std::collections::HashMap;
use std::sync::Arc;
use stream::{Ensured, Stream, StreamError, TopicSpec};
use tokio::sync::{Mutex, Notify};

pub(super) struct Topics {
    stream: Stream,
    known: Mutex<HashMap<ShardId, u32>>,
    /// Told of each topic that was made.
    made: Arc<Notify>,
}

impl Topics {
    pub(super) fn new(stream: Stream, made: Arc<Notify>) -> Self {
        Self {
            stream,
            known: Mutex::default(),
            made,
        }
    }

    /// The partitions of a shard's topic, which is there then.
    pub(super) async fn partitions(&self, shard: &ShardId) -> Result<u32, StreamError> {
        let mut known = self.known.lock().await;
        if let Some(partitions) = known.get(shard) {
            return Ok(*partitions);
        }
        let (partitions, ensured) = ensure(&self.stream, &handoff_topic(shard)).await?;
        if ensured == Ensured::Created {
            self.made.notify_one();
        }
        known.insert(shard.clone(), partitions);
        Ok(partitions)
    }
}

/// Makes a topic where it is missing, and says how many partitions it has, and whether it was there.
pub(super) async fn ensure(
    stream: &Stream,
    spec: &TopicSpec,
) -> Result<(u32, Ensured), StreamError> {
    let ensured = stream.ensure_topic(spec).await?;
    match stream.partitions(&spec.name).await? {
        Some(partitions) => Ok((partitions, ensured)),
        None => Err(StreamError::UnknownTopic {
            topic: spec.name.clone(),
        }),
    }
}
