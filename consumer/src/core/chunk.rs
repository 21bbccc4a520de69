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
    /// Where it begins in the chunk's body.
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

/// A chunk that is being filled. Appending a line copies its bytes and nothing else.
#[derive(Debug, Default)]
pub struct Filling {
    body: Vec<u8>,
    lines: Vec<LineRef>,
    shares: Vec<Share>,
}

/// A chunk that is sent as one request, or as parts of it when it was refused.
#[derive(Debug, Clone)]
pub struct Chunk {
    body: Bytes,
    lines: Vec<LineRef>,
    shares: Vec<Share>,
}

impl Filling {
    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Appends a line of a batch. `timestamp` is added where the line has none.
    pub fn push(&mut self, batch: u64, origin: (i64, u32), line: &[u8], timestamp: Option<i64>) {
        self.lines.push(LineRef {
            offset: origin.0,
            number: origin.1,
            start: self.body.len() as u32,
        });
        self.body.extend_from_slice(line);
        if let Some(nanos) = timestamp {
            // Writing to a vector does not fail.
            write!(self.body, " {nanos}").unwrap_or_default();
        }
        self.body.push(b'\n');
        match self.shares.last_mut() {
            Some(share) if share.batch == batch => share.lines += 1,
            _ => self.shares.push(Share { batch, lines: 1 }),
        }
    }

    /// What was filled. The room for more grows anew: thousands of quiet lanes must not keep that
    /// of their largest chunk.
    pub fn seal(&mut self) -> Chunk {
        let full = std::mem::take(self);
        Chunk {
            body: full.body.into(),
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

    /// The lines of a range as one body, without copying.
    pub fn slice(&self, lines: Range<usize>) -> Bytes {
        let start = |line: usize| {
            let found = self.lines.get(line);
            found.map_or(self.body.len(), |line| line.start as usize)
        };
        self.body.slice(start(lines.start)..start(lines.end))
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
            if line > start && self.slice(start..line + 1).len() > bytes {
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
