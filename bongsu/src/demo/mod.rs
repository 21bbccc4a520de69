//! The demo: three tenants declared as a platform engineer would declare them, and hosts that report
//! through the router as Telegraf would. The services know nothing of it.

mod load;

use crate::failure::{Exit, Failure, Outcome};
use crate::tokens;
use load::{FLEETS, INTERVAL_SECS};
use model::{TenantId, Timestamp};
use runtime::{Context, OnEnd};
use schemas::catalogue::{Entry, parse_yaml};
use std::path::Path;
use std::time::Duration;

const CATALOGUE: &str = include_str!("../../demo/catalogue.yaml");

/// What the demo declares, and the tokens of its tenants in the order of [`FLEETS`].
pub(crate) struct Demo {
    pub(crate) entries: Vec<Entry>,
    tokens: Vec<String>,
}

impl Demo {
    /// Reads the demo's catalogue and its tokens, which are made at the first start and kept in `folder`.
    pub(crate) fn prepare(folder: &Path) -> Outcome<Self> {
        let located = parse_yaml("demo/catalogue.yaml", CATALOGUE).map_err(|errors| {
            let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Failure::new(Exit::Failed, text.join("\n"))
        })?;
        let mut entries: Vec<Entry> = located.into_iter().map(|located| located.value).collect();
        let mut tokens = Vec::new();
        for fleet in &FLEETS {
            let tenant = TenantId::parse(fleet.tenant)
                .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
            let token = kept_token(&folder.join(format!("{tenant}.token")), &tenant)?;
            for entry in &mut entries {
                if let Entry::Tenant(declared) = entry
                    && declared.tenant == tenant
                {
                    declared.tokens = vec![tokens::hashed(&token, "demo hosts")];
                }
            }
            tokens.push(token);
        }
        Ok(Self { entries, tokens })
    }

    /// Lets the hosts report to the router until the shutdown.
    pub(crate) fn start(self, router: &str, ctx: &Context) {
        let began = ctx.clock.now_nanos() / 1_000_000_000;
        // Each start begins with another host, so that two demos of a day do not look alike.
        let turn = began / 3600;
        for (fleet, token) in self.tokens.into_iter().enumerate() {
            let (clock, order) = (ctx.clock.clone(), ctx.tasks.shutdown().clone());
            let url = format!("{router}/api/v2/write?precision=ns");
            ctx.tasks.spawn("demo-hosts", OnEnd::Fine, async move {
                let client = own_client()?;
                let mut beat = tokio::time::interval(Duration::from_secs(INTERVAL_SECS as u64));
                beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                loop {
                    tokio::select! {
                        () = order.begun() => return Ok::<(), String>(()),
                        _ = beat.tick() => {}
                    }
                    let now = Timestamp::from_nanos(clock.now_nanos());
                    let since = now.as_nanos() / 1_000_000_000 - began;
                    let body: String = (0..FLEETS[fleet].hosts.len())
                        .map(|host| load::lines(fleet, host, turn, since, now))
                        .collect();
                    report(&client, &url, &token, body).await;
                }
            });
        }
    }
}

/// Sends one report. A failure is logged and passes: the next report follows in seconds, as with an agent.
async fn report(client: &reqwest::Client, url: &str, token: &str, body: String) {
    let sent = client
        .post(url)
        .header("authorization", format!("Token {token}"))
        .body(body)
        .send()
        .await;
    match sent {
        Ok(answer) if answer.status().is_success() => {}
        Ok(answer) => tracing::warn!(
            status = answer.status().as_u16(),
            "the router refused the demo's lines"
        ),
        Err(error) => tracing::warn!(%error, "the demo's lines did not reach the router"),
    }
}

/// A client for addresses on this machine and the notifier's API.
pub(crate) fn client() -> Result<reqwest::Client, String> {
    made(builder())
}

/// A client of a process for its own listeners: their certificates bear the names that others know them by, not the
/// address that the process itself has bound.
pub(crate) fn own_client() -> Result<reqwest::Client, String> {
    made(builder().tls_danger_accept_invalid_certs(true))
}

/// As [`client`], to be completed.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    runtime::tls::install_provider();
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(10))
}

/// The client, or why there is none.
pub(crate) fn made(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    builder
        .build()
        .map_err(|error| format!("cannot make an HTTP client: {error}"))
}

/// The token in the file, or a new one that is put there, readable by its owner alone.
fn kept_token(path: &Path, tenant: &TenantId) -> Outcome<String> {
    if let Ok(token) = std::fs::read_to_string(path) {
        return Ok(token.trim_end().to_owned());
    }
    let token = tokens::new_token(tenant)?;
    crate::parts::write_private(path, &token)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_declares_the_tenants_whose_hosts_it_plays() {
        let folder = tempfile::tempdir().unwrap();
        let first = Demo::prepare(folder.path()).unwrap();
        let second = Demo::prepare(folder.path()).unwrap();
        assert_eq!(
            first.tokens, second.tokens,
            "a second start has the same tokens"
        );
        for fleet in &FLEETS {
            let declared = first.entries.iter().any(|entry| {
                matches!(entry, Entry::Tenant(tenant)
                    if tenant.tenant.as_str() == fleet.tenant && tenant.tokens.len() == 1)
            });
            assert!(declared, "{}", fleet.tenant);
        }
    }
}
