//! Eight digits at a time in one register.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

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
