//! A shard that answers as told and remembers what it took.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use runtime::{Context, HttpServer, Routes, Rule, Shutdown, Tasks};
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It takes every line.
    Good,
    /// It answers with this status and takes nothing.
    Status(u16),
    /// It takes the lines and never says so.
    Swallow,
    /// It refuses a body that holds a line with `poison`, whole.
    Picky,
    /// It leaves out the lines with `poison`, and says 422.
    Partial,
    /// It says 413 to more than so many lines.
    Small(usize),
    /// It has no bucket `acme`, and no way to make one.
    NoBucket,
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
    _tasks: Tasks,
}

struct Inner {
    mode: Mode,
    taken: Vec<String>,
    requests: usize,
    buckets: Vec<String>,
}

impl Fake {
    pub(crate) async fn start(mode: Mode) -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            mode,
            taken: Vec::new(),
            requests: 0,
            buckets: Vec::new(),
        }));
        let routes = Routes::new()
            .post("/api/v2/write", Rule::Anybody, write)
            .kept_by_handlers()
            .with_state(inner.clone());
        let ctx = Context::new(Shutdown::new());
        let server = HttpServer::bind(&ctx, ([127, 0, 0, 1], 0).into(), None)
            .await
            .unwrap();
        let url = format!("http://{}", server.address());
        let tasks = ctx.tasks.clone();
        server.serve("fake shard", routes);
        Self {
            url,
            inner,
            _tasks: tasks,
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.inner.lock().unwrap().mode = mode;
    }

    /// Every line taken, repeats included, in the order of taking.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.inner.lock().unwrap().taken.clone()
    }

    /// The different lines taken, sorted.
    pub(crate) fn distinct(&self) -> Vec<String> {
        let mut lines = self.taken();
        lines.sort();
        lines.dedup();
        lines
    }

    pub(crate) fn requests(&self) -> usize {
        self.inner.lock().unwrap().requests
    }

    pub(crate) fn buckets(&self) -> Vec<String> {
        let mut buckets = self.inner.lock().unwrap().buckets.clone();
        buckets.dedup();
        buckets
    }
}

async fn write(
    State(inner): State<Arc<Mutex<Inner>>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut text = String::new();
    if headers
        .get("content-encoding")
        .is_some_and(|value| value == "gzip")
    {
        flate2::read::GzDecoder::new(&body[..])
            .read_to_string(&mut text)
            .unwrap();
    } else {
        text = String::from_utf8(body.to_vec()).unwrap();
    }
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (mode, answer) = {
        let mut inner = inner.lock().unwrap();
        inner.requests += 1;
        inner.buckets.push(query["bucket"].clone());
        let mode = inner.mode;
        (mode, inner.answer(lines))
    };
    if mode == Mode::Swallow {
        std::future::pending::<()>().await;
    }
    answer
}

impl Inner {
    fn answer(&mut self, lines: Vec<String>) -> Response {
        let bad = |line: &String| line.contains("poison");
        let say = |status: u16, message: &str| {
            let body = format!("{{\"code\":\"x\",\"message\":\"{message}\"}}");
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        };
        match self.mode {
            Mode::Good | Mode::Swallow => {
                self.taken.extend(lines);
                StatusCode::NO_CONTENT.into_response()
            }
            Mode::Status(status) => say(status, "as told"),
            Mode::Picky if lines.iter().any(bad) => say(400, "unable to parse: poison"),
            Mode::Partial if lines.iter().any(bad) => {
                self.taken
                    .extend(lines.into_iter().filter(|line| !bad(line)));
                say(422, "partial write: field type conflict dropped=1")
            }
            Mode::Small(most) if lines.len() > most => say(413, "too large"),
            Mode::NoBucket => say(404, "bucket \\\"acme\\\" not found"),
            Mode::Picky | Mode::Partial | Mode::Small(_) => {
                self.taken.extend(lines);
                StatusCode::NO_CONTENT.into_response()
            }
        }
    }
}
