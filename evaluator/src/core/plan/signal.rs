//! What a rung is held against: its check, split where it is a formula, and its window.

use super::compile::{Compiled, Draft};
use super::rule::{Check, Condition, Gather, Signal, Term, Worst};
use crate::core::expr::{self, Expr, Shape};
use schemas::catalogue::{Function, Level, Over};

/// A window spans at most so many samples and grid steps.
const MOST_STEPS: i64 = 20_000;

impl Draft<'_> {
    /// The signal of a host-down rung.
    pub(super) fn silence(&self, fires: Condition) -> Signal {
        Signal {
            gather: Gather::Silence,
            terms: Vec::new(),
            formula: None,
            text: String::new(),
            guard: None,
            joined: false,
            worst: fires.worst(),
        }
    }

    /// The signal of a rung over points.
    pub(super) fn signal(
        &mut self,
        key: &str,
        level: &Level,
        (fires, recovers): (Condition, Condition),
    ) -> Compiled<Signal> {
        let (check_key, text) = match (&level.check, &self.template.check) {
            (Some(own), _) => (format!("{key}.check"), own.trim()),
            (None, Some(all)) => ("check".to_owned(), all.trim()),
            (None, None) => {
                return self.refuse("check", "what is checked: `check: 100 - usage_idle`");
            }
        };
        let (over_key, over) = match (level.over, self.template.over) {
            (Some(own), _) => (format!("{key}.over"), own),
            (None, Some(all)) => ("over".to_owned(), all),
            (None, None) => return self.refuse("over", "the window: `over: average of 5m`"),
        };
        let expr = match Expr::parse(text, &mut self.names) {
            Ok(expr) => expr,
            Err(error) => return self.refuse(&check_key, format!("`{text}`, {error}")),
        };
        let gather = match over {
            Over::EachPoint => Gather::EachPoint,
            Over::Window { function, span } => Gather::Window { function, span },
            Over::OfTheLast { bad, samples } => Gather::OfTheLast {
                bad,
                samples,
                fires,
                recovers,
            },
            Over::TimeUntilZero => Gather::UntilZero,
        };
        self.shape_fits((&check_key, &over_key), &expr, fires, gather)?;
        self.is_short_enough(&over_key, gather)?;
        let (formula, parts) = if expr.is_formula() {
            match expr.split() {
                Ok((formula, parts)) => (Some(formula), parts),
                Err(what) => return self.refuse(&check_key, format!("`{text}`: {what}")),
            }
        } else {
            let part = expr::Term {
                call: None,
                measurement: None,
                expr,
            };
            (None, vec![part])
        };
        let across =
            |part: &expr::Term| part.measurement.is_some() || part.call == Some(expr::Call::Last);
        let trend = gather == Gather::UntilZero;
        let guard = if trend { self.guard()? } else { None };
        let joined = parts.iter().any(across);
        let mut terms = Vec::new();
        for part in parts {
            let gather = self.term_gather((&check_key, &over_key), &part, gather)?;
            let check = self.check(part, formula.is_none().then_some(text), trend);
            terms.push(Term { check, gather });
        }
        Ok(Signal {
            gather,
            terms,
            formula,
            text: text.to_owned(),
            guard,
            joined,
            worst: fires.worst(),
        })
    }

    /// Whether the check gives what the level and the window ask for.
    fn shape_fits(
        &self,
        (check_key, over_key): (&str, &str),
        expr: &Expr,
        fires: Condition,
        gather: Gather,
    ) -> Compiled<()> {
        let counts = matches!(
            gather,
            Gather::Window {
                function: Function::Sum | Function::Count | Function::Average,
                ..
            }
        );
        match (fires, expr.shape()) {
            (Condition::Is(_), Shape::Number) if !expr.is_field() => self.refuse(
                check_key,
                "`is` needs a condition, such as `result != \"success\"`",
            ),
            (Condition::Above(_) | Condition::Below(_), Shape::Truth) if !counts => self.refuse(
                check_key,
                "a condition is true or false: write `is: true` in the level, or count it: \
                 `over: count of 5m`",
            ),
            (Condition::Is(_), _) if !expr.is_formula() => match gather {
                Gather::EachPoint
                | Gather::OfTheLast { .. }
                | Gather::Window {
                    function: Function::Min | Function::Max | Function::Last,
                    ..
                } => Ok(()),
                _ => self.refuse(
                    over_key,
                    "a condition has no average: use min (always), max (once) or last",
                ),
            },
            _ => Ok(()),
        }
    }

    fn is_short_enough(&self, key: &str, gather: Gather) -> Compiled<()> {
        let step = self.template.every().min(self.template.interval());
        match gather {
            Gather::Window { span, .. } if span > step.times(MOST_STEPS) => self.refuse(
                key,
                format!("the window is longer than {MOST_STEPS} steps or samples"),
            ),
            _ => Ok(()),
        }
    }

    /// How a part of a formula is gathered: by its own function over the window of `over`, or as
    /// `over` says.
    fn term_gather(
        &self,
        (check_key, over_key): (&str, &str),
        part: &expr::Term,
        over: Gather,
    ) -> Compiled<Gather> {
        let function = part.call.map(expr::Call::function);
        match (over, function) {
            (Gather::EachPoint, _) if part.measurement.is_some() => self.refuse(
                check_key,
                "points of two measurements do not come together: \
                 write `over: last of 5m`, not `each point`",
            ),
            (
                Gather::EachPoint,
                Some(f @ (Function::Delta | Function::Rate | Function::Change)),
            ) => Ok(Gather::Step(f)),
            (Gather::EachPoint, Some(_)) => self.refuse(
                check_key,
                "over each point a check knows delta, rate and change since the point before; \
                 other functions need a window",
            ),
            (Gather::OfTheLast { .. }, _) if function.is_some() || part.measurement.is_some() => {
                self.refuse(
                    over_key,
                    "samples are counted of one point each: a function, or a field of another \
                     measurement, needs a window such as `last of 5m`",
                )
            }
            // Its points follow the value: the newest of the last 3 intervals.
            (Gather::UntilZero, _) => Ok(Gather::Window {
                function: function.unwrap_or(Function::Last),
                span: self.template.interval().max(self.template.every()).times(3),
            }),
            (Gather::Window { span, .. }, Some(function)) => Ok(Gather::Window { function, span }),
            (over, _) => Ok(over),
        }
    }

    /// The place of `only_when`, where values count although it does not hold.
    fn guard(&mut self) -> Compiled<Option<usize>> {
        let Some(text) = self.template.only_when.as_deref() else {
            return Ok(None);
        };
        match Expr::parse(text, &mut self.names) {
            Ok(expr) => {
                let part = expr::Term {
                    call: None,
                    measurement: None,
                    expr,
                };
                Ok(Some(self.check(part, Some(text), true)))
            }
            Err(error) => self.refuse("only_when", format!("`{text}`, {error}")),
        }
    }

    /// The place of a check. `text` is how it is written, where it stands alone.
    fn check(&mut self, part: expr::Term, text: Option<&str>, always: bool) -> usize {
        let text = text.map_or_else(
            || format!("{:?} {:?}", part.measurement, part.expr),
            str::to_owned,
        );
        let text = if always {
            format!("always {text}")
        } else {
            text
        };
        let known = self.checks.iter().position(|check| check.text == text);
        known.unwrap_or_else(|| {
            self.checks.push(Check {
                truth: part.expr.shape() == Shape::Truth,
                expr: part.expr,
                text,
                measurement: part.measurement,
                always,
            });
            self.checks.len() - 1
        })
    }
}

impl Worst {
    /// The worse of two values.
    pub(crate) fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Highest => a.max(b),
            Self::Lowest => a.min(b),
        }
    }
}
