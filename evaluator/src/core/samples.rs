//! The samples of one group: all its series pooled, by time.

use super::codec::{CodecError, Reader, Writer};
use super::counter::{self, Series};
use super::fresh::Fresh;
use super::rows::Rows;
use model::{SeriesKey, Timestamp};
use std::collections::BTreeMap;

/// A group keeps at most so many samples; those that come then are counted and left out.
pub(crate) const MOST_SAMPLES: usize = 100_000;

/// Marks a sample to which the rule's condition does not apply. Values are finite, so it cannot be
/// one.
const EXCLUDED: f64 = f64::NEG_INFINITY;

/// Samples in the order of (time, series), each a row of cells: the values of the rule's checks,
/// then the fields they were computed from. A cell without a value is NaN.
///
/// Fields are kept apart, as long as another line of their point may come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    rows: Rows,
    fresh: Fresh,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is new.
    New,
    /// It took the place of one with the same series and time.
    Replaced,
    /// There is no room.
    Full,
}

/// One cell of a row, read as a value of a check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    /// A value.
    Value(f64),
    /// The condition did not apply to the point.
    Excluded,
    /// Missing field, NaN, infinity, division by zero.
    Absent,
}

impl Cell {
    pub(crate) fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Excluded | Self::Absent => None,
        }
    }

    pub(crate) fn of(raw: f64) -> Self {
        if raw == EXCLUDED {
            Self::Excluded
        } else if raw.is_finite() {
            Self::Value(raw)
        } else {
            Self::Absent
        }
    }

    pub(crate) fn raw(self) -> f64 {
        match self {
            Self::Value(value) => value,
            Self::Excluded => EXCLUDED,
            Self::Absent => f64::NAN,
        }
    }
}

/// How many cells a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Width {
    /// Values of checks.
    pub(crate) checks: u16,
    /// Fields behind them.
    pub(crate) fields: u16,
}

impl Width {
    /// None where a rule has more than can be counted, which no template has.
    pub(crate) fn new(checks: usize, fields: usize) -> Self {
        let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        Self {
            checks: count(checks),
            fields: count(fields),
        }
    }

    fn cells(self) -> usize {
        usize::from(self.checks) + usize::from(self.fields)
    }
}

impl Samples {
    /// None yet, with rows of so many cells.
    pub(crate) fn new(width: Width) -> Self {
        Self {
            rows: Rows::new(width.checks),
            fresh: Fresh::new(width.fields),
        }
    }

    pub(crate) fn width(&self) -> Width {
        Width {
            checks: self.rows.checks(),
            fields: self.fresh.fields(),
        }
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn at(&self, row: usize) -> i64 {
        self.rows.at(row)
    }

    fn series(&self, row: usize) -> u64 {
        self.rows.series(row)
    }

    fn cell(&self, row: usize, check: usize) -> Cell {
        Cell::of(f64::from_bits(self.rows.values(row)[check]))
    }

    /// How many rows have a time of which `holds` says yes; it says so of the first ones only.
    fn rows_until(&self, holds: impl Fn(i64) -> bool) -> usize {
        let (mut least, mut most) = (0, self.len());
        while least < most {
            let middle = least.midpoint(most);
            if holds(self.at(middle)) {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        least
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a sample that is not after `at`.
    pub(crate) fn begins_by(&self, at: Timestamp) -> bool {
        !self.is_empty() && self.at(0) <= at.as_nanos()
    }

    /// Whether there is no sample after `at`.
    pub(crate) fn ends_by(&self, at: Timestamp) -> bool {
        self.is_empty() || self.at(self.len() - 1) <= at.as_nanos()
    }

    /// The fields of a series at a time, as long as they are kept.
    pub(crate) fn fields(
        &self,
        at: Timestamp,
        series: SeriesKey,
    ) -> Option<impl Iterator<Item = f64>> {
        self.fresh.of((at.as_nanos(), series.as_u64()))
    }

    /// Adds a row, or replaces the one of the same series and time: the last one wins.
    pub(crate) fn put(&mut self, at: Timestamp, series: SeriesKey, cells: &[f64]) -> Added {
        debug_assert_eq!(cells.len(), self.width().cells(), "rows are of one width");
        let (at, series) = (at.as_nanos(), series.as_u64());
        let (cells, fields) = cells.split_at(usize::from(self.rows.checks()));
        let found = self.position(at, series);
        if found.is_err() && self.len() >= MOST_SAMPLES {
            return Added::Full;
        }
        self.fresh.put((at, series), fields);
        match found {
            Ok(row) => {
                let known = self.rows.values_mut(row).iter_mut();
                known
                    .zip(cells)
                    .for_each(|(known, cell)| *known = cell.to_bits());
                Added::Replaced
            }
            Err(row) => {
                let cells = cells.iter().map(|cell| cell.to_bits());
                self.rows.insert(row, at, series, cells);
                Added::New
            }
        }
    }

    /// Drops what is not after `at`.
    pub(crate) fn drop_until(&mut self, at: Timestamp) {
        let old = self.rows_until(|t| t <= at.as_nanos());
        self.rows.drop_first(old);
        self.fresh.drop_before(at.as_nanos().saturating_add(1));
    }

    /// The same, but the newest row of each series stays.
    pub(crate) fn drop_but_newest_until(&mut self, at: Timestamp) {
        let n = self.rows_until(|t| t <= at.as_nanos());
        if self.rows.is_one_series() {
            let newest = usize::from(n > 0 && n == self.len());
            return self.rows.drop_first(n - newest);
        }
        let newest = |row: &usize| {
            (row + 1..self.len()).all(|later| self.series(later) != self.series(*row))
        };
        let kept: Vec<usize> = (0..n).filter(newest).collect();
        if kept.len() < n {
            self.rows.keep_of_first(n, &kept);
        }
    }

    /// No other line of a point before `at` will come: what it has said besides its checks is
    /// forgotten.
    pub(crate) fn settle_before(&mut self, at: Timestamp) {
        self.fresh.drop_before(at.as_nanos());
    }

    /// The values of one check up to `until`, by series; those of one thing that changed its tags are one.
    pub(crate) fn by_series(&self, until: Timestamp, check: usize) -> Vec<Series> {
        let to = self.rows_until(|t| t <= until.as_nanos());
        let mut found: BTreeMap<u64, Series> = BTreeMap::new();
        for row in 0..to {
            if let Some(value) = self.cell(row, check).value() {
                let at = Timestamp::from_nanos(self.at(row));
                found.entry(self.series(row)).or_default().push((at, value));
            }
        }
        counter::of_things(found)
    }

    /// The newest value of a check of that series before `at`.
    pub(crate) fn before(
        &self,
        at: Timestamp,
        series: SeriesKey,
        check: usize,
    ) -> Option<(Timestamp, f64)> {
        let to = self.rows_until(|t| t < at.as_nanos());
        (0..to)
            .rev()
            .filter(|row| self.series(*row) == series.as_u64())
            .find_map(|row| {
                let value = self.cell(row, check).value()?;
                Some((Timestamp::from_nanos(self.at(row)), value))
            })
    }

    /// Time and value of one check in the window (after, until].
    pub(crate) fn window(
        &self,
        after: Timestamp,
        until: Timestamp,
        check: usize,
    ) -> impl Iterator<Item = (Timestamp, Cell)> {
        let from = self.rows_until(|t| t <= after.as_nanos());
        let to = self.rows_until(|t| t <= until.as_nanos()).max(from);
        let column = self.rows.column(from..to, check);
        column.map(|(at, bits)| (Timestamp::from_nanos(at), Cell::of(f64::from_bits(bits))))
    }

    fn position(&self, at: i64, series: u64) -> Result<usize, usize> {
        let wanted = (at, series);
        let len = self.len();
        // Points come in order, mostly.
        if len == 0 || self.at(len - 1) < wanted.0 {
            return Err(len);
        }
        let mut row = self.rows_until(|t| t < wanted.0);
        while row < len && (self.at(row), self.series(row)) < wanted {
            row += 1;
        }
        if row < len && (self.at(row), self.series(row)) == wanted {
            Ok(row)
        } else {
            Err(row)
        }
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.unsigned(self.width().cells() as u64);
        self.rows.encode_places(to);
        for row in 0..self.len() {
            for bits in self.rows.values(row) {
                to.fixed(*bits);
            }
            let known = self.fresh.of((self.at(row), self.series(row)));
            let known = known
                .into_iter()
                .flatten()
                .chain(std::iter::repeat(f64::NAN));
            for field in known.take(self.fresh.fields().into()) {
                to.float(field);
            }
        }
    }

    /// What comes back has a check in each cell, until [`Samples::split`] says better.
    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let width = u16::try_from(from.unsigned()?).map_err(|_| CodecError::Range("a width"))?;
        Ok(Self {
            rows: Rows::decode(from, width)?,
            fresh: Fresh::default(),
        })
    }

    /// Of rows that were read back: the last cells of each are fields.
    pub(crate) fn split(&mut self, width: Width) {
        if self.width() == width
            || self.width().cells() != width.cells()
            || self.rows.checks() < width.checks
        {
            return;
        }
        let mut split = Self::new(width);
        for row in 0..self.len() {
            let (at, series) = (self.at(row), self.series(row));
            let (checks, fields) = self.rows.values(row).split_at(width.checks.into());
            split.rows.insert(row, at, series, checks.iter().copied());
            let fields: Vec<f64> = fields.iter().map(|bits| f64::from_bits(*bits)).collect();
            if fields.iter().any(|field| field.is_finite()) {
                split.fresh.put((at, series), &fields);
            }
        }
        *self = split;
    }
}

#[cfg(test)]
impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |samples: &Self| {
            let mut to = Writer::default();
            samples.encode(&mut to);
            to.into_bytes()
        };
        bytes(self) == bytes(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn key(n: u64) -> SeriesKey {
        SeriesKey::from_hash(n)
    }

    fn values(samples: &Samples, after: i64, until: i64) -> Vec<(i64, f64)> {
        samples
            .window(s(after), s(until), 0)
            .map(|(at, cell)| (at.as_millis() / 1_000, cell.raw()))
            .collect()
    }

    #[test]
    fn windows_are_open_at_their_start_and_closed_at_their_end() {
        let mut samples = Samples::new(Width::new(1, 0));
        for at in [30, 10, 20, 40] {
            assert_eq!(samples.put(s(at), key(1), &[at as f64]), Added::New);
        }
        assert_eq!(values(&samples, 10, 30), [(20, 20.0), (30, 30.0)]);
        samples.drop_until(s(30));
        assert_eq!(values(&samples, 0, 100), [(40, 40.0)]);
    }

    #[test]
    fn the_last_of_the_same_series_and_time_wins() {
        let mut samples = Samples::new(Width::new(1, 1));
        samples.put(s(10), key(2), &[1.0, 5.0]);
        samples.put(s(10), key(1), &[2.0, 5.0]);
        assert_eq!(samples.put(s(10), key(2), &[3.0, 6.0]), Added::Replaced);
        assert_eq!(values(&samples, 0, 10), [(10, 2.0), (10, 3.0)]);
        let fields: Vec<f64> = samples.fields(s(10), key(2)).unwrap().collect();
        assert_eq!(fields, [6.0]);
        assert!(samples.fields(s(10), key(3)).is_none());
        samples.settle_before(s(10));
        assert!(samples.fields(s(10), key(2)).is_some());
        samples.settle_before(s(11));
        assert!(samples.fields(s(10), key(2)).is_none());
    }

    #[test]
    fn samples_are_read_back_as_written() {
        let mut samples = Samples::new(Width::new(1, 0));
        samples.put(s(-5), key(1), &[Cell::Excluded.raw()]);
        samples.put(s(10), key(u64::MAX), &[1.5]);
        samples.put(Timestamp::from_nanos(i64::MAX), key(3), &[-0.0]);
        let mut to = Writer::default();
        samples.encode(&mut to);
        let bytes = to.into_bytes();
        assert_eq!(Samples::decode(&mut Reader::new(&bytes)).unwrap(), samples);
        for n in 0..bytes.len() {
            assert!(
                Samples::decode(&mut Reader::new(&bytes[..n])).is_err(),
                "{n}"
            );
        }
    }

    #[test]
    fn a_row_names_its_series_as_soon_as_there_are_two() {
        let (mut one, mut two) = (
            Samples::new(Width::new(2, 0)),
            Samples::new(Width::new(2, 0)),
        );
        for at in 1..4 {
            one.put(s(at), key(7), &[at as f64, 0.5]);
            two.put(s(at), key(7), &[at as f64, 0.5]);
        }
        two.put(s(2), key(3), &[9.0, 0.5]);
        let by_series = |samples: &Samples| -> Vec<usize> {
            let all = samples.by_series(s(10), 0);
            all.iter().map(Vec::len).collect()
        };
        assert_eq!((by_series(&one), by_series(&two)), (vec![3], vec![1, 3]));
        assert_eq!(values(&two, 0, 2), [(1, 1.0), (2, 9.0), (2, 2.0)]);
        assert_eq!(two.before(s(3), key(7), 0), Some((s(2), 2.0)));
        two.drop_until(s(3));
        two.put(s(4), key(1), &[1.0, 0.5]);
        assert_eq!(by_series(&two), [1], "of the series that is left");
    }

    #[test]
    fn fields_are_read_back_where_they_were_kept() {
        let width = Width::new(1, 2);
        let mut samples = Samples::new(width);
        samples.put(s(10), key(1), &[1.0, 2.0, f64::NAN]);
        samples.put(s(20), key(2), &[3.0, 4.0, 5.0]);
        samples.settle_before(s(20));
        let mut to = Writer::default();
        samples.encode(&mut to);
        let bytes = to.into_bytes();
        let mut read = Samples::decode(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(read, samples, "the same bytes before it is split");
        read.split(width);
        assert_eq!(read, samples);
        assert_eq!(read.width(), width);
        assert!(read.fields(s(10), key(1)).is_none());
        assert_eq!(
            read.fields(s(20), key(2)).unwrap().collect::<Vec<_>>(),
            [4.0, 5.0]
        );
        assert_eq!(values(&read, 0, 20), [(10, 1.0), (20, 3.0)]);
    }
}
