//! Whether the owner of a lane writes to the shard or behind what waits for it.

use super::Origin;
use std::ops::Range;

/// The owner's side of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LaneMode {
    /// Nothing was sent under this generation yet.
    #[default]
    Closed,
    /// Everything of the lane is drained: lines go to the shard.
    Direct,
    /// Lines go behind the record at this offset of the handoff.
    Behind {
        /// The last record of the lane.
        last: i64,
    },
}

/// What is to be done before or with the next lines of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Append the generation's record and look what lies before it.
    Open,
    /// Write to the shard.
    Write,
    /// Append to the handoff.
    Append,
}

impl LaneMode {
    /// What comes next.
    pub fn next(self) -> Next {
        match self {
            Self::Closed => Next::Open,
            Self::Direct => Next::Write,
            Self::Behind { .. } => Next::Append,
        }
    }

    /// The generation's record lies at an offset. `waiting` says whether lines of the lane lie before
    /// it that are not drained, or may do so.
    pub fn opened(&mut self, generation_at: i64, waiting: bool) {
        *self = match waiting {
            true => Self::Behind {
                last: generation_at,
            },
            false => Self::Direct,
        };
    }

    /// Lines were appended at that offset.
    pub fn appended(&mut self, offset: i64) {
        *self = Self::Behind { last: offset };
    }

    /// The drainer has committed up to there: the next offset it would read.
    pub fn drained(&mut self, next_offset: i64) {
        if let Self::Behind { last } = *self
            && next_offset > last
        {
            *self = Self::Direct;
        }
    }
}

/// The segments of what an owner appends to a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segments {
    current: u64,
    last: Option<Origin>,
}

impl Segments {
    /// Cuts lines where they do not rise, and numbers the pieces.
    pub fn cut(&mut self, origins: &[Origin]) -> Vec<(Range<usize>, u64)> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for (n, origin) in origins.iter().enumerate() {
            if self.last.is_some_and(|last| *origin <= last) {
                if n > start {
                    pieces.push((start..n, self.current));
                }
                start = n;
                self.current += 1;
            }
            self.last = Some(*origin);
        }
        if start < origins.len() {
            pieces.push((start..origins.len(), self.current));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_come_again_are_a_segment_of_their_own() {
        let origins = |offsets: &[i64]| -> Vec<_> {
            let origin = |offset: &i64| Origin {
                offset: *offset,
                number: 1,
            };
            offsets.iter().map(origin).collect()
        };
        let mut segments = Segments::default();
        assert_eq!(segments.cut(&origins(&[1, 2, 5])), [(0..3, 0)]);
        assert_eq!(segments.cut(&origins(&[6])), [(0..1, 0)]);
        assert_eq!(
            segments.cut(&origins(&[7, 3, 4, 4, 9])),
            [(0..1, 0), (1..3, 1), (3..5, 2)]
        );
        assert_eq!(segments.cut(&origins(&[8])), [(0..1, 3)]);
    }

    #[test]
    fn the_shard_is_written_to_only_when_the_whole_lane_is_drained() {
        let mut lane = LaneMode::default();
        assert_eq!(lane.next(), Next::Open);
        lane.opened(7, true);
        assert_eq!(lane.next(), Next::Append);
        lane.drained(7);
        assert_eq!(lane.next(), Next::Append, "its own record is not read yet");
        lane.appended(9);
        lane.drained(8);
        assert_eq!(lane.next(), Next::Append);
        lane.drained(10);
        assert_eq!(lane.next(), Next::Write);
        let mut lane = LaneMode::default();
        lane.opened(7, false);
        assert_eq!(lane.next(), Next::Write);
        lane.appended(11);
        assert_eq!(lane.next(), Next::Append, "the shard is down");
    }
}
