//! Text messages: 90 bytes of EUC-KR as SMS, otherwise up to 2,000 with a subject as LMS.

use super::euckr::{bytes, cut, printable};
use super::{clock, link, next_step, phrases, place, reading};
use crate::core::message::{Message, Purpose};
use jiff::tz::TimeZone;

/// Bytes of an SMS.
pub const SMS_BYTES: usize = 90;
/// Bytes of an LMS.
pub const LMS_BYTES: usize = 2_000;
/// Bytes of an LMS's subject.
pub const SUBJECT_BYTES: usize = 40;

/// Whether a text that does not fit into an SMS goes as LMS, which costs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LmsUse {
    /// When the text does not fit into an SMS.
    #[default]
    Auto,
    /// Never: the text is cut to what matters most.
    Never,
}

/// Which kind of text message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsKind {
    /// Up to 90 bytes.
    Sms,
    /// Up to 2,000 bytes, with a subject.
    Lms,
}

/// A text message, every character of which the phone can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsText {
    /// Short or long.
    pub kind: SmsKind,
    /// Of a long one only.
    pub subject: Option<String>,
    /// What the phone shows.
    pub content: String,
}

/// The message as a text message.
pub fn sms(message: &Message, zone: &TimeZone, lms: LmsUse) -> SmsText {
    let parts = Parts::of(message, zone);
    let full = parts.full(message);
    if bytes(&full) <= SMS_BYTES {
        return short(full);
    }
    match lms {
        LmsUse::Never => short(parts.compact()),
        LmsUse::Auto => SmsText {
            kind: SmsKind::Lms,
            subject: Some(cut(
                &format!("{} {}", parts.head, parts.place),
                SUBJECT_BYTES,
            )),
            content: full,
        },
    }
}

fn short(content: String) -> SmsText {
    SmsText {
        kind: SmsKind::Sms,
        subject: None,
        content,
    }
}

/// The parts of the text, each in characters that the phone has and of bounded length.
struct Parts {
    head: String,
    repeat: Option<String>,
    title: String,
    place: String,
    reading: Option<String>,
    since: String,
    note: Option<String>,
    link: Option<String>,
}

impl Parts {
    fn of(message: &Message, zone: &TimeZone) -> Self {
        let (incident, words) = (&message.incident, phrases(message.recipient.language));
        let bounded = |text: &str, limit| cut(&printable(&text.replace('\n', " ")), limit);
        let url = if message.purpose.is_page() {
            &message.ack_url
        } else {
            &message.incident_url
        };
        Self {
            head: format!("[{} {}]", incident.priority, words.purpose(message.purpose)),
            repeat: message
                .possible_repeat
                .then(|| format!("({})", words.possible_repeat)),
            title: bounded(message.title(), 240),
            place: bounded(&place(incident), 200),
            reading: reading(incident, words).map(|text| bounded(&text, 80)),
            since: clock(incident.started_at, zone),
            note: message.remark().map(|text| bounded(text, 300)),
            // Of a notice everything is said.
            link: link(url)
                .filter(|_| message.purpose != Purpose::Notice)
                .map(str::to_owned),
        }
    }

    /// Everything, a line for each part.
    fn full(&self, message: &Message) -> String {
        let words = phrases(message.recipient.language);
        let mut lines = vec![format!("{} {}", self.head, self.title)];
        lines.extend(self.repeat.clone());
        if message.purpose == Purpose::Notice {
            return lines.join("\n");
        }
        lines.push(format!("{}: {}", words.place, self.place));
        if let Some(reading) = &self.reading {
            lines.push(format!("{}: {reading}", words.value));
        }
        lines.push(format!("{}: {}", words.since, self.since));
        lines.extend(self.note.clone());
        if let Some(next) = next_step(message, words) {
            lines.push(format!("{}: {next}", words.next));
        }
        let runbook = message.incident.runbook.as_deref().and_then(link);
        let page = message.purpose.is_page();
        if let Some(runbook) = runbook.filter(|url| page && url.len() <= 300) {
            lines.push(format!("{}: {runbook}", words.runbook));
        }
        if let Some(link) = self.link.as_deref().filter(|link| link.len() <= 500) {
            let label = if page { words.acknowledge } else { words.open };
            lines.push(format!("{label}: {link}"));
        }
        lines.join("\n")
    }

    /// What matters most in 90 bytes: the head always; the link when half of the text is left for
    /// words; then what, where and the value, as far as they go.
    fn compact(&self) -> String {
        let link = self
            .link
            .as_deref()
            .filter(|link| bytes(link) < SMS_BYTES / 2);
        let room = SMS_BYTES - link.map_or(0, |link| bytes(link) + 1);
        let mut text = self.head.clone();
        if self.repeat.is_some() {
            // The sign of a possible repeat that costs two bytes.
            text.push_str("*2");
        }
        let place = cut(&self.place, 28);
        let reading = self.reading.clone().unwrap_or_default();
        let reserved = bytes(&text) + bytes(&place) + bytes(&reading) + 3;
        let title = cut(&self.title, room.saturating_sub(reserved).max(12));
        for part in [&place, &title, &reading, &self.since] {
            let fits = bytes(&text) + 1 + bytes(part) <= room;
            if fits && !part.is_empty() {
                text.push(' ');
                text.push_str(part);
            }
        }
        match link {
            Some(link) => format!("{text} {link}"),
            None => text,
        }
    }
}
