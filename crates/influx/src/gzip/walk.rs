//! Finds what is new in a body and what is a repeat.

use std::ops::Range;

/// How far back a repeat may lie (RFC 1951, 2).
const WINDOW: usize = 32 << 10;
/// The longest repeat.
pub(super) const LONGEST: usize = 258;
/// A repeat is known by its first bytes.
const HEAD: usize = 8;
const SLOT_BITS: u32 = 12;

/// Where each beginning of a part was seen last.
#[derive(Debug)]
pub(super) struct Seen {
    /// By the hash of its first bytes, its place in all that was walked over, from 1.
    places: Box<[u32]>,
    /// Where the piece begins in that.
    base: u32,
    /// Behind what was walked over.
    end: u32,
}

/// Who hears what was found.
pub(super) trait Sink {
    fn literal(&mut self, byte: u8);
    /// A repeat of 3 to 258 bytes, from 1 to 32,768 bytes back.
    fn repeat(&mut self, length: usize, distance: usize);
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            places: vec![0; 1 << SLOT_BITS].into(),
            base: 0,
            end: 0,
        }
    }

    /// Another piece begins: what was seen is no place in it.
    pub(super) fn forget(&mut self) {
        self.base = self.end;
    }

    /// Notes that these bytes begin at a place of the piece, and says where they did before.
    #[inline]
    fn note(&mut self, head: u64, at: usize) -> Option<usize> {
        let hash = head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOT_BITS);
        let place = self.base + at as u32 + 1;
        let before = std::mem::replace(&mut self.places[hash as usize], place);
        Some(before.checked_sub(self.base + 1)? as usize)
    }
}

/// Whether a part of a line may begin here.
#[inline]
fn is_beginning(byte: u8) -> bool {
    matches!(byte, b',' | b' ' | b'\n')
}

#[inline]
fn head(body: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; HEAD] = body.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// How many bytes are the same at two places of a body.
#[inline]
fn same(body: &[u8], before: usize, at: usize) -> usize {
    let most = LONGEST.min(body.len() - at);
    let (old, new) = (&body[before..before + most], &body[at..at + most]);
    let words = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let (old_words, old_rest) = old.as_chunks::<8>();
    let (new_words, new_rest) = new.as_chunks::<8>();
    for (n, (old, new)) in old_words.iter().zip(new_words).enumerate() {
        let differ = words(old) ^ words(new);
        if differ != 0 {
            return 8 * n + differ.trailing_zeros() as usize / 8;
        }
    }
    let rest = old_rest.iter().zip(new_rest);
    most - old_rest.len() + rest.take_while(|(old, new)| old == new).count()
}

/// Goes over a range of a piece and returns where it stopped: at the end of the range, or behind it with a repeat that
/// goes on. The ranges of a piece follow each other.
#[inline]
pub(super) fn walk(
    piece: &[u8],
    range: Range<usize>,
    seen: &mut Seen,
    sink: &mut impl Sink,
) -> usize {
    let mut at = range.start;
    while at < range.end {
        if let Some(head_here) = head(piece, at)
            && let Some(before) = seen.note(head_here, at)
            && before < at
            && at - before <= WINDOW
            && head(piece, before) == Some(head_here)
        {
            let length = same(piece, before, at);
            sink.repeat(length, at - before);
            at += length;
            // Behind a repeat lies what differs; a new part may begin there, or the repeat was cut.
            if at >= range.end || length == LONGEST || is_beginning(piece[at]) {
                continue;
            }
        }
        loop {
            sink.literal(piece[at]);
            at += 1;
            if at >= range.end || is_beginning(piece[at]) {
                break;
            }
        }
    }
    seen.end = seen.base + at as u32;
    at
}
