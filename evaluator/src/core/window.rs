//! What a window says: a value, nothing, or Unknown.

use super::clock::HostClock;
use super::plan::{Gather, Rule, Signal, Worst};
use super::samples::{Cell, Samples};
use model::{Span, Timestamp};
use schemas::catalogue::WhenMissing;

/// What a signal says at a grid point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    /// This value.
    Value(f64),
    /// The newest point says that the rule does not apply: no alert, and a recovery.
    Excluded,
    /// No sample, which is fine for this rule.
    Nothing,
    /// Too few samples to say.
    Unknown,
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
        Gather::EachPoint => Reading::Unknown,
        Gather::Average(span) | Gather::Min(span) | Gather::Max(span) | Gather::Last(span) => {
            let fold = Fold::of(signal, samples.window(at.minus(span), at, signal.check));
            fold.reading(signal.gather, span, rule)
        }
    }
}

/// A window's samples in one pass.
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
    fn of(signal: &Signal, samples: impl Iterator<Item = (Timestamp, Cell)>) -> Self {
        let mut fold = Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            ..Self::default()
        };
        for (at, cell) in samples {
            match cell {
                Cell::Value(value) => fold.take(at, value, signal.worst),
                Cell::Excluded => fold.excluded = Some(at),
                Cell::Absent => {}
            }
        }
        fold
    }

    fn take(&mut self, at: Timestamp, value: f64, worst: Worst) {
        self.values += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = match self.last {
            Some((before, known)) if before == at => {
                let worse = match worst {
                    Worst::Highest => known.max(value),
                    Worst::Lowest => known.min(value),
                };
                Some((at, worse))
            }
            _ => {
                self.times += 1;
                Some((at, value))
            }
        };
    }

    fn reading(&self, gather: Gather, span: Span, rule: &Rule) -> Reading {
        let newest = self.last.map(|(at, _)| at);
        if self.excluded.is_some() && self.excluded >= newest {
            return Reading::Excluded;
        }
        let fine = rule.when_missing == WhenMissing::Fine;
        let Some((_, last)) = self.last else {
            return if fine {
                Reading::Nothing
            } else {
                Reading::Unknown
            };
        };
        // Fewer than half of span / interval.
        let covered = rule.interval.times(2 * i64::from(self.times));
        if covered < span && !fine {
            return Reading::Unknown;
        }
        let value = match gather {
            Gather::Average(_) => self.sum / f64::from(self.values),
            Gather::Min(_) => self.min,
            Gather::Max(_) => self.max,
            _ => last,
        };
        if value.is_finite() {
            Reading::Value(value)
        } else {
            Reading::Unknown
        }
    }
}
