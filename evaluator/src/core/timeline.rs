//! Events as lines for people.

use super::text::{quantity, rfc3339};
use model::{AlertEvent, Priority, Timestamp};

/// One line: when, what, at which priority, why.
pub fn describe(event: &AlertEvent) -> String {
    line(&rfc3339(event.at), event)
}

/// The same with the time since `start`: `+8m  firing P1  ...`.
pub(crate) fn describe_since(event: &AlertEvent, start: Timestamp) -> String {
    line(&format!("+{}", event.at.since(start)), event)
}

fn line(at: &str, event: &AlertEvent) -> String {
    let group: Vec<String> = event
        .group
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let value = event
        .value
        .map_or_else(|| "-".to_owned(), |value| quantity(value, &event.unit));
    format!(
        "{at}  {} {}  {}{{{}}}  {value}  {}",
        event.kind.as_str(),
        event.priority.map_or("-", Priority::as_str),
        event.template,
        group.join(","),
        event.why
    )
}
