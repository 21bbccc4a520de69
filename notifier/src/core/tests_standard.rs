//! Events in the words of the standard integration, and templates that make them.

use super::bounded::{BoundedTemplate, TEMPLATE_BYTES, TemplateError};
use super::{Mapping, MappingError, Report, Says, StandardEvent, instant};
use model::{Priority, Timestamp};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn report(fields: &Value) -> Result<Report, String> {
    let mut event = json!({"summary": "disk is full", "event_id": "e-1"});
    for (name, value) in fields.as_object().expect("an object") {
        event[name] = value.clone();
    }
    let event: StandardEvent = serde_json::from_value(event).map_err(|error| error.to_string())?;
    event.report("desk", NOW, "fresh-1")
}

#[test]
fn an_event_opens_is_taken_and_ends_by_its_id() {
    let says = |fields: Value| report(&fields).map(|report| (report.key, report.says));
    let by_id = |says| Ok(("e-1".to_owned(), says));
    assert_eq!(says(json!({})), by_id(Says::Firing(None)));
    assert_eq!(says(json!({"status": "open"})), by_id(Says::Firing(None)));
    assert_eq!(says(json!({"status": "close"})), by_id(Says::Resolved));
    let Ok((_, Says::Acknowledged(actor))) = says(json!({"status": "ack"})) else {
        panic!("an acknowledgement");
    };
    assert_eq!(
        (actor.name.as_str(), actor.contact),
        ("desk integration", None)
    );
    // Without an id of its own it is one by itself, which nothing can take or end.
    for id in [Value::Null, json!("")] {
        assert_eq!(
            says(json!({"event_id": id})),
            Ok(("fresh-1".to_owned(), Says::Firing(None)))
        );
        for status in ["ack", "close"] {
            let wrong = format!("`event_id` is required to {status}");
            assert_eq!(says(json!({"event_id": id, "status": status})), Err(wrong));
        }
    }
    let long = "가".repeat(255);
    assert_eq!(
        report(&json!({"event_id": long})).map(|report| report.key),
        Ok(long.clone())
    );
    let longer = report(&json!({"event_id": format!("{long}x")}));
    assert_eq!(
        longer.map(|report| report.key),
        Err("`event_id` has up to 255 characters".to_owned())
    );
}

#[test]
fn urgency_time_and_details_are_read_and_what_is_not_of_them_is_refused() {
    for (urgency, priority) in [
        ("highest", Priority::P1),
        ("high", Priority::P1),
        ("medium", Priority::P2),
        ("low", Priority::P3),
        ("lowest", Priority::P3),
        ("none", Priority::P3),
    ] {
        assert_eq!(
            report(&json!({"urgency": urgency})).map(|report| report.priority),
            Ok(priority),
            "{urgency}"
        );
    }
    assert_eq!(
        report(&json!({})).map(|report| (report.priority, report.starts_at)),
        Ok((Priority::P1, NOW))
    );
    let at =
        report(&json!({"event_time": "2026-11-21T18:00:00+09:00"})).map(|report| report.starts_at);
    assert_eq!(at, Ok(Timestamp::from_millis(1_795_251_600_000)));
    assert_eq!(
        instant("2026-11-21T09:00:00.5Z"),
        Ok(Timestamp::from_millis(1_795_251_600_500))
    );
    for (fields, wrong) in [
        (
            json!({"urgency": "huge"}),
            "`urgency` is highest, high, medium, low, lowest or none",
        ),
        (json!({"status": "gone"}), "`status` is open, ack or close"),
        (json!({"summary": " "}), "`summary` is required"),
        (
            json!({"event_time": "soon"}),
            "`soon` is no RFC 3339 time, such as 2026-11-21T18:00:00+09:00",
        ),
        (
            json!({"event_time": "9999-01-01T00:00:00Z"}),
            "`9999-01-01T00:00:00Z` is out of reach",
        ),
    ] {
        assert_eq!(report(&fields), Err(wrong.to_owned()), "{fields}");
    }
    let metric = json!({"metric_name": "disk", "metric_value": "98", "threshold": "90", "resource_name": ""});
    let labels = "metric_name=disk, metric_value=98, threshold=90";
    let why = |details: Value, fields: &Value| {
        let mut fields = fields.clone();
        fields["custom_details"] = details;
        report(&fields).map(|report| report.facts.why)
    };
    assert_eq!(why(Value::Null, &metric), Ok(labels.to_owned()));
    assert_eq!(why(Value::Null, &json!({})), Ok("disk is full".to_owned()));
    assert_eq!(why(json!("as told"), &metric), Ok("as told".to_owned()));
    assert_eq!(why(json!({"a": 1}), &metric), Ok("{\"a\":1}".to_owned()));
    let kept = report(&metric).map(|report| super::listed(&report.facts.labels));
    assert_eq!(
        kept,
        Ok(labels.to_owned()),
        "a field without a text is no label"
    );
}

#[test]
fn a_mapping_makes_a_hundred_events_at_most() {
    let events = |count: usize| {
        let source = format!("[{}]", vec!["{\"summary\": \"x\"}"; count].join(","));
        let mapping = Mapping::parse(&source).expect("it reads");
        mapping
            .reports(&Value::Null, NOW, "f")
            .map(|reports| reports.len())
    };
    assert_eq!(events(100), Ok(100));
    assert_eq!(events(101), Err(MappingError::Many(101)));
}

#[test]
fn a_template_and_what_comes_out_of_it_are_bounded_to_the_byte() {
    let read = |bytes: usize| BoundedTemplate::parse("test", &"x".repeat(bytes)).map(|_| ());
    assert_eq!(read(32 << 10), Ok(()));
    assert_eq!(read((32 << 10) + 1), Err(TemplateError::Long));
    let template = BoundedTemplate::parse("test", "{{ a }}{{ b }}").expect("it reads");
    let made = |a: usize, b: usize| {
        let text = template.render(json!({"a": "x".repeat(a), "b": "y".repeat(b)}));
        text.map(|text| text.len())
    };
    assert_eq!(TEMPLATE_BYTES, 64 << 10);
    assert_eq!(
        made(TEMPLATE_BYTES / 2, TEMPLATE_BYTES / 2),
        Ok(TEMPLATE_BYTES)
    );
    assert_eq!(
        made(TEMPLATE_BYTES / 2, TEMPLATE_BYTES / 2 + 1),
        Err(TemplateError::Large)
    );
    assert_eq!(made(TEMPLATE_BYTES + 1, 0), Err(TemplateError::Large));
}
