//! The part of PromQL that alerting rules mostly use: selectors, functions over a range,
//! aggregations, arithmetic, comparisons. Grammar: "Querying basics" and "Operators" of the
//! Prometheus documentation.

use model::Span;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ast {
    Number(f64),
    Selector(Selector),
    Call(String, Vec<Ast>),
    Aggregate {
        op: String,
        by: Option<Vec<String>>,
        of: Box<Ast>,
    },
    Binary(String, Box<Ast>, Box<Ast>),
}

/// A metric with its matchers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Selector {
    pub(super) name: String,
    /// Label, operator, value.
    pub(super) matchers: Vec<(String, String, String)>,
    pub(super) range: Option<Span>,
}

const AGGREGATIONS: [&str; 9] = [
    "sum", "avg", "min", "max", "count", "stddev", "topk", "bottomk", "quantile",
];

/// Words that change how two vectors meet, or when they are read.
const REFUSED: [&str; 8] = [
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "without",
    "unless",
];

/// What PromQL reads in capitals as well; names of metrics and labels it does not (Prometheus, `promql/parser/lex.go`).
fn is_keyword(word: &str) -> bool {
    AGGREGATIONS.contains(&word) || REFUSED.contains(&word) || ["and", "or", "by"].contains(&word)
}

/// Operators by how strongly they bind.
const OPERATORS: [&[&str]; 5] = [
    &["or"],
    &["and"],
    &["==", "!=", ">=", "<=", ">", "<"],
    &["+", "-"],
    &["*", "/", "%"],
];

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Number(f64),
    Text(String),
    Sign(String),
}

/// Reads an expression, or says what in it is not understood.
pub(super) fn parse(text: &str) -> Result<Ast, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let ast = parser.binary(0)?;
    match parser.peek() {
        None => Ok(ast),
        Some(token) => Err(format!("`{}` is not imported", shown(token))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, wanted: &str) -> Result<(), String> {
        if self.sign(wanted) {
            return Ok(());
        }
        let found = self.peek().map_or("the end".to_owned(), shown);
        Err(format!("`{wanted}` was expected, not `{found}`"))
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(found);
        found
    }

    fn binary(&mut self, level: usize) -> Result<Ast, String> {
        let Some(signs) = OPERATORS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            let sign = match self.peek() {
                Some(Token::Sign(sign) | Token::Word(sign)) if signs.contains(&sign.as_str()) => {
                    sign.clone()
                }
                _ => return Ok(left),
            };
            self.at += 1;
            if let Some(Token::Word(word)) = self.peek()
                && REFUSED.contains(&word.as_str())
            {
                return Err(format!("`{word}` is not imported"));
            }
            let right = self.binary(level + 1)?;
            left = Ast::Binary(sign, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Ast, String> {
        if self.sign("-") {
            let of = self.unary()?;
            return Ok(Ast::Binary(
                "-".into(),
                Box::new(Ast::Number(0.0)),
                Box::new(of),
            ));
        }
        if self.sign("(") {
            let inner = self.binary(0)?;
            self.need(")")?;
            return Ok(inner);
        }
        match self.peek().cloned() {
            Some(Token::Number(number)) => {
                self.at += 1;
                Ok(Ast::Number(number))
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                self.named(word)
            }
            Some(Token::Sign(sign)) if sign == "{" => self.selector(String::new()),
            Some(token) => Err(format!("`{}` is not imported", shown(&token))),
            None => Err("the expression ends too early".to_owned()),
        }
    }

    fn named(&mut self, word: String) -> Result<Ast, String> {
        if REFUSED.contains(&word.as_str()) {
            return Err(format!("`{word}` is not imported"));
        }
        if AGGREGATIONS.contains(&word.as_str()) {
            return self.aggregate(word);
        }
        if self.sign("(") {
            let mut arguments = Vec::new();
            while !self.sign(")") {
                if matches!(self.peek(), Some(Token::Text(_))) {
                    return Err(format!("`{word}` is not imported: it takes a text"));
                }
                arguments.push(self.binary(0)?);
                if !self.sign(",") {
                    self.need(")")?;
                    break;
                }
            }
            return Ok(Ast::Call(word, arguments));
        }
        self.selector(word)
    }

    fn aggregate(&mut self, op: String) -> Result<Ast, String> {
        let mut by = self.by()?;
        self.need("(")?;
        let of = self.binary(0)?;
        if self.sign(",") {
            return Err(format!("`{op}` with a parameter is not imported"));
        }
        self.need(")")?;
        if by.is_none() {
            by = self.by()?;
        }
        let of = Box::new(of);
        Ok(Ast::Aggregate { op, by, of })
    }

    fn by(&mut self) -> Result<Option<Vec<String>>, String> {
        if self.word("without") {
            return Err("`without` is not imported: name the labels with `by`".to_owned());
        }
        if !self.word("by") {
            return Ok(None);
        }
        self.need("(")?;
        let mut labels = Vec::new();
        while let Some(Token::Word(label)) = self.peek().cloned() {
            self.at += 1;
            labels.push(label);
            if !self.sign(",") {
                break;
            }
        }
        self.need(")")?;
        Ok(Some(labels))
    }

    fn selector(&mut self, name: String) -> Result<Ast, String> {
        let mut selector = Selector {
            name,
            ..Selector::default()
        };
        if self.sign("{") {
            while let Some(Token::Word(label)) = self.peek().cloned() {
                self.at += 1;
                let op = match self.peek().cloned() {
                    Some(Token::Sign(op)) if matches!(op.as_str(), "=" | "!=" | "=~" | "!~") => op,
                    _ => return Err(format!("the matcher of `{label}` is not understood")),
                };
                self.at += 1;
                let Some(Token::Text(value)) = self.peek().cloned() else {
                    return Err(format!("the matcher of `{label}` has no text"));
                };
                self.at += 1;
                selector.matchers.push((label, op, value));
                if !self.sign(",") {
                    break;
                }
            }
            self.need("}")?;
        }
        if let Some(n) = selector
            .matchers
            .iter()
            .position(|(l, op, _)| l == "__name__" && op == "=")
        {
            selector.name = selector.matchers.remove(n).2;
        }
        if selector.name.is_empty() {
            return Err("a selector without a metric's name is not imported".to_owned());
        }
        if self.sign("[") {
            let Some(Token::Word(span)) = self.peek().cloned() else {
                return Err("a range such as [5m] was expected".to_owned());
            };
            self.at += 1;
            selector.range = Some(Span::parse(&span).map_err(|error| error.to_string())?);
            if !self.sign("]") {
                return Err("a subquery (`[30m:1m]`) is not imported".to_owned());
            }
        }
        if matches!(self.peek(), Some(Token::Word(word)) if word == "offset") {
            return Err("`offset` is not imported: rules see the present".to_owned());
        }
        Ok(Ast::Selector(selector))
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Text(text) | Token::Sign(text) => text.clone(),
        Token::Number(number) => number.to_string(),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut braces) = (0, 0_i32);
    while let Some(&c) = chars.get(at) {
        braces += i32::from(c == '{') - i32::from(c == '}');
        let rest = &chars[at..];
        let (token, length) = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '#' => {
                at += rest.iter().take_while(|c| **c != '\n').count();
                continue;
            }
            '"' | '\'' | '`' => quoted(rest, c)?,
            c if c.is_ascii_digit() || c == '.' => number(rest)?,
            c if c.is_alphabetic() || c == '_' => {
                let inner = |c: &&char| c.is_alphanumeric() || matches!(**c, '_' | ':');
                let length = rest.iter().take_while(inner).count();
                let word: String = rest[..length].iter().collect();
                let lower = word.to_ascii_lowercase();
                let word = if braces == 0 && is_keyword(&lower) {
                    lower
                } else {
                    word
                };
                (Token::Word(word), length)
            }
            _ => {
                let two: String = rest.iter().take(2).collect();
                let known = ["==", "!=", ">=", "<=", "=~", "!~"].contains(&two.as_str());
                let sign: String = if known { two } else { c.to_string() };
                let length = sign.chars().count();
                (Token::Sign(sign), length)
            }
        };
        found.push(token);
        at += length;
    }
    Ok(found)
}

fn quoted(rest: &[char], quote: char) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut at = 1;
    while let Some(&c) = rest.get(at) {
        match c {
            '\\' if quote != '`' => {
                text.extend(rest.get(at + 1));
                at += 2;
            }
            c if c == quote => return Ok((Token::Text(text), at + 1)),
            c => {
                text.push(c);
                at += 1;
            }
        }
    }
    Err("a text has no closing quote".to_owned())
}

/// A number, or the span of a range.
fn number(rest: &[char]) -> Result<(Token, usize), String> {
    let sign_of_exponent =
        |n: usize| n > 0 && matches!(rest[n - 1], 'e' | 'E') && rest[n..].len() > 1;
    let mut length = 0;
    while let Some(&c) = rest.get(length) {
        let goes_on =
            c.is_alphanumeric() || c == '.' || (matches!(c, '+' | '-') && sign_of_exponent(length));
        if !goes_on {
            break;
        }
        length += 1;
    }
    let text: String = rest[..length].iter().collect();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Number(number), length)),
        _ if Span::parse(&text).is_ok() => Ok((Token::Word(text), length)),
        _ => Err(format!("`{text}` is no number")),
    }
}
