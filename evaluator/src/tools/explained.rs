//! The state of a group as text and as JSON.

use crate::core::{Explained, rfc3339};
use serde_json::{Value, json};

/// Lines for people.
pub fn explained_text(now: &Explained) -> String {
    let group: Vec<String> = now.group.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let mut text = format!("{} {{{}}}\n", now.template, group.join(","));
    let mut line = |key: &str, value: String| text.push_str(&format!("  {key:<12}{value}\n"));
    line(
        "incident",
        now.open
            .map_or("none is open".to_owned(), |(id, since, priority)| {
                format!("{priority}, since {}, {id}", rfc3339(since))
            }),
    );
    line("life", now.life.to_owned());
    let env = now.env.as_deref().unwrap_or("none");
    line("env", format!("{env}, shows {} at most", now.limit));
    line("newest", rfc3339(now.newest));
    line("judged", rfc3339(now.judged));
    line(
        "next",
        format!(
            "{}, closes at {}; the host's clock shows {}",
            rfc3339(now.next),
            rfc3339(now.closes),
            rfc3339(now.clock)
        ),
    );
    for window in &now.windows {
        line(
            "window",
            format!(
                "{} ({}): {}, {} samples",
                window.over, window.check, window.text, window.samples
            ),
        );
    }
    for rung in &now.rungs {
        let mut what = format!(
            "{} for {}, until {} for {}",
            rung.fires, rung.for_, rung.recovers, rung.recover_for
        );
        what.push_str(if rung.latched { "  LATCHED" } else { "" });
        line(rung.priority.as_str(), what);
    }
    for (field, name) in &now.overrides {
        line("override", format!("{field} is set by {name}"));
    }
    for wait in &now.waits_for {
        line("waits for", wait.clone());
    }
    text
}

/// The same as an object.
pub fn explained_json(now: &Explained) -> Value {
    let group: serde_json::Map<String, Value> = now
        .group
        .iter()
        .map(|(k, v)| (k.clone(), json!(v)))
        .collect();
    let windows: Vec<Value> = now
        .windows
        .iter()
        .map(|w| {
            json!({"check": w.check, "over": w.over, "after": w.after.map(rfc3339), "value": w.value,
                   "text": w.text, "samples": w.samples})
        })
        .collect();
    let span = |span: Option<model::Span>| span.map(|span| span.to_string());
    let rungs: Vec<Value> = now
        .rungs
        .iter()
        .map(|r| {
            json!({"priority": r.priority.as_str(), "window": r.window, "fires": r.fires, "recovers": r.recovers,
                   "for": r.for_.to_string(), "recover_for": r.recover_for.to_string(), "latched": r.latched,
                   "held": span(r.held), "recovering": span(r.recovering)})
        })
        .collect();
    let incident = now.open.map(|(id, since, priority)| {
        json!({"incident": id.to_string(), "since": rfc3339(since), "priority": priority.as_str()})
    });
    let overrides: serde_json::Map<String, Value> = now
        .overrides
        .iter()
        .map(|(k, v)| (k.clone(), json!(v)))
        .collect();
    json!({
        "template": now.template, "group": group, "incident": incident, "life": now.life, "env": now.env,
        "limit": now.limit.as_str(), "newest": rfc3339(now.newest), "judged": rfc3339(now.judged),
        "next": rfc3339(now.next), "closes": rfc3339(now.closes), "clock": rfc3339(now.clock),
        "windows": windows, "rungs": rungs, "overrides": overrides, "waits_for": now.waits_for,
    })
}
