//! A rate that is kept over some seconds: what is taken may run ahead of it, and is paid back before more is taken.

use model::Span;
use std::time::Duration;

/// Tokens of one rate. Whoever comes while there are some is let in, however much it then takes, so that a body
/// that is larger than the burst is not refused for ever; the debt keeps the next ones out.
#[derive(Debug, Clone)]
pub struct Bucket {
    per_s: f64,
    burst: f64,
    tokens: f64,
    /// When the tokens were counted, in nanoseconds.
    at: i64,
}

impl Bucket {
    /// A full bucket of `per_s` tokens a second that holds those of `burst`.
    pub fn new(per_s: u64, burst: Span, now: i64) -> Self {
        let per_s = per_s.max(1) as f64;
        let burst = per_s * (burst.as_millis().max(1) as f64 / 1e3);
        Self {
            per_s,
            burst,
            tokens: burst,
            at: now,
        }
    }

    /// The same bucket at another rate: what was taken stays taken.
    #[must_use]
    pub fn at_rate(&self, per_s: u64, burst: Span, now: i64) -> Self {
        let fresh = Self::new(per_s, burst, now);
        Self {
            tokens: self.tokens.min(fresh.burst),
            ..fresh
        }
    }

    /// Whether something may be taken now, or after how long.
    pub fn admit(&mut self, now: i64) -> Result<(), Duration> {
        // A clock that was set back fills nothing, and counts on from where it is.
        let passed = now.saturating_sub(self.at).max(0) as f64 / 1e9;
        self.at = now;
        self.tokens = (self.tokens + passed * self.per_s).min(self.burst);
        if self.tokens > 0.0 {
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_s))
        }
    }

    /// Takes so many tokens, those of later seconds too.
    pub fn charge(&mut self, tokens: usize) {
        self.tokens -= tokens as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_rate_is_kept_whatever_the_size_of_bodies() {
        for body in [1, 70, 1_000, 25_000] {
            let mut bucket = Bucket::new(1_000, Span::from_secs(5), 0);
            let (mut now, mut taken) = (0, 0_usize);
            while now < 600 * SECOND {
                match bucket.admit(now) {
                    Ok(()) => {
                        bucket.charge(body);
                        taken += body;
                    }
                    Err(wait) => now += wait.as_nanos() as i64,
                }
            }
            let most = 600 * 1_000 + 5_000 + body;
            assert!((600_000 - body..=most).contains(&taken), "{body}: {taken}");
        }
    }

    #[test]
    fn the_wait_that_is_said_is_enough_and_not_too_long() {
        let mut bucket = Bucket::new(100, Span::from_secs(1), 0);
        bucket.charge(400);
        let wait = bucket.admit(0).unwrap_err();
        assert_eq!(wait, Duration::from_millis(3_010));
        assert!(bucket.admit(3 * SECOND - 1).is_err());
        assert!(bucket.admit(wait.as_nanos() as i64).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_and_takes_nothing() {
        let mut bucket = Bucket::new(10, Span::from_secs(1), 100 * SECOND);
        bucket.charge(20);
        assert!(bucket.admit(0).is_err());
        assert!(bucket.admit(3 * SECOND).is_ok());
    }

    #[test]
    fn a_new_rate_holds_at_once_and_forgives_no_debt() {
        let mut bucket = Bucket::new(10, Span::from_secs(1), 0);
        bucket.charge(30);
        let mut faster = bucket.at_rate(20, Span::from_secs(1), 0);
        assert!(faster.admit(SECOND / 2).is_err());
        assert!(faster.admit(2 * SECOND).is_ok());
    }
}
