//! What a rule can never do as it is written: fire, recover, or tell missing data.
//!
//! Such a rule loads. It is judged by what is certain: the range of its check, whatever its fields
//! hold, and its times. So nothing is said of a rule that could fire.

use super::compile::compile_rule;
use super::{Against, Condition, Gather, PlanError, Rule, Rung, Signal, Source, Term};
use crate::core::expr::{Bounds, Names, Range};
use model::Span;
use schemas::catalogue::{AppliesTo, Function, Level, Template, WhenMissing};

/// What is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The key in the template, such as `levels.P1.above`.
    pub path: String,
    /// What can never be, or always is.
    pub what: String,
    /// What would be right.
    pub hint: Option<&'static str>,
}

/// What a template, `extends` applied, can never do.
pub fn doubts(template: &Template) -> Result<Vec<Doubt>, Vec<PlanError>> {
    let rule = compile_rule(template)?;
    let mut found = Found {
        template,
        rule: &rule,
        doubts: Vec::new(),
    };
    found.of_conditions();
    for (rung, (priority, level)) in rule.rungs.iter().zip(template.levels.iter()) {
        found.of_level(rung, level, &format!("levels.{priority}"));
    }
    found.of_times();
    Ok(found.doubts)
}

struct Found<'a> {
    template: &'a Template,
    rule: &'a Rule,
    doubts: Vec<Doubt>,
}

impl Found<'_> {
    fn add(&mut self, path: impl Into<String>, what: String, hint: Option<&'static str>) {
        let doubt = Doubt {
            path: path.into(),
            what,
            hint,
        };
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    fn of_conditions(&mut self) {
        let Source::Points {
            only_when: Some(condition),
            names,
            ..
        } = &self.rule.source
        else {
            return;
        };
        let known = Known {
            names,
            applies_to: self.template.applies_to.as_ref(),
        };
        if condition.range(&known) == Range::of(0.0, 0.0) {
            let what = "it can never fire: `only_when` is never true";
            self.add("only_when", what.to_owned(), None);
        }
    }

    fn of_level(&mut self, rung: &Rung, level: &Level, path: &str) {
        let signal = &self.rule.signals[rung.signal];
        self.of_window(signal, level, path);
        let range = range_of(self.rule, self.template.applies_to.as_ref(), signal);
        let word = match rung.fires {
            Condition::Above(_) => "above",
            Condition::Below(_) | Condition::AtMost(_) => "below",
            Condition::Is(_) => "is",
        };
        let own = format!("{path}.{word}");
        let value = self.named(signal);
        match holds(rung.fires, range) {
            Some(false) => {
                let (what, hint) = self.never(signal, rung.fires, range, &value);
                return self.add(own, what, hint);
            }
            Some(true) => {
                let what = format!("it always fires: {}", self.is_in(&value, range));
                let constant = range.least == range.most;
                let hint = if constant {
                    NAME_A_FIELD
                } else {
                    COUNTS_FROM_0
                };
                let helps = constant || is_count(signal);
                return self.add(own, what, Some(hint).filter(|_| helps));
            }
            None => {}
        }
        if self.rule.close_after.is_none() && holds(rung.recovers, range) == Some(false) {
            let (until, hint) = match rung.fires {
                Condition::Above(_) => ("below", "write `until_below`"),
                _ => ("above", "write `until_above`"),
            };
            let threshold = rung.recovers.threshold().unwrap_or_default();
            let what = format!(
                "it can never recover: that is {until} {threshold}, and {}",
                self.is_in(&value, range)
            );
            self.add(own, what, Some(hint));
        }
    }

    /// Why a level never fires.
    fn never(
        &self,
        signal: &Signal,
        fires: Condition,
        range: Range,
        value: &str,
    ) -> (String, Option<&'static str>) {
        if let (true, Some(threshold)) = (self.rule.percent, fires.threshold())
            && range.within(Range::of(-100.0, 100.0)) == range
            && range.least < range.most
        {
            let word = match fires {
                Condition::Above(_) => "above",
                _ => "below",
            };
            let what = format!("it can never fire: no percentage is {word} {threshold}");
            return (what, None);
        }
        let what = format!("it can never fire: {}", self.is_in(value, range));
        let hint = match fires {
            _ if range.least == range.most => Some(NAME_A_FIELD),
            Condition::Below(_) if is_count(signal) && range.least > 0.0 => Some(COUNTS_FROM_0),
            _ => None,
        };
        (what, hint)
    }

    /// The value that is held against thresholds, as a sentence names it.
    fn named(&self, signal: &Signal) -> String {
        let text = signal.text.as_str();
        match signal.gather {
            Gather::Silence => "the silence of a host".to_owned(),
            Gather::EachPoint | Gather::Step(_) => format!("`{text}`"),
            gather => format!("{gather} of `{text}`"),
        }
    }

    /// `count of 5m of ... is at least 0`.
    fn is_in(&self, value: &str, range: Range) -> String {
        match range {
            Range { least, most } if least == most => format!("{value} is always {least}"),
            Range { least, most } if least.is_finite() && most.is_finite() => {
                format!("{value} lies between {least} and {most}")
            }
            Range { least, .. } if least.is_finite() => format!("{value} is at least {least}"),
            Range { most, .. } => format!("{value} is at most {most}"),
        }
    }

    /// A window in which most of the time there is no sample, or which outlives what it holds.
    fn of_window(&mut self, signal: &Signal, level: &Level, path: &str) {
        let Gather::Window { span, .. } = signal.gather else {
            return;
        };
        let key = match level.over {
            Some(_) => format!("{path}.over"),
            None => "over".to_owned(),
        };
        let rule = self.rule;
        let reads_window = |term: &Term| {
            let counter =
                |f: Function| matches!(f, Function::Delta | Function::Rate | Function::Jumps(_));
            matches!(term.gather, Gather::Window { function, .. } if !counter(function))
        };
        let interval = rule.interval;
        if interval > span
            && rule.when_missing != WhenMissing::Fine
            && signal.terms.iter().any(reads_window)
        {
            let what = format!(
                "most of its windows say nothing: a sample comes every {interval} (`interval`), and a window \
                 of {span} without one is Unknown"
            );
            self.add(
                &key,
                what,
                Some("make the window at least as long as `interval`"),
            );
        }
        if span > rule.expire_after {
            let what = format!(
                "a window of {span} never holds all that it asks for: a group without data is forgotten after \
                 {} (`expire_after`)",
                rule.expire_after
            );
            self.add(
                &key,
                what,
                Some("`expire_after` must be longer than the window"),
            );
        }
    }

    fn of_times(&mut self) {
        let (rule, life) = (self.rule, self.rule.expire_after);
        for (rung, (priority, _)) in rule.rungs.iter().zip(self.template.levels.iter()) {
            let Some(threshold) = rung.fires.threshold().filter(|_| rule.is_silence()) else {
                continue;
            };
            let wanted = threshold + rung.for_.as_secs_f64();
            if wanted >= life.as_secs_f64() {
                let what = format!(
                    "it can never fire: a host is forgotten after {life}, before {wanted} s of silence"
                );
                let path = format!("levels.{priority}.above");
                self.add(path, what, Some("`expire_after` must be longer"));
            }
        }
        let missing = rule
            .missing_after
            .unwrap_or(Span::ZERO)
            .max(rule.intervals(3));
        let tells = matches!(
            rule.when_missing,
            WhenMissing::Priority(_) | WhenMissing::Resolve
        );
        if tells && missing >= life {
            let what = format!(
                "missing data is never told: a group is forgotten after {life}, and data counts as missing \
                 after {missing}"
            );
            let hint = "`expire_after` must be longer than `missing_after` and 3 intervals";
            self.add("when_missing", what, Some(hint));
        }
    }
}

const NAME_A_FIELD: &str = "name a field in `check`";
const COUNTS_FROM_0: &str = "a window with fewer than half of its samples says nothing: `when_missing: fine` counts from 0, \
                             `when_missing: P1` tells that they stay away";

fn is_count(signal: &Signal) -> bool {
    let counts = Function::Count;
    matches!(signal.gather, Gather::Window { function, .. } if function == counts)
}

/// Whether a condition holds for every value of a range, or for none.
fn holds(condition: Condition, range: Range) -> Option<bool> {
    let Range { least, most } = range;
    let (all, none) = match condition {
        Condition::Above(t) => (least > t, most <= t),
        Condition::Below(t) => (most < t, least >= t),
        Condition::AtMost(t) => (most <= t, least > t),
        Condition::Is(wanted) => {
            let (always, never) = (least > 0.0 || most < 0.0, least == 0.0 && most == 0.0);
            if wanted {
                (always, never)
            } else {
                (never, always)
            }
        }
    };
    if all {
        Some(true)
    } else {
        none.then_some(false)
    }
}

/// Between which values a signal lies.
fn range_of(rule: &Rule, applies_to: Option<&AppliesTo>, signal: &Signal) -> Range {
    if rule.against != Against::Nothing {
        return Range::ANY;
    }
    let Source::Points { checks, names, .. } = &rule.source else {
        return Range::NOT_NEGATIVE;
    };
    let terms: Vec<Range> = signal
        .terms
        .iter()
        .map(|term| {
            let check = &checks[term.check];
            // `where` says nothing of the points of another measurement.
            let applies_to = applies_to.filter(|_| check.measurement.is_none());
            let range = check.expr.range(&Known { names, applies_to });
            gathered(rule, term.gather, range, check.truth)
        })
        .collect();
    let range = match &signal.formula {
        Some(formula) => formula.range(&Terms(&terms)),
        None => terms.first().copied().unwrap_or(Range::ANY),
    };
    let range = match signal.gather {
        Gather::UntilZero => Range::NOT_NEGATIVE,
        _ => range,
    };
    match (rule.percent, signal.gather) {
        (false, _) | (_, Gather::UntilZero) => range,
        // A formula may well be of changes.
        (true, _) if signal.formula.is_some() => range.within(Range::of(-100.0, 100.0)),
        (true, Gather::Window { function, .. }) => match function {
            Function::Average
            | Function::Min
            | Function::Max
            | Function::Last
            | Function::Quantile(_) => range.within(Range::of(0.0, 100.0)),
            Function::Change => range.within(Range::of(-100.0, 100.0)),
            Function::Sum
            | Function::Count
            | Function::Delta
            | Function::Rate
            | Function::Jumps(_) => range,
        },
        (true, _) => range.within(Range::of(0.0, 100.0)),
    }
}

/// Between which values lies what is made of values of a range.
fn gathered(rule: &Rule, gather: Gather, range: Range, truth: bool) -> Range {
    let Gather::Window { function, span } = gather else {
        return match gather {
            Gather::Step(Function::Delta | Function::Rate) => Range::NOT_NEGATIVE,
            Gather::Step(_) => Range::ANY,
            _ => range,
        };
    };
    let fine = rule.when_missing == WhenMissing::Fine;
    match function {
        Function::Average
        | Function::Min
        | Function::Max
        | Function::Last
        | Function::Quantile(_) => range,
        Function::Count if fine || truth => Range::NOT_NEGATIVE,
        // Fewer than half of them are Unknown.
        Function::Count => Range::of(half(span, rule.interval), f64::INFINITY),
        Function::Sum if range.least >= 0.0 => Range::NOT_NEGATIVE,
        Function::Sum if range.most <= 0.0 => Range::of(f64::NEG_INFINITY, 0.0),
        Function::Sum => Range::ANY,
        // A counter that falls began again.
        Function::Delta | Function::Rate | Function::Jumps(_) => Range::NOT_NEGATIVE,
        Function::Change => Range::of(range.least - range.most, range.most - range.least),
    }
}

/// The fewest samples of a window that are not fewer than half of those expected.
fn half(span: Span, interval: Span) -> f64 {
    let expected = span.as_secs_f64() / interval.as_secs_f64();
    (expected / 2.0).ceil().max(1.0)
}

/// What `where` says of tags; fields may hold anything.
struct Known<'a> {
    names: &'a Names,
    applies_to: Option<&'a AppliesTo>,
}

impl Bounds for Known<'_> {
    fn field(&self, _: usize) -> Range {
        Range::ANY
    }

    fn has_text(&self, slot: usize, text: &str) -> Option<bool> {
        let wanted = self.applies_to?.where_.get(&self.names.tags[slot])?;
        match wanted.values() {
            [only] if only == text => Some(true),
            values if values.iter().all(|value| value != text) => Some(false),
            _ => None,
        }
    }
}

/// The terms of a formula.
struct Terms<'a>(&'a [Range]);

impl Bounds for Terms<'_> {
    fn field(&self, slot: usize) -> Range {
        self.0.get(slot).copied().unwrap_or(Range::ANY)
    }

    fn has_text(&self, _: usize, _: &str) -> Option<bool> {
        None
    }
}
