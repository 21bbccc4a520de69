//! Between which values an expression lies, whatever its fields hold: what can never be true is told
//! before a rule is in force.
//!
//! Each part is bounded by itself (interval arithmetic), so that a range may be wider than what can
//! happen and is never narrower. Conditions joined by `and` are held against each other as well.

use super::{Expr, Node, Op};
use std::collections::BTreeMap;

/// From the least to the greatest value, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// What is known of the names that an expression reads.
pub(crate) trait Bounds {
    /// Of the field in that place.
    fn field(&self, slot: usize) -> Range;
    /// Whether the tag in that place has that text; none where it may or may not.
    fn has_text(&self, slot: usize, text: &str) -> Option<bool>;
}

impl Range {
    pub(crate) const ANY: Self = Self::of(f64::NEG_INFINITY, f64::INFINITY);
    pub(crate) const NOT_NEGATIVE: Self = Self::of(0.0, f64::INFINITY);
    const FALSE: Self = Self::of(0.0, 0.0);
    const TRUE: Self = Self::of(1.0, 1.0);
    const EITHER: Self = Self::of(0.0, 1.0);

    pub(crate) const fn of(least: f64, most: f64) -> Self {
        Self { least, most }
    }

    /// What lies in both; the other one where nothing does.
    pub(crate) fn within(self, other: Self) -> Self {
        let both = Self::of(self.least.max(other.least), self.most.min(other.most));
        if both.least <= both.most { both } else { other }
    }

    fn truth(known: Option<bool>) -> Self {
        known.map_or(Self::EITHER, |is| if is { Self::TRUE } else { Self::FALSE })
    }

    /// As a condition: whether it holds, where that is certain.
    fn holds(self) -> Option<bool> {
        if self.least > 0.0 || self.most < 0.0 {
            Some(true)
        } else {
            (self == Self::FALSE).then_some(false)
        }
    }

    fn hull(values: [f64; 4]) -> Self {
        if values.iter().any(|value| value.is_nan()) {
            return Self::ANY;
        }
        let least = values.into_iter().fold(f64::INFINITY, f64::min);
        let most = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self::of(least, most)
    }

    fn times(self, other: Self) -> Self {
        // Values are finite, so that nothing times what is as large as one likes is nothing.
        let of = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        Self::hull([
            of(self.least, other.least),
            of(self.least, other.most),
            of(self.most, other.least),
            of(self.most, other.most),
        ])
    }

    /// Division by zero is no value.
    fn over(self, other: Self) -> Self {
        if other.least >= 0.0 {
            let most = if other.least == 0.0 {
                f64::INFINITY
            } else {
                1.0 / other.least
            };
            self.times(Self::of(1.0 / other.most, most))
        } else if other.most <= 0.0 {
            let least = if other.most == 0.0 {
                f64::NEG_INFINITY
            } else {
                1.0 / other.most
            };
            self.times(Self::of(least, 1.0 / other.least))
        } else {
            Self::ANY
        }
    }
}

impl Expr {
    /// Between which values it lies.
    pub(crate) fn range(&self, of: &impl Bounds) -> Range {
        self.0.range(of)
    }
}

impl Node {
    fn range(&self, of: &impl Bounds) -> Range {
        match self {
            Self::Number(number) => Range::of(*number, *number),
            Self::Field(slot) => of.field(*slot),
            Self::Time => Range::NOT_NEGATIVE,
            Self::Tag { slot, text, equal } => {
                Range::truth(of.has_text(*slot, text).map(|has| has == *equal))
            }
            Self::Call(..) | Self::Other { .. } => Range::ANY,
            Self::Negate(inner) => {
                let inner = inner.range(of);
                Range::of(-inner.most, -inner.least)
            }
            Self::Not(inner) => Range::truth(inner.range(of).holds().map(|holds| !holds)),
            Self::Binary(Op::And, a, b) => {
                let known = match (a.range(of).holds(), b.range(of).holds()) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ if self.contradicts_itself() => Some(false),
                    _ => None,
                };
                Range::truth(known)
            }
            Self::Binary(Op::Or, a, b) => {
                let known = match (a.range(of).holds(), b.range(of).holds()) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
                Range::truth(known)
            }
            Self::Binary(op, a, b) => op.range(a.range(of), b.range(of)),
        }
    }

    /// Whether conditions that must hold together leave no value to a field, or no text to a tag.
    fn contradicts_itself(&self) -> bool {
        let mut parts = Vec::new();
        self.conditions(&mut parts);
        let mut left: BTreeMap<usize, Left> = BTreeMap::new();
        let mut texts: BTreeMap<usize, &str> = BTreeMap::new();
        let mut two_texts = false;
        for part in &parts {
            match part {
                Self::Binary(op, a, b) => {
                    let (slot, op, number) = match (&**a, &**b) {
                        (Self::Field(slot), Self::Number(n)) => (*slot, *op, *n),
                        (Self::Number(n), Self::Field(slot)) => (*slot, op.turned(), *n),
                        _ => continue,
                    };
                    left.entry(slot).or_default().take(op, number);
                }
                Self::Tag {
                    slot,
                    text,
                    equal: true,
                } => {
                    let before = texts.insert(*slot, text);
                    two_texts |= before.is_some_and(|known| known != text);
                }
                _ => {}
            }
        }
        let mut refused = parts.iter().filter_map(|part| match part {
            Self::Tag {
                slot,
                text,
                equal: false,
            } => Some((slot, text.as_str())),
            _ => None,
        });
        two_texts
            || left.values().any(Left::is_empty)
            || refused.any(|(slot, text)| texts.get(slot) == Some(&text))
    }

    /// The conditions that `and` joins.
    fn conditions<'a>(&'a self, to: &mut Vec<&'a Self>) {
        match self {
            Self::Binary(Op::And, a, b) => {
                a.conditions(to);
                b.conditions(to);
            }
            other => to.push(other),
        }
    }
}

/// What conditions leave of a field.
struct Left {
    range: Range,
    without_least: bool,
    without_most: bool,
}

impl Default for Left {
    fn default() -> Self {
        Self {
            range: Range::ANY,
            without_least: false,
            without_most: false,
        }
    }
}

impl Left {
    fn take(&mut self, op: Op, number: f64) {
        if matches!(op, Op::Greater | Op::AtLeast | Op::Equal) && number >= self.range.least {
            let open = op == Op::Greater;
            self.without_least = open || (self.without_least && number == self.range.least);
            self.range.least = number;
        }
        if matches!(op, Op::Less | Op::AtMost | Op::Equal) && number <= self.range.most {
            let open = op == Op::Less;
            self.without_most = open || (self.without_most && number == self.range.most);
            self.range.most = number;
        }
    }

    fn is_empty(&self) -> bool {
        let Range { least, most } = self.range;
        least > most || (least == most && (self.without_least || self.without_most))
    }
}

impl Op {
    /// The same of two sides that have changed places.
    fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
            other => other,
        }
    }

    fn range(self, a: Range, b: Range) -> Range {
        let known =
            |yes: bool, no: bool| Range::truth(if yes { Some(true) } else { no.then_some(false) });
        let apart = a.most < b.least || b.most < a.least;
        let same = a.least == a.most && a == b;
        match self {
            Self::Add => Range::of(a.least + b.least, a.most + b.most),
            Self::Subtract => Range::of(a.least - b.most, a.most - b.least),
            Self::Multiply => a.times(b),
            Self::Divide => a.over(b),
            Self::Less => known(a.most < b.least, a.least >= b.most),
            Self::AtMost => known(a.most <= b.least, a.least > b.most),
            Self::Greater => known(a.least > b.most, a.most <= b.least),
            Self::AtLeast => known(a.least >= b.most, a.most < b.least),
            Self::Equal => known(same, apart),
            Self::NotEqual => known(apart, same),
            // Asked for apart.
            Self::And | Self::Or => Range::EITHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::expr::Names;

    /// `n` is never negative, `host` is `a`; all else may be anything.
    struct Known(Names);

    impl Bounds for Known {
        fn field(&self, slot: usize) -> Range {
            if self.0.fields[slot] == "n" {
                Range::NOT_NEGATIVE
            } else {
                Range::ANY
            }
        }
        fn has_text(&self, slot: usize, text: &str) -> Option<bool> {
            (self.0.tags[slot] == "host").then_some(text == "a")
        }
    }

    fn range(text: &str) -> (f64, f64) {
        let mut names = Names::default();
        let expr = Expr::parse(text, &mut names).unwrap();
        let Range { least, most } = expr.range(&Known(names));
        (least, most)
    }

    #[test]
    fn a_value_lies_in_the_range_of_its_expression() {
        let inf = f64::INFINITY;
        for (text, expected) in [
            ("2 * 3 - 10", (-4.0, -4.0)),
            ("n", (0.0, inf)),
            ("x", (-inf, inf)),
            ("-n", (-inf, 0.0)),
            ("n + 1", (1.0, inf)),
            ("1 - n", (-inf, 1.0)),
            ("2 + 3", (5.0, 5.0)),
            ("n * -2", (-inf, 0.0)),
            ("n * x", (-inf, inf)),
            ("0 * x", (0.0, 0.0)),
            ("n / (n + 1)", (0.0, inf)),
            ("1 / n", (0.0, inf)),
            ("1 / (n + 2)", (0.0, 0.5)),
            ("1 / (-2 - n)", (-0.5, 0.0)),
            ("1 / x", (-inf, inf)),
            ("time", (0.0, inf)),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn of_two_ranges_what_lies_in_both_is_taken_and_the_other_where_nothing_does() {
        let percent = Range::of(0.0, 100.0);
        for (range, expected) in [
            (Range::of(-5.0, 30.0), Range::of(0.0, 30.0)),
            (Range::of(100.0, 200.0), Range::of(100.0, 100.0)),
            (Range::of(101.0, 200.0), percent),
        ] {
            assert_eq!(range.within(percent), expected, "{range:?}");
        }
    }

    #[test]
    fn a_condition_is_certain_only_where_its_sides_say_so() {
        let (yes, no, either) = ((1.0, 1.0), (0.0, 0.0), (0.0, 1.0));
        for (text, expected) in [
            ("n < 0", no),
            ("n >= 0", yes),
            ("n > 0", either),
            ("n <= 0", either),
            ("n == -1", no),
            ("n != -1", yes),
            ("3 == 3", yes),
            ("3 != 3", no),
            ("n == 3", either),
            ("3 == n", either),
            ("n == n", either),
            ("-1 - n < 0", yes),
            ("-n < 0", either),
            ("-1 - n >= 0", no),
            ("-n >= 0", either),
            ("not (n < 0)", yes),
            ("x > 1 and n < 0", no),
            ("n >= 0 and n != -1", yes),
            ("n < 0 or n == -1", no),
            ("x > 1 or n >= 0", yes),
            ("x > 1 or n < 0", either),
            ("host == 'a'", yes),
            ("host != 'a'", no),
            ("host == 'b' or x > 1", either),
            ("result == 'x'", either),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn conditions_that_leave_nothing_are_never_true_together() {
        let (no, either) = ((0.0, 0.0), (0.0, 1.0));
        for (text, expected) in [
            ("x > 5 and x < 5", no),
            ("x > 5 and x <= 5", no),
            ("x >= 5 and x <= 5", either),
            ("x >= 5 and y > 0 and x < 5", no),
            ("5 < x and 5 > x", no),
            ("x > 5 and x >= 5 and x <= 5", no),
            ("x > 3 and x >= 5 and x <= 5", either),
            ("x < 5 and x <= 5 and x >= 5", no),
            ("x < 7 and x <= 5 and x >= 5", either),
            ("x == 5 and x > 5", no),
            ("x == 5 and x == 6", no),
            ("x == 5 and x >= 5", either),
            ("x > 5 and y < 5", either),
            ("x > 3 and x > 5 and x < 7", either),
            ("a == 'x' and a == 'y'", no),
            ("a == 'x' and a != 'x'", no),
            ("a == 'x' and a != 'y'", either),
            ("a == 'x' and b == 'y'", either),
            ("x > 5 or x < 5", either),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
