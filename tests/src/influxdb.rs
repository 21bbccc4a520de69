//! One InfluxDB 2, set up and ready: a shard of the tests.

use std::collections::BTreeMap;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::process::Process;
use crate::workdir::Workdir;
use crate::{installed, ports, web};

const START: Duration = Duration::from_secs(60);
/// The organisation that is set up.
pub const ORG: &str = "bongsu";
/// The bucket that is set up.
pub const BUCKET: &str = "metrics";
/// The operator's token.
pub const TOKEN: &str = "bongsu-tests-operator-token";

/// A row of a query's answer, by column.
pub type Row = BTreeMap<String, String>;

/// The running server. Fields drop in order: the process before its folder.
#[derive(Debug)]
pub struct Influxdb {
    process: Process,
    client: reqwest::Client,
    url: String,
    folder: Workdir,
}

impl Influxdb {
    /// Starts a server on a fresh folder and sets it up.
    ///
    /// # Panics
    /// When InfluxDB is not installed or does not become ready; the message says which and shows
    /// its log.
    pub async fn start() -> Self {
        let program = installed::folder("influxdb").join("influxd");
        let folder = Workdir::new("influxdb");
        let address = format!("127.0.0.1:{}", ports::free());
        let mut command = Command::new(program);
        command
            .args([
                "--http-bind-address",
                &address,
                "--reporting-disabled",
                "--log-level",
                "warn",
            ])
            .arg("--bolt-path")
            .arg(folder.join("influxd.bolt"))
            .arg("--sqlite-path")
            .arg(folder.join("influxd.sqlite"))
            .arg("--engine-path")
            .arg(folder.join("engine"))
            // Otherwise it keeps settings in the home folder of whoever runs the tests.
            .env("INFLUXD_CONFIG_PATH", folder.path())
            .env("HOME", folder.path());
        let process = Process::start("influxdb", command, folder.join("influxdb.log"));
        let url = format!("http://{address}");
        let mut influxdb = Self {
            process,
            client: web::client(),
            url,
            folder,
        };
        influxdb.ready().await;
        influxdb
            .set_up()
            .await
            .expect("a fresh InfluxDB can be set up");
        influxdb
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Bytes on the disk, log and shards together.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn disk_bytes(&self) -> std::io::Result<u64> {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                // A compaction may take a file away meanwhile.
                match entry.metadata() {
                    Ok(about) if about.is_dir() => folders.push(entry.path()),
                    Ok(about) => bytes += about.len(),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(bytes)
    }

    /// SIGKILL, as when the machine is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM: the orderly way down.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.terminate(deadline).await
    }

    /// Starts it on its old folder and its old port.
    ///
    /// # Panics
    /// When it runs, or does not become ready.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.ready().await;
    }

    /// Stops answering without going away, until [`Influxdb::resume`].
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Creates one more bucket, that keeps its points for ever.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn create_bucket(&self, name: &str) -> Result<()> {
        let orgs = self
            .client
            .get(format!("{}/api/v2/orgs?org={ORG}", self.url));
        let orgs: Value = self.send(orgs).await?.1.parse()?;
        let body = json!({ "orgID": orgs["orgs"][0]["id"], "name": name, "retentionRules": [] });
        let request = self
            .client
            .post(format!("{}/api/v2/buckets", self.url))
            .json(&body);
        let (status, text) = self.send(request).await?;
        ensure!(
            status == StatusCode::CREATED,
            "cannot create bucket {name}: {status} {text}"
        );
        Ok(())
    }

    /// Writes line protocol in nanoseconds, and returns the answer whatever it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn write(&self, bucket: &str, lines: &str) -> Result<(StatusCode, String)> {
        let url = format!(
            "{}/api/v2/write?org={ORG}&bucket={bucket}&precision=ns",
            self.url
        );
        self.send(self.client.post(url).body(lines.to_owned()))
            .await
    }

    /// Runs a Flux query and returns its rows.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn query(&self, flux: &str) -> Result<Vec<Row>> {
        let request = self
            .client
            .post(format!("{}/api/v2/query?org={ORG}", self.url))
            .header("Content-Type", "application/vnd.flux")
            .header("Accept", "application/csv")
            .body(flux.to_owned());
        let (status, text) = self.send(request).await?;
        ensure!(
            status == StatusCode::OK,
            "the query failed: {status} {text}\n{flux}"
        );
        let rows = read_tables(&text);
        // A query may fail when its answer has begun already; then the error is a table.
        if let Some(error) = rows.iter().find_map(|row| row.get("error")) {
            anyhow::bail!("the query failed: {error}\n{flux}");
        }
        Ok(rows)
    }

    /// How many points a bucket holds, counted as values of one field; `filter` is a Flux predicate
    /// on `r`.
    ///
    /// # Errors
    /// As [`Influxdb::query`].
    pub async fn count(&self, bucket: &str, filter: &str) -> Result<u64> {
        let rows = self
            .query(&format!(
                "from(bucket: \"{bucket}\") |> range(start: 0, stop: 2200-01-01T00:00:00Z)\
                 |> filter(fn: (r) => {filter}) |> count() |> group() |> sum()"
            ))
            .await?;
        match rows.first().and_then(|row| row.get("_value")) {
            None => Ok(0),
            Some(count) => count.parse().context("a count is a number"),
        }
    }

    async fn set_up(&self) -> Result<()> {
        let body = json!({
            "username": "operator", "password": "bongsu-tests", "org": ORG, "bucket": BUCKET,
            "token": TOKEN,
        });
        let request = self
            .client
            .post(format!("{}/api/v2/setup", self.url))
            .json(&body);
        let (status, text) = self.send(request).await?;
        ensure!(
            status == StatusCode::CREATED,
            "setup answered {status} {text}"
        );
        Ok(())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, String)> {
        let answer = request
            .header("Authorization", format!("Token {TOKEN}"))
            .send()
            .await?;
        Ok((answer.status(), answer.text().await?))
    }

    async fn ready(&mut self) {
        let url = format!("{}/health", self.url);
        let client = self.client.clone();
        self.process
            .ready(START, async || {
                Ok(client.get(&url).send().await?.status() == StatusCode::OK)
            })
            .await;
    }
}

/// Reads Flux's CSV: tables apart by an empty line, each with a line of names first.
fn read_tables(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut names: Option<Vec<String>> = None;
    for cells in records(text) {
        if cells.len() <= 1 {
            names = None;
        } else if let Some(names) = &names {
            rows.push(
                names
                    .iter()
                    .cloned()
                    .zip(cells)
                    .filter(|(name, _)| !name.is_empty())
                    .collect(),
            );
        } else {
            names = Some(cells);
        }
    }
    rows
}

/// Splits CSV into its records; quoted cells may hold commas, line ends and doubled quotes.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let record = records.last_mut().expect("starts with one");
        let cell = record.last_mut().expect("starts with one");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(String::new()),
            '\r' if !quoted => {}
            '\n' if !quoted => records.push(vec![String::new()]),
            other => cell.push(other),
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::read_tables;

    #[test]
    fn tables_with_different_columns_become_rows_by_name() {
        let text = concat!(
            ",result,table,_value\r\n,_result,0,\"a, \"\"b\"\"\n c\"\r\n\r\n",
            ",result,x\r\n,,7\r\n\r\n",
        );
        let rows = read_tables(text);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["_value"], "a, \"b\"\n c");
        assert_eq!(rows[1]["x"], "7");
    }
}
