//! A set of lines in sixteen bytes: how many, and a hash that does not depend on their order.

use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// What was sent, or received. Equal tallies mean the same lines, each as often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// How many lines.
    pub(crate) lines: u64,
    /// The sum of the lines' hashes.
    pub(crate) hash: u64,
}

/// The hash of every line of a body; the newline of the last one may be missing.
pub(crate) fn hashes(body: &[u8]) -> impl Iterator<Item = u64> {
    let lines = body.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty()).map(xxh3_64)
}

/// Whether a sink that refuses lines refuses this one: some twenty of a million.
pub(crate) fn is_refused(hash: u64) -> bool {
    hash.is_multiple_of(50_000)
}

impl Tally {
    /// Adds every line of a body.
    pub(crate) fn add(&mut self, body: &[u8]) {
        hashes(body).for_each(|hash| self.add_line(hash));
    }

    /// Adds one line.
    pub(crate) fn add_line(&mut self, hash: u64) {
        self.lines += 1;
        self.hash = self.hash.wrapping_add(hash);
    }

    /// Adds another set.
    pub(crate) fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines ({:016x})", self.lines, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bodies: &[&str]) -> Tally {
        let mut tally = Tally::default();
        bodies.iter().for_each(|body| tally.add(body.as_bytes()));
        tally
    }

    #[test]
    fn order_and_cuts_do_not_matter_but_every_line_does() {
        assert_eq!(of(&["a\nb\n", "c"]), of(&["c\n", "b\na"]));
        assert_ne!(of(&["a\nb\n"]), of(&["a\na\n"]));
        assert_ne!(of(&["a\nb\n"]), of(&["a\nb\nb\n"]));
    }

    #[test]
    fn a_few_lines_of_a_million_are_refused() {
        let refused = |lines: u64| (0..lines).filter(|n| is_refused(xxh3_64(&n.to_le_bytes())));
        assert!((10..=40).contains(&refused(1_000_000).count()));
    }

    #[test]
    fn parts_make_up_the_whole() {
        let mut parts = of(&["a\n"]);
        parts.merge(of(&["b\nc\n"]));
        assert_eq!(parts, of(&["a\nb\nc\n"]));
    }
}
