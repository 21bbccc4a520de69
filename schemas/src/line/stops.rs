//! Where tokens may end: 64 bytes at a time become a mask in one register.
//!
//! The idea is that of simdjson (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019): find all bytes
//! of interest first, without a branch a byte, then walk over their bits.

/// Bytes of a block, a bit each.
const BLOCK: usize = 64;

/// The stops of a body: `,`, `=`, backslash, space and control characters.
///
/// Blocks begin where a line does, not at multiples of their size: so the same tokens lie at the same places in lines
/// of one kind, and the processor guesses its branches right.
#[derive(Debug, Clone)]
pub(super) struct Stops<'a> {
    body: &'a [u8],
    /// Where the block begins that the mask is of.
    base: usize,
    mask: u64,
    /// Whether a block since [`Stops::begin_line`] held a byte that is not ASCII.
    line_high: bool,
}

impl<'a> Stops<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self {
            body,
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
                return at + rest.trailing_zeros() as usize;
            }
            at = self.base + BLOCK;
        }
    }

    /// Reads the block that begins at `at`. Behind the end of the body there is a stop.
    fn load(&mut self, at: usize) {
        self.base = at;
        let rest = &self.body[self.base.min(self.body.len())..];
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
///
/// The comparisons are written byte by byte and without a branch, so that the compiler makes wide registers of
/// them; a byte of 1 or 0 each becomes a bit by one multiplication for eight.
#[inline]
fn masks(block: &[u8; BLOCK]) -> (u64, bool) {
    let mut is_stop = [0_u8; BLOCK];
    let mut all = 0_u8;
    for (found, byte) in is_stop.iter_mut().zip(block) {
        let named = (*byte == b',') | (*byte == b'=') | (*byte == b'\\');
        *found = u8::from((*byte <= b' ') | named);
        all |= *byte;
    }
    let words = is_stop.as_chunks::<8>().0.iter().enumerate();
    let mask = words.fold(0, |mask, (n, eight)| mask | gather(*eight) << (8 * n));
    (mask, !all.is_ascii())
}

/// Of sixteen bytes: which are digits.
#[inline]
pub(super) fn digits(bytes: &[u8; 16]) -> u32 {
    let is_digit = bytes.map(|byte| u8::from(byte.wrapping_sub(b'0') <= 9));
    let (halves, _) = is_digit.as_chunks::<8>();
    (gather(halves[0]) | gather(halves[1]) << 8) as u32
}

/// Eight bytes of 0 or 1 as eight bits: the factor moves bit 8i to bit 56 + i.
#[inline]
const fn gather(eight: [u8; 8]) -> u64 {
    u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56
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
