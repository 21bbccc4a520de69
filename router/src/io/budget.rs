//! The bytes that all requests together may hold.

use super::answer::Refusal;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The process's bytes for bodies.
pub(super) struct Budget(Semaphore);

/// What one request holds of them; given back when it is dropped.
pub(super) struct Share<'a> {
    budget: &'a Semaphore,
    held: Option<SemaphorePermit<'a>>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
    }

    /// A share that holds nothing yet.
    pub(super) fn share(&self) -> Share<'_> {
        Share {
            budget: &self.0,
            held: None,
        }
    }
}

impl Share<'_> {
    /// Takes so many bytes more, or says that there are none left.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::Busy)?;
        let more = self
            .budget
            .try_acquire_many(bytes)
            .map_err(|_| Refusal::Busy)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_never_exceed_the_budget_and_are_given_back() {
        let budget = Budget::new(100);
        let mut one = budget.share();
        one.grow(60).unwrap();
        assert_eq!(budget.share().grow(50), Err(Refusal::Busy));
        one.grow(40).unwrap();
        drop(one);
        budget.share().grow(100).unwrap();
    }
}
