//! What others wrote sends here: a real Prometheus, a real Alertmanager (by its webhook and as PagerDuty), `amtool`, a real
//! SMTP client; and webhooks that are mapped.

// The tests are the outside world: they have real clocks and tasks of their own.
#![allow(clippy::disallowed_methods)]

mod mail;
mod mapped;
mod services;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tests::bongsu::Builder;
use tests::workdir::Workdir;
use tests::{Alertmanager, Bongsu, Prometheus, amtool, ports, wait, web};

const SOON: Duration = Duration::from_secs(90);

/// `bongsu up` with the address of its notifier.
struct Up {
    _bongsu: Bongsu,
    url: String,
    /// Where its mail server listens.
    mail: u16,
    data: PathBuf,
    client: reqwest::Client,
    folder: Workdir,
}

impl Up {
    async fn start() -> Self {
        Self::with(|_, bongsu| bongsu).await
    }

    /// One whose API asks for a token.
    async fn guarded() -> Self {
        Self::with(|folder, bongsu| {
            let token = folder.write("token", "a-token-of-the-api");
            bongsu.env(
                "BONGSU_NOTIFIER__API_TOKEN_FILE",
                token.display().to_string(),
            )
        })
        .await
    }

    async fn with(more: impl FnOnce(&Workdir, Builder) -> Builder) -> Self {
        let folder = Workdir::new("incoming");
        let (data, port, mail) = (folder.join("data"), ports::free(), ports::free());
        let url = format!("http://127.0.0.1:{port}");
        let bongsu = Bongsu::service("up")
            .arg("--data-dir")
            .arg(data.display().to_string())
            .env("BONGSU_ROUTER__LISTEN", "127.0.0.1:{port}")
            .env("BONGSU_NOTIFIER__LISTEN", format!("127.0.0.1:{port}"))
            .env("BONGSU_NOTIFIER__PUBLIC_URL", url.clone())
            .env(
                "BONGSU_NOTIFIER__MAIL_IN__LISTEN",
                format!("127.0.0.1:{mail}"),
            )
            .env("BONGSU_NOTIFIER__MAIL_IN__DOMAIN", "alerts.example.com");
        let bongsu = more(&folder, bongsu).start().await;
        Self {
            _bongsu: bongsu,
            url,
            mail,
            data,
            client: web::client(),
            folder,
        }
    }

    fn alertmanager(&self) -> String {
        format!("{}/alertmanager", self.url)
    }

    /// Runs a command beside the running process; what it prints on standard output.
    fn bongsu(&self, arguments: &[&str]) -> String {
        let data = self.data.display().to_string();
        let all = [&["--data-dir", &data], arguments].concat();
        Bongsu::run(&all, &[]).unwrap_or_else(|error| panic!("bongsu {arguments:?}: {error:#}"))
    }

    /// Runs a command that fails; why.
    fn fails(&self, arguments: &[&str]) -> String {
        let data = self.data.display().to_string();
        let all = [&["--data-dir", &data], arguments].concat();
        let failed = Bongsu::run(&all, &[]).expect_err("it fails");
        format!("{failed:#}")
    }

    /// A file in its folder; where it is.
    fn file(&self, name: &str, text: &str) -> String {
        self.folder.write(name, text).display().to_string()
    }

    /// The key of a new integration.
    fn integration(&self, name: &str, tenant: &str, format: &str) -> Value {
        let add = [
            "integration",
            "add",
            name,
            "--tenant",
            tenant,
            "--format",
            format,
            "-o",
            "json",
        ];
        serde_json::from_str(&self.bongsu(&add)).expect("JSON")
    }

    /// The incidents whose title begins so, as `tenant priority state`, oldest first.
    async fn incidents(&self, title: &str) -> anyhow::Result<Vec<String>> {
        let url = format!("{}/api/v1/incidents?limit=500", self.url);
        let list: Value = self.client.get(url).send().await?.json().await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = list["incidents"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<_> = all
            .iter()
            .filter(|incident| text(&incident["title"]).starts_with(title))
            .map(|i| {
                format!(
                    "{} {} {}",
                    text(&i["tenant"]),
                    text(&i["priority"]),
                    text(&i["state"])
                )
            })
            .collect();
        found.reverse();
        Ok(found)
    }

    async fn until(&self, title: &str, expected: &[&str]) {
        self.waits(async || {
            let found = self.incidents(title).await?;
            anyhow::ensure!(
                found == expected,
                "{title}: {found:?}, and not {expected:?}"
            );
            Ok(())
        })
        .await;
    }

    async fn waits(&self, mut holds: impl AsyncFnMut() -> anyhow::Result<()>) {
        let held = wait::until(SOON, async || holds().await.map(Some)).await;
        held.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// The kinds of the timeline of the incident whose title begins so.
    async fn timeline(&self, title: &str) -> anyhow::Result<Vec<String>> {
        let list = format!("{}/api/v1/incidents?limit=500", self.url);
        let list: Value = self.client.get(list).send().await?.json().await?;
        let all = list["incidents"].as_array().cloned().unwrap_or_default();
        let found = all
            .iter()
            .find(|i| i["title"].as_str().is_some_and(|t| t.starts_with(title)));
        let id = found
            .and_then(|i| i["id"].as_str())
            .unwrap_or_default()
            .to_owned();
        let detail = format!("{}/api/v1/incidents/{id}", self.url);
        let detail: Value = self.client.get(detail).send().await?.json().await?;
        let timeline = detail["timeline"].as_array().cloned().unwrap_or_default();
        let kinds = timeline.iter().filter_map(|entry| entry["kind"].as_str());
        Ok(kinds.map(str::to_owned).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn amtool_adds_queries_and_expires_alerts_and_silences() {
    let up = Up::start().await;
    let url = up.alertmanager();
    let tool = |arguments: &[&str]| amtool(&url, arguments);
    let id = tool(&[
        "silence",
        "add",
        "--author=kim",
        "--comment=planned work",
        "--duration=1h",
        "alertname=DiskFull",
        "host=~web-.*",
    ]);
    let id = id.trim().to_owned();
    let known = tool(&["silence", "query"]);
    assert!(
        known.contains(&id) && known.contains("planned work"),
        "{known}"
    );

    tool(&[
        "alert",
        "add",
        "DiskFull",
        "host=web-1",
        "severity=critical",
        "--annotation=summary=DiskFull on web-1",
    ]);
    tool(&[
        "alert",
        "add",
        "DiskFull",
        "host=db-1",
        "severity=critical",
        "--annotation=summary=DiskFull on db-1",
    ]);
    up.until("DiskFull on web-1", &["default P1 open"]).await;
    let query = |options: &[&str]| {
        let names = tool(&[&["alert", "query", "-o", "json"], options].concat());
        let alerts: Vec<Value> = serde_json::from_str(&names).expect("JSON");
        alerts
            .iter()
            .map(|a| a["labels"]["host"].as_str().expect("a host").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(query(&[]), ["db-1"], "amtool asks for what is not silenced");
    assert_eq!(query(&["--silenced"]), ["web-1"]);
    assert_eq!(query(&["--silenced", "host=~db-.*"]), Vec::<String>::new());
    let kinds = up.timeline("DiskFull on web-1").await.unwrap();
    assert_eq!(
        kinds.last().map(String::as_str),
        Some("silenced"),
        "{kinds:?}"
    );

    // The same silence in Bongsu's own words.
    let listed = up.bongsu(&["silence", "list", "-o", "json"]);
    assert!(
        listed.contains(&id) && listed.contains("host=~\\\"web-.*\\\""),
        "{listed}"
    );
    let covered = up.bongsu(&["silence", "preview", "host=~web-.*", "-o", "json"]);
    assert_eq!(covered.matches("\"title\"").count(), 1, "{covered}");

    tool(&["silence", "expire", &id]);
    up.waits(async || {
        let kinds = up.timeline("DiskFull on web-1").await?;
        anyhow::ensure!(kinds.iter().any(|kind| kind == "page"), "{kinds:?}");
        Ok(())
    })
    .await;
    assert!(!tool(&["silence", "query"]).contains(&id));
    assert!(tool(&["silence", "query", "--expired"]).contains(&id));
    tool(&["config", "show"]);

    let end = "--end=2020-01-01T00:00:00Z";
    tool(&[
        "alert",
        "add",
        "DiskFull",
        "host=web-1",
        "severity=critical",
        "--start=2019-01-01T00:00:00Z",
        end,
    ]);
    up.until("DiskFull on web-1", &["default P1 closed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_sends_its_alerts_as_the_tenant_of_its_key() {
    let up = Up::start().await;
    up.bongsu(&["tenant", "add", "acme"]);
    let made = up.integration("acme-prometheus", "acme", "alertmanager");
    let key = made["key"].as_str().expect("a key").to_owned();
    let target = up.url.trim_start_matches("http://").to_owned();
    let alerting = format!(
        "alerting:\n  alertmanagers:\n  - path_prefix: /alertmanager\n    authorization: {{credentials: {key}}}\n    \
         static_configs: [{{targets: ['{target}']}}]\n"
    );
    // It fires for half a minute; then Prometheus says that it is resolved, again and again.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let rules = format!(
        "groups:\n- name: tests\n  interval: 1s\n  rules:\n  - alert: Early\n    \
         expr: vector(time()) < {}\n    labels: {{severity: warning, host: web-9}}\n    \
         annotations: {{summary: Early on web-9}}\n",
        now.as_secs() + 30
    );
    let _prometheus = Prometheus::alerting(&alerting, &rules).await;
    up.until("Early on web-9", &["acme P2 open"]).await;
    let alerts = up.alertmanager() + "/api/v2/alerts";
    let alerts: Vec<Value> = up
        .client
        .get(alerts)
        .bearer_auth(&key)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(alerts[0]["labels"]["alertname"], "Early");
    up.until("Early on web-9", &["acme P2 closed"]).await;

    up.bongsu(&["integration", "revoke", "acme-prometheus"]);
    let url = up.alertmanager() + "/api/v2/alerts";
    up.waits(async || {
        let answer = up.client.get(&url).bearer_auth(&key).send().await?;
        anyhow::ensure!(answer.status() == 401, "{}", answer.status());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_alertmanager_sends_by_webhook_and_as_pagerduty() {
    let up = Up::start().await;
    up.bongsu(&["tenant", "add", "acme"]);
    up.bongsu(&["tenant", "add", "globex"]);
    let webhook = up.integration("am", "acme", "alertmanager-webhook");
    let pagerduty = up.integration("pd", "globex", "pagerduty");
    let (hook, key) = (
        webhook["url"].as_str().expect("a URL"),
        pagerduty["key"].as_str().expect("a key"),
    );
    let config = format!(
        "global: {{resolve_timeout: 1s}}\n\
         route: {{receiver: both, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1m}}\n\
         receivers:\n- name: both\n  webhook_configs: [{{url: '{hook}'}}]\n  pagerduty_configs:\n  \
         - {{routing_key: {key}, url: '{}/v2/enqueue', severity: critical, description: 'PD {{{{ .CommonLabels.alertname }}}}'}}\n",
        up.url
    );
    let alertmanager = Alertmanager::start(&config).await;
    let post = async |ends: Value| {
        let mut alert = json!({"labels": {"alertname": "Down", "host": "web-2"}, "annotations": {"summary": "Down: web-2"}});
        if ends.is_string() {
            alert["endsAt"] = ends;
        }
        let url = format!("{}/api/v2/alerts", alertmanager.url());
        let answer = up
            .client
            .post(url)
            .json(&json!([alert]))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    };
    post(json!("2099-01-01T00:00:00Z")).await;
    up.until("Down: web-2", &["acme P2 open"]).await;
    up.until("PD Down", &["globex P1 open"]).await;
    // The fingerprint of ours is that of theirs.
    let shown = amtool(alertmanager.url(), &["alert", "query", "-o", "json"]);
    let theirs: Vec<Value> = serde_json::from_str(&shown).expect("JSON");
    let alert = json!([{"labels": {"alertname": "Down", "host": "web-2"}}]);
    let ours = up.alertmanager() + "/api/v2/alerts";
    up.client.post(&ours).json(&alert).send().await.unwrap();
    let ours: Vec<Value> = up
        .client
        .get(&ours)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(ours[0]["fingerprint"], theirs[0]["fingerprint"]);

    let mut resolved = json!({"labels": {"alertname": "Down", "host": "web-2"}, "annotations": {"summary": "Down: web-2"}});
    resolved["startsAt"] = "2020-01-01T00:00:00Z".into();
    resolved["endsAt"] = "2020-01-02T00:00:00Z".into();
    let url = format!("{}/api/v2/alerts", alertmanager.url());
    up.client
        .post(url)
        .json(&json!([resolved]))
        .send()
        .await
        .unwrap();
    up.until("Down: web-2", &["acme P2 closed"]).await;
    up.until("PD Down", &["globex P1 closed"]).await;
}
