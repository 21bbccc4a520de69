//! How fast messages of one tenant go to one destination by one account of a provider: a bucket of tokens each.
//!
//! A bucket is kept as the time at which it would be full again (the generic cell rate algorithm), so that nothing has to be
//! refilled and what is full is forgotten.

use model::{Span, Timestamp};
use std::collections::BTreeMap;

/// How fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// One message in so long, in the long run.
    pub every: Span,
    /// So many at once after a rest.
    pub burst: u32,
}

/// The buckets of one kind of message.
#[derive(Debug)]
pub struct Pace {
    rate: Rate,
    full_at: BTreeMap<String, Timestamp>,
}

impl Pace {
    /// All buckets full.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: BTreeMap::new(),
        }
    }

    /// Takes a token of a destination, also where there is none: what is sent counts.
    pub fn take(&mut self, destination: &str, now: Timestamp) {
        let known = self.full_at.get(destination).copied();
        let full_at = known.unwrap_or(now).max(now).plus(self.rate.every);
        self.full_at.insert(destination.to_owned(), full_at);
    }

    /// The destinations without a token now, each with the time at which it has one again. Forgets the buckets that are full.
    pub fn empty(&mut self, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        self.full_at.retain(|_, full_at| *full_at > now);
        let spare = i64::from(self.rate.burst.saturating_sub(1));
        let spare = self.rate.every.times(spare);
        let next = move |full_at: &Timestamp| full_at.minus(spare);
        self.full_at
            .iter()
            .map(move |(destination, full_at)| (destination.as_str(), next(full_at)))
            .filter(move |(_, next)| *next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    fn pace() -> Pace {
        Pace::new(Rate {
            every: Span::from_secs(1),
            burst: 3,
        })
    }

    fn is_empty(pace: &mut Pace, destination: &str, millis: i64) -> bool {
        pace.empty(at(millis))
            .any(|(empty, _)| empty == destination)
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_a_second() {
        let mut pace = pace();
        for _ in 0..3 {
            assert!(!is_empty(&mut pace, "C1", 0));
            pace.take("C1", at(0));
        }
        assert!(is_empty(&mut pace, "C1", 0));
        assert!(is_empty(&mut pace, "C1", 999));
        assert!(!is_empty(&mut pace, "C1", 1_000));
        pace.take("C1", at(1_000));
        assert_eq!(
            pace.empty(at(1_000)).collect::<Vec<_>>(),
            [("C1", at(2_000))]
        );
        assert!(!is_empty(&mut pace, "C2", 1_000), "another destination");
    }

    #[test]
    fn in_the_long_run_it_is_the_rate_however_often_it_is_asked() {
        let mut pace = pace();
        let mut sent = 0;
        for millis in 0..60_000 {
            if !is_empty(&mut pace, "C1", millis) {
                pace.take("C1", at(millis));
                sent += 1;
            }
        }
        assert_eq!(sent, 62, "60 in a minute, and the two of the burst");
    }

    #[test]
    fn what_rests_is_forgotten() {
        let mut pace = pace();
        for n in 0..1_000 {
            pace.take(&n.to_string(), at(0));
        }
        assert_eq!(pace.empty(at(1_000)).count(), 0);
        assert!(pace.full_at.is_empty());
    }
}
