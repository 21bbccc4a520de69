//! Text without a limit of bytes: of e-mails, and of chats that take plain text.

use super::{clock, korea, link, next_step, phrases, place, reading, shortened};
use crate::core::message::Message;

/// An e-mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// The body.
    pub text: String,
}

/// The message as an e-mail. Neither part holds a control character but the body's line ends.
pub fn mail(message: &Message) -> Mail {
    let subject = format!("{} · {}", head(message), place(&message.incident));
    Mail {
        subject: shortened(&one_line(&subject), 180),
        text: plain(message),
    }
}

/// `[P1 FIRING] CPU usage is critically high`.
pub fn head(message: &Message) -> String {
    let (incident, words) = (&message.incident, phrases(message.recipient.language));
    let title = message.title();
    let text = format!(
        "[{} {}] {title}",
        incident.priority,
        words.purpose(message.purpose)
    );
    shortened(&one_line(&text), 240)
}

/// Everything, a line for each part.
pub fn plain(message: &Message) -> String {
    let (incident, words) = (&message.incident, phrases(message.recipient.language));
    let part = |text: &str| shortened(&one_line(text), 500);
    let mut lines = vec![head(message)];
    if message.possible_repeat {
        lines.push(format!("({})", words.possible_repeat));
    }
    lines.push(format!("{}: {}", words.place, part(&place(incident))));
    if let Some(reading) = reading(incident, words) {
        lines.push(format!("{}: {}", words.value, part(&reading)));
    }
    let since = clock(incident.started_at, &korea());
    lines.push(format!("{}: {since}", words.since));
    lines.push(format!("{}: {}", words.why, part(&incident.why)));
    lines.extend(message.remark().map(part));
    if let Some(next) = next_step(message, words) {
        lines.push(format!("{}: {next}", words.next));
    }
    let runbook = incident.runbook.as_deref().and_then(link);
    if let Some(runbook) = runbook.filter(|_| message.purpose.is_page()) {
        lines.push(format!("{}: {runbook}", words.runbook));
    }
    if let Some(url) = link(&message.ack_url).filter(|_| message.purpose.is_page()) {
        lines.push(format!("{}: {url}", words.acknowledge));
    }
    if let Some(url) = link(&message.incident_url) {
        lines.push(format!("{}: {url}", words.open));
    }
    lines.join("\n")
}

/// Without what could begin a line, a header or an escape sequence of its own.
fn one_line(text: &str) -> String {
    let clean = |c: char| {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            c
        }
    };
    text.chars()
        .map(clean)
        .collect::<String>()
        .trim()
        .to_owned()
}
