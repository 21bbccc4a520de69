//! Messages by a template of one's own, in minijinja: bounded steps and bounded size; nothing of the
//! machine is in reach, for no loader, file, environment or network is given to it.

use super::{clock, head, korea, phrases, place, plain, reading};
use crate::core::message::Message;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};
use std::io;

/// The longest text that comes out, in bytes.
pub const TEMPLATE_BYTES: usize = 64 << 10;
/// Steps of the template's machine; far below 50 ms of them.
const FUEL: u64 = 20_000;
/// The longest template, in bytes.
const SOURCE_BYTES: usize = 32 << 10;

/// A template that was read.
#[derive(Debug, Clone)]
pub struct MessageTemplate {
    environment: Environment<'static>,
}

/// What is wrong with a template, or with what came out of it.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is too long to be one.
    #[error("a template has at most 32 KiB")]
    Long,
    /// It cannot be read, or not be followed.
    #[error("{0}")]
    Template(String),
    /// More came out than may.
    #[error("more than 64 KiB come out")]
    Large,
    /// It takes too many steps.
    #[error("it takes more than {FUEL} steps")]
    Slow,
}

impl MessageTemplate {
    /// Reads a template and tries it.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_BYTES {
            return Err(TemplateError::Long);
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        // JSON is made by the filter `tojson`; nothing else is escaped.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // With these, few steps make a large text.
        for function in ["range", "namespace", "debug"] {
            environment.remove_global(function);
        }
        environment
            .add_template_owned("message", source.to_owned())
            .map_err(|error| told(&error))?;
        Ok(Self { environment })
    }

    /// The text of a message.
    pub fn render(&self, message: &Message) -> Result<String, TemplateError> {
        let template = self
            .environment
            .get_template("message")
            .map_err(|error| told(&error))?;
        let mut out = Bounded(Vec::new());
        match template.render_captured_to(values(message), &mut out) {
            Ok(_) => String::from_utf8(out.0).map_err(|_| TemplateError::Large),
            Err(_) if out.0.len() >= TEMPLATE_BYTES => Err(TemplateError::Large),
            Err(error) => Err(told(&error)),
        }
    }
}

fn told(error: &minijinja::Error) -> TemplateError {
    match error.kind() {
        minijinja::ErrorKind::OutOfFuel => TemplateError::Slow,
        _ => TemplateError::Template(error.to_string()),
    }
}

/// A buffer that takes no more than fits.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEMPLATE_BYTES {
            // What is full stays full.
            self.0.resize(TEMPLATE_BYTES, b' ');
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
