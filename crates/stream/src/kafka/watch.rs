//! Rebalances as librdkafka calls them back: noted down, so that the polling thread never waits in
//! one.

use super::client::{log, partition_of, said};
use crate::TopicPartition;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a rebalance said.
#[derive(Debug)]
pub(super) enum Rebalance {
    /// These are gained.
    Gained(Vec<TopicPartition>),
    /// These are wanted back; the group waits for `incremental_unassign`.
    Wanted(Vec<TopicPartition>),
    /// These belong to others already; the same must be called.
    Lost(Vec<TopicPartition>),
}

/// The context of a member's consumer.
#[derive(Debug, Default)]
pub(super) struct Watch {
    noted: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

impl Watch {
    pub(super) fn next(&self) -> Option<Rebalance> {
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// From here on nobody takes notes: partitions are given back at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    fn note(&self, rebalance: Rebalance) {
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(rebalance);
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        said(&error, reason);
    }
}

impl ConsumerContext for Watch {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let sources = sources(partitions);
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // Ends the rebalance. A partition joins the client's assignment when it is started,
                // at its offset: until then there is nothing that could be fetched.
                if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
                    tracing::error!(%error, "an assignment could not be taken");
                }
                self.note(Rebalance::Gained(sources));
            }
            _ if self.closing.load(Ordering::SeqCst) => give_back(consumer, &sources),
            _ if consumer.assignment_lost() => self.note(Rebalance::Lost(sources)),
            _ => self.note(Rebalance::Wanted(sources)),
        }
    }
}

/// Ends a revocation: takes those of the partitions that were started out of the client's
/// assignment.
pub(super) fn give_back(consumer: &BaseConsumer<Watch>, sources: &[TopicPartition]) {
    let started = match consumer.assignment() {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(%error, "the client does not tell its assignment");
            return;
        }
    };
    let wanted: HashSet<_> = sources.iter().collect();
    let mut given = TopicPartitionList::new();
    for element in started.elements() {
        let source = partition_of(element.topic(), element.partition());
        if source.is_some_and(|source| wanted.contains(&source)) {
            given.add_partition(element.topic(), element.partition());
        }
    }
    if let Err(error) = consumer.incremental_unassign(&given) {
        tracing::error!(%error, "partitions could not be given back");
    }
}

fn sources(partitions: &TopicPartitionList) -> Vec<TopicPartition> {
    let elements = partitions.elements();
    elements
        .iter()
        .filter_map(|element| partition_of(element.topic(), element.partition()))
        .collect()
}
