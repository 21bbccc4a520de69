//! The samples of one group: all its series pooled, by time.

use super::codec::{CodecError, Reader, Writer};
use super::counter::Series;
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
/// All rows lie in one piece of memory, which is as large as it must be: there are as many of these
/// as groups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    width: usize,
    /// Row by row: its time, its series, and the bits of its cells.
    rows: Vec<u64>,
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

    fn stride(&self) -> usize {
        self.width + 2
    }

    fn len(&self) -> usize {
        self.rows.len() / self.stride()
    }

    fn at(&self, row: usize) -> i64 {
        self.rows[row * self.stride()].cast_signed()
    }

    fn series(&self, row: usize) -> u64 {
        self.rows[row * self.stride() + 1]
    }

    fn cells(&self, row: usize) -> impl Iterator<Item = f64> + use<'_> {
        let from = row * self.stride() + 2;
        self.rows[from..from + self.width]
            .iter()
            .map(|bits| f64::from_bits(*bits))
    }

    fn cell(&self, row: usize, check: usize) -> Cell {
        debug_assert!(check < self.width, "a check has its cell");
        Cell::of(f64::from_bits(self.rows[row * self.stride() + 2 + check]))
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

    /// Whether there is no sample after `at`.
    pub(crate) fn ends_by(&self, at: Timestamp) -> bool {
        self.len() == 0 || self.at(self.len() - 1) <= at.as_nanos()
    }

    /// The row of a series at a time.
    pub(crate) fn row(
        &self,
        at: Timestamp,
        series: SeriesKey,
    ) -> Option<impl Iterator<Item = f64>> {
        let row = self.position(at, series).ok()?;
        Some(self.cells(row))
    }

    /// Adds a row, or replaces the one of the same series and time: the last one wins.
    pub(crate) fn put(&mut self, at: Timestamp, series: SeriesKey, cells: &[f64]) -> Added {
        debug_assert_eq!(cells.len(), self.width, "rows are of one width");
        let stride = self.stride();
        match self.position(at, series) {
            Ok(row) => {
                let known = &mut self.rows[row * stride + 2..(row + 1) * stride];
                for (known, cell) in known.iter_mut().zip(cells) {
                    *known = cell.to_bits();
                }
                Added::Replaced
            }
            Err(_) if self.len() >= MOST_SAMPLES => Added::Full,
            Err(row) => {
                let (at, series) = (at.as_nanos().cast_unsigned(), series.as_u64());
                let new = [at, series].into_iter();
                let new = new.chain(cells.iter().map(|cell| cell.to_bits()));
                if self.rows.len() + stride > self.rows.capacity() {
                    self.rows.reserve_exact(stride * (2 + self.len() / 4));
                }
                if row == self.len() {
                    self.rows.extend(new);
                } else {
                    self.rows.splice(row * stride..row * stride, new);
                }
                Added::New
            }
        }
    }

    /// Drops what is not after `at`.
    pub(crate) fn drop_until(&mut self, at: Timestamp) {
        let n = self.rows_until(|t| t <= at.as_nanos());
        if n > 0 {
            self.rows.drain(..n * self.stride());
        }
    }

    /// The same, but the newest row of each series stays.
    pub(crate) fn drop_but_newest_until(&mut self, at: Timestamp) {
        let n = self.rows_until(|t| t <= at.as_nanos());
        let newest = |row: &usize| {
            (row + 1..self.len()).all(|later| self.series(later) != self.series(*row))
        };
        let kept: Vec<usize> = (0..n).filter(newest).collect();
        if kept.len() == n {
            return;
        }
        let stride = self.stride();
        for (to, from) in kept.iter().enumerate() {
            self.rows
                .copy_within(from * stride..(from + 1) * stride, to * stride);
        }
        self.rows.drain(kept.len() * stride..n * stride);
    }

    /// The values of one check up to `until`, by series.
    pub(crate) fn by_series(&self, until: Timestamp, check: usize) -> Vec<Series> {
        let to = self.rows_until(|t| t <= until.as_nanos());
        let mut found: BTreeMap<u64, Series> = BTreeMap::new();
        for row in 0..to {
            if let Some(value) = self.cell(row, check).value() {
                let at = Timestamp::from_nanos(self.at(row));
                found.entry(self.series(row)).or_default().push((at, value));
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
        let stride = self.stride();
        self.rows[from * stride..to * stride]
            .chunks_exact(stride)
            .map(move |row| {
                let at = Timestamp::from_nanos(row[0].cast_signed());
                (at, Cell::of(f64::from_bits(row[2 + check])))
            })
    }

    fn position(&self, at: Timestamp, series: SeriesKey) -> Result<usize, usize> {
        let wanted = (at.as_nanos(), series.as_u64());
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
        to.unsigned(self.width as u64);
        let mut before = 0_i64;
        to.list(0..self.len(), |to, row| {
            let at = self.at(row);
            to.signed(at.wrapping_sub(before));
            before = at;
        });
        for row in 0..self.len() {
            to.fixed(self.series(row));
        }
        for cell in (0..self.len()).flat_map(|row| self.cells(row)) {
            to.float(cell);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let width = from.count()?;
        let mut before = 0_i64;
        let at: Vec<i64> = from.list(|from| {
            before = before.wrapping_add(from.signed()?);
            Ok(before)
        })?;
        if !at.is_sorted() {
            return Err(CodecError::Range("a sample's time"));
        }
        let series: Vec<u64> = at.iter().map(|_| from.fixed()).collect::<Result<_, _>>()?;
        if at.len().checked_mul(width).is_none() {
            return Err(CodecError::Range("a width"));
        }
        let mut rows = Vec::new();
        for (at, series) in at.into_iter().zip(series) {
            rows.extend([at.cast_unsigned(), series]);
            for _ in 0..width {
                rows.push(from.float()?.to_bits());
            }
        }
        rows.shrink_to_fit();
        Ok(Self { width, rows })
    }
}

#[cfg(test)]
impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        (self.width, &self.rows) == (other.width, &other.rows)
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
