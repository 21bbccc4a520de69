//! What a Flux query may do, which time it asks for, and whether answers to it can be put together.

use super::flux_lex::{Token, tokens};
use super::time::{instant, length};
use super::{Merge, Refused, Window};
use model::TenantId;

/// Packages that compute and reach nothing outside of the query's own tables. What is not here may
/// read the shard's network, files or secrets, or may do so in its next version.
const PACKAGES: [&str; 29] = [
    "array",
    "bitwise",
    "contrib/anaisdg/anomalydetection",
    "contrib/anaisdg/statsmodels",
    "contrib/jsternberg/aggregate",
    "contrib/tomhollingworth/events",
    "date",
    "date/boundaries",
    "dict",
    "experimental/aggregate",
    "experimental/array",
    "experimental/date/boundaries",
    "experimental/geo",
    "experimental/json",
    "experimental/query",
    "experimental/record",
    "experimental/table",
    "generate",
    "influxdata/influxdb/schema",
    "interpolate",
    "join",
    "json",
    "math",
    "regexp",
    "runtime",
    "strings",
    "system",
    "timezone",
    "types",
];

/// Functions that look at one row alone, or leave rows out by what is in them.
const BY_ROW: [&str; 26] = [
    "bool",
    "columns",
    "drop",
    "duplicate",
    "duration",
    "filter",
    "float",
    "from",
    "int",
    "keep",
    "length",
    "map",
    "now",
    "range",
    "rename",
    "set",
    "string",
    "time",
    "toBool",
    "toFloat",
    "toInt",
    "toString",
    "toTime",
    "toUInt",
    "uint",
    "yield",
];

/// The package that lists what there is, and its functions that give one column of names.
const SCHEMA: &str = "influxdata/influxdb/schema";
const LISTS: [&str; 7] = [
    "fieldKeys",
    "measurementFieldKeys",
    "measurementTagKeys",
    "measurementTagValues",
    "measurements",
    "tagKeys",
    "tagValues",
];

/// Packages whose functions take and give values.
const OF_VALUES: [&str; 6] = ["date", "math", "regexp", "strings", "dict", "types"];

/// A Flux query that may be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flux {
    /// The time it asks for.
    pub window: Window,
    /// Whether answers of several shards can be put together.
    pub merge: Merge,
}

/// Checks a query of a tenant. `now` is what `now()` means, in nanoseconds since 1970.
pub fn check(text: &str, tenant: &TenantId, now: i64) -> Result<Flux, Refused> {
    let code = Code::read(text)?;
    let body = code.imports()?;
    code.arguments(body, tenant)?;
    Ok(Flux {
        window: code.window(body, now),
        merge: code.merge(body),
    })
}

struct Code<'a> {
    tokens: Vec<Token<'a>>,
    /// Of each bracket the place of its other half; of other words their own.
    other: Vec<usize>,
}

impl<'a> Code<'a> {
    fn read(text: &'a str) -> Result<Self, Refused> {
        let tokens = tokens(text)?;
        let unbalanced = || Refused::Invalid("the query cannot be read: a bracket is open".into());
        let mut other: Vec<usize> = (0..tokens.len()).collect();
        let mut open: Vec<(usize, char)> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Token::Sign(sign @ ('(' | '[' | '{')) => open.push((at, *sign)),
                Token::Sign(sign @ (')' | ']' | '}')) => {
                    let (begin, kind) = open.pop().ok_or_else(unbalanced)?;
                    if !matches!((kind, sign), ('(', ')') | ('[', ']') | ('{', '}')) {
                        return Err(unbalanced());
                    }
                    (other[begin], other[at]) = (at, begin);
                }
                _ => {}
            }
        }
        if open.is_empty() {
            Ok(Self { tokens, other })
        } else {
            Err(unbalanced())
        }
    }

    fn sign(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at) == Some(&Token::Sign(sign))
    }

    /// Reads package clause and imports, which stand before all else; where the rest begins.
    fn imports(&self) -> Result<usize, Refused> {
        let mut at = 0;
        if self.sign(0, '@') {
            let what = "attributes such as @edition are not passed on";
            return Err(Refused::Invalid(what.to_owned()));
        }
        if self.tokens.first() == Some(&Token::Word("package")) {
            at = 2;
        }
        while self.tokens.get(at) == Some(&Token::Word("import")) {
            at += 1;
            if matches!(self.tokens.get(at), Some(Token::Word(_))) {
                at += 1;
            }
            match self.tokens.get(at) {
                Some(Token::Text(path)) if PACKAGES.contains(path) => at += 1,
                Some(Token::Text(path)) => {
                    return Err(Refused::Forbidden(format!(
                        "package `{path}` is not for queries through the gateway: packages that compute are \
                         (array, date, dict, join, json, math, regexp, strings, types, schema, ..)"
                    )));
                }
                _ => return Err(Refused::Invalid("an import without a path".to_owned())),
            }
        }
        if self.tokens[at..].contains(&Token::Word("import")) {
            let what = "imports stand at the beginning of a query";
            return Err(Refused::Invalid(what.to_owned()));
        }
        Ok(at)
    }

    /// Looks at the arguments of every call: no other server, no other bucket, no writing.
    fn arguments(&self, from: usize, tenant: &TenantId) -> Result<(), Refused> {
        for open in (from..self.tokens.len()).filter(|at| self.sign(*at, '(')) {
            let close = self.other[open];
            if self.tokens.get(close + 1) == Some(&Token::Arrow) {
                continue;
            }
            let called = open.checked_sub(1).map(|at| self.tokens[at]);
            if let Some(Token::Word(name @ ("to" | "wideTo"))) = called {
                return Err(Refused::Forbidden(format!(
                    "`{name}()` writes: points are written through /api/v2/write"
                )));
            }
            for (first, last) in self.elements(open, close) {
                self.argument(first, last, tenant)?;
            }
        }
        Ok(())
    }

    fn argument(&self, first: usize, last: usize, tenant: &TenantId) -> Result<(), Refused> {
        let named = self.sign(first + 1, ':') && first < last;
        match self.tokens[first] {
            // A name in quotes may be written with escapes.
            Token::Text(_) | Token::Piece if named => Err(Refused::Invalid(
                "the name of an argument is written without quotes".to_owned(),
            )),
            Token::Word("host") if named || first == last => Err(Refused::Forbidden(
                "`host` as an argument names another server: the gateway reads the shards of Bongsu only. \
                 (For a function of your own take another name)"
                    .to_owned(),
            )),
            Token::Word("bucket") if named && last == first + 2 => match self.tokens[last] {
                Token::Text(bucket) if bucket != tenant.as_str() => {
                    Err(Refused::Forbidden(format!(
                        "bucket `{bucket}` is not yours: this token reads bucket `{tenant}`"
                    )))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The first and the last word of each element between two brackets.
    fn elements(&self, open: usize, close: usize) -> Vec<(usize, usize)> {
        let (mut elements, mut first, mut at) = (Vec::new(), open + 1, open + 1);
        while at <= close {
            if at == close || self.sign(at, ',') {
                if at > first {
                    elements.push((first, at - 1));
                }
                first = at + 1;
            }
            let skips = matches!(self.tokens[at], Token::Sign('(' | '[' | '{'));
            at = if skips { self.other[at] + 1 } else { at + 1 };
        }
        elements
    }

    /// The time that all `range()` together ask for; all time where one cannot be known.
    fn window(&self, from: usize, now: i64) -> Window {
        let body = &self.tokens[from..];
        let own_now = body
            .windows(2)
            .any(|pair| pair == [Token::Word("option"), Token::Word("now")]);
        let calls = |name: &'static str| {
            (from..self.tokens.len())
                .filter(move |at| self.tokens[*at] == Token::Word(name) && self.sign(*at + 1, '('))
        };
        if own_now {
            return Window::ALL;
        }
        if calls("from").count() == 0 && calls("buckets").count() > 0 {
            return Window { from: now, to: now };
        }
        let ranges: Option<Vec<Window>> =
            calls("range").map(|at| self.range(at + 1, now)).collect();
        match ranges {
            // A bucket may be read once for each range; where there are fewer, one is not in plain sight.
            Some(ranges) if ranges.len() >= calls("from").count().max(1) => ranges
                .into_iter()
                .reduce(Window::and)
                .unwrap_or(Window::ALL),
            _ => Window::ALL,
        }
    }

    fn range(&self, open: usize, now: i64) -> Option<Window> {
        let (mut start, mut stop) = (None, Some(now));
        for (first, last) in self.elements(open, self.other[open]) {
            let value = self.tokens.get(first + 2..=last).unwrap_or_default();
            match self.tokens[first] {
                Token::Word("start") => start = moment(value, now).map(|(earliest, _)| earliest),
                Token::Word("stop") => stop = moment(value, now).map(|(_, latest)| latest),
                _ => return None,
            }
        }
        let (from, to) = (start?, stop?);
        Some(Window {
            from,
            // The end of a range in Flux does not belong to it.
            to: to.saturating_sub(1).max(from),
        })
    }

    /// Whether all that is asked for is a list of names, as the variables of a dashboard are.
    fn lists(&self, from: usize) -> bool {
        let imported = |name: &str| match &self.tokens[..from] {
            [Token::Word("import"), Token::Text(SCHEMA)] => name == "schema",
            [
                Token::Word("import"),
                Token::Word(alias),
                Token::Text(SCHEMA),
            ] => *alias == name,
            _ => false,
        };
        match &self.tokens[from..] {
            [
                Token::Word(package),
                Token::Sign('.'),
                Token::Word(list),
                Token::Sign('('),
                ..,
            ] => {
                let ends = self.other[from + 3] + 1 == self.tokens.len();
                imported(package) && LISTS.contains(list) && ends
            }
            _ => false,
        }
    }

    fn merge(&self, from: usize) -> Merge {
        if self.lists(from) {
            return Merge::Names;
        }
        for open in (from..self.tokens.len()).filter(|at| self.sign(*at, '(')) {
            if self.tokens.get(self.other[open] + 1) == Some(&Token::Arrow) || open == 0 {
                continue;
            }
            let Token::Word(name) = self.tokens[open - 1] else {
                continue;
            };
            let package = match open.checked_sub(3).map(|at| &self.tokens[at..open - 1]) {
                Some([Token::Word(package), Token::Sign('.')]) => Some(*package),
                _ => None,
            };
            let plain = match package {
                Some(package) => OF_VALUES.contains(&package),
                None => BY_ROW.contains(&name) || matches!(name, "if" | "and" | "or" | "not"),
            };
            if !plain {
                return Merge::Not(format!("`{name}()` needs all points at once"));
            }
        }
        Merge::Rows
    }
}

/// The earliest and the latest instant that an expression may mean.
fn moment(words: &[Token<'_>], now: i64) -> Option<(i64, i64)> {
    match words {
        [Token::Word("now"), Token::Sign('('), Token::Sign(')')] => Some((now, now)),
        [Token::Sign('-'), Token::Number(ago)] => {
            let ago = length(ago)?;
            Some((now.saturating_sub(ago.most), now.saturating_sub(ago.least)))
        }
        [Token::Number(number)] => {
            let exact = if let Ok(seconds) = number.parse::<i64>() {
                seconds.saturating_mul(1_000_000_000)
            } else if let Some(at) = instant(number) {
                at
            } else {
                let ahead = length(number)?;
                return Some((
                    now.saturating_add(ahead.least),
                    now.saturating_add(ahead.most),
                ));
            };
            Some((exact, exact))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "flux_tests.rs"]
mod tests;
