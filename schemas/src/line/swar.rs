//! Eight bytes at a time in one register: where a token ends, and what eight digits are worth.
//!
//! The tests for a byte in a word are those of Sean Eron Anderson's "Bit Twiddling Hacks"
//! ("Determine if a word has a byte less than n"): the lowest byte that they name is always right,
//! higher ones may not be.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// High bits of the bytes that are below `n`, which is at most 128; the lowest is right.
const fn below(word: u64, n: u8) -> u64 {
    word.wrapping_sub(ONES * n as u64) & !word & HIGHS
}

/// High bits of the bytes that are `byte`; the lowest is right.
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * byte as u64), 1)
}

/// The first byte at or behind `from` that is `,`, `=`, a backslash, a space or a control
/// character, or the end.
#[inline]
pub(super) fn find_stop(body: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(eight) = body.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*eight);
        let found = below(word, b'!') | equal(word, b',') | equal(word, b'=') | equal(word, b'\\');
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let is_stop = |b: &u8| *b < b'!' || matches!(b, b',' | b'=' | b'\\');
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().position(is_stop).unwrap_or(rest.len())
}

/// The value of eight decimal digits, the first the most significant; none where one is no digit.
#[inline]
pub(super) fn eight_digits(eight: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(eight).wrapping_sub(ONES * b'0' as u64);
    // A digit is 0 to 9: adding 118 to more sets its high bit, as do bytes below '0', which
    // wrapped.
    if (word | word.wrapping_add(ONES * 118)) & HIGHS != 0 {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to eight.
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stop_is_found_where_a_plain_search_finds_it(
            body in prop::collection::vec(any::<u8>(), 0..40), from in 0_usize..40
        ) {
            let from = from.min(body.len());
            let is_stop = |b: &u8| *b < b'!' || matches!(b, b',' | b'=' | b'\\');
            let plain = body[from..].iter().position(is_stop);
            prop_assert_eq!(find_stop(&body, from), plain.map_or(body.len(), |at| from + at));
        }

        #[test]
        fn eight_digits_are_worth_what_the_library_says(bytes in any::<[u8; 8]>(), n in 0_u64..100_000_000) {
            let text = format!("{n:08}");
            prop_assert_eq!(eight_digits(text.as_bytes().try_into().unwrap()), Some(n));
            let plain = bytes.iter().all(u8::is_ascii_digit);
            prop_assert_eq!(eight_digits(bytes).is_some(), plain);
            let mut nearly: [u8; 8] = text.as_bytes().try_into().unwrap();
            for (at, byte) in bytes.into_iter().enumerate() {
                nearly[at] = byte;
                prop_assert_eq!(eight_digits(nearly).is_some(), nearly.iter().all(u8::is_ascii_digit));
            }
        }
    }
}
