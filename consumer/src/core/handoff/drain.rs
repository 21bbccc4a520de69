//! How far a lane is drained, and which of its records count.

use super::{Envelope, Origin};
use std::fmt;
use std::str::FromStr;

/// The drainer's own account of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneSums {
    /// Lines in the records that were read.
    pub read: u64,
    /// Lines that the shard holds.
    pub stored: u64,
    /// Lines in the dead-letter topic.
    pub dead_lettered: u64,
    /// Lines that were drained before: an acknowledgement was lost on its way to their owner, or the
    /// drainer died before its commit.
    pub repeated: u64,
    /// Lines of a former owner.
    pub fenced: u64,
}

impl LaneSums {
    /// Adds the sums of another lane.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.stored += other.stored;
        self.dead_lettered += other.dead_lettered;
        self.repeated += other.repeated;
        self.fenced += other.fenced;
    }

    /// Whether every line read has its fate.
    pub fn is_balanced(&self) -> bool {
        self.read == self.stored + self.dead_lettered + self.repeated + self.fenced
    }
}

/// A lane as its drainer knows it: one record of `bongsu.handoff.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneState {
    /// Who wrote it: rises from drainer to drainer.
    pub epoch: u64,
    /// Highest generation seen.
    pub generation: u64,
    /// Highest segment of that generation seen.
    pub segment: u64,
    /// The last line of that segment that is drained.
    pub drained_to: Option<Origin>,
    /// The account.
    pub sums: LaneSums,
}

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Nothing: it has no lines that count.
    Pass,
    /// Write its lines from this one on, then say so with [`LaneState::drained`].
    Write {
        /// The first line that is no repeat.
        from: usize,
    },
}

impl LaneState {
    /// Looks at the next record of the lane. The one before must be drained.
    pub fn admit(&mut self, record: &Envelope) -> Admission {
        let lines = record.origins.len() as u64;
        self.sums.read += lines;
        let (seen, own) = (
            (self.generation, self.segment),
            (record.generation, record.segment),
        );
        if own < seen {
            self.sums.fenced += lines;
            return Admission::Pass;
        }
        if own > seen {
            // Its owner may have written older lines to the shard itself since: what was drained
            // before is no repeat any more.
            (self.generation, self.segment) = own;
            self.drained_to = None;
        }
        let from = match self.drained_to {
            Some(to) => record.origins.partition_point(|origin| *origin <= to),
            None => 0,
        };
        self.sums.repeated += from as u64;
        if from == record.origins.len() {
            return Admission::Pass;
        }
        Admission::Write { from }
    }

    /// The lines of the last record admitted are stored or dead-lettered.
    pub fn drained(&mut self, record: &Envelope, stored: u64, dead_lettered: u64) {
        self.sums.stored += stored;
        self.sums.dead_lettered += dead_lettered;
        self.drained_to = record.origins.last().copied();
    }
}

/// Why a record of the state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state of a lane")]
pub struct ParseStateError(String);

impl fmt::Display for LaneState {
    /// `v1;epoch=..;gen=..;segment=..;to=OFFSET/LINE;read=..;stored=..;dead=..;repeated=..;fenced=..`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "v1;epoch={};gen={};segment={}",
            self.epoch, self.generation, self.segment
        )?;
        if let Some(to) = self.drained_to {
            write!(f, ";to={to}")?;
        }
        let LaneSums {
            read,
            stored,
            dead_lettered,
            repeated,
            fenced,
        } = self.sums;
        write!(
            f,
            ";read={read};stored={stored};dead={dead_lettered};repeated={repeated};fenced={fenced}"
        )
    }
}

impl FromStr for LaneState {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, ParseStateError> {
        let refuse = || ParseStateError(text.chars().take(80).collect());
        let mut words = text.split(';');
        if words.next() != Some("v1") {
            return Err(refuse());
        }
        let mut state = Self::default();
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(refuse)?;
            let number = || value.parse::<u64>().map_err(|_| refuse());
            match key {
                "epoch" => state.epoch = number()?,
                "gen" => state.generation = number()?,
                "segment" => state.segment = number()?,
                "to" => state.drained_to = Some(value.parse().map_err(|_| refuse())?),
                "read" => state.sums.read = number()?,
                "stored" => state.sums.stored = number()?,
                "dead" => state.sums.dead_lettered = number()?,
                "repeated" => state.sums.repeated = number()?,
                "fenced" => state.sums.fenced = number()?,
                _ => {}
            }
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(generation: u64, segment: u64, places: &[(i64, u32)]) -> Envelope {
        Envelope {
            lane: "metrics.acme/0/0".parse().unwrap(),
            generation,
            segment,
            origins: places
                .iter()
                .map(|(offset, number)| Origin {
                    offset: *offset,
                    number: *number,
                })
                .collect(),
        }
    }

    #[test]
    fn repeats_and_former_owners_are_dropped_and_counted() {
        let mut lane = LaneState::default();
        let first = record(3, 0, &[(10, 1), (10, 2)]);
        assert_eq!(lane.admit(&first), Admission::Write { from: 0 });
        lane.drained(&first, 1, 1);
        let again = record(3, 0, &[(10, 2), (10, 3), (12, 1)]);
        assert_eq!(lane.admit(&again), Admission::Write { from: 1 });
        lane.drained(&again, 2, 0);
        assert_eq!(lane.drained_to.unwrap().to_string(), "12/1");
        assert_eq!(lane.admit(&again), Admission::Pass);
        assert_eq!(lane.admit(&record(4, 0, &[])), Admission::Pass);
        let stale = record(3, 9, &[(13, 1)]);
        assert_eq!(lane.admit(&stale), Admission::Pass);
        assert_eq!(
            lane.sums,
            LaneSums {
                read: 9,
                stored: 3,
                dead_lettered: 1,
                repeated: 4,
                fenced: 1
            }
        );
        assert!(lane.sums.is_balanced());
    }

    #[test]
    fn what_another_owner_or_segment_sends_again_is_written_again() {
        let mut lane = LaneState::default();
        let old = record(1, 0, &[(10, 1), (20, 1)]);
        lane.admit(&old);
        lane.drained(&old, 2, 0);
        for (generation, segment) in [(2, 0), (2, 1)] {
            let new = record(generation, segment, &[(15, 1)]);
            assert_eq!(lane.admit(&new), Admission::Write { from: 0 });
            lane.drained(&new, 1, 0);
            assert_eq!(lane.admit(&new), Admission::Pass);
        }
    }

    /// The text of version 1, in the state topic.
    #[test]
    fn the_state_is_written_as_it_always_was_and_more_is_left_out() {
        let lane = LaneState {
            epoch: 9,
            generation: 5,
            segment: 3,
            drained_to: Some(Origin {
                offset: 302,
                number: 2,
            }),
            sums: LaneSums {
                read: 10,
                stored: 6,
                dead_lettered: 1,
                repeated: 2,
                fenced: 1,
            },
        };
        let text =
            "v1;epoch=9;gen=5;segment=3;to=302/2;read=10;stored=6;dead=1;repeated=2;fenced=1";
        assert_eq!(lane.to_string(), text);
        assert_eq!(text.parse(), Ok(lane));
        assert_eq!(format!("{text};later=x").parse(), Ok(lane));
        assert!(text.replacen("v1", "v2", 1).parse::<LaneState>().is_err());
    }

    #[test]
    fn the_state_reads_what_it_writes() {
        let mut lane = LaneState {
            epoch: 9,
            ..LaneState::default()
        };
        assert_eq!(lane.to_string().parse(), Ok(lane));
        let first = record(u64::MAX, 0xfe, &[(i64::MAX, 7)]);
        lane.admit(&first);
        lane.drained(&first, 1, 0);
        assert_eq!(lane.to_string().parse(), Ok(lane));
        assert!("".parse::<LaneState>().is_err() && "v1;gen=x".parse::<LaneState>().is_err());
    }
}
