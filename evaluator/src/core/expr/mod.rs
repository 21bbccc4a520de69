//! Check expressions: arithmetic and conditions over one point.
//!
//! Fields by their name (`` `odd name` `` where it is no plain word), tags and text fields as text
//! with `==` and `!=`, `time` (the point's time in seconds), `+ - * /`, comparisons, `and`, `or`,
//! `not`, parentheses. A truth value is 1 or 0. `rate(field)` and other functions of a window, and
//! `mem:total`, a field of another measurement, make it a formula over gathered values; see
//! [`terms`].

mod lexer;
mod parser;
mod range;
mod terms;

pub(crate) use range::{Bounds, Range};
pub(crate) use terms::{Call, Term};

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub(crate) struct ExprError {
    /// Where, counted in characters from 1.
    pub(crate) column: usize,
    /// What is wrong, and what would be right.
    pub(crate) what: String,
}

/// A compiled expression. Fields and tags are places in the lists that all expressions of a rule
/// share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    Field(usize),
    Time,
    /// A tag held against a text.
    Tag {
        slot: usize,
        text: String,
        equal: bool,
    },
    /// A window's function over a part of the check; taken out by [`Expr::split`].
    Call(Call, Box<Node>),
    /// A field of another measurement; likewise.
    Other {
        measurement: String,
        slot: usize,
    },
    Negate(Box<Node>),
    Not(Box<Node>),
    Binary(Op, Box<Node>, Box<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    And,
    Or,
}

/// The names that the expressions of a rule read, each with its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// Fields.
    pub(crate) fields: Vec<String>,
    /// Tags.
    pub(crate) tags: Vec<String>,
}

/// One point, as expressions see it.
pub(crate) trait Point {
    /// The number in a field's place, if the point has it.
    fn field(&self, slot: usize) -> Option<f64>;
    /// The text in a tag's place, if the point has it.
    fn tag(&self, slot: usize) -> Option<&str>;
    /// Its time in seconds since the epoch.
    fn seconds(&self) -> f64;
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A number.
    Number,
    /// A truth value.
    Truth,
}

impl Expr {
    /// Reads an expression; new names are added to `names`.
    pub(crate) fn parse(text: &str, names: &mut Names) -> Result<Self, ExprError> {
        parser::parse(text, names).map(Self)
    }

    /// What it gives. A bare field may hold either and counts as a number.
    pub(crate) fn shape(&self) -> Shape {
        match &self.0 {
            Node::Tag { .. } | Node::Not(_) => Shape::Truth,
            Node::Binary(op, ..) if op.is_condition() => Shape::Truth,
            _ => Shape::Number,
        }
    }

    /// Whether it is a field and nothing else, which may hold a truth value.
    pub(crate) fn is_field(&self) -> bool {
        matches!(self.0, Node::Field(_))
    }

    /// Its value for a point; none where a field or tag is missing, or the result is no finite
    /// number.
    pub(crate) fn value(&self, point: &impl Point) -> Option<f64> {
        self.0.value(point).filter(|value| value.is_finite())
    }
}

impl Node {
    fn value(&self, point: &impl Point) -> Option<f64> {
        Some(match self {
            Self::Number(number) => *number,
            Self::Field(slot) => point.field(*slot)?,
            Self::Time => point.seconds(),
            Self::Call(..) | Self::Other { .. } => return None,
            Self::Tag { slot, text, equal } => truth((point.tag(*slot)? == text) == *equal),
            Self::Negate(of) => -of.value(point)?,
            Self::Not(of) => truth(of.value(point)? == 0.0),
            Self::Binary(op, a, b) => op.apply(a.value(point)?, || b.value(point))?,
        })
    }
}

impl Op {
    const fn is_condition(self) -> bool {
        !matches!(
            self,
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide
        )
    }

    /// What it makes of two values; the second is asked only where the first does not decide.
    fn apply(self, a: f64, b: impl FnOnce() -> Option<f64>) -> Option<f64> {
        let b = match self {
            Self::And if a == 0.0 => 0.0,
            Self::Or if a != 0.0 => a,
            _ => b()?,
        };
        Some(match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide if b == 0.0 => return None,
            Self::Divide => a / b,
            Self::Equal => truth(a == b),
            Self::NotEqual => truth(a != b),
            Self::Less => truth(a < b),
            Self::AtMost => truth(a <= b),
            Self::Greater => truth(a > b),
            Self::AtLeast => truth(a >= b),
            Self::And | Self::Or => truth(b != 0.0),
        })
    }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Point for Sample {
        fn field(&self, slot: usize) -> Option<f64> {
            [Some(20.0), Some(0.0), None].get(slot).copied().flatten()
        }
        fn tag(&self, slot: usize) -> Option<&str> {
            (slot == 0).then_some("success")
        }
        fn seconds(&self) -> f64 {
            1_000.0
        }
    }

    fn names() -> Names {
        Names {
            fields: ["idle", "zero", "absent"].map(String::from).to_vec(),
            tags: ["result"].map(String::from).to_vec(),
        }
    }

    #[test]
    fn values_follow_the_usual_rules_of_arithmetic() {
        for (text, value) in [
            ("100 - idle", Some(80.0)),
            ("1 + 2 * 3 - 4 / 2", Some(5.0)),
            ("(1 + 2) * 3", Some(9.0)),
            ("10 - 4 - 3", Some(3.0)),
            ("-idle * -2", Some(40.0)),
            ("1.5e1 + .5", Some(15.5)),
            ("idle / zero", None),
            ("zero / zero", None),
            ("1e308 * 10", None),
            ("absent + 1", None),
            ("time - 900", Some(100.0)),
            ("`idle`", Some(20.0)),
            ("result == \"success\"", Some(1.0)),
            ("result != 'success'", Some(0.0)),
            ("'success' == result", Some(1.0)),
            ("other != 'x'", None),
            ("idle > 10 and zero < 1", Some(1.0)),
            ("idle > 10 && not (zero == 0)", Some(0.0)),
            ("idle < 10 || zero >= 0", Some(1.0)),
            ("zero == 1 or idle <= 20", Some(1.0)),
            ("!zero", Some(1.0)),
            ("1 + 1 == 2", Some(1.0)),
            ("-idle", Some(-20.0)),
            ("true", Some(1.0)),
            ("false", Some(0.0)),
            ("(idle > 10) == true", Some(1.0)),
            ("idle < 20", Some(0.0)),
            ("idle <= 20", Some(1.0)),
            ("idle > 20", Some(0.0)),
            ("idle >= 20", Some(1.0)),
            ("idle != 20", Some(0.0)),
            // Nothing is divided by zero, not even within what would be finite again.
            ("1 / (idle / zero)", None),
            ("idle / zero > 5", None),
            // What decides alone asks for no more.
            ("zero and absent", Some(0.0)),
            ("idle or absent", Some(1.0)),
            ("idle and absent", None),
            ("zero or absent", None),
            ("absent and zero", None),
            ("idle and zero", Some(0.0)),
            ("idle and time", Some(1.0)),
            ("zero or zero", Some(0.0)),
            ("zero or idle", Some(1.0)),
        ] {
            let expr = Expr::parse(text, &mut names()).unwrap();
            assert_eq!(expr.value(&Sample), value, "{text}");
        }
    }

    #[test]
    fn new_names_get_a_place_once() {
        let mut names = Names::default();
        let text = "HeapMemoryUsage.used / HeapMemoryUsage.max * HeapMemoryUsage.used";
        Expr::parse(text, &mut names).unwrap();
        assert_eq!(
            names.fields,
            ["HeapMemoryUsage.used", "HeapMemoryUsage.max"]
        );
    }

    #[test]
    fn errors_name_the_column_and_what_would_be_right() {
        for (text, error) in [
            (
                "",
                "column 1: the expression ends where a value is expected",
            ),
            (
                "100 -",
                "column 6: the expression ends where a value is expected",
            ),
            ("(1 + 2", "column 7: `)` is missing; `(` stands at column 1"),
            ("1 + 2)", "column 6: `)` has no `(`"),
            ("1 2", "column 3: an operator is expected before `2`"),
            ("a ** b", "column 4: a value is expected, not `*`"),
            ("a = 1", "column 3: write `==` for equality"),
            ("a & b", "column 3: write `and` (or `&&`)"),
            ("tag == \"x", "column 8: the text has no closing \""),
            (
                "tag < \"x\"",
                "column 7: a text can only be compared with `==` and `!=`",
            ),
            (
                "\"x\"",
                "column 1: a text can only be compared with `==` and `!=`",
            ),
            ("\"x\" == \"y\"", "column 1: one side must be a tag"),
            (
                "a + 1 == \"x\"",
                "column 10: only a tag or a field can be compared with a text",
            ),
            (
                "1 < 2 < 3",
                "column 7: comparisons do not chain: join them with `and`",
            ),
            ("100 - usage%idle", "column 12: `%` means nothing here"),
            ("95 %", "column 4: `%` means nothing here"),
            ("1.2.3", "column 1: `1.2.3` is no number"),
            ("5m", "column 1: `5m` is no number"),
            ("1e999", "column 1: `1e999` is no number"),
            ("1 + and", "column 5: a value is expected, not `and`"),
            ("1 + or", "column 5: a value is expected, not `or`"),
            (
                "idle foo zero",
                "column 6: an operator is expected before `foo`",
            ),
            (
                "irate(a) / 2",
                "column 1: there is no function `irate`; a check knows average, min, max, sum",
            ),
            ("rate(delta(a))", "column 1: a function of a function"),
            ("rate(-delta(a))", "column 1: a function of a function"),
            ("rate(1 + delta(a))", "column 1: a function of a function"),
            ("mem: * 2", "column 1: `mem:` goes on with a field's name"),
            (
                "2 * time_since_last_point",
                "column 5: `time_since_last_point` stands alone in a check",
            ),
        ] {
            let found = Expr::parse(text, &mut Names::default()).unwrap_err();
            assert!(found.to_string().starts_with(error), "{text}: {found}");
        }
    }

    #[test]
    fn nesting_is_counted_by_what_is_open_and_not_by_what_was() {
        let value = |text: &str| {
            let expr = Expr::parse(text, &mut names())?;
            Ok::<_, ExprError>(expr.value(&Sample))
        };
        let sum = vec!["1"; 1_000].join(" + ");
        assert_eq!(value(&sum).unwrap(), Some(1_000.0));
        let groups = vec!["(1 + 1)"; 1_000].join(" + ");
        assert_eq!(value(&groups).unwrap(), Some(2_000.0));
        let nested = |n: usize| value(&format!("{}1{}", "(".repeat(n), ")".repeat(n)));
        assert_eq!(nested(63).unwrap(), Some(1.0));
        assert!(nested(64).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
        let text = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
        let error = Expr::parse(&text, &mut Names::default()).unwrap_err();
        assert!(error.what.contains("nested"), "{error}");
        let text = "-".repeat(10_000);
        assert!(Expr::parse(&text, &mut Names::default()).is_err());
    }
}
