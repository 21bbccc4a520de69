//! As much of Kafka's protocol as tells an acknowledgement of a produce request from other answers.
//!
//! A request is `length i32, api key i16, api version i16, correlation id i32, ...`, an answer is `length i32,
//! correlation id i32, ...` (<https://kafka.apache.org/protocol>). Bytes of another protocol do no harm: they are
//! only looked at.

use std::collections::BTreeSet;

const PRODUCE: [u8; 2] = [0, 0];
/// More requests than any client has under way; beyond it these are no requests.
const MOST: usize = 100_000;

/// The produce requests of one connection that have no answer yet.
#[derive(Debug, Default)]
pub(super) struct Produces {
    asked: Headers<12>,
    answered: Headers<8>,
    waiting: BTreeSet<[u8; 4]>,
}

impl Produces {
    /// Bytes from the client.
    pub(super) fn asked(&mut self, bytes: &[u8]) {
        let waiting = &mut self.waiting;
        self.asked.read(bytes, |header| {
            let (api, id) = (&header[4..6], &header[8..12]);
            if api == PRODUCE && waiting.len() < MOST {
                waiting.insert(id.try_into().expect("four bytes"));
            }
        });
    }

    /// Bytes from the broker; whether an acknowledgement of a produce request begins in them.
    pub(super) fn answered(&mut self, bytes: &[u8]) -> bool {
        let (waiting, mut found) = (&mut self.waiting, false);
        self.answered.read(bytes, |header| {
            let id: [u8; 4] = header[4..8].try_into().expect("four bytes");
            found |= waiting.remove(&id);
        });
        found
    }
}

/// Finds the first `N` bytes of each frame in a stream that comes in pieces.
#[derive(Debug)]
struct Headers<const N: usize> {
    header: [u8; N],
    filled: usize,
    to_skip: usize,
}

impl<const N: usize> Default for Headers<N> {
    fn default() -> Self {
        Self {
            header: [0; N],
            filled: 0,
            to_skip: 0,
        }
    }
}

impl<const N: usize> Headers<N> {
    fn read(&mut self, mut bytes: &[u8], mut found: impl FnMut(&[u8; N])) {
        while !bytes.is_empty() {
            if self.to_skip > 0 {
                let skipped = self.to_skip.min(bytes.len());
                self.to_skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (N - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == N {
                found(&self.header);
                self.filled = 0;
                let [a, b, c, d, ..] = self.header[..] else {
                    unreachable!("a header has a length")
                };
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                self.to_skip = (length + 4).saturating_sub(N);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Produces;

    fn request(api: u8, id: u8, rest: usize) -> Vec<u8> {
        let length = u8::try_from(8 + rest).unwrap();
        let mut bytes = vec![0, 0, 0, length, 0, api, 0, 9, 0, 0, 0, id];
        bytes.extend(vec![0xff; rest]);
        bytes
    }

    fn answer(id: u8, rest: usize) -> Vec<u8> {
        let length = u8::try_from(4 + rest).unwrap();
        let mut bytes = vec![0, 0, 0, length, 0, 0, 0, id];
        bytes.extend(vec![0xff; rest]);
        bytes
    }

    #[test]
    fn an_acknowledgement_of_a_produce_is_found_wherever_the_stream_is_cut() {
        let asked = [
            request(18, 1, 30),
            request(0, 2, 200),
            request(3, 3, 0),
            request(0, 4, 7),
        ];
        let asked = asked.concat();
        for cut in 1..asked.len() {
            let mut produces = Produces::default();
            asked.chunks(cut).for_each(|piece| produces.asked(piece));
            for (id, wanted) in [(1, false), (2, true), (3, false), (4, true), (4, false)] {
                let answer = answer(id, 50);
                let found: Vec<_> = answer
                    .chunks(cut)
                    .map(|piece| produces.answered(piece))
                    .collect();
                assert_eq!(found.contains(&true), wanted, "answer {id}, cut at {cut}");
            }
        }
    }
}
