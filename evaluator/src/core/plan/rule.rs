//! A rule as it is judged: a template with its overrides merged, every default filled in.

use super::title::Title;
use crate::core::expr::{Expr, Names};
use model::{Priority, Span};
use schemas::catalogue::WhenMissing;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What holds for a group.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) template: Arc<str>,
    pub(crate) every: Span,
    pub(crate) interval: Span,
    pub(crate) source: Source,
    pub(crate) signals: Vec<Signal>,
    /// The most urgent first.
    pub(crate) rungs: Vec<Rung>,
    pub(crate) when_missing: WhenMissing,
    pub(crate) missing_after: Option<Span>,
    pub(crate) close_after: Option<Span>,
    pub(crate) expire_after: Span,
    pub(crate) limits: BTreeMap<String, Priority>,
    pub(crate) unit: String,
    pub(crate) title: Title,
    pub(crate) title_ko: Option<Title>,
    pub(crate) runbook: Option<String>,
    /// Changes when rows of samples mean something else.
    pub(crate) shape: u64,
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

/// A check and its text.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) expr: Expr,
    pub(crate) text: String,
}

/// A check, gathered over a window. Rungs that do not differ in it share one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Signal {
    pub(crate) check: usize,
    pub(crate) gather: Gather,
    pub(crate) worst: Worst,
}

/// How the values of a check become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gather {
    /// Each point by itself, when it arrives.
    EachPoint,
    Average(Span),
    Min(Span),
    Max(Span),
    Last(Span),
    /// The time since the host's last point.
    Silence,
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
    Is(bool),
}

impl Condition {
    pub(crate) fn holds(self, value: f64) -> bool {
        match self {
            Self::Above(threshold) => value > threshold,
            Self::Below(threshold) => value < threshold,
            Self::Is(wanted) => (value != 0.0) == wanted,
        }
    }

    pub(crate) fn threshold(self) -> Option<f64> {
        match self {
            Self::Above(threshold) | Self::Below(threshold) => Some(threshold),
            Self::Is(_) => None,
        }
    }

    pub(crate) fn worst(self) -> Worst {
        match self {
            Self::Above(_) | Self::Is(true) => Worst::Highest,
            Self::Below(_) | Self::Is(false) => Worst::Lowest,
        }
    }
}

impl Gather {
    /// The length of the window, where there is one.
    pub(crate) fn span(self) -> Option<Span> {
        match self {
            Self::Average(span) | Self::Min(span) | Self::Max(span) | Self::Last(span) => {
                Some(span)
            }
            Self::EachPoint | Self::Silence => None,
        }
    }
}

impl std::fmt::Display for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EachPoint => f.write_str("each point"),
            Self::Average(span) => write!(f, "average of {span}"),
            Self::Min(span) => write!(f, "min of {span}"),
            Self::Max(span) => write!(f, "max of {span}"),
            Self::Last(span) => write!(f, "last of {span}"),
            Self::Silence => f.write_str("time since the last point"),
        }
    }
}

impl Rule {
    /// `n` intervals: the longer of n samples and n grid steps.
    pub(crate) fn intervals(&self, n: i64) -> Span {
        self.interval.max(self.every).times(n)
    }

    /// The longest window.
    pub(crate) fn longest_window(&self) -> Span {
        let spans = self
            .signals
            .iter()
            .filter_map(|signal| signal.gather.span());
        spans.max().unwrap_or(Span::ZERO)
    }

    /// Cells of a row: a value per check, and the fields where a check may wait for another line of
    /// the same point.
    pub(crate) fn width(&self) -> usize {
        match &self.source {
            Source::Points { checks, names, .. } => checks.len() + kept_fields(names),
            Source::Silence => 0,
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
