//! Messages as an Adaptive Card of Microsoft Teams.
//!
//! The envelope is that of "Create incoming webhooks with Workflows": a message with one attachment; the
//! card is of version 1.4. A message has at most 28 KB, so each part is bounded.

use super::{clock, korea, link, next_step, phrases, place, reading, shortened};
use crate::core::message::Message;
use serde_json::{Value, json};

/// The message as a card in its envelope.
pub fn card(message: &Message) -> Value {
    let (incident, words) = (&message.incident, phrases(message.recipient.language));
    let title = message.title();
    let head = format!(
        "[{} {}] {title}",
        incident.priority,
        words.purpose(message.purpose)
    );
    let mut body = vec![json!({
        "type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": true, "text": plain_text(&head, 300),
    })];
    let mut say = |text: &str| {
        body.push(json!({ "type": "TextBlock", "wrap": true, "text": plain_text(text, 1_000) }));
    };
    if message.possible_repeat {
        say(words.possible_repeat);
    }
    if let Some(note) = message.remark() {
        say(note);
    }
    let mut facts = vec![(words.place, place(incident))];
    facts.extend(reading(incident, words).map(|reading| (words.value, reading)));
    facts.push((words.since, clock(incident.started_at, &korea())));
    facts.push((words.why, incident.why.clone()));
    facts.extend(next_step(message, words).map(|next| (words.next, next.to_owned())));
    let facts: Vec<_> = facts
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": plain_text(&value, 500) }))
        .collect();
    body.push(json!({ "type": "FactSet", "facts": facts }));
    let page = message.purpose.is_page();
    let buttons = [
        (
            words.acknowledge,
            Some(message.ack_url.as_str()).filter(|_| page),
        ),
        (words.open, Some(message.incident_url.as_str())),
        (words.runbook, incident.runbook.as_deref().filter(|_| page)),
    ];
    let actions: Vec<_> = buttons
        .into_iter()
        .filter_map(|(title, url)| Some((title, link(url?)?)))
        .map(|(title, url)| json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions,
            },
        }],
    })
}

/// Text in which nothing is Markdown: no link, mention or list comes out of a tag.
fn plain_text(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for c in shortened(text, limit).chars() {
        match c {
            '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
