//! A shard over HTTP: the write path of our own, and `influxdb2` for buckets and queries.

use crate::client::{call_client, chain, parse_base, write_client};
use crate::writing::Addresses;
use crate::{Dialect, InfluxError, Point, Product, flux};
use futures_util::FutureExt as _;
use influxdb2::api::query::FluxRecord;
use influxdb2::models::Query;
use model::Timestamp;
use runtime::Secret;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How to reach a shard over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpShard {
    /// Base URL, such as `http://influx-1:8086`.
    pub url: String,
    /// The organization that owns the buckets.
    pub org: String,
    /// The database of all tenants, on InfluxDB 3.
    pub database: String,
    /// The token, with a right to write (and to make buckets, where those are made here);
    /// `user:password` on InfluxDB 1. Empty where the server asks for none.
    pub token: Secret,
    /// What it is; none to ask it.
    pub dialect: Option<Dialect>,
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
            database: "bongsu".to_owned(),
            token,
            dialect: None,
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
    pub(crate) url: String,
    pub(crate) org: String,
    pub(crate) database: String,
    pub(crate) token: Secret,
    pub(crate) create_buckets: bool,
    pub(crate) gzip: bool,
    pub(crate) addresses: Addresses,
    pub(crate) writes: reqwest::Client,
    /// Made when it is first needed, with the certificates of the system: some megabytes that most shards never need.
    calls: OnceLock<influxdb2::Client>,
    config: HttpShard,
    given: Option<Dialect>,
    found: Mutex<Option<Dialect>>,
}

impl Http {
    pub(crate) fn new(config: &HttpShard) -> Result<Self, InfluxError> {
        let url = config.url.trim_end_matches('/').to_owned();
        let base = parse_base(&url)?;
        Ok(Self {
            writes: write_client(config)?,
            calls: OnceLock::new(),
            config: config.clone(),
            addresses: Addresses::new(&base, config)?,
            org: config.org.clone(),
            database: config.database.clone(),
            token: config.token.clone(),
            create_buckets: config.create_buckets,
            gzip: config.gzip,
            given: config.dialect,
            found: Mutex::new(None),
            url,
        })
    }

    /// The client for buckets and queries.
    pub(crate) fn calls(&self) -> Result<&influxdb2::Client, InfluxError> {
        if let Some(made) = self.calls.get() {
            return Ok(made);
        }
        let made = call_client(&self.config, &self.url)?;
        Ok(self.calls.get_or_init(|| made))
    }

    /// How it is spoken to: as configured, or as it says itself, asked once.
    pub(crate) async fn dialect(&self) -> Result<Dialect, InfluxError> {
        let known = self
            .given
            .or_else(|| *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        match known {
            Some(dialect) => Ok(dialect),
            None => Ok(self.ping().await?.dialect()),
        }
    }

    /// It answers as nothing that is known of it: it is asked again what it is.
    pub(crate) fn forget_dialect(&self) {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    pub(crate) fn describe(&self) -> &str {
        &self.url
    }

    pub(crate) async fn ping(&self) -> Result<Product, InfluxError> {
        let request = self.writes.get(format!("{}/ping", self.url));
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        if answer.status().is_server_error() {
            return Err(self.unreachable(&format!("status {}", answer.status())));
        }
        let header = |name| answer.headers().get(name)?.to_str().ok();
        let product =
            Product::from_headers(header("x-influxdb-version"), header("x-influxdb-build"));
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(product.dialect());
        Ok(product)
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

    pub(crate) async fn measurements(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, InfluxError> {
        let records = self.query(flux::measurements(bucket, from, to)).await?;
        Ok(flux::named(&records))
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
            self.calls()?.query_raw(Some(Query::new(flux))),
        )
        .await
    }

    /// One call of `influxdb2`, whose panics on odd answers become errors.
    pub(crate) async fn call<T>(
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

    pub(crate) fn failed(&self, what: &str, error: influxdb2::RequestError) -> InfluxError {
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

    pub(crate) fn unreachable(&self, reason: &str) -> InfluxError {
        InfluxError::Unreachable {
            shard: self.url.clone(),
            reason: reason.to_owned(),
        }
    }

    pub(crate) fn unreadable(&self, reason: String) -> InfluxError {
        InfluxError::Unreadable {
            shard: self.url.clone(),
            reason,
        }
    }
}

/// Runs a call and turns its panic into the panic's text.
pub(crate) async fn contained<T>(call: impl Future<Output = T>) -> Result<T, String> {
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
