//! The interface of a log.

use crate::{
    Appended, Batch, JoinSpec, Membership, NewRecord, StreamError, TopicPartition, TopicSettings,
};
use async_trait::async_trait;
use model::{Span, TopicName};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// A log: Kafka or the embedded one. A cheap handle for every service of the process.
pub type Stream = Arc<dyn Log>;

/// What a topic must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: TopicName,
    /// How many partitions.
    pub partitions: u32,
    /// How long records are kept; none for ever.
    pub retention: Option<Span>,
    /// Whether the newest record of each key is kept instead of all records.
    pub compacted: bool,
    /// Copies of each record, cut to the number of brokers there are.
    pub replicas: u16,
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: TopicName,
    /// How many partitions it has.
    pub partitions: u32,
}

/// What [`Log::ensure_topic`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was made now.
    Created,
    /// It was there.
    Existed,
}

/// First offset of a partition, and the one that its next record will get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// First offset there is.
    pub earliest: i64,
    /// Offset of the next record.
    pub end: i64,
}

/// The fate of a record that was sent. Resolves once every in-sync replica has it.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Result<Appended, StreamError>>);

impl Delivery {
    /// A delivery and the end that resolves it. For the implementations.
    pub fn pending() -> (oneshot::Sender<Result<Appended, StreamError>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// A delivery that failed at once.
    pub fn failed(error: StreamError) -> Self {
        let (sender, delivery) = Self::pending();
        drop(sender.send(Err(error)));
        delivery
    }
}

impl Future for Delivery {
    type Output = Result<Appended, StreamError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|received| received.unwrap_or(Err(StreamError::Closed)))
    }
}

/// A log of topics and partitions.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends a record. Never blocks; records of one caller to one partition keep the order of the calls.
    fn send(&self, record: NewRecord) -> Delivery;

    /// Makes the topic if it is missing. A topic that is there is left as it is.
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured, StreamError>;

    /// All topics.
    async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError>;

    /// How many partitions the topic has, from metadata at most 5 s old; none if it does not exist.
    async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError>;

    /// What a topic is set to; none where it does not exist, or the log does not say.
    async fn settings(&self, _topic: &TopicName) -> Result<Option<TopicSettings>, StreamError> {
        Ok(None)
    }

    /// The same of many topics, in their order; in few questions where the log can.
    async fn settings_of(
        &self,
        topics: &[TopicName],
    ) -> Vec<Result<Option<TopicSettings>, StreamError>> {
        let mut found = Vec::with_capacity(topics.len());
        for topic in topics {
            found.push(self.settings(topic).await);
        }
        found
    }

    /// Whether a topic that somebody only asks for is made, with settings that nobody chose; none where the log does not say.
    async fn makes_topics_unasked(&self) -> Result<Option<bool>, StreamError> {
        Ok(None)
    }

    /// What a partition holds now.
    async fn offsets(&self, source: &TopicPartition) -> Result<OffsetRange, StreamError>;

    /// The same of many partitions, in their order; in few questions where the log can.
    async fn offsets_of(
        &self,
        sources: &[TopicPartition],
    ) -> Vec<Result<OffsetRange, StreamError>> {
        let mut found = Vec::with_capacity(sources.len());
        for source in sources {
            found.push(self.offsets(source).await);
        }
        found
    }

    /// The next offsets that a group committed; partitions without one are left out.
    async fn committed(
        &self,
        group: &str,
        sources: &[TopicPartition],
    ) -> Result<Vec<crate::Commit>, StreamError>;

    /// Reads a partition from `from` on, without a group, and follows it.
    async fn read(
        &self,
        source: &TopicPartition,
        from: i64,
    ) -> Result<PartitionReader, StreamError>;

    /// Joins a group.
    async fn join(&self, spec: JoinSpec) -> Result<Membership, StreamError>;

    /// Waits until everything sent has resolved, or the time is over.
    async fn flush(&self, within: std::time::Duration) -> Result<(), StreamError>;

    /// A word for logs and `doctor`: `kafka host:port` or `embedded log at path`.
    fn describe(&self) -> String;
}

/// Follows one partition.
pub struct PartitionReader {
    batches: tokio::sync::mpsc::Receiver<Result<Batch, StreamError>>,
}

impl PartitionReader {
    /// For the implementations; the producing side ends when this end is dropped.
    pub fn new(batches: tokio::sync::mpsc::Receiver<Result<Batch, StreamError>>) -> Self {
        Self { batches }
    }

    /// The next records; waits for them. None when the log was closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Batch, StreamError>> {
        self.batches.recv().await
    }
}
