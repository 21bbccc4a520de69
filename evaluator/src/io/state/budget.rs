//! How fast a process writes its state, all its partitions together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes a second, shared by the partitions of a process. Who writes pays with time: the next bytes are due when those
/// before them are paid for.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_per_second: usize,
    /// When everything that was written is paid for; none before the first.
    paid: Mutex<Option<Instant>>,
}

impl Budget {
    /// So many bytes a second, at least 1.
    pub(crate) fn new(bytes_per_second: usize) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            paid: Mutex::new(None),
        }
    }

    /// So many bytes are written at `now`. Answers when they are paid for.
    pub(crate) fn spend(&self, bytes: usize, now: Instant) -> Instant {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let from = paid.map_or(now, |paid| paid.max(now));
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        *paid.insert(from + cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_together_is_paid_for_one_after_the_other_and_idleness_saves_nothing() {
        let budget = Budget::new(1_000);
        #[expect(
            clippy::disallowed_methods,
            reason = "an origin that is never compared with a clock"
        )]
        let begun = Instant::from_std(std::time::Instant::now());
        let after = |ms| begun + Duration::from_millis(ms);
        assert_eq!(budget.spend(500, begun), after(500));
        assert_eq!(budget.spend(1_000, begun), after(1_500));
        assert_eq!(budget.spend(0, after(200)), after(1_500));
        assert_eq!(budget.spend(100, after(9_000)), after(9_100));
    }
}
