//! Records on their way in, and where they ended.

use bytes::Bytes;
use model::{Timestamp, TopicName};
use std::fmt;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: TopicName,
    /// The partition, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: TopicName, partition: u32) -> Self {
        Self { topic, partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// A record to append. The partition is always the caller's decision.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// Where to.
    pub target: TopicPartition,
    /// Key; none for points that the router packed.
    pub key: Option<Bytes>,
    /// Value; none is a tombstone in a compacted topic, and a tick or bundle mark in a tenant's.
    pub value: Option<Bytes>,
    /// Headers in their order.
    pub headers: Vec<(String, Bytes)>,
}

impl NewRecord {
    /// A record without key and headers.
    pub fn value(target: TopicPartition, value: impl Into<Bytes>) -> Self {
        Self {
            target,
            key: None,
            value: Some(value.into()),
            headers: Vec::new(),
        }
    }

    /// A record with a key, for a compacted topic.
    pub fn keyed(target: TopicPartition, key: impl Into<Bytes>, value: Option<Bytes>) -> Self {
        Self {
            target,
            key: Some(key.into()),
            value,
            headers: Vec::new(),
        }
    }
}

/// Where a record was durably appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its offset.
    pub offset: i64,
    /// The log's own time of it (LogAppendTime), or none where the client library does not say.
    pub timestamp: Option<Timestamp>,
}
