//! How channels speak HTTP: one client without redirects and with time-outs, and what a failure
//! means.

use super::guard::{Guard, Inside};
use crate::core::Outcome;
use model::Span;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Response, StatusCode, redirect};
use std::sync::Arc;
use std::time::Duration;

/// To reach the provider at all.
const CONNECT: Duration = Duration::from_secs(3);
/// For the whole exchange; shorter than the sender's own time-out, which could say less about it.
const EXCHANGE: Duration = Duration::from_secs(8);
/// An idle connection is dropped before providers drop it, since a request on a connection that is
/// just being closed has an unknown outcome.
const IDLE: Duration = Duration::from_secs(15);
/// The longest answer that is read.
const ANSWER_BYTES: usize = 1 << 20;

/// Why a channel cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A secret cannot be read.
    #[error("{channel}: {source}")]
    Secret {
        /// The provider.
        channel: &'static str,
        /// What is wrong with it.
        source: runtime::secret::SecretError,
    },
    /// A value of the configuration does not fit.
    #[error("{channel}: {reason}")]
    Config {
        /// The provider.
        channel: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The HTTP client cannot be built, mostly for want of root certificates.
    #[error("cannot build the HTTP client (is the package ca-certificates installed?): {0}")]
    Client(reqwest::Error),
}

/// The secret in a file of a provider's configuration.
pub(crate) fn secret(
    channel: &'static str,
    path: &std::path::Path,
) -> Result<runtime::Secret, ChannelError> {
    runtime::Secret::from_file(path).map_err(|source| ChannelError::Secret { channel, source })
}

/// The client of a channel.
pub(crate) fn client() -> Result<Client, ChannelError> {
    builder().build().map_err(ChannelError::Client)
}

/// The client of a channel whose addresses are not a provider's own.
pub(super) fn guarded(guard: Guard) -> Result<Client, ChannelError> {
    let resolves = Arc::new(guard);
    // A proxy would look names up again, and reach what we do not.
    let guarded = builder().no_proxy().dns_resolver(resolves).build();
    guarded.map_err(ChannelError::Client)
}

fn builder() -> ClientBuilder {
    runtime::tls::install_provider();
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(EXCHANGE)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("bongsu/", env!("CARGO_PKG_VERSION")))
}

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Reads an answer, or says what its loss means for something that must not happen twice.
    pub(super) async fn of(sent: Result<Response, reqwest::Error>) -> Result<Self, Outcome> {
        let mut response = sent.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                let reason = format!("{status} with an answer of more than 1 MiB");
                return Err(Outcome::Unknown { reason });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    /// What a status that is not the provider's way to say yes means.
    pub(super) fn refusal(&self, said: &str) -> Outcome {
        let reason = match said {
            "" => self.status.to_string(),
            said => format!("{}: {said}", self.status),
        };
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Outcome::Retry {
                after: self.retry_after(),
                reason,
            },
            // The request did not arrive whole.
            StatusCode::REQUEST_TIMEOUT => Outcome::Retry {
                after: None,
                reason,
            },
            status if status.is_client_error() || status.is_redirection() => {
                Outcome::Refused { reason }
            }
            // Something behind the gateway may have been done.
            _ => Outcome::Unknown { reason },
        }
    }

    /// `Retry-After` in seconds, at most an hour.
    pub(super) fn retry_after(&self) -> Option<Span> {
        let seconds: i64 = self
            .headers
            .get(RETRY_AFTER)?
            .to_str()
            .ok()?
            .trim()
            .parse()
            .ok()?;
        Some(Span::from_secs(seconds.clamp(0, 3_600)))
    }
}

/// What a failed exchange means: nothing was sent when there was no connection, else nobody knows.
fn lost(error: &reqwest::Error) -> Outcome {
    if let Some(inside) = inside(error) {
        return Outcome::Refused {
            reason: inside.to_string(),
        };
    }
    let reason = chain(error);
    if error.is_connect() || error.is_builder() {
        Outcome::Retry {
            after: None,
            reason,
        }
    } else {
        Outcome::Unknown { reason }
    }
}

/// The guard's word, where it was the guard that ended it.
fn inside(error: &reqwest::Error) -> Option<&Inside> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(inside) = error.downcast_ref() {
            return Some(inside);
        }
        cause = error.source();
    }
    None
}

/// An error with its causes, without the address, which may hold a secret.
fn chain(error: &reqwest::Error) -> String {
    let what = match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection in time",
        (false, true) => "no connection",
        (true, false) => "no answer in time",
        (false, false) => "the exchange broke off",
    };
    let mut text = what.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
