//! What the samples of some hosts say of a group that spans hosts: small enough for a report, and joined
//! with what other hosts' samples say.
//!
//! A value is that of all samples pooled by time, as it is of several series in a group of one host. A
//! series has one host and a host one partition, so counters are read where they are.

use super::counter;
use super::plan::{COUNTER_GAP, Gather, JOIN_WITHIN, Rule, Signal, Term, Worst};
use super::samples::{Cell, Samples};
use super::window::{Reading, counted};
use model::{Span, Timestamp};
use schemas::catalogue::{Function, WhenMissing};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;

/// Bits of a value that its bucket leaves out: what is left is exact within 0.4 %.
const CUT: u32 = 45;

/// What samples say of one term, at one grid point.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Partial {
    values: u64,
    sum: f64,
    least: Option<f64>,
    most: Option<f64>,
    /// The newest time's worst value.
    last: Option<(Timestamp, f64)>,
    /// The condition does not apply to the newest sample of a host.
    excluded: bool,
    /// The intervals that have a value.
    slots: BTreeSet<i64>,
    /// What the counters among them come to.
    counted: Option<f64>,
    /// A counter stayed away for too long in between.
    gap: bool,
    /// How many values lie in each bucket, for quantiles.
    buckets: BTreeMap<i64, u64>,
    /// The newest times with their worst values, newest first.
    newest: Vec<(Timestamp, f64)>,
}

impl Partial {
    /// What the samples of one host say at the grid point `at`; its clock lies `offset` ahead of the log's.
    pub(crate) fn of(
        (signal, term): (&Signal, &Term),
        rule: &Rule,
        samples: &Samples,
        (at, offset): (Timestamp, Span),
    ) -> Self {
        let until = at.plus(offset);
        let span = match term.gather {
            Gather::Window { span, .. } => span,
            Gather::OfTheLast { samples, .. } => rule.intervals(2 * i64::from(samples)),
            _ => return Self::default(),
        };
        let after = until.minus(span);
        let mut own = Self::default();
        let (mut excluded, mut newest_first) = (None, Vec::new());
        for (at, cell) in samples.window(after, until, term.check) {
            match cell {
                Cell::Value(value) => {
                    own.take((at.minus(offset), value), (rule.interval, signal.worst));
                    newest_first.push((at.minus(offset), value));
                    if let Some(buckets) = term.buckets(&mut own) {
                        *buckets.entry(bucket(value)).or_default() += 1;
                    }
                }
                Cell::Excluded => excluded = Some(at.minus(offset)),
                Cell::Absent => {}
            }
        }
        // Of such a host nothing else counts.
        if excluded.is_some() && excluded >= own.last.map(|(at, _)| at) {
            return Self {
                excluded: true,
                ..Self::default()
            };
        }
        match term.gather {
            Gather::Window { function, .. } if is_of_series(function) => {
                let series = samples.by_series(until, term.check);
                let within = (after, rule.intervals(COUNTER_GAP));
                own.counted = counter::read(function, &series, within, signal.worst);
                own.gap = counter::has_gap(function, &series, within);
            }
            Gather::OfTheLast { samples, .. } => {
                newest_first.reverse();
                own.newest = newest(newest_first, samples, signal.worst);
            }
            _ => {}
        }
        own
    }

    fn take(&mut self, (at, value): (Timestamp, f64), (interval, worst): (Span, Worst)) {
        self.values += 1;
        self.sum += value;
        self.least = Some(self.least.map_or(value, |known| known.min(value)));
        self.most = Some(self.most.map_or(value, |known| known.max(value)));
        self.last = later(self.last, Some((at, value)), worst);
        let slot = at.as_nanos().div_euclid(interval.as_nanos().max(1));
        self.slots.insert(slot);
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.values == 0 && !self.excluded
    }

    /// How many samples it is of.
    pub(crate) fn samples(&self) -> u64 {
        self.values
    }

    /// Time of its newest value.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.last.map(|(at, _)| at)
    }

    /// Adds what other hosts' samples say of the same term.
    pub(crate) fn join(&mut self, other: &Self, (signal, term): (&Signal, &Term)) {
        self.values += other.values;
        self.sum += other.sum;
        self.least = both(self.least, other.least, f64::min);
        self.most = both(self.most, other.most, f64::max);
        self.last = later(self.last, other.last, signal.worst);
        self.excluded |= other.excluded;
        self.slots.extend(&other.slots);
        let is_change = matches!(
            term.gather,
            Gather::Window {
                function: Function::Change,
                ..
            }
        );
        self.counted = both(self.counted, other.counted, |a, b| match is_change {
            true => signal.worst.of(a, b),
            false => a + b,
        });
        self.gap |= other.gap;
        for (bucket, n) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += n;
        }
        if let Gather::OfTheLast { samples, .. } = term.gather {
            let mut all = [self.newest.as_slice(), &other.newest].concat();
            all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            self.newest = newest(all, samples, signal.worst);
        }
    }

    /// What all of them say at the grid point.
    pub(crate) fn reading(
        &self,
        (signal, term): (&Signal, &Term),
        rule: &Rule,
        at: Timestamp,
    ) -> Reading {
        let (function, span) = match term.gather {
            Gather::Window { function, span } => (function, span),
            Gather::OfTheLast { .. } => {
                let excluded = (self.values == 0 && self.excluded).then_some(at);
                return counted(term.gather, &self.newest, excluded, fine(rule));
            }
            _ => return Reading::Unknown,
        };
        if let Some(reading) = self.too_little(signal, rule, (function, span), at) {
            return reading;
        }
        let of = |value: Option<f64>| value.map_or(Reading::Unknown, Reading::of);
        match function {
            Function::Average => Reading::of(self.sum / self.values as f64),
            Function::Min => of(self.least),
            Function::Max => of(self.most),
            Function::Last => of(self.last.map(|(_, value)| value)),
            Function::Sum => Reading::of(self.sum),
            Function::Count if rule.gives_truth(term.check) => Reading::of(self.sum),
            Function::Count => Reading::Value(self.values as f64),
            Function::Quantile(q) => of(self.quantile(q)),
            Function::Delta | Function::Rate | Function::Change | Function::Jumps(_) => {
                of(self.counted.filter(|_| !self.gap))
            }
        }
    }

    fn too_little(
        &self,
        signal: &Signal,
        rule: &Rule,
        (function, span): (Function, Span),
        at: Timestamp,
    ) -> Option<Reading> {
        let Some((newest, _)) = self.last else {
            return Some(match (self.excluded, fine(rule), function) {
                (true, ..) => Reading::Excluded,
                (_, false, _) => Reading::Unknown,
                (.., Function::Count | Function::Sum | Function::Jumps(_)) => Reading::Value(0.0),
                _ => Reading::Nothing,
            });
        };
        if signal.joined {
            let stale = at.since(newest) > rule.intervals(JOIN_WITHIN);
            if stale || function == Function::Last {
                return stale.then_some(Reading::Unknown);
            }
        }
        // Fewer than half of span / interval.
        let covered = rule.interval.times(2 * self.slots.len() as i64);
        (covered < span && !fine(rule)).then_some(Reading::Unknown)
    }

    /// Between two values by proportion, each in the middle of its bucket.
    fn quantile(&self, q: f64) -> Option<f64> {
        let most = self.values.checked_sub(1)?;
        let rank = q.clamp(0.0, 1.0) * most as f64;
        let at = |rank: f64| {
            let mut below = 0.0;
            let mut buckets = self.buckets.iter();
            buckets.find_map(|(bucket, n)| {
                below += *n as f64;
                (below > rank).then(|| middle(*bucket))
            })
        };
        let (low, high) = (at(rank.floor())?, at(rank.ceil())?);
        Some(low + (high - low) * rank.fract())
    }

    /// As a report has it: a letter and a value each, those that say nothing left out.
    pub(crate) fn write(&self) -> String {
        let mut text = String::new();
        let mut put = |key: char, value: String| {
            if !value.is_empty() {
                // Writing to a String cannot fail.
                write!(
                    text,
                    "{}{key}={value}",
                    if text.is_empty() { "" } else { " " }
                )
                .unwrap_or_default();
            }
        };
        let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:?}"));
        let some = |is: bool| (if is { "1" } else { "" }).to_owned();
        if self.values > 0 {
            put('n', self.values.to_string());
            put('s', format!("{:?}", self.sum));
        }
        put('l', number(self.least));
        put('h', number(self.most));
        put(
            'v',
            pairs(self.last.iter().map(|(at, v)| (at.as_nanos(), v))),
        );
        put('x', some(self.excluded));
        put('c', ranges(&self.slots));
        put('d', number(self.counted));
        put('g', some(self.gap));
        put('q', pairs(self.buckets.iter()));
        put(
            'w',
            pairs(self.newest.iter().map(|(at, v)| (at.as_nanos(), v))),
        );
        text
    }

    /// Reads what [`Partial::write`] wrote; none where it is something else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut read = Self::default();
        for part in text.split_terminator(' ') {
            let (key, value) = part.split_once('=')?;
            match key {
                "n" => read.values = value.parse().ok()?,
                "s" => read.sum = value.parse().ok()?,
                "l" => read.least = Some(value.parse().ok()?),
                "h" => read.most = Some(value.parse().ok()?),
                "v" => read.last = samples_of(value)?.first().copied(),
                "x" => read.excluded = true,
                "c" => read.slots = slots_of(value)?,
                "d" => read.counted = Some(value.parse().ok()?),
                "g" => read.gap = true,
                "q" => read.buckets = pairs_of(value)?.into_iter().collect(),
                "w" => read.newest = samples_of(value)?,
                _ => {}
            }
        }
        Some(read)
    }
}

impl Term {
    /// Where the values of a quantile are counted.
    fn buckets<'a>(&self, of: &'a mut Partial) -> Option<&'a mut BTreeMap<i64, u64>> {
        let is_quantile = matches!(
            self.gather,
            Gather::Window {
                function: Function::Quantile(_),
                ..
            }
        );
        is_quantile.then_some(&mut of.buckets)
    }
}

fn fine(rule: &Rule) -> bool {
    rule.when_missing == WhenMissing::Fine
}

/// Whether it is read series by series.
fn is_of_series(function: Function) -> bool {
    matches!(
        function,
        Function::Delta | Function::Rate | Function::Change | Function::Jumps(_)
    )
}

fn both(a: Option<f64>, b: Option<f64>, join: impl FnOnce(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (a, b) => a.or(b),
    }
}

/// The later of two samples; of one time the worse.
fn later(
    a: Option<(Timestamp, f64)>,
    b: Option<(Timestamp, f64)>,
    worst: Worst,
) -> Option<(Timestamp, f64)> {
    match (a, b) {
        (Some(a), Some(b)) if a.0 == b.0 => Some((a.0, worst.of(a.1, b.1))),
        (Some(a), Some(b)) => Some(if a.0 > b.0 { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// The newest so many times with their worst values, of samples that are newest first.
fn newest(
    newest_first: Vec<(Timestamp, f64)>,
    samples: u32,
    worst: Worst,
) -> Vec<(Timestamp, f64)> {
    let mut kept: Vec<(Timestamp, f64)> = Vec::new();
    for (at, value) in newest_first {
        let full = kept.len() == samples as usize;
        match kept.last_mut() {
            Some((known, of)) if *known == at => *of = worst.of(*of, value),
            _ if full => break,
            _ => kept.push((at, value)),
        }
    }
    kept
}

/// The bucket of a value: the bits that weigh most, in the order of the values.
fn bucket(value: f64) -> i64 {
    ordered(value.to_bits().cast_signed()) >> CUT
}

/// The value in the middle of a bucket; that of zero is zero.
fn middle(bucket: i64) -> f64 {
    let bits = ordered((bucket << CUT) | (1 << (CUT - 1)));
    let value = f64::from_bits(bits.cast_unsigned());
    if value.is_subnormal() { 0.0 } else { value }
}

/// Bits of values in the order of the values, and back: those of a negative value count down.
fn ordered(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

fn pairs<A: std::fmt::Display, B: std::fmt::Debug>(all: impl Iterator<Item = (A, B)>) -> String {
    let texts: Vec<String> = all.map(|(a, b)| format!("{a}:{b:?}")).collect();
    texts.join(",")
}

fn pairs_of<A: FromStr, B: FromStr>(text: &str) -> Option<Vec<(A, B)>> {
    let pair = |part: &str| {
        let (a, b) = part.split_once(':')?;
        Some((a.parse().ok()?, b.parse().ok()?))
    };
    text.split(',').map(pair).collect()
}

fn samples_of(text: &str) -> Option<Vec<(Timestamp, f64)>> {
    let pairs = pairs_of::<i64, f64>(text)?.into_iter();
    Some(
        pairs
            .map(|(at, v)| (Timestamp::from_nanos(at), v))
            .collect(),
    )
}

/// `3:2,9:0`: from 3 on two more, and 9 alone.
fn ranges(slots: &BTreeSet<i64>) -> String {
    let mut all: Vec<(i64, i64)> = Vec::new();
    for slot in slots {
        match all.last_mut() {
            Some((from, more)) if *from + *more + 1 == *slot => *more += 1,
            _ => all.push((*slot, 0)),
        }
    }
    pairs(all.into_iter())
}

/// So many intervals are more than any window has.
const MOST_SLOTS: i64 = 100_000;

fn slots_of(text: &str) -> Option<BTreeSet<i64>> {
    let mut slots = BTreeSet::new();
    for (from, more) in pairs_of::<i64, i64>(text)? {
        if !(0..MOST_SLOTS).contains(&more) {
            return None;
        }
        slots.extend(from..=from.checked_add(more)?);
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_keeps_a_value_within_its_share_and_the_order(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_normal() && b.is_normal() && a < b);
            prop_assert!(bucket(a) <= bucket(b));
            prop_assert!((middle(bucket(a)) / a - 1.0).abs() < 0.004, "{a} {}", middle(bucket(a)));
        }

        #[test]
        fn a_partial_is_read_back_as_written(
            values in prop::collection::vec((0_i64..100, -1e9_f64..1e9), 0..20), excluded: bool, gap: bool,
            counted in prop::option::of(any::<i32>()),
        ) {
            let mut partial = Partial { excluded, gap, counted: counted.map(f64::from), ..Partial::default() };
            for (at, value) in values {
                let at = Timestamp::from_millis(at * 7_000);
                partial.take((at, value), (Span::from_secs(10), Worst::Highest));
                *partial.buckets.entry(bucket(value)).or_default() += 1;
                partial.newest.push((at, value));
            }
            prop_assert_eq!(Partial::read(&partial.write()), Some(partial));
        }
    }

    #[test]
    fn zero_is_zero_and_what_is_no_partial_is_none() {
        assert_eq!((middle(bucket(0.0)), middle(bucket(-0.0))), (0.0, 0.0));
        for text in [
            "n",
            "n=x",
            "v=1",
            "c=1:-1",
            "c=9223372036854775807:1",
            "q=1:x",
        ] {
            assert_eq!(Partial::read(text), None, "{text}");
        }
        assert_eq!(Partial::read(""), Some(Partial::default()));
        assert_eq!(Partial::read("z=of a newer version"), None);
        assert_eq!(Partial::read("z=newer"), Some(Partial::default()));
    }

    #[test]
    fn of_two_samples_the_later_counts_and_of_one_time_the_worse() {
        let at = |secs: i64| Timestamp::from_millis(secs * 1_000);
        let (one, two) = (Some((at(10), 1.0)), Some((at(20), 5.0)));
        for (a, b, expected) in [
            (one, two, two),
            (two, one, two),
            (one, None, one),
            (None, two, two),
            (one, Some((at(10), 7.0)), Some((at(10), 7.0))),
        ] {
            assert_eq!(later(a, b, Worst::Highest), expected);
        }
        let samples = vec![
            (at(30), 1.0),
            (at(30), 4.0),
            (at(20), 2.0),
            (at(20), 3.0),
            (at(10), 9.0),
        ];
        let kept = newest(samples, 2, Worst::Highest);
        assert_eq!(kept, [(at(30), 4.0), (at(20), 3.0)]);
    }

    #[test]
    fn intervals_side_by_side_are_one_range() {
        let slots: BTreeSet<i64> = [3, 4, 5, 9, 11, 12].into();
        assert_eq!(ranges(&slots), "3:2,9:0,11:1");
        assert_eq!(slots_of("3:2,9:0,11:1"), Some(slots));
    }

    #[test]
    fn a_quantile_lies_between_the_buckets_of_two_values_by_proportion() {
        let values = [10.0, 20.0, 30.0, 70.0];
        let partial = Partial {
            values: 4,
            buckets: values.iter().map(|value| (bucket(*value), 1)).collect(),
            ..Partial::default()
        };
        for (q, expected) in [
            (0.0, 10.0),
            (0.25, 17.5),
            (0.5, 25.0),
            (0.9, 58.0),
            (1.0, 70.0),
        ] {
            let found = partial.quantile(q).unwrap();
            assert!(
                (found / expected - 1.0).abs() < 0.004,
                "{q}: {found}, not {expected}"
            );
        }
    }
}
