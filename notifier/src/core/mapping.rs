//! What a webhook of somebody else's form says, as a mapping of its integration reads it: a template that makes the
//! words of the standard integration of it.

use super::bounded::{BoundedTemplate, TemplateError};
use super::external::{Facts, Report, Says};
use super::standard::StandardEvent;
use model::{Priority, Span, Timestamp};
use serde_json::{Value, json};

/// Events of one request at most.
const EVENTS: usize = 100;
/// How long an incident about an unreadable request stays open unless another comes.
const UNREADABLE_FOR: Span = Span::from_secs(3_600);

/// A mapping that was read.
#[derive(Debug, Clone)]
pub struct Mapping(BoundedTemplate);

/// Why a request cannot be read by a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The template.
    #[error("the mapping: {0}")]
    Template(#[from] TemplateError),
    /// What it made is no JSON, or not the words of the standard integration.
    #[error("the mapping made no event: {0}")]
    NoEvent(String),
    /// One of its events lacks something.
    #[error("event {number} of the mapping: {why}")]
    Event {
        /// Which, from 1.
        number: usize,
        /// What it lacks.
        why: String,
    },
    /// More than are taken at once.
    #[error("the mapping made {0} events, of at most {EVENTS}")]
    Many(usize),
}

impl Mapping {
    /// Reads a mapping.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        BoundedTemplate::parse("mapping", source).map(Self)
    }

    /// The JSON that it makes of a request's body: an object, a list of them, or nothing.
    pub fn text(&self, body: &Value) -> Result<String, MappingError> {
        Ok(self.0.render(json!({ "body": body }))?)
    }

    /// The reports that a request's body is. `fresh` begins the identities of events without one.
    pub fn reports(
        &self,
        body: &Value,
        now: Timestamp,
        fresh: &str,
    ) -> Result<Vec<Report>, MappingError> {
        let text = self.text(body)?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let no_event = |error: serde_json::Error| MappingError::NoEvent(error.to_string());
        let made: Value = serde_json::from_str(&text).map_err(no_event)?;
        let events = match made {
            Value::Array(events) => events,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        if events.len() > EVENTS {
            return Err(MappingError::Many(events.len()));
        }
        let read = |(n, event): (usize, Value)| {
            let number = n + 1;
            let fresh = format!("{fresh}-{number}");
            serde_json::from_value::<StandardEvent>(event)
                .map_err(|error| error.to_string())
                .and_then(|event| event.report("webhook", now, &fresh))
                .map_err(|why| MappingError::Event { number, why })
        };
        events.into_iter().enumerate().map(read).collect()
    }
}

/// What is told of a request that could not be read: it may have been an alert.
pub fn unreadable(integration: &str, why: &str, now: Timestamp) -> Report {
    Report {
        key: "unreadable".to_owned(),
        says: Says::Firing(Some(now.plus(UNREADABLE_FOR))),
        starts_at: now,
        priority: Priority::P2,
        reopens: true,
        facts: Facts {
            name: "unreadable".to_owned(),
            labels: vec![("integration".to_owned(), integration.to_owned())],
            annotations: Vec::new(),
            title: format!("{integration}: what was sent cannot be read"),
            why: format!(
                "it may have been an alert, and opened no incident of its own: {why}. `bongsu integration preview` shows \
                 what a mapping makes of a request"
            ),
            runbook: None,
            generator: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_237_200_000);

    fn reports(source: &str, body: &Value) -> Result<Vec<Report>, MappingError> {
        Mapping::parse(source)?.reports(body, NOW, "fresh")
    }

    #[test]
    fn a_mapping_makes_one_event_a_list_or_nothing() {
        let one = r#"{"summary": {{ body.title | tojson }}, "event_id": {{ body.id | tojson }},
            "status": "{{ 'close' if body.state == 'ok' else 'open' }}", "urgency": "medium"}"#;
        let found = reports(
            one,
            &json!({"title": "disk \"full\"", "id": "d-1", "state": "bad"}),
        );
        let found = found.expect("a report");
        assert_eq!(found[0].facts.title, "disk \"full\"");
        assert_eq!(
            (found[0].key.as_str(), found[0].priority),
            ("d-1", Priority::P2)
        );
        let found =
            reports(one, &json!({"title": "x", "id": "d-1", "state": "ok"})).expect("a report");
        assert_eq!(found[0].says, Says::Resolved);
        let list = "[{% for a in body.alerts %}{\"summary\": {{ a | tojson }}}{{ ',' if not loop.last }}{% endfor %}]";
        let found = reports(list, &json!({"alerts": ["a", "b"]})).expect("reports");
        let keys: Vec<_> = found.iter().map(|report| report.key.as_str()).collect();
        assert_eq!(keys, ["fresh-1", "fresh-2"]);
        let quiet = "{% if body.state != 'ok' %}{\"summary\": \"x\"}{% endif %}";
        assert_eq!(reports(quiet, &json!({"state": "ok"})), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (source, told) in [
            ("{\n\"summary\": {{ body.title }", "mapping:2"),
            (
                "{\n\"summary\":\n{{ body.missing.deep | tojson }}}",
                "mapping:3",
            ),
            ("{\"summary\": {{ body.none | tojson }}}", "event 1"),
            ("{\"summary\": \n oops}", "line 2"),
            ("[{\"summary\": \"a\"}, {\"status\": \"open\"}]", "event 2"),
            (
                "{\"summary\": \"a\", \"status\": \"gone\"}",
                "`status` is open, ack or close",
            ),
            ("{\"summary\": \" \"}", "`summary` is required"),
            ("\"text\"", "event 1"),
        ] {
            let error = reports(source, &json!({"title": "x"})).expect_err(source);
            assert!(error.to_string().contains(told), "{source}: {error}");
        }
    }

    #[test]
    fn a_mapping_has_bounds() {
        let many = "{% for a in body %}{% for b in body %}{% for c in body %}x{% endfor %}{% endfor %}{% endfor %}";
        let body = json!(vec![1; 1_000]);
        assert_eq!(
            reports(many, &body),
            Err(MappingError::Template(TemplateError::Slow))
        );
        let large = "{% for a in body %}{{ 'x' * 1000 }}{% endfor %}";
        assert_eq!(
            reports(large, &body),
            Err(MappingError::Template(TemplateError::Large))
        );
        assert!(reports("{{ range(10) }}", &body).is_err(), "no range");
        assert!(
            reports("{% include '/etc/passwd' %}", &body).is_err(),
            "no files"
        );
        assert_eq!(
            Mapping::parse(&" ".repeat(40_000)).err(),
            Some(TemplateError::Long)
        );
        let list = format!(
            "[{}{{\"summary\": \"x\"}}]",
            "{\"summary\": \"x\"},".repeat(100)
        );
        assert_eq!(reports(&list, &body), Err(MappingError::Many(101)));
    }

    #[test]
    fn text_of_a_request_is_never_a_template() {
        let source = "{\"summary\": {{ body.t | tojson }}}";
        let found =
            reports(source, &json!({"t": "{{ 7*7 }}\", \"status\": \"close"})).expect("a report");
        assert_eq!(found[0].facts.title, "{{ 7*7 }}\", \"status\": \"close");
        assert_eq!(found[0].says, Says::Firing(None));
    }
}
