//! Chat messages as Slack's Block Kit: a header, fields, context, and buttons.
//!
//! Limits are those of Slack's reference: 150 characters in a header, 3,000 in a section's text,
//! 2,000 and ten in its fields, 75 on a button; control sequences are `<...>`, so that `&`, `<` and
//! `>` in data are escaped.

use super::{Phrases, link, next_step, phrases, place, quantity, reading, shortened, standing};
use crate::core::message::{IncidentSummary, Message, Purpose, Recipient};
use crate::core::words::Status;
use model::Timestamp;
use serde_json::{Value, json};

/// `action_id` of the button that acknowledges; its value is the incident's id.
pub const ACKNOWLEDGE_ACTION: &str = "acknowledge";

/// A message of a room: what notifications show, and the blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatPost {
    /// In one line.
    pub text: String,
    /// The blocks.
    pub blocks: Value,
}

/// The message that shows the incident as it stands; the first in a room, later updated.
pub fn root(message: &Message) -> ChatPost {
    let words = phrases(message.recipient.language);
    let now = standing(message);
    let mut blocks = vec![
        header(&format!("{} {}", head(message, now, words), title(message))),
        json!({ "type": "section", "fields": fields(message, words) }),
    ];
    if now.is_page() {
        blocks.extend(call(message, words));
    }
    blocks.push(context(message, words));
    blocks.extend(buttons(message, words));
    ChatPost {
        text: line(message, now, words),
        blocks: Value::Array(blocks),
    }
}

/// What is news about an incident that the room knows: an answer below its first message.
pub fn reply(message: &Message) -> ChatPost {
    let words = phrases(message.recipient.language);
    let mut text = line(message, message.purpose, words);
    if let Some(note) = message.remark() {
        text.push_str(&format!("\n> {}", escaped(&note.replace('\n', " "), 1_000)));
    }
    let mut blocks = vec![section(&text)];
    blocks.extend(call(message, words));
    ChatPost {
        text,
        blocks: Value::Array(blocks),
    }
}

/// `[P1] FIRING`, and whether it may be a repeat.
fn head(message: &Message, purpose: Purpose, words: &Phrases) -> String {
    let head = format!("[{}] {}", message.incident.priority, words.purpose(purpose));
    match message.possible_repeat {
        true => format!("{head} ({})", words.possible_repeat),
        false => head,
    }
}

fn title(message: &Message) -> &str {
    message.title()
}

/// The whole message in one line.
fn line(message: &Message, purpose: Purpose, words: &Phrases) -> String {
    let incident = &message.incident;
    let mut line = format!(
        "*{}* {} · {}",
        escaped(&head(message, purpose, words), 120),
        escaped(title(message), 200),
        escaped(&place(incident), 200)
    );
    if let (Some(reading), true) = (reading(incident, words), incident.firing) {
        line.push_str(&format!(" · {}", escaped(&reading, 100)));
    }
    if let Some(who) = actor(incident) {
        line.push_str(&format!(" · {}", escaped(&words.by(who), 100)));
    }
    line
}

/// Who has it, or who closed it.
pub(super) fn actor(incident: &IncidentSummary) -> Option<&str> {
    match incident.status {
        Status::Open => None,
        Status::Acknowledged => incident
            .acknowledged
            .as_ref()
            .map(|(who, _)| who.name.as_str()),
        Status::Closed => incident
            .closed
            .as_ref()
            .and_then(|(who, _)| who.as_ref())
            .map(|who| who.name.as_str()),
    }
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": plain(text, 150) })
}

fn section(mrkdwn: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": mrkdwn, "verbatim": true } })
}

fn fields(message: &Message, words: &Phrases) -> Vec<Value> {
    let incident = &message.incident;
    let value = match (incident.value, incident.threshold) {
        (Some(value), Some(threshold)) => Some(format!(
            "*{}* ({} {})",
            escaped(&quantity(value, &incident.unit), 60),
            words.threshold,
            escaped(&quantity(threshold, &incident.unit), 60)
        )),
        (Some(value), None) => Some(format!(
            "*{}*",
            escaped(&quantity(value, &incident.unit), 60)
        )),
        (None, _) => None,
    };
    let rows = [
        (words.place, Some(escaped(&place(incident), 600))),
        (words.value, value),
        (words.since, Some(moment(incident.started_at))),
        (words.what, Some(escaped(&incident.template, 100))),
    ];
    rows.into_iter()
        .filter_map(|(label, text)| Some((label, text?)))
        .map(|(label, text)| {
            json!({ "type": "mrkdwn", "text": format!("*{label}*\n{text}"), "verbatim": true })
        })
        .collect()
}

/// Who is to act, by mention where the room knows them.
fn call(message: &Message, words: &Phrases) -> Option<Value> {
    let next = next_step(message, words)?;
    let whom: Vec<String> = message.mentions.iter().take(20).map(mention).collect();
    Some(match whom.is_empty() {
        true => section(&format!("*{}*: {next}", words.next)),
        false => section(&format!("{}: {next}", whom.join(", "))),
    })
}

/// A member by id, anybody else by name. Nothing that a catalogue or a tag holds can mention a
/// room.
fn mention(who: &Recipient) -> String {
    let id = &who.address;
    let member = id.len() <= 32
        && id.starts_with(['U', 'W'])
        && id
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if member {
        format!("<@{id}>")
    } else {
        escaped(&who.name, 80)
    }
}

fn context(message: &Message, words: &Phrases) -> Value {
    let why = format!("{}: {}", words.why, escaped(&message.incident.why, 1_000));
    let runbook = message.incident.runbook.as_deref().and_then(link);
    let text = match runbook.filter(|url| !url.contains(['<', '>', '|'])) {
        Some(url) => format!("{why} · <{}|{}>", url.replace('&', "&amp;"), words.runbook),
        None => why,
    };
    json!({ "type": "context", "elements": [
        { "type": "mrkdwn", "text": text, "verbatim": true },
    ] })
}

/// Acknowledge while nobody has it (or its owner is asked), and a link to the console.
fn buttons(message: &Message, words: &Phrases) -> Option<Value> {
    let mut elements = Vec::new();
    let wanted = match message.incident.status {
        Status::Open => true,
        Status::Acknowledged => standing(message).is_page(),
        Status::Closed => false,
    };
    if wanted {
        elements.push(json!({
            "type": "button", "action_id": ACKNOWLEDGE_ACTION, "style": "primary",
            "text": plain(words.acknowledge, 75), "value": message.incident.id.to_string(),
        }));
    }
    if let Some(url) = link(&message.incident_url) {
        elements.push(json!({
            "type": "button", "action_id": "open", "text": plain(words.open, 75), "url": url,
        }));
    }
    (!elements.is_empty()).then(|| json!({ "type": "actions", "elements": elements }))
}

/// Text without formatting. Control sequences are not read there; they are broken up all the same.
fn plain(text: &str, limit: usize) -> Value {
    let text = shortened(&text.replace('\n', " ").replace('<', "<\u{2060}"), limit);
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Data within formatted text: at most `limit` characters once escaped, and no escape is cut in
/// two.
fn escaped(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let mut utf8 = [0; 4];
        let shown = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => c.encode_utf8(&mut utf8),
        };
        used += shown.chars().count();
        if used > limit {
            // The ellipsis takes the place of what stood last.
            let end = out
                .rfind('&')
                .filter(|at| out[*at..].ends_with(';'))
                .unwrap_or_else(|| out.char_indices().next_back().map_or(0, |(at, _)| at));
            out.truncate(end);
            out.push('…');
            break;
        }
        out.push_str(shown);
    }
    out
}

/// A time that Slack shows on the reader's own clock.
fn moment(at: Timestamp) -> String {
    let seconds = at.as_millis().div_euclid(1_000);
    let fallback = jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |at| at.to_string());
    format!("<!date^{seconds}^{{date_short_pretty}} {{time}}|{fallback}>")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_is_escaped_is_counted_as_it_is_sent_and_no_escape_is_cut_in_two() {
        for (text, limit, shown) in [
            ("a&b", 100, "a&amp;b"),
            ("<a>", 100, "&lt;a&gt;"),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("&&", 10, "&amp;&amp;"),
            ("&&", 9, "…"),
            ("ab<", 4, "a…"),
            ("a<b", 4, "…"),
            ("a<bc", 6, "a&lt;…"),
        ] {
            assert_eq!(escaped(text, limit), shown, "{text} {limit}");
        }
    }
}
