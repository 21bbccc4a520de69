//! Incidents as other alerting systems take them: PagerDuty's Events API v2 and Opsgenie's Alert API.
//!
//! The incident's id is the alert's key there, so that what is sent twice is one alert. Limits are those of "Send an
//! event" (PagerDuty: 1,024 characters of a summary, 512 kB of an event) and of "Create Alert" (Opsgenie: 130
//! characters of a message, 512 of alias and entity, 15,000 of a description, 20 tags of 50, 25,000 of a note).

use super::chat::actor;
use super::{head, link, phrases, place, plain, reading, shortened};
use crate::core::message::{IncidentSummary, Message, Purpose};
use crate::core::words::Status;
use model::{Priority, Timestamp};
use serde_json::{Map, Value, json};

/// Characters of one tag's value.
const TAG: usize = 500;

/// What a request to Opsgenie is.
#[derive(Debug, Clone, PartialEq)]
pub struct OpsgenieCall {
    /// Whether it puts (`PUT`) rather than posts.
    pub put: bool,
    /// The path below `/v2/alerts`, with its query.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// The event without its `routing_key`; none when PagerDuty has no word for it.
pub fn pagerduty_event(message: &Message) -> Option<Value> {
    let incident = &message.incident;
    let closed = incident.status == Status::Closed;
    let action = match message.purpose {
        Purpose::Acknowledged => "acknowledge",
        Purpose::Closed | Purpose::Resolved | Purpose::Expired => "resolve",
        // It would open the alert again.
        Purpose::Comment | Purpose::Digest if closed => return None,
        _ => "trigger",
    };
    let mut event = json!({ "event_action": action, "dedup_key": incident.id.to_string() });
    if action != "trigger" {
        return Some(event);
    }
    let severity = match incident.priority {
        Priority::P1 => "critical",
        Priority::P2 => "error",
        Priority::P3 => "info",
    };
    event["payload"] = json!({
        "summary": shortened(&head(message), 1_024),
        "source": shortened(source(incident), 1_024),
        "severity": severity,
        "timestamp": instant(incident.started_at),
        "component": shortened(&incident.template, 1_024),
        "group": incident.tenant.to_string(),
        "custom_details": details(message),
    });
    event["client"] = json!("Bongsu");
    if let Some(url) = link(&message.incident_url) {
        event["client_url"] = json!(url);
    }
    if let Some(url) = incident.runbook.as_deref().and_then(link) {
        let words = phrases(message.recipient.language);
        event["links"] = json!([{ "href": url, "text": words.runbook }]);
    }
    Some(event)
}

/// The requests to Opsgenie, in their order.
pub fn opsgenie_calls(message: &Message) -> Vec<OpsgenieCall> {
    let incident = &message.incident;
    let call = |put, what: &str, body: Value| OpsgenieCall {
        put,
        path: format!("/{}/{what}?identifierType=alias", incident.id),
        body,
    };
    let mut said = json!({ "source": "Bongsu" });
    if let Some(who) = actor(incident) {
        said["user"] = json!(shortened(who, 100));
    }
    let note = message.remark().unwrap_or_default();
    if !note.is_empty() {
        said["note"] = json!(shortened(note, 25_000));
    }
    match message.purpose {
        Purpose::Acknowledged => vec![call(false, "acknowledge", said)],
        Purpose::Closed | Purpose::Resolved | Purpose::Expired => vec![call(false, "close", said)],
        Purpose::Comment | Purpose::Digest => {
            said["note"] = json!(shortened(&format!("{} {note}", head(message)), 25_000));
            vec![call(false, "notes", said)]
        }
        purpose => {
            let mut calls = vec![create(message)];
            // The same alias again leaves the priority as it was.
            if purpose == Purpose::Raised {
                let body = json!({ "priority": incident.priority.as_str() });
                calls.push(call(true, "priority", body));
            }
            calls
        }
    }
}

fn create(message: &Message) -> OpsgenieCall {
    let incident = &message.incident;
    let tags = [
        Some(incident.tenant.to_string()),
        Some(incident.template.clone()),
        incident.env.clone(),
    ];
    let tags: Vec<_> = tags
        .into_iter()
        .flatten()
        .map(|tag| shortened(&tag.replace(',', " "), 50))
        .filter(|tag| !tag.trim().is_empty())
        .collect();
    let mut details: Map<String, Value> = details(message);
    // 8,000 characters in all.
    let mut room = 7_000_usize;
    details.retain(|key, value| {
        let length = key.chars().count() + value.as_str().map_or(0, |text| text.chars().count());
        let fits = length <= room;
        room -= if fits { length } else { 0 };
        fits
    });
    OpsgenieCall {
        put: false,
        path: String::new(),
        body: json!({
            "message": shortened(&head(message), 130),
            "alias": incident.id.to_string(),
            "description": shortened(&plain(message), 15_000),
            "entity": shortened(source(incident), 512),
            "source": "Bongsu",
            "tags": tags,
            "details": details,
            "priority": incident.priority.as_str(),
        }),
    }
}

/// What it is about: the host, else the tenant.
fn source(incident: &IncidentSummary) -> &str {
    match incident.host() {
        "" => incident.tenant.as_str(),
        host => host,
    }
}

/// Name and value of what both show beside: all values are texts.
fn details(message: &Message) -> Map<String, Value> {
    let incident = &message.incident;
    let words = phrases(message.recipient.language);
    let mut details = Map::new();
    let mut say = |name: &str, text: String| {
        if !text.trim().is_empty() {
            details.insert(name.to_owned(), json!(shortened(&text, 2_000)));
        }
    };
    say("tenant", incident.tenant.to_string());
    say("template", incident.template.clone());
    say("priority", incident.priority.as_str().to_owned());
    say("where", place(incident));
    say("why", incident.why.clone());
    say("value", reading(incident, words).unwrap_or_default());
    say(
        "note",
        message.remark().map(str::to_owned).unwrap_or_default(),
    );
    say(
        "incident",
        link(&message.incident_url).unwrap_or_default().to_owned(),
    );
    if message.possible_repeat {
        say("possible repeat", "yes".to_owned());
    }
    for (key, value) in &incident.group {
        say(
            &format!("tag {}", shortened(key, 100)),
            shortened(value, TAG),
        );
    }
    details
}

/// `2026-11-21T05:00:00Z`.
fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map(|at| at.to_string())
        .unwrap_or_default()
}
