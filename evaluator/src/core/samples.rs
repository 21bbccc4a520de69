//! The samples of one group: all its series pooled, by time.

use super::codec::{CodecError, Reader, Writer};
use super::counter::Series;
use model::{SeriesKey, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// A group keeps at most so many samples; those that come then are counted and left out.
pub(crate) const MOST_SAMPLES: usize = 100_000;

/// Marks a sample to which the rule's condition does not apply. Values are finite, so it cannot be
/// one.
const EXCLUDED: f64 = f64::NEG_INFINITY;

/// Samples in the order of (time, series), each a row of cells: the values of the rule's checks,
/// then the fields they were computed from. A cell without a value is NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples {
    width: usize,
    at: VecDeque<i64>,
    series: VecDeque<u64>,
    cells: VecDeque<f64>,
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

impl Samples {
    /// None yet, with rows of `width` cells.
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Whether there is no sample after `at`.
    pub(crate) fn ends_by(&self, at: Timestamp) -> bool {
        self.at.back().is_none_or(|newest| *newest <= at.as_nanos())
    }

    /// The row of a series at a time.
    pub(crate) fn row(
        &self,
        at: Timestamp,
        series: SeriesKey,
    ) -> Option<impl Iterator<Item = f64>> {
        let row = self.position(at, series).ok()?;
        Some(
            self.cells
                .range(row * self.width..(row + 1) * self.width)
                .copied(),
        )
    }

    /// Adds a row, or replaces the one of the same series and time: the last one wins.
    pub(crate) fn put(&mut self, at: Timestamp, series: SeriesKey, cells: &[f64]) -> Added {
        debug_assert_eq!(cells.len(), self.width, "rows are of one width");
        match self.position(at, series) {
            Ok(row) => {
                for (n, cell) in cells.iter().enumerate() {
                    self.cells[row * self.width + n] = *cell;
                }
                Added::Replaced
            }
            Err(_) if self.at.len() >= MOST_SAMPLES => Added::Full,
            Err(row) => {
                self.at.insert(row, at.as_nanos());
                self.series.insert(row, series.as_u64());
                for (n, cell) in cells.iter().enumerate() {
                    self.cells.insert(row * self.width + n, *cell);
                }
                Added::New
            }
        }
    }

    /// Drops what is not after `at`.
    pub(crate) fn drop_until(&mut self, at: Timestamp) {
        let n = self.at.partition_point(|t| *t <= at.as_nanos());
        self.at.drain(..n);
        self.series.drain(..n);
        self.cells.drain(..n * self.width);
    }

    /// The same, but the newest row of each series stays.
    pub(crate) fn drop_but_newest_until(&mut self, at: Timestamp) {
        let n = self.at.partition_point(|t| *t <= at.as_nanos());
        let newest = |row: usize, samples: &Self| {
            let later = samples.series.range(row + 1..);
            later.into_iter().all(|s| *s != samples.series[row])
        };
        let kept: Vec<usize> = (0..n).filter(|row| newest(*row, self)).collect();
        if kept.len() == n {
            return;
        }
        let rows: Vec<(i64, u64, Vec<f64>)> = kept
            .into_iter()
            .map(|row| {
                let cells = self.cells.range(row * self.width..(row + 1) * self.width);
                (self.at[row], self.series[row], cells.copied().collect())
            })
            .collect();
        self.drop_until(at);
        for (at, series, cells) in rows.into_iter().rev() {
            self.at.push_front(at);
            self.series.push_front(series);
            cells
                .into_iter()
                .rev()
                .for_each(|c| self.cells.push_front(c));
        }
    }

    /// The values of one check up to `until`, by series.
    pub(crate) fn by_series(&self, until: Timestamp, check: usize) -> Vec<Series> {
        let to = self.at.partition_point(|t| *t <= until.as_nanos());
        let mut found: BTreeMap<u64, Series> = BTreeMap::new();
        for row in 0..to {
            if let Some(value) = Cell::of(self.cells[row * self.width + check]).value() {
                let at = Timestamp::from_nanos(self.at[row]);
                found.entry(self.series[row]).or_default().push((at, value));
            }
        }
        found.into_values().collect()
    }

    /// The newest value of a check of that series before `at`.
    pub(crate) fn before(
        &self,
        at: Timestamp,
        series: SeriesKey,
        check: usize,
    ) -> Option<(Timestamp, f64)> {
        let to = self.at.partition_point(|t| *t < at.as_nanos());
        (0..to)
            .rev()
            .filter(|row| self.series[*row] == series.as_u64())
            .find_map(|row| {
                let value = Cell::of(self.cells[row * self.width + check]).value()?;
                Some((Timestamp::from_nanos(self.at[row]), value))
            })
    }

    /// Time and value of one check in the window (after, until].
    pub(crate) fn window(
        &self,
        after: Timestamp,
        until: Timestamp,
        check: usize,
    ) -> impl Iterator<Item = (Timestamp, Cell)> {
        let from = self.at.partition_point(|t| *t <= after.as_nanos());
        let to = self
            .at
            .partition_point(|t| *t <= until.as_nanos())
            .max(from);
        (from..to).map(move |row| {
            let cell = Cell::of(self.cells[row * self.width + check]);
            (Timestamp::from_nanos(self.at[row]), cell)
        })
    }

    fn position(&self, at: Timestamp, series: SeriesKey) -> Result<usize, usize> {
        let wanted = (at.as_nanos(), series.as_u64());
        // Points come in order, mostly.
        if self.at.back().is_none_or(|last| *last < wanted.0) {
            return Err(self.at.len());
        }
        let from = self.at.partition_point(|t| *t < wanted.0);
        let mut row = from;
        while row < self.at.len() && (self.at[row], self.series[row]) < wanted {
            row += 1;
        }
        if row < self.at.len() && (self.at[row], self.series[row]) == wanted {
            Ok(row)
        } else {
            Err(row)
        }
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.unsigned(self.width as u64);
        let mut before = 0_i64;
        to.list(self.at.iter(), |to, at| {
            to.signed(at.wrapping_sub(before));
            before = *at;
        });
        for series in &self.series {
            to.fixed(*series);
        }
        for cell in &self.cells {
            to.float(*cell);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let width = from.count()?;
        let mut before = 0_i64;
        let at: VecDeque<i64> = from
            .list(|from| {
                before = before.wrapping_add(from.signed()?);
                Ok(before)
            })?
            .into();
        if !at.iter().is_sorted() {
            return Err(CodecError::Range("a sample's time"));
        }
        let series = (0..at.len())
            .map(|_| from.fixed())
            .collect::<Result<_, _>>()?;
        let cells = at
            .len()
            .checked_mul(width)
            .ok_or(CodecError::Range("a width"))?;
        let cells = (0..cells).map(|_| from.float()).collect::<Result<_, _>>()?;
        Ok(Self {
            width,
            at,
            series,
            cells,
        })
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
        let mut samples = Samples::new(1);
        for at in [30, 10, 20, 40] {
            assert_eq!(samples.put(s(at), key(1), &[at as f64]), Added::New);
        }
        assert_eq!(values(&samples, 10, 30), [(20, 20.0), (30, 30.0)]);
        samples.drop_until(s(30));
        assert_eq!(values(&samples, 0, 100), [(40, 40.0)]);
    }

    #[test]
    fn the_last_of_the_same_series_and_time_wins() {
        let mut samples = Samples::new(2);
        samples.put(s(10), key(2), &[1.0, 5.0]);
        samples.put(s(10), key(1), &[2.0, 5.0]);
        assert_eq!(samples.put(s(10), key(2), &[3.0, 6.0]), Added::Replaced);
        assert_eq!(values(&samples, 0, 10), [(10, 2.0), (10, 3.0)]);
        let row: Vec<f64> = samples.row(s(10), key(2)).unwrap().collect();
        assert_eq!(row, [3.0, 6.0]);
        assert!(samples.row(s(10), key(3)).is_none());
    }

    #[test]
    fn samples_are_read_back_as_written() {
        let mut samples = Samples::new(1);
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
}
