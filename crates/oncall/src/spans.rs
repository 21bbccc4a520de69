//! Who is on call at an instant and over a span of time, with the reason.

use super::compile::{Layer, Schedule};
use super::wall::{reading, readings};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Who is on call, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty<'a> {
    /// Contacts, in the order of the schedule, each once. Empty: nobody.
    pub people: Vec<&'a str>,
    /// Why.
    pub why: Why<'a>,
}

/// Why somebody is on call, or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why<'a> {
    /// They stand in.
    Override {
        /// Until when, the first of them that ends.
        until: Timestamp,
        /// Why, where the overrides say so.
        notes: Vec<&'a str>,
    },
    /// It is their turn.
    Layer {
        /// The layer's name.
        layer: &'a str,
        /// When the turn began.
        from: Timestamp,
        /// When it is handed over.
        to: Timestamp,
    },
    /// It is a turn that the layer leaves empty, and no layer below has anybody.
    EmptyTurn {
        /// The layer's name.
        layer: &'a str,
    },
    /// No layer covers the instant.
    NoLayer,
}

impl Why<'_> {
    /// The reason in words, with times on that zone's clock.
    pub fn told_in(&self, zone: &TimeZone) -> String {
        let clock = |at: &Timestamp| {
            let wall = at.to_zoned(zone.clone());
            wall.strftime("%Y-%m-%d %H:%M").to_string()
        };
        match self {
            Self::Override { until, notes } if notes.is_empty() => {
                format!("override until {}", clock(until))
            }
            Self::Override { until, notes } => {
                format!("override until {} ({})", clock(until), notes.join("; "))
            }
            Self::Layer { layer, from, to } => {
                format!("layer {layer}, turn from {} to {}", clock(from), clock(to))
            }
            Self::EmptyTurn { layer } => format!("layer {layer} leaves this turn empty"),
            Self::NoLayer => "no layer covers this time".to_owned(),
        }
    }
}

/// A span of time in which the answer is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<'a> {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// Who is on call.
    pub duty: Duty<'a>,
}

impl Layer {
    pub(crate) fn duty(&self, schedule: &Schedule, at: Timestamp) -> Option<Duty<'_>> {
        if self.until.is_some_and(|until| at >= until) {
            return None;
        }
        if !self.hours.is_empty() {
            let clock = reading(&schedule.zone, at);
            let hold = self
                .hours
                .iter()
                .any(|hours| hours.hold(clock, &schedule.holidays));
            if !hold {
                return None;
            }
        }
        let turn = self.rotation.turn(&schedule.zone, at)?;
        let people = distinct(self.rotation.people(turn.number));
        let layer = self.name.as_str();
        let why = if people.is_empty() {
            Why::EmptyTurn { layer }
        } else {
            let (from, to) = (turn.from, turn.to);
            Why::Layer { layer, from, to }
        };
        Some(Duty { people, why })
    }
}

impl Schedule {
    /// Who is on call at an instant, and why.
    pub fn at(&self, at: Timestamp) -> Duty<'_> {
        let standing_in = || {
            self.overrides
                .iter()
                .filter(move |each| each.from <= at && at < each.to)
        };
        if let Some(until) = standing_in().map(|each| each.to).min() {
            let people = distinct(standing_in().flat_map(|each| &each.people));
            let notes = standing_in()
                .filter_map(|each| each.note.as_deref())
                .collect();
            let why = Why::Override { until, notes };
            return Duty { people, why };
        }
        let mut empty = None;
        for layer in self.layers.iter().rev() {
            match layer.duty(self, at) {
                Some(duty) if duty.people.is_empty() => empty = empty.or(Some(duty)),
                Some(duty) => return duty,
                None => {}
            }
        }
        empty.unwrap_or(Duty {
            people: Vec::new(),
            why: Why::NoLayer,
        })
    }

    /// Who is on call from `from` to `to`, without a gap: one span for each answer, with its reason.
    pub fn spans(&self, from: Timestamp, to: Timestamp) -> Vec<Span<'_>> {
        let mut spans: Vec<Span<'_>> = Vec::new();
        let edges = self.edges(from, to);
        for (n, begin) in edges.iter().enumerate() {
            let end = edges.get(n + 1).copied().unwrap_or(to);
            let duty = self.at(*begin);
            match spans.last_mut() {
                Some(last) if last.duty == duty => last.to = end,
                _ => spans.push(Span {
                    from: *begin,
                    to: end,
                    duty,
                }),
            }
        }
        spans
    }

    /// Spans of at least a minute in which nobody is on call.
    pub fn gaps(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let mut gaps: Vec<(Timestamp, Timestamp)> = Vec::new();
        for span in self.spans(from, to) {
            if !span.duty.people.is_empty() {
                continue;
            }
            match gaps.last_mut() {
                Some(last) if last.1 == span.from => last.1 = span.to,
                _ => gaps.push((span.from, span.to)),
            }
        }
        gaps.retain(|(from, to)| to.duration_since(*from).as_secs() >= 60);
        gaps
    }

    /// Every instant in `[from, to)` at which the answer can change, `from` first.
    pub(crate) fn edges(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let mut edges = BTreeSet::from([from]);
        for each in &self.overrides {
            edges.extend([each.from, each.to]);
        }
        for layer in &self.layers {
            edges.extend(layer.rotation.handovers(&self.zone, from, to));
            edges.extend(layer.until);
        }
        edges.extend(
            self.zone
                .following(from)
                .map(|jump| jump.timestamp())
                .take_while(|at| *at < to),
        );
        self.edges_of_hours(from, to, &mut edges);
        edges
            .into_iter()
            .filter(|at| (from..to).contains(at))
            .collect()
    }

    fn edges_of_hours(&self, from: Timestamp, to: Timestamp, edges: &mut BTreeSet<Timestamp>) {
        let hours = || self.layers.iter().flat_map(|layer| &layer.hours);
        if hours().next().is_none() {
            return;
        }
        let mut date: Date = reading(&self.zone, from).date();
        let last = reading(&self.zone, to).date();
        while date <= last {
            for wall in hours().flat_map(|hours| hours.edges(date)) {
                edges.extend(readings(&self.zone, wall));
            }
            let Ok(next) = date.tomorrow() else { return };
            date = next;
        }
    }
}

/// Each name once, in the order in which they come first.
fn distinct<'a>(people: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for person in people {
        if !all.contains(&person.as_str()) {
            all.push(person);
        }
    }
    all
}
