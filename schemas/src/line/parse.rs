//! The pass over one line: finds its parts and checks its values.

use super::Problem;
use super::stops::Stops;
use super::swar::eight_digits;
use super::value;
use std::cmp::Ordering;

/// Where the parts of a line lie, in bytes from its first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) measurement_end: usize,
    /// How many tags there are; they lie between the measurement and `tags_end`.
    pub(super) tags: usize,
    pub(super) tags_end: usize,
    pub(super) fields_start: usize,
    pub(super) fields_end: usize,
    pub(super) timestamp: Option<i64>,
    /// End of the timestamp, or of the fields where there is none.
    pub(super) timestamp_end: usize,
    /// The newline that ends the line, or the end of the body.
    pub(super) end: usize,
    /// Whether there is a backslash in measurement or tags.
    pub(super) escaped: bool,
    /// Whether a value is a quoted string, which may hold newlines.
    pub(super) has_text: bool,
}

/// What is wrong, and at which byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) problem: Problem,
    pub(super) at: usize,
}

pub(super) fn fault<T>(problem: Problem, at: usize) -> Result<T, Fault> {
    Err(Fault { problem, at })
}

/// A token's end: the byte that ended it (a newline for the end of the body), and where.
struct Stop {
    byte: u8,
    at: usize,
    escaped: bool,
}

/// Goes to the next `,`, `=`, space or newline that no backslash escapes.
#[inline]
fn token(stops: &mut Stops<'_>, from: usize) -> Result<Stop, Fault> {
    let at = stops.find(from);
    match stops.body().get(at) {
        Some(&byte @ (b',' | b'=' | b' ' | b'\n')) => Ok(Stop {
            byte,
            at,
            escaped: false,
        }),
        _ => long_token(stops, at),
    }
}

/// The same, from a stop on that may not end the token.
#[cold]
fn long_token(stops: &mut Stops<'_>, from: usize) -> Result<Stop, Fault> {
    let (body, mut at, mut escaped) = (stops.body(), from, false);
    loop {
        match body.get(at) {
            None => {
                let byte = b'\n';
                return Ok(Stop { byte, at, escaped });
            }
            Some(&byte @ (b',' | b'=' | b' ' | b'\n')) => return Ok(Stop { byte, at, escaped }),
            Some(b'\\') => {
                escaped = true;
                at = behind_backslashes(body, at)?;
            }
            Some(0) => return fault(Problem::Nul, at),
            // Other control characters are taken as they are.
            Some(_) => at += 1,
        }
        at = stops.find(at);
    }
}

/// Goes behind a run of backslashes and the character that the last one escapes.
fn behind_backslashes(body: &[u8], from: usize) -> Result<usize, Fault> {
    let run = body[from..].iter().take_while(|b| **b == b'\\').count();
    let behind = from + run;
    match body.get(behind) {
        None | Some(b'\n') => fault(Problem::TrailingBackslash, behind - 1),
        Some(b',' | b'=' | b' ') if run % 2 == 0 => fault(Problem::AmbiguousBackslashes, from),
        Some(b',' | b'=' | b' ') => Ok(behind + 1),
        Some(_) => Ok(behind),
    }
}

/// Reads the line that begins at `start`, where there is a byte that is no space. Places of a fault
/// are in the body, those of the parts in the line.
#[inline]
pub(super) fn line(stops: &mut Stops<'_>, start: usize) -> Result<Parts, Fault> {
    let body = stops.body();
    let mut stop = token(stops, start)?;
    let mut escaped = stop.escaped;
    // An equals sign is an ordinary character in a measurement.
    while stop.byte == b'=' {
        stop = token(stops, stop.at + 1)?;
        escaped |= stop.escaped;
    }
    let measurement_end = stop.at;
    if measurement_end == start {
        return fault(Problem::MissingMeasurement, start);
    }
    let mut tags = Tags::default();
    while stop.byte == b',' {
        stop = tags.next(stops, stop.at + 1)?;
    }
    let tags_end = stop.at;
    if tags.unsorted {
        tags.check_duplicates(&body[measurement_end..tags_end], measurement_end)?;
    }
    if stop.byte == b'\n' {
        return fault(Problem::MissingFields, tags_end);
    }
    let fields_start = behind_spaces(body, tags_end);
    let (fields_end, has_text) = fields(stops, fields_start)?;
    let (timestamp, timestamp_end) = timestamp(body, fields_end)?;
    let end = line_break(body, timestamp_end)?;
    Ok(Parts {
        measurement_end: measurement_end - start,
        tags: tags.count,
        tags_end: tags_end - start,
        fields_start: fields_start - start,
        fields_end: fields_end - start,
        timestamp,
        timestamp_end: timestamp_end - start,
        end: end - start,
        escaped: escaped | tags.escaped,
        has_text,
    })
}

/// What is known of the tags so far.
#[derive(Default)]
struct Tags {
    count: usize,
    escaped: bool,
    unsorted: bool,
    last_key: (usize, usize),
}

impl Tags {
    /// Reads one tag.
    #[inline]
    fn next(&mut self, stops: &mut Stops<'_>, from: usize) -> Result<Stop, Fault> {
        let body = stops.body();
        let key = token(stops, from)?;
        if key.at == from {
            return fault(Problem::MissingTagKey, from);
        }
        if key.byte != b'=' {
            return fault(Problem::MissingTagValue, key.at);
        }
        let value = token(stops, key.at + 1)?;
        if value.at == key.at + 1 {
            return fault(Problem::MissingTagValue, value.at);
        }
        if value.byte == b'=' {
            return fault(Problem::EqualsInTagValue, value.at);
        }
        self.unsorted |= self.count > 0 && !self.is_in_order(body, from, key.at);
        self.last_key = (from, key.at);
        self.count += 1;
        self.escaped |= key.escaped | value.escaped;
        Ok(value)
    }

    /// Whether a key comes behind the last one. Mostly the first byte tells.
    #[inline]
    fn is_in_order(&self, body: &[u8], from: usize, end: usize) -> bool {
        let (last_from, last_end) = self.last_key;
        match body[from].cmp(&body[last_from]) {
            Ordering::Equal => body[from..end] > body[last_from..last_end],
            first => first == Ordering::Greater,
        }
    }

    /// Agents write tags in order, and then neighbours differ. The rest is sorted here.
    #[cold]
    fn check_duplicates(&self, tags: &[u8], offset: usize) -> Result<(), Fault> {
        let mut keys: Vec<(&[u8], usize)> = Vec::with_capacity(self.count);
        let mut at = 0;
        while at < tags.len() {
            let equals = super::token::end_of_escaped(tags, at + 1, b'=');
            keys.push((&tags[at + 1..equals], offset + at + 1));
            at = super::token::end_of_escaped(tags, equals + 1, b',');
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => fault(Problem::DuplicateTag, pair[1].1),
            None => Ok(()),
        }
    }
}

/// Reads the fields: where they end, and whether one is a quoted string.
#[inline]
fn fields(stops: &mut Stops<'_>, from: usize) -> Result<(usize, bool), Fault> {
    let body = stops.body();
    let (mut at, mut has_text) = (from, false);
    if matches!(body.get(at), None | Some(b'\n')) || is_cr_break(body, at) {
        return fault(Problem::MissingFields, at);
    }
    loop {
        let key = token(stops, at)?;
        if key.at == at {
            return fault(Problem::MissingFieldKey, at);
        }
        if key.byte != b'=' {
            return fault(Problem::MissingFieldValue, key.at);
        }
        let from = key.at + 1;
        let end = match value::plain_number(stops, from) {
            Some(end) => end,
            None => {
                has_text |= body.get(from) == Some(&b'"');
                value::check(body, from)?
            }
        };
        if body.get(end) != Some(&b',') {
            return Ok((end, has_text));
        }
        at = end + 1;
    }
}

/// Reads the timestamp behind the fields, if there is one, and says where it ends.
#[inline]
fn timestamp(body: &[u8], fields_end: usize) -> Result<(Option<i64>, usize), Fault> {
    let from = behind_spaces(body, fields_end);
    let negative = body.get(from) == Some(&b'-');
    let digits_from = from + usize::from(negative);
    let (number, end) = digits(body, digits_from);
    if end == digits_from {
        return if negative {
            fault(Problem::BadTimestamp, from)
        } else {
            Ok((None, fields_end))
        };
    }
    // Below zero there is room for one more.
    let number = number.and_then(|number| match negative {
        true => 0_i64.checked_sub_unsigned(number),
        false => i64::try_from(number).ok(),
    });
    match number {
        Some(number) => Ok((Some(number), end)),
        None => fault(Problem::TimestampOverflow, from),
    }
}

/// The number that is written in digits from `from` on, none where it does not fit, and where it
/// ends.
#[inline]
fn digits(body: &[u8], from: usize) -> (Option<u64>, usize) {
    let (mut at, mut number) = (from, Some(0_u64));
    while let Some(eight) = body.get(at..).and_then(|rest| rest.first_chunk()) {
        let Some(more) = eight_digits(*eight) else {
            break;
        };
        number = number.and_then(|n| n.checked_mul(100_000_000)?.checked_add(more));
        at += 8;
    }
    while let Some(digit) = body.get(at).filter(|b| b.is_ascii_digit()) {
        number = number.and_then(|n| n.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        at += 1;
    }
    (number, at)
}

/// What is behind the timestamp must be the end of the line.
fn line_break(body: &[u8], from: usize) -> Result<usize, Fault> {
    let at = behind_spaces(body, from);
    match body.get(at) {
        None | Some(b'\n') => Ok(at),
        Some(b'\r') if is_cr_break(body, at) => Ok((at + 1).min(body.len())),
        Some(0) => fault(Problem::Nul, at),
        Some(_) => fault(Problem::BadTimestamp, at),
    }
}

/// Whether the line ends here with CRLF, or the body with CR.
pub(super) fn is_cr_break(body: &[u8], at: usize) -> bool {
    body.get(at) == Some(&b'\r') && matches!(body.get(at + 1), None | Some(b'\n'))
}

fn behind_spaces(body: &[u8], from: usize) -> usize {
    from + body[from..].iter().take_while(|b| **b == b' ').count()
}

/// Where a line ends that was not understood: at the first newline that is neither escaped nor in a
/// quoted string. Quotes count only as a field's value, as in the stores.
#[cold]
pub(super) fn line_end(body: &[u8]) -> usize {
    let (mut at, mut in_fields, mut quoted) = (0, false, false);
    while at < body.len() {
        match body[at] {
            b'\\' => at += 1,
            b' ' if !quoted => in_fields = true,
            b'"' if quoted => quoted = false,
            b'"' if in_fields && at > 0 && body[at - 1] == b'=' => quoted = true,
            b'\n' if !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    body.len()
}
