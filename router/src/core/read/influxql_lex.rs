//! The words of an InfluxQL text (InfluxQL reference, "Notation").

/// A word of InfluxQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// An identifier without quotes, or a keyword.
    Word(&'a str),
    /// An identifier in double quotes; what stands between them.
    Name(&'a str),
    /// A string in single quotes; what stands between them.
    Text(&'a str),
    /// A number or a duration.
    Number(&'a str),
    /// A regular expression.
    Regex,
    /// Any other sign.
    Sign(char),
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Reads the words of a text. What does not end, such as a string without its last quote, ends with
/// the text: the shard will say what is wrong with it.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let bytes = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            let (token, bytes) = token(rest, first, found.last());
            found.push(token);
            bytes
        };
        at += bytes;
    }
    found
}

fn token<'a>(rest: &'a str, first: char, before: Option<&Token<'a>>) -> (Token<'a>, usize) {
    let span =
        |is_part: fn(char) -> bool| &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
    match first {
        '"' => quoted(rest, '"', Token::Name),
        '\'' => quoted(rest, '\'', Token::Text),
        '/' if begins_regex(before) => {
            let (_, bytes) = quoted(rest, '/', Token::Text);
            (Token::Regex, bytes)
        }
        c if c.is_alphabetic() || c == '_' => {
            let word = span(|c| c.is_alphanumeric() || c == '_');
            (Token::Word(word), word.len())
        }
        c if c.is_ascii_digit() => {
            let number = span(|c| c.is_alphanumeric() || c == '.');
            (Token::Number(number), number.len())
        }
        other => (Token::Sign(other), other.len_utf8()),
    }
}

/// A regular expression stands where a source, or what a tag is held against, is due.
fn begins_regex(before: Option<&Token<'_>>) -> bool {
    match before {
        Some(Token::Sign(sign)) => matches!(sign, '~' | '.' | ',' | '('),
        Some(word @ Token::Word(_)) => ["from", "by", "select"].iter().any(|key| word.is(key)),
        _ => false,
    }
}

fn quoted<'a>(
    rest: &'a str,
    quote: char,
    as_token: fn(&'a str) -> Token<'a>,
) -> (Token<'a>, usize) {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            c if c == quote => return (as_token(&rest[1..at]), at + 1),
            _ => {}
        }
    }
    (as_token(&rest[1..]), rest.len())
}
