//! The words of a message: the same shape everywhere, whatever carries it.
//!
//! Priority and what happened, what, where, the value against its threshold, since when, the next
//! step, a link.

mod alimtalk;
mod card;
mod chat;
pub mod euckr;
mod events;
mod phrases;
mod plain;
mod preview;
mod sms;
mod speech;
mod telegram;
mod template;

pub use alimtalk::{ALIMTALK_VARIABLES, Alimtalk, AlimtalkNames, alimtalk, filled_template};
pub use card::card;
pub use chat::{ACKNOWLEDGE_ACTION, ChatPost, reply, root};
pub use events::{OpsgenieCall, opsgenie_calls, pagerduty_event};
pub use phrases::Phrases;
pub use plain::{Mail, head, mail, plain};
pub use preview::{Preview, Subject, previews, sample};
pub use sms::{LMS_BYTES, LmsUse, SMS_BYTES, SUBJECT_BYTES, SmsKind, SmsText, sms};
pub use speech::speech;
pub use telegram::{
    TELEGRAM_ACKNOWLEDGE, TELEGRAM_CHARS, TelegramPost, telegram_reply, telegram_root,
};
pub use template::{MessageTemplate, values};

use super::message::{IncidentSummary, Message, Purpose};
use super::words::{Language, Status};
use jiff::tz::TimeZone;
use model::Timestamp;

/// The zone in which texts without a reader's own clock tell the time. Korea has had no daylight
/// saving since 1988, so that where the machine has no zone database its fixed offset says the
/// same.
pub fn korea() -> TimeZone {
    TimeZone::get("Asia/Seoul").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(9)))
}

/// `11-21 14:03` in the zone.
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_nanosecond(at.as_nanos().into()).map_or_else(
        |_| "?".to_owned(),
        |at| {
            let at = at.to_zoned(zone.clone());
            at.strftime("%m-%d %H:%M").to_string()
        },
    )
}

/// A number as people read it, with its unit: `97.2 %`, `1.5 GiB`, `12 s`, `3`.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "" => number(value),
        "percent" | "%" => format!("{} %", number(value)),
        "bytes" | "byte" => binary(value),
        "seconds" | "second" => format!("{} s", number(value)),
        "milliseconds" => format!("{} ms", number(value)),
        "days" | "day" => format!("{} d", number(value)),
        other => format!("{} {other}", number(value)),
    }
}

/// At most three digits behind the point, fewer the larger the number is.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        huge if huge >= 1e15 => return format!("{value:.3e}"),
        large if large >= 1000.0 => 0,
        middle if middle >= 1.0 => 1,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let short = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text.as_str(),
    };
    if short == "-0" {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

fn binary(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = value;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if scaled.abs() < 1024.0 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    format!("{} {unit}", number(scaled))
}

/// The value and the threshold that it was held against; none where nothing was measured.
pub fn reading(incident: &IncidentSummary, phrases: &Phrases) -> Option<String> {
    let value = quantity(incident.value?, &incident.unit);
    Some(match incident.threshold {
        Some(threshold) => {
            let threshold = quantity(threshold, &incident.unit);
            format!("{value} ({} {threshold})", phrases.threshold)
        }
        None => value,
    })
}

/// Where it happens: tenant, host, and what else tells the group apart.
pub fn place(incident: &IncidentSummary) -> String {
    let mut place = incident.tenant.to_string();
    for part in [incident.host(), incident.env.as_deref().unwrap_or_default()] {
        if !part.is_empty() {
            place.push(' ');
            place.push_str(part);
        }
    }
    for (key, value) in incident.group.iter().filter(|(key, _)| key != "host") {
        place.push_str(&format!(" {key}={value}"));
    }
    place
}

/// What has happened, for a message that shows the incident as it stands: a page that asks again
/// counts more than the state, the state more than the news.
fn standing(message: &Message) -> Purpose {
    let incident = &message.incident;
    match (incident.status, message.purpose) {
        (_, Purpose::Notice) => Purpose::Notice,
        (Status::Open, purpose) if purpose.is_page() => purpose,
        (Status::Open, _) => Purpose::Firing,
        (Status::Acknowledged, Purpose::Raised | Purpose::AckRanOut | Purpose::Assigned) => {
            message.purpose
        }
        (Status::Acknowledged, _) => Purpose::Acknowledged,
        (Status::Closed, Purpose::Resolved | Purpose::Expired | Purpose::Closed) => message.purpose,
        (Status::Closed, _) if incident.firing => Purpose::Closed,
        (Status::Closed, _) => Purpose::Resolved,
    }
}

/// What the reader should do next; none when nothing is to be done.
fn next_step(message: &Message, phrases: &Phrases) -> Option<&'static str> {
    match message.purpose {
        Purpose::Firing | Purpose::Reopened | Purpose::Raised => Some(phrases.next_acknowledge),
        Purpose::Assigned | Purpose::SnoozeOver => Some(phrases.next_acknowledge),
        Purpose::Escalated => Some(phrases.next_escalated),
        Purpose::RanOut => Some(phrases.next_ran_out),
        Purpose::AckRanOut => Some(phrases.next_ack_ran_out),
        _ => None,
    }
}

/// A link that may stand in a message: http or https, without spaces, of bounded length.
fn link(url: &str) -> Option<&str> {
    let web = url.starts_with("https://") || url.starts_with("http://");
    let clean = url.bytes().all(|byte| byte.is_ascii_graphic());
    (web && clean && url.len() <= 1_000).then_some(url)
}

/// At most `limit` characters, with an ellipsis where something is missing.
fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The phrases of the reader's language.
fn phrases(language: Language) -> &'static Phrases {
    Phrases::of(language)
}

#[cfg(test)]
#[path = "render/tests.rs"]
mod tests;
#[cfg(test)]
#[path = "render/tests_forms.rs"]
mod tests_forms;
