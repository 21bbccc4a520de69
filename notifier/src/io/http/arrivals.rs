//! What came from a provider already, and how much of it is being carried out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that are being carried out after their answer.
const IN_FLIGHT: usize = 64;
/// Marks that are remembered: more than Slack's rate limits allow within the five minutes that a signature is good for.
const REMEMBERED: usize = 8_192;

/// The memory of one kind of request, each known by a mark of its own: a signature, an event's id.
pub(super) struct Arrivals {
    turns: Arc<Semaphore>,
    taken: Mutex<VecDeque<String>>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(IN_FLIGHT)),
            taken: Mutex::new(VecDeque::new()),
        }
    }
}

impl Arrivals {
    /// A turn to carry one out; none when too many are being carried out.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Whether the one of this mark comes for the first time.
    pub(super) fn is_new(&self, mark: &str) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.iter().any(|known| known == mark) {
            return false;
        }
        if taken.len() == REMEMBERED {
            taken.pop_front();
        }
        taken.push_back(mark.to_owned());
        true
    }

    /// Takes one back that could not be carried out: it may come again.
    pub(super) fn forget(&self, mark: &str) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|known| known != mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_marks_is_bounded() {
        let arrivals = Arrivals::default();
        assert!(arrivals.is_new("first"));
        assert!(!arrivals.is_new("first"));
        for n in 0..REMEMBERED {
            assert!(arrivals.is_new(&n.to_string()));
        }
        assert!(arrivals.is_new("first"), "the oldest was forgotten");
    }
}
