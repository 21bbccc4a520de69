//! One partition between its assignment and its end.

use super::commit::Mark;
use super::handoff::Hand;
use super::start::{Beginning, Measured};
use crate::core::handoff::LaneId;
use crate::core::{Account, InputRecord, Limits, Partition, Position};
use model::{TenantId, Timestamp};
use placement::Route;
use std::collections::VecDeque;
use std::sync::Arc;
use stream::{Batch, Commit, TopicPartition};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// A reading of a partition. Another assignment of the same partition is another reading.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) id: u64,
    pub(crate) tenant: TenantId,
    pub(crate) source: TopicPartition,
    pub(crate) generation: u64,
    pub(crate) core: Partition,
    /// Cancelled when its work is to be dropped.
    pub(crate) stop: CancellationToken,
    /// Cancelled when it was lost: then nothing of it may be committed.
    pub(crate) lost: CancellationToken,
    /// Nothing more is read of it.
    pub(crate) draining: bool,
    /// Lanes whose lines wait for company until a deadline that is set.
    pub(crate) lingering: Vec<bool>,
    /// How each lane stands in the handoff of its shard.
    hands: Vec<Arc<Mutex<Hand>>>,
    /// The owner's generation: higher than that of any owner before.
    claim: u64,
    /// The offset that is committed.
    committed: Option<i64>,
    /// Batches that were not done when they were last looked at: the offset behind each, and the
    /// time of its first record.
    open: VecDeque<(i64, Timestamp)>,
}

impl Part {
    pub(crate) fn new(
        id: u64,
        (source, commit): (TopicPartition, Option<Commit>),
        generation: u64,
        limits: Limits,
        route: Route,
        now_millis: u64,
    ) -> Self {
        let account = commit.as_ref().map_or_else(Account::default, account_of);
        let before = commit.as_ref().map_or(0, claim_of);
        Self {
            id,
            tenant: route.tenant().clone(),
            source,
            generation,
            core: Partition::new(limits, route, account),
            stop: CancellationToken::new(),
            lost: CancellationToken::new(),
            draining: false,
            lingering: Vec::new(),
            hands: Vec::new(),
            claim: now_millis.max(before + 1),
            committed: commit.map(|commit| commit.next_offset),
            open: VecDeque::new(),
        }
    }

    /// Whether a batch belongs to this reading.
    pub(crate) fn takes(&self, batch: &Batch) -> bool {
        !self.draining && batch.generation() == self.generation
    }

    /// Where to begin, and what to commit before: a former owner, who may not know that it is one,
    /// cannot have the same generation.
    pub(crate) fn beginning(&self) -> Beginning {
        Beginning {
            claim: Some(metadata(&self.core.account(), self.claim)),
            ..self.beginning_at(self.committed)
        }
    }

    /// Where to go on after the log has lost records.
    pub(crate) fn beginning_at(&self, from: Option<i64>) -> Beginning {
        Beginning {
            part: self.id,
            source: self.source.clone(),
            from,
            claim: None,
            stop: self.stop.clone(),
        }
    }

    /// How a lane stands in the handoff of its shard.
    pub(crate) fn hand(&mut self, lane: usize) -> Arc<Mutex<Hand>> {
        for known in self.hands.len()..=lane {
            let id = LaneId {
                topic: self.source.topic.clone(),
                partition: self.source.partition,
                replica: self.core.replica(known),
            };
            let hand = Hand::new(id, self.core.shard(known).clone(), self.claim);
            self.hands.push(Arc::new(Mutex::new(hand)));
        }
        Arc::clone(&self.hands[lane])
    }

    /// What may be committed, if it differs from what is.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let position = self.core.position()?;
        (Some(position.next_offset) != self.committed).then(|| Mark {
            part: self.id,
            source: self.source.clone(),
            position,
            metadata: metadata(&position.account, self.claim),
            lost: self.lost.clone(),
        })
    }

    /// A position is committed.
    pub(crate) fn committed(&mut self, position: &Position) {
        self.committed = Some(position.next_offset);
    }

    /// A batch was read that is not done yet.
    pub(crate) fn opened(&mut self, next_offset: i64, first: Timestamp) {
        let done = self.core.position().map(|position| position.next_offset);
        while self
            .open
            .front()
            .is_some_and(|(next, _)| Some(*next) <= done)
        {
            self.open.pop_front();
        }
        self.open.push_back((next_offset, first));
    }

    /// What its lag is measured from.
    pub(crate) fn measured(&self) -> Measured {
        let position = self.core.position();
        let done = position.map(|position| position.next_offset);
        let open = self.open.iter().find(|(next, _)| Some(*next) > done);
        Measured {
            tenant: self.tenant.clone(),
            source: self.source.clone(),
            next_offset: position
                .map(|position| position.next_offset)
                .or(self.committed),
            oldest: open.map(|(_, first)| *first),
            stop: self.stop.clone(),
        }
    }
}

/// What a commit carries beside its offset.
fn metadata(account: &Account, claim: u64) -> String {
    format!("{account};gen={claim}")
}

/// The generation in a commit; 0 where there was none yet.
fn claim_of(commit: &Commit) -> u64 {
    let mut words = commit.metadata.split(';');
    let claim = words.find_map(|word| word.strip_prefix("gen=")?.parse().ok());
    claim.unwrap_or(0)
}

fn account_of(commit: &Commit) -> Account {
    commit.metadata.parse().unwrap_or_else(|error| {
        if !commit.metadata.is_empty() {
            tracing::warn!(source = %commit.source, %error, "the account begins anew");
        }
        Account::default()
    })
}

/// The records of a batch that hold lines; ticks and marks have no value.
pub(crate) fn records_of(batch: &Batch) -> impl Iterator<Item = InputRecord<'_>> {
    batch.records().filter_map(|record| {
        Some(InputRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            value: record.value?,
        })
    })
}
