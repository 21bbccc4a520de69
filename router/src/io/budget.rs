//! The bytes that the process may hold: bodies under way, open messages, and what waits for the log.

use super::answer::Refusal;
use crate::core::share::{Denied, may_take};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One tenant's account of the process's bytes. A cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    pool: Arc<Pool>,
    own: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Pool {
    total: usize,
    held: AtomicUsize,
}

/// What somebody holds of them; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    held: usize,
}

impl Budget {
    /// An account of a new pool.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            pool: Arc::new(Pool {
                total: bytes,
                held: AtomicUsize::new(0),
            }),
            own: Arc::default(),
        }
    }

    /// Another account of the same pool.
    pub(super) fn another(&self) -> Self {
        Self {
            pool: Arc::clone(&self.pool),
            own: Arc::default(),
        }
    }

    /// Bytes that all accounts of the pool hold together.
    pub(super) fn held(&self) -> usize {
        self.pool.held.load(Ordering::Relaxed)
    }

    /// A share that holds nothing yet.
    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            held: 0,
        }
    }

    fn take(&self, bytes: usize) -> Result<(), Refusal> {
        // The own account is counted first: of two requests of a tenant at once, one may be refused that would
        // just have fitted, and never are two taken that do not.
        let own = self.own.fetch_add(bytes, Ordering::Relaxed);
        let mut denied = Denied::Exhausted;
        let taken = self
            .pool
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
                match may_take(bytes, own, all, self.pool.total) {
                    Ok(()) => Some(all + bytes),
                    Err(why) => {
                        denied = why;
                        None
                    }
                }
            });
        if taken.is_ok() {
            return Ok(());
        }
        self.own.fetch_sub(bytes, Ordering::Relaxed);
        Err(match denied {
            Denied::Exhausted => Refusal::Busy,
            Denied::Unfair => Refusal::Share,
        })
    }

    fn give_back(&self, bytes: usize) {
        self.pool.held.fetch_sub(bytes, Ordering::Relaxed);
        self.own.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Share {
    /// Takes so many bytes more, or says why not.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.budget.take(bytes)?;
        self.held += bytes;
        Ok(())
    }

    /// A share of the same account that holds nothing yet.
    pub(super) fn empty(&self) -> Self {
        self.budget.share()
    }

    /// Takes bytes over from another share of the same account; all that it has, when it has fewer.
    pub(super) fn move_from(&mut self, other: &mut Self, bytes: usize) {
        let bytes = bytes.min(other.held);
        other.held -= bytes;
        self.held += bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_never_exceed_the_budget_and_are_given_back() {
        let one = Budget::new(100);
        let three = one.another();
        let mut share = one.share();
        share.grow(50).unwrap();
        assert_eq!(share.grow(1), Err(Refusal::Share));
        let mut other = three.share();
        other.grow(25).unwrap();
        assert_eq!(three.another().share().grow(26), Err(Refusal::Busy));
        assert_eq!(one.held(), 75);
        drop((share, other));
        assert_eq!(one.held(), 0);
        one.share().grow(50).unwrap();
    }

    #[test]
    fn bytes_move_between_shares_without_one_more_or_less() {
        let budget = Budget::new(100);
        let mut whole = budget.share();
        whole.grow(40).unwrap();
        let mut part = whole.empty();
        part.move_from(&mut whole, 30);
        drop(whole);
        assert_eq!(budget.held(), 30);
        drop(part);
        assert_eq!(budget.held(), 0);
    }
}
