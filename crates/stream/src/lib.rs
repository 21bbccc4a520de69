//! Topics, partitions and offsets: one interface over Apache Kafka and over the embedded log.
//!
//! This crate is the only user of `rdkafka`. A service holds a [`Stream`], a cheap handle; what it reads
//! as a member of a group comes as one closed enum, [`GroupEvent`].

mod batch;
mod clusters;
#[cfg(feature = "contract")]
pub mod contract;
mod embedded;
mod error;
mod group;
mod kafka;
mod log;
mod pump;
mod record;
mod settings;

pub use batch::{Batch, BatchBuilder, Record};
pub use clusters::Clusters;
pub use embedded::Embedded;
pub use error::{StreamError, Verdict};
pub use group::{
    Assigned, Commit, GroupEvent, GroupHandle, GroupPort, JoinSpec, Membership, Revoked, Topics,
};
pub use kafka::{
    Access, Compression, Grant, Kafka, KafkaConfig, Mechanism, Operation, Pattern, Protocol, Quota,
    Resource, Rights, Security,
};
pub use log::{Delivery, Ensured, Log, OffsetRange, PartitionReader, Stream, TopicInfo, TopicSpec};
pub use record::{Appended, NewRecord, TopicPartition};
pub use settings::{TopicFlaw, TopicSettings};
