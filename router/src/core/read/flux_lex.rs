//! The words of a Flux text (Flux language specification, "Lexical elements").
//!
//! What is inside of a string, a regular expression or a comment must never be taken for code, nor
//! code for one of those: so what could be read in two ways is refused.

use super::Refused;

/// A word of Flux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// An identifier or keyword.
    Word(&'a str),
    /// A string without expressions in it; what stands between its quotes.
    Text(&'a str),
    /// A piece of a string that has expressions in it. Those follow, between brackets.
    Piece,
    /// A number, a duration or a time.
    Number(&'a str),
    /// A regular expression.
    Regex,
    /// `=>`
    Arrow,
    /// Any other sign.
    Sign(char),
}

/// Keywords after which an expression begins; after other words an operator comes.
const BEFORE_EXPRESSION: [&str; 9] = [
    "return", "and", "or", "not", "if", "then", "else", "exists", "option",
];

/// Reads the words of a text.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, Refused> {
    let mut lexer = Lexer {
        text,
        at: 0,
        found: Vec::new(),
        inside: Vec::new(),
    };
    while lexer.at < text.len() {
        lexer.step()?;
    }
    if lexer.inside.is_empty() {
        Ok(lexer.found)
    } else {
        Err(refuse("a string that does not end"))
    }
}

fn refuse(what: &str) -> Refused {
    Refused::Invalid(format!("the query cannot be read: {what}"))
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Token<'a>>,
    /// Open brackets of each string that has an expression open.
    inside: Vec<usize>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn step(&mut self) -> Result<(), Refused> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(());
        };
        if first.is_whitespace() {
            self.at += first.len_utf8();
        } else if rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if first == '"' {
            self.at += 1;
            self.string(true)?;
        } else if first == '/' && !self.behind_operand() {
            self.regex()?;
        } else if first.is_alphabetic() || first == '_' {
            let word = span(rest, |c| c.is_alphanumeric() || c == '_');
            self.push(Token::Word(word), word.len());
        } else if first.is_ascii_digit() {
            let number = number(rest);
            self.push(Token::Number(number), number.len());
        } else if rest.starts_with("=>") {
            self.push(Token::Arrow, 2);
        } else {
            self.sign(first)?;
        }
        Ok(())
    }

    fn push(&mut self, token: Token<'a>, bytes: usize) {
        self.found.push(token);
        self.at += bytes;
    }

    fn sign(&mut self, sign: char) -> Result<(), Refused> {
        self.push(Token::Sign(sign), sign.len_utf8());
        match (sign, self.inside.last_mut()) {
            ('{', Some(open)) => *open += 1,
            ('}', Some(1)) => {
                self.inside.pop();
                self.string(false)?;
            }
            ('}', Some(open)) => *open -= 1,
            _ => {}
        }
        Ok(())
    }

    /// Whether an operator is due here, so that `/` divides.
    fn behind_operand(&self) -> bool {
        match self.found.last() {
            Some(Token::Word(word)) => !BEFORE_EXPRESSION.contains(word),
            Some(Token::Text(_) | Token::Piece | Token::Number(_) | Token::Regex) => true,
            Some(Token::Sign(sign)) => matches!(sign, ')' | ']' | '}'),
            Some(Token::Arrow) | None => false,
        }
    }

    /// Reads a string, or goes on with one behind an expression in it.
    fn string(&mut self, from_its_begin: bool) -> Result<(), Refused> {
        let rest = self.rest();
        let mut characters = rest.char_indices();
        let mut before = ' ';
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => drop(characters.next()),
                '"' => {
                    let token = if from_its_begin {
                        Token::Text(&rest[..at])
                    } else {
                        Token::Piece
                    };
                    self.push(token, at + 1);
                    return Ok(());
                }
                '{' if before == '$' => {
                    // The two readings of `$${` differ between versions of Flux.
                    if rest[..at].ends_with("$$") {
                        return Err(refuse("`$${` in a string; write it in another way"));
                    }
                    self.push(Token::Piece, at);
                    self.push(Token::Sign('{'), 1);
                    self.inside.push(1);
                    return Ok(());
                }
                _ => {}
            }
            before = if c == '\\' { ' ' } else { c };
        }
        Err(refuse("a string that does not end"))
    }

    fn regex(&mut self) -> Result<(), Refused> {
        let body = &self.rest()[1..];
        let mut backslashes = 0;
        for (at, c) in body.char_indices() {
            match c {
                '\\' => backslashes += 1,
                '/' if backslashes > 1 => {
                    return Err(refuse(
                        "a regular expression with a backslash before its end; use strings.hasSuffix",
                    ));
                }
                '/' if backslashes == 0 => {
                    self.push(Token::Regex, at + 2);
                    return Ok(());
                }
                '\n' => break,
                _ => backslashes = 0,
            }
        }
        Err(refuse("a regular expression that does not end in its line"))
    }
}

fn span(text: &str, is_part: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !is_part(c)).unwrap_or(text.len())]
}

/// A number, a duration (`1h30m`) or a time (`2026-01-31T00:00:00Z`).
fn number(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, sign: u8| bytes.get(at) == Some(&sign);
    let date = (0..4).all(digit)
        && is(4, b'-')
        && digit(5)
        && digit(6)
        && is(7, b'-')
        && digit(8)
        && digit(9);
    if !date {
        return span(text, |c| c.is_ascii_alphanumeric() || c == '.' || c == 'µ');
    }
    let mut end = 10;
    if is(end, b'T') {
        end += span(&text[end..], |c| c.is_ascii_digit() || "T:.".contains(c)).len();
        if is(end, b'Z') {
            end += 1;
        } else if is(end, b'+') || is(end, b'-') {
            end += 1;
            end += span(&text[end..], |c| c.is_ascii_digit() || c == ':').len();
        }
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Token::{Number, Piece, Regex, Sign, Text, Word};

    #[test]
    fn strings_comments_and_regular_expressions_are_no_code() {
        let found = tokens("a = \"x \\\" // y\" // \"z\"\nb =~ /\"\\/x/ / 2").unwrap();
        assert_eq!(
            found,
            [
                Word("a"),
                Sign('='),
                Text("x \\\" // y"),
                Word("b"),
                Sign('='),
                Sign('~'),
                Regex,
                Sign('/'),
                Number("2"),
            ]
        );
    }

    #[test]
    fn an_expression_in_a_string_is_code() {
        let found = tokens("\"a ${f(x: \"}\")} b\" c").unwrap();
        assert_eq!(
            found,
            [
                Piece,
                Sign('{'),
                Word("f"),
                Sign('('),
                Word("x"),
                Sign(':'),
                Text("}"),
                Sign(')'),
                Sign('}'),
                Piece,
                Word("c"),
            ]
        );
    }

    #[test]
    fn times_and_durations_are_one_word() {
        let found = tokens("-1h30m 2026-01-31T10:00:00.5+09:00 2026-01-31 10/2").unwrap();
        assert_eq!(
            found,
            [
                Sign('-'),
                Number("1h30m"),
                Number("2026-01-31T10:00:00.5+09:00"),
                Number("2026-01-31"),
                Number("10"),
                Sign('/'),
                Number("2"),
            ]
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "\"$${x}\"",
            "x =~ /a\\\\/",
            "x =~ /a\nb/",
            "\"open",
            "\"a ${b",
        ] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }
}
