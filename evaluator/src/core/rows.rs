//! The rows of a group's samples, in as little memory as they can have: there are as many of these as groups.
//!
//! All rows lie in one piece of memory: words that say what they have in common, then row by row what each has of its
//! own. Samples of an agent come at even distances, and then no row says its time. That piece keeps the room that it once
//! had, so that points that come and go in turns move nothing.

use super::codec::{CodecError, Reader, Writer};

/// Up to so many words are kept by rows that need none of them.
const FEW: usize = 16;

/// Rows in the order of (time, series), each the bits of the values of a rule's checks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    words: Box<[u64]>,
    count: u32,
    checks: u16,
    form: Form,
}

/// What rows have in common. The number of words that each of them says besides its checks follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Form {
    /// Series, time of the first one, and distance of two.
    #[default]
    Even,
    /// Series; each says its time.
    OneSeries,
    /// Nothing: each says its time and its series.
    Mixed,
}

impl Form {
    /// Words before the first row.
    const fn common(self) -> usize {
        match self {
            Self::Even => 3,
            Self::OneSeries => 1,
            Self::Mixed => 0,
        }
    }

    /// Words of a row before its checks.
    const fn own(self) -> usize {
        match self {
            Self::Even => 0,
            Self::OneSeries => 1,
            Self::Mixed => 2,
        }
    }
}

/// So many words fill what the allocator gives for `words`: its sizes are 16 bytes apart, and an eighth of the next power
/// of two where that is more (jemalloc(3), "IMPLEMENTATION NOTES").
fn filled(words: usize) -> usize {
    let bytes = words * 8;
    let apart = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(apart) / 8
}

impl Rows {
    /// None yet, of so many checks each.
    pub(crate) fn new(checks: u16) -> Self {
        Self {
            checks,
            ..Self::default()
        }
    }

    pub(crate) fn checks(&self) -> u16 {
        self.checks
    }

    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    fn stride(&self) -> usize {
        self.form.own() + usize::from(self.checks)
    }

    /// Where a row begins.
    fn begin(&self, row: usize) -> usize {
        self.form.common() + row * self.stride()
    }

    /// Time of the first row and distance of two, where rows do not say their time.
    fn even(&self) -> Option<(i64, i64)> {
        (self.form == Form::Even).then(|| match self.words.get(1..3) {
            Some([first, step]) => (first.cast_signed(), step.cast_signed()),
            _ => (0, 0),
        })
    }

    /// The time of a row, in nanoseconds.
    pub(crate) fn at(&self, row: usize) -> i64 {
        match self.even() {
            Some((first, step)) => first + step * row as i64,
            None => self.words[self.begin(row)].cast_signed(),
        }
    }

    pub(crate) fn series(&self, row: usize) -> u64 {
        match self.form {
            Form::Even | Form::OneSeries => self.words[0],
            Form::Mixed => self.words[self.begin(row) + 1],
        }
    }

    /// Whether all of them are of one series.
    pub(crate) fn is_one_series(&self) -> bool {
        self.form != Form::Mixed
    }

    /// The bits of a row's checks.
    pub(crate) fn values(&self, row: usize) -> &[u64] {
        &self.words[self.begin(row) + self.form.own()..self.begin(row + 1)]
    }

    /// The same, to be changed.
    pub(crate) fn values_mut(&mut self, row: usize) -> &mut [u64] {
        let (from, to) = (self.begin(row) + self.form.own(), self.begin(row + 1));
        &mut self.words[from..to]
    }

    /// Time and bits of one check of the rows in `range`.
    pub(crate) fn column(
        &self,
        range: std::ops::Range<usize>,
        check: usize,
    ) -> impl Iterator<Item = (i64, u64)> {
        let (even, own) = (self.even(), self.form.own());
        let rows = match range.is_empty() {
            true => &[],
            false => &self.words[self.begin(range.start)..self.begin(range.end)],
        };
        let first = range.start as i64;
        (0..)
            .zip(rows.chunks_exact(self.stride().max(1)))
            .map(move |(n, row)| {
                let at = match even {
                    Some((begin, step)) => begin + step * (first + n),
                    None => row[0].cast_signed(),
                };
                (at, row[own + check])
            })
    }

    /// Puts a row before the one of that number.
    pub(crate) fn insert(
        &mut self,
        row: usize,
        at: i64,
        series: u64,
        cells: impl Iterator<Item = u64>,
    ) {
        self.suit(row, at, series);
        let (from, to, end) = (self.begin(row), self.begin(row + 1), self.begin(self.len()));
        self.make_room(end + self.stride());
        self.words.copy_within(from..end, to);
        match self.form {
            Form::Even if self.count == 0 => {
                self.words[..3].copy_from_slice(&[series, at.cast_unsigned(), 0]);
            }
            Form::Even if self.count == 1 => self.words[2] = (at - self.at(0)).cast_unsigned(),
            Form::Even => {}
            Form::OneSeries => self.words[from] = at.cast_unsigned(),
            Form::Mixed => {
                self.words[from..from + 2].copy_from_slice(&[at.cast_unsigned(), series])
            }
        }
        let own = self.form.own();
        for (word, cell) in self.words[from + own..to].iter_mut().zip(cells) {
            *word = cell;
        }
        self.count += 1;
    }

    /// Takes the form in which there is a place for that row.
    fn suit(&mut self, row: usize, at: i64, series: u64) {
        if self.count == 0 {
            self.form = Form::Even;
            return;
        }
        if self.form == Form::Mixed {
            return;
        }
        if series != self.words[0] {
            return self.take_form(Form::Mixed);
        }
        let Some((first, step)) = self.even() else {
            return;
        };
        let next = match self.count {
            1 => (at > first && at.checked_sub(first).is_some()).then_some(at),
            n => step
                .checked_mul(n.into())
                .and_then(|by| first.checked_add(by)),
        };
        if row != self.len() || next != Some(at) {
            self.take_form(Form::OneSeries);
        }
    }

    fn take_form(&mut self, form: Form) {
        let mut next = Self {
            form,
            ..Self::new(self.checks)
        };
        next.make_room(next.begin(self.len()));
        for row in 0..self.len() {
            let (at, series) = (self.at(row), self.series(row));
            let from = next.begin(row);
            match form {
                Form::Even if row == 0 => {
                    next.words[..2].copy_from_slice(&[series, at.cast_unsigned()]);
                }
                Form::Even if row == 1 => next.words[2] = (at - self.at(0)).cast_unsigned(),
                Form::Even => {}
                Form::OneSeries => {
                    next.words[0] = series;
                    next.words[from] = at.cast_unsigned();
                }
                Form::Mixed => {
                    next.words[from..from + 2].copy_from_slice(&[at.cast_unsigned(), series])
                }
            }
            next.values_mut(row).copy_from_slice(self.values(row));
        }
        next.count = self.count;
        *self = next;
    }

    /// Takes the even form where it fits.
    fn even_out(&mut self) {
        if self.form != Form::OneSeries || self.count == 0 {
            return;
        }
        let step = |row: usize| self.at(row + 1).checked_sub(self.at(row));
        let first = if self.count > 1 { step(0) } else { Some(0) };
        let is_even = first.is_some() && (1..self.len() - 1).all(|row| step(row) == first);
        if is_even {
            self.take_form(Form::Even);
        }
    }

    /// Makes the piece at least so many words long.
    fn make_room(&mut self, words: usize) {
        if words > self.words.len() {
            self.resize(words);
        }
    }

    fn resize(&mut self, words: usize) {
        let mut all = std::mem::take(&mut self.words).into_vec();
        let room = filled(words);
        all.truncate(room);
        all.reserve_exact(room - all.len());
        all.resize(room, 0);
        self.words = all.into_boxed_slice();
    }

    /// Drops the first ones.
    pub(crate) fn drop_first(&mut self, rows: usize) {
        if rows == 0 {
            return;
        }
        if let Some((_, step)) = self.even()
            && rows < self.len()
        {
            self.words[1] = self.at(rows).cast_unsigned();
            self.words[2] = if self.len() - rows > 1 {
                step.cast_unsigned()
            } else {
                0
            };
        }
        let (from, end) = (self.begin(rows), self.begin(self.len()));
        self.words.copy_within(from..end, self.form.common());
        self.count -= rows as u32;
        self.settle();
    }

    /// Of the first `n` rows only those whose numbers are in `kept` stay, which are in order.
    pub(crate) fn keep_of_first(&mut self, n: usize, kept: &[usize]) {
        self.take_form(Form::Mixed);
        let stride = self.stride();
        for (to, from) in kept.iter().enumerate() {
            self.words
                .copy_within(from * stride..(from + 1) * stride, to * stride);
        }
        let end = self.begin(self.len());
        self.words.copy_within(n * stride..end, kept.len() * stride);
        self.count -= (n - kept.len()) as u32;
        self.settle();
    }

    /// After some have left: gives room back that is hardly used.
    fn settle(&mut self) {
        self.even_out();
        let needed = match self.count {
            0 => 0,
            _ => self.begin(self.len()),
        };
        if self.words.len() > FEW.max(2 * needed) {
            self.resize(needed);
        }
    }

    /// Times as differences, then series, as they are saved.
    pub(crate) fn encode_places(&self, to: &mut Writer) {
        let mut before = 0_i64;
        to.list(0..self.len(), |to, row| {
            let at = self.at(row);
            to.signed(at.wrapping_sub(before));
            before = at;
        });
        for row in 0..self.len() {
            to.fixed(self.series(row));
        }
    }

    /// Reads back rows of so many values each.
    pub(crate) fn decode(from: &mut Reader<'_>, checks: u16) -> Result<Self, CodecError> {
        let mut before = 0_i64;
        let at: Vec<i64> = from.list(|from| {
            before = before.wrapping_add(from.signed()?);
            Ok(before)
        })?;
        if !at.is_sorted() {
            return Err(CodecError::Range("a sample's time"));
        }
        let series: Vec<u64> = at.iter().map(|_| from.fixed()).collect::<Result<_, _>>()?;
        let mut rows = Self::new(checks);
        for (at, series) in at.into_iter().zip(series) {
            let cells = (0..checks).map(|_| from.fixed());
            let cells: Vec<u64> = cells.collect::<Result<_, _>>()?;
            rows.insert(rows.len(), at, series, cells.into_iter());
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[i64]) -> Rows {
        let mut rows = Rows::new(1);
        for at in times {
            rows.insert(rows.len(), *at, 7, std::iter::once(at.cast_unsigned()));
        }
        rows
    }

    fn times(rows: &Rows) -> Vec<i64> {
        let all = rows.column(0..rows.len(), 0);
        all.inspect(|(at, bits)| assert_eq!(*at, bits.cast_signed()))
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn rows_at_even_distances_do_not_say_their_time_and_do_when_one_is_missing() {
        let mut rows = of(&[10, 20, 30, 40]);
        assert_eq!((rows.form, rows.begin(4)), (Form::Even, 7));
        rows.insert(4, 60, 7, std::iter::once(60));
        assert_eq!((rows.form, rows.begin(5)), (Form::OneSeries, 11));
        assert_eq!(times(&rows), [10, 20, 30, 40, 60]);
        rows.drop_first(2);
        assert_eq!(
            (rows.form, times(&rows)),
            (Form::OneSeries, vec![30, 40, 60])
        );
        rows.drop_first(1);
        assert_eq!((rows.form, times(&rows)), (Form::Even, vec![40, 60]));
        rows.insert(2, 80, 7, std::iter::once(80));
        rows.insert(1, 50, 7, std::iter::once(50));
        assert_eq!(
            (rows.form, times(&rows)),
            (Form::OneSeries, vec![40, 50, 60, 80])
        );
    }

    #[test]
    fn the_distance_is_found_anew_when_one_is_left() {
        let mut rows = of(&[10, 20, 30]);
        rows.drop_first(2);
        rows.insert(1, 37, 7, std::iter::once(37));
        rows.insert(2, 44, 7, std::iter::once(44));
        assert_eq!((rows.form, times(&rows)), (Form::Even, vec![30, 37, 44]));
    }

    #[test]
    fn times_at_both_ends_of_what_can_be_counted_are_kept() {
        let all = [i64::MIN, -1, 0, i64::MAX - 1, i64::MAX];
        assert_eq!(times(&of(&all)), all);
        let far = [i64::MIN, i64::MAX];
        assert_eq!(times(&of(&far)), far);
        let mut rows = of(&[0, i64::MAX / 2, i64::MAX - 1]);
        assert_eq!(rows.form, Form::Even);
        rows.insert(3, i64::MAX, 7, std::iter::once(i64::MAX.cast_unsigned()));
        assert_eq!(rows.at(3), i64::MAX);
    }

    #[test]
    fn what_comes_and_goes_in_turns_moves_nothing_and_a_burst_gives_its_room_back() {
        let mut rows = of(&[10, 20, 30, 40, 50, 60]);
        let room = rows.words.len();
        for at in (70..700).step_by(10) {
            rows.drop_first(1);
            rows.insert(5, at, 7, std::iter::once(at.cast_unsigned()));
            assert_eq!(rows.words.len(), room);
        }
        let mut burst = of(&(0..5_000).collect::<Vec<_>>());
        assert!(burst.words.len() >= 5_000 && burst.words.len() < 6_500);
        burst.drop_first(4_990);
        assert!(burst.words.len() <= FEW, "{}", burst.words.len());
        burst.drop_first(10);
        assert_eq!((burst.len(), times(&burst)), (0, Vec::new()));
    }

    #[test]
    fn a_piece_fills_what_the_allocator_gives() {
        for (words, room) in [(1, 2), (9, 10), (16, 16), (17, 20), (33, 40), (129, 160)] {
            assert_eq!(filled(words), room, "{words}");
        }
        assert_eq!(size_of::<Rows>(), 24);
    }
}
