//! The notifier's API, as the commands on incidents and silences ask it.

use crate::cli::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::settings::Settings;
use runtime::Secret;
use serde_json::Value;

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
            None => super::access::notifier(settings).await?,
        };
        let file = global
            .api_token_file
            .as_ref()
            .or(settings.notifier.api_token_file.as_ref());
        let token = file
            .map(|path| Secret::from_file(path))
            .transpose()
            .map_err(|error| Failure::from_error(Exit::Auth, &error))?;
        let mut http = crate::demo::builder();
        if let Some(file) = &global.api_ca_file {
            let wrong = |cause: String| {
                Failure::new(
                    Exit::Usage,
                    format!("--api-ca-file {}: {cause}", file.display()),
                )
            };
            let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| wrong(format!("holds no certificate (PEM): {error}")))?;
            http = http.tls_certs_merge(authorities);
        }
        let http = crate::demo::made(http).map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Self { base, token, http })
    }

    pub(super) async fn get(&self, path: &str) -> Outcome<Value> {
        self.query(path, &[]).await
    }

    pub(super) async fn query(&self, path: &str, query: &[(&str, &str)]) -> Outcome<Value> {
        json(self.pages(path, query).await?).await
    }

    /// The answer itself, for what is not JSON.
    pub(super) async fn pages(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Outcome<reqwest::Response> {
        self.send(self.http.get(self.url(path)).query(query)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        json(self.send(self.http.post(self.url(path)).json(body)).await?).await
    }

    pub(super) async fn delete(&self, path: &str) -> Outcome<Value> {
        json(self.send(self.http.delete(self.url(path))).await?).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    /// Asks with the token; what the API did not do is a failure with its reason.
    async fn send(&self, mut request: reqwest::RequestBuilder) -> Outcome<reqwest::Response> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body: Value = answer.json().await.map_err(unreachable)?;
        let exit = match status.as_u16() {
            401 | 403 => Exit::Auth,
            400 | 404 | 422 => Exit::Usage,
            _ => Exit::Failed,
        };
        let detail = body["detail"]
            .as_str()
            .or(body["title"].as_str())
            .unwrap_or("no reason given");
        let failure = Failure::new(exit, format!("the API answered {status}: {detail}"));
        Err(match status.as_u16() {
            401 => failure
                .hint("name a file with a token by --api-token-file; `bongsu token add` makes one"),
            403 => failure.hint(
                "docs/access.md says which role may what; `bongsu token list` shows the token's",
            ),
            400 | 404 | 422 => failure.hint("`--help` of the command says what it takes"),
            _ => failure,
        })
    }
}

async fn json(answer: reqwest::Response) -> Outcome<Value> {
    answer.json().await.map_err(unreachable)
}

pub(super) fn unreachable(error: reqwest::Error) -> Failure {
    Failure::from_error(Exit::Unreachable, &error)
        .hint("is the notifier running? name its address with --api URL")
}

/// A text of an answer; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The id among `listed` that begins so; people copy the short form of a table. `kind` is what is listed, such as `incident`.
pub(super) fn whole_id(kind: &str, listed: &[Value], beginning: &str) -> Outcome<String> {
    let matching: Vec<&str> = listed
        .iter()
        .map(|each| text(each, "id"))
        .filter(|id| !beginning.is_empty() && id.starts_with(beginning))
        .collect();
    match matching[..] {
        [id] => Ok(id.to_owned()),
        [] => Err(
            Failure::new(Exit::Usage, format!("no {kind} begins with `{beginning}`"))
                .hint(format!("`bongsu {kind} list --state all` shows every id")),
        ),
        _ => Err(Failure::new(
            Exit::Usage,
            format!(
                "{} {kind}s begin with `{beginning}`: give more of the id",
                matching.len()
            ),
        )),
    }
}
