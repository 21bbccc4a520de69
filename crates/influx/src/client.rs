//! HTTP clients of one shard, with every limit set.

use crate::{HttpShard, InfluxError};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

/// Idle connections that are kept to one shard.
const IDLE_CONNECTIONS: usize = 32;

pub(crate) fn parse_base(url: &str) -> Result<reqwest::Url, InfluxError> {
    let base = reqwest::Url::parse(url).map_err(|error| refuse(url, error))?;
    match (base.scheme(), base.host_str(), base.path()) {
        ("http" | "https", Some(_), "/") if base.query().is_none() => Ok(base),
        ("http" | "https", Some(_), _) => Err(refuse(
            url,
            "give scheme, host and port only, without a path",
        )),
        _ => Err(refuse(url, "it must start with http:// or https://")),
    }
}

pub(crate) fn refuse(url: &str, reason: impl ToString) -> InfluxError {
    InfluxError::Address {
        url: url.to_owned(),
        reason: reason.to_string(),
    }
}

pub(crate) fn write_client(config: &HttpShard) -> Result<reqwest::Client, InfluxError> {
    runtime::tls::install_provider();
    let mut headers = HeaderMap::new();
    if !config.token.expose().is_empty() {
        let mut token = HeaderValue::from_str(&format!("Token {}", config.token.expose()))
            .map_err(|_| InfluxError::Client("the token holds a character no header may".into()))?;
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
    }
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    reqwest::Client::builder()
        .default_headers(headers)
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| InfluxError::Client(chain(&error)))
}

pub(crate) fn call_client(config: &HttpShard, url: &str) -> Result<influxdb2::Client, InfluxError> {
    let transport = reqwest_of_influxdb2::Client::builder()
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .http1_only()
        .no_proxy();
    let builder =
        influxdb2::ClientBuilder::with_builder(transport, url, &config.org, config.token.expose());
    builder
        .build()
        .map_err(|error| InfluxError::Client(chain(&error)))
}

/// An error with its causes: an HTTP client keeps the one that matters at the end.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
