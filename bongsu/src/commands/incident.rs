//! `bongsu incident`: see, acknowledge and close incidents through the notifier's API.

use super::settings;
use crate::cli::{Global, Incident as Command, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::settings::Settings;
use runtime::Secret;
use serde_json::{Value, json};

/// How many incidents a page of the API holds at most.
const PAGE: usize = 500;

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let api = Api::find(global, &settings(global)?).await?;
    match command {
        Command::List {
            state,
            tenant,
            priority,
            text,
        } => {
            let wanted = wanted(&state, tenant, priority, text);
            if global.output == Output::Csv {
                return api.csv(&wanted).await;
            }
            list(global, api.list(&wanted).await?);
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
            api.act(global, &id, "assign", &body, "assigned").await
        }
        Command::Comment { id, text, by } => {
            let body = json!({"by": by, "via": "cli", "text": text});
            api.act(global, &id, "comment", &body, "commented").await
        }
        Command::Snooze { id, span, by } => {
            let body = json!({"by": by, "via": "cli", "for": span});
            api.act(global, &id, "snooze", &body, "snoozed").await
        }
        Command::Merge { id, into, by } => {
            let into = api.whole_id(&into).await?;
            let body = json!({"by": by, "via": "cli", "into": into});
            api.act(global, &id, "merge", &body, "merged").await
        }
        Command::Priority { id, priority, by } => {
            let body = json!({"by": by, "via": "cli", "priority": priority});
            api.act(global, &id, "priority", &body, "judged anew").await
        }
        Command::Show { id } => {
            let incident = api
                .get(&format!("incidents/{}", api.whole_id(&id).await?))
                .await?;
            show(global, &incident);
            Ok(())
        }
        Command::Ack { id, by } => {
            let body = json!({"by": by, "via": "cli"});
            api.act(global, &id, "ack", &body, "acknowledged").await
        }
        Command::Close {
            id,
            by,
            until_resolved,
        } => {
            let body = json!({"by": by, "via": "cli", "until_resolved": until_resolved});
            api.act(global, &id, "close", &body, "closed").await
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
    let mut table = Table::new(&[
        "tenant",
        "priority",
        "opened",
        "acknowledged",
        "mtta_seconds",
        "tta_p90_seconds",
        "resolved",
        "mttr_seconds",
        "ttr_p90_seconds",
    ]);
    for row in answer.as_array().into_iter().flatten() {
        table.row(
            [
                "tenant",
                "priority",
                "opened",
                "acknowledged",
                "mtta_seconds",
                "tta_p90_seconds",
                "resolved",
                "mttr_seconds",
                "ttr_p90_seconds",
            ]
            .map(|name| row[name].clone())
            .to_vec(),
        );
    }
    print::table(&table, global.output);
}

fn list(global: &Global, mut incidents: Vec<Value>) {
    // The most urgent first, and among equals the oldest.
    incidents.sort_by_key(|incident| {
        (
            text(incident, "priority").to_owned(),
            text(incident, "opened_at").to_owned(),
        )
    });
    if global.output != Output::Table {
        print::text(&match global.output {
            Output::Json => format!("{:#}\n", Value::Array(incidents)),
            _ => incidents
                .iter()
                .map(|incident| format!("{incident}\n"))
                .collect(),
        });
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
    print::table(&table, Output::Table);
    if table.is_empty() {
        print::message("no such incidents");
    }
}

fn show(global: &Global, incident: &Value) {
    if global.output != Output::Table {
        print::text(&format!("{incident:#}\n"));
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
    print::table(&timeline, Output::Table);
    let mut deliveries = Table::new(&["channel", "to", "purpose", "fate", "tries", "reason"]);
    for delivery in incident["deliveries"].as_array().into_iter().flatten() {
        deliveries.row(
            ["channel", "to", "purpose", "fate", "attempts", "reason"]
                .map(|name| delivery[name].clone())
                .to_vec(),
        );
    }
    print::text("\n");
    print::table(&deliveries, Output::Table);
}

fn acted(global: &Global, answer: &Value, word: &str) {
    if global.output != Output::Table {
        print::text(&format!("{answer:#}\n"));
        return;
    }
    let incident = &answer["incident"];
    print::message(&match answer["why"].as_str() {
        Some(why) => format!("nothing to do: {why}"),
        None => format!(
            "{word}: {} ({})",
            text(incident, "title"),
            text(incident, "tenant")
        ),
    });
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn unreachable(error: reqwest::Error) -> Failure {
    Failure::from_error(Exit::Unreachable, &error)
        .hint("is the notifier running? name its address with --api URL")
}

/// The notifier's API.
pub(super) struct Api {
    base: String,
    token: Option<Secret>,
    http: reqwest::Client,
}

impl Api {
    /// The API that was named, else that of a running `up`, else that of the configuration.
    pub(super) async fn find(global: &Global, settings: &Settings) -> Outcome<Self> {
        let base = match &global.api {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => match super::access::running_process(settings).await? {
                Some((running, _)) => running.console,
                None => format!("http://{}", settings.notifier.listen),
            },
        };
        let file = global
            .api_token_file
            .as_ref()
            .or(settings.notifier.api_token_file.as_ref());
        let token = file
            .map(|path| Secret::from_file(path))
            .transpose()
            .map_err(|error| Failure::from_error(Exit::Auth, &error))?;
        let http = crate::demo::client().map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Self { base, token, http })
    }

    async fn get(&self, path: &str) -> Outcome<Value> {
        self.ask(self.http.get(format!("{}/api/v1/{path}", self.base)))
            .await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        self.ask(
            self.http
                .post(format!("{}/api/v1/{path}", self.base))
                .json(body),
        )
        .await
    }

    pub(super) async fn query(&self, path: &str, query: &[(&str, &str)]) -> Outcome<Value> {
        let url = format!("{}/api/v1/{path}", self.base);
        self.ask(self.http.get(url).query(query)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Outcome<Value> {
        self.ask(self.http.delete(format!("{}/api/v1/{path}", self.base)))
            .await
    }

    async fn ask(&self, mut request: reqwest::RequestBuilder) -> Outcome<Value> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let answer = request.send().await.map_err(unreachable)?;
        if answer.status().is_success() {
            return answer.json().await.map_err(unreachable);
        }
        self.refused(answer).await
    }

    /// What the API said when it did not do what it was asked.
    async fn refused<T>(&self, answer: reqwest::Response) -> Outcome<T> {
        let status = answer.status();
        let body: Value = answer.json().await.map_err(unreachable)?;
        let exit = if status.as_u16() == 401 || status.as_u16() == 403 {
            Exit::Auth
        } else {
            Exit::Failed
        };
        let detail = body["detail"]
            .as_str()
            .or(body["title"].as_str())
            .unwrap_or("no reason given");
        Err(Failure::new(
            exit,
            format!("the API answered {status}: {detail}"),
        ))
    }

    /// Does something to an incident, and says what came of it.
    async fn act(
        &self,
        global: &Global,
        id: &str,
        what: &str,
        body: &Value,
        word: &str,
    ) -> Outcome {
        let path = format!("incidents/{}/{what}", self.whole_id(id).await?);
        acted(global, &self.post(&path, body).await?, word);
        Ok(())
    }

    /// Prints the incidents as CSV, part by part.
    async fn csv(&self, wanted: &[(&'static str, String)]) -> Outcome {
        let mut cursor: Option<String> = None;
        loop {
            let first = cursor.is_none();
            let mut query = wanted.to_vec();
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let url = format!("{}/api/v1/incidents.csv", self.base);
            let mut request = self.http.get(url).query(&query);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.expose());
            }
            let answer = request.send().await.map_err(unreachable)?;
            if !answer.status().is_success() {
                return self.refused(answer).await;
            }
            let next = answer.headers().get("x-next-cursor").cloned();
            let text = answer.text().await.map_err(unreachable)?;
            // Only the first part brings the headings.
            let skipped = text.find('\n').filter(|_| !first).map_or(0, |end| end + 1);
            print::text(&text[skipped..]);
            cursor = next.and_then(|next| next.to_str().ok().map(str::to_owned));
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Every wanted incident, page by page.
    async fn list(&self, wanted: &[(&'static str, String)]) -> Outcome<Vec<Value>> {
        let mut incidents = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE.to_string())];
            query.extend_from_slice(wanted);
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let url = format!("{}/api/v1/incidents", self.base);
            let page = self.ask(self.http.get(url).query(&query)).await?;
            incidents.extend(page["incidents"].as_array().cloned().unwrap_or_default());
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(incidents);
            }
        }
    }

    /// The id that begins so; people copy the short form of the table.
    async fn whole_id(&self, beginning: &str) -> Outcome<String> {
        if beginning.len() == 32 {
            return Ok(beginning.to_owned());
        }
        let incidents = self.list(&[]).await?;
        let matching: Vec<&str> = incidents
            .iter()
            .map(|incident| text(incident, "id"))
            .filter(|id| !beginning.is_empty() && id.starts_with(beginning))
            .collect();
        match matching[..] {
            [id] => Ok(id.to_owned()),
            [] => Err(Failure::new(
                Exit::Failed,
                format!("no incident begins with `{beginning}`"),
            )
            .hint("`bongsu incident list --state all` shows every id")),
            _ => Err(Failure::new(
                Exit::Usage,
                format!(
                    "{} incidents begin with `{beginning}`: give more of the id",
                    matching.len()
                ),
            )),
        }
    }
}
