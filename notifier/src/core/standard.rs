//! An event in the words of the standard integration: what it must say, and the report that it is.

use super::external::{Facts, Report, Says};
use super::words::Actor;
use model::{Priority, Timestamp};
use serde::Deserialize;
use serde_json::Value;

const SUMMARY: usize = 1_024;
const EVENT_ID: usize = 255;
const FIELD: usize = 1_024;
const DETAILS: usize = 2_000;

/// An event; what is not used is read over. Times are RFC 3339.
#[derive(Debug, Clone, Deserialize)]
pub struct StandardEvent {
    summary: String,
    event_id: Option<String>,
    status: Option<String>,
    urgency: Option<String>,
    event_time: Option<String>,
    metric_name: Option<String>,
    threshold: Option<String>,
    metric_value: Option<String>,
    resource_name: Option<String>,
    event_type: Option<String>,
    #[serde(default)]
    custom_details: Value,
}

impl StandardEvent {
    /// The report that it is, or what is wrong with it. `fresh` is the identity of one that has none of its own, and
    /// `name` what stands where a template's name stands.
    pub fn report(self, name: &str, now: Timestamp, fresh: &str) -> Result<Report, String> {
        let title: String = self.summary.chars().take(SUMMARY).collect();
        if title.trim().is_empty() {
            return Err("`summary` is required".to_owned());
        }
        let status = self.status.as_deref().unwrap_or("open");
        let says = match status {
            "open" => Says::Firing(None),
            "ack" => Says::Acknowledged(Actor {
                name: format!("{name} integration"),
                contact: None,
            }),
            "close" => Says::Resolved,
            _ => return Err("`status` is open, ack or close".to_owned()),
        };
        let given = self.event_id.as_deref().filter(|id| !id.is_empty());
        let key = match given {
            Some(id) if id.chars().count() > EVENT_ID => {
                return Err(format!("`event_id` has up to {EVENT_ID} characters"));
            }
            Some(id) => id.to_owned(),
            None if status == "open" => fresh.to_owned(),
            None => return Err(format!("`event_id` is required to {status}")),
        };
        let priority = match self.urgency.as_deref().unwrap_or("high") {
            "highest" | "high" => Priority::P1,
            "medium" => Priority::P2,
            "low" | "lowest" | "none" => Priority::P3,
            _ => return Err("`urgency` is highest, high, medium, low, lowest or none".to_owned()),
        };
        let starts_at = self.event_time.as_deref().map(instant).transpose()?;
        let labels = self.labels();
        let why = match &self.custom_details {
            Value::Null if labels.is_empty() => title.clone(),
            Value::Null => listed(&labels),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(Report {
            key,
            says,
            starts_at: starts_at.unwrap_or(now),
            priority,
            reopens: true,
            facts: Facts {
                name: name.to_owned(),
                labels,
                annotations: Vec::new(),
                title,
                why: why.chars().take(DETAILS).collect(),
                runbook: None,
                generator: String::new(),
            },
        })
    }

    fn labels(&self) -> Vec<(String, String)> {
        let labels = [
            ("event_type", &self.event_type),
            ("metric_name", &self.metric_name),
            ("metric_value", &self.metric_value),
            ("resource_name", &self.resource_name),
            ("threshold", &self.threshold),
        ];
        labels
            .into_iter()
            .filter_map(|(name, value)| {
                let value: String = value.as_deref()?.chars().take(FIELD).collect();
                (!value.is_empty()).then(|| (name.to_owned(), value))
            })
            .collect()
    }
}

/// `name=value, ...`
pub fn listed(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// A time in RFC 3339, or what is wrong with it.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("`{text}` is no RFC 3339 time, such as 2026-11-21T18:00:00+09:00"))?;
    i64::try_from(at.as_nanosecond())
        .map(Timestamp::from_nanos)
        .map_err(|_| format!("`{text}` is out of reach"))
}
