//! Bits on their way into bytes, the lowest first (RFC 1951, 3.1.1).

/// The longest that one byte of a body, or one match, may become, in bytes.
const LONGEST_SYMBOL: usize = 8;

/// Bits behind bytes. What is put waits in a register until it is flushed.
#[derive(Debug)]
pub(super) struct Bits {
    /// Room, zeroed; filled up to `at`.
    out: Vec<u8>,
    at: usize,
    waiting: u64,
    count: u32,
}

impl Bits {
    /// Begins behind some bytes, with room for so many.
    pub(super) fn new(head: &[u8], room: usize) -> Self {
        let mut out = vec![0; head.len() + room];
        out[..head.len()].copy_from_slice(head);
        Self {
            out,
            at: head.len(),
            waiting: 0,
            count: 0,
        }
    }

    /// Makes room for so many literals or matches, and the header of a block.
    pub(super) fn make_room(&mut self, symbols: usize) {
        // A literal has 15 bits at most, a match of at least eight bytes 48.
        let needed = self.at + symbols * 2 + 64 * LONGEST_SYMBOL;
        if self.out.len() < needed {
            let more = self.out.len() + self.out.len() / 2;
            self.out.resize(needed.max(more), 0);
        }
    }

    /// Puts `count` bits. There is room for 57 between two flushes.
    #[inline]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.waiting |= bits << self.count;
        self.count += count;
    }

    /// How many bits wait.
    #[inline]
    pub(super) fn waiting(&self) -> u32 {
        self.count
    }

    /// Writes the whole bytes of what waits.
    #[inline]
    pub(super) fn flush(&mut self) {
        let word = &mut self.out[self.at..self.at + 8];
        word.copy_from_slice(&self.waiting.to_le_bytes());
        let bytes = self.count / 8;
        self.at += bytes as usize;
        self.waiting = self.waiting.checked_shr(8 * bytes).unwrap_or(0);
        self.count %= 8;
    }

    /// The bytes, the last one filled up.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.flush();
        if self.count > 0 {
            self.count = 8;
            self.flush();
        }
        self.out.truncate(self.at);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fill_bytes_from_the_lowest_on() {
        let mut bits = Bits::new(&[7], 64);
        for (value, count) in [(1, 1), (2, 2), (0x3f, 6), (0x1234, 16)] {
            bits.put(value, count);
        }
        assert_eq!(bits.waiting(), 25);
        let all: u32 = 1 | 2 << 1 | 0x3f << 3 | 0x1234 << 9;
        assert_eq!(bits.finish()[1..], all.to_le_bytes());
    }

    #[test]
    fn a_full_register_is_written_whole() {
        let mut bits = Bits::new(&[], 64);
        bits.put(u64::MAX >> 8, 56);
        bits.put(0xff, 8);
        bits.flush();
        bits.put(1, 1);
        assert_eq!(bits.finish(), [255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }
}
