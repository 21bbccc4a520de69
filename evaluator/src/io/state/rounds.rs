//! Which parts of the state are written when.
//!
//! A round writes the parts that had changed at its begin, spread over the state interval in
//! shares, and ends with a checkpoint. A new owner has no checkpoint until everything that it took
//! over is written under its own epoch; the core counts what it took over as changed, so that its
//! first rounds do that.

use super::checkpoint::{self, Gone};
use super::key::StateKey;
use super::save::{Checkpoint, Job};
use crate::core::{PartKey, Partition, RestoreError, decode_part_offset};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// Shares of a round, at most.
const SHARES: u32 = 8;
/// Fewer parts than this are no share of their own.
const PARTS_PER_SHARE: usize = 64;
/// The size of a part until one was seen.
const PART_BYTES: usize = 512;

/// State in parts that knows what of it has changed, as [`Partition`] does.
pub(crate) trait Parts {
    /// Where reading goes on.
    fn next_offset(&self) -> i64;
    /// How many parts have changes that were not given out.
    fn dirty_parts(&self) -> usize;
    /// Gives out changed parts, those that wait longest first; none for a part that is gone.
    fn take_dirty(&mut self, max_bytes: usize) -> Vec<(PartKey, Option<Vec<u8>>)>;
    /// Whether nothing of what was restored is left that was not given out again.
    fn is_whole(&self) -> bool;
    /// The lowest position that a part not given out still needs.
    fn checkpoint(&mut self) -> Vec<u8>;
    /// That position, read out of a checkpoint.
    fn position(checkpoint: &[u8]) -> Result<i64, RestoreError>;
}

impl Parts for Partition {
    fn next_offset(&self) -> i64 {
        Partition::next_offset(self)
    }

    fn dirty_parts(&self) -> usize {
        Partition::dirty_parts(self)
    }

    fn take_dirty(&mut self, max_bytes: usize) -> Vec<(PartKey, Option<Vec<u8>>)> {
        Partition::take_dirty(self, max_bytes)
    }

    fn is_whole(&self) -> bool {
        Partition::is_whole(self)
    }

    fn checkpoint(&mut self) -> Vec<u8> {
        Partition::checkpoint(self)
    }

    fn position(checkpoint: &[u8]) -> Result<i64, RestoreError> {
        decode_part_offset(checkpoint)
    }
}

/// The plan of writing of one owner.
#[derive(Debug)]
pub(crate) struct Rounds {
    epoch: i64,
    interval: Duration,
    chunk: usize,
    /// The keys of earlier owners.
    earlier: Vec<StateKey>,
    /// Where the owner has written up to.
    written: i64,
    /// How far the core was at the last checkpoint.
    covered: Option<i64>,
    due: Instant,
    round: Option<Round>,
    /// Parts that were deleted in a round without a checkpoint.
    carried: Gone,
    average: usize,
}

#[derive(Debug)]
struct Round {
    began: Instant,
    /// Parts to write before its end.
    left: usize,
    /// Shares to spread them over; 0: as fast as they are acknowledged.
    shares: u32,
    gone: Gone,
}

impl Rounds {
    /// The first round is due at once.
    pub(crate) fn new(
        epoch: i64,
        interval: Duration,
        chunk: usize,
        earlier: Vec<StateKey>,
        now: Instant,
    ) -> Self {
        Self {
            epoch,
            interval,
            chunk,
            earlier,
            written: epoch,
            covered: None,
            due: now,
            round: None,
            carried: Gone::new(),
            average: PART_BYTES,
        }
    }

    /// When to ask for the next share.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// A job was done, and the owner has written up to there.
    pub(crate) fn written(&mut self, written: i64) {
        self.written = self.written.max(written);
    }

    /// Everything that is left shall be written without pacing.
    pub(crate) fn hurry(&mut self, core: &impl Parts, now: Instant) {
        let gone = self.round.take().map(|round| round.gone);
        self.round = Some(Round {
            began: now,
            left: core.dirty_parts(),
            shares: 0,
            gone: gone.unwrap_or_default(),
        });
        self.due = now;
    }

    /// The next share, when it is time and there is something to write. The job before must be
    /// done.
    pub(crate) fn next<P: Parts>(
        &mut self,
        core: &mut P,
        events: u64,
        now: Instant,
    ) -> Result<Option<Job>, RestoreError> {
        if now < self.due {
            return Ok(None);
        }
        let Some(mut round) = self.round.take().or_else(|| self.begin(core, now)) else {
            self.due = now + self.interval;
            return Ok(None);
        };
        let parts = self.share(&mut round, core);
        let mut checkpoint = None;
        if round.left > 0 {
            let spread = round.shares > 0;
            self.due = now
                + if spread {
                    self.interval / SHARES
                } else {
                    Duration::ZERO
                };
            self.round = Some(round);
        } else if core.is_whole() {
            checkpoint = Some(self.checkpoint(&round.gone, core)?);
            self.due = now.max(round.began + self.interval);
        } else {
            // What was deleted stands in the first checkpoint.
            self.due = now + self.interval / SHARES;
            self.carried.append(&mut round.gone);
        }
        let nothing = parts.is_empty() && checkpoint.is_none();
        Ok((!nothing).then_some(Job {
            events,
            parts,
            written: self.written,
            checkpoint,
        }))
    }

    /// None when nothing has changed since the last checkpoint.
    fn begin(&mut self, core: &impl Parts, now: Instant) -> Option<Round> {
        let left = core.dirty_parts();
        if left == 0 && self.covered == Some(core.next_offset()) {
            return None;
        }
        let shares = u32::try_from(left / PARTS_PER_SHARE).unwrap_or(SHARES);
        Some(Round {
            began: now,
            left,
            shares: shares.clamp(1, SHARES),
            gone: std::mem::take(&mut self.carried),
        })
    }

    fn share(&mut self, round: &mut Round, core: &mut impl Parts) -> Vec<(Bytes, Bytes)> {
        let before = core.dirty_parts();
        if round.left == 0 || before == 0 {
            round.left = 0;
            return Vec::new();
        }
        let want = round.left.div_ceil(round.shares.max(1) as usize);
        let budget = want.saturating_mul(self.average).clamp(1, self.chunk);
        round.shares = round.shares.saturating_sub(1);
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for (id, value) in core.take_dirty(budget) {
            let id = Bytes::from(id);
            match value {
                Some(value) => {
                    bytes += value.len();
                    round.gone.remove(&id);
                    parts.push((id, Bytes::from(value)));
                }
                None => drop(round.gone.insert(id)),
            }
        }
        // None given: all are ahead of the log, and wait until it has come to them.
        let given = before - core.dirty_parts();
        round.left = match bytes.checked_div(given) {
            Some(size) => {
                self.average = (self.average + size).div_ceil(2).max(1);
                round.left.saturating_sub(given)
            }
            None => 0,
        };
        parts
    }

    fn checkpoint<P: Parts>(
        &mut self,
        gone: &Gone,
        core: &mut P,
    ) -> Result<Checkpoint, RestoreError> {
        let bytes = core.checkpoint();
        let epoch = self.epoch;
        let deleted = gone.iter().map(|id| StateKey::Part {
            epoch,
            id: id.clone(),
        });
        let earlier = std::mem::take(&mut self.earlier);
        self.covered = Some(core.next_offset());
        Ok(Checkpoint {
            next_offset: P::position(&bytes)?,
            value: checkpoint::encode(&bytes, gone),
            delete: earlier.into_iter().chain(deleted).collect(),
        })
    }
}
