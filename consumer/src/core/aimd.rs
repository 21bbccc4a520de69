//! How many writes a shard is given at once: one more while it copes, half as many when it does not.

use std::fmt;

/// Never fewer than so many, so that one slow write does not stop a shard.
pub const FLOOR: usize = 2;

/// Why the number of writes in flight changed; a label of few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// As many writes as there may be were stored, one after the other.
    Coping,
    /// The shard asked for less (429, 503).
    Busy,
    /// The shard failed (other 5xx).
    Failed,
    /// The shard could not be reached, or did not answer in time.
    Unreachable,
}

impl Reason {
    /// The word for it in a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Coping => "coping",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }
}

/// A change of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub from: usize,
    /// Now.
    pub to: usize,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, reason } = self;
        write!(f, "{from} -> {to} ({})", reason.label())
    }
}

/// Additive increase, multiplicative decrease.
#[derive(Debug, Clone)]
pub struct Aimd {
    limit: usize,
    most: usize,
    /// Writes stored at the limit since it last changed.
    stored: usize,
    /// Counts the decreases: a write that began before the last one says nothing new.
    round: u64,
}

impl Aimd {
    /// Begins at the most there may be: nothing is known against it.
    pub fn new(most: usize) -> Self {
        let most = most.max(FLOOR);
        Self {
            limit: most,
            most,
            stored: 0,
            round: 0,
        }
    }

    /// Writes that may be in flight.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// To be kept by a write from its beginning.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// A write was answered well while `in_flight` were under way, itself included. Only at the limit
    /// does that say that there may be more.
    pub fn coped(&mut self, in_flight: usize) -> Option<Change> {
        if in_flight < self.limit || self.limit == self.most {
            return None;
        }
        self.stored += 1;
        if self.stored < self.limit {
            return None;
        }
        Some(self.set(self.limit + 1, Reason::Coping))
    }

    /// A write that began in `round` was refused or not answered.
    pub fn strained(&mut self, round: u64, reason: Reason) -> Option<Change> {
        if round != self.round || self.limit == FLOOR {
            return None;
        }
        self.round += 1;
        Some(self.set((self.limit / 2).max(FLOOR), reason))
    }

    fn set(&mut self, to: usize, reason: Reason) -> Change {
        self.stored = 0;
        let from = std::mem::replace(&mut self.limit, to);
        Change { from, to, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_once_a_round_and_never_below_the_floor() {
        let mut aimd = Aimd::new(16);
        let round = aimd.round();
        let change = aimd.strained(round, Reason::Busy).unwrap();
        assert_eq!((change.from, change.to), (16, 8));
        assert_eq!(aimd.strained(round, Reason::Busy), None, "the same round");
        for expected in [4, 2] {
            let round = aimd.round();
            assert_eq!(aimd.strained(round, Reason::Failed).unwrap().to, expected);
        }
        assert_eq!(aimd.strained(aimd.round(), Reason::Unreachable), None);
        assert_eq!(aimd.limit(), FLOOR);
    }

    #[test]
    fn it_grows_by_one_after_a_limit_of_good_writes_at_the_limit() {
        let mut aimd = Aimd::new(4);
        assert_eq!(aimd.coped(4), None, "it is at the most");
        aimd.strained(aimd.round(), Reason::Busy);
        assert_eq!(aimd.coped(1), None, "one in flight says nothing of three");
        assert_eq!(aimd.coped(2), None);
        let change = aimd.coped(2).unwrap();
        assert_eq!(change.to_string(), "2 -> 3 (coping)");
        for _ in 0..2 {
            assert_eq!(aimd.coped(3), None);
        }
        assert_eq!(aimd.coped(3).unwrap().to, 4);
        assert_eq!(aimd.coped(4), None);
    }
}
