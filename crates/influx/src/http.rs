//! A shard over HTTP: the write path of our own, and `influxdb2` for buckets and queries.

use crate::client::{call_client, chain, parse_base, refuse, write_client};
use crate::{Answer, InfluxError, Payload, Point, Product, Retry, WriteVerdict, classify, flux};
use bytes::Bytes;
use futures_util::FutureExt as _;
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::api::query::FluxRecord;
use influxdb2::models::{PostBucketRequest, Query};
use model::Timestamp;
use reqwest::header::{CONTENT_ENCODING, DATE, HeaderName, RETRY_AFTER};
use runtime::Secret;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// A longer answer than this is not read: what it says is for a person.
const ANSWER_BYTES: usize = 16 * 1024;

/// How to reach a shard over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpShard {
    /// Base URL, such as `http://influx-1:8086`.
    pub url: String,
    /// The organization that owns the buckets.
    pub org: String,
    /// The token, with a right to write (and to make buckets, where those are made here).
    pub token: Secret,
    /// Whether a missing bucket is made.
    pub create_buckets: bool,
    /// Whether bodies are sent in gzip.
    pub gzip: bool,
    /// The time to connect in.
    pub connect_timeout: Duration,
    /// The time for a whole request.
    pub request_timeout: Duration,
}

impl HttpShard {
    /// A shard with the usual limits: gzip, 5 s to connect, 30 s in all, buckets are made.
    pub fn new(url: impl Into<String>, org: impl Into<String>, token: Secret) -> Self {
        Self {
            url: url.into(),
            org: org.into(),
            token,
            create_buckets: true,
            gzip: true,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// The clients of one shard.
#[derive(Debug)]
pub(crate) struct Http {
    url: String,
    org: String,
    create_buckets: bool,
    gzip: bool,
    write_to: reqwest::Url,
    writes: reqwest::Client,
    calls: influxdb2::Client,
}

impl Http {
    pub(crate) fn new(config: &HttpShard) -> Result<Self, InfluxError> {
        let url = config.url.trim_end_matches('/').to_owned();
        let base = parse_base(&url)?;
        let mut write_to = base
            .join("/api/v2/write")
            .map_err(|error| refuse(&url, error))?;
        write_to
            .query_pairs_mut()
            .append_pair("org", &config.org)
            .append_pair("precision", "ns");
        Ok(Self {
            writes: write_client(config)?,
            calls: call_client(config, &url)?,
            org: config.org.clone(),
            create_buckets: config.create_buckets,
            gzip: config.gzip,
            write_to,
            url,
        })
    }

    pub(crate) fn describe(&self) -> &str {
        &self.url
    }

    pub(crate) async fn write(&self, bucket: &str, payload: &Payload) -> WriteVerdict {
        let mut url = self.write_to.clone();
        url.query_pairs_mut().append_pair("bucket", bucket);
        let request = self.writes.post(url);
        let request = if self.gzip {
            request
                .header(CONTENT_ENCODING, "gzip")
                .body(payload.gzip())
        } else {
            request.body(payload.body().clone())
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return unreachable_verdict(&error),
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
        let body = read_some(answer).await;
        classify(&Answer {
            status,
            body: &String::from_utf8_lossy(&body),
            retry_after: retry_after.as_deref(),
            date: date.as_deref(),
        })
    }

    pub(crate) async fn ping(&self) -> Result<Product, InfluxError> {
        let answer = self
            .writes
            .get(format!("{}/ping", self.url))
            .send()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        if answer.status().is_server_error() {
            return Err(self.unreachable(&format!("status {}", answer.status())));
        }
        let header = |name| answer.headers().get(name)?.to_str().ok();
        Ok(Product::from_headers(
            header("x-influxdb-version"),
            header("x-influxdb-build"),
        ))
    }

    pub(crate) async fn ensure_bucket(&self, bucket: &str) -> Result<(), InfluxError> {
        if self.has_bucket(bucket).await? {
            return Ok(());
        }
        if !self.create_buckets {
            return Err(InfluxError::NoBucket {
                shard: self.url.clone(),
                bucket: bucket.to_owned(),
            });
        }
        let org = self.organization().await?;
        let request = PostBucketRequest::new(org, bucket.to_owned());
        let what = format!("create bucket `{bucket}`");
        match self
            .call(&what, self.calls.create_bucket(Some(request)))
            .await
        {
            Ok(()) => {
                tracing::info!(shard = self.url, bucket, "bucket created");
                Ok(())
            }
            // Another writer may have been faster.
            Err(error) => match self.has_bucket(bucket).await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(error),
            },
        }
    }

    async fn has_bucket(&self, bucket: &str) -> Result<bool, InfluxError> {
        let request = ListBucketsRequest {
            name: Some(bucket.to_owned()),
            org: Some(self.org.clone()),
            after: None,
            id: None,
            limit: None,
            offset: None,
            org_id: None,
        };
        let listed = contained(self.calls.list_buckets(Some(request))).await;
        match listed {
            Ok(Ok(found)) => Ok(found.buckets.iter().any(|found| found.name == bucket)),
            // Asked for by name, a missing bucket is a 404 that names it; so is a missing
            // organization.
            Ok(Err(influxdb2::RequestError::Http { status, text }))
                if status.as_u16() == 404 && text.contains("bucket") =>
            {
                Ok(false)
            }
            Ok(Err(error)) => Err(self.failed(&format!("look for bucket `{bucket}`"), error)),
            Err(panic) => Err(self.unreadable(panic)),
        }
    }

    async fn organization(&self) -> Result<String, InfluxError> {
        let request = ListOrganizationRequest {
            org: Some(self.org.clone()),
            descending: None,
            limit: None,
            offset: None,
            org_id: None,
            user_id: None,
        };
        let what = format!("look for organization `{}`", self.org);
        let found = self
            .call(&what, self.calls.list_organizations(request))
            .await?;
        found
            .orgs
            .into_iter()
            .find(|org| org.name == self.org)
            .and_then(|org| org.id)
            .ok_or_else(|| InfluxError::Refused {
                shard: self.url.clone(),
                what,
                reason: "there is none, or the token may not see it".to_owned(),
            })
    }

    pub(crate) async fn points(
        &self,
        bucket: &str,
        measurement: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Point>, InfluxError> {
        let records = self
            .query(flux::points(bucket, measurement, from, to))
            .await?;
        Ok(flux::collect(measurement, records))
    }

    pub(crate) async fn count(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, InfluxError> {
        let records = self.query(flux::count(bucket, from, to)).await?;
        Ok(flux::counted(&records))
    }

    async fn query(&self, flux: String) -> Result<Vec<FluxRecord>, InfluxError> {
        self.call(
            "answer a query",
            self.calls.query_raw(Some(Query::new(flux))),
        )
        .await
    }

    /// One call of `influxdb2`, whose panics on odd answers become errors.
    async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, influxdb2::RequestError>>,
    ) -> Result<T, InfluxError> {
        match contained(call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(what, error)),
            Err(panic) => Err(self.unreadable(panic)),
        }
    }

    fn failed(&self, what: &str, error: influxdb2::RequestError) -> InfluxError {
        match error {
            influxdb2::RequestError::ReqwestProcessing { source } => {
                self.unreachable(&chain(&source))
            }
            influxdb2::RequestError::Http { status, text } if status.is_server_error() => {
                self.unreachable(&format!("status {status}: {}", text.trim()))
            }
            influxdb2::RequestError::Http { status, text } => InfluxError::Refused {
                shard: self.url.clone(),
                what: what.to_owned(),
                reason: format!("status {status}: {}", text.trim()),
            },
            other => self.unreadable(other.to_string()),
        }
    }

    fn unreachable(&self, reason: &str) -> InfluxError {
        InfluxError::Unreachable {
            shard: self.url.clone(),
            reason: reason.to_owned(),
        }
    }

    fn unreadable(&self, reason: String) -> InfluxError {
        InfluxError::Unreadable {
            shard: self.url.clone(),
            reason,
        }
    }
}

/// Runs a call and turns its panic into the panic's text.
async fn contained<T>(call: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(call)
        .catch_unwind()
        .await
        .map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!(
                "the client library panicked: {}",
                text.unwrap_or("without a text")
            )
        })
}

fn unreachable_verdict(error: &reqwest::Error) -> WriteVerdict {
    WriteVerdict::Later {
        why: Retry::Unreachable,
        after: None,
        reason: chain(error),
    }
}

/// The beginning of an answer's body; what cannot be read any more is left out.
async fn read_some(mut answer: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let chunk: Bytes = chunk;
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES - body.len())]);
        if body.len() == ANSWER_BYTES {
            break;
        }
    }
    body
}
