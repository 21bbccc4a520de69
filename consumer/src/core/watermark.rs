//! How far a partition may be committed: behind every line that has its fate, and no further.

use super::{Account, Fates};
use std::collections::VecDeque;

/// A position that may be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The next offset to read.
    pub next_offset: i64,
    /// The sums over everything before it.
    pub account: Account,
}

/// What a batch held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Read {
    /// Lines.
    pub lines: u64,
    /// Fates that they must have.
    pub copies: u64,
    /// Replicas in force.
    pub replicas: u32,
}

/// Batches in the order in which they were read, each done when every line of it has a fate. The
/// condition of a commit and the account are one: every line has a fate in each of its places.
#[derive(Debug)]
pub struct Watermark {
    position: Option<Position>,
    account: Account,
    first: u64,
    batches: VecDeque<BatchState>,
}

#[derive(Debug, Default)]
struct BatchState {
    next_offset: i64,
    bytes: usize,
    sealed: bool,
    account: Account,
}

impl BatchState {
    fn is_done(&self) -> bool {
        self.sealed && self.account.is_balanced()
    }
}

impl Watermark {
    /// Nothing was read yet; the sums go on from those that were committed.
    pub fn new(account: Account) -> Self {
        Self {
            position: None,
            account,
            first: 0,
            batches: VecDeque::new(),
        }
    }

    /// Up to where all is done; none before the first batch is.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The sums over everything up to where all is done.
    pub fn account(&self) -> Account {
        self.account
    }

    /// Whether every batch read is done.
    pub fn is_done(&self) -> bool {
        self.batches.is_empty()
    }

    /// A new batch, with records before it that are gone from the log.
    pub fn begin(&mut self, lost_records: u64) -> u64 {
        let mut batch = BatchState::default();
        batch.account.lost_records = lost_records;
        self.batches.push_back(batch);
        self.first + self.batches.len() as u64 - 1
    }

    /// All of the batch was read: its lines and the fates that they must have, its size, and the
    /// offset behind it. True when it is done already, because it had no lines.
    pub fn seal(&mut self, batch: u64, read: Read, bytes: usize, next_offset: i64) -> bool {
        let Some(state) = self.state(batch) else {
            return false;
        };
        state.account.read = read.lines;
        state.account.copies = read.copies;
        state.account.replicas = read.replicas;
        state.bytes = bytes;
        state.next_offset = next_offset;
        state.sealed = true;
        let done = state.is_done();
        self.advance();
        done
    }

    /// Lines of a batch have their fate. Returns the batch's bytes when it is done with that.
    pub fn settle(&mut self, batch: u64, fates: Fates) -> usize {
        let Some(state) = self.state(batch).filter(|_| fates.sum() > 0) else {
            return 0;
        };
        state.account.fates += fates;
        let freed = if state.is_done() { state.bytes } else { 0 };
        self.advance();
        freed
    }

    /// Lines of a batch must have so many fates more than when it was sealed.
    pub fn copies(&mut self, batch: u64, more: i64) {
        if let Some(state) = self.state(batch) {
            state.account.copies = state.account.copies.saturating_add_signed(more);
        }
    }

    fn state(&mut self, batch: u64) -> Option<&mut BatchState> {
        let index = usize::try_from(batch.checked_sub(self.first)?).ok()?;
        self.batches.get_mut(index)
    }

    fn advance(&mut self) {
        while let Some(done) = self.batches.pop_front_if(|batch| batch.is_done()) {
            self.first += 1;
            self.account.add(&done.account);
            self.position = Some(Position {
                next_offset: done.next_offset,
                account: self.account,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn read(lines: u64) -> Read {
        Read {
            lines,
            copies: lines,
            replicas: 1,
        }
    }

    const fn stored(lines: u64) -> Fates {
        Fates {
            stored: lines,
            dead_lettered: 0,
            handed_off: 0,
        }
    }

    const fn dead(lines: u64) -> Fates {
        Fates {
            stored: 0,
            dead_lettered: lines,
            handed_off: 0,
        }
    }

    #[test]
    fn the_position_stays_behind_the_oldest_line_without_a_fate() {
        let mut watermark = Watermark::new(Account::default());
        let batches: Vec<_> = (0..3).map(|_| watermark.begin(0)).collect();
        for (batch, next) in batches.iter().zip([10, 25, 30]) {
            assert!(!watermark.seal(*batch, read(2), 100, next));
        }
        assert_eq!(watermark.settle(batches[2], stored(2)), 100);
        assert_eq!(watermark.settle(batches[1], stored(1)), 0);
        assert_eq!(watermark.position(), None);
        assert_eq!(watermark.settle(batches[0], stored(2)), 100);
        assert_eq!(watermark.position().unwrap().next_offset, 10);
        assert_eq!(watermark.settle(batches[1], dead(1)), 100);
        let position = watermark.position().unwrap();
        assert_eq!(position.next_offset, 30);
        assert!(position.account.is_balanced() && watermark.is_done());
        assert_eq!(
            (
                position.account.fates.stored,
                position.account.fates.dead_lettered
            ),
            (5, 1)
        );
    }

    #[test]
    fn a_batch_without_lines_moves_the_position() {
        let mut watermark = Watermark::new(Account::default());
        let batch = watermark.begin(3);
        assert!(watermark.seal(batch, read(0), 0, 7));
        let position = watermark.position().unwrap();
        assert_eq!(
            (position.next_offset, position.account.lost_records),
            (7, 3)
        );
    }

    #[test]
    fn lines_that_are_done_before_the_batch_is_read_out_do_not_move_it() {
        let mut watermark = Watermark::new(Account::default());
        let batch = watermark.begin(0);
        assert_eq!(watermark.settle(batch, stored(1)), 0);
        assert_eq!(watermark.position(), None);
        assert!(!watermark.seal(batch, read(2), 10, 5));
        assert_eq!(watermark.settle(batch, stored(1)), 10);
        assert_eq!(watermark.position().unwrap().next_offset, 5);
    }

    proptest! {
        #[test]
        fn in_whatever_order_lines_end_the_position_covers_exactly_the_done_prefix(
            sizes in proptest::collection::vec(0_u64..4, 1..12),
            order in any::<u64>(),
        ) {
            let mut watermark = Watermark::new(Account::default());
            let mut left = sizes.clone();
            for (n, lines) in sizes.iter().enumerate() {
                let batch = watermark.begin(0);
                watermark.seal(batch, read(*lines), 1, n as i64 + 1);
            }
            let mut random = order | 1;
            while left.iter().any(|lines| *lines > 0) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let batch = (random >> 33) as usize % left.len();
                if left[batch] > 0 {
                    left[batch] -= 1;
                    let fates = if random % 3 == 0 { dead(1) } else { stored(1) };
                    watermark.settle(batch as u64, fates);
                }
                let done = left.iter().take_while(|lines| **lines == 0).count();
                let next = watermark.position().map_or(0, |position| position.next_offset);
                prop_assert_eq!(next, done as i64);
            }
            let account = watermark.position().unwrap().account;
            prop_assert!(account.is_balanced());
            prop_assert_eq!(account.read, sizes.iter().sum::<u64>());
        }
    }
}
