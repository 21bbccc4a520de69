//! The store that only counts. It answers as InfluxDB 2 does where a writer asks, reads and hashes
//! every line, and keeps none. It runs as a process of its own, so that its work counts for nobody.

use crate::tally::Tally;
use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use flate2::read::MultiGzDecoder;
use runtime::Clock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tests::process::Process;
use tests::workdir::Workdir;
use tests::{ports, web};

const START: Duration = Duration::from_secs(30);

/// What the sink has received.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    /// The lines.
    pub(crate) tally: Tally,
    /// In how many writes they came.
    pub(crate) writes: u64,
    /// When the last of them was answered, in nanoseconds since 1970.
    pub(crate) last_nanos: i64,
}

type Shared = State<Arc<Mutex<Received>>>;

/// Runs the sink in this process.
///
/// # Errors
/// When the address is taken.
pub(crate) async fn serve(listen: SocketAddr) -> Result<()> {
    let routes = Router::new()
        .route("/api/v2/write", post(write))
        .route("/api/v2/buckets", get(buckets))
        .route("/ping", get(ping))
        .route("/received", get(received).delete(forget))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::default());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    Ok(axum::serve(listener, routes).await?)
}

async fn write(State(all): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut tally = Tally::default();
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes());
    match encoding {
        None | Some(b"identity") => tally.add(&body),
        Some(b"gzip") => {
            let mut text = Vec::new();
            if let Err(error) = MultiGzDecoder::new(&body[..]).read_to_end(&mut text) {
                return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
            }
            tally.add(&text);
        }
        Some(_) => return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
    }
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.tally.merge(tally);
    all.writes += 1;
    all.last_nanos = Clock::system().now_nanos();
    StatusCode::NO_CONTENT.into_response()
}

/// Every bucket that is asked for is there.
async fn buckets(Query(asked): Query<HashMap<String, String>>) -> Json<serde_json::Value> {
    let name = asked.get("name").map_or("", String::as_str);
    let bucket = serde_json::json!({
        "id": "0000000000000001", "orgID": "0000000000000001", "name": name, "retentionRules": [],
    });
    Json(serde_json::json!({"buckets": [bucket]}))
}

async fn ping() -> Response {
    let said = [
        ("x-influxdb-version", "v2.7.12"),
        ("x-influxdb-build", "OSS"),
    ];
    (StatusCode::NO_CONTENT, said).into_response()
}

async fn received(State(all): Shared) -> Json<Received> {
    Json(*all.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn forget(State(all): Shared) -> StatusCode {
    *all.lock().unwrap_or_else(PoisonError::into_inner) = Received::default();
    StatusCode::NO_CONTENT
}

/// The sink's process. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub(crate) struct Sink {
    _process: Process,
    url: String,
    client: reqwest::Client,
    _folder: Workdir,
}

impl Sink {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When this program cannot be found.
    pub(crate) async fn start() -> Result<Self> {
        let folder = Workdir::new("sink");
        let listen = format!("127.0.0.1:{}", ports::free());
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["sink", "--listen", &listen]);
        let mut process = Process::start("sink", command, folder.join("sink.log"));
        let (url, client) = (format!("http://{listen}"), web::client());
        let ping = format!("{url}/ping");
        process
            .ready(START, async || {
                Ok(client.get(&ping).send().await?.status().is_success())
            })
            .await;
        Ok(Self {
            _process: process,
            url,
            client,
            _folder: folder,
        })
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it has received since it was told to forget.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn received(&self) -> Result<Received> {
        let answer = self
            .client
            .get(format!("{}/received", self.url))
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Begins anew.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn forget(&self) -> Result<()> {
        let asked = self
            .client
            .delete(format!("{}/received", self.url))
            .send()
            .await;
        asked
            .context("the sink does not answer")?
            .error_for_status()?;
        Ok(())
    }
}
