//! Prefix codes as deflate has them (RFC 1951, 3.2.2).

/// Bits of a code, reversed as they are written, and how many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) bits: u16,
    pub(super) length: u8,
}

/// The words of an optimal code for these frequencies, none longer than `most` bits. A frequency of 0 gets no word; two
/// at least must be larger.
pub(super) fn words(frequencies: &[u32], most: u8) -> Vec<Word> {
    canonical(&lengths(frequencies, most))
}

/// Huffman's lengths. Where one is too long, frequencies are brought nearer to each other until none is: that costs a
/// little size and needs no algorithm of its own.
fn lengths(frequencies: &[u32], most: u8) -> Vec<u8> {
    let mut frequencies = frequencies.to_vec();
    loop {
        let mut order: Vec<_> = (0..frequencies.len())
            .filter(|symbol| frequencies[*symbol] > 0)
            .collect();
        order.sort_by_key(|symbol| frequencies[*symbol]);
        let weights = order.iter().map(|symbol| u64::from(frequencies[*symbol]));
        let depths = depths(weights.collect());
        if depths.iter().all(|depth| *depth <= usize::from(most)) {
            let mut lengths = vec![0; frequencies.len()];
            for (symbol, depth) in order.into_iter().zip(depths) {
                lengths[symbol] = depth as u8;
            }
            return lengths;
        }
        for frequency in frequencies.iter_mut().filter(|frequency| **frequency > 0) {
            *frequency = *frequency / 2 + 1;
        }
    }
}

/// How deep each leaf lies in the tree that always joins the two lightest. Leaves come in rising order; joined nodes are
/// made in rising order too, so that two queues are enough (van Leeuwen, 1976).
fn depths(mut weights: Vec<u64>) -> Vec<usize> {
    let leaves = weights.len();
    let nodes = 2 * leaves - 1;
    let mut parent = vec![0; nodes];
    let (mut leaf, mut joined) = (0, leaves);
    for next in leaves..nodes {
        let mut lightest = || {
            let is_leaf = leaf < leaves && (joined == next || weights[leaf] <= weights[joined]);
            let queue = if is_leaf { &mut leaf } else { &mut joined };
            *queue += 1;
            *queue - 1
        };
        let (one, other) = (lightest(), lightest());
        (parent[one], parent[other]) = (next, next);
        weights.push(weights[one] + weights[other]);
    }
    let mut depths = vec![0; nodes];
    for node in (0..nodes - 1).rev() {
        depths[node] = depths[parent[node]] + 1;
    }
    depths.truncate(leaves);
    depths
}

/// Words of these lengths in the order that the RFC asks for.
pub(super) fn canonical(lengths: &[u8]) -> Vec<Word> {
    let mut next = [0_u16; 16];
    let (mut code, mut shorter) = (0, 0);
    for (length, first) in (0_u8..).zip(next.iter_mut()).skip(1) {
        code = (code + shorter) << 1;
        *first = code;
        shorter = lengths.iter().filter(|known| **known == length).count() as u16;
    }
    let word = |length: &u8| {
        if *length == 0 {
            return Word::default();
        }
        let bits = next[usize::from(*length)];
        next[usize::from(*length)] += 1;
        Word {
            bits: bits.reverse_bits() >> (16 - *length),
            length: *length,
        }
    };
    lengths.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_words_are_those_of_the_rfc() {
        // The example of RFC 1951, 3.2.2.
        let words = canonical(&[3, 3, 3, 3, 3, 2, 4, 4]);
        let forward: Vec<_> = words
            .iter()
            .map(|word| word.bits.reverse_bits() >> (16 - word.length))
            .collect();
        assert_eq!(
            forward,
            [0b010, 0b011, 0b100, 0b101, 0b110, 0b00, 0b1110, 0b1111]
        );
    }

    #[test]
    fn what_is_frequent_is_short() {
        let lengths = lengths(&[50, 0, 20, 15, 5, 5], 15);
        assert_eq!(lengths, [1, 0, 2, 3, 4, 4]);
    }

    proptest! {
        #[test]
        fn a_code_is_complete_and_no_word_too_long(
            frequencies in prop::collection::vec(1_u32..1_000_000, 2..286),
            skew in 0_u32..30,
        ) {
            let mut frequencies = frequencies;
            for (n, frequency) in frequencies.iter_mut().enumerate().take(28) {
                *frequency = (*frequency).max(skew << n.min(26));
            }
            let lengths = lengths(&frequencies, 15);
            let sum: u32 = lengths.iter().map(|length| 1 << (15 - length)).sum();
            prop_assert_eq!(sum, 1 << 15);
        }
    }
}
