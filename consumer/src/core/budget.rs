//! One budget of bytes for everything that was read and is not yet stored.

use std::collections::HashMap;

/// A partition may hold at most this part of the budget, so that one whose shard is dead leaves
/// room for the others.
const LARGEST_SHARE: usize = 4;

/// What the budget wants done to the reading of partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Stop reading this partition.
    Pause(u64),
    /// Read it again.
    Resume(u64),
}

/// Bytes held, by partition.
///
/// A partition is paused when it holds its share: a quarter of the limit, or less when many hold
/// something. All are paused while the sum is over the limit. Each resumes at half of that.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: usize,
    /// How many partitions hold something, and how many are paused.
    holders: usize,
    paused: usize,
    over: bool,
    parts: HashMap<u64, Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    over: bool,
    paused: bool,
}

impl Budget {
    /// A budget of that many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: 0,
            holders: 0,
            paused: 0,
            over: false,
            parts: HashMap::new(),
        }
    }

    /// Bytes held by all.
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many partitions are paused.
    pub fn paused(&self) -> usize {
        self.paused
    }

    /// A partition begins to be read.
    pub fn join(&mut self, part: u64) -> Vec<Flow> {
        self.parts.entry(part).or_default();
        self.flow(None)
    }

    /// A partition is gone, with all it held.
    pub fn leave(&mut self, part: u64) -> Vec<Flow> {
        if let Some(gone) = self.parts.remove(&part) {
            self.held -= gone.bytes;
            self.holders -= usize::from(gone.bytes > 0);
            self.paused -= usize::from(gone.paused);
        }
        self.flow(None)
    }

    /// A partition holds more bytes.
    pub fn take(&mut self, part: u64, bytes: usize) -> Vec<Flow> {
        let Some(held) = self.parts.get_mut(&part) else {
            return Vec::new();
        };
        self.holders += usize::from(held.bytes == 0 && bytes > 0);
        held.bytes += bytes;
        self.held += bytes;
        self.flow(Some(part))
    }

    /// A partition holds less.
    pub fn give(&mut self, part: u64, bytes: usize) -> Vec<Flow> {
        let Some(held) = self.parts.get_mut(&part) else {
            return Vec::new();
        };
        let bytes = bytes.min(held.bytes);
        self.holders -= usize::from(bytes > 0 && held.bytes == bytes);
        held.bytes -= bytes;
        self.held -= bytes;
        self.flow(Some(part))
    }

    /// Looks at one partition, and at all of them when the sum crossed the limit.
    fn flow(&mut self, changed: Option<u64>) -> Vec<Flow> {
        let was_over = self.over;
        self.over = self.held > if was_over { self.limit / 2 } else { self.limit };
        if let Some(part) = changed {
            self.weigh(part);
        }
        let mut flows = Vec::new();
        let (over, mut paused) = (self.over, self.paused);
        let mut look = |id: u64, part: &mut Held| {
            let wanted = over || part.over;
            if wanted != part.paused {
                part.paused = wanted;
                if wanted {
                    paused += 1;
                    flows.push(Flow::Pause(id));
                } else {
                    paused -= 1;
                    flows.push(Flow::Resume(id));
                }
            }
        };
        match changed.filter(|_| was_over == self.over) {
            Some(id) => {
                if let Some(part) = self.parts.get_mut(&id) {
                    look(id, part);
                }
            }
            None => self.parts.iter_mut().for_each(|(id, part)| look(*id, part)),
        }
        self.paused = paused;
        flows
    }

    fn weigh(&mut self, part: u64) {
        let share = self.limit / self.holders.max(LARGEST_SHARE);
        if let Some(part) = self.parts.get_mut(&part) {
            part.over = part.bytes > if part.over { share / 2 } else { share };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_partition_is_paused_at_its_share_and_resumes_at_half_of_it() {
        let mut budget = Budget::new(400);
        assert_eq!(budget.join(1), []);
        assert_eq!(budget.take(1, 100), []);
        assert_eq!(budget.take(1, 20), [Flow::Pause(1)]);
        assert_eq!(budget.give(1, 50), []);
        assert_eq!(budget.give(1, 20), [Flow::Resume(1)]);
    }

    #[test]
    fn all_are_paused_while_the_sum_is_over_the_limit() {
        let mut budget = Budget::new(400);
        for part in 0..10 {
            budget.join(part);
        }
        for part in 0..9 {
            budget.take(part, 40);
        }
        let paused = budget.take(0, 50);
        assert_eq!(budget.paused(), 10, "{paused:?}");
        let resumed: Vec<_> = (0..9).flat_map(|part| budget.give(part, 40)).collect();
        assert!(resumed.contains(&Flow::Resume(9)), "{resumed:?}");
    }

    #[test]
    fn a_partition_that_leaves_gives_back_what_it_held() {
        let mut budget = Budget::new(100);
        budget.join(1);
        budget.join(2);
        budget.take(1, 150);
        assert_eq!(budget.paused(), 2);
        assert_eq!(budget.leave(1), [Flow::Resume(2)]);
        assert_eq!(budget.held(), 0);
        assert_eq!(
            budget.give(1, 150),
            [],
            "a late report of it changes nothing"
        );
    }

    proptest! {
        #[test]
        fn nobody_is_left_paused_when_nothing_is_held(
            steps in proptest::collection::vec((0_u64..6, 1_usize..80), 1..200),
        ) {
            let mut budget = Budget::new(200);
            let mut paused = std::collections::HashSet::new();
            let mut follow = |flows: Vec<Flow>| {
                for flow in flows {
                    match flow {
                        Flow::Pause(part) => assert!(paused.insert(part)),
                        Flow::Resume(part) => assert!(paused.remove(&part)),
                    }
                }
                paused.len()
            };
            let mut held = [0; 6];
            for part in 0..6 {
                follow(budget.join(part));
            }
            for (part, bytes) in steps {
                held[part as usize] += bytes;
                follow(budget.take(part, bytes));
            }
            for part in 0..6 {
                let left = follow(budget.give(part, held[part as usize]));
                prop_assert_eq!(left, budget.paused());
            }
            prop_assert_eq!((budget.held(), budget.paused()), (0, 0));
        }
    }
}
