//! What a window says of series by themselves: counters, and gauges held against their past.
//!
//! Values of different series say nothing about each other's increase, so each is taken by itself:
//! increases and jumps are added up, of changes the worst counts.

use super::plan::Worst;
use model::{Span, Timestamp};
use schemas::catalogue::Function;
use schemas::line::OWN_BITS;
use std::collections::BTreeMap;

/// The samples of one series up to a grid point, oldest first.
pub(crate) type Series = Vec<(Timestamp, f64)>;

/// The series of a thing whose state is a tag (`state`, `phase`) go on where each other ended: they are put
/// together, or each would count what the counter grew by while another one was sent. Series that were sent at the same time are
/// of counters side by side, such as those of `state=user` and `state=idle`, and stay apart.
pub(crate) fn of_things(found: BTreeMap<u64, Series>) -> Vec<Series> {
    let mut things: Vec<(u64, Series)> = Vec::with_capacity(found.len());
    for (key, series) in found {
        let thing = key >> OWN_BITS;
        match things.last_mut() {
            Some((known, whole)) if *known == thing && are_apart(whole, &series) => {
                whole.extend(series);
                whole.sort_unstable_by_key(|(at, _)| *at);
            }
            _ => things.push((thing, series)),
        }
    }
    things.into_iter().map(|(_, series)| series).collect()
}

/// Whether two series, each in the order of time, have no time in common.
fn are_apart(one: &Series, other: &Series) -> bool {
    let has = |at: &Timestamp| one.binary_search_by_key(at, |(at, _)| *at).is_ok();
    !other.iter().any(|(at, _)| has(at))
}

/// Reads (`after`, ..] of each series; none where no series says enough.
pub(crate) fn read(
    function: Function,
    all: &[Series],
    (after, gap): (Timestamp, Span),
    worst: Worst,
) -> Option<f64> {
    let each = all
        .iter()
        .filter(|series| series.last().is_some_and(|(at, _)| *at > after));
    match function {
        Function::Delta | Function::Rate => {
            let mut sum = None;
            for series in each {
                match increase(series, after, gap) {
                    Increase::Of(delta, covered) => {
                        let part = if function == Function::Rate {
                            delta / covered.as_secs_f64()
                        } else {
                            delta
                        };
                        sum = Some(sum.unwrap_or(0.0) + part);
                    }
                    // What happened in a gap nobody knows.
                    Increase::Gap => return None,
                    Increase::OneSample => {}
                }
            }
            sum
        }
        Function::Change => each
            .filter_map(|series| {
                let first = series.iter().find(|(at, _)| *at > after)?;
                Some(series.last()?.1 - first.1)
            })
            .reduce(|a, b| worst.of(a, b)),
        Function::Jumps(height) => {
            let jumps = each.map(|series| jumps(series, after, height));
            Some(jumps.sum::<u32>().into())
        }
        _ => None,
    }
}

/// Whether the samples of a counter stayed away for too long: what happened then nobody knows.
pub(crate) fn has_gap(function: Function, all: &[Series], (after, gap): (Timestamp, Span)) -> bool {
    let counts = matches!(function, Function::Delta | Function::Rate);
    let mut each = all
        .iter()
        .filter(|series| series.last().is_some_and(|(at, _)| *at > after));
    counts && each.any(|series| matches!(increase(series, after, gap), Increase::Gap))
}

enum Increase {
    /// By so much, over so much time.
    Of(f64, Span),
    /// Samples stayed away for too long in between.
    Gap,
    /// There is nothing to compare with.
    OneSample,
}

/// The increase of a counter. A decrease is a reset, and what it grew to since is the new value.
/// The last sample before the window counts if it is near enough.
fn increase(series: &Series, after: Timestamp, gap: Span) -> Increase {
    let first = series.partition_point(|(at, _)| *at <= after);
    let base = first
        .checked_sub(1)
        .filter(|before| series[first].0.since(series[*before].0) <= gap)
        .unwrap_or(first);
    let samples = &series[base..];
    if samples.len() < 2 {
        return Increase::OneSample;
    }
    let mut delta = 0.0;
    for pair in samples.windows(2) {
        if pair[1].0.since(pair[0].0) > gap {
            return Increase::Gap;
        }
        delta += step(Function::Delta, pair[0], pair[1]);
    }
    let covered = samples[samples.len() - 1].0.since(samples[0].0);
    Increase::Of(delta, covered)
}

/// How often a sample in the window lies more than `height` above the one before it.
fn jumps(series: &Series, after: Timestamp, height: f64) -> u32 {
    let pairs = series.windows(2);
    let jumped = pairs.filter(|pair| pair[1].0 > after && pair[1].1 - pair[0].1 > height);
    jumped.fold(0, |n, _| n + 1)
}

/// A sample against the one before it of the same series.
pub(crate) fn step(
    function: Function,
    (before, known): (Timestamp, f64),
    (at, value): (Timestamp, f64),
) -> f64 {
    let grown = if value < known { value } else { value - known };
    match function {
        Function::Delta => grown,
        Function::Rate => grown / at.since(before).as_secs_f64(),
        _ => value - known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[(i64, f64)]) -> Series {
        let s = |secs: i64| Timestamp::from_millis(secs * 1_000);
        samples.iter().map(|(at, value)| (s(*at), *value)).collect()
    }

    #[test]
    fn counters_count_resets_and_the_sample_before_the_window_and_know_their_gaps() {
        let (minute, worst) = (Span::from_secs(60), Worst::Highest);
        for (samples, after, delta, rate) in [
            // The window is (60, ..]; the sample at 60 is before it and near.
            (vec![(60, 10.0), (120, 40.0)], 60, Some(30.0), Some(0.5)),
            // A reset: the delta is the new value.
            (
                vec![(60, 10.0), (120, 40.0), (180, 20.0)],
                60,
                Some(50.0),
                Some(50.0 / 120.0),
            ),
            // The sample before is too far away to count.
            (
                vec![(0, 10.0), (400, 40.0), (420, 50.0)],
                390,
                Some(10.0),
                Some(0.5),
            ),
            (vec![(60, 1.0), (100, 2.0), (401, 3.0)], 60, None, None),
            (vec![(100, 2.0)], 60, None, None),
            // What is at the window's start is before it.
            (vec![(0, 1.0), (60, 5.0)], 60, None, None),
        ] {
            let all = [series(&samples)];
            let after = Timestamp::from_millis(after * 1_000);
            let of = |function| read(function, &all, (after, minute.times(5)), worst);
            assert_eq!(of(Function::Delta), delta, "{samples:?}");
            assert_eq!(of(Function::Rate), rate, "{samples:?}");
        }
    }

    #[test]
    fn a_sample_against_the_one_before_it_counts_resets_and_divides_by_the_time_between() {
        let s = |secs: i64| Timestamp::from_millis(secs * 1_000);
        for (function, value, expected) in [
            (Function::Delta, 40.0, 30.0),
            (Function::Delta, 4.0, 4.0),
            (Function::Rate, 40.0, 0.5),
            (Function::Change, 4.0, -6.0),
        ] {
            let grown = step(function, (s(60), 10.0), (s(120), value));
            assert_eq!(grown, expected, "{function:?} to {value}");
        }
    }

    #[test]
    fn a_change_is_last_minus_first_and_jumps_are_counted() {
        let all = [
            series(&[(10, 5.0), (70, 100.0), (130, 30.0)]),
            series(&[(70, 1.0), (130, 90.0), (190, 200.0)]),
        ];
        let after = Timestamp::from_millis(60_000);
        let of = |function, worst| read(function, &all, (after, Span::ZERO), worst);
        assert_eq!(of(Function::Change, Worst::Lowest), Some(-70.0));
        assert_eq!(of(Function::Change, Worst::Highest), Some(199.0));
        assert_eq!(of(Function::Jumps(60.0), Worst::Highest), Some(3.0));
        assert_eq!(of(Function::Jumps(95.0), Worst::Highest), Some(1.0));
        // The windows are open at their start: neither the sample there nor the jump to it is of them.
        let all = [series(&[(0, 5.0), (60, 200.0), (70, 100.0), (130, 30.0)])];
        let of = |function| read(function, &all, (after, Span::ZERO), Worst::Highest);
        assert_eq!(of(Function::Change), Some(-70.0));
        assert_eq!(of(Function::Jumps(60.0)), Some(0.0));
    }

    #[test]
    fn only_counters_with_a_sample_in_the_window_have_gaps() {
        let after = Timestamp::from_millis(60_000);
        let within = (after, Span::from_secs(300));
        for (samples, function, is_gap) in [
            (vec![(70, 1.0), (370, 2.0)], Function::Delta, false),
            (vec![(70, 1.0), (371, 2.0)], Function::Delta, true),
            (vec![(70, 1.0), (371, 2.0)], Function::Rate, true),
            (vec![(70, 1.0), (371, 2.0)], Function::Change, false),
            // It ended before the window, or at its start, which is outside of it.
            (vec![(0, 1.0), (50, 2.0)], Function::Delta, false),
            (vec![(0, 1.0), (60, 2.0)], Function::Delta, false),
            (vec![], Function::Delta, false),
        ] {
            // Another series of the group is well.
            let all = [series(&[(60, 1.0), (120, 2.0)]), series(&samples)];
            assert_eq!(
                has_gap(function, &all, within),
                is_gap,
                "{function:?} {samples:?}"
            );
        }
    }
}
