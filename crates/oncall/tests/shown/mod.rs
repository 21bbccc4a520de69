//! What an import made, a line each, so that a table can say what is expected.

use oncall::import::{Origin, import};
use schemas::catalogue::{Ends, Entry, EscalationPolicy, Hours, Layer, Schedule};
use serde_json::Value;

/// Layers, overrides and policies of an import, and what it tells; contacts by those of their fields that an import fills.
pub(crate) fn shown(origin: Origin, export: &Value) -> Vec<String> {
    let imported = import(origin, &export.to_string()).expect("an import");
    let mut lines = Vec::new();
    for entry in &imported.entries {
        match entry {
            Entry::Contact(one) => {
                let fields = [&one.slack, &one.phone, &one.email];
                let fields: Vec<&str> = fields.into_iter().flatten().map(String::as_str).collect();
                lines.push(format!("contact {}: {}", one.contact, fields.join(" ")));
            }
            Entry::Team(one) => {
                lines.push(format!("team {}: {}", one.team, one.members.join("+")));
            }
            Entry::Schedule(one) => lines.extend(schedule(one)),
            Entry::EscalationPolicy(one) => lines.push(policy(one)),
            other => panic!("an import makes no {:?}", other.kind()),
        }
    }
    lines.extend(imported.notes.iter().map(|note| {
        let word = if note.lost { "lost" } else { "other" };
        format!("{word} {}: {}", note.what, note.why)
    }));
    lines
}

fn schedule(one: &Schedule) -> Vec<String> {
    let mut lines: Vec<String> = one.layers.iter().map(layer).collect();
    lines.extend(one.overrides.iter().map(|each| {
        let people = each.notify.join("+");
        format!("override {people} from {} to {}", each.from, each.to)
    }));
    lines
}

/// `Weeks: 2 weeks from 2026-09-07T09:00:00, kim|lee+park|-, Mon,Tue 09:00-17:00`.
fn layer(one: &Layer) -> String {
    let turns = one.people.iter().map(|turn| match turn.0.as_slice() {
        [] => "-".to_owned(),
        people => people.join("+"),
    });
    let turns: Vec<String> = turns.collect();
    let until = one.until.map(|until| format!(" until {until}"));
    let hours: Vec<String> = one.hours.iter().map(hours).collect();
    format!(
        "{}: {} from {}{}, {}, {}",
        one.layer,
        one.every,
        one.from,
        until.unwrap_or_default(),
        turns.join("|"),
        hours.join("; ")
    )
}

fn hours(one: &Hours) -> String {
    let days: Vec<String> = one.days.iter().map(|day| format!("{day:?}")).collect();
    let clock = |time: jiff::civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
    format!("{} {}-{}", days.join(","), clock(one.from), clock(one.to))
}

/// `policy ops: 0 kim, 5m schedule:noc; 2 times`.
fn policy(one: &EscalationPolicy) -> String {
    let steps = one.steps.iter().map(|step| {
        let told: Vec<String> = step.notify.iter().map(ToString::to_string).collect();
        let after = step.after.map(|after| after.to_string());
        format!("{} {}", after.unwrap_or_default(), told.join("+"))
    });
    let steps: Vec<String> = steps.collect();
    let ends = match one.ends {
        Ends::Acknowledged => "",
        Ends::Closed => " until closed",
    };
    format!(
        "policy {}: {}; {} times{ends}",
        one.escalation_policy,
        steps.join(", "),
        one.repeat
    )
}
