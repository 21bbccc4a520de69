//! From words to a tree, by the binding strength of operators.

use super::lexer::{Kind, Token, error, tokens};
use super::{Call, ExprError, Names, Node, Op};

/// Parentheses and signs may be nested so deep.
const DEEPEST: usize = 64;

/// Binding strength of `not`, of a comparison and of a sign.
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SIGN: u8 = 7;

/// Reads a whole text.
pub(super) fn parse(text: &str, names: &mut Names) -> Result<Node, ExprError> {
    let tokens = tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        end,
        depth: 0,
        names,
    };
    let tree = parser.expression(0)?;
    match parser.peek() {
        None => tree.into_field(parser.names),
        Some(Token {
            kind: Kind::Sign(")"),
            column,
        }) => Err(error(*column, "`)` has no `(`")),
        Some(token) => {
            let what = format!("an operator is expected before `{}`", token.kind.shown());
            Err(error(token.column, &what))
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    end: usize,
    depth: usize,
    names: &'a mut Names,
}

/// A part of the tree. Whether a name is a field or a tag shows only when it is held against a text
/// or not.
enum Tree {
    Node(Node),
    Name {
        name: String,
    },
    /// A field of another measurement.
    Other {
        measurement: String,
        field: String,
    },
    Text {
        text: String,
        column: usize,
    },
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn expression(&mut self, least: u8) -> Result<Tree, ExprError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let column = self.peek().map_or(self.end, |token| token.column);
            return Err(error(column, "it is nested too deeply"));
        }
        let mut left = self.value()?;
        while let Some((op, strength)) = self.peek().and_then(|token| operator(&token.kind)) {
            if strength < least {
                break;
            }
            self.at += 1;
            let right = self.expression(strength + 1)?;
            left = Tree::Node(self.join(op, left, right)?);
            self.refuse_chain(strength)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// `a < b < c` is no statement about three values.
    fn refuse_chain(&self, strength: u8) -> Result<(), ExprError> {
        match self
            .peek()
            .map(|token| (token.column, operator(&token.kind)))
        {
            Some((column, Some((_, COMPARISON)))) if strength == COMPARISON => Err(error(
                column,
                "comparisons do not chain: join them with `and`",
            )),
            _ => Ok(()),
        }
    }

    fn value(&mut self) -> Result<Tree, ExprError> {
        let Some(token) = self.tokens.get(self.at) else {
            return Err(error(
                self.end,
                "the expression ends where a value is expected",
            ));
        };
        self.at += 1;
        let column = token.column;
        match &token.kind {
            Kind::Number(number) => Ok(Tree::Node(Node::Number(*number))),
            Kind::Text(text) => Ok(Tree::Text {
                text: text.clone(),
                column,
            }),
            Kind::Sign("(") => self.group(column),
            Kind::Sign("-") => {
                let of = self.expression(SIGN)?.into_field(self.names)?;
                Ok(Tree::Node(Node::Negate(Box::new(of))))
            }
            Kind::Sign("!") => self.not(SIGN),
            Kind::Name {
                name,
                quoted: false,
            } if name == "not" => self.not(NOT),
            Kind::Name { name, quoted } => self.name(name, *quoted, column),
            Kind::Sign(sign) => Err(error(column, &format!("a value is expected, not `{sign}`"))),
        }
    }

    fn not(&mut self, strength: u8) -> Result<Tree, ExprError> {
        let of = self.expression(strength)?.into_field(self.names)?;
        Ok(Tree::Node(Node::Not(Box::new(of))))
    }

    fn group(&mut self, opened: usize) -> Result<Tree, ExprError> {
        let inner = self.expression(0)?;
        match self.peek() {
            Some(Token {
                kind: Kind::Sign(")"),
                ..
            }) => {
                self.at += 1;
                Ok(inner)
            }
            other => {
                let column = other.map_or(self.end, |token| token.column);
                let what = format!("`)` is missing; `(` stands at column {opened}");
                Err(error(column, &what))
            }
        }
    }

    fn name(&mut self, name: &str, quoted: bool, column: usize) -> Result<Tree, ExprError> {
        if self.next_is(":") {
            return self.other(name, column);
        }
        if quoted {
            return Ok(Tree::Name {
                name: name.to_owned(),
            });
        }
        if self.next_is("(") {
            return self.call(name, column);
        }
        match name {
            "time" => Ok(Tree::Node(Node::Time)),
            "true" => Ok(Tree::Node(Node::Number(1.0))),
            "false" => Ok(Tree::Node(Node::Number(0.0))),
            "time_since_last_point" => Err(error(
                column,
                "`time_since_last_point` stands alone in a check",
            )),
            "and" | "or" => Err(error(column, &format!("a value is expected, not `{name}`"))),
            _ => Ok(Tree::Name {
                name: name.to_owned(),
            }),
        }
    }

    fn next_is(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token { kind: Kind::Sign(sign), .. }) if *sign == wanted)
    }

    /// `mem:total`, the field `total` of the measurement `mem`.
    fn other(&mut self, measurement: &str, column: usize) -> Result<Tree, ExprError> {
        self.at += 1;
        let Some(Token {
            kind: Kind::Name { name, .. },
            ..
        }) = self.tokens.get(self.at)
        else {
            return Err(error(
                column,
                &format!("`{measurement}:` goes on with a field's name"),
            ));
        };
        self.at += 1;
        Ok(Tree::Other {
            measurement: measurement.to_owned(),
            field: name.clone(),
        })
    }

    /// `rate(err_in)`: a window's function over a part of the check.
    fn call(&mut self, name: &str, column: usize) -> Result<Tree, ExprError> {
        let Some(call) = Call::named(name) else {
            let what = format!(
                "there is no function `{name}`; a check knows {}",
                Call::ALL.map(Call::word).join(", ")
            );
            return Err(error(column, &what));
        };
        let opened = self.peek().map_or(column, |token| token.column);
        self.at += 1;
        let inner = self.group(opened)?.into_field(self.names)?;
        if inner.calls() {
            return Err(error(
                column,
                "a function of a function has no meaning here",
            ));
        }
        Ok(Tree::Node(Node::Call(call, Box::new(inner))))
    }

    /// Two parts and the operator between them.
    fn join(&mut self, op: Op, left: Tree, right: Tree) -> Result<Node, ExprError> {
        match (left, right) {
            (Tree::Text { column, .. }, Tree::Text { .. }) => {
                Err(error(column, "one side must be a tag"))
            }
            (Tree::Text { text, column }, other) | (other, Tree::Text { text, column }) => {
                self.tag(op, other, text, column)
            }
            (left, right) => {
                let left = left.into_field(self.names)?;
                let right = right.into_field(self.names)?;
                Ok(Node::Binary(op, Box::new(left), Box::new(right)))
            }
        }
    }

    fn tag(&mut self, op: Op, tag: Tree, text: String, column: usize) -> Result<Node, ExprError> {
        let equal = match op {
            Op::Equal => true,
            Op::NotEqual => false,
            _ => return Err(text_alone(column)),
        };
        let Tree::Name { name } = tag else {
            return Err(error(
                column,
                "only a tag or a field can be compared with a text",
            ));
        };
        let slot = place(&mut self.names.tags, name);
        Ok(Node::Tag { slot, text, equal })
    }
}

impl Tree {
    fn into_field(self, names: &mut Names) -> Result<Node, ExprError> {
        match self {
            Self::Node(node) => Ok(node),
            Self::Name { name } => Ok(Node::Field(place(&mut names.fields, name))),
            Self::Other { measurement, field } => Ok(Node::Other {
                measurement,
                slot: place(&mut names.fields, field),
            }),
            Self::Text { column, .. } => Err(text_alone(column)),
        }
    }
}

impl Kind {
    fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Name { name, .. } => name.clone(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

fn text_alone(column: usize) -> ExprError {
    error(
        column,
        "a text can only be compared with `==` and `!=` to a tag",
    )
}

fn place(names: &mut Vec<String>, name: String) -> usize {
    names
        .iter()
        .position(|known| *known == name)
        .unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
}

fn operator(kind: &Kind) -> Option<(Op, u8)> {
    Some(match kind {
        Kind::Sign("||") => (Op::Or, 1),
        Kind::Name {
            name,
            quoted: false,
        } if name == "or" => (Op::Or, 1),
        Kind::Sign("&&") => (Op::And, 2),
        Kind::Name {
            name,
            quoted: false,
        } if name == "and" => (Op::And, 2),
        Kind::Sign("==") => (Op::Equal, COMPARISON),
        Kind::Sign("!=") => (Op::NotEqual, COMPARISON),
        Kind::Sign("<") => (Op::Less, COMPARISON),
        Kind::Sign("<=") => (Op::AtMost, COMPARISON),
        Kind::Sign(">") => (Op::Greater, COMPARISON),
        Kind::Sign(">=") => (Op::AtLeast, COMPARISON),
        Kind::Sign("+") => (Op::Add, 5),
        Kind::Sign("-") => (Op::Subtract, 5),
        Kind::Sign("*") => (Op::Multiply, 6),
        Kind::Sign("/") => (Op::Divide, 6),
        _ => return None,
    })
}
