//! How long to wait before a write is sent again.

use std::time::Duration;

/// A store may ask for more patience than this; it is asked again after this time all the same.
const MOST_ASKED: Duration = Duration::from_secs(300);

/// Exponential back-off with jitter.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait that is not asked for by the store.
    pub most: Duration,
}

impl Backoff {
    /// The wait before attempt number `attempt` (1 is the first repeat). `after` is what the store
    /// asked for, and `random` any number: it spreads the waits of many lanes over a quarter of the
    /// time, so that they do not come back in step.
    pub fn delay(&self, attempt: u32, after: Option<Duration>, random: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let own = self.first.saturating_mul(1 << doublings).min(self.most);
        let asked = after.map_or(Duration::ZERO, |after| after.min(MOST_ASKED));
        let base = own.max(asked);
        let spread = base.mul_f64((random % 1024) as f64 / 4096.0);
        // Never less than the store asked for, never more than the longest where it did not ask.
        if asked >= own {
            base + spread
        } else {
            (base - spread).max(asked)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(100),
        most: Duration::from_secs(10),
    };

    #[test]
    fn waits_double_up_to_the_longest() {
        for (attempt, millis) in [(1, 100), (2, 200), (3, 400), (7, 6_400), (8, 10_000)] {
            assert_eq!(
                BACKOFF.delay(attempt, None, 0),
                Duration::from_millis(millis)
            );
        }
        assert_eq!(BACKOFF.delay(u32::MAX, None, 0), BACKOFF.most);
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        for random in 0..5_000 {
            let wait = BACKOFF.delay(4, None, random);
            assert!(wait <= Duration::from_millis(800) && wait >= Duration::from_millis(600));
        }
    }

    #[test]
    fn the_store_is_never_asked_earlier_than_it_wants() {
        for random in 0..5_000 {
            for (attempt, after) in [(1, 7), (8, 7), (1, 60)] {
                let after = Duration::from_secs(after);
                assert!(BACKOFF.delay(attempt, Some(after), random) >= after);
            }
            let day = Duration::from_secs(86_400);
            assert!(BACKOFF.delay(1, Some(day), random) <= MOST_ASKED.mul_f64(1.25));
        }
    }
}
