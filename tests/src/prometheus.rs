//! A real Prometheus that scrapes itself and sends what it finds by remote write.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::Process;
use crate::workdir::Workdir;
use crate::{installed, ports, web};

const START: Duration = Duration::from_secs(30);

/// A running Prometheus. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    url: String,
    client: reqwest::Client,
    _folder: Workdir,
}

impl Prometheus {
    /// Starts one that scrapes itself every second. `remote_write` is the list of that name, as YAML.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn start(remote_write: &str) -> Self {
        Self::with(&format!("remote_write:\n{remote_write}\n"), None).await
    }

    /// Starts one that evaluates these rules, a file of them as YAML. `alerting` is the section of that name.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub async fn alerting(alerting: &str, rules: &str) -> Self {
        let config = format!("rule_files: [rules.yml]\n{alerting}");
        Self::with(&config, Some(rules)).await
    }

    async fn with(more: &str, rules: Option<&str>) -> Self {
        let folder = Workdir::new("prometheus");
        let port = ports::free();
        let config = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs:\n\
             - job_name: prometheus\n\
             \x20 static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n\
             {more}"
        );
        if let Some(rules) = rules {
            folder.write("rules.yml", rules);
        }
        let config = folder.write("prometheus.yml", &config);
        let mut command = Command::new(installed::folder("prometheus").join("prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        if rules.is_some() {
            // What is sent before the first Alertmanager is discovered is lost; it is a minute until the next time.
            command.arg("--rules.alert.resend-delay=1s");
        }
        let process = Process::start("prometheus", command, folder.join("prometheus.log"));
        let mut prometheus = Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
            client: web::client(),
            _folder: folder,
        };
        let (url, client) = (format!("{}/-/ready", prometheus.url), web::client());
        prometheus
            .process
            .ready(START, async || {
                Ok(client.get(&url).send().await?.status().is_success())
            })
            .await;
        prometheus
    }

    /// Runs a PromQL query and returns `data.result`.
    ///
    /// # Errors
    /// When it is refused or not answered.
    pub async fn query(&self, promql: &str) -> Result<Vec<Value>> {
        let request = self.client.post(format!("{}/api/v1/query", self.url));
        let answer = request.form(&[("query", promql)]).send().await?;
        let answer: Value = answer.json().await?;
        ensure!(answer["status"] == "success", "{promql}: {answer}");
        let result = answer["data"]["result"].as_array();
        Ok(result.context("a list of series")?.clone())
    }

    /// The end of its log, for messages.
    pub fn tail(&self) -> String {
        self.process.tail()
    }

    /// All of its log.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.process.log()).expect("a log of ours can be read")
    }

    /// SIGTERM: it sends what it has, and ends.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<()> {
        self.process.terminate(deadline).await.map(drop)
    }
}
