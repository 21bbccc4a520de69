//! What an InfluxQL query may do, which time it asks for, and whether answers to it can be put together.

use super::influxql_lex::{Token, tokens};
use super::time::{FARTHEST_ZONE, instant, is_exact, length};
use super::{Merge, Refused, Window};
use model::TenantId;

/// An InfluxQL text that may be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfluxQl {
    /// The time that its statements ask for.
    pub window: Window,
    /// Whether answers of several shards can be put together.
    pub merge: Merge,
    /// Whether rows come with the newest first.
    pub newest_first: bool,
    /// At most so many rows of each series, where it says so.
    pub most: Option<usize>,
    /// How many statements it has; each has a result of its own.
    pub statements: usize,
    /// What the gateway knows by itself.
    pub own: Option<Own>,
}

/// A question that needs no shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// `SHOW DATABASES`
    Databases,
    /// `SHOW RETENTION POLICIES`
    RetentionPolicies,
}

/// Whether a query does nothing but create a database, as Telegraf's `outputs.influxdb` asks before it writes. Which
/// one it names decides nothing.
pub fn creates_database(text: &str) -> bool {
    let statement = text.trim().trim_end_matches(';');
    let mut words = statement.split_ascii_whitespace();
    let next = |word: Option<&str>, wanted: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(wanted))
    };
    next(words.next(), "create")
        && next(words.next(), "database")
        && words.next().is_some()
        && !statement.contains(';')
}

/// Checks the statements of a tenant. `now` is what `now()` means, in nanoseconds since 1970.
pub fn check(text: &str, tenant: &TenantId, now: i64) -> Result<InfluxQl, Refused> {
    let words = tokens(text);
    let statements: Vec<&[Token<'_>]> = words
        .split(|token| *token == Token::Sign(';'))
        .filter(|statement| !statement.is_empty())
        .collect();
    if statements.is_empty() {
        return Err(Refused::Invalid(
            "missing required parameter \"q\"".to_owned(),
        ));
    }
    let mut all: Option<InfluxQl> = None;
    for statement in &statements {
        databases(statement, tenant)?;
        let one = read(statement, now)?;
        all = Some(match all {
            None => one,
            Some(before) => InfluxQl {
                window: before.window.and(one.window),
                merge: Merge::Not("it has several statements".to_owned()),
                newest_first: false,
                most: None,
                statements: before.statements + 1,
                own: None,
            },
        });
    }
    all.ok_or_else(|| Refused::Invalid("missing required parameter \"q\"".to_owned()))
}

fn read(statement: &[Token<'_>], now: i64) -> Result<InfluxQl, Refused> {
    let has = |keyword: &str| statement.iter().any(|token| token.is(keyword));
    let pair = |a: &str, b: &str| statement.windows(2).any(|two| two[0].is(a) && two[1].is(b));
    let first = statement.first();
    if first.is_some_and(|token| token.is("show")) {
        let own = match () {
            () if pair("show", "databases") => Some(Own::Databases),
            () if pair("show", "retention") => Some(Own::RetentionPolicies),
            () => None,
        };
        return Ok(InfluxQl {
            window: if has("where") {
                window(statement, now)
            } else {
                Window::ALL
            },
            merge: if has("cardinality") {
                Merge::Not("it counts".to_owned())
            } else {
                cut(statement).unwrap_or(Merge::Names)
            },
            newest_first: false,
            most: most(statement),
            statements: 1,
            own,
        });
    }
    let explains = first.is_some_and(|token| token.is("explain"));
    if !explains && !first.is_some_and(|token| token.is("select")) {
        let what = "the gateway reads: SELECT, SHOW and EXPLAIN are passed on, nothing else";
        return Err(Refused::Forbidden(what.to_owned()));
    }
    if has("into") {
        let what = "SELECT INTO writes: points are written through /write";
        return Err(Refused::Forbidden(what.to_owned()));
    }
    Ok(InfluxQl {
        window: window(statement, now),
        merge: merge(statement, explains),
        newest_first: has("desc"),
        most: most(statement),
        statements: 1,
        own: None,
    })
}

/// No database but the tenant's: neither behind ON nor before a retention policy.
fn databases(statement: &[Token<'_>], tenant: &TenantId) -> Result<(), Refused> {
    let named = |at: usize| match statement.get(at) {
        Some(Token::Word(name) | Token::Name(name)) => Some(*name),
        _ => None,
    };
    let dot = |at: usize| statement.get(at) == Some(&Token::Sign('.'));
    for (at, token) in statement.iter().enumerate() {
        let behind_on = token.is("on") && statement.first().is_some_and(|t| t.is("show"));
        let database = if behind_on {
            named(at + 1)
        } else if !(at > 0 && dot(at - 1)) && dot(at + 1) {
            // `db.policy.measurement` or `db..measurement`
            let two = dot(at + 2) || (named(at + 2).is_some() && dot(at + 3));
            two.then(|| named(at)).flatten()
        } else {
            None
        };
        if let Some(other) = database.filter(|name| *name != tenant.as_str()) {
            return Err(Refused::Forbidden(format!(
                "database `{other}` is not yours: this token reads database `{tenant}`"
            )));
        }
    }
    Ok(())
}

fn merge(statement: &[Token<'_>], explains: bool) -> Merge {
    let not = |why: &str| Merge::Not(why.to_owned());
    let until_from = statement.iter().take_while(|token| !token.is("from"));
    if explains {
        return not("it explains");
    }
    if let Some(cut) = cut(statement) {
        return cut;
    }
    let from = statement.iter().position(|token| token.is("from"));
    let subquery = from.is_some_and(|at| statement.get(at + 1) == Some(&Token::Sign('(')));
    let by_time = statement
        .windows(2)
        .any(|two| two[0].is("time") && two[1] == Token::Sign('('));
    if until_from
        .into_iter()
        .any(|token| *token == Token::Sign('('))
        || subquery
        || by_time
    {
        return not("functions need all points at once");
    }
    Merge::Rows
}

/// Why answers that were cut off cannot be put together. The first rows of all are among the first of each shard, so a
/// plain LIMIT can.
fn cut(statement: &[Token<'_>]) -> Option<Merge> {
    let keys = ["offset", "slimit", "soffset"];
    let found = keys
        .into_iter()
        .find(|key| statement.iter().any(|token| token.is(key)))?;
    Some(Merge::Not(format!(
        "{} needs all rows at once",
        found.to_uppercase()
    )))
}

/// How many rows of a series are wanted. InfluxQL reads 0 as all.
fn most(statement: &[Token<'_>]) -> Option<usize> {
    let at = statement.iter().rposition(|token| token.is("limit"))?;
    match statement.get(at + 1) {
        Some(Token::Number(number)) => number.parse().ok().filter(|most| *most > 0),
        _ => None,
    }
}

/// The time that the conditions on `time` leave; all where they are not plain.
fn window(statement: &[Token<'_>], now: i64) -> Window {
    let has_or = statement.iter().any(|token| token.is("or"));
    let times = statement.iter().filter(|token| is_time(token)).count();
    let subquery = statement.iter().filter(|token| token.is("select")).count() > 1;
    if times == 0 || has_or || subquery {
        return Window::ALL;
    }
    let zoned = statement
        .windows(2)
        .any(|two| two[0].is("tz") && two[1] == Token::Sign('('));
    let mut window = Window::ALL;
    for (at, token) in statement.iter().enumerate() {
        if !is_time(token) {
            continue;
        }
        let Some((operator, taken)) = operator(&statement[at + 1..]) else {
            continue;
        };
        let value = &statement[at + 1 + taken..];
        let Some((mut earliest, mut latest)) = moment(value, now) else {
            return Window::ALL;
        };
        // Behind tz() a time is one of that place, which this does not look up.
        if zoned && matches!(value.first(), Some(Token::Text(text)) if !is_exact(text)) {
            earliest = earliest.saturating_sub(FARTHEST_ZONE);
            latest = latest.saturating_add(FARTHEST_ZONE);
        }
        match operator {
            ">=" => window.from = window.from.max(earliest),
            ">" => window.from = window.from.max(earliest.saturating_add(1)),
            "<=" => window.to = window.to.min(latest),
            "<" => window.to = window.to.min(latest.saturating_sub(1)),
            _ => {
                window.from = window.from.max(earliest);
                window.to = window.to.min(latest);
            }
        }
    }
    window
}

fn is_time(token: &Token<'_>) -> bool {
    token.is("time") || *token == Token::Name("time")
}

fn operator(words: &[Token<'_>]) -> Option<(&'static str, usize)> {
    match words {
        [Token::Sign('>'), Token::Sign('='), ..] => Some((">=", 2)),
        [Token::Sign('<'), Token::Sign('='), ..] => Some(("<=", 2)),
        [Token::Sign('>'), ..] => Some((">", 1)),
        [Token::Sign('<'), ..] => Some(("<", 1)),
        [Token::Sign('='), ..] => Some(("=", 1)),
        _ => None,
    }
}

/// The earliest and the latest instant that the beginning of `words` means: a time, a number, or
/// `now()`, and durations added to it or taken from it.
fn moment(words: &[Token<'_>], now: i64) -> Option<(i64, i64)> {
    let (mut earliest, mut rest) = match words {
        [Token::Text(text), rest @ ..] => (instant(text)?, rest),
        [Token::Number(number), rest @ ..] => {
            let nanos = number
                .parse()
                .ok()
                .or_else(|| length(number).map(|l| l.least));
            (nanos?, rest)
        }
        [word, Token::Sign('('), Token::Sign(')'), rest @ ..] if word.is("now") => (now, rest),
        _ => return None,
    };
    let mut latest = earliest;
    while let [
        Token::Sign(sign @ ('+' | '-')),
        Token::Number(number),
        after @ ..,
    ] = rest
    {
        let length = length(number)?;
        if *sign == '-' {
            earliest = earliest.saturating_sub(length.most);
            latest = latest.saturating_sub(length.least);
        } else {
            earliest = earliest.saturating_add(length.least);
            latest = latest.saturating_add(length.most);
        }
        rest = after;
    }
    let ends = match rest.first() {
        None | Some(Token::Sign(')')) => true,
        Some(word) => ["and", "group", "order", "tz", "fill"]
            .iter()
            .any(|key| word.is(key)),
    };
    ends.then_some((earliest, latest))
}

#[cfg(test)]
#[path = "influxql_tests.rs"]
mod tests;
