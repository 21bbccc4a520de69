//! Which parts of the state are written when.
//!
//! A round writes the parts that had changed at its begin, spread over the state interval in
//! shares, and ends with a checkpoint. Where that would be more bytes a second than the process may write, the round takes
//! longer, up to five minutes. A new owner has no checkpoint until everything that it took
//! over is written under its own epoch; the core counts what it took over as changed, so that its
//! first rounds do that.

use super::budget::Budget;
use super::checkpoint::{self, Gone};
use super::key::StateKey;
use super::save::{Checkpoint, Job};
use crate::config::LONGEST_STATE_INTERVAL;
use crate::core::{PartKey, Partition, RestoreError, decode_part_offset};
use bytes::Bytes;
use std::sync::Arc;
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

impl Round {
    /// When it ends at the latest, whatever the budget says.
    fn longest(&self) -> Instant {
        self.began + LONGEST_STATE_INTERVAL.to_std()
    }
}

/// The plan of writing of one owner.
#[derive(Debug)]
pub(crate) struct Rounds {
    epoch: i64,
    interval: Duration,
    chunk: usize,
    budget: Arc<Budget>,
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
    /// Shares to spread them over; 0: as fast as they are acknowledged and paid for.
    shares: u32,
    /// Nothing is waited for.
    hurried: bool,
    gone: Gone,
}

impl Rounds {
    /// The first round is due at once.
    pub(crate) fn new(
        epoch: i64,
        interval: Duration,
        (chunk, budget): (usize, Arc<Budget>),
        earlier: Vec<StateKey>,
        now: Instant,
    ) -> Self {
        Self {
            epoch,
            interval,
            chunk,
            budget,
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
            hurried: true,
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
        let before = round.left;
        let parts = self.share(&mut round, core);
        let bytes = parts.iter().map(|(id, value)| id.len() + value.len()).sum();
        let paid = self.budget.spend(bytes, now);
        let mut checkpoint = None;
        if round.left > 0 {
            self.due = self.next_share(&round, before, (now, paid));
            self.round = Some(round);
        } else if core.is_whole() {
            checkpoint = Some(self.checkpoint(&round.gone, core)?);
            let ends = paid.min(round.longest());
            self.due = now.max(round.began + self.interval).max(ends);
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

    /// When a round goes on whose last share is paid for at `paid`, and before which `before` parts were left.
    fn next_share(&self, round: &Round, before: usize, (now, paid): (Instant, Instant)) -> Instant {
        if round.hurried {
            return now;
        }
        let spread = match round.shares {
            0 => now,
            _ => now + self.interval / SHARES,
        };
        // What is left has its part of the time that is left, at most.
        let time = round.longest().saturating_duration_since(now);
        let given = before.saturating_sub(round.left).max(1);
        let latest = now + time.mul_f64(given as f64 / before.max(given) as f64);
        spread.max(paid).min(latest)
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
            hurried: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of 1,000 bytes, all of which change again as soon as they are given out.
    struct Busy {
        parts: usize,
        /// Those that have changed since they were given out, in the order in which that was.
        dirty: usize,
    }

    impl Parts for Busy {
        fn next_offset(&self) -> i64 {
            0
        }
        fn dirty_parts(&self) -> usize {
            self.dirty
        }
        fn take_dirty(&mut self, max_bytes: usize) -> Vec<(PartKey, Option<Vec<u8>>)> {
            let count = max_bytes.div_ceil(1_000).min(self.dirty);
            self.dirty -= count;
            let part = |n: usize| (n.to_be_bytes().to_vec(), Some(vec![0; 992]));
            (0..count).map(part).collect()
        }
        fn is_whole(&self) -> bool {
            true
        }
        fn checkpoint(&mut self) -> Vec<u8> {
            self.dirty = self.parts;
            Vec::new()
        }
        fn position(_: &[u8]) -> Result<i64, RestoreError> {
            Ok(0)
        }
    }

    /// Bytes that were given out by the second, and when each round ended, over so many seconds.
    fn written(parts: usize, bytes_per_second: usize) -> (usize, Vec<u64>) {
        let budget = Arc::new(Budget::new(bytes_per_second));
        #[expect(
            clippy::disallowed_methods,
            reason = "an origin that is never compared with a clock"
        )]
        let begun = Instant::from_std(std::time::Instant::now());
        let (mut now, interval) = (begun, Duration::from_secs(5));
        let mut rounds = Rounds::new(1, interval, (1 << 20, budget), Vec::new(), begun);
        let dirty = parts;
        let (mut core, mut bytes, mut ends) = (Busy { parts, dirty }, 0, Vec::new());
        while now < begun + Duration::from_secs(900) {
            let job = rounds.next(&mut core, 0, now).unwrap();
            let job = job.expect("something is always to be written");
            bytes += job
                .parts
                .iter()
                .map(|(id, value)| id.len() + value.len())
                .sum::<usize>();
            if job.checkpoint.is_some() {
                ends.push(now.duration_since(begun).as_secs());
            }
            now = rounds.due();
        }
        (bytes / 900, ends)
    }

    #[test]
    fn a_round_takes_its_interval_or_what_its_bytes_cost_and_never_over_five_minutes() {
        // What it may write is more than enough: a round each 5 s.
        let (bytes, ends) = written(1_000, 4_000_000);
        assert!((199_000..202_000).contains(&bytes), "{bytes}");
        assert_eq!(ends.len(), 180);
        // 100 MB cost 25 s at 4 MB/s, and the first shares wait for the interval's sake.
        let (bytes, ends) = written(100_000, 4_000_000);
        assert!((3_500_000..=4_000_000).contains(&bytes), "{bytes}");
        assert!((31..=36).contains(&ends.len()), "{ends:?}");
        // At 100 kB/s they would cost 1,000 s.
        let (_, ends) = written(100_000, 100_000);
        assert!(ends.len() >= 2, "{ends:?}");
        let lasted = ends.windows(2).map(|two| two[1] - two[0]).max();
        assert!(ends[0] <= 300 && lasted <= Some(301), "{ends:?}");
    }
}
