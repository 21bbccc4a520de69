//! One write in the words of each product.

use crate::client::{chain, refuse};
use crate::http::Http;
use crate::tagged::{Tagged, tag};
use crate::{
    Answer, BadLine, Dialect, HttpShard, InfluxError, Payload, Retry, WriteVerdict, classify,
};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, DATE, HeaderName, RETRY_AFTER};

/// A longer answer than this is not read: what it says is for a person.
pub(crate) const ANSWER_BYTES: usize = 16 * 1024;
/// Version 3 names the bad lines of a partial write in its answer.
const NAMES_BYTES: usize = 4 << 20;
/// What version 3 takes in one write, measured behind gzip.
const V3_BYTES: usize = 10 << 20;
const V3_LINES: usize = 10_000;

/// Where writes go, by product.
#[derive(Debug)]
pub(crate) struct Addresses {
    v1: reqwest::Url,
    v2: reqwest::Url,
    v3: reqwest::Url,
}

impl Addresses {
    pub(crate) fn new(base: &reqwest::Url, config: &HttpShard) -> Result<Self, InfluxError> {
        let address = |path: &str, pairs: &[(&str, &str)]| {
            let mut url = base
                .join(path)
                .map_err(|error| refuse(&config.url, error))?;
            url.query_pairs_mut().extend_pairs(pairs);
            Ok(url)
        };
        let database = config.database.as_str();
        Ok(Self {
            v1: address("/write", &[("precision", "ns")])?,
            v2: address(
                "/api/v2/write",
                &[("org", config.org.as_str()), ("precision", "ns")],
            )?,
            v3: address(
                "/api/v3/write_lp",
                &[
                    ("db", database),
                    ("precision", "nanosecond"),
                    ("accept_partial", "true"),
                ],
            )?,
        })
    }

    fn of(&self, dialect: Dialect, bucket: &str) -> reqwest::Url {
        let with = |url: &reqwest::Url, key| {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair(key, bucket);
            url
        };
        match dialect {
            Dialect::V1 => with(&self.v1, "db"),
            Dialect::V2 => with(&self.v2, "bucket"),
            Dialect::V3 => self.v3.clone(),
        }
    }
}

impl Http {
    pub(crate) async fn write(&self, bucket: &str, payload: &Payload) -> WriteVerdict {
        let verdict = match self.dialect().await {
            Err(error) => later(Retry::Unreachable, error.to_string()),
            Ok(Dialect::V3) => self.write_v3(bucket, payload).await,
            Ok(dialect) => self.post(dialect, bucket, payload).await,
        };
        if matches!(
            verdict,
            WriteVerdict::Later {
                why: Retry::Misconfigured,
                ..
            }
        ) {
            // Another product may stand there now.
            self.forget_dialect();
        }
        verdict
    }

    /// Tenants share the database, so each line says whose it is.
    async fn write_v3(&self, tenant: &str, payload: &Payload) -> WriteVerdict {
        let Some(tagged) = tag(&payload.body(), payload.lines(), tenant) else {
            return WriteVerdict::Rejected {
                reason: "the lines cannot be told apart".to_owned(),
            };
        };
        if tagged.body.len() > V3_BYTES || payload.lines() > V3_LINES {
            return WriteVerdict::TooLarge {
                reason: format!("InfluxDB 3 takes {V3_LINES} lines and {V3_BYTES} bytes a write"),
            };
        }
        if tagged.lines.is_empty() {
            return WriteVerdict::Named { bad: tagged.bad };
        }
        let payload = Payload::new(tagged.body.clone(), tagged.lines.len());
        let verdict = self.post(Dialect::V3, tenant, &payload).await;
        with_own(verdict, tagged)
    }

    async fn post(&self, dialect: Dialect, bucket: &str, payload: &Payload) -> WriteVerdict {
        let request = self.writes.post(self.addresses.of(dialect, bucket));
        let request = self.authorize(dialect, request);
        let request = if self.gzip {
            request
                .header(CONTENT_ENCODING, "gzip")
                .body(payload.gzip())
        } else {
            request.body(payload.to_request())
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return later(Retry::Unreachable, chain(&error)),
        };
        let status = answer.status().as_u16();
        if status == 204 {
            return WriteVerdict::Stored;
        }
        let header = |name: HeaderName| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (retry_after, date) = (header(RETRY_AFTER), header(DATE));
        let names = dialect == Dialect::V3 && status == 400;
        let body = read_some(answer, if names { NAMES_BYTES } else { ANSWER_BYTES }).await;
        let answer = Answer {
            status,
            body: &String::from_utf8_lossy(&body),
            retry_after: retry_after.as_deref(),
            date: date.as_deref(),
        };
        classify(dialect, &answer, payload.lines())
    }

    /// The client sends the token in the form of version 2 by itself.
    pub(crate) fn authorize(
        &self,
        dialect: Dialect,
        request: reqwest::RequestBuilder,
    ) -> reqwest::RequestBuilder {
        let token = self.token.expose();
        match dialect {
            _ if token.is_empty() => request,
            Dialect::V2 => request,
            Dialect::V3 => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Dialect::V1 => match token.split_once(':') {
                Some((user, password)) => request.basic_auth(user, Some(password)),
                None => request.header(AUTHORIZATION, format!("Bearer {token}")),
            },
        }
    }
}

/// What the server said about the lines it was sent, as said about the lines there were.
fn with_own(verdict: WriteVerdict, tagged: Tagged) -> WriteVerdict {
    let theirs = match verdict {
        WriteVerdict::Named { bad } => bad,
        WriteVerdict::Stored => Vec::new(),
        // Nothing is known of single lines; those of our own are found again with the next write.
        other => return other,
    };
    let mut bad = tagged.bad;
    bad.extend(theirs.into_iter().map(|named| BadLine {
        line: tagged.lines.get(named.line).copied().unwrap_or_default(),
        ..named
    }));
    bad.sort_by_key(|bad| bad.line);
    if bad.is_empty() {
        WriteVerdict::Stored
    } else {
        WriteVerdict::Named { bad }
    }
}

fn later(why: Retry, reason: String) -> WriteVerdict {
    WriteVerdict::Later {
        why,
        after: None,
        reason,
    }
}

/// The beginning of an answer's body; what cannot be read any more is left out.
pub(crate) async fn read_some(mut answer: reqwest::Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let chunk: Bytes = chunk;
        body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]);
        if body.len() == most {
            break;
        }
    }
    body
}
