//! Lines on their way to one shard, and where each came from.

use super::Fates;
use super::handoff::Origin;
use bytes::Bytes;
use std::io::Write as _;
use std::ops::Range;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineRef {
    /// Offset of its record.
    pub offset: i64,
    /// Its line in the record's value, from 1.
    pub number: u32,
    /// Where it begins in the body.
    start: u32,
}

/// How many lines of a chunk belong to one batch that was read. Shares follow each other as the
/// lines do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The batch.
    pub batch: u64,
    /// How many lines.
    pub lines: u64,
}

/// A run of lines at least so long is sent from where it was read; a shorter one is copied, since a piece costs more than
/// its bytes.
const SHARED: usize = 4 << 10;

/// A chunk that is being filled. Lines that follow each other in what was read are not copied.
#[derive(Debug, Default)]
pub struct Filling {
    pieces: Vec<Piece>,
    /// Lines behind the pieces.
    copied: Vec<u8>,
    /// Lines behind those, in what is being read.
    run: Range<usize>,
    bytes: usize,
    lines: Vec<LineRef>,
    shares: Vec<Share>,
}

/// A chunk that is sent as one request, or as parts of it when it was refused.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// In order; their bytes are one body.
    pieces: Vec<Piece>,
    bytes: usize,
    lines: Vec<LineRef>,
    shares: Vec<Share>,
}

/// Whole lines.
#[derive(Debug, Clone)]
struct Piece {
    /// Where it begins in the body.
    start: usize,
    bytes: Bytes,
}

impl Filling {
    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a line of a batch by copying it. `timestamp` is added where the line has none. No run may be open.
    pub fn push(&mut self, batch: u64, origin: (i64, u32), line: &[u8], timestamp: Option<i64>) {
        debug_assert!(self.run.is_empty());
        self.count(batch, origin);
        let before = self.copied.len();
        self.copied.extend_from_slice(line);
        if let Some(nanos) = timestamp {
            // Writing to a vector does not fail.
            write!(self.copied, " {nanos}").unwrap_or_default();
        }
        self.copied.push(b'\n');
        self.bytes += self.copied.len() - before;
    }

    /// Appends a line of a batch that lies in `source`, its newline included. Until [`Filling::close`] the run is open.
    pub fn push_from(
        &mut self,
        batch: u64,
        origin: (i64, u32),
        source: &Bytes,
        line: Range<usize>,
    ) {
        self.count(batch, origin);
        self.bytes += line.len();
        if self.run.is_empty() || self.run.end != line.start {
            self.close(source);
            self.run = line;
        } else {
            self.run.end = line.end;
        }
    }

    /// Closes the run of lines in `source`.
    pub fn close(&mut self, source: &Bytes) {
        let run = std::mem::take(&mut self.run);
        if run.len() < SHARED {
            self.copied.extend_from_slice(&source[run]);
            return;
        }
        self.close_copied();
        self.add(source.slice(run));
    }

    fn close_copied(&mut self) {
        if !self.copied.is_empty() {
            let copied = std::mem::take(&mut self.copied);
            self.add(copied.into());
        }
    }

    fn add(&mut self, bytes: Bytes) {
        let last = self.pieces.last();
        self.pieces.push(Piece {
            start: last.map_or(0, |last| last.start + last.bytes.len()),
            bytes,
        });
    }

    fn count(&mut self, batch: u64, origin: (i64, u32)) {
        self.lines.push(LineRef {
            offset: origin.0,
            number: origin.1,
            start: self.bytes as u32,
        });
        match self.shares.last_mut() {
            Some(share) if share.batch == batch => share.lines += 1,
            _ => self.shares.push(Share { batch, lines: 1 }),
        }
    }

    /// What was filled; no run may be open. The room for more grows anew: thousands of quiet lanes must not keep that
    /// of their largest chunk.
    pub fn seal(&mut self) -> Chunk {
        debug_assert!(self.run.is_empty());
        self.close_copied();
        let full = std::mem::take(self);
        Chunk {
            pieces: full.pieces,
            bytes: full.bytes,
            lines: full.lines,
            shares: full.shares,
        }
    }
}

impl Chunk {
    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none; a sealed chunk has some.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn start_of(&self, line: usize) -> usize {
        let found = self.lines.get(line);
        found.map_or(self.bytes, |line| line.start as usize)
    }

    /// How many bytes the lines of a range have.
    pub fn byte_len(&self, lines: Range<usize>) -> usize {
        self.start_of(lines.end) - self.start_of(lines.start)
    }

    /// The lines of a range as the pieces of one body, without copying.
    pub fn pieces(&self, lines: Range<usize>) -> Vec<Bytes> {
        let (start, end) = (self.start_of(lines.start), self.start_of(lines.end));
        let first = self.pieces.partition_point(|piece| piece.start <= start);
        let from = self.pieces.get(first.saturating_sub(1)..);
        let within = from.unwrap_or_default().iter();
        within
            .take_while(|piece| piece.start < end)
            .map(|piece| {
                let from = start.saturating_sub(piece.start);
                piece
                    .bytes
                    .slice(from..piece.bytes.len().min(end - piece.start))
            })
            .collect()
    }

    /// The lines of a range as one body, copied where they lie in several pieces.
    pub fn slice(&self, lines: Range<usize>) -> Bytes {
        let pieces = self.pieces(lines);
        match <[Bytes; 1]>::try_from(pieces) {
            Ok([only]) => only,
            Err(pieces) => pieces.concat().into(),
        }
    }

    /// A line without its end.
    pub fn line(&self, line: usize) -> (LineRef, Bytes) {
        let bytes = self.slice(line..line + 1);
        let end = bytes.len().saturating_sub(1);
        (self.lines[line], bytes.slice(..end))
    }

    /// Where a line came from.
    pub fn origin(&self, line: usize) -> Origin {
        let LineRef { offset, number, .. } = self.lines[line];
        Origin { offset, number }
    }

    /// Cuts lines into pieces of so many bytes, a longer line alone.
    pub fn parts(&self, lines: Range<usize>, bytes: usize) -> Vec<Range<usize>> {
        let (mut parts, mut start) = (Vec::new(), lines.start);
        for line in lines.clone() {
            if line > start && self.byte_len(start..line + 1) > bytes {
                parts.push(start..line);
                start = line;
            }
        }
        if start < lines.end {
            parts.push(start..lines.end);
        }
        parts
    }

    /// Whose lines they are.
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// The share of each batch split by fate, when the lines in `dead` (rising) were dead-lettered,
    /// those from `handed` on handed off, and all others stored.
    pub fn fates(&self, dead: &[usize], handed: usize) -> Vec<(u64, Fates)> {
        let (mut dead, mut end) = (dead.iter().peekable(), 0);
        let fate = |share: &Share| {
            let start = end;
            end += share.lines;
            let mut fates = Fates {
                handed_off: end - start.max(end.min(handed as u64)),
                ..Fates::default()
            };
            while let Some(line) = dead.next_if(|line| (**line as u64) < end) {
                fates.dead_lettered += 1;
                fates.handed_off -= u64::from(*line >= handed);
            }
            fates.stored = share.lines - fates.sum();
            (share.batch, fates)
        };
        self.shares.iter().map(fate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> Chunk {
        let mut filling = Filling::default();
        filling.push(1, (10, 1), b"a v=1 5", None);
        filling.push(1, (10, 2), b"b v=2", Some(-7));
        filling.push(2, (11, 1), b"c v=3 6", None);
        filling.push(4, (13, 1), b"d v=\"two\nlines\" 6", None);
        let chunk = filling.seal();
        assert_eq!((filling.lines(), filling.bytes()), (0, 0));
        chunk
    }

    #[test]
    fn ranges_are_whole_lines() {
        let chunk = chunk();
        assert_eq!(
            chunk.slice(0..4),
            &b"a v=1 5\nb v=2 -7\nc v=3 6\nd v=\"two\nlines\" 6\n"[..]
        );
        assert_eq!(chunk.slice(1..3), &b"b v=2 -7\nc v=3 6\n"[..]);
        assert_eq!(chunk.parts(0..4, 18), [0..2, 2..3, 3..4]);
        assert_eq!(chunk.parts(1..3, 1), [1..2, 2..3]);
        let (origin, line) = chunk.line(3);
        assert_eq!((origin.offset, origin.number), (13, 1));
        assert_eq!(line, &b"d v=\"two\nlines\" 6"[..]);
    }

    #[test]
    fn long_runs_stay_where_they_were_read_and_short_ones_are_copied() {
        let line = |n: usize| format!("{n:<999}\n");
        let source: Bytes = (0..20).map(line).collect::<String>().into();
        let mut filling = Filling::default();
        let mut expected = Vec::new();
        let mut push = |filling: &mut Filling, n: usize| {
            filling.push_from(1, (7, n as u32), &source, n * 1_000..(n + 1) * 1_000);
            expected.extend_from_slice(line(n).as_bytes());
        };
        // Nine in a row, one alone, five, one alone.
        for n in (0..9).chain([10]).chain(12..17).chain([19]) {
            push(&mut filling, n);
        }
        filling.close(&source);
        filling.push(2, (8, 1), b"a v=1", Some(5));
        expected.extend_from_slice(b"a v=1 5\n");
        assert_eq!((filling.lines(), filling.bytes()), (17, expected.len()));
        let chunk = filling.seal();
        let sizes: Vec<_> = chunk.pieces(0..17).iter().map(Bytes::len).collect();
        assert_eq!(sizes, [9_000, 1_000, 5_000, 1_008]);
        assert_eq!(chunk.pieces(0..9)[0].as_ptr(), source.as_ptr());
        for range in [0..17, 0..0, 3..4, 8..11, 9..16, 15..17, 17..17] {
            let (from, to) = (chunk.start_of(range.start), chunk.start_of(range.end));
            assert_eq!(chunk.slice(range.clone()), expected[from..to], "{range:?}");
            assert_eq!(chunk.byte_len(range), to - from);
        }
        assert_eq!(chunk.line(16).1, &b"a v=1 5"[..]);
        assert_eq!(chunk.line(9).1, line(10).trim_end_matches('\n').as_bytes());
    }

    #[test]
    fn fates_are_told_apart_by_batch() {
        let chunk = chunk();
        for (dead, handed, expected) in [
            (&[][..], 4, [(1, 2, 0, 0), (2, 1, 0, 0), (4, 1, 0, 0)]),
            (&[1], 4, [(1, 1, 1, 0), (2, 1, 0, 0), (4, 1, 0, 0)]),
            (&[0, 1, 3], 4, [(1, 0, 2, 0), (2, 1, 0, 0), (4, 0, 1, 0)]),
            (&[0], 1, [(1, 0, 1, 1), (2, 0, 0, 1), (4, 0, 0, 1)]),
            (&[], 0, [(1, 0, 0, 2), (2, 0, 0, 1), (4, 0, 0, 1)]),
            (&[0, 2], 1, [(1, 0, 1, 1), (2, 0, 1, 0), (4, 0, 0, 1)]),
        ] {
            let found: Vec<_> = chunk
                .fates(dead, handed)
                .into_iter()
                .map(|(batch, f)| (batch, f.stored, f.dead_lettered, f.handed_off))
                .collect();
            assert_eq!(found, expected);
        }
    }
}
