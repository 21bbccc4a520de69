//! A stand-in for an InfluxDB that answers as a test scripts it, and keeps what it took as a store does: a series and a
//! time once, the last value.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::proxy::Proxy;

/// One write as the script sees it.
#[derive(Debug)]
pub struct Write<'a> {
    /// Writes to its bucket before it.
    pub number: usize,
    /// The bucket or database.
    pub bucket: &'a str,
    /// Its lines.
    pub lines: &'a [String],
}

/// What is answered, and what is kept.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    /// Which lines are kept, by their place.
    pub kept: Kept,
    /// How long it takes, once the lines are kept.
    pub after: Duration,
}

/// Which lines of a write are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Every one.
    All,
    /// None.
    Nothing,
    /// Every one but those at these places.
    AllBut(Vec<usize>),
}

/// A write that was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it came.
    pub at: Instant,
    /// The bucket or database.
    pub bucket: String,
    /// How many lines it had.
    pub lines: usize,
    /// What was answered.
    pub status: u16,
}

/// A point as it was last written.
#[derive(Clone, Debug)]
struct Stored {
    fields: String,
    first: Instant,
    times: usize,
}

type Script = Box<dyn Fn(&Write<'_>) -> Reply + Send>;

/// The server; it ends with this value.
#[derive(Debug)]
pub struct StandIn {
    url: String,
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

struct Inner {
    script: Script,
    version: &'static str,
    journal: Vec<Entry>,
    /// Points by bucket, then by series and time.
    points: HashMap<String, BTreeMap<(String, i64), Stored>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("writes", &self.journal.len())
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// 204: all is kept.
    pub fn stored() -> Self {
        Self {
            status: 204,
            body: String::new(),
            retry_after: None,
            kept: Kept::All,
            after: Duration::ZERO,
        }
    }

    /// A refusal of the whole in the form of InfluxDB 2.
    pub fn refusal(status: u16, message: &str) -> Self {
        Self {
            status,
            body: json!({"code": "invalid", "message": message}).to_string(),
            kept: Kept::Nothing,
            ..Self::stored()
        }
    }

    /// The same after some time.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

impl StandIn {
    /// Starts one that says that it is InfluxDB 2.7.12 and takes everything.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        Self::of_version("2.7.12").await
    }

    /// As [`StandIn::start`], with another version in its headers.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn of_version(version: &'static str) -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            script: Box::new(|_| Reply::stored()),
            version,
            journal: Vec::new(),
            points: HashMap::new(),
        }));
        let routes = Router::new()
            .route("/ping", get(ping))
            .route("/health", get(health))
            .route("/api/v2/write", post(write))
            .route("/write", post(write))
            .route("/api/v3/write_lp", post(write))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let task = tokio::spawn(async move {
            let ended = axum::serve(listener, routes).await;
            eprintln!("a stand-in for InfluxDB ended: {ended:?}");
        });
        Self {
            url: format!("http://{address}"),
            address,
            inner,
            task,
        }
    }

    /// A proxy before it, which can be closed.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn door(&self) -> Proxy {
        Proxy::start(self.address).await
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers by this from now on.
    pub fn script(&self, script: impl Fn(&Write<'_>) -> Reply + Send + 'static) {
        self.lock().script = Box::new(script);
    }

    /// Takes everything from now on.
    pub fn heal(&self) {
        self.script(|_| Reply::stored());
    }

    /// Every write so far.
    pub fn journal(&self) -> Vec<Entry> {
        self.lock().journal.clone()
    }

    /// How many points a bucket holds.
    pub fn count(&self, bucket: &str) -> usize {
        self.lock().points.get(bucket).map_or(0, BTreeMap::len)
    }

    /// The lines of a bucket, each point once.
    pub fn lines(&self, bucket: &str) -> Vec<String> {
        let inner = self.lock();
        let points = inner.points.get(bucket).into_iter().flatten();
        points
            .map(|((series, time), stored)| format!("{series} {} {time}", stored.fields))
            .collect()
    }

    /// The lines of a bucket, and when each was first kept.
    pub fn arrivals(&self, bucket: &str) -> Vec<(String, Instant)> {
        let inner = self.lock();
        let points = inner.points.get(bucket).into_iter().flatten();
        points
            .map(|((series, time), stored)| {
                (format!("{series} {} {time}", stored.fields), stored.first)
            })
            .collect()
    }

    /// How many points were kept more than once.
    pub fn repeated(&self) -> usize {
        let inner = self.lock();
        let points = inner.points.values().flat_map(BTreeMap::values);
        points.filter(|stored| stored.times > 1).count()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

fn version(inner: &Mutex<Inner>) -> &'static str {
    inner.lock().unwrap_or_else(PoisonError::into_inner).version
}

async fn ping(State(inner): Shared) -> Response {
    let version = version(&inner);
    let build = if version.starts_with('3') {
        "Core"
    } else {
        "OSS"
    };
    let headers = [("x-influxdb-version", version), ("x-influxdb-build", build)];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn health(State(inner): Shared) -> Response {
    let version = version(&inner);
    axum::Json(json!({"name": "influxdb", "status": "pass", "version": format!("v{version}")}))
        .into_response()
}

async fn write(
    State(inner): Shared,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let at = Instant::now();
    let named = query.get("bucket").or_else(|| query.get("db"));
    let bucket = named.cloned().unwrap_or_default();
    let Ok(text) = unpacked(&headers, &body) else {
        return (StatusCode::BAD_REQUEST, "the body is no text").into_response();
    };
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let reply = {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.answer(at, bucket, &lines)
    };
    tokio::time::sleep(reply.after).await;
    let status = StatusCode::from_u16(reply.status).expect("a test scripts a valid status");
    let mut response = (status, reply.body).into_response();
    if let Some(seconds) = reply.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

fn unpacked(headers: &HeaderMap, body: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    let encoding = headers.get("content-encoding");
    if encoding.is_some_and(|encoding| encoding == "gzip") {
        flate2::read::GzDecoder::new(body).read_to_string(&mut text)?;
    } else {
        std::io::Cursor::new(body).read_to_string(&mut text)?;
    }
    Ok(text)
}

impl Inner {
    fn answer(&mut self, at: Instant, bucket: String, lines: &[String]) -> Reply {
        let before = self.journal.iter().filter(|entry| entry.bucket == bucket);
        let reply = (self.script)(&Write {
            number: before.count(),
            bucket: &bucket,
            lines,
        });
        let points = self.points.entry(bucket.clone()).or_default();
        for (place, line) in lines.iter().enumerate() {
            let kept = match &reply.kept {
                Kept::All => true,
                Kept::Nothing => false,
                Kept::AllBut(places) => !places.contains(&place),
            };
            if let Some((key, fields)) = point(line).filter(|_| kept) {
                let fresh = Stored {
                    fields: fields.clone(),
                    first: at,
                    times: 0,
                };
                let stored = points.entry(key).or_insert(fresh);
                stored.fields = fields;
                stored.times += 1;
            }
        }
        self.journal.push(Entry {
            at,
            bucket,
            lines: lines.len(),
            status: reply.status,
        });
        reply
    }
}

/// Series and time, and the fields: of lines whose names and values hold no space.
fn point(line: &str) -> Option<((String, i64), String)> {
    let (series, rest) = line.split_once(' ')?;
    let (fields, time) = rest.rsplit_once(' ')?;
    Some(((series.to_owned(), time.parse().ok()?), fields.to_owned()))
}
