//! A rule as it is judged: a template with its overrides merged, every default filled in.

use super::title::Title;
use crate::core::expr::{Expr, Names};
use crate::core::samples::Width;
use model::{Priority, Span};
use schemas::catalogue::{Function, WhenMissing};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What holds for a group.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) template: Arc<str>,
    /// Of the bundle whose plan gives it to groups.
    pub(crate) revision: u64,
    pub(crate) every: Span,
    pub(crate) interval: Span,
    pub(crate) source: Source,
    pub(crate) signals: Vec<Signal>,
    /// What an event tells beside the value.
    pub(crate) shown: Option<Signal>,
    /// The most urgent first.
    pub(crate) rungs: Vec<Rung>,
    pub(crate) when_missing: WhenMissing,
    pub(crate) missing_after: Option<Span>,
    pub(crate) close_after: Option<Span>,
    pub(crate) expire_after: Span,
    pub(crate) limits: BTreeMap<String, Priority>,
    pub(crate) unit: String,
    /// The check gives percent.
    pub(crate) percent: bool,
    pub(crate) against: Against,
    pub(crate) title: Title,
    pub(crate) title_ko: Option<Title>,
    pub(crate) runbook: Option<String>,
    /// Changes when rows of samples mean something else.
    pub(crate) shape: u64,
    /// Its groups have no host: what each host says is reported, and judged in the tenant's first
    /// partition.
    pub(crate) spans: bool,
}

/// What is judged.
#[derive(Debug)]
pub(crate) enum Source {
    /// Values that are computed from points.
    Points {
        checks: Vec<Check>,
        only_when: Option<Expr>,
        names: Names,
    },
    /// The time since the host's last point.
    Silence,
}

/// What is computed of a point.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) expr: Expr,
    /// It stands for the same computation as long as it stays.
    pub(crate) text: String,
    /// The measurement whose points it reads; none: the template's own.
    pub(crate) measurement: Option<String>,
    /// It is computed of points to which `only_when` does not apply as well.
    pub(crate) always: bool,
    /// It gives a truth value.
    pub(crate) truth: bool,
}

/// What a rung is held against: a check, or a formula over several, gathered. Rungs that do not
/// differ in it share one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signal {
    pub(crate) gather: Gather,
    pub(crate) terms: Vec<Term>,
    /// Computed of the terms; none: the only term is the value.
    pub(crate) formula: Option<Expr>,
    /// The check as it is written.
    pub(crate) text: String,
    /// A check whose newest value says whether the rule applies.
    pub(crate) guard: Option<usize>,
    /// Terms are joined across points: none may be older than 2 intervals.
    pub(crate) joined: bool,
    pub(crate) worst: Worst,
}

/// A check and how its values become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Term {
    pub(crate) check: usize,
    pub(crate) gather: Gather,
}

/// How the values of a check become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gather {
    /// Each point by itself, when it arrives.
    EachPoint,
    /// Each point against the one before it of the same series.
    Step(Function),
    /// A function over (t - span, t].
    Window { function: Function, span: Span },
    /// True when so many of the newest samples are.
    OfTheLast {
        bad: u32,
        samples: u32,
        fires: Condition,
        recovers: Condition,
    },
    /// When the value reaches zero.
    UntilZero,
    /// The time since the host's last point.
    Silence,
}

/// What a value is held against besides thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    Nothing,
    /// The same hour a week ago: by how many percent it is more.
    Weekday,
    /// This hour in earlier weeks: by how many deviations it is more.
    Hour,
}

/// Which of several values of one time is the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worst {
    Highest,
    Lowest,
}

/// One rung of the ladder.
#[derive(Debug)]
pub(crate) struct Rung {
    pub(crate) priority: Priority,
    pub(crate) signal: usize,
    pub(crate) fires: Condition,
    pub(crate) recovers: Condition,
    pub(crate) for_: Span,
    pub(crate) recover_for: Span,
}

/// A condition over a value; thresholds are strict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Condition {
    Above(f64),
    Below(f64),
    /// The recovery of `above: 0`, left out: what counts from 0 is never below it.
    AtMost(f64),
    Is(bool),
}

impl Condition {
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::Above(threshold) => value > threshold,
            Self::Below(threshold) => value < threshold,
            Self::AtMost(threshold) => value <= threshold,
            Self::Is(wanted) => (value != 0.0) == wanted,
        }
    }

    pub(crate) fn threshold(self) -> Option<f64> {
        match self {
            Self::Above(t) | Self::Below(t) | Self::AtMost(t) => Some(t),
            Self::Is(_) => None,
        }
    }

    pub(crate) fn worst(self) -> Worst {
        match self {
            Self::Above(_) | Self::Is(true) => Worst::Highest,
            Self::Below(_) | Self::AtMost(_) | Self::Is(false) => Worst::Lowest,
        }
    }
}

impl std::fmt::Display for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EachPoint => f.write_str("each point"),
            Self::Step(function) => write!(f, "{function} since the point before"),
            Self::Window { function, span } => write!(f, "{function} of {span}"),
            Self::OfTheLast { bad, samples, .. } => {
                write!(f, "{bad} of the last {samples} samples")
            }
            Self::UntilZero => f.write_str("time until zero"),
            Self::Silence => f.write_str("time since the last point"),
        }
    }
}

/// A counter's sample before the window counts within so many intervals; a longer gap is Unknown.
pub(crate) const COUNTER_GAP: i64 = 5;
/// The last values of a formula across points are at most so many intervals old.
pub(crate) const JOIN_WITHIN: i64 = 2;

impl Signal {
    pub(crate) fn is_each_point(&self) -> bool {
        self.gather == Gather::EachPoint
    }
}

impl Rule {
    /// `n` intervals: the longer of n samples and n grid steps.
    pub(crate) fn intervals(&self, n: i64) -> Span {
        self.interval.max(self.every).times(n)
    }

    /// How far back samples are needed at a grid point.
    pub(crate) fn reach(&self) -> Span {
        let all = self.signals.iter().chain(&self.shown);
        let terms = all.flat_map(|signal| {
            let joined = if signal.joined { JOIN_WITHIN } else { 0 };
            let terms = signal.terms.iter();
            terms.map(move |term| self.reach_of(term.gather).max(self.intervals(joined)))
        });
        terms.max().unwrap_or(Span::ZERO)
    }

    fn reach_of(&self, gather: Gather) -> Span {
        match gather {
            Gather::Window {
                function: Function::Delta | Function::Rate,
                span,
            } => span.plus(self.intervals(COUNTER_GAP)),
            Gather::Window { span, .. } => span,
            Gather::OfTheLast { samples, .. } => self.intervals(2 * i64::from(samples)),
            Gather::EachPoint | Gather::Step(_) | Gather::UntilZero | Gather::Silence => Span::ZERO,
        }
    }

    /// Whether the newest sample of each series is kept, however old it is.
    pub(crate) fn keeps_newest(&self) -> bool {
        let mut terms = self.signals.iter().flat_map(|signal| &signal.terms);
        terms.any(|term| {
            matches!(
                term.gather,
                Gather::Step(_)
                    | Gather::Window {
                        function: Function::Jumps(_),
                        ..
                    }
            )
        })
    }

    /// Whether a check gives truth values.
    pub(crate) fn gives_truth(&self, check: usize) -> bool {
        match &self.source {
            Source::Points { checks, .. } => checks[check].truth,
            Source::Silence => false,
        }
    }

    /// Each term of each signal.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&Signal, &Term)> {
        let all = self.signals.iter();
        all.flat_map(|signal| signal.terms.iter().map(move |term| (signal, term)))
    }

    /// Changes when what is reported of its terms means something else.
    pub(crate) fn meaning(&self) -> u64 {
        let mut text = self.shape.to_string();
        for (signal, term) in self.terms() {
            text.push_str(&format!("\0{} {}", signal.text, term.gather));
        }
        xxhash_rust::xxh3::xxh3_64(text.as_bytes())
    }

    /// Whether points are judged when they arrive.
    pub(crate) fn has_each_point(&self) -> bool {
        self.signals.iter().any(Signal::is_each_point)
    }

    /// The measurements besides the template's own whose points it reads.
    pub(crate) fn other_measurements(&self) -> impl Iterator<Item = &str> {
        let checks = match &self.source {
            Source::Points { checks, .. } => checks.as_slice(),
            Source::Silence => &[],
        };
        checks
            .iter()
            .filter_map(|check| check.measurement.as_deref())
    }

    /// Cells of a row: a value per check, and the fields where a check may wait for another line of
    /// the same point.
    pub(crate) fn width(&self) -> Width {
        match &self.source {
            Source::Points { checks, names, .. } => Width::new(checks.len(), kept_fields(names)),
            Source::Silence => Width::new(0, 0),
        }
    }

    /// The highest priority that may be shown for an environment; a missing or unknown one has no
    /// cap.
    pub(crate) fn limit(&self, env: Option<&str>) -> Priority {
        env.and_then(|env| self.limits.get(env).copied())
            .unwrap_or(Priority::P1)
    }

    /// Whether it is a host-down rule.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self.source, Source::Silence)
    }

    /// After how long without a point the host is down, if this rule says so.
    pub(crate) fn silence_threshold(&self) -> Option<Span> {
        if !self.is_silence() {
            return None;
        }
        let thresholds = self.rungs.iter().filter_map(|rung| rung.fires.threshold());
        thresholds
            .map(|secs| Span::from_nanos((secs * 1e9) as i64))
            .min()
    }
}

/// How many fields a row keeps: none where a single one decides.
pub(crate) fn kept_fields(names: &Names) -> usize {
    if names.fields.len() > 1 {
        names.fields.len()
    } else {
        0
    }
}

/// The place of a priority's rung in a group's state.
pub(crate) const fn rung_slot(priority: Priority) -> usize {
    match priority {
        Priority::P1 => 0,
        Priority::P2 => 1,
        Priority::P3 => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::compile::compile_rule;
    use schemas::catalogue::{Entry, parse_yaml};

    #[test]
    fn a_report_means_something_else_by_another_check_or_window_and_the_same_by_another_threshold()
    {
        let meaning = |check: &str, over: &str, above: u32| {
            let yaml = format!(
                "template: t\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [service]\n\
                 check: {check}\nover: {over}\nlevels: {{P1: {{above: {above}}}}}\n"
            );
            match parse_yaml("t.yaml", &yaml).unwrap().pop().unwrap().value {
                Entry::Template(template) => compile_rule(&template).unwrap().meaning(),
                other => panic!("{other:?}"),
            }
        };
        let one = meaning("a", "sum of 5m", 1);
        assert_eq!(meaning("a", "sum of 5m", 2), one);
        assert_ne!(meaning("b", "sum of 5m", 1), one);
        assert_ne!(meaning("a", "sum of 6m", 1), one);
        assert_ne!(meaning("a", "max of 5m", 1), one);
    }
}
