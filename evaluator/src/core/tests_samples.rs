//! The packed rows of a group against a map of samples that does the same plainly.

use super::codec::{Reader, Writer};
use super::samples::{Added, Cell, Samples, Width};
use model::{SeriesKey, Timestamp};
use schemas::line::OWN_BITS;
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn time(&mut self) -> i64 {
        self.below(24) as i64 - 4
    }
}

fn t(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn key(series: u64) -> SeriesKey {
    SeriesKey::from_hash(series)
}

/// By time and series: two checks and a field, which is kept apart.
#[derive(Default)]
struct Plain {
    rows: BTreeMap<(i64, u64), [f64; 2]>,
    fields: BTreeMap<(i64, u64), f64>,
}

impl Plain {
    fn drop_until(&mut self, at: i64) {
        self.rows.retain(|(row, _), _| *row > at);
        self.fields.retain(|(row, _), _| *row > at);
    }

    fn drop_but_newest_until(&mut self, at: i64) {
        let rows = self.rows.keys().map(|(row, series)| (*series, *row));
        let newest: BTreeMap<u64, i64> = rows.collect();
        let stays = |row: &i64, series: &u64| *row > at || newest[series] == *row;
        self.rows.retain(|(row, series), _| stays(row, series));
    }

    fn of(&self, series: u64, check: usize) -> impl DoubleEndedIterator<Item = (i64, f64)> {
        let own = self.rows.iter().filter(move |((_, of), _)| *of == series);
        own.filter_map(move |((at, _), row)| Some((*at, Cell::of(row[check]).value()?)))
    }
}

fn compare(samples: &Samples, plain: &Plain, dice: &mut Dice) {
    let times: Vec<i64> = plain.rows.keys().map(|(at, _)| *at).collect();
    assert_eq!(samples.is_empty(), times.is_empty());
    let check = dice.below(2) as usize;
    for at in -5..=20 {
        let begins = times.first().is_some_and(|first| *first <= at);
        let ends = times.last().is_none_or(|last| *last <= at);
        assert_eq!(
            (samples.begins_by(t(at)), samples.ends_by(t(at))),
            (begins, ends)
        );
    }
    let (after, until) = (dice.time(), dice.time());
    let bits = |(at, cell): (i64, Cell)| (at, cell.raw().to_bits());
    let window = samples.window(t(after), t(until), check);
    let window: Vec<(i64, u64)> = window
        .map(|(at, cell)| bits((at.as_nanos(), cell)))
        .collect();
    let rows = plain
        .rows
        .iter()
        .filter(|((at, _), _)| *at > after && *at <= until);
    let rows: Vec<(i64, u64)> = rows
        .map(|((at, _), row)| bits((*at, Cell::of(row[check]))))
        .collect();
    assert_eq!(window, rows, "({after}, {until}]");

    let known: BTreeSet<u64> = plain.rows.keys().map(|(_, series)| *series).collect();
    let by_series = known.iter().map(|series| {
        let own = plain.of(*series, check).filter(|(at, _)| *at <= until);
        own.map(|(at, value)| (t(at), value)).collect::<Vec<_>>()
    });
    let by_series: Vec<_> = by_series.filter(|series| !series.is_empty()).collect();
    assert_eq!(
        samples.by_series(t(until), check),
        by_series,
        "up to {until}"
    );
    for series in known {
        let before = plain.of(series, check).rfind(|(at, _)| *at < until);
        let before = before.map(|(at, value)| (t(at), value));
        assert_eq!(samples.before(t(until), key(series), check), before);
        for at in -4..20 {
            let field = samples
                .fields(t(at), key(series))
                .map(Iterator::collect::<Vec<_>>);
            let known = plain.fields.get(&(at, series)).map(|field| vec![*field]);
            assert_eq!(field, known, "{at}");
        }
    }
}

#[test]
fn rows_that_are_packed_say_the_same_as_a_map_of_samples() {
    for seed in 0..150 {
        let mut dice = Dice(seed);
        // Some have one series only: their rows do not name it.
        let many = 1 + dice.below(4);
        let width = Width::new(2, 1);
        let (mut samples, mut plain) = (Samples::new(width), Plain::default());
        for _ in 0..40 {
            let at = dice.time();
            match dice.below(12) {
                0 => {
                    samples.drop_until(t(at));
                    plain.drop_until(at);
                }
                1 => {
                    samples.drop_but_newest_until(t(at));
                    plain.drop_but_newest_until(at);
                }
                2 => {
                    samples.settle_before(t(at));
                    plain.fields.retain(|(row, _), _| *row >= at);
                }
                3 => {
                    let mut to = Writer::default();
                    samples.encode(&mut to);
                    samples = Samples::decode(&mut Reader::new(&to.into_bytes())).unwrap();
                    samples.split(width);
                    // Again, or for a rule of other checks: it stays as it is.
                    for other in [width, Width::new(1, 1), Width::new(3, 0)] {
                        samples.split(other);
                    }
                    // Of what was dropped no field is read back.
                    plain.fields.retain(|row, _| plain.rows.contains_key(row));
                }
                n => {
                    let place = (at, (1 + dice.below(many)) << OWN_BITS);
                    let checks = match n {
                        4 => [f64::NAN, 1.5],
                        5 => [Cell::Excluded.raw(), f64::NAN],
                        _ => [dice.below(9) as f64, dice.below(9) as f64],
                    };
                    let field = dice.below(9) as f64;
                    let added = samples.put(t(at), key(place.1), &[checks[0], checks[1], field]);
                    let known = plain.rows.insert(place, checks).is_some();
                    plain.fields.insert(place, field);
                    assert_eq!(added == Added::Replaced, known, "seed {seed}");
                }
            }
            compare(&samples, &plain, &mut dice);
        }
    }
}
