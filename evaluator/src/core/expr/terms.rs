//! Formulas over gathered values: `rate(err_in) / rate(packets)`, `used / mem:total`.
//!
//! A check that names a window's function or another measurement is a formula: each function is
//! gathered over the window by itself, a field outside of one as `over` says, and the formula is
//! computed of what they give.

use super::{Expr, Node};
use schemas::catalogue::Function;

/// A window's function in a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Average,
    Min,
    Max,
    Sum,
    Count,
    Last,
    Delta,
    Rate,
    Change,
}

/// A part of a formula that is gathered by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    /// Its function; none: that of `over`.
    pub(crate) call: Option<Call>,
    /// The measurement whose points it reads; none: that of the template.
    pub(crate) measurement: Option<String>,
    /// What is computed of each point.
    pub(crate) expr: Expr,
}

impl Call {
    pub(crate) const ALL: [Self; 9] = [
        Self::Average,
        Self::Min,
        Self::Max,
        Self::Sum,
        Self::Count,
        Self::Last,
        Self::Delta,
        Self::Rate,
        Self::Change,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.word() == name)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Last => "last",
            Self::Delta => "delta",
            Self::Rate => "rate",
            Self::Change => "change",
        }
    }

    pub(crate) const fn function(self) -> Function {
        match self {
            Self::Average => Function::Average,
            Self::Min => Function::Min,
            Self::Max => Function::Max,
            Self::Sum => Function::Sum,
            Self::Count => Function::Count,
            Self::Last => Function::Last,
            Self::Delta => Function::Delta,
            Self::Rate => Function::Rate,
            Self::Change => Function::Change,
        }
    }
}

impl Expr {
    /// Whether it is computed of gathered values, not of each point.
    pub(crate) fn is_formula(&self) -> bool {
        self.0.gathers()
    }

    /// The formula, whose fields are the places of its terms, and the terms.
    pub(crate) fn split(&self) -> Result<(Self, Vec<Term>), String> {
        let mut terms = Vec::new();
        let formula = self.0.split(&mut terms)?;
        Ok((Self(formula), terms))
    }
}

impl Node {
    /// Whether it holds a function of a window or a field of another measurement.
    pub(super) fn gathers(&self) -> bool {
        match self {
            Self::Call(..) | Self::Other { .. } => true,
            Self::Number(_) | Self::Field(_) | Self::Time | Self::Tag { .. } => false,
            Self::Negate(of) | Self::Not(of) => of.gathers(),
            Self::Binary(_, a, b) => a.gathers() || b.gathers(),
        }
    }

    /// Whether it holds a function of a window.
    pub(super) fn calls(&self) -> bool {
        match self {
            Self::Call(..) => true,
            Self::Negate(of) | Self::Not(of) => of.calls(),
            Self::Binary(_, a, b) => a.calls() || b.calls(),
            _ => false,
        }
    }

    fn split(&self, terms: &mut Vec<Term>) -> Result<Self, String> {
        Ok(match self {
            Self::Number(_) | Self::Time => self.clone(),
            Self::Call(call, inner) => Self::Field(place(terms, Some(*call), inner)?),
            Self::Field(_) | Self::Tag { .. } | Self::Other { .. } => {
                Self::Field(place(terms, None, self)?)
            }
            Self::Negate(of) => Self::Negate(Box::new(of.split(terms)?)),
            Self::Not(of) => Self::Not(Box::new(of.split(terms)?)),
            Self::Binary(op, a, b) => {
                let a = a.split(terms)?;
                Self::Binary(*op, Box::new(a), Box::new(b.split(terms)?))
            }
        })
    }

    /// The measurements whose fields it reads; none is the template's own.
    fn measurements(&self, found: &mut Vec<Option<String>>) {
        let name = match self {
            Self::Number(_) | Self::Time => return,
            Self::Field(_) | Self::Tag { .. } => None,
            Self::Other { measurement, .. } => Some(measurement.clone()),
            Self::Call(_, of) | Self::Negate(of) | Self::Not(of) => return of.measurements(found),
            Self::Binary(_, a, b) => {
                a.measurements(found);
                return b.measurements(found);
            }
        };
        if !found.contains(&name) {
            found.push(name);
        }
    }

    /// The same with fields of another measurement as plain fields of its points.
    fn on_its_points(&self) -> Self {
        match self {
            Self::Other { slot, .. } => Self::Field(*slot),
            Self::Negate(of) => Self::Negate(Box::new(of.on_its_points())),
            Self::Not(of) => Self::Not(Box::new(of.on_its_points())),
            Self::Binary(op, a, b) => Self::Binary(
                *op,
                Box::new(a.on_its_points()),
                Box::new(b.on_its_points()),
            ),
            plain => plain.clone(),
        }
    }
}

fn place(terms: &mut Vec<Term>, call: Option<Call>, inner: &Node) -> Result<usize, String> {
    let mut measurements = Vec::new();
    inner.measurements(&mut measurements);
    if measurements.len() > 1 {
        return Err(
            "points of two measurements meet only after they are gathered: \
             write `last(a) / last(mem:b)`"
                .to_owned(),
        );
    }
    let term = Term {
        call,
        measurement: measurements.pop().flatten(),
        expr: Expr(inner.on_its_points()),
    };
    Ok(terms
        .iter()
        .position(|known| *known == term)
        .unwrap_or_else(|| {
            terms.push(term);
            terms.len() - 1
        }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::expr::Names;

    #[test]
    fn a_formula_is_split_into_the_parts_that_are_gathered() {
        let mut names = Names::default();
        let text = "rate(err_in + err_out) / rate(packets) * 100 + rate(packets) - mem:total";
        let expr = Expr::parse(text, &mut names).unwrap();
        assert!(expr.is_formula());
        let (_, terms) = expr.split().unwrap();
        let found: Vec<_> = terms
            .iter()
            .map(|term| (term.call, term.measurement.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                (Some(Call::Rate), None),
                (Some(Call::Rate), None),
                (None, Some("mem"))
            ]
        );
        let plain = Expr::parse("err_in / packets", &mut names).unwrap();
        assert!(!plain.is_formula());
        let mixed = Expr::parse("last(err_in / mem:total)", &mut names).unwrap();
        assert!(mixed.split().unwrap_err().contains("two measurements"));
    }
}
