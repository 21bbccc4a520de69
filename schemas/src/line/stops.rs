//! Where tokens may end: 64 bytes at a time become a mask in one register.
//!
//! The idea is that of simdjson (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019): find all bytes
//! of interest first, without a branch a byte, then walk over their bits.

use wide::u8x16;

/// Bytes of a block, a bit each.
const BLOCK: usize = 64;

/// The stops of a body: `,`, `=`, backslash, space and control characters.
///
/// Blocks begin where a line does, not at multiples of their size: so the same tokens lie at the same places in lines
/// of one kind, and the processor guesses its branches right.
#[derive(Debug, Clone)]
pub(super) struct Stops<'a> {
    body: &'a [u8],
    /// The body and what lies behind it, which may be read and means nothing: so blocks at its end are read whole.
    readable: &'a [u8],
    /// Where the block begins that the mask is of.
    base: usize,
    mask: u64,
    /// Whether a block since [`Stops::begin_line`] held a byte that is not ASCII.
    line_high: bool,
}

impl<'a> Stops<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self::within(body, body)
    }

    /// A body that may lie in something larger.
    pub(super) fn within(body: &'a [u8], all: &'a [u8]) -> Self {
        let start = body.as_ptr().addr().wrapping_sub(all.as_ptr().addr());
        let lies_in = start
            .checked_add(body.len())
            .is_some_and(|end| end <= all.len());
        Self {
            body,
            readable: if lies_in { &all[start..] } else { body },
            // Before the body: whatever is searched first is read first.
            base: usize::MAX - BLOCK,
            mask: 0,
            line_high: false,
        }
    }

    pub(super) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// A line begins at `at`: from here on it is noted whether something was not ASCII.
    #[inline]
    pub(super) fn begin_line(&mut self, at: usize) {
        self.line_high = false;
        self.load(at);
    }

    /// Whether all that was searched since the line began is ASCII for sure.
    pub(super) fn is_ascii(&self) -> bool {
        !self.line_high
    }

    /// The first stop at or behind `from`, or the end.
    #[inline]
    pub(super) fn find(&mut self, from: usize) -> usize {
        let mut at = from;
        loop {
            if at.wrapping_sub(self.base) >= BLOCK {
                if at >= self.body.len() {
                    return self.body.len();
                }
                self.load(at);
            }
            let rest = self.mask >> (at - self.base);
            if rest != 0 {
                return (at + rest.trailing_zeros() as usize).min(self.body.len());
            }
            at = self.base + BLOCK;
        }
    }

    /// Reads the block that begins at `at`. Behind the end of the body there is a stop.
    fn load(&mut self, at: usize) {
        self.base = at;
        let rest = &self.readable[self.base.min(self.readable.len())..];
        let (mask, high) = match rest.first_chunk() {
            Some(block) => masks(block),
            None => {
                let mut block = [b'\n'; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                masks(&block)
            }
        };
        self.mask = mask;
        self.line_high |= high;
    }
}

/// Of 64 bytes: which are stops, and whether one is not ASCII.
#[inline]
fn masks(block: &[u8; BLOCK]) -> (u64, bool) {
    let (mut mask, mut all) = (0, u8x16::ZERO);
    for (n, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let bytes = u8x16::new(*bytes);
        let is_low = bytes.min(u8x16::splat(b' ')).simd_eq(bytes);
        let is_named = bytes.simd_eq(u8x16::splat(b','))
            | bytes.simd_eq(u8x16::splat(b'='))
            | bytes.simd_eq(u8x16::splat(b'\\'));
        mask |= u64::from((is_low | is_named).to_bitmask()) << (16 * n);
        all |= bytes;
    }
    // The highest bit of each byte.
    (mask, all.to_bitmask() != 0)
}

/// Of sixteen bytes: which are digits.
#[inline]
pub(super) fn digits(bytes: &[u8; 16]) -> u32 {
    let values = u8x16::new(*bytes) - u8x16::splat(b'0');
    values.min(u8x16::splat(9)).simd_eq(values).to_bitmask()
}

/// Where a byte is first.
#[inline]
pub(super) fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for (n, block) in blocks.iter().enumerate() {
        let found = u8x16::new(*block)
            .simd_eq(u8x16::splat(wanted))
            .to_bitmask();
        if found != 0 {
            return Some(16 * n + found.trailing_zeros() as usize);
        }
    }
    let found = rest.iter().position(|byte| *byte == wanted);
    found.map(|at| bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_stop(byte: u8) -> bool {
        byte <= b' ' || matches!(byte, b',' | b'=' | b'\\')
    }

    proptest! {
        #[test]
        fn what_lies_behind_a_body_does_not_matter(
            all in prop::collection::vec(any::<u8>(), 0..300),
            (from, length) in (0_usize..300, 0_usize..300),
        ) {
            let from = from.min(all.len());
            let body = &all[from..(from + length).min(all.len())];
            let (mut stops, mut plain) = (Stops::within(body, &all), Stops::new(body));
            stops.begin_line(0);
            for at in 0..body.len() {
                prop_assert_eq!(stops.find(at), plain.find(at));
            }
            prop_assert!(body.is_ascii() || !stops.is_ascii());
        }

        #[test]
        fn a_stop_is_found_where_a_plain_search_finds_it(
            body in prop::collection::vec(any::<u8>(), 0..200),
            froms in prop::collection::vec(0_usize..210, 1..20),
        ) {
            let mut stops = Stops::new(&body);
            for from in froms {
                let from = from.min(body.len());
                let plain = body[from..].iter().position(|byte| is_stop(*byte));
                prop_assert_eq!(stops.find(from), plain.map_or(body.len(), |at| from + at));
            }
        }

        #[test]
        fn masks_are_those_of_a_look_at_each_byte(
            bytes in prop::collection::vec(any::<u8>(), BLOCK)
        ) {
            let block = bytes.first_chunk::<BLOCK>().unwrap();
            let plainly = bytes.iter().rev().fold(0_u64, |mask, byte| mask << 1 | u64::from(is_stop(*byte)));
            prop_assert_eq!(masks(block), (plainly, !bytes.is_ascii()));
            let sixteen = bytes.first_chunk::<16>().unwrap();
            let digit = |n: usize| sixteen[n].is_ascii_digit();
            prop_assert!((0..16).all(|n| (digits(sixteen) >> n & 1 == 1) == digit(n)));
        }

        #[test]
        fn a_byte_is_found_where_a_plain_search_finds_it(
            bytes in prop::collection::vec(0_u8..4, 0..70), wanted in 0_u8..5,
        ) {
            prop_assert_eq!(position(&bytes, wanted), bytes.iter().position(|byte| *byte == wanted));
        }

        #[test]
        fn only_a_line_that_is_ascii_counts_as_such(body in "[a-z가-하,= ]{0,150}") {
            let mut stops = Stops::new(body.as_bytes());
            stops.begin_line(0);
            let mut at = 0;
            while at < body.len() {
                at = stops.find(at) + 1;
            }
            prop_assert_eq!(stops.is_ascii(), body.is_ascii());
        }
    }
}
