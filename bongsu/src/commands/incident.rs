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
        Command::List { state, tenant } => {
            let incidents = api.list(&state, tenant.as_deref()).await?;
            list(global, incidents);
            Ok(())
        }
        Command::Show { id } => {
            let incident = api
                .get(&format!("incidents/{}", api.whole_id(&id).await?))
                .await?;
            show(global, &incident);
            Ok(())
        }
        Command::Ack { id, by } => {
            let path = format!("incidents/{}/ack", api.whole_id(&id).await?);
            let answer = api.post(&path, &json!({"by": by, "via": "cli"})).await?;
            acted(global, &answer, "acknowledged");
            Ok(())
        }
        Command::Close {
            id,
            by,
            until_resolved,
        } => {
            let path = format!("incidents/{}/close", api.whole_id(&id).await?);
            let body = json!({"by": by, "via": "cli", "until_resolved": until_resolved});
            acted(global, &api.post(&path, &body).await?, "closed");
            Ok(())
        }
    }
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
        let unreachable = |error: reqwest::Error| {
            Failure::from_error(Exit::Unreachable, &error)
                .hint("is the notifier running? name its address with --api URL")
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body);
        }
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

    /// Every incident in those states, page by page.
    async fn list(&self, state: &str, tenant: Option<&str>) -> Outcome<Vec<Value>> {
        let mut incidents = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE.to_string())];
            if state != "all" {
                query.push(("state", state.to_owned()));
            }
            query.extend(tenant.map(|tenant| ("tenant", tenant.to_owned())));
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
        let incidents = self.list("all", None).await?;
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
