//! The notifiers as people and scripts see them: API, Slack's address, the command line.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::Value;
use tests::slack::Press;
use tests::{Bongsu, wait, web};

/// The notifiers of a site. Each request goes to the next of them.
#[derive(Debug)]
pub(crate) struct Console {
    urls: Vec<String>,
    client: reqwest::Client,
    next: AtomicUsize,
}

impl Console {
    pub(crate) fn new(urls: Vec<String>) -> Self {
        Self {
            urls,
            client: web::client(),
            next: AtomicUsize::new(0),
        }
    }

    /// The base URL of the next of them.
    pub(crate) fn url(&self) -> &str {
        &self.urls[self.next.fetch_add(1, Ordering::Relaxed) % self.urls.len()]
    }

    /// The incidents of a tenant, whatever their state, each with its timeline and deliveries.
    pub(crate) async fn incidents(&self, tenant: &str) -> Result<Vec<Value>> {
        self.listed(&format!("tenant={tenant}")).await
    }

    /// As [`Console::incidents`], of all tenants, the one opened last first.
    pub(crate) async fn all(&self) -> Result<Vec<Value>> {
        self.listed("").await
    }

    async fn listed(&self, query: &str) -> Result<Vec<Value>> {
        let list = self.get(&format!("incidents?limit=500&{query}")).await?;
        let list = list["incidents"]
            .as_array()
            .context("a list has incidents")?;
        let mut incidents = Vec::new();
        for incident in list {
            incidents.push(
                self.get(&format!("incidents/{}", text(incident, "id")))
                    .await?,
            );
        }
        Ok(incidents)
    }

    /// Waits for an incident of the tenant about `host` that `wanted` says yes to; there must never be a second.
    pub(crate) async fn wait_for(
        &self,
        tenant: &str,
        host: &str,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut seen = Vec::new();
        let found = wait::until(deadline, async || {
            seen = self.incidents(tenant).await?;
            let mut of_host = seen
                .iter()
                .filter(|incident| incident["group"]["host"] == host);
            let first = of_host.next();
            ensure!(
                of_host.next().is_none(),
                "{host} has more than one incident"
            );
            Ok(first.filter(|incident| wanted(incident)).cloned())
        })
        .await;
        found.unwrap_or_else(|error| {
            panic!("no incident of {tenant} about {host} that is {what}: {error:#}\n{seen:#?}")
        })
    }

    /// Slack delivers a button press to the next notifier.
    pub(crate) async fn press(&self, press: &Press) -> Result<StatusCode> {
        Ok(press
            .send(&format!("{}/slack/interactions", self.url()))
            .await?
            .0)
    }

    /// `bongsu incident ...`, its JSON.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["incident"];
        all.extend(arguments);
        all.extend(["-o", "json", "--api", self.url()]);
        let printed = Bongsu::run(&all, &[]).expect("the command succeeds");
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{all:?} printed no JSON: {error}\n{printed}"))
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}/api/v1/{path}", self.url());
        let answer = self.client.get(&url).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status == StatusCode::OK, "{url} answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

/// A field of the API as text; empty where it has none.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
