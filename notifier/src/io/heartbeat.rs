//! The sign of life to a dead-man's switch outside: sent only while the notifier's own parts are content, so that its
//! silence says what no message of a broken notifier could say.

use super::channel::ChannelError;
use super::channel::web::{client, secret};
use crate::config;
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use model::{Span, Timestamp};
use reqwest::{Client, Url};
use runtime::{Clock, Shutdown};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// After a call that failed the next one comes at the latest after this.
const AGAIN: Duration = Duration::from_secs(5);

/// What calls the switch.
pub struct Heartbeat {
    client: Client,
    url: Url,
    every: Span,
    pulse: Arc<Pulse>,
    metrics: Metrics,
    clock: Clock,
}

impl Heartbeat {
    /// Reads the address.
    pub fn new(
        config: &config::Heartbeat,
        pulse: Arc<Pulse>,
        metrics: Metrics,
        clock: Clock,
    ) -> Result<Self, ChannelError> {
        let url = secret("heartbeat", &config.url_file)?;
        let wrong = |reason: String| ChannelError::Config {
            channel: "heartbeat",
            reason,
        };
        // The address may be a secret: it is not said.
        let url = Url::parse(url.expose().trim())
            .map_err(|error| wrong(format!("`url_file` holds no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(
                "the address must begin with http:// or https://".to_owned(),
            ));
        }
        Ok(Self {
            client: client()?,
            url,
            every: config.every,
            pulse,
            metrics,
            clock,
        })
    }

    /// Calls until the order to stop.
    pub async fn run(self, order: Shutdown) -> Result<(), Infallible> {
        let mut well = true;
        loop {
            let now = Timestamp::from_nanos(self.clock.now_nanos());
            let beat = match self.pulse.content(now) {
                Ok(()) => self.call().await.map_err(|why| ("failed", why)),
                Err(why) => Err(("withheld", why)),
            };
            let pause = match &beat {
                Ok(()) => self.every.to_std(),
                Err(_) => self.every.to_std().min(AGAIN),
            };
            self.metrics.heartbeat(match &beat {
                Ok(()) => "sent",
                Err((result, _)) => result,
            });
            let is_well = beat.is_ok();
            match beat {
                Err((result, why)) if well => {
                    tracing::warn!(result, "no sign of life goes out: {why}");
                }
                Ok(()) if !well => tracing::info!("signs of life go out again"),
                _ => {}
            }
            well = is_well;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = order.begun() => return Ok(()),
            }
        }
    }

    async fn call(&self) -> Result<(), String> {
        let answer = self.client.post(self.url.clone()).send().await;
        let answer = answer.map_err(|error| error.without_url().to_string())?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("the dead-man's switch answers {status}")),
        }
    }
}
