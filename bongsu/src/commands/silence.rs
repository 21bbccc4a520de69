//! `bongsu silence`: make, preview, list and end silences and maintenance windows through the notifier's API.

use super::api::{Api, text, whole_id};
use super::settings;
use crate::cli::{AddSilence, Global, Output, Silence as Command};
use crate::failure::Outcome;
use crate::print::{self, Table};
use serde_json::{Value, json};

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    match command {
        Command::Add(asked) => add(global, &api, asked).await,
        Command::Preview { matchers, tenant } => {
            let body = json!({"matchers": matchers, "tenant": tenant});
            let answer = api.post("silences/preview", &body).await?;
            covered(global, &answer);
            Ok(())
        }
        Command::List { state, tenant } => {
            list(global, read(&api, &state, tenant.as_deref()).await?);
            Ok(())
        }
        Command::Expire { ids } => {
            let all = read(&api, "all", None).await?;
            for id in &ids {
                let id = whole_id("silence", &all, id)?;
                let answer = api.delete(&format!("silences/{id}")).await?;
                if global.output == Output::Table {
                    print::message(&format!("{}: {id}", global.say("ended", "끝냈습니다")));
                } else {
                    print::value(&answer, global.output);
                }
            }
            Ok(())
        }
    }
}

async fn add(global: &Global, api: &Api, asked: AddSilence) -> Outcome {
    let weekly = asked.weekly.zip(asked.zone);
    let mut body = json!({
        "tenant": asked.tenant, "matchers": asked.matchers, "author": asked.by,
        "comment": asked.comment,
        "kind": if asked.maintenance { "maintenance" } else { "silence" },
        "weekly": weekly.map(|(hours, zone)| json!({"hours": hours, "zone": zone})),
    });
    for (name, given) in [
        ("for", asked.lasts),
        ("ends_at", asked.until),
        ("starts_at", asked.from),
    ] {
        if let Some(given) = given {
            body[name] = given.into();
        }
    }
    let silence = api.post("silences", &body).await?;
    if global.output != Output::Table {
        print::value(&silence, global.output);
        return Ok(());
    }
    let (kind, id) = (text(&silence, "kind"), text(&silence, "id"));
    let ends = text(&silence, "ends_at");
    print::message(&global.say(
        format!("{kind} {id} until {ends}"),
        format!("{kind} {id}: {ends}까지"),
    ));
    let answer = api.post("silences/preview", &body).await?;
    covered(global, &answer);
    Ok(())
}

fn covered(global: &Global, answer: &Value) {
    let incidents = answer["incidents"].as_array().cloned().unwrap_or_default();
    if global.output != Output::Table {
        print::value(answer, global.output);
        return;
    }
    let mut table = Table::new(&["id", "priority", "state", "tenant", "what"]);
    for incident in &incidents {
        table.row(vec![
            text(incident, "id").get(..12).unwrap_or_default().into(),
            incident["priority"].clone(),
            incident["state"].clone(),
            incident["tenant"].clone(),
            incident["title"].clone(),
        ]);
    }
    print::message(&format!(
        "{}: {}",
        global.say("incidents that it covers now", "지금 덮는 인시던트"),
        incidents.len()
    ));
    if !table.is_empty() {
        print::table(&table, global.form());
    }
}

async fn read(api: &Api, state: &str, tenant: Option<&str>) -> Outcome<Vec<Value>> {
    let mut query = Vec::new();
    if state != "all" {
        query.push(("state", state));
    }
    query.extend(tenant.map(|tenant| ("tenant", tenant)));
    let answer = api.query("silences", &query).await?;
    Ok(answer["silences"].as_array().cloned().unwrap_or_default())
}

fn list(global: &Global, silences: Vec<Value>) {
    if global.output != Output::Table {
        print::values(&silences, global.output);
        return;
    }
    let mut table = Table::new(&[
        "id", "kind", "state", "tenant", "what", "until", "by", "why",
    ]);
    for silence in &silences {
        let matchers: Vec<&str> = silence["matchers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let weekly = &silence["weekly"];
        let hours = match weekly["hours"].as_str() {
            Some(hours) => format!(" {hours} {}", text(weekly, "zone")),
            None => String::new(),
        };
        table.row(vec![
            text(silence, "id").get(..8).unwrap_or_default().into(),
            silence["kind"].clone(),
            silence["state"].clone(),
            silence["tenant"].as_str().unwrap_or("all").into(),
            format!("{}{hours}", matchers.join(" ")).into(),
            text(silence, "ends_at")
                .get(..19)
                .unwrap_or_default()
                .replace('T', " ")
                .into(),
            silence["author"].clone(),
            silence["comment"].clone(),
        ]);
    }
    print::table(&table, global.form());
    if table.is_empty() {
        print::message(global.say("no such silences", "해당하는 사일런스가 없습니다"));
    }
}
