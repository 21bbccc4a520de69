//! How many different series a tenant sends: counted exactly within a window that slides, in bounded memory.

use model::SeriesKey;

/// The window slides by this part of itself.
pub const STEPS: u8 = 4;
/// What a slot says of when its series was last seen: 1 to 7, so that no slot in use is 0.
const MARKS: u8 = 7;
const MARK: u64 = 0b111;
const FEWEST_SLOTS: usize = 64;

/// The series of a tenant that were seen in the window.
///
/// An open table of one word a series: 61 bits of its hash, and three that say in which step it was last seen.
/// It grows up to what `most` series need, 16 MiB for a million, and shrinks as series go away.
#[derive(Debug)]
pub struct SeriesWindow {
    slots: Vec<u64>,
    held: usize,
    most: usize,
    mark: u8,
    step: Option<i64>,
}

/// What a line's series is to its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was seen within the window.
    Known,
    /// It is new, and counted now.
    New,
    /// It is new, and there are as many as there may be. Nothing was counted.
    TooMany,
}

impl SeriesWindow {
    /// An empty window for `most` series.
    pub fn new(most: usize) -> Self {
        Self {
            slots: vec![0; FEWEST_SLOTS],
            held: 0,
            most,
            mark: 1,
            step: None,
        }
    }

    /// From now on so many are allowed. Those that are counted stay.
    pub fn allow(&mut self, most: usize) {
        self.most = most;
    }

    /// How many are allowed.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many were seen in the window.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Bytes that the table takes.
    pub fn bytes(&self) -> usize {
        self.slots.len() * size_of::<u64>()
    }

    /// Moves to the step of the window in which `now` lies; both in nanoseconds. What was not seen in the last
    /// [`STEPS`] is forgotten.
    pub fn slide(&mut self, now: i64, window: i64) {
        let step = now.div_euclid((window / i64::from(STEPS)).max(1));
        let Some(last) = self.step.replace(step) else {
            return;
        };
        for _ in 0..step.saturating_sub(last).clamp(0, i64::from(STEPS)) {
            self.mark = self.mark % MARKS + 1;
            self.sweep();
        }
    }

    /// Counts a series.
    pub fn see(&mut self, series: SeriesKey) -> Seen {
        let key = key_of(series);
        let place = self.place(key);
        if self.slots[place] != 0 {
            self.slots[place] = key | u64::from(self.mark);
            return Seen::Known;
        }
        if self.held >= self.most {
            return Seen::TooMany;
        }
        self.slots[place] = key | u64::from(self.mark);
        self.held += 1;
        if self.held * 4 > self.slots.len() * 3 {
            self.resize(self.slots.len() * 2, |_| true);
        }
        Seen::New
    }

    /// Where the key stands, or would.
    fn place(&self, key: u64) -> usize {
        let most = self.slots.len() - 1;
        let mut place = (key >> 32) as usize & most;
        while self.slots[place] != 0 && self.slots[place] & !MARK != key {
            place = (place + 1) & most;
        }
        place
    }

    /// Forgets what was last seen before the window.
    fn sweep(&mut self) {
        let mark = self.mark;
        let lives = move |slot: u64| {
            let age = (mark + MARKS - (slot & MARK) as u8) % MARKS;
            age < STEPS
        };
        let left = self
            .slots
            .iter()
            .filter(|slot| **slot != 0 && lives(**slot));
        let slots = (left.count() * 2).next_power_of_two().max(FEWEST_SLOTS);
        self.resize(slots, lives);
    }

    fn resize(&mut self, slots: usize, lives: impl Fn(u64) -> bool) {
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        self.held = 0;
        for slot in old.into_iter().filter(|slot| *slot != 0 && lives(*slot)) {
            let place = self.place(slot & !MARK);
            self.slots[place] = slot;
            self.held += 1;
        }
    }
}

/// The part of the hash that is kept; never 0.
fn key_of(series: SeriesKey) -> u64 {
    match series.as_u64() & !MARK {
        0 => MARK + 1,
        key => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const WINDOW: i64 = 4_000;

    fn series(n: u64) -> SeriesKey {
        SeriesKey::from_hash(n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    #[test]
    fn a_new_series_above_the_cap_is_refused_while_old_ones_are_known() {
        let mut window = SeriesWindow::new(1_000);
        for n in 0..1_000 {
            assert_eq!(window.see(series(n)), Seen::New);
        }
        assert_eq!(window.see(series(1_000)), Seen::TooMany);
        assert!((0..1_000).all(|n| window.see(series(n)) == Seen::Known));
        assert_eq!(window.len(), 1_000);
    }

    #[test]
    fn a_million_new_series_grow_no_memory_beyond_the_cap() {
        let mut window = SeriesWindow::new(10_000);
        (0..1_000_000).for_each(|n| {
            window.see(series(n));
        });
        assert_eq!(window.len(), 10_000);
        assert!(window.bytes() <= 10_000 * 8 * 4, "{}", window.bytes());
    }

    #[test]
    fn a_million_series_take_sixteen_mebibytes() {
        let mut window = SeriesWindow::new(1_000_000);
        (0..1_000_000).for_each(|n| {
            window.see(series(n));
        });
        assert_eq!((window.len(), window.bytes()), (1_000_000, 16 << 20));
    }

    #[test]
    fn what_was_not_seen_for_a_window_makes_room() {
        let mut window = SeriesWindow::new(2);
        window.slide(0, WINDOW);
        window.see(series(1));
        window.see(series(2));
        for now in [1_000, 2_000, 3_000] {
            window.slide(now, WINDOW);
            assert_eq!(window.see(series(1)), Seen::Known);
            assert_eq!(window.see(series(3)), Seen::TooMany);
        }
        window.slide(4_000, WINDOW);
        assert_eq!(window.see(series(3)), Seen::New);
        window.slide(400_000, WINDOW);
        assert!(window.is_empty());
    }

    #[test]
    fn the_count_is_that_of_a_plain_map() {
        let (mut window, mut plain) = (SeriesWindow::new(usize::MAX), BTreeMap::new());
        let mut random = 7_u64;
        for now in 0..40_000_i64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let n = (random >> 33) % 3_000;
            window.slide(now, WINDOW);
            let step = now / (WINDOW / i64::from(STEPS));
            plain.retain(|_, seen| step - *seen < i64::from(STEPS));
            window.see(series(n));
            plain.insert(n, step);
            assert_eq!(window.len(), plain.len(), "at {now}");
        }
    }
}
