//! The topics in memory: who appends and who reads find each other here.

use super::store::{Loaded, PartKey, PartRow, TopicRow, retention_of};
use crate::{OffsetRange, StreamError, TopicInfo, TopicPartition};
use model::{Span, TopicName};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// A topic that exists.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) number: u32,
    pub(super) retention: Option<Span>,
    pub(super) compacted: bool,
    partitions: Vec<watch::Sender<OffsetRange>>,
}

impl Topic {
    pub(super) fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// What a partition holds, told anew whenever it changes.
    pub(super) fn range(&self, partition: u32) -> Option<&watch::Sender<OffsetRange>> {
        self.partitions.get(partition as usize)
    }
}

/// All topics.
#[derive(Debug)]
pub(super) struct Catalogue {
    topics: RwLock<BTreeMap<TopicName, Arc<Topic>>>,
    changes: watch::Sender<u64>,
}

/// A partition that exists.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) topic: Arc<Topic>,
    pub(super) key: PartKey,
}

impl Place {
    /// Follows what the partition holds.
    pub(super) fn watch(&self) -> watch::Receiver<OffsetRange> {
        // `Catalogue::place` made sure that the partition exists.
        self.topic.partitions[self.key.1 as usize].subscribe()
    }
}

impl Catalogue {
    pub(super) fn new() -> Self {
        Self {
            topics: RwLock::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Takes over what the file says, after it was opened.
    pub(super) fn load(&self, loaded: &Loaded) {
        for (name, row) in &loaded.topics {
            self.add(name, *row, |partition| {
                loaded
                    .partitions
                    .get(&(row.0, partition))
                    .copied()
                    .unwrap_or_default()
            });
        }
    }

    /// Adds a topic, or tells the ranges anew of one that is there.
    pub(super) fn add(&self, name: &TopicName, row: TopicRow, part: impl Fn(u32) -> PartRow) {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(name) {
            for partition in 0..topic.partitions() {
                topic.partitions[partition as usize].send_replace(range_of(part(partition)));
            }
            return;
        }
        let (number, partitions, _, compacted) = row;
        let partitions = (0..partitions).map(|p| watch::Sender::new(range_of(part(p))));
        let topic = Topic {
            number,
            retention: retention_of(row),
            compacted,
            partitions: partitions.collect(),
        };
        topics.insert(name.clone(), Arc::new(topic));
        drop(topics);
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn get(&self, name: &TopicName) -> Option<Arc<Topic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned()
    }

    /// The partition, or the error that says what is missing.
    pub(super) fn place(&self, source: &TopicPartition) -> Result<Place, StreamError> {
        let topic = self
            .get(&source.topic)
            .ok_or_else(|| StreamError::UnknownTopic {
                topic: source.topic.clone(),
            })?;
        if source.partition >= topic.partitions() {
            return Err(StreamError::UnknownPartition {
                topic: source.topic.clone(),
                partition: source.partition,
            });
        }
        let key = (topic.number, source.partition);
        Ok(Place { topic, key })
    }

    pub(super) fn all(&self) -> Vec<(TopicName, Arc<Topic>)> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics
            .iter()
            .map(|(name, topic)| (name.clone(), Arc::clone(topic)))
            .collect()
    }

    /// The least that a topic keeps.
    pub(super) fn shortest_retention(&self) -> Option<Span> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().filter_map(|topic| topic.retention).min()
    }

    pub(super) fn list(&self) -> Vec<TopicInfo> {
        self.all()
            .into_iter()
            .map(|(name, topic)| TopicInfo {
                name,
                partitions: topic.partitions(),
            })
            .collect()
    }

    /// Told whenever a topic is made.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A row as callers see it.
pub(super) fn range_of((earliest, end, _): PartRow) -> OffsetRange {
    OffsetRange {
        earliest: earliest as i64,
        end: end as i64,
    }
}
