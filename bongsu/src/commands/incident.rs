//! `bongsu incident`: see, acknowledge and close incidents through the notifier's API.

use super::api::{Api, text, unreachable, whole_id};
use super::settings;
use crate::cli::{Global, Incident as Command, Output};
use crate::failure::Outcome;
use crate::print::{self, Table};
use serde_json::{Value, json};

/// How many incidents a page of the API holds at most.
const PAGE: &str = "500";

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    match command {
        Command::List {
            state,
            tenant,
            priority,
            text,
        } => {
            let ended = state
                .split(',')
                .any(|one| matches!(one.trim(), "closed" | "all"));
            let wanted = wanted(&state, tenant, priority, text);
            if global.output == Output::Csv {
                return csv(&api, &wanted).await;
            }
            list(global, listed(&api, &wanted).await?, ended);
            Ok(())
        }
        Command::Times {
            tenant,
            since,
            until,
        } => {
            let asked = [("tenant", tenant), ("since", since), ("until", until)];
            let asked = asked.iter().filter_map(|(k, v)| Some((*k, v.as_deref()?)));
            let asked: Vec<_> = asked.collect();
            times(global, &api.query("response-times", &asked).await?);
            Ok(())
        }
        Command::Assign { id, to, by } => {
            let body = json!({"by": by, "via": "cli", "to": to});
            act(
                global,
                &api,
                &id,
                "assign",
                &body,
                ("assigned", "넘겼습니다"),
            )
            .await
        }
        Command::Comment { id, text, by } => {
            let body = json!({"by": by, "via": "cli", "text": text});
            act(
                global,
                &api,
                &id,
                "comment",
                &body,
                ("commented", "적었습니다"),
            )
            .await
        }
        Command::Snooze { id, span, by } => {
            let body = json!({"by": by, "via": "cli", "for": span});
            act(
                global,
                &api,
                &id,
                "snooze",
                &body,
                ("snoozed", "미뤘습니다"),
            )
            .await
        }
        Command::Merge { id, into, by } => {
            let into = whole(&api, &into).await?;
            let body = json!({"by": by, "via": "cli", "into": into});
            act(global, &api, &id, "merge", &body, ("merged", "합쳤습니다")).await
        }
        Command::Priority { id, priority, by } => {
            let body = json!({"by": by, "via": "cli", "priority": priority});
            act(
                global,
                &api,
                &id,
                "priority",
                &body,
                ("judged anew", "다시 판정했습니다"),
            )
            .await
        }
        Command::Show { id } => {
            let incident = api
                .get(&format!("incidents/{}", whole(&api, &id).await?))
                .await?;
            show(global, &incident);
            Ok(())
        }
        Command::Ack { id, by } => {
            let body = json!({"by": by, "via": "cli"});
            act(
                global,
                &api,
                &id,
                "ack",
                &body,
                ("acknowledged", "확인했습니다"),
            )
            .await
        }
        Command::Close {
            id,
            by,
            until_resolved,
        } => {
            let body = json!({"by": by, "via": "cli", "until_resolved": until_resolved});
            act(global, &api, &id, "close", &body, ("closed", "닫았습니다")).await
        }
    }
}

/// The query of a list.
fn wanted(
    state: &str,
    tenant: Option<String>,
    priority: Option<String>,
    text: Option<String>,
) -> Vec<(&'static str, String)> {
    let state = (state != "all").then(|| state.to_owned());
    let all = [
        ("state", state),
        ("tenant", tenant),
        ("priority", priority),
        ("q", text),
    ];
    all.into_iter().filter_map(|(k, v)| Some((k, v?))).collect()
}

fn times(global: &Global, answer: &Value) {
    let columns = [
        "tenant",
        "priority",
        "opened",
        "acknowledged",
        "mtta_seconds",
        "tta_p90_seconds",
        "resolved",
        "mttr_seconds",
        "ttr_p90_seconds",
    ];
    let mut table = Table::new(&columns);
    for row in answer.as_array().into_iter().flatten() {
        table.row(columns.map(|name| row[name].clone()).to_vec());
    }
    print::table(&table, global.form());
}

/// `ended` tells whether those that are over were asked for.
fn list(global: &Global, mut incidents: Vec<Value>, ended: bool) {
    // The most urgent first, and among equals the oldest.
    incidents.sort_by_key(|incident| {
        (
            text(incident, "priority").to_owned(),
            text(incident, "opened_at").to_owned(),
        )
    });
    if global.output != Output::Table {
        print::values(&incidents, global.output);
        return;
    }
    let mut table = Table::new(&[
        "id", "priority", "state", "tenant", "what", "since", "owner",
    ]);
    for incident in &incidents {
        table.row(vec![
            text(incident, "id").get(..12).unwrap_or_default().into(),
            incident["priority"].clone(),
            incident["state"].clone(),
            incident["tenant"].clone(),
            incident["title"].clone(),
            text(incident, "started_at")
                .get(..19)
                .unwrap_or_default()
                .replace('T', " ")
                .into(),
            incident["acknowledged"]["by"].clone(),
        ]);
    }
    print::table(&table, global.form());
    if table.is_empty() {
        print::message(match ended {
            true => global.say("no such incidents", "해당하는 인시던트가 없습니다"),
            false => global.say(
                "no such incidents are open; --state all shows those that are over, too",
                "열려 있는 해당 인시던트가 없습니다. 끝난 것까지 보려면 --state all",
            ),
        });
    }
}

fn show(global: &Global, incident: &Value) {
    if global.output != Output::Table {
        print::value(incident, global.output);
        return;
    }
    let field = |name: &str| text(incident, name).to_owned();
    print::text(&format!(
        "{} {} {}\n{}\n{}\nsince {}, id {}\n\n",
        field("priority"),
        field("state"),
        field("tenant"),
        field("title"),
        field("why"),
        field("started_at"),
        field("id"),
    ));
    let mut timeline = Table::new(&["at", "what", "by", "text"]);
    for entry in incident["timeline"].as_array().into_iter().flatten() {
        timeline.row(vec![
            text(entry, "at")
                .get(..19)
                .unwrap_or_default()
                .replace('T', " ")
                .into(),
            entry["kind"].clone(),
            entry["by"].clone(),
            entry["text"].clone(),
        ]);
    }
    print::table(&timeline, global.form());
    let mut deliveries = Table::new(&["channel", "to", "purpose", "fate", "tries", "reason"]);
    for delivery in incident["deliveries"].as_array().into_iter().flatten() {
        deliveries.row(
            ["channel", "to", "purpose", "fate", "attempts", "reason"]
                .map(|name| delivery[name].clone())
                .to_vec(),
        );
    }
    print::text("\n");
    print::table(&deliveries, global.form());
}

fn acted(global: &Global, answer: &Value, (en, ko): (&str, &str)) {
    if global.output != Output::Table {
        print::value(answer, global.output);
        return;
    }
    let incident = &answer["incident"];
    print::message(&match answer["why"].as_str() {
        Some(why) => format!("{}: {why}", global.say("nothing to do", "할 일이 없습니다")),
        None => format!(
            "{}: {} ({})",
            global.say(en, ko),
            text(incident, "title"),
            text(incident, "tenant")
        ),
    });
}

/// Does something to an incident, and says what came of it, by a word in English and Korean.
async fn act(
    global: &Global,
    api: &Api,
    id: &str,
    what: &str,
    body: &Value,
    word: (&str, &str),
) -> Outcome {
    let path = format!("incidents/{}/{what}", whole(api, id).await?);
    acted(global, &api.post(&path, body).await?, word);
    Ok(())
}

fn pairs<'a>(wanted: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    wanted.iter().map(|(k, v)| (*k, v.as_str())).collect()
}

/// Prints the incidents as CSV, part by part.
async fn csv(api: &Api, wanted: &[(&'static str, String)]) -> Outcome {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = pairs(wanted);
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = api.pages("incidents.csv", &query).await?;
        let next = answer.headers().get("x-next-cursor").cloned();
        let part = answer.text().await.map_err(unreachable)?;
        // Only the first part brings the headings.
        let headings = part.find('\n').filter(|_| cursor.is_some());
        print::text(&part[headings.map_or(0, |end| end + 1)..]);
        cursor = next.and_then(|next| next.to_str().ok().map(str::to_owned));
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Every wanted incident, page by page.
async fn listed(api: &Api, wanted: &[(&'static str, String)]) -> Outcome<Vec<Value>> {
    let mut incidents = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(pairs(wanted));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = api.query("incidents", &query).await?;
        incidents.extend(page["incidents"].as_array().cloned().unwrap_or_default());
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(incidents);
        }
    }
}

/// The id that begins so. A whole one is taken as it is.
async fn whole(api: &Api, beginning: &str) -> Outcome<String> {
    if beginning.len() == 32 {
        return Ok(beginning.to_owned());
    }
    whole_id("incident", &listed(api, &[]).await?, beginning)
}
