//! Messages of a bot of Telegram: plain text, in which nothing is markup, and buttons below it.
//!
//! Limits are those of "Telegram Bot API" (core.telegram.org/bots/api): 4,096 characters of a text as UTF-16
//! counts them, 64 bytes of what a button sends back.

use super::chat::actor;
use super::{link, next_step, phrases, plain, standing};
use crate::core::message::Message;
use crate::core::words::Status;
use serde_json::{Value, json};

/// The longest text, in units of UTF-16.
pub const TELEGRAM_CHARS: usize = 4_096;
/// What stands before the incident's id in what the button sends back.
pub const TELEGRAM_ACKNOWLEDGE: &str = "ack:";

/// A text and the buttons below it.
#[derive(Debug, Clone, PartialEq)]
pub struct TelegramPost {
    /// The text.
    pub text: String,
    /// `reply_markup`.
    pub markup: Value,
}

/// The message that shows the incident as it stands; the first in a chat, later edited. `button` says whether
/// presses come back.
pub fn telegram_root(message: &Message, button: bool) -> TelegramPost {
    let words = phrases(message.recipient.language);
    let mut shown = message.clone();
    shown.purpose = standing(message);
    let mut text = plain(&shown);
    if let Some(who) = actor(&message.incident) {
        text = with_second_line(&text, &words.by(who));
    }
    let wanted = match message.incident.status {
        Status::Open => true,
        Status::Acknowledged => shown.purpose.is_page(),
        Status::Closed => false,
    };
    let mut row = Vec::new();
    if wanted && button {
        let data = format!("{TELEGRAM_ACKNOWLEDGE}{}", message.incident.id);
        row.push(json!({ "text": words.acknowledge, "callback_data": data }));
    }
    if let Some(url) = link(&message.incident_url).filter(|url| is_reachable(url)) {
        row.push(json!({ "text": words.open, "url": url }));
    }
    let rows: Vec<_> = (!row.is_empty()).then_some(row).into_iter().collect();
    TelegramPost {
        text: cut(&text),
        markup: json!({ "inline_keyboard": rows }),
    }
}

/// What is news about an incident that the chat knows: an answer below its first message.
pub fn telegram_reply(message: &Message) -> String {
    let words = phrases(message.recipient.language);
    let mut lines = vec![super::head(message)];
    lines.extend(
        message
            .possible_repeat
            .then(|| format!("({})", words.possible_repeat)),
    );
    lines.extend(actor(&message.incident).map(|who| words.by(who)));
    lines.extend(message.remark().map(str::to_owned));
    let whom: Vec<_> = message
        .mentions
        .iter()
        .map(|who| who.name.as_str())
        .collect();
    if let Some(next) = next_step(message, words) {
        lines.push(match whom.is_empty() {
            true => format!("{}: {next}", words.next),
            false => format!("{}: {next}", whom.join(", ")),
        });
    }
    let url = link(&message.ack_url).filter(|_| message.purpose.is_page());
    lines.extend(url.map(|url| format!("{}: {url}", words.acknowledge)));
    cut(&lines.join("\n"))
}

/// Telegram refuses a whole message for a button whose address is not one of the web.
fn is_reachable(url: &str) -> bool {
    let host = url.strip_prefix("https://").unwrap_or_default();
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
}

fn with_second_line(text: &str, line: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) => format!("{first}\n{line}\n{rest}"),
        None => format!("{text}\n{line}"),
    }
}

/// At most so much as Telegram takes, never in the middle of a character, without what it refuses.
fn cut(text: &str) -> String {
    let mut left = TELEGRAM_CHARS - 1;
    let mut out = String::new();
    for c in text.chars().filter(|c| *c == '\n' || !c.is_control()) {
        let Some(rest) = left.checked_sub(c.len_utf16()) else {
            out.push('…');
            break;
        };
        left = rest;
        out.push(c);
    }
    out
}
