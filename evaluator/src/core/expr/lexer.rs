//! The words of a check expression.

use super::ExprError;

/// A word and where it begins (in characters, from 1).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    /// A name; quoted ones (between backticks) are never a keyword or function.
    Name {
        name: String,
        quoted: bool,
    },
    /// An operator or parenthesis.
    Sign(&'static str),
}

/// Signs, the longer ones first.
const SIGNS: [&str; 17] = [
    "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "<", ">", "(", ")", "!", ",", ":",
];

/// Cuts a text into words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExprError> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        if first.is_whitespace() {
            at += 1;
            continue;
        }
        let (kind, length) = token(&chars[at..], at + 1)?;
        found.push(Token {
            kind,
            column: at + 1,
        });
        at += length;
    }
    Ok(found)
}

fn token(rest: &[char], column: usize) -> Result<(Kind, usize), ExprError> {
    let first = rest[0];
    if matches!(first, '"' | '\'' | '`') {
        return quoted(rest, first, column);
    }
    if first.is_ascii_digit() || (first == '.' && rest.get(1).is_some_and(char::is_ascii_digit)) {
        return number(rest, column);
    }
    if is_name_start(first) {
        let length = rest
            .iter()
            .take_while(|c| is_name_start(**c) || is_name_inner(**c))
            .count();
        let name = rest[..length].iter().collect();
        return Ok((
            Kind::Name {
                name,
                quoted: false,
            },
            length,
        ));
    }
    let sign = SIGNS.iter().find(|sign| {
        let mut wanted = sign.chars();
        rest.iter()
            .take(sign.len())
            .eq(wanted.by_ref().collect::<Vec<_>>().iter())
    });
    match (sign, first) {
        (Some(sign), _) => Ok((Kind::Sign(sign), sign.len())),
        (None, '=') => Err(error(column, "write `==` for equality")),
        (None, '&') => Err(error(column, "write `and` (or `&&`)")),
        (None, '|') => Err(error(column, "write `or` (or `||`)")),
        (None, other) => {
            let what = format!(
                "`{other}` means nothing here; a name with other characters than letters, \
                 digits, `_` and `.` stands between backticks"
            );
            Err(ExprError { column, what })
        }
    }
}

fn quoted(rest: &[char], quote: char, column: usize) -> Result<(Kind, usize), ExprError> {
    let length = rest[1..].iter().position(|c| *c == quote);
    let length =
        length.ok_or_else(|| error(column, &format!("the text has no closing {quote}")))?;
    let text: String = rest[1..=length].iter().collect();
    let kind = if quote == '`' {
        Kind::Name {
            name: text,
            quoted: true,
        }
    } else {
        Kind::Text(text)
    };
    Ok((kind, length + 2))
}

/// A number: digits, a point, an exponent with its sign.
fn number(rest: &[char], column: usize) -> Result<(Kind, usize), ExprError> {
    let mut length = 0;
    while let Some(&c) = rest.get(length) {
        let is_exponent_sign = matches!(c, '+' | '-') && matches!(rest[length - 1], 'e' | 'E');
        if !(is_name_start(c) || is_name_inner(c) || is_exponent_sign) {
            break;
        }
        length += 1;
    }
    let text: String = rest[..length].iter().collect();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Kind::Number(number), length)),
        _ => Err(error(column, &format!("`{text}` is no number"))),
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name_inner(c: char) -> bool {
    c.is_alphanumeric() || c == '.'
}

pub(super) fn error(column: usize, what: &str) -> ExprError {
    ExprError {
        column,
        what: what.to_owned(),
    }
}
