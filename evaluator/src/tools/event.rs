//! An event as a JSON object, the form of `bongsu template replay -o jsonl`.

use crate::core::rfc3339;
use model::{AlertEvent, Priority};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// The event as one line of JSON, without its newline.
pub fn event_json(event: &AlertEvent) -> String {
    let form = Form {
        at: rfc3339(event.at),
        template: &event.template,
        group: Group(&event.group),
        kind: event.kind.as_str(),
        priority: event.priority.map(Priority::as_str),
        value: event.value,
        threshold: event.threshold,
        incident: event.incident_id.to_string(),
        event: event.event_id.to_string(),
        why: &event.why,
    };
    // Texts, numbers and a map with text keys always become JSON.
    serde_json::to_string(&form).unwrap_or_default()
}

#[derive(Serialize)]
struct Form<'a> {
    at: String,
    template: &'a str,
    group: Group<'a>,
    kind: &'static str,
    priority: Option<&'static str>,
    value: Option<f64>,
    threshold: Option<f64>,
    incident: String,
    event: String,
    why: &'a str,
}

struct Group<'a>(&'a [(String, String)]);

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
