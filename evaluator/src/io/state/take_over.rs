//! Claims inputs and reads what their earlier owners have left.

use super::choose::{Chosen, History};
use super::follow::{Followers, Watched};
use super::key::{InputId, StateKey, parse};
use crate::core::{RestoreError, decode_part_offset};
use crate::io::backoff::Backoff;
use bytes::Bytes;
use model::TopicName;
use std::collections::HashMap;
use std::sync::Arc;
use stream::{NewRecord, Stream, StreamError, TopicPartition};
use tokio::sync::oneshot;

/// The state topic as this process uses it. A cheap handle.
#[derive(Clone)]
pub(crate) struct StateTopic {
    stream: Stream,
    partitions: u32,
    followers: Arc<Followers>,
    member: Bytes,
}

/// An input that is claimed, and what to begin with.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// Offset of the claim.
    pub(crate) epoch: i64,
    /// Shows higher claims.
    pub(crate) watched: Watched,
    /// What earlier owners have left.
    pub(crate) chosen: Result<Chosen, RestoreError>,
}

/// An input to claim, and where the answer goes.
pub(crate) struct Candidate {
    /// The input.
    pub(crate) input: InputId,
    /// Told when it is claimed and read; closed by whoever no longer wants it.
    pub(crate) answer: oneshot::Sender<Claimed>,
}

/// A candidate whose claim is written.
struct Standing {
    candidate: Candidate,
    epoch: i64,
    watched: Watched,
}

impl StateTopic {
    /// `member` is written into claims, for people who look.
    pub(crate) fn new(
        stream: Stream,
        partitions: u32,
        followers: Followers,
        member: impl Into<Bytes>,
    ) -> Self {
        Self {
            stream,
            partitions,
            followers: Arc::new(followers),
            member: member.into(),
        }
    }

    /// The partition of the state topic that holds an input's records.
    pub(crate) fn home(&self, input: &InputId) -> TopicPartition {
        TopicPartition::new(TopicName::evaluator_state(), input.home(self.partitions))
    }

    /// Claims inputs that share a home and reads their state in one pass. Tries until it succeeds,
    /// the log is closed or nobody wants the answers any more.
    pub(crate) async fn take_over(
        self,
        home: TopicPartition,
        candidates: Vec<Candidate>,
    ) -> Result<(), StreamError> {
        let mut standing = Vec::new();
        for candidate in candidates {
            if let Some(claimed) = self.claim(&home, candidate).await? {
                standing.push(claimed);
            }
        }
        let mut histories = self.read(&home, &standing).await?;
        for Standing {
            candidate,
            epoch,
            watched,
        } in standing
        {
            let history = histories
                .remove(&candidate.input)
                .unwrap_or_else(|| History::new(decode_part_offset));
            let claimed = Claimed {
                epoch,
                watched,
                chosen: history.choose(),
            };
            // The partition may have been given back in the meantime.
            drop(candidate.answer.send(claimed));
        }
        Ok(())
    }

    async fn claim(
        &self,
        home: &TopicPartition,
        mut candidate: Candidate,
    ) -> Result<Option<Standing>, StreamError> {
        let key = candidate.input.key(&StateKey::Claim);
        let mut backoff = Backoff::default();
        loop {
            let once = async {
                let watched = self.followers.watch(home, &candidate.input).await?;
                let record = NewRecord::keyed(home.clone(), key.clone(), Some(self.member.clone()));
                let appended = self.stream.send(record).await?;
                Ok((appended.offset, watched))
            };
            let tried: Result<(i64, Watched), StreamError> = tokio::select! {
                () = candidate.answer.closed() => return Ok(None),
                tried = once => tried,
            };
            match tried {
                Ok((epoch, watched)) => {
                    return Ok(Some(Standing {
                        candidate,
                        epoch,
                        watched,
                    }));
                }
                Err(StreamError::Closed) => return Err(StreamError::Closed),
                Err(error) => {
                    let input = &candidate.input;
                    tracing::warn!(
                        %input, %error,
                        "a partition cannot be claimed yet; trying again"
                    );
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }

    async fn read(
        &self,
        home: &TopicPartition,
        standing: &[Standing],
    ) -> Result<HashMap<InputId, History>, StreamError> {
        let mut backoff = Backoff::default();
        loop {
            match self.read_once(home, standing).await {
                Err(StreamError::Closed) => return Err(StreamError::Closed),
                Err(error) => {
                    tracing::warn!(
                        %home, %error,
                        "the evaluator's state cannot be read yet; trying again"
                    );
                    tokio::time::sleep(backoff.next()).await;
                }
                read => return read,
            }
        }
    }

    /// Reads the home once; each input's records up to its own claim.
    async fn read_once(
        &self,
        home: &TopicPartition,
        standing: &[Standing],
    ) -> Result<HashMap<InputId, History>, StreamError> {
        let claims: HashMap<&InputId, i64> = standing
            .iter()
            .map(|standing| (&standing.candidate.input, standing.epoch))
            .collect();
        let mut histories = HashMap::new();
        let Some(last_claim) = claims.values().copied().max() else {
            return Ok(histories);
        };
        let earliest = self.stream.offsets(home).await?.earliest;
        let mut reader = self.stream.read(home, earliest).await?;
        loop {
            let batch = reader.next().await.unwrap_or(Err(StreamError::Closed))?;
            for record in batch.records() {
                if let Some((input, key)) = record.key.and_then(parse)
                    && claims
                        .get(&input)
                        .is_some_and(|claim| record.offset < *claim)
                {
                    let history: &mut History = histories
                        .entry(input)
                        .or_insert_with(|| History::new(decode_part_offset));
                    history.apply(key, record.value);
                }
            }
            if batch.last_offset() >= Some(last_claim) {
                return Ok(histories);
            }
        }
    }
}
