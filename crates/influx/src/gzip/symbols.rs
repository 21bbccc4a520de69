//! Literals, lengths and distances as symbols of one block (RFC 1951, 3.2.5 to 3.2.7).

use super::bits::Bits;
use super::code::{self, Word};
use super::walk::{LONGEST, Sink};
use std::sync::OnceLock;

const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const END: usize = 256;
const SHORTEST: usize = 3;
/// The longest word of a block, and of the code of its code's lengths.
const MOST: u8 = 15;
const MOST_OF_LENGTHS: u8 = 7;
/// The order in which the lengths of that last code are written.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
/// What was seen weighs so many times what was not, and may come all the same.
const SEEN: u32 = 16;

/// A symbol and the bits behind its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Symbol {
    symbol: usize,
    extra: u32,
    extra_bits: u32,
}

/// Symbols of a power of two share a count of extra bits: so many symbols as `1 << per_power`.
#[inline]
fn symbol(value: usize, per_power: u32) -> Symbol {
    let plain = 1 << (per_power + 1);
    if value < plain {
        return Symbol {
            symbol: value,
            extra: 0,
            extra_bits: 0,
        };
    }
    let power = value.ilog2();
    let extra_bits = power - per_power;
    Symbol {
        // The first bits of the value, of which the highest is always 1, behind the powers before.
        symbol: ((extra_bits as usize) << per_power) + (value >> extra_bits),
        extra: (value & ((1 << extra_bits) - 1)) as u32,
        extra_bits,
    }
}

#[inline]
fn length_symbol(length: usize) -> Symbol {
    if length == LONGEST {
        return Symbol {
            symbol: LITERALS - 1,
            extra: 0,
            extra_bits: 0,
        };
    }
    let found = symbol(length - SHORTEST, 2);
    Symbol {
        symbol: END + 1 + found.symbol,
        ..found
    }
}

#[inline]
fn distance_symbol(distance: usize) -> Symbol {
    symbol(distance - 1, 1)
}

/// How often each symbol came.
#[derive(Debug)]
pub(super) struct Frequencies {
    literals: Vec<u32>,
    distances: Vec<u32>,
}

impl Frequencies {
    pub(super) fn new() -> Self {
        Self {
            literals: vec![1; LITERALS],
            distances: vec![1; DISTANCES],
        }
    }

    pub(super) fn code(&self) -> Code {
        let literals = code::words(&self.literals, MOST);
        let distances = code::words(&self.distances, MOST);
        Code::new(literals, distances, false)
    }
}

impl Code {
    /// The code that every inflater knows (RFC 1951, 3.2.6): for bodies that are too small for one of their own.
    pub(super) fn fixed() -> &'static Self {
        static FIXED: OnceLock<Code> = OnceLock::new();
        FIXED.get_or_init(|| {
            let length = |symbol| match symbol {
                0..=143 | 280..=287 => 8,
                144..=255 => 9,
                _ => 7,
            };
            let literals: Vec<u8> = (0..288).map(length).collect();
            Self::new(code::canonical(&literals), code::canonical(&[5; 32]), true)
        })
    }

    fn new(literals: Vec<Word>, distances: Vec<Word>, is_fixed: bool) -> Self {
        let length = |length: usize| {
            let symbol = length_symbol(length.max(SHORTEST));
            let word = literals[symbol.symbol];
            Length {
                bits: u32::from(word.bits) | symbol.extra << word.length,
                count: u32::from(word.length) + symbol.extra_bits,
            }
        };
        Self {
            lengths: (0..=LONGEST).map(length).collect(),
            literals,
            distances,
            is_fixed,
        }
    }
}

impl Sink for Frequencies {
    fn literal(&mut self, byte: u8) {
        self.literals[usize::from(byte)] += SEEN;
    }

    fn repeat(&mut self, length: usize, distance: usize) {
        self.literals[length_symbol(length).symbol] += SEEN;
        self.distances[distance_symbol(distance).symbol] += SEEN;
    }
}

/// The word of a length with its extra bits.
#[derive(Debug, Clone, Copy)]
struct Length {
    bits: u32,
    count: u32,
}

/// A code for everything that a block may hold.
#[derive(Debug)]
pub(super) struct Code {
    literals: Vec<Word>,
    distances: Vec<Word>,
    /// By length.
    lengths: Vec<Length>,
    /// Whether it need not be written down.
    is_fixed: bool,
}

impl Code {
    /// Opens the only block, and writes the code down where it is its own. That has words for all symbols, so that no run of zeros is worth a
    /// word of its own.
    pub(super) fn begin_block(&self, bits: &mut Bits) {
        bits.make_room(LITERALS);
        // The last block.
        bits.put(1, 1);
        if self.is_fixed {
            bits.put(1, 2);
            return;
        }
        bits.put(2, 2);
        let lengths = || self.literals.iter().chain(&self.distances);
        let mut frequencies = [0; ORDER.len()];
        lengths().for_each(|word| frequencies[usize::from(word.length)] += 1);
        // 286 words and 30 are no powers of two, so that there are at least two lengths.
        let words = code::words(&frequencies, MOST_OF_LENGTHS);
        bits.put((LITERALS - 257) as u64, 5);
        bits.put((DISTANCES - 1) as u64, 5);
        bits.put((ORDER.len() - 4) as u64, 4);
        for symbol in ORDER {
            bits.flush();
            bits.put(u64::from(words[symbol].length), 3);
        }
        for word in lengths() {
            bits.flush();
            put(bits, words[usize::from(word.length)]);
        }
        bits.flush();
    }

    /// Closes the block.
    pub(super) fn end_block(&self, bits: &mut Bits) {
        bits.make_room(1);
        bits.flush();
        put(bits, self.literals[END]);
        bits.flush();
    }
}

#[inline]
fn put(bits: &mut Bits, word: Word) {
    bits.put(u64::from(word.bits), u32::from(word.length));
}

/// Writes what is found by a code.
pub(super) struct Emit<'a> {
    bits: &'a mut Bits,
    code: &'a Code,
}

impl<'a> Emit<'a> {
    pub(super) fn new(bits: &'a mut Bits, code: &'a Code) -> Self {
        Self { bits, code }
    }
}

impl Sink for Emit<'_> {
    #[inline]
    fn literal(&mut self, byte: u8) {
        put(self.bits, self.code.literals[usize::from(byte)]);
        // Another word of 15 bits fits in above that.
        if self.bits.waiting() > 48 {
            self.bits.flush();
        }
    }

    #[inline]
    fn repeat(&mut self, length: usize, distance: usize) {
        self.bits.flush();
        // 7 bits are left at most, 20 and 28 follow.
        let length = self.code.lengths[length];
        self.bits.put(u64::from(length.bits), length.count);
        let symbol = distance_symbol(distance);
        put(self.bits, self.code.distances[symbol.symbol]);
        self.bits.put(u64::from(symbol.extra), symbol.extra_bits);
        self.bits.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_distances_have_the_symbols_of_the_rfc() {
        for (length, symbol, extra, extra_bits) in [
            (3, 257, 0, 0),
            (10, 264, 0, 0),
            (11, 265, 0, 1),
            (12, 265, 1, 1),
            (18, 268, 1, 1),
            (19, 269, 0, 2),
            (130, 280, 15, 4),
            (131, 281, 0, 5),
            (257, 284, 30, 5),
            (258, 285, 0, 0),
        ] {
            let found = length_symbol(length);
            assert_eq!(
                (found.symbol, found.extra, found.extra_bits),
                (symbol, extra, extra_bits)
            );
        }
        for (distance, symbol, extra, extra_bits) in [
            (1, 0, 0, 0),
            (4, 3, 0, 0),
            (5, 4, 0, 1),
            (8, 5, 1, 1),
            (9, 6, 0, 2),
            (24_577, 29, 0, 13),
            (32_768, 29, 8_191, 13),
        ] {
            let found = distance_symbol(distance);
            assert_eq!(
                (found.symbol, found.extra, found.extra_bits),
                (symbol, extra, extra_bits)
            );
        }
    }
}
