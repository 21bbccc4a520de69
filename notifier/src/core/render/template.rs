//! Messages by a template of one's own.

use super::{clock, head, korea, phrases, place, plain, reading};
use crate::core::bounded::{BoundedTemplate, TemplateError};
use crate::core::message::Message;
use serde_json::{Value, json};

/// A template that was read.
#[derive(Debug, Clone)]
pub struct MessageTemplate(BoundedTemplate);

impl MessageTemplate {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        BoundedTemplate::parse("message", source).map(Self)
    }

    /// The text of a message.
    pub fn render(&self, message: &Message) -> Result<String, TemplateError> {
        self.0.render(values(message))
    }
}

/// What a template may say, and what a webhook without one sends.
pub fn values(message: &Message) -> Value {
    let (incident, words) = (&message.incident, phrases(message.recipient.language));
    let tags: serde_json::Map<_, _> = incident
        .group
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    json!({
        "delivery": message.delivery.to_string(),
        "purpose": message.purpose.as_str(),
        "page": message.purpose.is_page(),
        "possible_repeat": message.possible_repeat,
        "note": message.note,
        "head": head(message),
        "text": plain(message),
        "place": place(incident),
        "reading": reading(incident, words),
        "since": clock(incident.started_at, &korea()),
        "incident": {
            "id": incident.id.to_string(),
            "tenant": incident.tenant.to_string(),
            "template": incident.template,
            "priority": incident.priority.as_str(),
            "status": incident.status.as_str(),
            "firing": incident.firing,
            "title": incident.title,
            "title_ko": incident.title_ko,
            "why": incident.why,
            "tags": tags,
            "env": incident.env,
            "value": incident.value,
            "threshold": incident.threshold,
            "unit": incident.unit,
            "runbook": incident.runbook,
            "started_at_ms": incident.started_at.as_millis(),
            "url": message.incident_url,
            "acknowledge_url": message.purpose.is_page().then_some(&message.ack_url),
        },
    })
}
