//! Whose turn it is: turns of equal length on the wall clock, one after the other.

use super::wall::{first_reading, reading};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The turns of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// When the first turn begins.
    pub(crate) from: DateTime,
    /// Length of a turn on the wall clock.
    pub(crate) hours: i64,
    /// Who has each turn.
    pub(crate) turns: Vec<Vec<String>>,
}

/// One turn: its number from 0 on, and when it begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) number: i64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Rotation {
    /// When turn `number` begins.
    pub(crate) fn begins(&self, zone: &TimeZone, number: i64) -> Timestamp {
        let wall = number
            .checked_mul(self.hours)
            .and_then(|hours| self.from.checked_add(hours.hours()).ok());
        // Beyond the year 9999 nothing is handed over any more.
        wall.map_or(Timestamp::MAX, |wall| first_reading(zone, wall))
    }

    /// The turn at an instant; none before the first.
    pub(crate) fn turn(&self, zone: &TimeZone, at: Timestamp) -> Option<Turn> {
        let passed = reading(zone, at).duration_since(self.from).as_hours();
        let mut number = passed.div_euclid(self.hours).max(0);
        // Where the clock is set back it reads a time before the handover that it has seen already. Never the other way round: a
        // turn begins when the clock reads its time, or later, for the first time.
        while self.begins(zone, number + 1) <= at {
            number += 1;
        }
        let from = self.begins(zone, number);
        (from <= at).then(|| Turn {
            number,
            from,
            to: self.begins(zone, number + 1),
        })
    }

    /// Who has a turn.
    pub(crate) fn people(&self, number: i64) -> &[String] {
        let count = i64::try_from(self.turns.len()).unwrap_or(i64::MAX).max(1);
        let place = usize::try_from(number.rem_euclid(count)).unwrap_or(0);
        self.turns.get(place).map_or(&[], Vec::as_slice)
    }

    /// The handovers from that of the turn at `from` up to `to`.
    pub(crate) fn handovers(
        &self,
        zone: &TimeZone,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Timestamp> {
        let first = self.turn(zone, from).map_or(0, |turn| turn.number);
        (first..)
            .map(|number| self.begins(zone, number))
            .take_while(|at| *at < to)
            .collect()
    }
}
