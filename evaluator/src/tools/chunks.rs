//! A file of points in pieces of whole lines, so that its size does not matter.

use std::io::{self, Read};

/// Bytes that are asked for at once.
const STEP: usize = 256 * 1024;
/// A line that is longer is no line: it is handed on as it is.
const LONGEST: usize = 4 * 1024 * 1024;

/// Reads whole lines; a newline inside a quoted string ends none.
#[derive(Debug)]
pub struct Chunks<R> {
    from: R,
    buffer: Vec<u8>,
    /// How many bytes of the buffer were handed out.
    taken: usize,
    ended: bool,
}

impl<R: Read> Chunks<R> {
    /// Before the first byte.
    pub fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::with_capacity(STEP),
            taken: 0,
            ended: false,
        }
    }

    /// The next whole lines; none at the end.
    pub fn next_lines(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        loop {
            if self.ended {
                self.taken = self.buffer.len();
                return Ok((!self.buffer.is_empty()).then_some(&*self.buffer));
            }
            self.fill()?;
            self.taken = match whole(&self.buffer) {
                0 if self.buffer.len() >= LONGEST => self.buffer.len(),
                whole => whole,
            };
            if self.taken > 0 && !self.ended {
                return Ok(Some(&self.buffer[..self.taken]));
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        // Twice as much each time, so that a long line is not scanned over and over.
        let room = self.buffer.len().max(STEP) as u64;
        let read = self
            .from
            .by_ref()
            .take(room)
            .read_to_end(&mut self.buffer)?;
        self.ended = (read as u64) < room;
        Ok(())
    }
}

/// How many bytes are lines that cannot go on behind the end: all before the last line.
fn whole(buffer: &[u8]) -> usize {
    // Without a quoted string each newline ends a line but one that is escaped.
    if !buffer.contains(&b'"') {
        let ends = |at: &usize| buffer[*at] == b'\n' && (*at == 0 || buffer[*at - 1] != b'\\');
        return (0..buffer.len()).rfind(ends).map_or(0, |at| at + 1);
    }
    let mut last = 0;
    let mut any = false;
    for line in schemas::line::scan(buffer) {
        let raw = match &line {
            Ok(line) => line.raw(),
            Err(rejected) => rejected.raw,
        };
        last = raw.as_ptr() as usize - buffer.as_ptr() as usize;
        any = true;
    }
    if any {
        return last;
    }
    // Comments and empty lines alone.
    buffer
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_whole_lines_and_nothing_is_lost() {
        let mut text = String::from("# arrival=1\n\n");
        for n in 0..20_000 {
            text.push_str(&format!("log,host=a text=\"first,\nsecond {n}\" {n}\n"));
            text.push_str("# between\n");
        }
        text.push_str("cpu,host=a usage=1 7");
        let mut chunks = Chunks::new(text.as_bytes());
        let (mut seen, mut pieces) = (Vec::new(), 0);
        while let Some(piece) = chunks.next_lines().unwrap() {
            assert!(schemas::line::scan(piece).all(|line| line.is_ok()));
            seen.extend_from_slice(piece);
            pieces += 1;
        }
        assert!(pieces > 2, "{pieces}");
        assert_eq!(seen, text.as_bytes());
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let mut chunks = Chunks::new(io::repeat(b'x').take(10 * 1024 * 1024));
        let mut most = 0;
        while let Some(piece) = chunks.next_lines().unwrap() {
            most = most.max(piece.len());
        }
        assert!(most <= 2 * LONGEST, "{most}");
    }

    #[test]
    fn nothing_is_no_piece() {
        assert!(Chunks::new(io::empty()).next_lines().unwrap().is_none());
    }
}
