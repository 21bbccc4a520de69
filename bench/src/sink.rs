//! The store that only counts. It answers as InfluxDB 2 does where a writer asks, reads and hashes
//! every line, and keeps none. It runs as a process of its own, so that its work counts for nobody.

use crate::cli::{Manners, SinkFault, SinkOptions};
use crate::tally::{Tally, hashes, is_refused};
use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::ValueEnum as _;
use flate2::read::MultiGzDecoder;
use runtime::Clock;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tests::process::Process;
use tests::workdir::Workdir;
use tests::{ports, web};

/// With a fault, one write of so many meets it.
const FAULT_EVERY: u64 = 10;
/// Ages are told apart up to here, in milliseconds.
const AGES: usize = 60_000;
const START: Duration = Duration::from_secs(30);

/// What the sink has received.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    /// The lines; each once where the sink remembers them.
    pub(crate) tally: Tally,
    /// How many of them came again.
    pub(crate) repeated: u64,
    /// In how many writes they came.
    pub(crate) writes: u64,
    /// When the last of them was answered, in nanoseconds since 1970.
    pub(crate) last_nanos: i64,
    /// The age that 99 % of the lines did not exceed, of those that were made within the last minute.
    pub(crate) p99_ms: Option<u64>,
}

/// What the process keeps.
#[derive(Default)]
struct All {
    received: Received,
    /// What came, where it is remembered.
    seen: HashSet<u64>,
    /// Writes that were looked at, those of a fault included.
    asked: u64,
    /// Lines by their age when they were answered, in milliseconds; only those that were made just before.
    ages: Vec<u64>,
}

#[derive(Clone)]
struct Store {
    all: Arc<Mutex<All>>,
    /// Whether it takes nothing at the moment.
    out: Arc<AtomicBool>,
    manners: Manners,
}

/// Runs the sink in this process.
///
/// # Errors
/// When the address is taken.
pub(crate) async fn serve(options: SinkOptions) -> Result<()> {
    let routes = Router::new()
        .route("/api/v2/write", post(write))
        .route("/api/v2/buckets", get(buckets))
        .route("/ping", get(ping))
        .route("/health", get(health))
        .route("/received", get(received).delete(forget))
        .route("/outage/{state}", post(outage))
        .layer(DefaultBodyLimit::disable())
        .with_state(Store {
            all: Arc::default(),
            out: Arc::default(),
            manners: options.manners,
        });
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    Ok(axum::serve(listener, routes).await?)
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a fault answers this write with; none when it is taken.
    async fn fault(&self) -> Option<Response> {
        if self.out.load(Ordering::Relaxed) {
            return Some(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        let turn = {
            let mut all = self.lock();
            all.asked += 1;
            all.asked.is_multiple_of(FAULT_EVERY)
        };
        let busy = [(header::RETRY_AFTER, "1")];
        match self.manners.fault {
            SinkFault::Unavailable if turn => {
                Some((StatusCode::SERVICE_UNAVAILABLE, busy).into_response())
            }
            SinkFault::Error if turn => Some(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            SinkFault::Hang if turn => std::future::pending().await,
            _ => None,
        }
    }

    /// Whether a line that comes again counts once. A write that was not answered, or taken in part, is repeated.
    fn remembers(&self) -> bool {
        let fault = self.manners.fault;
        self.manners.remember || matches!(fault, SinkFault::Hang | SinkFault::Unprocessable)
    }

    /// Takes lines, and says how many it refuses.
    fn take(&self, lines: &[u8], now: i64) -> u64 {
        let ages = ages(lines, now);
        let (mut refused, mut tally, mut repeated) = (0, Tally::default(), 0);
        let refuses = self.manners.fault == SinkFault::Unprocessable;
        let mut take = |all: Option<&mut All>| {
            let mut seen = all.map(|all| &mut all.seen);
            for hash in hashes(lines) {
                if refuses && is_refused(hash) {
                    refused += 1;
                } else if seen.as_mut().is_none_or(|seen| seen.insert(hash)) {
                    tally.add_line(hash);
                } else {
                    repeated += 1;
                }
            }
        };
        // Nobody waits while lines are only counted.
        if !self.remembers() {
            take(None);
        }
        let mut all = self.lock();
        if self.remembers() {
            take(Some(&mut all));
        }
        all.received.tally.merge(tally);
        all.received.repeated += repeated;
        all.received.writes += 1;
        all.received.last_nanos = now;
        if !ages.is_empty() {
            all.ages.resize(AGES, 0);
            ages.into_iter().for_each(|age| all.ages[age] += 1);
        }
        refused
    }
}

async fn write(State(store): State<Store>, headers: HeaderMap, body: Bytes) -> Response {
    if store.manners.wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(store.manners.wait_ms)).await;
    }
    if let Some(fault) = store.fault().await {
        return fault;
    }
    let mut text = Vec::new();
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes());
    let lines = match encoding {
        None | Some(b"identity") => &body[..],
        Some(b"gzip") => {
            if let Err(error) = MultiGzDecoder::new(&body[..]).read_to_end(&mut text) {
                return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
            }
            &text
        }
        Some(_) => return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
    };
    let refused = store.take(lines, Clock::system().now_nanos());
    if refused == 0 {
        return StatusCode::NO_CONTENT.into_response();
    }
    let said = Json(serde_json::json!({
        "code": "unprocessable entity",
        "message": format!(
            "failure writing points to database: partial write: field type conflict: input field \"v\" on \
             measurement \"cpu\" is type string, already exists as type float dropped={refused}"
        ),
    }));
    (StatusCode::UNPROCESSABLE_ENTITY, said).into_response()
}

/// Takes nothing from now on, or takes all again.
async fn outage(State(store): State<Store>, Path(state): Path<String>) -> StatusCode {
    store.out.store(state == "begins", Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

/// The ages of lines that were made within the last minute, in milliseconds.
fn ages(body: &[u8], now: i64) -> Vec<usize> {
    let age = |line: &[u8]| {
        let stamp = line.rsplit(|byte| *byte == b' ').next()?;
        let nanos: i64 = std::str::from_utf8(stamp).ok()?.parse().ok()?;
        let age = usize::try_from((now - nanos) / 1_000_000).ok()?;
        (age < AGES).then_some(age)
    };
    body.split(|byte| *byte == b'\n').filter_map(age).collect()
}

/// As InfluxDB 2 answers, for whoever asks what it is.
async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "name": "influxdb", "message": "ready for queries and writes", "status": "pass",
        "checks": [], "version": "v2.7.12", "commit": "bench",
    }))
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

async fn received(State(store): State<Store>) -> Json<Received> {
    let all = store.lock();
    let lines: u64 = all.ages.iter().sum();
    let mut rest = lines / 100;
    let p99 = all.ages.iter().enumerate().rev().find(|(_, count)| {
        let found = **count > rest;
        rest = rest.saturating_sub(**count);
        found
    });
    Json(Received {
        p99_ms: p99.map(|(age, _)| age as u64),
        ..all.received
    })
}

async fn forget(State(store): State<Store>) -> StatusCode {
    *store.lock() = All::default();
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
    pub(crate) async fn start(manners: &Manners) -> Result<Self> {
        let folder = Workdir::new("sink");
        let listen = format!("127.0.0.1:{}", ports::free());
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["sink", "--listen", &listen]);
        let fault = manners.fault.to_possible_value();
        command.args(["--wait-ms", &manners.wait_ms.to_string(), "--fault"]);
        command.arg(fault.context("a fault without a name")?.get_name());
        if manners.remember {
            command.arg("--remember");
        }
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

    /// Has it answer 503 to every write, or take them again.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn outage(&self, begins: bool) -> Result<()> {
        let state = if begins { "begins" } else { "ends" };
        let asked = self.client.post(format!("{}/outage/{state}", self.url));
        asked.send().await?.error_for_status()?;
        Ok(())
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
