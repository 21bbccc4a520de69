//! What a window says: a value, nothing, or Unknown.

use super::clock::HostClock;
use super::counter;
use super::expr::Point;
use super::plan::{Gather, JOIN_WITHIN, Rule, Signal, Term};
use super::samples::{Cell, Samples};
use model::{Span, Timestamp};
use schemas::catalogue::{Function, WhenMissing};

/// What a signal says at a grid point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    /// This value.
    Value(f64),
    /// So many of the newest samples are bad: whether that is enough to fire, and whether few
    /// enough are for a recovery. The value is that of the newest.
    Counted {
        value: f64,
        fires: bool,
        recovers: bool,
    },
    /// The newest point says that the rule does not apply: no alert, and a recovery.
    Excluded,
    /// The value does not fall, so it never reaches zero.
    Never,
    /// No sample, which is fine for this rule.
    Nothing,
    /// Too few samples to say.
    Unknown,
}

impl Reading {
    /// The number that it shows.
    pub(crate) fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) | Self::Counted { value, .. } => Some(value),
            Self::Excluded | Self::Never | Self::Nothing | Self::Unknown => None,
        }
    }

    pub(crate) fn of(value: f64) -> Self {
        if value.is_finite() {
            Self::Value(value)
        } else {
            Self::Unknown
        }
    }
}

/// Reads a signal at the grid point `at`: over (at - window, at], or from the host's clock.
pub(crate) fn read(
    signal: &Signal,
    rule: &Rule,
    samples: &Samples,
    clock: &HostClock,
    at: Timestamp,
) -> Reading {
    match signal.gather {
        Gather::Silence => {
            let silence = at.since(clock.heard_event).max(Span::ZERO);
            Reading::Value(silence.as_secs_f64())
        }
        // Judged when its points arrive; the grid says nothing about it.
        Gather::EachPoint | Gather::Step(_) => Reading::Unknown,
        _ => gathered(signal, rule, samples, at),
    }
}

/// Whether the newest point says that the rule does not apply, where a check apart says so.
pub(crate) fn is_guarded(signal: &Signal, rule: &Rule, samples: &Samples, at: Timestamp) -> bool {
    let Some(guard) = signal.guard else {
        return false;
    };
    let newest = samples.window(at.minus(rule.reach()), at, guard);
    let newest = newest.filter_map(|(_, cell)| cell.value()).last();
    newest == Some(0.0)
}

/// The terms of a signal, and what its formula makes of them.
fn gathered(signal: &Signal, rule: &Rule, samples: &Samples, at: Timestamp) -> Reading {
    let view = View {
        signal,
        rule,
        samples,
        at,
    };
    let Some(formula) = &signal.formula else {
        return signal
            .terms
            .first()
            .map_or(Reading::Unknown, |term| view.term(term));
    };
    let readings = signal.terms.iter().map(|term| view.term(term));
    combined(readings, |values| {
        let values = Values { values, at };
        formula.value(&values).map_or(Reading::Unknown, Reading::of)
    })
}

/// A formula of readings says something only when each of them does.
pub(crate) fn combined(
    readings: impl Iterator<Item = Reading>,
    formula: impl FnOnce(&[f64]) -> Reading,
) -> Reading {
    let mut values = Vec::new();
    let mut silent = None;
    for reading in readings {
        match (reading, silent) {
            (Reading::Excluded, _) => return Reading::Excluded,
            (Reading::Value(value) | Reading::Counted { value, .. }, _) => values.push(value),
            (Reading::Unknown | Reading::Never, _) => silent = Some(Reading::Unknown),
            (Reading::Nothing, None) => silent = Some(Reading::Nothing),
            (Reading::Nothing, Some(_)) => {}
        }
    }
    silent.unwrap_or_else(|| formula(&values))
}

/// Gathered values as the fields of a formula.
pub(crate) struct Values<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) at: Timestamp,
}

impl Point for Values<'_> {
    fn field(&self, slot: usize) -> Option<f64> {
        self.values.get(slot).copied()
    }

    fn tag(&self, _: usize) -> Option<&str> {
        None
    }

    fn seconds(&self) -> f64 {
        self.at.as_nanos() as f64 / 1e9
    }
}

/// A signal's samples, looked at from a grid point.
struct View<'a> {
    signal: &'a Signal,
    rule: &'a Rule,
    samples: &'a Samples,
    at: Timestamp,
}

impl View<'_> {
    fn term(&self, term: &Term) -> Reading {
        match term.gather {
            Gather::Window { function, span } => self.window(term.check, function, span),
            Gather::OfTheLast { .. } => self.of_the_last(term),
            _ => Reading::Unknown,
        }
    }

    fn fine(&self) -> bool {
        self.rule.when_missing == WhenMissing::Fine
    }

    fn window(&self, check: usize, function: Function, span: Span) -> Reading {
        let after = self.at.minus(span);
        let fold = Fold::of(self, self.samples.window(after, self.at, check));
        if let Some(reading) = self.too_little(&fold, span, function) {
            return reading;
        }
        match function {
            Function::Average => Reading::of(fold.sum / f64::from(fold.values)),
            Function::Min => Reading::of(fold.min),
            Function::Max => Reading::of(fold.max),
            Function::Last => fold.last.map_or(Reading::Unknown, |(_, v)| Reading::of(v)),
            Function::Sum => Reading::of(fold.sum),
            Function::Count if self.rule.gives_truth(check) => Reading::of(fold.sum),
            Function::Count => Reading::Value(f64::from(fold.values)),
            Function::Quantile(q) => {
                let window = self.samples.window(after, self.at, check);
                quantile(window.filter_map(|(_, cell)| cell.value()).collect(), q)
            }
            Function::Delta | Function::Rate | Function::Change | Function::Jumps(_) => {
                let series = self.samples.by_series(self.at, check);
                let gap = self.rule.intervals(super::plan::COUNTER_GAP);
                let worst = self.signal.worst;
                counter::read(function, &series, (after, gap), worst)
                    .map_or(Reading::Unknown, Reading::of)
            }
        }
    }

    /// What the window says when its samples do not suffice, or do not count.
    fn too_little(&self, fold: &Fold, span: Span, function: Function) -> Option<Reading> {
        let newest = fold.last.map(|(at, _)| at);
        if fold.excluded.is_some() && fold.excluded >= newest {
            return Some(Reading::Excluded);
        }
        let Some(newest) = newest else {
            return Some(match (self.fine(), function) {
                (false, _) => Reading::Unknown,
                (true, Function::Count | Function::Sum | Function::Jumps(_)) => Reading::Value(0.0),
                (true, _) => Reading::Nothing,
            });
        };
        // Across points: values no older than 2 intervals; of the last one that is all.
        if self.signal.joined {
            let stale = self.at.since(newest) > self.rule.intervals(JOIN_WITHIN);
            if stale || function == Function::Last {
                return stale.then_some(Reading::Unknown);
            }
        }
        // Fewer than half of span / interval.
        let covered = self.rule.interval.times(2 * i64::from(fold.times));
        (covered < span && !self.fine()).then_some(Reading::Unknown)
    }

    /// At most `samples` samples within twice as many intervals: true when `bad` of them are.
    fn of_the_last(&self, term: &Term) -> Reading {
        let Gather::OfTheLast { samples, .. } = term.gather else {
            return Reading::Unknown;
        };
        let span = self.rule.intervals(2 * i64::from(samples));
        let after = self.at.minus(span);
        let mut newest_first: Vec<(Timestamp, f64)> = Vec::new();
        let mut excluded = None;
        for (at, cell) in self.samples.window(after, self.at, term.check) {
            match (cell, newest_first.last_mut()) {
                (Cell::Value(value), Some((known, worst))) if *known == at => {
                    *worst = self.signal.worst.of(*worst, value);
                }
                (Cell::Value(value), _) => newest_first.push((at, value)),
                (Cell::Excluded, _) => excluded = Some(at),
                (Cell::Absent, _) => {}
            }
        }
        newest_first.reverse();
        newest_first.truncate(samples as usize);
        counted(term.gather, &newest_first, excluded, self.fine())
    }
}

/// What the newest samples say by their number; they are newest first.
pub(crate) fn counted(
    gather: Gather,
    newest_first: &[(Timestamp, f64)],
    excluded: Option<Timestamp>,
    fine: bool,
) -> Reading {
    let Gather::OfTheLast {
        bad,
        samples,
        fires,
        recovers,
    } = gather
    else {
        return Reading::Unknown;
    };
    let Some((newest, value)) = newest_first.first().copied() else {
        return match (excluded, fine) {
            (Some(_), _) => Reading::Excluded,
            (None, true) => Reading::Nothing,
            (None, false) => Reading::Unknown,
        };
    };
    if excluded.is_some_and(|at| at >= newest) {
        return Reading::Excluded;
    }
    let count =
        |holds: &dyn Fn(f64) -> bool| newest_first.iter().filter(|(_, v)| holds(*v)).count() as u64;
    let fires = count(&|v| fires.holds(v)) >= u64::from(bad);
    let half = 2 * newest_first.len() as u64 >= u64::from(samples);
    if !fires && !half && !fine {
        return Reading::Unknown;
    }
    Reading::Counted {
        value,
        fires,
        recovers: count(&|v| !recovers.holds(v)) < u64::from(bad),
    }
}

/// A window's samples in one pass, in the order of (time, series).
#[derive(Debug, Default)]
struct Fold {
    /// Distinct times with a value.
    times: u32,
    values: u32,
    sum: f64,
    min: f64,
    max: f64,
    /// The newest time's worst value.
    last: Option<(Timestamp, f64)>,
    excluded: Option<Timestamp>,
}

impl Fold {
    fn of(view: &View<'_>, samples: impl Iterator<Item = (Timestamp, Cell)>) -> Self {
        let mut fold = Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            ..Self::default()
        };
        for (at, cell) in samples {
            match cell {
                Cell::Value(value) => fold.take(at, value, view.signal),
                Cell::Excluded => fold.excluded = Some(at),
                Cell::Absent => {}
            }
        }
        fold
    }

    fn take(&mut self, at: Timestamp, value: f64, signal: &Signal) {
        self.values += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = match self.last {
            Some((before, known)) if before == at => Some((at, signal.worst.of(known, value))),
            _ => {
                self.times += 1;
                Some((at, value))
            }
        };
    }
}

/// The value below which the share `q` of the values lies, between two of them by proportion.
fn quantile(mut values: Vec<f64>, q: f64) -> Reading {
    values.sort_unstable_by(f64::total_cmp);
    let Some(most) = values.len().checked_sub(1) else {
        return Reading::Unknown;
    };
    let rank = q.clamp(0.0, 1.0) * most as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    Reading::of(values[low] + (values[high] - values[low]) * (rank - low as f64))
}

#[cfg(test)]
mod tests {
    use super::super::plan::Condition;
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn few_samples_fire_when_enough_are_bad_and_recover_only_when_half_are_there() {
        let says = |bad: u32, samples: u32, values: &[f64], fine: bool| {
            let gather = Gather::OfTheLast {
                bad,
                samples,
                fires: Condition::Above(90.0),
                recovers: Condition::AtMost(80.0),
            };
            let newest_first: Vec<_> = (0..).zip(values).map(|(n, v)| (at(-n * 60), *v)).collect();
            match counted(gather, &newest_first, None, fine) {
                Reading::Counted {
                    fires, recovers, ..
                } => format!("{fires} {recovers}"),
                other => format!("{other:?}"),
            }
        };
        for (bad, samples, values, fine, expected) in [
            // Two of five are bad and there, and no others.
            (2, 5, vec![95.0, 95.0], false, "true false"),
            // One of three is there: fewer than half.
            (2, 3, vec![10.0], false, "Unknown"),
            (2, 3, vec![10.0], true, "false true"),
            // Half of them.
            (2, 6, vec![10.0, 10.0, 10.0], false, "false true"),
            (2, 6, vec![10.0, 10.0], false, "Unknown"),
            // Between the thresholds it neither fires nor recovers.
            (2, 3, vec![85.0, 85.0, 10.0], false, "false false"),
            (2, 3, vec![85.0, 10.0, 10.0], false, "false true"),
            (2, 3, vec![], false, "Unknown"),
            (2, 3, vec![], true, "Nothing"),
        ] {
            let told = says(bad, samples, &values, fine);
            assert_eq!(
                told, expected,
                "{bad} of {samples}: {values:?}, fine: {fine}"
            );
        }
    }

    #[test]
    fn a_quantile_lies_between_two_values_by_proportion() {
        for (q, expected) in [
            (0.0, 10.0),
            (0.25, 17.5),
            (0.5, 25.0),
            // Rank 2.7: 70 % of the way from 30 to 70.
            (0.9, 58.0),
            (1.0, 70.0),
            (1.5, 70.0),
        ] {
            let Reading::Value(value) = quantile(vec![20.0, 70.0, 10.0, 30.0], q) else {
                panic!("{q} says nothing");
            };
            assert!(
                (value - expected).abs() < 1e-9,
                "{q}: {value}, not {expected}"
            );
        }
        assert_eq!(quantile(Vec::new(), 0.5), Reading::Unknown);
    }
}
