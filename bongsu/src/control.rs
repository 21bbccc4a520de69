//! The door that a running `up` opens for commands on the same machine: only one process may open the
//! embedded log, so the others ask it. It listens on loopback and wants a token from the data folder.

mod log;

use crate::failure::{Exit, Failure, Outcome};
use crate::parts::{self, Running};
use axum::Json;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use catalog::{CatalogError, Change, Published, Request};
use runtime::{Clock, Context, Declared, Guard, HttpServer, Routes, Rule, Served};
use schemas::catalogue::{Author, Catalogue, Kind, Record, decode_value, encode_value};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use stream::Stream;

pub(crate) use log::DoorLog;

/// The table of the door's routes.
pub(crate) fn declared() -> Vec<Declared> {
    table().table()
}

/// A declaration or bundle as it stands in the catalogue's topic.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    value: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct PublishRequest {
    set: Vec<Entry>,
    remove: Vec<(String, String)>,
    prune: bool,
    #[serde(default)]
    keep: bool,
    dry_run: bool,
    #[serde(default)]
    author: Author,
}

#[derive(Debug, Serialize, Deserialize)]
struct PublishAnswer {
    revision: u64,
    changes: Vec<(String, String, String)>,
}

#[derive(Clone)]
struct Door {
    stream: Stream,
    clock: Clock,
    token: String,
}

/// Opens the door; where it is.
pub(crate) async fn open(stream: &Stream, token: &str, ctx: &Context) -> Outcome<SocketAddr> {
    let door = Door {
        stream: stream.clone(),
        clock: ctx.clock.clone(),
        token: token.to_owned(),
    };
    let routes = routes(door);
    let server = HttpServer::bind(ctx, SocketAddr::from(([127, 0, 0, 1], 0)), None)
        .await
        .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
    let address = server.address();
    server.serve("control", routes);
    Ok(address)
}

fn routes(door: Door) -> Served {
    table().guarded(&door).with_state(door)
}

/// These routes without what their handlers share.
fn table() -> Routes<Door> {
    Routes::new()
        .get("/catalogue", Rule::DataFolder, read)
        .post("/publish", Rule::DataFolder, write)
        .post("/log", Rule::DataFolder, ask)
}

impl Guard for Door {
    async fn admit(&self, _: Declared, request: HttpRequest) -> Result<HttpRequest, Response> {
        use subtle::ConstantTimeEq;
        let wanted = format!("Bearer {}", self.token);
        let given = request.headers().get(header::AUTHORIZATION);
        let given = given.map(axum::http::HeaderValue::as_bytes);
        if given.is_some_and(|given| bool::from(given.ct_eq(wanted.as_bytes()))) {
            return Ok(request);
        }
        let text = "the token of the data folder is wanted\n";
        Err((StatusCode::UNAUTHORIZED, text).into_response())
    }
}

fn refused(error: &CatalogError) -> Response {
    let status = match error {
        CatalogError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, error.to_string()).into_response()
}

async fn read(State(door): State<Door>) -> Response {
    match catalog::snapshot(&door.stream).await {
        Ok(catalogue) => Json(entries_of(&catalogue)).into_response(),
        Err(error) => refused(&error),
    }
}

fn entries_of(catalogue: &Catalogue) -> Vec<Entry> {
    let entry = |key: String, record: &Record| Entry {
        key,
        value: String::from_utf8(encode_value(catalogue.revision, record)).unwrap_or_default(),
    };
    let declared = catalog::declared(catalogue)
        .into_iter()
        .filter_map(|(kind, name)| {
            let record = Record::Entry(catalogue.get(kind, &name)?);
            Some(entry(format!("{kind}/{name}"), &record))
        });
    declared.collect()
}

async fn write(State(door): State<Door>, Json(body): Json<PublishRequest>) -> Response {
    let request = match body.into_request() {
        Ok(request) => request,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    match catalog::publish(&door.stream, &request, &parts::validate, &door.clock).await {
        Ok(published) => Json(PublishAnswer::of(&published)).into_response(),
        Err(error) => refused(&error),
    }
}

async fn ask(State(door): State<Door>, Json(question): Json<log::Ask>) -> Response {
    log::answer(&door.stream, question).await
}

impl PublishRequest {
    fn of(request: &Request) -> Self {
        let entry = |entry: &schemas::catalogue::Entry| Entry {
            key: entry.key(),
            value: String::from_utf8(encode_value(0, &Record::Entry(entry.clone())))
                .unwrap_or_default(),
        };
        Self {
            set: request.set.iter().map(entry).collect(),
            remove: request
                .remove
                .iter()
                .map(|(kind, name)| (kind.to_string(), name.clone()))
                .collect(),
            prune: request.prune,
            keep: request.keep,
            dry_run: request.dry_run,
            author: request.author.clone(),
        }
    }

    fn into_request(self) -> Result<Request, String> {
        let mut request = Request {
            prune: self.prune,
            keep: self.keep,
            dry_run: self.dry_run,
            author: self.author,
            ..Request::default()
        };
        for entry in self.set {
            match decode_value(entry.key.as_bytes(), entry.value.as_bytes()) {
                Ok((_, Record::Entry(entry))) => request.set.push(entry),
                Ok((_, Record::Bundle(_) | Record::Account(_))) => {
                    return Err("bundles and accounts are derived, not written".to_owned());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        for (kind, name) in self.remove {
            request.remove.push((kind.parse::<Kind>()?, name));
        }
        Ok(request)
    }
}

impl PublishAnswer {
    fn of(published: &Published) -> Self {
        let change = |c: &Change| {
            (
                c.what.as_str().to_owned(),
                c.kind.to_string(),
                c.name.clone(),
            )
        };
        Self {
            revision: published.revision,
            changes: published.changes.iter().map(change).collect(),
        }
    }

    fn into_published(self) -> Result<Published, String> {
        let changes = self.changes.into_iter().map(|(what, kind, name)| {
            Ok(Change {
                what: what.parse()?,
                kind: kind.parse()?,
                name,
            })
        });
        Ok(Published {
            revision: self.revision,
            changes: changes.collect::<Result<_, String>>()?,
        })
    }
}

/// The other side of the door.
#[derive(Clone)]
pub(crate) struct Client {
    running: Running,
    http: reqwest::Client,
}

impl Client {
    /// A client, if that process answers.
    pub(crate) async fn reach(running: Running) -> Outcome<Option<Self>> {
        let http = crate::demo::client().map_err(|error| Failure::new(Exit::Failed, error))?;
        let answers = http
            .get(format!("{}/livez", running.control))
            .send()
            .await
            .is_ok();
        Ok(answers.then_some(Self { running, http }))
    }

    /// The catalogue without its bundles.
    pub(crate) async fn catalogue(&self) -> Outcome<Catalogue> {
        let entries: Vec<Entry> = self.ask(self.http.get(self.url("catalogue"))).await?;
        let mut catalogue = Catalogue::default();
        for entry in entries {
            catalogue
                .apply_record(entry.key.as_bytes(), Some(entry.value.as_bytes()))
                .map_err(|error| Failure::from_error(Exit::Failed, &error))?;
        }
        Ok(catalogue)
    }

    /// Publishes there.
    pub(crate) async fn publish(&self, request: &Request) -> Outcome<Published> {
        let body = PublishRequest::of(request);
        let answer: PublishAnswer = self
            .ask(self.http.post(self.url("publish")).json(&body))
            .await?;
        answer
            .into_published()
            .map_err(|why| Failure::new(Exit::Failed, why))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.running.control)
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Outcome<T> {
        let unreachable = |error: reqwest::Error| Failure::from_error(Exit::Unreachable, &error);
        let answer = request
            .bearer_auth(&self.running.token)
            .send()
            .await
            .map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(unreachable);
        }
        let why = answer.text().await.map_err(unreachable)?;
        Err(match status {
            StatusCode::UNPROCESSABLE_ENTITY => Failure::new(Exit::Findings, why),
            StatusCode::UNAUTHORIZED => Failure::new(Exit::Auth, why),
            _ => Failure::new(
                Exit::Failed,
                format!("process {}: {status}: {why}", self.running.pid),
            ),
        })
    }
}
