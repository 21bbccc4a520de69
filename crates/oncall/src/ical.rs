//! A schedule as a calendar that phones and mail programs subscribe to (RFC 5545).

use super::compile::Schedule;
use jiff::{SignedDuration, Timestamp};

/// How far back the beginning of a turn is looked for.
const LOOKED_BACK: SignedDuration = SignedDuration::from_hours(24 * 62);

/// One event for each span in which somebody is on call between `from` and `to`, with its own beginning; of `person` alone where one is given. `stamp` is the
/// instant at which it was made.
pub fn calendar(
    schedule: &Schedule,
    person: Option<&str>,
    (from, to): (Timestamp, Timestamp),
    stamp: Timestamp,
) -> String {
    let mut out = String::new();
    line(&mut out, "BEGIN:VCALENDAR");
    line(&mut out, "VERSION:2.0");
    line(&mut out, "PRODID:-//Bongsu//on-call//EN");
    line(&mut out, &format!("X-WR-CALNAME:{}", text(schedule.name())));
    // A turn that has begun already stands with its own beginning, which its UID is made of: with the instant of the question, each
    // import would add the same turn once more.
    let before = from.checked_sub(LOOKED_BACK).unwrap_or(from);
    let spans = schedule.spans(before, to).into_iter();
    for span in spans.filter(|span| span.to > from) {
        for who in &span.duty.people {
            if person.is_some_and(|person| person != *who) {
                continue;
            }
            line(&mut out, "BEGIN:VEVENT");
            let uid = format!("UID:{}-{}-{who}@bongsu", schedule.name(), utc(span.from));
            line(&mut out, &uid);
            line(&mut out, &format!("DTSTAMP:{}", utc(stamp)));
            line(&mut out, &format!("DTSTART:{}", utc(span.from)));
            line(&mut out, &format!("DTEND:{}", utc(span.to)));
            let summary = format!(
                "SUMMARY:{}",
                text(&format!("{who} on call: {}", schedule.name()))
            );
            line(&mut out, &summary);
            line(
                &mut out,
                &format!(
                    "DESCRIPTION:{}",
                    text(&span.duty.why.told_in(schedule.zone()))
                ),
            );
            line(&mut out, "END:VEVENT");
        }
    }
    line(&mut out, "END:VCALENDAR");
    out
}

/// `20261121T090000Z`.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Escapes a value of type TEXT (RFC 5545, 3.3.11).
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A content line, folded at 75 octets (RFC 5545, 3.1), never within a character.
fn line(out: &mut String, content: &str) {
    let mut room = 75;
    for c in content.chars() {
        if c.len_utf8() > room {
            out.push_str("\r\n ");
            room = 74;
        }
        room -= c.len_utf8();
        out.push(c);
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_folded_behind_75_octets_and_never_within_a_character() {
        let x = |n: usize| "x".repeat(n);
        for (content, lines) in [
            (x(75), vec![x(75)]),
            (x(76), vec![x(75), x(1)]),
            (x(75 + 74), vec![x(75), x(74)]),
            (x(75 + 75), vec![x(75), x(74), x(1)]),
            (x(72) + "가", vec![x(72) + "가"]),
            (x(73) + "가", vec![x(73), "가".to_owned()]),
        ] {
            let mut out = String::new();
            line(&mut out, &content);
            assert_eq!(out, lines.join("\r\n ") + "\r\n", "{content}");
        }
    }

    #[test]
    fn a_text_is_escaped_and_what_no_calendar_may_hold_is_left_out() {
        assert_eq!(text("a;b,c\\d\ne\u{7}\r\tf"), r"a\;b\,c\\d\nef");
    }
}
